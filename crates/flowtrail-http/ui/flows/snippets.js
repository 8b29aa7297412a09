// @ts-check
/** How a flow is called, or recorded, from elsewhere: ready to be copied. */

import { ExactNumber, stringify } from '../../client/index.js';

/** @typedef {import('../../client/index.js').Schemas['Flow']} Flow */

/** @type {Record<string, unknown>} */
const EXAMPLES = { string: 'text', number: 1.5, integer: 1, boolean: true, array: [], object: {} };

/**
 * The parameters of a flow's trigger.
 *
 * @param {Flow} flow
 * @returns {{ name: string, type: string, description?: string, required?: boolean, default?: unknown, enum?: unknown[] }[]}
 */
export function parametersOf(flow) {
  const trigger = flow.nodes.find((node) => node.type === 'UserIntent');
  const parameters = /** @type {any} */ (trigger?.parameters)?.parameters;
  return Array.isArray(parameters) ? parameters : [];
}

/**
 * Arguments with which a flow can be called.
 *
 * @param {Flow} flow
 */
function example(flow) {
  const told = parametersOf(flow).filter((each) => each.required || each.default === undefined);
  return Object.fromEntries(told.map(({ name, type, enum: words, default: value }) => [name, value ?? words?.[0] ?? EXAMPLES[type] ?? 'text']));
}

/**
 * Snippets, by the name of what they are for.
 *
 * @param {Flow} flow
 * @param {string} base
 * @returns {[name: string, text: string][]}
 */
export function snippets(flow, base) {
  return flow.kind === 'runnable' ? calling(flow, base) : recording(flow, base);
}

/**
 * @param {Flow} flow
 * @param {string} base
 * @returns {[name: string, text: string][]}
 */
function calling(flow, base) {
  const params = example(flow);
  const body = stringify({ params });
  const server = { type: 'http', url: `${base}/mcp`, headers: { Authorization: 'Bearer YOUR_KEY' } };
  const js = stringify(params, 2);
  return [
    ['MCP client', JSON.stringify({ mcpServers: { flowtrail: server } }, null, 2)],
    [
      'curl',
      `curl '${base}/api/flows/${flow.id}/run' \\\n  -H 'Authorization: Bearer YOUR_KEY' \\\n  -H 'Content-Type: application/json' \\\n  -d '${body.replaceAll("'", "'\\''")}'`,
    ],
    [
      'TypeScript',
      `import { Flowtrail } from '@flowtrail/client';\n\nconst flowtrail = new Flowtrail({ baseUrl: '${base}', key: process.env.FLOWTRAIL_KEY });\nconst execution = await flowtrail.flows.run('${flow.id}', ${js});\nconsole.log(execution.status, execution.outputs);`,
    ],
    [
      'Python',
      `import os, requests\n\nanswer = requests.post(\n    "${base}/api/flows/${flow.id}/run",\n    headers={"Authorization": f"Bearer {os.environ['FLOWTRAIL_KEY']}"},\n    json=${python({ params })},\n)\nprint(answer.json()["status"], answer.json()["outputs"])`,
    ],
    [
      'Rust',
      `// With reqwest (feature "json") and serde_json.\nlet execution: serde_json::Value = reqwest::Client::new()\n    .post("${base}/api/flows/${flow.id}/run")\n    .bearer_auth(std::env::var("FLOWTRAIL_KEY")?)\n    .json(&serde_json::json!(${body}))\n    .send()\n    .await?\n    .error_for_status()?\n    .json()\n    .await?;\nprintln!("{} {}", execution["status"], execution["outputs"]);`,
    ],
  ];
}

/**
 * @param {Flow} flow
 * @param {string} base
 * @returns {[name: string, text: string][]}
 */
function recording(flow, base) {
  const report = { status: 'fulfilled', duration: 12, initialParams: { orderId: 'A-1' }, outputs: { sent: true } };
  return [
    [
      'curl',
      `curl '${base}/api/flows/${flow.id}/executions' \\\n  -H 'Authorization: Bearer YOUR_KEY' \\\n  -H 'Content-Type: application/json' \\\n  -d '${JSON.stringify(report)}'`,
    ],
    [
      'TypeScript',
      `import { Flowtrail } from '@flowtrail/client';\n\nconst flowtrail = new Flowtrail({ baseUrl: '${base}', key: process.env.FLOWTRAIL_KEY });\nconst running = await flowtrail.executions.start('${flow.id}', { initialParams: { orderId: 'A-1' } });\nconst rows = await running.run('fetch', () => fetchRows());\nawait running.fulfil({ rows });`,
    ],
    [
      'Python',
      `import os, requests\n\nrequests.post(\n    "${base}/api/flows/${flow.id}/executions",\n    headers={"Authorization": f"Bearer {os.environ['FLOWTRAIL_KEY']}"},\n    json=${python(report)},\n).raise_for_status()`,
    ],
    [
      'Rust',
      `let execution = tracker.start(&me, StartExecution::of(&flow, Source::Embedded).params(&params))?.wait()?;\nlet node = execution.begin_node(NodeStart::new("fetch", "http", &input));\nnode.complete(&output);\nexecution.fulfil(Some(&outputs)).wait()?;`,
    ],
  ];
}

/**
 * A value as Python writes it.
 *
 * @param {unknown} value
 * @returns {string}
 */
function python(value) {
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (value === null || value === undefined) return 'None';
  if (Array.isArray(value)) return `[${value.map(python).join(', ')}]`;
  if (value instanceof ExactNumber) return value.text;
  if (typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([name, each]) => `${JSON.stringify(name)}: ${python(each)}`)
      .join(', ')}}`;
  }
  return JSON.stringify(value);
}
