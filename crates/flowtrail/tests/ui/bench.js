// @ts-check
/**
 * What the web UI costs: how soon a page can be used over a long history, how much is sent for it, whether a long list scrolls
 * smoothly, and whether a storm of events leaves the page time for its reader. Run by `cargo xtask bench ui [EXECUTIONS]`.
 */

import { readdir, readFile, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { KEY, Server, close, open, until } from './support.js';
import { Visitor } from './visitor.js';

const EXECUTIONS = Number(process.argv[2] ?? 1_000_000);
/** How often a page is opened to see how long that takes. */
const TIMES = 25;
/** How many executions a second a storm has, and for how many seconds. */
const [RATE, SECONDS] = [200, 10];
const BATCH = 2_000;

/** @param {string[]} cells */
const row = (...cells) => console.log(`| ${cells.join(' | ')} |`);

/** @param {number[]} values @param {number} part */
const quantile = (values, part) => [...values].sort((one, other) => one - other)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? 0;

/** @param {Server} server @param {string} flowId @param {number} count */
async function record(server, flowId, count) {
  const lines = Array.from({ length: count }, (_, number) =>
    JSON.stringify({
      flowId,
      status: number % 40 === 0 ? 'error' : 'fulfilled',
      ...(number % 40 === 0 ? { errorInfo: { message: 'connection refused by shop.example', nodeId: 'fetch', nodeName: 'Fetch' } } : {}),
      startedAt: new Date(Date.now() - (number % 90) * 86_400_000 * Math.random()).toISOString(),
      duration: 5 + (number % 900),
      initialParams: { orderId: `A-${number}` },
      nodeExecutions: [
        { seq: 1, nodeId: 'fetch', nodeName: 'Fetch', nodeType: 'http', executionTimeMs: 4, outputData: { rows: number } },
        { seq: 2, nodeId: 'store', nodeName: 'Store', nodeType: 'sql', executionTimeMs: 2 },
      ],
    }),
  );
  const response = await fetch(`${server.url}/api/executions/batch`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  });
  const text = await response.text();
  if (text.includes('"invalid"')) throw new Error(text.split('\n').find((line) => line.includes('"invalid"')));
}

/**
 * Notes, in the page, when a part of a component was drawn for the first time.
 *
 * @param {string} selector the component, and what in it; nothing for a page of which nothing is expected
 */
function noteDrawn(selector) {
  const [component = '', part = ''] = selector.split(' ');
  /** @param {Document | ShadowRoot} root @returns {Element | null} */
  const find = (root) => {
    const found = root.querySelector(component);
    if (found !== null) return found;
    for (const element of root.querySelectorAll('*')) {
      const within = element.shadowRoot && find(element.shadowRoot);
      if (within) return within;
    }
    return null;
  };
  const look = () => {
    if (component !== '' && !find(document)?.shadowRoot?.querySelector(part)) {
      requestAnimationFrame(look);
      return;
    }
    // Once the frame in which it was found is done.
    requestAnimationFrame(() =>
      setTimeout(() => {
        /** @type {any} */ (window).drawn = performance.now();
      }),
    );
  };
  requestAnimationFrame(look);
}

/**
 * How long it takes until what one came for is drawn, from the beginning of the navigation.
 *
 * The pages are Chromium's own and not Playwright's, which is told of each request of its pages: on two cores that takes as long as
 * the page itself.
 *
 * @param {import('playwright-core').Browser} browser
 * @param {Server} server
 * @param {string} path
 * @param {string} selector
 * @param {boolean} isFirst whether the browser has nothing of it yet
 */
async function usable(browser, server, path, selector, isFirst) {
  const login = await fetch(`${server.url}/api/session`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ key: KEY }) });
  const [name = '', value = ''] = (login.headers.get('set-cookie') ?? '').split(';', 1)[0]?.split('=') ?? [];
  const taken = [];
  let visitor = await Visitor.open(browser, { name, value, url: server.url });
  for (let time = 0; time < TIMES + 1; time += 1) {
    if (isFirst && time > 0) {
      await visitor.close();
      visitor = await Visitor.open(browser, { name, value, url: server.url });
    }
    const drawn = await visitor.visit(server.url + path, `(${noteDrawn})(${JSON.stringify(selector)})`);
    // A second visit has had a first one.
    if (time > 0) taken.push(drawn);
  }
  await visitor.close();
  return taken;
}

/**
 * All scripts and styles, packed as they are sent, and those that a page names.
 *
 * @param {Server} server
 * @param {string} path
 */
async function sizes(server, path) {
  const here = new URL('../../../flowtrail-http/', import.meta.url);
  const text = await (await fetch(server.url + path)).text();
  let [all, named] = [0, 0];
  for (const folder of ['ui', 'vendor', 'client']) {
    for (const name of await readdir(new URL(`${folder}/`, here), { recursive: true })) {
      if (!/\.(js|css)$/.test(name) || name.startsWith('swagger')) continue;
      const file = new URL(`${folder}/${name}`, here);
      if (!(await stat(file)).isFile()) continue;
      const packed = gzipSync(await readFile(file), { level: 9 }).length;
      all += packed;
      if (text.includes(`/${folder}/${name}"`)) named += packed;
    }
  }
  return { all, named };
}

