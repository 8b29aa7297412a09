// Whatever way leads to a server, the same is said: message by message, and every call is in the history.

import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";

import { prepared, servers } from "./conversations.js";
import { executions, flowtrail, folder, normalised, Peer, python, Server } from "./support.js";

/** The ways to a server: each gives the command that a client starts, and the data folders in which calls must be. */
const ways = {
  async "the proxy before a command"(t, name, command) {
    const data = folder(t);
    return { command: [flowtrail, "proxy", "--name", name, "--data-dir", data, "--", ...command], data: [data] };
  },
  async "the proxy before an address, behind which the server holds the command"(t, name, command, environment) {
    const [program, ...args] = command;
    const table = [
      `[upstreams.${name}]`,
      `command = ${JSON.stringify(program)}`,
      `args = ${JSON.stringify(args)}`,
      `[upstreams.${name}.env]`,
      ...Object.entries(environment).map(([key, value]) => `${key} = ${JSON.stringify(value)}`),
    ];
    const server = await Server.start(t, table.join("\n"));
    const data = folder(t);
    const url = `${server.base}/mcp/${name}`;
    const header = `Authorization: Bearer ${server.key}`;
    return {
      command: [flowtrail, "proxy", "--name", name, "--data-dir", data, "--url", url, "--header", header],
      data: [data, server.data],
    };
  },
};

/** How a conversation begins. */
const eras = { "2025-11-25": (peer) => peer.initialize(), "2026-07-28": (peer) => peer.discover() };

/** Has the conversation, and gives what the server has said and what calls it was sent. */
async function transcript(t, server, command, place, environment, era) {
  prepared(server, place);
  const peer = new Peer(command, environment);
  t.after(() => peer.kill());
  const calls = [];
  const send = peer.send.bind(peer);
  peer.send = (message) => {
    if (message.method === "tools/call") calls.push(message);
    send(message);
  };
  const greeting = await eras[era](peer);
  assert.ok(greeting.result, JSON.stringify(greeting));
  await server.talk(peer, place);
  await peer.close();
  assert.deepEqual(peer.rubbish, [], "nothing but messages");
  return { era, greeting, heard: normalised(peer.heard), calls, answers: peer.heard };
}

/** What was said, apart from the order of what has none: answers by id, what was asked and told by its kind. */
function parts(heard) {
  const sorted = (list) => list.map((message) => JSON.stringify(message)).sort();
  const told = heard.filter((message) => message.method !== undefined && message.id === undefined);
  return {
    answers: sorted(heard.filter((message) => message.method === undefined)),
    // Ids of the server's own requests are its business.
    asked: sorted(heard.filter((message) => message.method && message.id !== undefined).map(({ id, ...rest }) => rest)),
    progress: told.filter((message) => message.params?.progressToken && message.params.progressToken !== "gone"),
    told: [...new Set(told.map((message) => message.method))].sort(),
  };
}

/** That each call is recorded with what it was given and what came back. */
function assertRecorded(data, name, { era, calls, answers }) {
  const recorded = executions(data);
  assert.equal(recorded.length, calls.length, "one execution for each call");
  const answered = new Map();
  for (const answer of answers.filter((message) => message.method === undefined)) {
    const id = JSON.stringify(answer.id);
    answered.set(id, [...(answered.get(id) ?? []), answer]);
  }
  // The greeting had an id of its own.
  answered.get("1")?.shift();
  const left = [...recorded];
  for (const call of calls) {
    const id = JSON.stringify(call.id);
    const at = left.findIndex((one) => JSON.stringify(one.meta.requestId) === id);
    const [execution] = left.splice(at, 1);
    const of = `${call.params?.name} (${id})`;
    const tool = call.params?.name ?? "";
    assert.equal(execution.flowName, `${name}.${tool}`, of);
    assert.equal(execution.source, "proxy", of);
    assert.deepEqual(execution.initialParams, call.params?.arguments ?? {}, of);
    assert.deepEqual(execution.meta.client, { name: "transcript", version: "1" }, of);
    assert.equal(execution.meta.protocol, era, of);
    // Where requests stand for themselves there is no session, and nobody has introduced themselves in one.
    if (era === "2025-11-25") assert.ok(execution.meta.session && execution.meta.server.name, of);
    const answer = answered.get(id)?.shift();
    if (call.id === "cancelled") {
      assert.equal(execution.status, "aborted", of);
      assert.match(execution.errorInfo.message, /cancelled it: enough/, of);
      assert.ok(execution.nodeExecutions.length > 0, "its progress is kept");
    } else if (answer.error) {
      assert.equal(execution.status, "error", of);
      assert.equal(execution.errorInfo.message, answer.error.message, of);
    } else {
      assert.equal(execution.status, answer.result.isError ? "error" : "fulfilled", of);
      assert.deepEqual(execution.outputs, answer.result, of);
    }
    const token = call.params?._meta?.progressToken;
    if (token !== undefined && call.id !== "cancelled") {
      const told = answers.filter((message) => message.params?.progressToken === token);
      const kept = execution.nodeExecutions.map((event) => event.outputData);
      assert.deepEqual(kept, told.map(({ params: { progressToken, ...rest } }) => rest), of);
    }
  }
}

for (const [name, server] of Object.entries(servers)) {
  const skip = ["time", "git"].includes(name) && !python && "FLOWTRAIL_MCP_PYTHON names no folder";
  for (const era of server.eras ?? ["2025-11-25"]) {
    for (const [way, through] of Object.entries(ways)) {
      test(`${name} says the same in ${era} through ${way}`, { skip }, async (t) => {
        const place = path.join(folder(t), "place");
        const environment = server.environment?.(place) ?? {};
        const direct = await transcript(t, server, server.start(place), place, environment, era);
        const { command, data } = await through(t, name, server.start(place), environment);
        const proxied = await transcript(t, server, command, place, environment, era);
        assert.deepEqual(parts(proxied.heard), parts(direct.heard));
        for (const one of data) assertRecorded(one, name, proxied);
      });
    }
  }
}
