// @ts-check
/** The second seed's list of manual tests: the history panel, and runs that go well, fail and are stopped. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BAD_ORDER, GOOD_ORDER, Server, close, page, until } from './support.js';

/** @type {Server} */
let server;
/** @type {any} */
let flow;

before(async () => {
  server = await Server.start();
  flow = await server.example('order_summary');
});
after(async () => {
  await close();
  await server.remove();
});

test('the panel opens from the right, and says so while there is nothing', async (t) => {
  const shown = await page(t, server, { path: `/flows/${flow.id}/overview` });
  await shown.getByRole('button', { name: 'History' }).click();
  const panel = shown.locator('flowtrail-history');
  await panel.getByText('Nothing has run yet').waitFor();
  const box = await panel.boundingBox();
  assert.ok(box && Math.abs(box.x + box.width - 1360) < 2, 'it stands at the right edge');
});

test('runs that went well, failed and were stopped are all there, with the right figures', async (t) => {
  for (let number = 0; number < 3; number += 1) await server.call('order_summary', GOOD_ORDER);
  await server.call('order_summary', BAD_ORDER);
  await server.record(flow.id, { status: 'aborted', duration: 2_340 });
  const shown = await page(t, server, { path: `/flows/${flow.id}/overview?history=1` });
  const panel = shown.locator('flowtrail-history');
  await until(async () => (await panel.locator('li').count()) === 5, 'five runs');
  assert.equal(await panel.locator('dd').nth(0).innerText(), '75 %');
  assert.match(await panel.locator('dd').nth(1).innerText(), /\d m?s/);
  assert.equal(await panel.locator('dd').nth(2).innerText(), '5');
  const signs = await panel.locator('.sign').allInnerTexts();
  assert.deepEqual([...signs].sort(), ['✓', '✓', '✓', '✗', '⊘'].sort());
  await panel.getByText('2.34 s').waitFor();
  const colours = await panel.locator('.sign').evaluateAll((all) => all.map((sign) => getComputedStyle(sign).color));
  assert.equal(new Set(colours).size, 3, 'each outcome has its colour');
});

test('an execution of the list is deleted, and the figures follow', async (t) => {
  const shown = await page(t, server, { path: `/flows/${flow.id}/overview?history=1` });
  const panel = shown.locator('flowtrail-history');
  await until(async () => (await panel.locator('li').count()) === 5, 'five runs');
  await panel.locator('li.error').getByRole('button', { name: /Delete/ }).click();
  await shown.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await until(async () => (await panel.locator('li').count()) === 4, 'one less');
  await until(async () => (await panel.locator('dd').nth(0).innerText()) === '100 %', 'the rate to follow');
  assert.equal(await panel.locator('dd').nth(2).innerText(), '4');
});

test('a time is that of the run, and leads to it', async (t) => {
  const shown = await page(t, server, { path: `/flows/${flow.id}/overview?history=1` });
  const panel = shown.locator('flowtrail-history');
  const time = panel.locator('li.aborted time');
  await time.hover();
  const title = (await time.getAttribute('title')) ?? '';
  assert.match(title, new RegExp(String(new Date().getFullYear())), 'the whole time, and of this year: no seconds taken for milliseconds');
  await panel.locator('li.aborted button.time').click();
  await shown.locator('flowtrail-execution .word.aborted').waitFor();
});

test('it is closed by its button and by the key', async (t) => {
  const shown = await page(t, server, { path: `/flows/${flow.id}/overview?history=1` });
  await shown.getByRole('button', { name: 'Close the history' }).click();
  await until(async () => (await shown.locator('flowtrail-history').count()) === 0, 'the panel to close');
  await shown.getByRole('button', { name: 'History' }).click();
  await shown.locator('flowtrail-history button.time').first().focus();
  await shown.keyboard.press('Escape');
  await until(async () => (await shown.locator('flowtrail-history').count()) === 0, 'the panel to close');
});
