// @ts-check
/** A real server, flows on it that are called through MCP, and a real browser to look at it. */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { KEY, Server as Process } from '../../../../clients/typescript/test/server.js';

export { KEY };

const CHROMIUM = process.env.FLOWTRAIL_CHROMIUM ?? '/usr/bin/chromium';
const EXAMPLES = new URL('../../../../docs/examples/', import.meta.url);

/** A server of the client's tests, with flows that are called through MCP. */
export class Server extends Process {
  /** The number of the last request to MCP. */
  #last = 0;

  /**
   * Asks the API, as the administrator or with another key.
   *
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @param {string} [key]
   * @returns {Promise<any>}
   */
  async api(method, path, body, key = KEY) {
    const response = await fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  /**
   * Makes flows from their files.
   *
   * @param {unknown} file
   * @returns {Promise<any[]>}
   */
  async import(file) {
    return (await this.api('POST', '/api/flows/import', file)).items;
  }

  /**
   * Makes one of the example flows.
   *
   * @param {string} name
   * @returns {Promise<any>}
   */
  async example(name) {
    const [flow] = await this.import(JSON.parse(await readFile(new URL(`${name}.json`, EXAMPLES), 'utf8')));
    return flow;
  }

  /**
   * Makes a flow that is only recorded.
   *
   * @param {string} name
   * @returns {Promise<any>}
   */
  external(name) {
    return this.api('POST', '/api/flows', { kind: 'external', name });
  }

  /**
   * Calls a tool through MCP, as an agent does.
   *
   * @param {string} tool
   * @param {Record<string, unknown>} [args]
   * @returns {Promise<any>} the result
   */
  async call(tool, args = {}) {
    const asked = { jsonrpc: '2.0', id: (this.#last += 1), method: 'tools/call', params: { name: tool, arguments: args } };
    const session = await this.#session();
    const response = await fetch(`${this.url}/mcp`, {
      method: 'POST',
      headers: { ...HEADERS, ...session },
      body: JSON.stringify(asked),
    });
    const text = await response.text();
    const data = text.split('\n').filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trim());
    for (const line of data.length > 0 ? data : [text]) {
      const message = line ? JSON.parse(line) : {};
      if (message.id === asked.id) return message.result ?? message.error;
    }
    throw new Error(`MCP answered ${response.status}: ${text}`);
  }

  async #session() {
    const response = await fetch(`${this.url}/mcp`, {
      method: 'POST',
      headers: HEADERS,
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 0,
        method: 'initialize',
        params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'tests', version: '1' } },
      }),
    });
    await response.text();
    const id = response.headers.get('mcp-session-id');
    /** @type {Record<string, string>} */
    const session = { 'mcp-protocol-version': '2025-06-18', ...(id ? { 'mcp-session-id': id } : {}) };
    await fetch(`${this.url}/mcp`, {
      method: 'POST',
      headers: { ...HEADERS, ...session },
      body: JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }),
    }).then((answer) => answer.text());
    return session;
  }

  /**
   * Records an execution that is over.
   *
   * @param {string} flowId
   * @param {Record<string, unknown>} [report]
   * @returns {Promise<any>}
   */
  record(flowId, report = {}) {
    return this.api('POST', `/api/flows/${flowId}/executions`, { status: 'fulfilled', duration: 12, ...report });
  }
}

const HEADERS = {
  authorization: `Bearer ${KEY}`,
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};

/** Arguments with which the flow of orders goes well, and with which it fails. */
export const GOOD_ORDER = { orderId: 'A-1', items: [{ name: 'Lamp', price: 20, quantity: 1 }] };
export const BAD_ORDER = { orderId: 'A-2', items: [] };

/** @type {import('playwright-core').Browser | undefined} */
let browser;

/** The browser that all tests of a file share. */
export async function open() {
  if (!existsSync(CHROMIUM)) throw new Error(`there is no Chromium at ${CHROMIUM}: FLOWTRAIL_CHROMIUM says where it is`);
  browser ??= await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  return browser;
}

export async function close() {
  await browser?.close();
  browser = undefined;
}

/**
 * @typedef {object} Look
 * @property {string} [path]
 * @property {number} [width]
 * @property {number} [height]
 * @property {'light' | 'dark'} [scheme]
 * @property {string | null} [key] who is logged in; nobody when null
 * @property {RegExp[]} [expected] complaints of the browser that belong to the test
 */

/**
 * A page of the UI, of somebody who is logged in. What the browser complains of fails the test.
 *
 * @param {import('node:test').TestContext} test
 * @param {Server} server
 * @param {Look} [look]
 * @returns {Promise<import('playwright-core').Page>}
 */
export async function page(test, server, { path = '/', width = 1360, height = 860, scheme = 'light', key = KEY, expected = [] } = {}) {
  const context = await (await open()).newContext({
    viewport: { width, height },
    colorScheme: scheme,
    reducedMotion: 'reduce',
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const shown = await context.newPage();
  /** @type {string[]} */
  const complaints = [];
  /** @param {string} text */
  const complain = (text) => {
    if (!expected.some((pattern) => pattern.test(text))) complaints.push(text);
  };
  shown.on('pageerror', (error) => complain(error.stack ?? String(error)));
  shown.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complain(message.text());
  });
  if (key !== null) {
    const response = await context.request.post(`${server.url}/api/session`, { data: { key } });
    if (!response.ok()) throw new Error(`logging in: ${response.status()} ${await response.text()}`);
  }
  test.after(async () => {
    await context.close();
    if (complaints.length > 0) throw new Error(`the browser complained:\n${complaints.join('\n')}`);
  });
  await shown.goto(server.url + path);
  return shown;
}

/**
 * Waits until something is so.
 *
 * @template T
 * @param {() => Promise<T | undefined | null | false>} look
 * @param {string} what
 * @returns {Promise<T>}
 */
export async function until(look, what) {
  const end = Date.now() + 10_000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await sleep(50);
  }
}
