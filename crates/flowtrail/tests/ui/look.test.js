// @ts-check
/** How it looks to those who see little, use the keyboard, have a small screen or a very large one. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { COLOURS, READ_ON, SEEN_ON } from '../../../flowtrail-http/ui/base/tokens.js';
import { BAD_ORDER, GOOD_ORDER, Server, close, page, until } from './support.js';

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** @type {Server} */
let server;
/** @type {Record<string, string>} the pages, by their names */
let pages = {};

before(async () => {
  server = await Server.start();
  const flow = await server.example('order_summary');
  for (let number = 0; number < 4; number += 1) await server.call('order_summary', GOOD_ORDER);
  await server.call('order_summary', BAD_ORDER);
  const long = await server.external('A flow of a very long name, as somebody wrote it who had much to say about what it does. '.repeat(3).slice(0, 300));
  await server.record(long.id, {
    initialParams: { text: 'x'.repeat(400) },
    tags: { [`t${'a'.repeat(60)}`]: 'b'.repeat(200) },
    nodeExecutions: [{ seq: 1, nodeId: 'long', nodeName: 'n'.repeat(300), nodeType: 'http', executionTimeMs: 4, error: 'e'.repeat(900) }],
    status: 'error',
    errorInfo: { message: 'e'.repeat(900), nodeId: 'long', nodeName: 'n'.repeat(300) },
  });
  const told = await server.api('GET', `/api/flows/${long.id}/executions`);
  const { items } = await server.api('GET', `/api/flows/${flow.id}/executions?status=error`);
  pages = {
    flows: '/flows',
    'new flow': '/flows?new=1',
    overview: `/flows/${flow.id}/overview`,
    usage: `/flows/${flow.id}/usage?selected=${items[0].id}`,
    graph: `/flows/${flow.id}/usage?selected=${items[0].id}&view=graph`,
    'flow statistics': `/flows/${flow.id}/statistics`,
    run: `/flows/${flow.id}/run`,
    settings: `/flows/${flow.id}/settings`,
    'long names': `/flows/${long.id}/usage?selected=${told.items[0].id}`,
    'long list': `/flows/${long.id}/usage`,
    'long overview': `/flows/${long.id}/overview`,
    'long statistics': `/flows/${long.id}/statistics`,
    history: `/flows/${flow.id}/overview?history=1`,
    executions: '/executions',
    'no match': '/executions?status=aborted',
    statistics: '/statistics',
    keys: '/keys',
    users: '/users',
    audit: '/audit',
    nowhere: '/executions/nothing',
  };
});
after(async () => {
  await close();
  await server.remove();
});

/** @param {import('playwright-core').Page} shown */
async function settled(shown) {
  await shown.locator('main').waitFor();
  // What is fetched begins when its component is there.
  await shown.waitForTimeout(150);
  await until(async () => (await shown.locator('[aria-busy="true"]').count()) === 0, 'the page to be loaded');
}

/** @param {string} colour */
function luminance(colour) {
  const parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);
  const [red = 0, green = 0, blue = 0] = parts.map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** @param {string} one @param {string} other */
function contrast(one, other) {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((left, right) => left - right);
  return (light + 0.05) / (dark + 0.05);
}

test('every text and every mark can be told from its ground', () => {
  for (const [pairs, least] of /** @type {const} */ ([[READ_ON, 4.5], [SEEN_ON, 3]])) {
    for (const [one = '', other = ''] of pairs) {
      for (const scheme of [0, 1]) {
        const found = contrast(COLOURS[one]?.[scheme] ?? '', COLOURS[other]?.[scheme] ?? '');
        assert.ok(found >= least, `${one} on ${other}, ${scheme === 0 ? 'light' : 'dark'}: ${found.toFixed(2)}`);
      }
    }
  }
});

for (const [scheme, width, height] of /** @type {const} */ ([['light', 1360, 860], ['dark', 1360, 860], ['light', 360, 740]])) {
  test(`axe finds nothing, ${scheme}, ${width} wide`, async (t) => {
    /** @type {string[]} */
    const found = [];
    // What it measures with has styles of its own, which the policy refuses.
    const shown = await page(t, server, { scheme, width, height, expected: [/40[04]/, /Applying inline style/] });
    for (const [name, path] of Object.entries(pages)) {
      await shown.goto(server.url + path);
      await settled(shown);
      await shown.evaluate(AXE);
      const { violations } = await shown.evaluate(() => /** @type {any} */ (window).axe.run(document, { resultTypes: ['violations'] }));
      for (const { id, help, nodes } of violations) {
        found.push(`${name}: ${id} (${help}): ${nodes.slice(0, 3).map((/** @type {any} */ node) => `${node.target.flat().join(' ')} ${node.failureSummary?.split('\n')[1] ?? ''}`).join('; ')}`);
      }
    }
    assert.deepEqual(found, []);
  });
}

