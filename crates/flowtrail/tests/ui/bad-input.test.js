// @ts-check
/** Much, long, gone, not one's own, and at another time. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { KEY, Server, close, page, until } from './support.js';

/** @type {Server} */
let server;

before(async () => {
  server = await Server.start();
});
after(async () => {
  await close();
  await server.remove();
});

test('a link to what does not exist, or is no id, says so and leads on', async (t) => {
  const shown = await page(t, server, { path: '/executions/01a2069c-0000-7000-8000-000000000000', expected: [/40[04]/] });
  await shown.getByText('There is no such execution').waitFor();
  await shown.goto(`${server.url}/executions/nonsense`);
  await shown.getByText('There is no such execution').waitFor();
  await shown.goto(`${server.url}/flows/nonsense/usage`);
  await shown.getByText('There is no such flow').waitFor();
  await shown.goto(`${server.url}/flows/%E0%A4%A/usage`);
  await shown.locator('ft-problem').first().waitFor();
  await shown.goto(`${server.url}/executions?page=99999&status=error`);
  await shown.getByText(/No execution matches|There is no such page/).waitFor();
  await shown.goto(`${server.url}/executions?page=abc&limit=abc`);
  await shown.getByText('No executions yet').waitFor();
  await shown.goto(`${server.url}/executions?status=nonsense`);
  await shown.getByRole('alert').getByText('status').waitFor();
});

test('what is somebody else’s is as if it were not there', async (t) => {
  const flow = await server.external('Hers');
  const made = await server.record(flow.id);
  const user = await server.api('POST', '/api/users', { name: 'Dan', role: 'user' });
  const { key } = await server.api('POST', '/api/keys', { name: 'his', userId: user.id });
  const shown = await page(t, server, { path: `/executions?selected=${made.id}`, key, expected: [/404/] });
  await shown.getByText('There is no such execution').waitFor();
  await shown.goto(`${server.url}/flows/${flow.id}/usage`);
  await shown.getByText('There is no such flow').waitFor();
});

test('a graph of five hundred nodes is drawn, and each can be looked at', async (t) => {
  const nodes = [
    { id: 'ask', name: 'Ask', type: 'UserIntent', parameters: { parameters: [] } },
    ...Array.from({ length: 498 }, (_, number) => ({ id: `step${number}`, name: number === 7 ? 'n'.repeat(300) : `Step ${number}`, type: 'Transform', parameters: { code: 'return input' } })),
    { id: 'say', name: 'Say', type: 'Return', parameters: { text: 'done' } },
  ];
  const connections = nodes.slice(1).map((node, number) => ({ sourceNodeId: nodes[number - (number % 9 === 8 ? 8 : 0)]?.id, targetNodeId: node.id }));
  const [flow] = await server.import({ name: 'Large', toolName: 'large', nodes, connections });
  const shown = await page(t, server, { path: `/flows/${flow.id}/overview` });
  await until(async () => (await shown.locator('ft-flow-graph g.node').count()) === 500, 'all nodes');
  await shown.locator('ft-flow-graph g.node', { hasText: 'Step 3' }).first().click();
  await shown.locator('flow-overview ft-tree').getByText('return input').waitFor();
  await server.call('large');
  await shown.goto(`${server.url}/flows/${flow.id}/usage`);
  await shown.locator('ft-executions a').first().click();
  const bars = shown.locator('ft-waterfall li');
  await bars.first().waitFor();
  assert.ok(Number(await bars.first().getAttribute('aria-setsize')) >= 400, 'all bars are known of');
  assert.ok((await bars.count()) < 100, 'and those drawn that are seen');
});

