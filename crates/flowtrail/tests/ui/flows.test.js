// @ts-check
/** Flows: finding, making, running and changing them. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { BAD_ORDER, GOOD_ORDER, KEY, Server, close, page, until } from './support.js';

/** @type {Server} */
let server;

before(async () => {
  server = await Server.start();
});
after(async () => {
  await close();
  await server.remove();
});

test('without flows there are two ways to begin', async (t) => {
  const shown = await page(t, server);
  await shown.getByText('No flows yet').waitFor();
  assert.equal(await shown.locator('flows-page pre').count(), 2);
});

test('a key logs in, a wrong one does not, and one can leave', async (t) => {
  const shown = await page(t, server, { key: null, expected: [/401/] });
  await shown.getByLabel('API key').fill('ft_wrong');
  await shown.getByRole('button', { name: 'Log in' }).click();
  await shown.getByRole('alert').getByText('unknown').waitFor();
  await shown.getByLabel('API key').fill(KEY);
  await shown.keyboard.press('Enter');
  await shown.getByRole('heading', { name: 'Flows', exact: true }).waitFor();
  await shown.reload();
  await shown.getByRole('heading', { name: 'Flows', exact: true }).waitFor();
  await shown.locator('app-bar summary').click();
  await shown.getByRole('button', { name: 'Log out' }).click();
  await shown.getByLabel('API key').waitFor();
});

test('a flow file is imported, and what is wrong with it is shown at its node', async (t) => {
  const file = JSON.parse(await readFile(new URL('../../../../docs/examples/order_summary.json', import.meta.url), 'utf8'));
  const shown = await page(t, server, { path: '/flows', expected: [/400/] });
  await shown.getByRole('link', { name: 'New flow' }).first().click();
  const text = shown.getByPlaceholder('Paste the JSON');
  await text.fill('{"name": ');
  await shown.getByRole('button', { name: 'Import' }).click();
  await shown.getByRole('alert').getByText('this is no JSON').waitFor();
  const wrong = structuredClone(Array.isArray(file) ? file[0] : file);
  wrong.nodes[1].parameters.code = '';
  wrong.nodes[1].type = 'Nothing';
  await text.fill(JSON.stringify(wrong));
  await shown.getByRole('button', { name: 'Import' }).click();
  await shown.getByRole('alert').getByText('Nothing was imported').waitFor();
  const node = wrong.nodes[1].id;
  await shown.getByRole('alert').locator('strong', { hasText: node }).first().waitFor();
  await shown.locator('ft-flow-graph g.node.wrong').waitFor();
  await text.fill(JSON.stringify(file));
  await shown.getByRole('button', { name: 'Import' }).click();
  await shown.locator('flow-page h1', { hasText: 'Order summary' }).waitFor();
  await until(async () => (await shown.locator('ft-flow-graph g.node').count()) === 5, 'the graph of what was pasted');
});

test('what another system’s file has and Flowtrail has not is told, and then the flow is shown', async (t) => {
  const greeting = {
    version: '1.0',
    flow: {
      name: 'Greeting',
      nodes: [
        { id: 'input_1', type: 'input', data: { label: 'Name', colour: 'red' } },
        { id: 'output_2', type: 'output', data: { format: 'text' } },
      ],
      edges: [{ source: 'input_1', target: 'output_2' }],
    },
  };
  const shown = await page(t, server, { path: '/flows' });
  await shown.getByRole('link', { name: 'New flow' }).first().click();
  await shown.getByPlaceholder('Paste the JSON').fill(JSON.stringify(greeting));
  await shown.getByRole('button', { name: 'Import' }).click();
  const notes = shown.locator('flow-new li');
  await notes.first().waitFor();
  assert.match(await notes.first().innerText(), /input_1 data\.colour has no counterpart and was left out/);
  await shown.getByRole('button', { name: 'Open the flow' }).click();
  await shown.locator('flow-page h1', { hasText: 'Greeting' }).waitFor();
});

test('the list tells how the last runs went, and finds', async (t) => {
  for (let number = 0; number < 3; number += 1) await server.call('order_summary', GOOD_ORDER);
  await server.call('order_summary', BAD_ORDER);
  await server.external('Something else');
  const shown = await page(t, server, { path: '/flows' });
  const row = shown.locator('flows-page tbody tr', { hasText: 'Order summary' });
  await row.getByText('75 %').waitFor();
  assert.match((await row.locator('status-strip .visually-hidden').innerText()) ?? '', /3 fulfilled, 1 error/);
  await shown.getByPlaceholder('Search flows').fill('order');
  await until(async () => (await shown.locator('flows-page tbody tr').count()) === 1, 'the flow that is called so');
  await shown.getByPlaceholder('Search flows').fill('nothing of the kind');
  await shown.getByText('No flow is called').waitFor();
});

