// @ts-check
/** Charts: what is drawn over them becomes a filter, and one that is empty leads to where there is something. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, close, page, until } from './support.js';

const HOUR = 3_600_000;

/** @type {Server} */
let server;

before(async () => {
  server = await Server.start();
});
after(async () => {
  await close();
  await server.remove();
});

/**
 * A flow with runs that many hours ago.
 *
 * @param {string} name
 * @param {number[]} ago
 */
async function ran(name, ago) {
  const flow = await server.external(name);
  for (const hours of ago) {
    await server.record(flow.id, { startedAt: new Date(Date.now() - hours * HOUR).toISOString(), duration: 50 + hours, initialParams: { hours } });
  }
  return flow;
}

/**
 * Draws over a chart, from one part of its width to another.
 *
 * @param {import('playwright-core').Page} shown
 * @param {import('playwright-core').Locator} chart
 * @param {number} from
 * @param {number} to
 */
async function brush(shown, chart, from, to) {
  const plot = chart.locator('.u-over');
  await plot.waitFor();
  const box = await plot.boundingBox();
  assert.ok(box !== null);
  const y = box.y + box.height / 2;
  await shown.mouse.move(box.x + box.width * from, y);
  await shown.mouse.down();
  await shown.mouse.move(box.x + box.width * ((from + to) / 2), y, { steps: 4 });
  await shown.mouse.move(box.x + box.width * to, y, { steps: 4 });
  await shown.mouse.up();
}

test('a range that is drawn over the scatter filters the list, and is taken away again', async (t) => {
  const flow = await ran('Scattered', [20, 19, 18, 2, 1]);
  const shown = await page(t, server, { path: `/flows/${flow.id}/usage` });
  const rows = shown.locator('ft-executions li');
  await until(async () => (await rows.count()) === 5, 'all of them');
  // The older three are in the left half.
  await brush(shown, shown.locator('usage-scatter'), 0, 0.5);
  await until(async () => (await rows.count()) === 3, 'the three of that time');
  const query = new URL(shown.url()).searchParams;
  assert.ok(query.get('from') !== null && query.get('to') !== null, 'the address holds it');
  await shown.getByRole('button', { name: /Remove the filter/ }).click();
  await until(async () => (await rows.count()) === 5, 'all of them again');
});

test('bars that are drawn over lead to all that they are of', async (t) => {
  const flow = await ran('Barred', [30, 29, 3]);
  const shown = await page(t, server, { path: `/flows/${flow.id}/statistics?range=7d` });
  await brush(shown, shown.locator('ft-chart').first(), 0.75, 0.9);
  await until(async () => new URL(shown.url()).pathname.endsWith('/usage'), 'the list');
  const query = new URL(shown.url()).searchParams;
  for (const end of ['from', 'to']) {
    assert.equal(new Date(String(query.get(end))).getTime() % HOUR, 0, 'whole hours, as the bars are');
  }
  await until(async () => (await shown.locator('ft-executions li').count()) === 2, 'the two of that day');
});

test('an empty chart says since when there is nothing, and leads to where there is something', async (t) => {
  const flow = await ran('Long ago', [24 * 20]);
  const shown = await page(t, server, { path: `/flows/${flow.id}/statistics?range=24h` });
  await shown.getByText('Nothing ran in this time. The last run began at').first().waitFor();
  await shown.getByRole('button', { name: 'Show the last 30 days' }).first().click();
  await shown.locator('ft-chart .u-over').first().waitFor();
  assert.match(shown.url(), /range=30d/);

  const older = await ran('Very long ago', [24 * 200]);
  await shown.goto(`${server.url}/flows/${older.id}/statistics?range=90d`);
  await shown.getByRole('button', { name: 'List the last runs' }).first().click();
  await until(async () => (await shown.locator('ft-executions li').count()) === 1, 'the one that there is');

  const never = await ran('Never', []);
  await shown.goto(`${server.url}/flows/${never.id}/statistics`);
  await shown.getByText('Nothing has run yet.').first().waitFor();
});

test('what the pointer is at stays while figures come in', async (t) => {
  const flow = await ran('Pointed at', [5, 4, 3]);
  const shown = await page(t, server, { path: `/flows/${flow.id}/statistics?range=24h` });
  const chart = shown.locator('ft-chart').first();
  await chart.locator('.u-over').waitFor();
  await chart.locator('.u-over').evaluate((over) => {
    /** @type {any} */ (over).isTheSame = true;
  });
  await server.record(flow.id);
  await until(async () => (await shown.locator('.figure strong').first().innerText()) === '4', 'the figure');
  assert.equal(await chart.locator('.u-over').evaluate((over) => /** @type {any} */ (over).isTheSame), true, 'it is drawn into, not anew');
});
