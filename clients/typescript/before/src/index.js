/**
 * A client for Flowtrail.
 *
 * ```js
 * import { Flowtrail } from '@flowtrail/client';
 *
 * const flowtrail = new Flowtrail({ baseUrl: 'http://127.0.0.1:8080', key: process.env.FLOWTRAIL_KEY });
 * for await (const execution of flowtrail.executions.all({ status: 'error' })) console.log(execution.id, execution.error);
 * ```
 */

import { listen } from './events.js';
import { Executions, Running } from './executions.js';
import { Flows } from './flows.js';
import { Http } from './http.js';
import { newId } from './id.js';
import { Keys, Users } from './people.js';

/** @typedef {import('./api.js').components['schemas']} Schemas */

export {
  ConflictError,
  FlowtrailError,
  ForbiddenError,
  InvalidError,
  NetworkError,
  NotFoundError,
  RateLimitedError,
  ServerError,
  UnauthenticatedError,
  UnavailableError,
} from './errors.js';
export { Executions, Flows, Keys, Running, Users, newId };

/** One server, and who asks it. */
export class Flowtrail {
  #http;

  /** @param {import('./http.js').Options} [options] */
  constructor(options) {
    this.#http = new Http(options);
    /** What can be run there, or is recorded there. */
    this.flows = new Flows(this.#http);
    /** What was run. */
    this.executions = new Executions(this.#http);
    /** Who may ask; for administrators. */
    this.users = new Users(this.#http);
    /** By what they are known. */
    this.keys = new Keys(this.#http);
  }

  /**
   * How far the server's clock is ahead of this machine's, in milliseconds, to the second; 0 before its first answer, and while
   * they agree. A page of another origin learns it from a server that allows that origin.
   */
  get clockOffset() {
    const offset = this.#http.clockOffset;
    return Math.abs(offset) < 3_000 ? 0 : offset;
  }

  /**
   * What happens, as it happens. A connection that is lost is made again and goes on where it was.
   *
   * @param {import('./events.js').Listening} [listening]
   * @returns {AsyncGenerator<import('./events.js').Event, void, undefined>}
   */
  events(listening) {
    return listen(this.#http, listening);
  }

  /**
   * Who you are.
   *
   * @returns {Promise<Schemas['Me']>}
   */
  me() {
    return this.#http.json('GET', '/api/me');
  }

  /**
   * Logs in to the web UI by a key or by the code of a login link. The browser keeps the cookie.
   *
   * @param {Schemas['LogIn']} by
   * @returns {Promise<Schemas['Session']>}
   */
  async logIn(by) {
    this.#http.forget();
    return this.#http.json('POST', '/api/session', { body: by });
  }

  /**
   * Who is logged in.
   *
   * @returns {Promise<Schemas['Session']>}
   */
  session() {
    return this.#http.json('GET', '/api/session');
  }

  /** Logs out. */
  async logOut() {
    const { csrf } = await this.session();
    await this.#http.json('DELETE', '/api/session', { headers: { 'x-flowtrail-csrf': csrf } });
    this.#http.forget();
  }

  /**
   * Makes a token with which a page of another origin reads the history of some flows.
   *
   * @param {Schemas['NewEmbedToken']} wanted
   * @returns {Promise<Schemas['EmbedToken']>}
   */
  embedToken(wanted) {
    return this.#http.json('POST', '/api/embed-tokens', { body: wanted });
  }

  /**
   * Who did what to keys, users and access, and who deleted what, newest first.
   *
   * @param {{ action?: Schemas['AuditPage']['items'][number]['action'], user?: string, limit?: number, signal?: AbortSignal }} [query]
   * @returns {AsyncGenerator<Schemas['AuditPage']['items'][number], void, undefined>}
   */
  async *audit({ signal, ...query } = {}) {
    let after;
    do {
      const page = await this.#http.json('GET', '/api/audit', { query: { limit: 100, ...query, after }, signal });
      yield* page.items;
      after = page.after;
    } while (after);
  }
}
