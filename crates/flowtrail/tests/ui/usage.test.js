// @ts-check
/** The first seed's checklist, each line a test, and what else the Usage tab does. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BAD_ORDER, GOOD_ORDER, KEY, Server, close, page, until } from './support.js';

/** @type {Server} */
let server;
/** @type {any} */
let flow;

before(async () => {
  server = await Server.start({ FLOWTRAIL_RECORD_REJECTED: 'true' });
  flow = await server.example('order_summary');
});
after(async () => {
  await close();
  await server.remove();
});

test('a flow that is called through MCP makes an execution, which the Usage tab lists', async (t) => {
  const result = await server.call('order_summary', GOOD_ORDER);
  assert.equal(result.isError ?? false, false, JSON.stringify(result));
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage` });
  const row = shown.locator('ft-executions li').first();
  await row.getByText('A-1').waitFor();
  assert.equal(await row.getByRole('img').getAttribute('aria-label'), 'Completed successfully');
  assert.match(await row.innerText(), /ms/);
});

test('a click on an execution shows what it was given and what each node did', async (t) => {
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage` });
  await shown.getByText('Select an execution').waitFor();
  await shown.locator('ft-executions a').first().click();
  const detail = shown.locator('flowtrail-execution');
  await detail.getByRole('heading', { name: 'Order summary', level: 2 }).waitFor();
  for (const node of ['Ask', 'Total', 'Ships for free?']) await detail.getByRole('button', { name: node }).first().waitFor();
  await detail.getByRole('button', { name: 'Parameters and outputs' }).click();
  await detail.getByText('"A-1"').waitFor();
  await detail.getByRole('tab', { name: 'Outputs' }).click();
  await detail.getByText(/order A-1 has/).first().waitFor();
  assert.match(shown.url(), /selected=.+/, 'the address holds it');
  await shown.reload();
  await shown.locator('flowtrail-execution').getByText(/order A-1 has/).first().waitFor();
});

test('an error shows its status, the node that failed, and why', async (t) => {
  const result = await server.call('order_summary', BAD_ORDER);
  assert.equal(result.isError, true);
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage` });
  const row = shown.locator('ft-executions li', { hasText: 'A-2' });
  assert.equal(await row.getByRole('img').getAttribute('aria-label'), 'Execution failed');
  await row.locator('a').click();
  const detail = shown.locator('flowtrail-execution');
  await detail.locator('.failure').getByText('has no items').waitFor();
  const failed = detail.locator('ft-waterfall button[aria-pressed="true"]');
  assert.match(await failed.innerText(), /Total/, 'it opens on the node that failed');
  await detail.getByText('Its input differs from the last success in').waitFor();
  await detail.getByRole('tab', { name: 'Input' }).click();
  await detail.getByText('"A-2"').first().waitFor();
});

test('the status filter lists what it says, and an empty list says why', async (t) => {
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage` });
  await shown.locator('ft-executions li').first().waitFor();
  await shown.getByLabel('Status').selectOption('error');
  await until(async () => (await shown.locator('ft-executions li').count()) === 1, 'the one failure');
  assert.match(shown.url(), /status=error/);
  await shown.getByLabel('Status').selectOption('aborted');
  await shown.getByText('No execution matches').waitFor();
  await shown.getByRole('button', { name: 'status: aborted' }).click();
  await until(async () => (await shown.locator('ft-executions li').count()) === 2, 'all of them');
  await shown.goBack();
});

test('pages have numbers, previous and next', async (t) => {
  const many = await server.external('Many');
  const lines = Array.from({ length: 120 }, (_, number) => JSON.stringify({ flowId: many.id, status: 'fulfilled', duration: number, initialParams: { number } }));
  await fetch(`${server.url}/api/executions/batch`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  }).then((response) => response.text());
  const shown = await page(t, server, { path: `/flows/${many.id}/usage` });
  await shown.getByText('120 executions').waitFor();
  const first = await shown.locator('ft-executions a').first().getAttribute('href');
  assert.equal(await shown.getByRole('button', { name: 'Previous page' }).isDisabled(), true);
  await shown.getByRole('button', { name: 'Next page' }).click();
  await until(async () => (await shown.locator('ft-executions a').first().getAttribute('href')) !== first, 'the second page');
  assert.match(shown.url(), /page=2/);
  await shown.getByRole('button', { name: 'Page 3' }).click();
  await until(async () => (await shown.locator('ft-executions li').count()) === 20, 'the last page');
  assert.equal(await shown.getByRole('button', { name: 'Next page' }).isDisabled(), true);
  await shown.goBack();
  await until(async () => (await shown.locator('ft-executions li').count()) === 50, 'the page before');
  await shown.getByRole('button', { name: 'Previous page' }).click();
  await until(async () => (await shown.locator('ft-executions a').first().getAttribute('href')) === first, 'the first page');
});

