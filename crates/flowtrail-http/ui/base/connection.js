// @ts-check
/** Which server a component shows, and as whom. Components of one page that show the same one share a connection. */

import { Flowtrail } from '../../client/index.js';
import { Element, html, nothing } from './element.js';
import { Live } from './live.js';

/** A server, who asks it, and what happens there. */
export class Connection {
  /** @param {{ baseUrl?: string, token?: string }} [to] */
  constructor({ baseUrl = '', token } = {}) {
    /** Where the server is; empty for the one that this page is from. */
    this.baseUrl = baseUrl.replace(/\/+$/, '');
    /** Whether this page is another one's, which may only read. */
    this.isGuest = token !== undefined;
    this.client = new Flowtrail({ baseUrl: this.baseUrl, key: token, fetch: (input, init) => this.#fetch(input, init) });
    this.live = new Live(this.client);
  }

  /**
   * Any request that finds the server gone tells all that is shown: the stream notices a cut network much later.
   *
   * @param {Parameters<typeof fetch>[0]} input
   * @param {Parameters<typeof fetch>[1]} [init]
   */
  async #fetch(input, init) {
    try {
      return await fetch(input, init);
    } catch (error) {
      if (!init?.signal?.aborted) this.live.lose();
      throw error;
    }
  }

  /**
   * The time on the server, in milliseconds: the clock of this machine may be wrong. While the server cannot be reached it is that
   * of the last contact: nobody knows how what ran then goes on.
   */
  now() {
    return (this.live.lostAt ?? Date.now()) + this.client.clockOffset;
  }

  /** The server's address as others write it. */
  get address() {
    return this.baseUrl || window.location.origin;
  }
}

/** @type {Map<string, Connection>} */
const connections = new Map();

/**
 * The connection to a server as somebody.
 *
 * @param {{ baseUrl?: string, token?: string }} [to]
 * @returns {Connection}
 */
export function connect(to = {}) {
  const key = JSON.stringify([to.baseUrl ?? '', to.token ?? null]);
  const known = connections.get(key);
  if (known !== undefined) return known;
  const made = new Connection(to);
  connections.set(key, made);
  return made;
}

/**
 * A component that can stand alone in any page: `base-url` and `token` say which server it shows and as whom. Where another
 * component shows it, that one gives it its `connection`.
 */
export class Connected extends Element {
  static standsAlone = true;

  static properties = {
    baseUrl: { attribute: 'base-url' },
    token: {},
    connection: { attribute: false },
  };

  /** @type {Connection | undefined} */
  #own;
  /** @type {(() => void) | undefined} */
  #leave;
  #drawAgain = () => this.requestUpdate();

  constructor() {
    super();
    /** @type {string | undefined} */
    this.baseUrl = undefined;
    /** @type {string | undefined} */
    this.token = undefined;
    /** @type {Connection | undefined} */
    this.connection = undefined;
  }

  /** The connection that is used. */
  get server() {
    if (this.connection !== undefined) return this.connection;
    this.#own ??= connect({ baseUrl: this.baseUrl, token: this.token });
    return this.#own;
  }

  get client() {
    return this.server.client;
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    if (this.isElsewhere(changed)) {
      this.#own = undefined;
      this.#listen();
    }
  }

  /**
   * Whether it is another server, or somebody else who asks it, than before.
   *
   * @param {Map<PropertyKey, unknown>} changed
   */
  isElsewhere(changed) {
    return !this.hasUpdated || changed.has('baseUrl') || changed.has('token') || changed.has('connection');
  }

  connectedCallback() {
    super.connectedCallback();
    if (this.hasUpdated) this.#listen();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#leave?.();
    this.#leave = undefined;
  }

  #listen() {
    this.#leave?.();
    this.#leave = undefined;
    if (this.happened === Connected.prototype.happened) return;
    const { live } = this.server;
    const leave = live.listen((events) => this.happened(events));
    live.addEventListener('state', this.#drawAgain);
    this.#leave = () => {
      leave();
      live.removeEventListener('state', this.#drawAgain);
    };
  }

  /** Says that what is shown is no longer true to life, where a page of somebody else is no longer let in or finds nobody. */
  get standing() {
    if (!this.server.isGuest || this.connection !== undefined) return nothing;
    const { state } = this.server.live;
    if (state === 'refused') {
      return html`<p class="standing" role="alert">The token of this page has expired or was revoked: what is shown may be out of date. Whoever runs the page can give it another.</p>`;
    }
    return state === 'lost' ? html`<p class="standing" role="status">The server cannot be reached. It is tried again.</p>` : nothing;
  }

  /**
   * Told of what happened on the server, by components that want to know.
   *
   * @param {import('./live.js').Happening[]} events
   */
  happened(events) {
    void events;
  }
}
