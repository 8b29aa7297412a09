// @ts-check
/** What happens while somebody looks: new executions, those that end, a server that goes away, keys and records that go. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, close, page, until } from './support.js';

/** @type {Server} */
let server;

before(async () => {
  server = await Server.start();
});
after(async () => {
  await close();
  await server.remove();
});

/** @param {import('playwright-core').Page} shown */
const rows = (shown) => shown.locator('ft-executions li');

test('new executions come in by themselves, and change as they end', async (t) => {
  const flow = await server.external('Live');
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage` });
  await shown.getByText('No executions yet').waitFor();
  await shown.locator('app-bar .live.live').waitFor();
  const begun = await server.api('POST', `/api/flows/${flow.id}/executions`, { initialParams: { orderId: 'B-1' } });
  const row = rows(shown).first();
  await row.getByText('B-1').waitFor();
  assert.equal(await row.getByRole('img').getAttribute('aria-label'), 'Execution in progress');
  await server.api('PATCH', `/api/executions/${begun.id}`, { status: 'fulfilled' });
  await until(async () => (await row.getByRole('img').getAttribute('aria-label')) === 'Completed successfully', 'its end');
});

test('what is read does not move: new ones wait until they are asked for', async (t) => {
  const flow = await server.external('Read');
  for (let number = 0; number < 5; number += 1) await server.record(flow.id, { initialParams: { number } });
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage` });
  await rows(shown).first().locator('a').click();
  await shown.locator('flowtrail-execution header').waitFor();
  const before = await rows(shown).allInnerTexts();
  for (let number = 5; number < 8; number += 1) await server.record(flow.id, { initialParams: { number } });
  await shown.getByRole('button', { name: '3 new' }).waitFor();
  assert.equal((await rows(shown).allInnerTexts()).length, before.length);
  await shown.getByRole('button', { name: '3 new' }).click();
  await until(async () => (await rows(shown).count()) === 8, 'the new ones');

  // Paused, nothing comes in even when nothing is selected.
  await shown.keyboard.press('Escape');
  await shown.keyboard.press('.');
  await shown.getByText('Paused').waitFor();
  await server.record(flow.id, { initialParams: { number: 8 } });
  await shown.getByRole('button', { name: '1 new' }).waitFor();
  assert.equal(await rows(shown).count(), 8);
  await shown.keyboard.press('.');
  await until(async () => (await rows(shown).count()) === 9, 'it to go on');
});

test('a filter decides about what comes, too', async (t) => {
  const flow = await server.external('Filtered');
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage?status=error` });
  await shown.getByText('No execution matches').waitFor();
  await server.record(flow.id);
  await server.record(flow.id, { status: 'error', errorInfo: { message: 'no' } });
  await until(async () => (await rows(shown).count()) === 1, 'the failure');
  const tagged = await page(t, server, { path: `/flows/${flow.id}/usage?tag=shop:north` });
  await tagged.getByText('No execution matches').waitFor();
  await server.record(flow.id, { tags: { shop: 'south' } });
  await server.record(flow.id, { tags: { shop: 'north' } });
  await until(async () => (await rows(tagged).count()) === 1, 'the one with the tag');
});

test('a waterfall grows while its execution runs', async (t) => {
  const flow = await server.external('Growing');
  const begun = await server.api('POST', `/api/flows/${flow.id}/executions`, {});
  const shown = await page(t, server, { path: `/executions?selected=${begun.id}` });
  const detail = shown.locator('flowtrail-execution');
  await detail.getByText('No node has begun yet').waitFor();
  await server.api('POST', `/api/executions/${begun.id}/nodes`, { seq: 1, nodeId: 'fetch', nodeName: 'Fetch', nodeType: 'http', executionTimeMs: 5, outputData: { status: 200 } });
  await detail.getByRole('button', { name: 'Fetch' }).waitFor();
  await server.api('POST', `/api/executions/${begun.id}/nodes`, { seq: 2, nodeId: 'store', nodeName: 'Store', nodeType: 'sql', executionTimeMs: 5 });
  await detail.getByRole('button', { name: 'Store' }).waitFor();
  await server.api('PATCH', `/api/executions/${begun.id}`, { status: 'error', errorInfo: { message: 'the disk is full' } });
  await detail.getByText('the disk is full').first().waitFor();
});

test('an execution that is deleted while it is shown says so', async (t) => {
  const flow = await server.external('Going');
  const made = await server.record(flow.id);
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage?selected=${made.id}`, expected: [/404/] });
  await shown.locator('flowtrail-execution header').waitFor();
  await server.api('DELETE', `/api/flows/${flow.id}/executions/${made.id}`);
  await shown.getByText('This execution was deleted').waitFor();
});

