// @ts-check
/** The bar at the top: where one can go, how the connection is, and who one is. */

import { Element, css, define, html, nothing } from '../base/element.js';
import { BRAND } from './brand.js';
import { theme } from './theme.js';

/** @typedef {import('../../client/index.js').Schemas['Me']} Me */

/** @type {[path: string, says: string][]} */
const PAGES = [
  ['flows', 'Flows'],
  ['executions', 'Executions'],
  ['statistics', 'Statistics'],
];

/** @type {Record<string, [says: string, means: string]>} */
const LIVE = {
  live: ['live', 'What happens is shown as it happens'],
  connecting: ['connecting', 'Connecting to the server'],
  lost: ['offline', 'The server cannot be reached; it is tried again'],
  off: ['', ''],
  refused: ['', ''],
};

class AppBar extends Element {
  static properties = {
    me: { attribute: false },
    path: { attribute: false },
    live: {},
  };

  static styles = css`
    :host {
      border-bottom: 1px solid var(--ft-line);
    }
    header {
      display: flex;
      align-items: center;
      gap: 0.25rem 1rem;
      min-height: 3rem;
      padding: 0 1rem;
    }
    .brand {
      display: flex;
      align-items: center;
      gap: 0.375rem;
      color: var(--ft-text);
      font-size: 0.9375rem;
      font-weight: 600;
      text-decoration: none;
    }
    .brand svg {
      width: 1.125rem;
      height: 1.125rem;
      color: var(--ft-accent);
    }
    nav {
      display: flex;
      gap: 0.125rem;
    }
    nav a {
      display: flex;
      align-items: center;
      height: 3rem;
      padding: 0 0.5rem;
      border-bottom: 2px solid transparent;
      margin-bottom: -1px;
      color: var(--ft-muted);
      font-weight: 500;
      text-decoration: none;
    }
    nav a:hover {
      color: var(--ft-text);
    }
    nav a[aria-current='page'] {
      border-bottom-color: var(--ft-accent);
      color: var(--ft-text);
    }
    .search {
      color: var(--ft-muted);
      font-weight: 400;
    }
    .live {
      display: flex;
      align-items: center;
      gap: 0.375rem;
      color: var(--ft-muted);
    }
    .live::before {
      content: '';
      width: 0.5rem;
      height: 0.5rem;
      border: 1.5px solid var(--ft-aborted);
      border-radius: 50%;
    }
    .live.live::before {
      border-color: var(--ft-fulfilled);
      background: var(--ft-fulfilled);
    }
    .live.offline::before {
      border-color: var(--ft-error);
      background: var(--ft-error);
      border-radius: 0;
    }
    details {
      position: relative;
    }
    summary {
      display: flex;
      align-items: center;
      min-height: 1.75rem;
      max-width: 12rem;
      padding: 0 0.375rem;
      border-radius: var(--ft-radius);
      cursor: pointer;
      list-style: none;
    }
    summary:hover {
      background: var(--ft-sunken);
    }
    summary::after {
      content: '▾';
      margin-inline-start: 0.375rem;
      color: var(--ft-muted);
    }
    .menu {
      position: absolute;
      inset-block-start: 2rem;
      inset-inline-end: 0;
      z-index: 2;
      display: grid;
      min-width: 13rem;
      padding: 0.25rem;
      border-radius: var(--ft-radius);
      background: var(--ft-background);
      box-shadow: var(--ft-float);
    }
    .menu a,
    .menu button {
      justify-content: start;
      min-height: 1.75rem;
      padding: 0.25rem 0.5rem;
      border: 0;
      border-radius: var(--ft-radius);
      color: var(--ft-text);
      font-weight: 400;
      text-align: start;
    }
    .menu a:hover {
      background: var(--ft-raised);
      text-decoration: none;
    }
    .menu hr {
      width: 100%;
      margin: 0.25rem 0;
      border: 0;
      border-top: 1px solid var(--ft-line);
    }
    .menu .row {
      padding: 0.25rem 0.5rem;
      justify-content: space-between;
    }
    @media (max-width: 639px) {
      header {
        flex-wrap: wrap;
        padding-block: 0.375rem 0;
      }
      nav {
        order: 9;
        width: 100%;
      }
      nav a {
        height: 2.25rem;
      }
      .search kbd {
        display: none;
      }
    }
  `;

  constructor() {
    super();
    /** @type {Me | undefined} */
    this.me = undefined;
    /** @type {string[]} */
    this.path = [];
    this.live = 'off';
  }

  connectedCallback() {
    super.connectedCallback();
    document.addEventListener('click', this.#clickedElsewhere);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    document.removeEventListener('click', this.#clickedElsewhere);
  }

  /** @param {MouseEvent} event */
  #clickedElsewhere = (event) => {
    const menu = /** @type {HTMLDetailsElement | null} */ (this.$('details'));
    const path = event.composedPath();
    const isWithin = menu !== null && path.includes(menu);
    if (menu?.open && (!isWithin || path.some((target) => target instanceof HTMLAnchorElement))) menu.open = false;
  };

  /** @param {KeyboardEvent} event */
  #menuKey(event) {
    if (event.key !== 'Escape') return;
    const menu = /** @type {HTMLDetailsElement} */ (event.currentTarget);
    if (!menu.open) return;
    menu.open = false;
    menu.querySelector('summary')?.focus();
    event.preventDefault();
  }

  render() {
    const at = this.path[0] ?? 'flows';
    const [says, means] = LIVE[this.live] ?? ['', ''];
    return html`<header>
      <a class="brand" href="/flows" aria-label="Flowtrail">
        ${BRAND} Flowtrail
      </a>
      <nav aria-label="Main">
        ${PAGES.map(
          ([path, title]) => html`<a href=${`/${path}`} aria-current=${path === at ? 'page' : 'false'}>${title}</a>`,
        )}
      </nav>
      <span class="grow"></span>
      <button class="plain search" type="button" @click=${() => this.tell('ft-search')}>Search <kbd>⌘K</kbd></button>
      ${says === '' ? nothing : html`<span class="live ${says}" title=${means} role="status">${says}</span>`}
      <details @keydown=${this.#menuKey}>
        <summary><span class="cut" dir="auto">${this.me?.name ?? ''}</span></summary>
        <div class="menu">
          <a href="/keys">Keys</a>
          ${this.me?.role === 'admin' ? html`<a href="/users">Users</a><a href="/audit">Audit log</a>` : nothing}
          <hr />
          <div class="row">
            <label for="theme">Theme</label>
            <select
              id="theme"
              @change=${(/** @type {Event} */ event) => theme.set(/** @type {any} */ (event.target).value)}
            >
              ${['system', 'light', 'dark'].map((name) => html`<option value=${name} ?selected=${theme.get() === name}>${name}</option>`)}
            </select>
          </div>
          <button type="button" @click=${() => this.tell('ft-help')}>Keyboard <kbd>?</kbd></button>
          <a href="/api/docs" target="_blank" rel="noopener">API ↗</a>
          <hr />
          <button type="button" @click=${() => this.tell('ft-log-out')}>Log out</button>
        </div>
      </details>
    </header>`;
  }
}

define('app-bar', AppBar);
