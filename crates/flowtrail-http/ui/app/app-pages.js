// @ts-check
/** Which page an address leads to. */

import { Element, css, define, html } from '../base/element.js';
import { keepState } from '../usage/keep-state.js';
import '../flows/flow-page.js';
import '../flows/flows-page.js';
import '../people/audit-page.js';
import '../people/keys-page.js';
import '../people/users-page.js';
import '../stats/statistics-page.js';
import '../usage/flowtrail-usage.js';

/** @typedef {import('../../client/index.js').Schemas['Me']} Me */

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

  constructor() {
    super();
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
    if (!changed.has('address')) return;
    changed.get('address')?.removeEventListener('change', this.#move);
    this.address.addEventListener('change', this.#move);
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
