// Servers and clients that do what they should not, and a database that is not there: what passes passes all the same.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { executions, flowtrail, folder, here, node, Peer, Server } from "./support.js";

const odd = [node, path.join(here, "odd-server.mjs")];
const through = (data, ...options) => [flowtrail, "proxy", "--data-dir", data, "--name", "odd", ...options, "--", ...odd];

async function begin(t, command = undefined, environment = {}) {
  const data = folder(t);
  const peer = new Peer(command?.(data) ?? through(data), environment);
  t.after(() => peer.kill());
  await peer.initialize();
  return { peer, data };
}

test("a call that is never answered is aborted when the client goes, and only then", async (t) => {
  const { peer, data } = await begin(t);
  peer.send({ jsonrpc: "2.0", id: "x", method: "tools/call", params: { name: "never", arguments: { a: 1 } } });
  await peer.call("echo", {});
  assert.equal(await peer.close(), 0);
  const [never, echo] = executions(data);
  assert.equal(never.status, "aborted");
  assert.match(never.errorInfo.message, /the client went away before the answer/);
  assert.deepEqual(never.initialParams, { a: 1 });
  assert.equal(echo.status, "fulfilled");
});

test("a server that dies in the middle of a call has failed, and so has the proxy", async (t) => {
  const { peer, data } = await begin(t);
  peer.send({ jsonrpc: "2.0", id: 7, method: "tools/call", params: { name: "dies" } });
  assert.equal(await peer.ended, 1);
  assert.match(peer.stderr, /flowtrail: the server ended \(exit status: 3\)/);
  const [execution] = executions(data);
  assert.equal(execution.status, "error");
  assert.equal(execution.errorInfo.kind, "network");
  assert.match(execution.errorInfo.message, /exit status: 3/);
});

test("rubbish passes, and answers are found between it", async (t) => {
  const { peer, data } = await begin(t);
  const answer = await peer.call("rubbish", {});
  assert.equal(answer.result.content[0].text, "after rubbish");
  assert.deepEqual(peer.rubbish, ["Listening on port 1234", "{\"jsonrpc\": \u0000", "", "[1,2"]);
  peer.send("this is no message");
  peer.send("");
  await peer.until((message) => message.error?.code === -32700);
  await peer.close();
  const [execution] = executions(data);
  assert.deepEqual(execution.outputs, answer.result);
});

test("of two answers the first one counts, and both pass", async (t) => {
  const { peer, data } = await begin(t);
  await peer.call("twice", {});
  await peer.until((message) => message.result?.isError);
  await peer.close();
  const [execution] = executions(data);
  assert.equal(execution.status, "fulfilled");
  assert.equal(execution.outputs.content[0].text, "first");
});

test("a result of 100 MB passes whole, and its beginning is kept", async (t) => {
  const { peer, data } = await begin(t);
  const bytes = 100_000_000;
  const answer = await peer.call("huge", { bytes });
  assert.equal(answer.result.content[0].text.length, bytes);
  const memory = Number(/VmHWM:\s+(\d+)/.exec(execFileSync("cat", [`/proc/${peer.pid}/status`], { encoding: "utf8" }))[1]);
  assert.ok(memory < 100_000, `the proxy took ${memory} kB`);
  await peer.close();
  const [execution] = executions(data);
  assert.equal(execution.status, "error", "it says so at its very end");
  assert.ok(execution.capture.outputs.size > bytes && execution.capture.outputs.truncated);
  assert.ok(execution.outputs.content[0].text.length > 900_000);
});

test("arguments of many megabytes pass, and what was called is known", async (t) => {
  const { peer, data } = await begin(t);
  await peer.call("echo", { long: "é".repeat(8_000_000) });
  await peer.close();
  const [execution] = executions(data);
  assert.equal(execution.flowName, "odd.echo");
  assert.equal(execution.status, "fulfilled");
  assert.ok(execution.capture.initialParams.truncated && execution.capture.initialParams.size > 16_000_000);
});

test("what is nested too deeply to be kept is recorded without it", async (t) => {
  const { peer, data } = await begin(t);
  await peer.call("deep", {});
  await peer.close();
  const [execution] = executions(data);
  assert.equal(execution.status, "fulfilled");
});