/** Has the page note every task that keeps it from answering. @param {import('playwright-core').Page} page */
async function watch(page) {
  await page.evaluate(() => {
    const tasks = /** @type {number[]} */ ([]);
    /** @type {any} */ (window).tasks = tasks;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) tasks.push(entry.duration);
    }).observe({ entryTypes: ['longtask'] });
  });
  return () => page.evaluate(() => /** @type {number[]} */ (/** @type {any} */ (window).tasks));
}

const server = await Server.start();
try {
  const flow = await server.external('Measured');
  for (let done = 0; done < EXECUTIONS; done += BATCH) {
    await record(server, flow.id, Math.min(BATCH, EXECUTIONS - done));
    if (done % (BATCH * 25) === 0) process.stderr.write(`\r${done} of ${EXECUTIONS} executions`);
  }
  process.stderr.write('\n');
  const other = await server.external('Quiet');
  const browser = await open();
  row('what', 'measured', 'of', 'to reach', 'reached');
  row('---', '---', '---', '---', '---');

  const floor = await usable(browser, server, '/readyz', '', true);
  row('nothing but the browser: a page of one word', `p50 ${quantile(floor, 0.5).toFixed(0)} ms p95 ${quantile(floor, 0.95).toFixed(0)} ms`, `${TIMES} visits`, '', '');
  for (const [name, path, selector] of [
    ['the list of flows', '/flows', 'flows-page tbody tr'],
    ['a flow’s executions', `/flows/${flow.id}/usage`, 'ft-executions li'],
    ['all executions', '/executions', 'ft-executions li'],
    ['a flow’s statistics', `/flows/${flow.id}/statistics`, 'flowtrail-stats .figure'],
  ]) {
    for (const isFirst of [true, false]) {
      const taken = await usable(browser, server, String(path), String(selector), isFirst);
      const [p50, p95] = [quantile(taken, 0.5), quantile(taken, 0.95)];
      const visit = isFirst ? 'first visit' : 'later';
      row(`${name}, until it can be used, ${visit}`, `p50 ${p50.toFixed(0)} ms p95 ${p95.toFixed(0)} ms`, `${TIMES} visits, ${EXECUTIONS} executions`, 'below 500 ms', p95 < 500 ? 'yes' : p50 < 500 ? 'p50' : 'NO');
    }
  }

  const asked = [];
  let count = 0;
  for (let time = 0; time < TIMES; time += 1) {
    // Another range each time: the same is answered from what was found before.
    const from = new Date(Date.now() - 30 * 86_400_000 - time * 60_000).toISOString();
    const begun = performance.now();
    const response = await fetch(`${server.url}/api/flows/${flow.id}/executions/points?from=${from}`, { headers: { authorization: `Bearer ${KEY}` } });
    if (!response.ok) throw new Error(`points: ${response.status}`);
    count = /** @type {any} */ (await response.json()).ids.length;
    asked.push(performance.now() - begun);
  }
  row('the points of its scatter over 30 days, asked anew', `p50 ${quantile(asked, 0.5).toFixed(0)} ms p95 ${quantile(asked, 0.95).toFixed(0)} ms`, `${TIMES} requests, ${count} points of ${EXECUTIONS} executions`, '', '');

  const { all, named } = await sizes(server, '/flows');
  const kib = (/** @type {number} */ bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
  row('scripts and styles, packed', kib(all), `all there are; the first page names ${kib(named)}`, 'below 250 KB', all < 250_000 ? 'yes' : 'NO');

  const context = await browser.newContext({ viewport: { width: 1360, height: 860 } });
  await context.request.post(`${server.url}/api/session`, { data: { key: KEY } });
  const page = await context.newPage();
  await page.goto(`${server.url}/flows/${flow.id}/usage?limit=100`);
  await page.locator('ft-executions li').first().waitFor();
  await sleep(500);
  let tasks = await watch(page);
  await page.locator('.rows').hover();
  for (let turn = 0; turn < 60; turn += 1) {
    await page.mouse.wheel(0, turn < 30 ? 120 : -120);
    await sleep(16);
  }
  const scrolled = await tasks();
  const rows = await page.locator('ft-executions li').count();
  row(`a list of ${rows} rows is scrolled`, `${scrolled.length} long tasks`, '60 turns of the wheel', 'none', scrolled.length === 0 ? 'yes' : 'NO');

  await page.goto(`${server.url}/flows/${other.id}/usage`);
  await page.getByText('No executions yet').waitFor();
  await page.locator('app-bar .live.live').waitFor();
  tasks = await watch(page);
  const end = Date.now() + SECONDS * 1_000;
  let sent = 0;
  const begun = Date.now();
  const delays = [];
  while (Date.now() < end) {
    const due = Math.floor(((Date.now() - begun) / 1_000) * RATE) - sent;
    if (due > 0) {
      await record(server, other.id, due);
      sent += due;
    }
    const asked = performance.now();
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 0)));
    delays.push(performance.now() - asked);
    await sleep(20);
  }
  await until(async () => (await page.getByText(`${sent.toLocaleString('en')} executions`).count()) > 0, 'all of them to be counted');
  const long = await tasks();
  const longest = Math.max(0, ...long);
  row(`a storm of ${Math.round(sent / SECONDS)} executions a second`, `longest task ${longest.toFixed(0)} ms, ${long.length} of more than 50 ms`, `${sent} executions; the page answers within p99 ${quantile(delays, 0.99).toFixed(0)} ms`, 'no task over 100 ms', longest <= 100 ? 'yes' : 'NO');
  await context.close();
} finally {
  await close();
  await server.remove();
}
