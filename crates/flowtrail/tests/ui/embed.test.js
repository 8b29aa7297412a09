// @ts-check
/** The components in a page of another origin, with a token, and one stream of events for all of them. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { KEY, Server, close, open, until } from './support.js';

const EXAMPLE = new URL('../../../../docs/examples/embed.html', import.meta.url);

/** @type {Server} */
let server;
/** @type {import('node:http').Server} */
let host;
let origin = '';
/** @type {any} */
let flow;
let html = '';

before(async () => {
  host = createServer((request, response) => {
    // The page says what it lets in, as a careful one does.
    const policy = `default-src 'none'; script-src ${server.url}; style-src ${server.url}; connect-src ${server.url}`;
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.setHeader('content-security-policy', policy);
    response.end(request.url === '/' ? html : '');
  });
  await new Promise((resolve) => host.listen(0, '127.0.0.1', () => resolve(undefined)));
  origin = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (host.address()).port}`;
  server = await Server.start({ FLOWTRAIL_ALLOWED_ORIGINS: origin });
  flow = await server.external('Embedded');
  await server.record(flow.id, { initialParams: { orderId: 'E-1' }, nodeExecutions: [{ seq: 1, nodeId: 'fetch', nodeName: 'Fetch', nodeType: 'http', executionTimeMs: 4 }] });
  const other = await server.external('Not for this page');
  await server.record(other.id, { initialParams: { orderId: 'secret' } });
});
after(async () => {
  await close();
  host.close();
  await server.remove();
});

test('the example page shows a flow’s usage, history, statistics and an execution', async (t) => {
  const { token } = await server.api('POST', '/api/embed-tokens', { flowIds: [flow.id], ttlSeconds: 600 });
  const { items } = await server.api('GET', `/api/flows/${flow.id}/executions`);
  html = (await readFile(EXAMPLE, 'utf8'))
    .replaceAll('https://flowtrail.example', server.url)
    .replaceAll('YOUR_TOKEN', token)
    .replaceAll('YOUR_FLOW_ID', flow.id)
    .replaceAll('YOUR_EXECUTION_ID', items[0].id);
  const context = await (await open()).newContext({ viewport: { width: 1360, height: 1600 }, reducedMotion: 'reduce' });
  const shown = await context.newPage();
  /** @type {string[]} */
  const complaints = [];
  shown.on('pageerror', (error) => complaints.push(String(error)));
  shown.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  let streams = 0;
  shown.on('request', (request) => {
    if (request.url().includes('/api/events')) streams += 1;
  });
  t.after(() => context.close());
  await shown.goto(origin);
  const usage = shown.locator('flowtrail-usage');
  await usage.locator('ft-executions li').getByText('E-1').waitFor();
  await shown.locator('flowtrail-history li').first().waitFor();
  await shown.locator('flowtrail-execution').first().getByRole('button', { name: 'Fetch' }).waitFor();
  await shown.locator('flowtrail-stats .figure').first().waitFor();

  // One row is selected in place: there is no address to change.
  await usage.locator('ft-executions a').first().click();
  await usage.locator('flowtrail-execution').getByRole('button', { name: 'Fetch' }).waitFor();
  assert.equal(new URL(shown.url()).search, '');
  // Who may only read is offered nothing else.
  for (const name of ['Delete', 'Replay', 'Cancel']) assert.equal(await shown.getByRole('button', { name }).count(), 0, name);

  // All live, by one stream.
  await server.record(flow.id, { initialParams: { orderId: 'E-2' } });
  await usage.getByRole('button', { name: '1 new' }).waitFor();
  await until(async () => (await shown.locator('flowtrail-history li').count()) === 2, 'the history to follow');
  assert.equal(streams, 1);
  assert.equal(await shown.getByText('secret').count(), 0);
  assert.deepEqual(complaints, []);
});

test('a token that is good no longer is said to be, and another one goes on', async (t) => {
  const user = await server.api('POST', '/api/users', { name: 'Who runs the page', role: 'user' });
  const { key } = await server.api('POST', '/api/keys', { name: 'hers', userId: user.id });
  await server.api('PATCH', `/api/flows/${flow.id}`, { access: { read: [user.id], write: [], public: false } });
  const token = async (/** @type {string} */ by = KEY) => (await server.api('POST', '/api/embed-tokens', { flowIds: [flow.id], ttlSeconds: 600 }, by)).token;
  html = `<!doctype html><title>Other</title><script type="module" src="${server.url}/flowtrail.js"></script>
    <flowtrail-history base-url="${server.url}" token="${await token(key)}" flow-id="${flow.id}"></flowtrail-history>`;
  const context = await (await open()).newContext({ viewport: { width: 800, height: 600 } });
  t.after(() => context.close());
  const shown = await context.newPage();
  await shown.goto(origin);
  const history = shown.locator('flowtrail-history');
  await history.locator('li').first().waitFor();
  assert.equal(await history.getByText('has expired').count(), 0);
  // Her token goes with her.
  await server.api('DELETE', `/api/users/${user.id}`);
  await history.getByText('has expired').waitFor();
  const rows = await history.locator('li').count();
  assert.ok(rows > 0, 'what was there stays');

  await history.evaluate((element, renewed) => element.setAttribute('token', renewed), await token());
  await until(async () => (await history.getByText('has expired').count()) === 0, 'it to be gone');
  await server.record(flow.id, { initialParams: { orderId: 'after' } });
  await until(async () => (await history.locator('li').count()) === rows + 1, 'what comes with the other token');
});