test("a server's new tools are flows once they are listed, and old ones keep theirs", async (t) => {
  const { peer, data } = await begin(t);
  await peer.request("tools/list", {});
  await peer.call("grow", {});
  await peer.request("tools/list", {});
  await peer.call("grown", { a: 1 });
  await peer.close();
  const listed = JSON.parse(execFileSync(flowtrail, ["flow", "list", "--json", "--data-dir", data], { encoding: "utf8", cwd: data }));
  const flows = (listed.items ?? listed).filter(({ kind }) => kind === "upstream");
  assert.equal(flows.length, 10, JSON.stringify(flows.map(({ name }) => name)));
  const grown = flows.find(({ toolName }) => toolName === "odd.grown");
  assert.equal(grown.description, "It is grown");
});

test("64 calls at once, of a batch, with ids of every kind, are told apart", async (t) => {
  const { peer, data } = await begin(t);
  const ids = Array.from({ length: 64 }, (_, n) => [n + 100, `${n + 100}`, `ü"${n}`, n + 0.5][n % 4]);
  const answers = await Promise.all(
    ids.map((id) => peer.request("tools/call", { name: "slow", arguments: { ms: Math.random() * 50, id } }, id)),
  );
  assert.ok(answers.every(({ result }) => result.content[0].text === "late"));
  peer.send([
    { jsonrpc: "2.0", id: "b1", method: "tools/call", params: { name: "echo", arguments: { n: 1 } } },
    { jsonrpc: "2.0", id: "b2", method: "tools/call", params: { name: "echo", arguments: { n: 2 } } },
  ]);
  await peer.until((message) => Array.isArray(message));
  await peer.close();
  const recorded = executions(data);
  assert.equal(recorded.length, 66);
  for (const { status, initialParams, meta } of recorded) {
    assert.equal(status, "fulfilled");
    if (initialParams.id !== undefined) assert.deepEqual(meta.requestId, initialParams.id);
  }
});

test("a proxy that is killed leaves what was under way as interrupted", async (t) => {
  const { peer, data } = await begin(t);
  await peer.call("echo", {});
  peer.send({ jsonrpc: "2.0", id: "x", method: "tools/call", params: { name: "never" } });
  await peer.call("echo", {});
  // The record is beside the traffic: it is there a moment later.
  while (executions(data).length < 3) await new Promise((done) => setTimeout(done, 20));
  peer.kill("SIGKILL");
  await peer.ended;
  const other = new Peer(through(data));
  t.after(() => other.kill());
  await other.initialize();
  await other.call("echo", {});
  while (executions(data).some(({ status }) => status === "pending")) await new Promise((done) => setTimeout(done, 20));
  await other.close();
  const never = executions(data).find(({ flowName }) => flowName === "odd.never");
  assert.equal(never.status, "error");
  assert.equal(never.inferred, true);
  assert.equal(never.errorInfo.kind, "interrupted");
});

test("SIGTERM ends the proxy and the server behind it", async (t) => {
  const { peer, data } = await begin(t);
  peer.send({ jsonrpc: "2.0", id: "x", method: "tools/call", params: { name: "never" } });
  await peer.call("echo", {});
  const children = execFileSync("ps", ["-o", "pid=", "--ppid", `${peer.pid}`], { encoding: "utf8" }).trim();
  assert.notEqual(children, "");
  peer.kill("SIGTERM");
  assert.equal(await peer.ended, 0);
  const left = spawnSync("ps", ["-o", "pid=", "-p", children], { encoding: "utf8" }).stdout.trim();
  assert.equal(left, "", "the server is gone");
  assert.equal(executions(data).find(({ flowName }) => flowName === "odd.never").status, "aborted");
});

test("what a server has started ends with it, also when it does not listen", async (t) => {
  const data = folder(t);
  // As npx and scripts do: one process that starts another, which takes no hint.
  const script = "trap '' TERM; sleep 1000 & echo $! >&2; exec 1>&-; wait";
  const command = [flowtrail, "proxy", "--data-dir", data, "--name", "odd", "--", "sh", "-c", script];
  const peer = new Peer(command);
  t.after(() => peer.kill());
  assert.equal(await peer.close(), 0);
  const grandchild = /^(\d+)$/m.exec(peer.stderr)[1];
  const state = () => spawnSync("ps", ["-o", "stat=", "-p", grandchild], { encoding: "utf8" }).stdout.trim();
  // It was killed; it is somebody else's child by now, who notes its end when they look.
  while (state() !== "" && !state().startsWith("Z")) await new Promise((done) => setTimeout(done, 20));
});

