// An MCP server that does what servers should not, one tool for each. Over standard input and output, by hand.

import { createInterface } from "node:readline";

const say = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const tools = ["never", "dies", "twice", "rubbish", "huge", "deep", "grow", "echo", "slow"];
const described = (name) => ({ name, description: `It is ${name}`, inputSchema: { type: "object" } });
const text = (value) => ({ content: [{ type: "text", text: value }] });

const does = {
  never: () => {},
  dies: () => process.exit(3),
  twice(id) {
    say({ id, result: text("first") });
    say({ id, result: { ...text("second"), isError: true } });
  },
  rubbish(id) {
    process.stdout.write("Listening on port 1234\n{\"jsonrpc\": \u0000\n\n[1,2\n");
    say({ id, result: text("after rubbish") });
  },
  huge(id, { bytes }) {
    // Its id and that it failed come last.
    const long = "x".repeat(bytes);
    process.stdout.write(`{"jsonrpc":"2.0","result":{"content":[{"type":"text","text":"${long}"}],"isError":true},"id":${id}}\n`);
  },
  deep(id) {
    process.stdout.write(`{"jsonrpc":"2.0","id":${id},"result":{"content":[],"structuredContent":${"[".repeat(500)}${"]".repeat(500)}}}\n`);
  },
  grow(id) {
    tools.push("grown");
    say({ method: "notifications/tools/list_changed" });
    say({ id, result: text("grown") });
  },
  echo: (id, args) => say({ id, result: text(JSON.stringify(args)) }),
  slow: (id, { ms }) => setTimeout(() => say({ id, result: text("late") }), ms),
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    let message;
    try {
      message = JSON.parse(line);
    } catch {
      return say({ id: null, error: { code: -32700, message: "Parse error" } });
    }
    if (Array.isArray(message)) return process.stdout.write(`${JSON.stringify(message.map(({ id }) => ({ jsonrpc: "2.0", id, result: text("of a batch") })))}\n`);
    const { id, method, params } = message;
    if (id === undefined || method === undefined) return;
    if (method === "initialize") {
      const { protocolVersion } = params;
      return say({ id, result: { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "odd", version: "1" } } });
    }
    if (method === "tools/list") return say({ id, result: { tools: tools.map(described) } });
    if (method === "tools/call") return (does[params.name] ?? does.echo)(id, params.arguments ?? {});
    return say({ id, error: { code: -32601, message: `no ${method}` } });
  })
  .on("close", () => process.exit(0));
