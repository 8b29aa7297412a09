// The TypeScript client: lists the tools, calls one, and prints what came as JSON.
//
// client_typescript.mjs MODE TOOL ARGUMENTS --url URL KEY | -- COMMAND ARGUMENT…

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

const [mode, tool, args, kind, ...rest] = process.argv.slice(2);

const transport =
  kind === "--url"
    ? new StreamableHTTPClientTransport(new URL(rest[0]), {
        requestInit: { headers: { Authorization: `Bearer ${rest[1]}` } },
      })
    : new StdioClientTransport({ command: rest[0], args: rest.slice(1), env: process.env });

const client = new Client({ name: "typescript", version: "1" }, { versionNegotiation: { mode } });
await client.connect(transport);
const { tools } = await client.listTools();
const answer = await client.callTool({ name: tool, arguments: JSON.parse(args) });
console.log(JSON.stringify({ tools: tools.map(({ name }) => name), text: answer.content[0].text }));
await client.close();
