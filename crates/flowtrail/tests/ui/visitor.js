// @ts-check
/** Somebody who opens pages in a browser of Playwright's without Playwright: it says what to do, and asks when it is done. */

import { setTimeout as sleep } from 'node:timers/promises';

/** How often it is asked whether it is done, in milliseconds: rarely, so that asking costs nothing. */
const ASK = 250;
/** After how long it is given up, in milliseconds. */
const LONGEST = 30_000;

export class Visitor {
  #session;
  #context = '';
  /** @type {Map<number, (answer: any) => void>} */
  #asked = new Map();
  #last = 0;

  /** @param {import('playwright-core').CDPSession} session */
  constructor(session) {
    this.#session = session;
    session.on('Target.receivedMessageFromTarget', ({ message }) => {
      const { id, result } = JSON.parse(message);
      this.#asked.get(id)?.(result);
      this.#asked.delete(id);
    });
  }

  /**
   * A new one, who has nothing but a cookie.
   *
   * @param {import('playwright-core').Browser} browser
   * @param {{ name: string, value: string, url: string }} cookie
   */
  static async open(browser, cookie) {
    const session = await browser.newBrowserCDPSession();
    const visitor = new Visitor(session);
    visitor.#context = (await session.send('Target.createBrowserContext')).browserContextId;
    await session.send('Storage.setCookies', { browserContextId: visitor.#context, cookies: [cookie] });
    return visitor;
  }

  /**
   * Opens an address in a page of its own.
   *
   * @param {string} url
   * @param {string} script runs in the page before anything else, and sets `drawn` to a time
   * @returns {Promise<number>} that time
   */
  async visit(url, script) {
    const { targetId } = await this.#session.send('Target.createTarget', { url: 'about:blank', browserContextId: this.#context });
    const { sessionId } = await this.#session.send('Target.attachToTarget', { targetId, flatten: false });
    /** @param {string} method @param {object} params @returns {Promise<any>} */
    const tell = (method, params = {}) =>
      new Promise((resolve) => {
        const id = (this.#last += 1);
        this.#asked.set(id, resolve);
        void this.#session.send('Target.sendMessageToTarget', { sessionId, message: JSON.stringify({ id, method, params }) });
      });
    await tell('Page.enable');
    await tell('Emulation.setDeviceMetricsOverride', { width: 1360, height: 860, deviceScaleFactor: 1, mobile: false });
    await tell('Page.addScriptToEvaluateOnNewDocument', { source: script });
    await tell('Page.navigate', { url });
    for (let waited = 0; waited < LONGEST; waited += ASK) {
      await sleep(ASK);
      const drawn = (await tell('Runtime.evaluate', { expression: 'window.drawn' }))?.result?.value;
      if (typeof drawn !== 'number') continue;
      await this.#session.send('Target.closeTarget', { targetId });
      return drawn;
    }
    throw new Error(`${url} was not drawn`);
  }

  async close() {
    await this.#session.send('Target.disposeBrowserContext', { browserContextId: this.#context });
    await this.#session.detach();
  }
}