test('a waterfall of five thousand bars, deep and long, is shown at once and walked by keys', async (t) => {
  const flow = await server.external('Many nodes');
  const node = (/** @type {number} */ seq, /** @type {object} */ about = {}) => ({ seq, nodeId: `n${seq % 50}`, nodeName: `Node ${seq}`, nodeType: 'x', executionTimeMs: 1, ...about });
  // A chain of five hundred, each within the one before, and a failure where nobody would scroll to.
  const nodes = Array.from({ length: 5_000 }, (_, place) => node(place + 1, { ...(place > 0 && place < 500 ? { parentSeq: place } : {}), ...(place === 4_321 ? { error: 'no' } : {}) }));
  await server.record(flow.id, { status: 'error', errorInfo: { message: 'no', nodeId: 'n22', nodeName: 'Node 4322' }, nodeExecutions: nodes });
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage` });
  await shown.locator('ft-executions a').first().click();
  const bars = shown.locator('ft-waterfall li');
  const chosen = shown.locator('ft-waterfall button[aria-pressed="true"]');
  await chosen.getByText('Node 4322').waitFor();
  await until(() => chosen.evaluate((button) => button.getBoundingClientRect().bottom <= window.innerHeight && button.getBoundingClientRect().top > 0), 'it to be seen');
  assert.ok((await bars.count()) < 100, 'only what is seen is drawn');
  await chosen.focus();
  await shown.keyboard.press('ArrowDown');
  await shown.keyboard.press('Enter');
  await chosen.getByText('Node 4323').waitFor();
  await shown.keyboard.press('Home');
  await shown.locator('ft-waterfall button:focus').getByText('Node 1', { exact: true }).waitFor();
  await shown.keyboard.press('End');
  await shown.locator('ft-waterfall button:focus').getByText('Node 5000').waitFor();
  assert.equal(await shown.locator('ft-waterfall button[tabindex="0"]').count(), 1, 'one stop of the keyboard');
});

test('ten thousand flows are listed by pages and found', async (t) => {
  for (let part = 0; part < 10; part += 1) {
    await server.import(Array.from({ length: 1_000 }, (_, number) => ({ kind: 'external', name: `Flow ${part}-${number}` })));
  }
  const shown = await page(t, server, { path: '/flows' });
  await shown.getByText(/10,00\d flows/).waitFor();
  assert.ok((await shown.locator('flows-page tbody tr').count()) <= 50);
  await shown.getByPlaceholder('Search flows').fill('Flow 7-777');
  await until(async () => (await shown.locator('flows-page tbody tr').count()) === 1, 'the one that is called so');
  await shown.goto(`${server.url}/statistics`);
  await shown.locator('flowtrail-stats .figure').first().waitFor();
});

test('a megabyte of data is shown at once, searched, and drawn only where it is seen', async (t) => {
  const flow = await server.external('Much data');
  const rows = Array.from({ length: 9_000 }, (_, number) => ({ number, name: `row ${number}`, tags: ['a', 'b'], text: 'x'.repeat(40) }));
  await server.record(flow.id, { nodeExecutions: [{ seq: 1, nodeId: 'fetch', nodeName: 'Fetch', nodeType: 'http', executionTimeMs: 4, outputData: { rows } }] });
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage` });
  await shown.locator('ft-executions a').first().click();
  const tree = shown.locator('ft-tree');
  await tree.getByText('rows').waitFor();
  await tree.locator('.fold').nth(1).click();
  await tree.getByText('[9000 items]').or(tree.getByText('[9,000 items]')).waitFor();
  assert.ok((await tree.locator('.line').count()) < 100, 'only what is seen is drawn');
  await shown.getByPlaceholder('Search data').fill('row 8765');
  await shown.keyboard.press('Enter');
  await tree.locator('.line.found.at').waitFor();
  await tree.locator('.line.at').getByRole('button', { name: 'Copy path' }).click();
  assert.equal(await shown.evaluate(() => navigator.clipboard.readText()), 'rows[8765].name');
  await shown.getByRole('button', { name: 'Raw' }).click();
  await shown.locator('ft-node-data pre').waitFor();
});

test('what was truncated, redacted or not kept says so', async (t) => {
  const flow = await server.external('Marked');
  await server.record(flow.id, {
    initialParams: { password: 'hunter22', text: 'y'.repeat(1_200_000) },
    nodeExecutions: [{ seq: 1, nodeId: 'fetch', nodeName: 'Fetch', nodeType: 'http', executionTimeMs: 4, inputData: { apiKey: 'sk-abcdefghijklmnop' } }],
  });
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage` });
  await shown.locator('ft-executions a').first().click();
  const data = shown.locator('ft-node-data');
  await data.getByRole('tab', { name: 'Input' }).click();
  await data.getByText('Redacted:').waitFor();
  await shown.getByRole('button', { name: 'Parameters and outputs' }).click();
  await data.getByText('Truncated:').waitFor();
  await server.api('PATCH', `/api/flows/${flow.id}`, { capture: 'metadata' });
  const kept = await server.record(flow.id, { initialParams: { orderId: 'A-1' } });
  await shown.goto(`${server.url}/executions?selected=${kept.id}`);
  await shown.getByRole('button', { name: 'Parameters and outputs' }).click();
  await data.getByText(/not kept/i).first().waitFor();
});

test('numbers that a double cannot hold are shown and run again with all their digits', async (t) => {
  const big = '115792089237316195423570985008687907853269984665640564039457584007913129639935';
  const flow = await server.api('POST', '/api/flows', {
    name: 'Big numbers',
    nodes: [
      { id: 'ask', type: 'UserIntent', parameters: { parameters: [{ name: 'n', type: 'integer' }] } },
      { id: 'answer', type: 'Return', parameters: { text: '{{ ask.n }}' } },
    ],
    connections: [{ sourceNodeId: 'ask', targetNodeId: 'answer' }],
  });
  const shown = await page(t, server, { path: `/flows/${flow.id}/run` });
  await shown.locator('#parameter-n').fill(big);
  await shown.getByRole('button', { name: 'Run', exact: true }).click();
  await shown.locator('flow-run flowtrail-execution .word.fulfilled').waitFor();
  await shown.goto(`${server.url}/flows/${flow.id}/usage`);
  await shown.locator('ft-executions a').first().click();
  await shown.getByRole('button', { name: 'Parameters and outputs' }).click();
  const data = shown.locator('ft-node-data');
  await data.getByRole('tab', { name: 'Parameters' }).click();
  await data.locator('ft-tree .number').getByText(big, { exact: true }).waitFor();
  await data.getByRole('button', { name: 'Raw' }).click();
  await data.locator('pre').getByText(big).waitFor();
  const [{ id }] = (await server.api('GET', `/api/flows/${flow.id}/executions`)).items;
  const kept = await fetch(`${server.url}/api/executions/${id}`, { headers: { authorization: `Bearer ${KEY}` } });
  assert.ok((await kept.text()).includes(`"initialParams":{"n":${big}}`));
});

test('a clock that is an hour off does not change how long ago it was', async (t) => {
  const flow = await server.external('Time');
  await server.record(flow.id, { startedAt: new Date(Date.now() - 120_000).toISOString() });
  for (const off of [3_600_000, -3_600_000]) {
    const shown = await page(t, server, { path: '/flows' });
    await shown.clock.install({ time: Date.now() + off });
    await shown.goto(`${server.url}/flows/${flow.id}/usage`);
    await shown.locator('ft-executions li').getByText('2 min ago').waitFor();
  }
});
