// A flow with a model, tools of a real MCP server, a loop, a branch and a merge: what it did is in its record, every
// iteration and every attempt.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";

import { reference, Server } from "./support.js";

/** A server that speaks as OpenAI's chat completions do, and streams. It is too busy for each second request. */
async function model(t) {
  const asked = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (data) => (body += data));
    request.on("end", () => {
      asked.push({ key: request.headers.authorization, ...JSON.parse(body) });
      if (asked.length % 2 === 1) {
        response.writeHead(429, { "content-type": "application/json", "retry-after": "0" });
        return response.end(JSON.stringify({ error: { message: "slow down" } }));
      }
      const word = JSON.parse(body).messages.at(-1).content.split(" ").at(-1);
      response.writeHead(200, { "content-type": "text/event-stream" });
      const event = (data) => response.write(`data: ${JSON.stringify(data)}\n\n`);
      const delta = (content, finish_reason = null) => event({ model: "tiny-1", choices: [{ index: 0, delta: { content }, finish_reason }] });
      delta("Say ");
      delta(word);
      delta("", "stop");
      const usage = { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15, prompt_tokens_details: { cached_tokens: 4 } };
      event({ model: "tiny-1", choices: [], usage });
      response.end("data: [DONE]\n\n");
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${server.address().port}/v1`, asked };
}

const flow = (url) => ({
  name: "Greetings",
  toolName: "greetings",
  nodes: [
    { id: "ask", type: "UserIntent", parameters: { parameters: [{ name: "names", type: "array", required: true }] } },
    { id: "each_name", type: "Loop", parameters: { over: "input.names", maxIterations: 10 } },
    {
      id: "think",
      type: "Model",
      parameters: {
        baseUrl: url,
        model: "tiny",
        prompt: "Greet {{ each_name.item }}",
        apiKey: "{{ secrets.MODEL }}",
        retry: { maxAttempts: 3, delay: "1ms" },
      },
    },
    { id: "is_long", type: "Conditional", parameters: { expression: "nodes.each_name.item.length > 3" } },
    { id: "echo", type: "McpTool", parameters: { upstream: "everything", tool: "echo", arguments: { message: "{{ think.text }}" } } },
    { id: "sum", type: "McpTool", parameters: { upstream: "everything", tool: "get-sum", arguments: { a: 1, b: "{{ each_name.index }}" } } },
    { id: "join", type: "Merge", parameters: { strategy: "first" } },
    { id: "say", type: "Return", parameters: { json: { results: "{{ each_name.results }}" } } },
  ],
  connections: [
    { sourceNodeId: "ask", targetNodeId: "each_name" },
    { sourceNodeId: "each_name", targetNodeId: "think", sourceHandle: "each" },
    { sourceNodeId: "think", targetNodeId: "is_long" },
    { sourceNodeId: "is_long", targetNodeId: "echo", sourceHandle: "true" },
    { sourceNodeId: "is_long", targetNodeId: "sum", sourceHandle: "false" },
    { sourceNodeId: "echo", targetNodeId: "join" },
    { sourceNodeId: "sum", targetNodeId: "join" },
    { sourceNodeId: "each_name", targetNodeId: "say", sourceHandle: "done" },
  ],
});

test("every iteration and attempt is in the record", async (t) => {
  const { url, asked } = await model(t);
  const [program, ...args] = reference("everything", "stdio");
  const table = `allow_private_addresses = true\n[upstreams.everything]\ncommand = ${JSON.stringify(program)}\nargs = ${JSON.stringify(args)}`;
  const secret = "sk-a-secret-of-the-model";
  const server = await Server.start(t, table, { FLOWTRAIL_SECRET_MODEL: secret });
  const headers = { ...server.headers, "Content-Type": "application/json" };
  const post = async (address, body) => {
    const answer = await fetch(server.base + address, { method: "POST", headers, body: JSON.stringify(body) });
    const text = await answer.text();
    assert.ok(answer.ok, text);
    return JSON.parse(text);
  };
  const { id } = await post("/api/flows", flow(url));
  const execution = await post(`/api/flows/${id}/run`, { params: { names: ["Ada", "Grace"] } });
  assert.equal(execution.status, "fulfilled", JSON.stringify(execution.errorInfo));
  const texts = execution.outputs.results.map((result) => result.text);
  assert.deepEqual(texts, ["The sum of 1 and 0 is 1.", "Echo: Say Grace"]);

  const nodes = execution.nodeExecutions;
  const loop = nodes.find(({ nodeId }) => nodeId === "each_name");
  const of = (nodeId) => nodes.filter((node) => node.nodeId === nodeId);
  const rows = (nodeId) => of(nodeId).map(({ iteration, attempt, status }) => [iteration, attempt, status]);
  assert.deepEqual(rows("think"), [
    [0, 1, "error"],
    [0, 2, "completed"],
    [1, 1, "error"],
    [1, 2, "completed"],
  ]);
  assert.deepEqual(rows("echo"), [[0, 1, "skipped"], [1, 1, "completed"]]);
  assert.deepEqual(rows("sum"), [[0, 1, "completed"], [1, 1, "skipped"]]);
  assert.deepEqual(rows("join"), [[0, 1, "completed"], [1, 1, "completed"]]);
  for (const nodeId of ["think", "is_long", "echo", "sum", "join"]) {
    assert.ok(of(nodeId).every(({ parentSeq }) => parentSeq === loop.seq), nodeId);
  }
  const [, thought] = of("think");
  assert.equal(thought.outputData.model, "tiny-1");
  assert.equal(thought.outputData.finishReason, "stop");
  assert.deepEqual(
    { ...thought.outputData.usage, reasoningTokens: undefined },
    { inputTokens: 8, cachedInputTokens: 4, outputTokens: 3, totalTokens: 15, reasoningTokens: undefined },
  );
  assert.equal(asked[0].key, `Bearer ${secret}`, "the key is sent");
  assert.ok(!JSON.stringify(execution).includes(secret), "and not kept");
});
