// Other people's MCP clients, as they are: against Flowtrail's own server and through the proxy, over HTTP and over standard
// input and output, in both eras where they speak both.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { executions, flowtrail, folder, here, node, python, reference, Server } from "./support.js";

const bin = (name) => path.join(here, "node_modules/.bin", name);
const script = (name) => path.join(here, name);

/** Each client, as a command line of what it is to do; and the modes that it has. */
const clients = {
  "mcp (Python)": {
    modes: ["legacy", "2026-07-28", "auto"],
    command: (mode, to, tool, args) => [path.join(python, "python"), script("client_mcp.py"), mode, tool, args, ...to],
    skip: !python,
  },
  "fastmcp (Python)": {
    modes: ["legacy", "2026-07-28", "auto"],
    command: (mode, to, tool, args) => [path.join(python, "python"), script("client_fastmcp.py"), mode, tool, args, ...to],
    skip: !python,
  },
  TypeScript: {
    modes: ["legacy", "auto"],
    command: (mode, to, tool, args) => [node, script("client_typescript.mjs"), mode, tool, args, ...to],
  },
  "Inspector's command line": {
    modes: ["legacy", "auto"],
    command(mode, [kind, ...to], tool, args) {
      const given = Object.entries(JSON.parse(args)).map(([key, value]) => `${key}=${value}`);
      const what = ["--method", "tools/call", "--tool-name", tool, "--tool-arg", ...given];
      const options = ["--cli", "--protocol-era", mode];
      return kind === "--url"
        ? [node, bin("mcp-inspector"), ...options, to[0], "--transport", "http", "--header", `Authorization: Bearer ${to[1]}`, ...what]
        : [node, bin("mcp-inspector"), ...options, ...what, "--", ...to];
    },
    text: (output) => JSON.parse(output).content[0].text,
  },
};

const greet = {
  name: "Greet",
  toolName: "greet",
  nodes: [
    { id: "ask", type: "UserIntent", parameters: { parameters: [{ name: "message", type: "string" }] } },
    { id: "say", type: "Return", parameters: { text: "Echo: {{ ask.message }}" } },
  ],
  connections: [{ sourceNodeId: "ask", targetNodeId: "say" }],
};

/** A server with a flow, and with a server that it holds. */
async function server(t) {
  const [program, ...args] = reference("everything", "stdio");
  const started = await Server.start(
    t,
    `[upstreams.everything]\ncommand = ${JSON.stringify(program)}\nargs = ${JSON.stringify(args)}`,
  );
  const headers = { ...started.headers, "Content-Type": "application/json" };
  const made = await fetch(`${started.base}/api/flows`, { method: "POST", headers, body: JSON.stringify(greet) });
  assert.equal(made.status, 201, await made.text());
  return started;
}

/** The ways to a tool: from a client's point of view, and where it is recorded. */
const ways = {
  "/mcp": async (t) => {
    const { base, key, data } = await server(t);
    return { to: ["--url", `${base}/mcp`, key], tool: "greet", data, source: "mcp", flow: "Greet" };
  },
  "flowtrail mcp": async (t) => {
    const data = folder(t);
    const file = path.join(data, "greet.json");
    writeFileSync(file, JSON.stringify(greet));
    run([flowtrail, "flow", "import", "--data-dir", data, file]);
    return { to: ["--", flowtrail, "mcp", "--data-dir", data], tool: "greet", data, source: "mcp", flow: "Greet" };
  },
  "flowtrail proxy": async (t) => {
    const data = folder(t);
    const to = ["--", flowtrail, "proxy", "--data-dir", data, "--name", "everything", "--", ...reference("everything", "stdio")];
    return { to, tool: "echo", data, source: "proxy", flow: "everything.echo" };
  },
  "/mcp/everything": async (t) => {
    const { base, key, data } = await server(t);
    return { to: ["--url", `${base}/mcp/everything`, key], tool: "echo", data, source: "proxy", flow: "everything.echo" };
  },
};

function run([program, ...args]) {
  const environment = { ...process.env, RUST_LOG: "warn", PATH: `${path.dirname(node)}:${process.env.PATH}` };
  const done = spawnSync(program, args, { encoding: "utf8", env: environment, timeout: 120_000 });
  assert.equal(done.status, 0, `${[program, ...args].join(" ")}\n${done.stdout}\n${done.stderr}\n${done.error ?? ""}`);
  return done.stdout;
}

for (const [name, client] of Object.entries(clients)) {
  for (const [way, open] of Object.entries(ways)) {
    test(`${name} works with ${way}`, { skip: client.skip && "FLOWTRAIL_MCP_PYTHON names no folder" }, async (t) => {
      const { to, tool, data, source, flow } = await open(t);
      // The server that is stood before does not speak the newer era; who insists on it is refused as without Flowtrail.
      const modes = client.modes.filter((mode) => source === "mcp" || mode !== "2026-07-28");
      for (const mode of modes) {
        const message = `Grüße, ${mode}`;
        const output = run(client.command(mode, to, tool, JSON.stringify({ message })));
        const text = client.text ? client.text(output) : JSON.parse(output).text;
        assert.equal(text, `Echo: ${message}`, mode);
        if (!client.text) assert.ok(JSON.parse(output).tools.includes(tool), mode);
      }
      const recorded = executions(data);
      assert.deepEqual(recorded.map(({ initialParams }) => initialParams.message), modes.map((mode) => `Grüße, ${mode}`));
      for (const execution of recorded) {
        assert.equal(execution.status, "fulfilled");
        assert.equal(execution.source, source);
        assert.equal(execution.flowName, flow);
        assert.ok(execution.meta.client.name, "who called is recorded");
      }
      t.diagnostic(`seen as ${[...new Set(recorded.map(({ meta }) => `${meta.client.name} ${meta.protocol}`))].join(", ")}`);
    });
  }
}

for (const way of ["/mcp", "/mcp/everything"]) {
  test(`mcp-remote leads clients that only know commands to ${way}`, async (t) => {
    const { to: [, url, key], tool, data, source } = await ways[way](t);
    const remote = [node, bin("mcp-remote"), url, "--allow-http", "--header", `Authorization: Bearer ${key}`];
    const output = run(clients.TypeScript.command("legacy", ["--", ...remote], tool, JSON.stringify({ message: "far" })));
    assert.equal(JSON.parse(output).text, "Echo: far");
    const [execution] = executions(data);
    assert.equal(execution.source, source);
  });
}

test("flowtrail proxy stands before mcp-remote, too", async (t) => {
  const { to: [, url, key] } = await ways["/mcp"](t);
  const data = folder(t);
  const remote = [node, bin("mcp-remote"), url, "--allow-http", "--header", `Authorization: Bearer ${key}`];
  const to = ["--", flowtrail, "proxy", "--data-dir", data, "--name", "far", "--", ...remote];
  const output = run(clients.TypeScript.command("legacy", to, "greet", JSON.stringify({ message: "far" })));
  assert.equal(JSON.parse(output).text, "Echo: far");
  assert.equal(executions(data)[0].flowName, "far.greet");
});