test('a flow that is deleted while it is open says so, and keeps what it shows', async (t) => {
  const flow = await server.external('Vanishing');
  await server.record(flow.id, { initialParams: { orderId: 'V-1' } });
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage`, expected: [/404/] });
  await rows(shown).first().waitFor();
  await server.api('DELETE', `/api/flows/${flow.id}`);
  await shown.getByRole('link', { name: 'Settings' }).click();
  await shown.getByText('This flow was deleted').waitFor();
});

test('a key that is revoked while the page is open leads to the login, and back to the same place', async (t) => {
  const user = await server.api('POST', '/api/users', { name: 'Ada', role: 'user' });
  const made = await server.api('POST', '/api/keys', { name: 'hers', userId: user.id });
  const shown = await page(t, server, { path: '/executions?status=error', key: made.key, expected: [/401/] });
  await shown.getByText('No execution matches').waitFor();
  await server.api('DELETE', `/api/keys/${made.id}`);
  await shown.getByText('your session is over').waitFor();
  const next = await server.api('POST', '/api/keys', { name: 'hers again', userId: user.id });
  await shown.getByLabel('API key').fill(next.key);
  await shown.getByRole('button', { name: 'Log in' }).click();
  await shown.getByText('No execution matches').waitFor();
  assert.match(shown.url(), /status=error/);
});

test('a server that goes away is said to be, and is there again by itself', async (t) => {
  const flow = await server.external('Back');
  await server.record(flow.id, { initialParams: { orderId: 'before' } });
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage`, expected: [/ERR_|Failed to load/] });
  await rows(shown).first().waitFor();
  await server.end('SIGKILL');
  await shown.getByText('The server cannot be reached').waitFor();
  assert.equal(await rows(shown).count(), 1, 'what was there stays');
  await server.begin();
  await server.record(flow.id, { initialParams: { orderId: 'after' } });
  await until(async () => (await shown.getByText('The server cannot be reached').count()) === 0, 'it to be back');
  await shown.getByText('after').waitFor();
});

test('what is typed stays while executions come in', async (t) => {
  const flow = await server.external('Typed');
  await server.record(flow.id);
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage` });
  await rows(shown).first().waitFor();
  await shown.getByPlaceholder('Text or id, then Enter ( / )').pressSequentially('half a wo');
  await server.record(flow.id);
  await until(async () => (await rows(shown).count()) === 2, 'the new one');
  assert.equal(await shown.getByPlaceholder('Text or id, then Enter ( / )').inputValue(), 'half a wo');
});

test('what fits a filter no longer goes, and nothing is left out between what came', async (t) => {
  const flow = await server.external('Fitting');
  const begin = () => server.api('POST', `/api/flows/${flow.id}/executions`, {});
  const first = await begin();
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage?status=pending` });
  await until(async () => (await rows(shown).count()) === 1, 'the one that runs');
  const second = await begin();
  await until(async () => (await rows(shown).count()) === 2, 'both');
  await server.api('PATCH', `/api/executions/${first.id}`, { status: 'fulfilled' });
  await until(async () => (await rows(shown).count()) === 1, 'the one that ended to go');
  await shown.getByText('1 execution', { exact: true }).waitFor();

  // What has come while one was read stays in its place when nobody reads any more.
  await rows(shown).first().locator('a').click();
  const third = await begin();
  await shown.getByRole('button', { name: '1 new' }).waitFor();
  await shown.keyboard.press('Escape');
  await begin();
  await shown.getByRole('button', { name: '2 new' }).click();
  await until(async () => (await rows(shown).count()) === 3, 'all that run');
  const ids = await shown.locator('ft-executions a').evaluateAll((all) => all.map((link) => link.getAttribute('href')));
  assert.ok(ids.some((id) => id?.endsWith(third.id)) && ids.some((id) => id?.endsWith(second.id)));
});

test('each execution opens on its own node, and the keys of a dialog are its own', async (t) => {
  const flow = await server.external('Nodes');
  const node = (/** @type {number} */ seq, /** @type {object} */ about = {}) => ({ seq, nodeId: `n${seq}`, nodeName: `Node ${seq}`, nodeType: 'x', executionTimeMs: 1, ...about });
  await server.record(flow.id, { initialParams: { name: 'small' }, nodeExecutions: [node(1)] });
  await server.record(flow.id, { initialParams: { name: 'large' }, status: 'error', errorInfo: { message: 'no', nodeId: 'n3', nodeName: 'Node 3' }, nodeExecutions: [node(1), node(2), node(3, { error: 'no' })] });
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage` });
  const chosen = () => shown.locator('ft-waterfall button[aria-pressed="true"]').innerText();
  await rows(shown).filter({ hasText: 'large' }).locator('a').click();
  await until(async () => (await chosen()).includes('Node 3'), 'the node that failed');
  await rows(shown).filter({ hasText: 'small' }).locator('a').click();
  await until(async () => (await chosen()).includes('Node 1'), 'its only node');
  await shown.locator('flow-page h1').click();
  await shown.keyboard.press('?');
  await shown.getByRole('dialog').waitFor();
  await shown.keyboard.press('Escape');
  await until(async () => (await shown.getByRole('dialog').count()) === 0, 'the dialog to close');
  assert.match(shown.url(), /selected=/, 'and nothing behind it');
});

test('a part that cannot be fetched says so, and is not asked for without end', async (t) => {
  const shown = await page(t, server, { path: '/flows', expected: [/Failed to load|ERR_FAILED|Failed to fetch/] });
  await shown.locator('flows-page h1').waitFor();
  let asked = 0;
  await shown.route('**/app-search.js', (route) => {
    asked += 1;
    return route.abort();
  });
  await shown.keyboard.press('Control+k');
  await shown.getByText('This part cannot be fetched').waitFor();
  await server.record((await server.external('Something happens')).id);
  await shown.locator('flows-page').getByText('Something happens').waitFor();
  assert.equal(asked, 1);
});

test('what is recorded late is counted, although it stands on another page', async (t) => {
  const flow = await server.external('Late');
  await server.record(flow.id);
  await server.record(flow.id);
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage?limit=2` });
  await shown.getByText('2 executions', { exact: true }).waitFor();
  await server.record(flow.id, { startedAt: new Date(Date.now() - 86_400_000).toISOString() });
  await shown.getByText('3 executions', { exact: true }).waitFor();
  assert.equal(await rows(shown).count(), 2);
});
