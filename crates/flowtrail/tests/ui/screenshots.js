// @ts-check
/** Makes a picture of each page, light and dark, wide and narrow, in the folder `screenshots`. */

import { mkdir, rm } from 'node:fs/promises';
import { BAD_ORDER, GOOD_ORDER, KEY, Server, close, open } from './support.js';

const FOLDER = new URL('screenshots/', import.meta.url);
const DAY = 86_400_000;

/** A history of some weeks, as of a shop that has a bad day now and then. @param {Server} server */
async function history(server) {
  const flow = await server.external('Nightly import of the very long name that some team gave to its warehouse synchronisation');
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  let seed = 42;
  const lines = Array.from({ length: 900 }, (_, number) => {
    const startedAt = new Date(Date.now() - random() ** 1.5 * 25 * DAY - 60_000);
    const isBad = startedAt.getUTCDay() === 3 ? random() < 0.3 : random() < 0.04;
    const status = isBad ? 'error' : random() < 0.03 ? 'aborted' : 'fulfilled';
    const duration = Math.round(40 * Math.exp(random() * 4));
    const error = { message: 'connection refused by warehouse.example:5432', nodeId: 'store', nodeName: 'Store' };
    return JSON.stringify({
      flowId: flow.id,
      status,
      startedAt: startedAt.toISOString(),
      duration,
      initialParams: { orderId: `A-${1000 + number}` },
      ...(isBad ? { errorInfo: error } : {}),
      nodeExecutions: [
        { seq: 1, nodeId: 'fetch', nodeName: 'Fetch', nodeType: 'http', executionTimeMs: duration * 0.6, outputData: { rows: number } },
        { seq: 2, nodeId: 'store', nodeName: 'Store', nodeType: 'sql', executionTimeMs: duration * 0.4, ...(isBad ? { error: error.message } : { outputData: { stored: number } }) },
      ],
    });
  });
  const response = await fetch(`${server.url}/api/executions/batch`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  });
  const refused = (await response.text()).split('\n').find((line) => line.includes('"invalid"'));
  if (refused) throw new Error(refused);
  return flow;
}

const server = await Server.start();
try {
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(FOLDER, { recursive: true });
  const flow = await server.example('order_summary');
  await server.example('order_report');
  await server.example('text_statistics');
  const long = await history(server);
  for (let number = 0; number < 6; number += 1) await server.call('order_summary', { ...GOOD_ORDER, orderId: `A-${2000 + number}` });
  await server.call('order_report', GOOD_ORDER);
  await server.call('text_statistics', { text: 'Straße, 東京, שלום and 👩‍👩‍👧 in one text' });
  await server.call('order_summary', BAD_ORDER);
  await server.api('POST', `/api/flows/${long.id}/executions`, { initialParams: { orderId: 'A-3000' } });
  await server.api('POST', '/api/users', { name: 'Ada', role: 'user' });
  const [failed] = (await server.api('GET', `/api/flows/${flow.id}/executions?status=error`)).items;
  const [nested] = (await server.api('GET', '/api/executions?q=order_report')).items;
  /** @type {Record<string, string>} */
  const pages = {
    flows: '/flows',
    'flow-new': '/flows?new=1',
    'flow-overview': `/flows/${flow.id}/overview`,
    'flow-usage': `/flows/${flow.id}/usage?selected=${failed.id}`,
    'flow-graph': `/flows/${flow.id}/usage?selected=${failed.id}&view=graph`,
    'flow-statistics': `/flows/${long.id}/statistics?range=30d`,
    'flow-run': `/flows/${flow.id}/run`,
    'flow-settings': `/flows/${flow.id}/settings`,
    'flow-history': `/flows/${long.id}/overview?history=1`,
    executions: '/executions',
    'executions-nested': `/executions?selected=${nested.id}`,
    'executions-none': '/executions?status=aborted&q=nothing',
    'long-list': `/flows/${long.id}/usage`,
    statistics: '/statistics?range=30d',
    keys: '/keys',
    users: '/users',
    audit: '/audit',
    missing: '/nothing/here',
  };
  const browser = await open();
  for (const scheme of /** @type {const} */ (['light', 'dark'])) {
    for (const [size, width, height] of /** @type {const} */ ([['wide', 1360, 860], ['narrow', 390, 844]])) {
      const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, reducedMotion: 'reduce', deviceScaleFactor: size === 'narrow' ? 2 : 1 });
      const page = await context.newPage();
      await page.goto(server.url);
      await page.getByLabel('API key').waitFor();
      await page.screenshot({ path: new URL(`login-${scheme}-${size}.png`, FOLDER).pathname });
      await context.request.post(`${server.url}/api/session`, { data: { key: KEY } });
      for (const [name, path] of Object.entries(pages)) {
        const answer = await page.goto(server.url + path);
        if (answer?.status() !== 200) continue;
        await page.waitForTimeout(700);
        await page.screenshot({ path: new URL(`${name}-${scheme}-${size}.png`, FOLDER).pathname });
      }
      await context.close();
    }
  }
  console.log(`the pictures are in ${FOLDER.pathname}`);
} finally {
  await close();
  await server.remove();
}
