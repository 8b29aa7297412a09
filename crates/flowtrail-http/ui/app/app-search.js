// @ts-check
/** Finds flows by name, executions by id, and pages. */

import { Element, css, define, html, nothing } from '../base/element.js';
import { Loading } from '../base/loading.js';
import { ago, shortId } from '../base/format.js';

/** @typedef {import('../../client/index.js').Schemas['Me']} Me */
/** @typedef {{ to: string, title: string, about: string, status?: string }} Hit */

/** @type {Hit[]} */
const PAGES = [
  { to: '/flows', title: 'Flows', about: 'page' },
  { to: '/executions', title: 'Executions', about: 'page' },
  { to: '/executions?status=error', title: 'Failed executions', about: 'page' },
  { to: '/executions?status=pending', title: 'Running executions', about: 'page' },
  { to: '/statistics', title: 'Statistics', about: 'page' },
  { to: '/flows?new=1', title: 'New flow', about: 'command' },
  { to: '/keys', title: 'Keys', about: 'page' },
];

class AppSearch extends Element {
  static properties = {
    client: { attribute: false },
    me: { attribute: false },
    text: { state: true },
    at: { state: true },
  };

  static styles = css`
    dialog {
      width: min(36rem, calc(100vw - 2rem));
      margin-block-start: 12vh;
      padding: 0;
    }
    input {
      width: 100%;
      min-height: 2.75rem;
      padding: 0 1rem;
      border: 0;
      border-bottom: 1px solid var(--ft-line);
      border-radius: 0;
      background: none;
      font-size: 0.9375rem;
    }
    input:focus-visible {
      outline: none;
    }
    ul {
      max-height: 22rem;
      overflow: auto;
      padding: 0.25rem;
    }
    li a {
      display: flex;
      align-items: center;
      gap: 0.5rem;
      min-height: 2rem;
      padding: 0.25rem 0.75rem;
      border-radius: var(--ft-radius);
      color: inherit;
      text-decoration: none;
    }
    li a[aria-selected='true'] {
      background: var(--ft-selected);
    }
    .about {
      margin-inline-start: auto;
      color: var(--ft-muted);
      white-space: nowrap;
    }
    p {
      padding: 0.75rem 1rem;
    }
  `;

  /** @type {Loading<Hit[]>} */
  #found = new Loading(this);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #soon;

  constructor() {
    super();
    /** @type {import('../../client/index.js').Flowtrail | undefined} */
    this.client = undefined;
    /** @type {Me | undefined} */
    this.me = undefined;
    this.text = '';
    this.at = 0;
  }

  firstUpdated() {
    const dialog = /** @type {HTMLDialogElement} */ (this.$('dialog'));
    dialog.showModal();
    dialog.addEventListener('close', () => this.tell('ft-close'));
    void this.#look();
  }

  /** @returns {Hit[]} */
  get #hits() {
    const text = this.text.trim().toLowerCase();
    const pages = PAGES.filter(({ title }) => text !== '' && title.toLowerCase().includes(text));
    return [...(this.#found.value ?? []), ...(text === '' ? PAGES : pages)];
  }

  async #look() {
    const { client } = this;
    const q = this.text.trim();
    if (client === undefined) return;
    await this.#found.run(async (signal) => {
      const isId = /^[0-9a-f]{4,8}(-[0-9a-f-]*)?$/i.test(q);
      const [flows, executions] = await Promise.all([
        q === '' ? undefined : client.flows.list({ q, limit: 8, signal }),
        isId ? client.executions.list({ q, limit: 8, signal }) : undefined,
      ]);
      return [
        ...(flows?.items ?? []).map(({ id, name, toolName }) => ({ to: `/flows/${id}/usage`, title: name, about: toolName ?? 'flow' })),
        ...(executions?.items ?? []).map(({ id, flowName, status, startedAt }) => ({
          to: `/executions?selected=${id}`,
          title: `${flowName} ${shortId(id)}`,
          about: ago(startedAt, Date.now()),
          status,
        })),
      ];
    });
    this.at = 0;
  }

  /** @param {InputEvent} event */
  #input(event) {
    this.text = /** @type {HTMLInputElement} */ (event.target).value;
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => void this.#look(), 120);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const hits = this.#hits;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      const step = event.key === 'ArrowDown' ? 1 : -1;
      this.at = (this.at + step + hits.length) % Math.max(1, hits.length);
      void this.updateComplete.then(() => this.$('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' }));
    } else if (event.key === 'Enter') {
      event.preventDefault();
      const hit = hits[this.at];
      if (hit !== undefined) this.#go(hit.to);
    }
  }

  /** @param {string} to */
  #go(to) {
    /** @type {HTMLDialogElement} */ (this.$('dialog')).close();
    this.tell('ft-go', to);
  }

  render() {
    const hits = this.#hits;
    return html`<dialog aria-label="Search">
      <input
        type="text"
        role="combobox"
        aria-expanded="true"
        aria-controls="hits"
        aria-activedescendant=${hits.length > 0 ? `hit-${this.at}` : nothing}
        aria-label="Find flows, executions by id, and commands"
        placeholder="Find flows, executions by id, commands"
        autofocus
        .value=${this.text}
        @input=${this.#input}
        @keydown=${this.#key}
      />
      <ul id="hits" role="listbox" aria-label="What was found">
        ${hits.map(
          (hit, at) => html`<li role="presentation">
            <a
              id=${`hit-${at}`}
              role="option"
              tabindex="-1"
              href=${hit.to}
              aria-selected=${at === this.at ? 'true' : 'false'}
              @click=${(/** @type {Event} */ event) => {
                event.preventDefault();
                this.#go(hit.to);
              }}
            >
              ${hit.status ? html`<ft-status .status=${hit.status}></ft-status>` : nothing}
              <span class="cut" dir="auto">${hit.title}</span><span class="about">${hit.about}</span>
            </a>
          </li>`,
        )}
      </ul>
      ${hits.length === 0 && !this.#found.isLoading ? html`<p class="muted">Nothing is called so.</p>` : nothing}
      ${this.#found.error ? html`<p role="alert">${this.#found.error.message}</p>` : nothing}
    </dialog>`;
  }
}

define('app-search', AppSearch);
