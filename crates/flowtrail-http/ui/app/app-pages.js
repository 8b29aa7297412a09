// @ts-check
/** Which page an address leads to. */

import { Element, css, define, html } from '../base/element.js';
import { Lazy, prefetch } from '../base/lazy.js';
import '../parts/problem.js';
import { keepState } from '../usage/keep-state.js';

/** @typedef {import('../../client/index.js').Schemas['Me']} Me */

/** The modules of the pages, which the server names in the page that it sends for their addresses. @type {Record<string, () => Promise<unknown>>} */
const MODULES = {
  flows: () => import('../flows/flows-page.js'),
  flow: () => import('../flows/flow-page.js'),
  executions: () => import('../usage/flowtrail-usage.js'),
  statistics: () => import('../stats/statistics-page.js'),
  keys: () => import('../people/keys-page.js'),
  users: () => import('../people/users-page.js'),
  audit: () => import('../people/audit-page.js'),
};

/**
 * Fetches the module of the page that an address leads to.
 *
 * @param {string[]} path
 * @returns {Promise<unknown> | undefined}
 */
export const bringPage = (path) => MODULES[pageOf(path)]?.();

/** @param {string[]} path */
function pageOf([first = 'flows', id]) {
  return first === 'flows' && id !== undefined ? 'flow' : first;
}

class AppPages extends Element {
  static properties = {
    connection: { attribute: false },
    address: { attribute: false },
    me: { attribute: false },
    moved: { state: true },
  };

  static styles = css`
    :host {
      height: 100%;
    }
    .none {
      display: grid;
      gap: 0.5rem;
      justify-items: start;
      padding: 2rem 1.5rem;
    }
  `;

  #lazy = new Lazy(this);
  #page = '';

  constructor() {
    super();
    prefetch([...Object.values(MODULES), () => import('../usage/flowtrail-execution.js')]);
    /** @type {import('../base/connection.js').Connection} */
    this.connection = /** @type {any} */ (undefined);
    /** @type {import('../base/address.js').Address} */
    this.address = /** @type {any} */ (undefined);
    /** @type {Me | undefined} */
    this.me = undefined;
    this.moved = 0;
  }

  /** @param {Map<PropertyKey, any>} changed */
  willUpdate(changed) {
    if (changed.has('address')) {
      changed.get('address')?.removeEventListener('change', this.#move);
      this.address.addEventListener('change', this.#move);
    }
    const page = pageOf(this.address.path);
    if (page !== this.#page) void this.#lazy.bring(MODULES[page]);
    this.#page = page;
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.address.removeEventListener('change', this.#move);
  }

  #move = () => {
    this.moved += 1;
  };

  render() {
    const { connection, address, me } = this;
    const [page = 'flows', id, tab] = address.path;
    const { query } = address;
    if (this.#lazy.error) {
      return html`<ft-problem .error=${this.#lazy.error} what="This part cannot be fetched" @ft-retry=${() => this.#lazy.again()}></ft-problem>`;
    }
    if (page === 'flows' && id === undefined) {
      return titled('Flows', html`<flows-page .connection=${connection} .address=${address} .query=${query}></flows-page>`);
    }
    if (page === 'flows') {
      return html`<flow-page .connection=${connection} .address=${address} .me=${me} .flowId=${id} .tab=${tab ?? 'overview'} .query=${query}></flow-page>`;
    }
    if (page === 'executions') {
      // The address of one alone shows it in its list.
      const state = id === undefined ? query : { ...query, selected: id };
      return titled(
        'Executions',
        html`<h1 class="visually-hidden">Executions</h1>
        <flowtrail-usage
          .connection=${connection}
          .state=${state}
          .hotkeys=${true}
          @flowtrail-state=${(/** @type {CustomEvent} */ event) => keepState(event, address, '/executions')}
        ></flowtrail-usage>`,
      );
    }
    if (page === 'statistics') {
      return titled('Statistics', html`<h1 class="visually-hidden">Statistics</h1><statistics-page .connection=${connection} .address=${address} .query=${query}></statistics-page>`);
    }
    if (page === 'keys') return titled('Keys', html`<keys-page .connection=${connection} .me=${me}></keys-page>`);
    if (page === 'users') return titled('Users', html`<users-page .connection=${connection} .me=${me}></users-page>`);
    if (page === 'audit') return titled('Audit log', html`<audit-page .connection=${connection}></audit-page>`);
    return titled(
      'Not found',
      html`<div class="none">
        <h1>There is nothing at this address</h1>
        <p class="muted">It may have been mistyped, or lead to what is no more.</p>
        <a class="button" href="/flows">To the flows</a>
      </div>`,
    );
  }
}

/**
 * @param {string} title
 * @param {unknown} content
 */
function titled(title, content) {
  document.title = `${title} · Flowtrail`;
  return content;
}

define('app-pages', AppPages);