test('the overview draws the graph and says how to call the flow', async (t) => {
  const { items } = await server.api('GET', '/api/flows?q=order_summary');
  const shown = await page(t, server, { path: `/flows/${items[0].id}` });
  const nodes = shown.locator('ft-flow-graph g.node');
  await nodes.first().waitFor();
  assert.equal(await shown.locator('ft-flow-graph path.line').count(), 4);
  await nodes.filter({ hasText: 'Total' }).click();
  await shown.locator('flow-overview ft-tree').getByText('code').waitFor();
  for (const [name, holds] of [['MCP client', '"mcpServers"'], ['curl', '/run'], ['TypeScript', 'flows.run'], ['Python', 'requests.post']]) {
    await shown.getByRole('button', { name, exact: true }).click();
    await shown.locator('flow-overview pre').getByText(String(holds)).waitFor();
  }
  // The snippet does what it says.
  await shown.getByRole('button', { name: 'curl', exact: true }).click();
  const snippet = await shown.locator('flow-overview pre').innerText();
  assert.match(snippet, new RegExp(`${server.url}/api/flows/${items[0].id}/run`));
});

test('a form made from the parameters runs it, and says what is wrong with a field', async (t) => {
  const { items } = await server.api('GET', '/api/flows?q=order_summary');
  const shown = await page(t, server, { path: `/flows/${items[0].id}/run` });
  await shown.getByLabel('orderId').fill('R-1');
  await shown.getByLabel('items').fill('[{"name": ');
  await shown.getByRole('button', { name: 'Run', exact: true }).click();
  await shown.getByText('Expected JSON').waitFor();
  await shown.getByLabel('items').fill('[]');
  await shown.getByRole('button', { name: 'Run', exact: true }).click();
  await shown.locator('flow-run flowtrail-execution .word.error').waitFor();
  await shown.locator('flow-run ft-waterfall button[aria-pressed="true"]').getByText('Total').waitFor();
  // The next one shows its own answer, and nothing of the one before.
  await shown.getByLabel('items').fill(JSON.stringify(GOOD_ORDER.items));
  await shown.getByRole('button', { name: 'Run', exact: true }).click();
  await shown.locator('flow-run flowtrail-execution .word.fulfilled').waitFor();
  await shown.locator('flow-run ft-node-data').getByRole('tab', { name: 'Outputs', selected: true }).waitFor();
});

test('settings are changed, refused with a reason, and the flow is deleted', async (t) => {
  const user = await server.api('POST', '/api/users', { name: 'Ada', role: 'user' });
  const { items } = await server.api('GET', '/api/flows?q=order_summary');
  const path = `/api/flows/${items[0].id}`;
  const shown = await page(t, server, { path: `/flows/${items[0].id}/settings`, expected: [/400/, /404/] });
  await shown.getByLabel('Name', { exact: true }).fill('Orders, summed up');
  await shown.getByLabel('Timeout').fill('45s');
  await shown.getByLabel('Capture').selectOption('metadata');
  await shown.getByLabel('Keep at most … executions').fill('500');
  await shown.getByLabel('Share with').selectOption({ label: 'Ada' });
  await shown.getByLabel('What Ada may do').selectOption('write');
  await shown.getByRole('button', { name: 'Save' }).click();
  await shown.getByText('Saved.').waitFor();
  const changed = await server.api('GET', path);
  assert.deepEqual([changed.name, changed.timeout, changed.capture, changed.retention], ['Orders, summed up', '45s', 'metadata', { maxCount: 500 }]);
  assert.deepEqual(changed.access, { read: [], write: [user.id], public: false });
  await shown.getByLabel('Timeout').fill('soon');
  await shown.getByRole('button', { name: 'Save' }).click();
  await shown.getByRole('alert').getByText('timeout').first().waitFor();
  await shown.getByLabel('Keep the newest').fill('2');
  await shown.getByRole('button', { name: 'Delete the rest' }).click();
  await shown.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await shown.getByText('executions were deleted').waitFor();
  assert.equal((await server.api('GET', `${path}/executions`)).total, 2);
  await shown.getByRole('button', { name: 'Delete the flow' }).click();
  await shown.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await shown.getByText('was deleted. Its executions stay').waitFor();
  await until(async () => new URL(shown.url()).pathname === '/flows', 'the list');
});

