import { NetworkError, errorOf } from './errors.js';

/**
 * @typedef {object} Options
 * @property {string} [baseUrl] where the server is, such as `http://127.0.0.1:8080`; of this page when absent
 * @property {string} [key] a key, or a token for a page; without one the session of who is logged in is used
 * @property {number} [retries] how often a request is tried again; 4 times when absent
 * @property {typeof fetch} [fetch] another `fetch`
 */

/**
 * @typedef {object} Sending
 * @property {Record<string, string | number | boolean | null | undefined>} [query]
 * @property {unknown} [body] what is sent as JSON
 * @property {string} [text] what is sent as it is
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 * @property {boolean} [repeatable] whether the same request twice is as good as once; that of GET and DELETE is
 * @property {boolean} [isOne] whether it deletes one thing, which is gone when it is not there any more
 */

/** The longest pause between two attempts, in milliseconds. */
const LONGEST_PAUSE = 5_000;

/** Requests to one server, tried again where that does no harm. */
export class Http {
  #base;
  #key;
  #retries;
  #fetch;
  /** @type {Promise<string | null> | null} */
  #csrf = null;
  /** How far the server's clock is ahead, in milliseconds, as its last answer told. */
  clockOffset = 0;

  /** @param {Options} [options] */
  constructor({ baseUrl = '', key, retries = 4, fetch: other } = {}) {
    this.#base = baseUrl.replace(/\/+$/, '');
    this.#key = key;
    this.#retries = retries;
    this.#fetch = other ?? ((input, init) => fetch(input, init));
  }

  /**
   * Sends a request and gives the answer, which is a good one.
   *
   * @param {string} method
   * @param {string} path
   * @param {Sending} [sending]
   * @returns {Promise<Response>}
   */
  async send(method, path, sending = {}) {
    const repeatable = sending.repeatable ?? (method === 'GET' || method === 'DELETE');
    let mayBeDone = false;
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await this.#once(method, path, sending);
      if (outcome instanceof Response) return outcome;
      // An attempt whose answer was lost has deleted it.
      if (mayBeDone && sending.isOne && outcome.status === 404) return new Response(null, { status: 204 });
      // Who asks too often is refused before anything is done; otherwise nobody knows.
      const isUndone = outcome.status === 429;
      const isUnknown = [0, 408, 502, 503, 504].includes(outcome.status);
      if (attempt >= this.#retries || !(isUndone || (isUnknown && repeatable))) throw outcome;
      mayBeDone ||= isUnknown;
      await pause(delay(attempt, outcome.retryAfter), sending.signal);
    }
  }

  /**
   * Sends a request and gives the JSON that it is answered with.
   *
   * @param {string} method
   * @param {string} path
   * @param {Sending} [sending]
   * @returns {Promise<any>}
   */
  async json(method, path, sending = {}) {
    const response = await this.send(method, path, sending);
    if (response.status === 204) return undefined;
    try {
      return await response.json();
    } catch (cause) {
      throw new NetworkError(cause);
    }
  }

  /** Forgets what is known of the session, when it has changed. */
  forget() {
    this.#csrf = null;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {Sending} sending
   */
  async #once(method, path, sending) {
    /** @type {Record<string, string>} */
    const headers = { accept: 'application/json', ...sending.headers };
    if (this.#key) headers.authorization = `Bearer ${this.#key}`;
    else if (method !== 'GET' && path !== '/api/session') {
      const csrf = await this.#csrfOf();
      if (csrf) headers['x-flowtrail-csrf'] = csrf;
    }
    let body = sending.text;
    if (sending.body !== undefined) {
      body = JSON.stringify(sending.body);
      headers['content-type'] = 'application/json';
    }
    let response;
    try {
      response = await this.#fetch(this.#base + path + queryOf(sending.query), {
        method,
        headers,
        body,
        signal: sending.signal,
        credentials: this.#key ? 'omit' : 'same-origin',
      });
    } catch (cause) {
      // Who gave up wants to hear that, and nothing of the network.
      if (sending.signal?.aborted) throw sending.signal.reason;
      return new NetworkError(cause);
    }
    const date = Date.parse(response.headers.get('date') ?? '');
    // It tells whole seconds.
    if (Number.isFinite(date)) this.clockOffset = date + 500 - Date.now();
    if (response.ok || response.status === 304) return response;
    const error = await errorOf(response);
    if (error.code === 'csrf') this.forget();
    return error;
  }

  /** What a write by cookie has to send besides. Asked for once, for all who write. */
  #csrfOf() {
    this.#csrf ??= this.json('GET', '/api/session').then(
      (session) => session.csrf,
      () => {
        this.#csrf = null;
        return null;
      },
    );
    return this.#csrf;
  }
}

/** @param {Sending['query']} query */
function queryOf(query = {}) {
  const told = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  const text = new URLSearchParams(told.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}

/**
 * How long to wait before an attempt, in milliseconds: as told, or twice as long each time, and never all at once.
 *
 * @param {number} attempt
 * @param {number} [seconds]
 */
export function delay(attempt, seconds) {
  if (seconds !== undefined) return Math.min(seconds * 1_000, 60_000);
  return Math.min(100 * 2 ** attempt, LONGEST_PAUSE) * (0.5 + Math.random() / 2);
}

/**
 * Waits, unless given up.
 *
 * @param {number} millis
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export function pause(millis, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, millis);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