test('axe finds nothing in the login and the dialogs', async (t) => {
  const shown = await page(t, server, { key: null, expected: [/401/, /Applying inline style/] });
  await shown.getByLabel('API key').waitFor();
  await shown.evaluate(AXE);
  const run = () => shown.evaluate(() => /** @type {any} */ (window).axe.run(document).then((/** @type {any} */ done) => done.violations.map((/** @type {any} */ each) => `${each.id}: ${each.nodes[0].target.flat().join(' ')}`)));
  assert.deepEqual(await run(), []);
  const inside = await page(t, server, { path: pages.flows, expected: [/Applying inline style/] });
  await inside.locator('flows-page tbody').waitFor();
  await inside.keyboard.press('?');
  await inside.getByRole('dialog').waitFor();
  await inside.evaluate(AXE);
  const open = () => inside.evaluate(() => /** @type {any} */ (window).axe.run(document).then((/** @type {any} */ done) => done.violations.map((/** @type {any} */ each) => `${each.id}: ${each.nodes[0].target.flat().join(' ')}`)));
  assert.deepEqual(await open(), []);
  await inside.keyboard.press('Escape');
  await inside.keyboard.press('Control+k');
  await inside.getByPlaceholder('Find flows').waitFor();
  assert.deepEqual(await open(), []);
});

for (const width of [360, 480, 900, 1360, 3840]) {
  test(`nothing is cut off and nothing scrolls sideways, ${width} wide`, async (t) => {
    const shown = await page(t, server, { width, height: width > 2000 ? 2160 : 800, expected: [/40[04]/] });
    for (const [name, path] of Object.entries(pages)) {
      await shown.goto(server.url + path);
      await settled(shown);
      const over = await shown.evaluate(sideways);
      assert.deepEqual(over, [], `${name} at ${width}`);
    }
  });
}

test('text of twice the size fits', async (t) => {
  const shown = await page(t, server, { width: 1280, height: 900, expected: [/40[04]/] });
  for (const [name, path] of Object.entries(pages)) {
    await shown.goto(server.url + path);
    await settled(shown);
    await shown.evaluate(() => {
      document.documentElement.style.fontSize = '200%';
    });
    await settled(shown);
    const over = await shown.evaluate(sideways);
    assert.deepEqual(over, [], name);
  }
});

/** What is wider than the window, but for what may scroll. Runs in the page. */
function sideways() {
  /** @type {string[]} */
  const found = [];
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width + 1) found.push(`the page is ${document.documentElement.scrollWidth} wide`);
  const main = document.querySelector('flowtrail-app')?.shadowRoot?.querySelector('main');
  if (main && main.scrollWidth > main.clientWidth + 1) found.push(`main is ${main.scrollWidth} wide of ${main.clientWidth}`);
  return found;
}

test('everything is reached and done by the keyboard', async (t) => {
  const shown = await page(t, server, { path: pages.flows });
  await shown.locator('flows-page tbody').waitFor();
  const focused = () =>
    shown.evaluate(() => {
      let at = document.activeElement;
      while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
      const style = at ? getComputedStyle(at) : undefined;
      return { text: at?.textContent?.trim() ?? '', label: at?.getAttribute('aria-label') ?? '', outline: style?.outlineStyle ?? '' };
    });
  /** @param {string} name */
  const tabTo = async (name) => {
    for (let presses = 0; presses < 60; presses += 1) {
      await shown.keyboard.press('Tab');
      const at = await focused();
      if (at.text.startsWith(name) || at.label.startsWith(name)) {
        assert.notEqual(at.outline, 'none', `${name} shows that it has the focus`);
        return;
      }
    }
    assert.fail(`${name} is not reached by Tab`);
  };
  await tabTo('Order summary');
  await shown.keyboard.press('Enter');
  await until(async () => shown.url().includes('/usage'), 'the flow');
  await shown.locator('ft-executions li').first().waitFor();
  await shown.keyboard.press('j');
  await shown.locator('flowtrail-execution header').waitFor();
  await tabTo('Replay');
  await tabTo('Graph');
  await shown.keyboard.press('Enter');
  await shown.locator('ft-flow-graph g.node').first().waitFor();
  await tabTo('Ask');
  await shown.keyboard.press('Enter');
  await tabTo('Output');
  await shown.keyboard.press('ArrowLeft');
  await until(async () => (await shown.getByRole('tab', { selected: true }).innerText()) === 'Input', 'the tab before');
  await tabTo('Ask: Input');
  await shown.keyboard.press('ArrowDown');
});
