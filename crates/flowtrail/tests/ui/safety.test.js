// @ts-check
/** What comes from outside is shown as text, wherever it comes from; and the page runs nothing but its own scripts. */

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

/** Would show itself, were it taken for more than a text; with text from right to left and a picture among it. */
const EVIL = `<img src=x onerror="window.hit=1"><script>window.hit=1</script>"'\`\${1}</b> ‮שלום 👩‍👩‍👧 javascript:alert(1)`;

test('everything that can be told from outside is shown as text', async (t) => {
  const flow = await server.api('POST', '/api/flows', { kind: 'external', name: EVIL });
  const nodes = [
    { seq: 1, nodeId: 'evil', nodeName: EVIL, nodeType: EVIL.slice(0, 60), executionTimeMs: 3, inputData: { [EVIL]: EVIL, list: [EVIL] }, outputData: EVIL },
    { seq: 2, nodeId: 'bad', nodeName: `2 ${EVIL}`, nodeType: 'x', executionTimeMs: 3, inputData: EVIL, error: EVIL },
  ];
  const made = await server.record(flow.id, {
    status: 'error',
    initialParams: { [EVIL]: EVIL },
    outputs: { [EVIL]: EVIL },
    meta: { [EVIL]: EVIL },
    tags: { evil: EVIL.slice(0, 100) },
    nodeExecutions: nodes,
    errorInfo: { message: EVIL, nodeId: 'bad', nodeName: `2 ${EVIL}` },
  });
  const user = await server.api('POST', '/api/users', { name: EVIL.slice(0, 90), role: 'admin' });
  const key = await server.api('POST', '/api/keys', { name: EVIL.slice(0, 90), userId: user.id });
  const runnable = await server.import({
    name: `Run ${EVIL}`,
    toolName: 'evil',
    description: EVIL,
    nodes: [
      { id: 'ask', name: EVIL, type: 'UserIntent', parameters: { parameters: [{ name: 'text', type: 'string', description: EVIL, default: EVIL }] } },
      { id: 'say', name: EVIL, type: 'Return', parameters: { text: '{{ ask.text }}' } },
    ],
    connections: [{ sourceNodeId: 'ask', targetNodeId: 'say' }],
  });
  await server.call('evil', { text: EVIL });

  const shown = await page(t, server, { key: key.key });
  const at = (/** @type {string} */ path) => shown.goto(server.url + path);
  const read = (/** @type {string} */ selector) =>
    until(async () => {
      const texts = await shown.locator(selector).allInnerTexts();
      // The tree writes it as JSON does.
      return texts.some((text) => text.replaceAll('\\"', '"').includes('onerror="window.hit=1"'));
    }, `${selector} to show the text`);
  const check = async () => {
    assert.equal(await shown.evaluate(() => /** @type {any} */ (window).hit), undefined, `a script ran at ${shown.url()}`);
    assert.equal(await shown.locator('img[src="x"]').count(), 0, `an element was made of a text at ${shown.url()}`);
  };

  await at('/flows');
  await read('flows-page tbody');
  await check();
  await at(`/executions?selected=${made.id}`);
  await read('flowtrail-execution header');
  await read('flowtrail-execution .failure');
  await read('ft-executions li');
  await read('ft-waterfall li');
  await read('ft-tree .line');
  await shown.getByRole('tab', { name: 'Error' }).click();
  await read('ft-node-data pre');
  await check();
  await shown.locator('ft-waterfall button').first().click();
  await read('ft-tree .line');
  await shown.getByRole('button', { name: 'Raw' }).click();
  await read('ft-node-data pre');
  await shown.getByRole('button', { name: 'Parameters and outputs' }).click();
  for (const tab of ['Parameters', 'Outputs', 'Meta', 'Error']) {
    await shown.getByRole('tab', { name: tab }).click();
    await read('ft-node-data .string, ft-node-data pre');
  }
  await check();
  for (const tab of ['overview', 'run', 'settings', 'usage', 'statistics']) {
    await at(`/flows/${runnable[0].id}/${tab}`);
    await read('flow-page header');
    await check();
  }
  await at(`/flows/${runnable[0].id}/overview`);
  await shown.locator('ft-flow-graph g.node').first().waitFor();
  await read('flow-overview table');
  await shown.getByRole('button', { name: 'curl' }).click();
  await check();
  await at('/keys');
  await read('keys-page tbody');
  await at('/users');
  await read('users-page tbody');
  await at('/audit');
  await read('audit-page tbody');
  await at('/statistics');
  await read('statistics-page tbody');
  await check();
});

test('the policy forbids everything that is not the server’s own', async (t) => {
  const response = await fetch(`${server.url}/flows`);
  const policy = response.headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
  for (const name of ['x-content-type-options', 'referrer-policy']) assert.ok(response.headers.get(name), name);
  // What a text could try, if it ever came through, is refused all the same.
  const shown = await page(t, server, { path: '/flows', expected: [/Content Security Policy/, /Refused/, /violates/] });
  await shown.locator('flows-page').waitFor();
  await shown.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.hit = 1';
    document.body.append(script);
    const image = document.createElement('div');
    image.setAttribute('style', 'color: red');
    document.body.append(image);
  });
  assert.equal(await shown.evaluate(() => /** @type {any} */ (window).hit), undefined);
});

test('a host name that is not allowed gets no page', async () => {
  const { port } = new URL(server.url);
  const { request } = await import('node:http');
  const status = await new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: '/', headers: { host: 'evil.example' } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    })
      .on('error', reject)
      .end();
  });
  assert.equal(status, 403);
});