test("whoever calls whatever comes to mind makes no flow of each", async (t) => {
  const { peer, data } = await begin(t);
  await peer.request("tools/list", {});
  await Promise.all(Array.from({ length: 150 }, (_, n) => peer.call(`made_up_${n}`, { n })));
  await peer.call("echo", {});
  await peer.close();
  const listed = JSON.parse(execFileSync(flowtrail, ["flow", "list", "--json", "--data-dir", data], { encoding: "utf8", cwd: data }));
  const names = (listed.items ?? listed).map(({ name }) => name);
  assert.ok(names.length <= 9 + 100 + 1, `${names.length} flows`);
  const recorded = executions(data);
  assert.equal(recorded.length, 151);
  const others = recorded.filter(({ flowName }) => flowName === "odd.(others)");
  assert.equal(others.length, 50);
  for (const { initialParams, meta } of others) assert.equal(meta.tool, `made_up_${initialParams.n}`);
});

test("without a database everything passes, and the gap is told", async (t) => {
  const data = folder(t);
  mkdirSync(path.join(data, "flowtrail.db"));
  const peer = new Peer(through(data));
  t.after(() => peer.kill());
  await peer.initialize();
  const answer = await peer.call("echo", { a: 1 });
  assert.equal(answer.result.content[0].text, "{\"a\":1}");
  assert.equal(await peer.close(), 0);
  assert.match(peer.stderr, /calls pass without being recorded/);
  assert.match(peer.stderr, /1 calls? passed and (was|were) not recorded/);
  assert.deepEqual(readdirSync(path.join(data, "flowtrail.db")), []);
});

test("a configured secret that passes is not on the disk", async (t) => {
  const secret = "hunter2-and-more-of-it";
  const { peer, data } = await begin(t, undefined, { FLOWTRAIL_SECRET_TOKEN: secret });
  const answer = await peer.call("echo", { token: secret, [`key of ${secret}`]: [secret] });
  assert.ok(answer.result.content[0].text.includes(secret), "it passes as it is");
  await peer.close();
  for (const name of readdirSync(data)) {
    const found = spawnSync("grep", ["-c", "-a", secret, path.join(data, name)], { encoding: "utf8" });
    assert.notEqual(found.status, 0, `${name} has the secret`);
  }
});

test("the proxy records beside a server on the same data folder, which shows it at once", async (t) => {
  const server = await Server.start(t, "");
  const peer = new Peer(through(server.data));
  t.after(() => peer.kill());
  await peer.initialize();
  peer.send({ jsonrpc: "2.0", id: "x", method: "tools/call", params: { name: "slow", arguments: { ms: 3000 } } });
  let pending;
  while (!pending) [pending] = (await server.json("/api/executions?status=pending")).items;
  assert.equal(pending.flowName, "odd.slow");
  assert.equal(pending.source, "proxy");
  await peer.until((message) => message.id === "x");
  await peer.close();
  const ended = await server.json(`/api/executions/${pending.id}`);
  assert.equal(ended.status, "fulfilled");
  assert.ok(ended.duration >= 2_900 && ended.duration < 10_000, `${ended.duration}`);
});

test("what the command line lacks is said, and nothing is started", (t) => {
  const data = folder(t);
  writeFileSync(path.join(data, "flowtrail.toml"), "[upstreams.known]\nurl = \"http://127.0.0.1:9/mcp\"");
  const run = (...words) => spawnSync(flowtrail, ["proxy", "--data-dir", data, ...words], { encoding: "utf8", cwd: data, input: "" });
  for (const [words, status, said] of [
    [[], 2, /expected `-- COMMAND …`, --url URL, or --name/],
    [["--name", "unknown"], 1, /no upstream "unknown" among \["known"\]/],
    [["--", "no-such-program"], 1, /cannot start no-such-program: No such file/],
    [["--url", "nowhere"], 2, /--url: expected an address like https/],
    [["--name", "a b", "--", "cat"], 2, /--name: expected a name of 1 to 50/],
    [["--header", "A: b"], 2, /--url/],
    [["--url", "http://127.0.0.1:9", "--header", "no header"], 2, /expected `Name: value`/],
  ]) {
    const done = run(...words);
    assert.equal(done.status, status, `${words.join(" ")}: ${done.stderr}`);
    assert.match(done.stderr, said);
    assert.equal(done.stdout, "");
  }
});

test("an address where nobody is answers each request with an error", async (t) => {
  const data = folder(t);
  const peer = new Peer([flowtrail, "proxy", "--data-dir", data, "--name", "gone", "--url", "http://127.0.0.1:9/mcp"]);
  t.after(() => peer.kill());
  const answer = await peer.call("echo", {});
  assert.match(answer.error.message, /127.0.0.1|Connection refused|error sending/i);
  await peer.close();
  assert.equal(executions(data)[0].status, "error");
});