test('after its flow is deleted an execution is still there, with the flow’s name', async (t) => {
  const gone = await server.example('split_bill');
  await server.call('split_bill', { paid: { Ana: 30, Ben: 10 } });
  const { items } = await server.api('GET', `/api/flows/${gone.id}/executions`);
  assert.equal(items.length, 1);
  await server.api('DELETE', `/api/flows/${gone.id}`);
  const shown = await page(t, server, { path: `/executions?selected=${items[0].id}` });
  const detail = shown.locator('flowtrail-execution');
  await detail.getByRole('heading', { name: gone.name, level: 2 }).waitFor();
  await detail.getByText('the flow was deleted').waitFor();
  await shown.locator('ft-executions li', { hasText: gone.name }).first().waitFor();
});

test('a rejected call says that it never ran, and is counted by itself', async (t) => {
  const { total, error } = await server.api('GET', '/api/executions/stats');
  await server.call('order_summary', {});
  await server.call('no_such_tool', { a: 1 });
  const after = await server.api('GET', '/api/executions/stats');
  assert.deepEqual([after.total, after.error, after.rejected], [total, error, 2]);
  const { items } = await server.api('GET', '/api/executions?limit=2');
  const shown = await page(t, server, { path: `/executions?selected=${items[0].id}` });
  const detail = shown.locator('flowtrail-execution');
  await detail.getByRole('heading', { name: '(unknown tool)', level: 2 }).waitFor();
  await detail.getByText('Unknown tool: no_such_tool').waitFor();
  await detail.getByText('rejected before it ran').waitFor();
  await detail.getByText('The call was rejected before any node ran.').waitFor();
  assert.equal(await detail.getByText('the flow was deleted').count(), 0);
  await shown.goto(`${server.url}/executions?selected=${items[1].id}`);
  await detail.getByText('rejected before it ran').waitFor();
  await shown.goto(`${server.url}/statistics`);
  await shown.getByText('Rejected calls').waitFor();
});

test('keys move, open, search and close', async (t) => {
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage` });
  await shown.locator('ft-executions li').first().waitFor();
  const selected = () => shown.locator('ft-executions a[aria-current="true"]').getAttribute('href');
  await shown.keyboard.press('j');
  const first = await selected();
  await shown.keyboard.press('j');
  assert.notEqual(await selected(), first);
  await shown.keyboard.press('k');
  assert.equal(await selected(), first);
  await shown.keyboard.press('Escape');
  await shown.getByText('Select an execution').waitFor();
  await shown.keyboard.press('Enter');
  await shown.locator('flowtrail-execution').getByRole('heading').first().waitFor();
  await shown.keyboard.press('/');
  await shown.keyboard.type('A-2');
  await shown.keyboard.press('Enter');
  await until(async () => (await shown.locator('ft-executions li').count()) === 1, 'what was searched for');
  await shown.keyboard.press('Escape');
  await shown.locator('h1').click();
  await shown.keyboard.press('?');
  await shown.getByRole('dialog').getByText('select the next').waitFor();
  await shown.keyboard.press('Escape');
  await shown.keyboard.press('Control+k');
  await shown.getByPlaceholder('Find flows').fill('order');
  await shown.getByRole('option', { name: /Order summary/ }).waitFor();
  await shown.keyboard.press('Enter');
  await until(async () => new URL(shown.url()).pathname.endsWith('/usage'), 'the flow that was found');
});

test('what was done can be done again, deleted, downloaded and copied', async (t) => {
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage` });
  await shown.locator('ft-executions li', { hasText: 'A-1' }).first().locator('a').click();
  const detail = shown.locator('flowtrail-execution');
  const [download] = await Promise.all([shown.waitForEvent('download'), detail.getByRole('button', { name: 'JSON' }).click()]);
  assert.match(download.suggestedFilename(), /^execution-.+\.json$/);
  await detail.getByRole('button', { name: 'Copy the id' }).click();
  const copied = await shown.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied, new URL(shown.url()).searchParams.get('selected'));
  await detail.getByRole('button', { name: 'Replay' }).click();
  await detail.getByText('replay of').waitFor();
  const replayed = new URL(shown.url()).searchParams.get('selected');
  assert.notEqual(replayed, copied);
  await detail.getByRole('button', { name: 'Delete' }).click();
  await shown.getByRole('dialog').getByRole('button', { name: 'Keep' }).click();
  await detail.getByText('replay of').waitFor();
  await until(async () => detail.getByRole('button', { name: 'Delete' }).isEnabled(), 'the end of the replay');
  await detail.getByRole('button', { name: 'Delete' }).click();
  await shown.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await detail.getByText('This execution was deleted').waitFor();
  await until(async () => (await shown.locator(`ft-executions a[href$="${replayed}"]`).count()) === 0, 'its row to go');
});