test('keys are made, shown once, and revoked; what was done is in the log', async (t) => {
  const shown = await page(t, server, { path: '/keys' });
  await shown.getByLabel('Name').fill('Of a program');
  await shown.getByRole('button', { name: 'New key' }).click();
  const key = (await shown.locator('.made code').innerText()).trim();
  assert.match(key, /^ft_/);
  assert.equal((await server.api('GET', '/api/me', undefined, key)).role, 'admin');
  await shown.reload();
  await shown.locator('keys-page tbody').waitFor();
  assert.equal(await shown.getByText(key).count(), 0);
  await shown.locator('tr', { hasText: 'Of a program' }).getByRole('button', { name: 'Revoke' }).click();
  await shown.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await until(async () => (await shown.locator('tr', { hasText: 'Of a program' }).count()) === 0, 'it to go');
  await shown.goto(`${server.url}/audit`);
  await shown.locator('audit-page td', { hasText: 'revoked a key' }).first().waitFor();
  await shown.goto(`${server.url}/users`);
  await shown.getByLabel('Name').fill('Bea');
  await shown.getByRole('button', { name: 'New user' }).click();
  await shown.locator('tr', { hasText: 'Bea' }).getByRole('button', { name: 'Delete' }).click();
  await shown.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await until(async () => (await shown.locator('tr', { hasText: 'Bea' }).count()) === 0, 'her to go');
});

test('who may only read is offered nothing that would be refused', async (t) => {
  const user = await server.api('POST', '/api/users', { name: 'Eli', role: 'user' });
  const { key } = await server.api('POST', '/api/keys', { name: 'his', userId: user.id });
  const flow = await server.external('Shared to read');
  await server.api('PATCH', `/api/flows/${flow.id}`, { access: { read: [user.id], write: [], public: false } });
  const ended = await server.record(flow.id);
  const running = await server.api('POST', `/api/flows/${flow.id}/executions`, {});
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage?selected=${ended.id}`, key });
  const header = shown.locator('ft-execution-header');
  await header.getByRole('button', { name: 'JSON' }).waitFor();
  assert.equal(await shown.getByRole('link', { name: 'Settings' }).count(), 0);
  for (const name of ['Delete', 'Replay', 'Cancel']) assert.equal(await header.getByRole('button', { name }).count(), 0, name);
  await shown.goto(`${server.url}/flows/${flow.id}/usage?selected=${running.id}&history=1`);
  await header.getByText('running').waitFor();
  assert.equal(await header.getByRole('button', { name: 'Cancel' }).count(), 0);
  await shown.locator('flowtrail-history li').first().waitFor();
  assert.equal(await shown.locator('flowtrail-history').getByRole('button', { name: 'Delete' }).count(), 0);
  // The administrator is offered all of it.
  const theirs = await page(t, server, { path: `/flows/${flow.id}/usage?selected=${ended.id}` });
  await theirs.locator('ft-execution-header').getByRole('button', { name: 'Delete' }).waitFor();
  await theirs.getByRole('link', { name: 'Settings' }).waitFor();
});

test('a user who is no administrator sees what is theirs', async (t) => {
  const user = await server.api('POST', '/api/users', { name: 'Cyd', role: 'user' });
  const made = await server.api('POST', '/api/keys', { name: 'hers', userId: user.id });
  const flow = await server.external('Public');
  await server.api('PATCH', `/api/flows/${flow.id}`, { access: { read: [], write: [], public: true } });
  const secret = await server.external('Secret');
  const shown = await page(t, server, { path: '/flows', key: made.key, expected: [/40[34]/] });
  await shown.locator('flows-page tbody tr', { hasText: 'Public' }).waitFor();
  assert.equal(await shown.getByText('Secret').count(), 0);
  await shown.goto(`${server.url}/flows/${secret.id}`);
  await shown.getByText('There is no such flow').waitFor();
  await shown.goto(`${server.url}/flows/${flow.id}/statistics`);
  await shown.getByText('You see only your own executions').waitFor();
  await shown.locator('app-bar summary').click();
  assert.equal(await shown.getByRole('link', { name: 'Users' }).count(), 0);
});
