// @ts-check
/** One flow: what it is, how it is used, and what can be changed about it. */

import { NotFoundError } from '../../client/index.js';
import { href } from '../base/address.js';
import { Connected } from '../base/connection.js';
import { css, define, html, nothing } from '../base/element.js';
import { Lazy, prefetch } from '../base/lazy.js';
import { Loading } from '../base/loading.js';
import '../parts/problem.js';
import { keepState } from '../usage/keep-state.js';

/** @typedef {import('../../client/index.js').Schemas['Flow']} Flow */

/** @type {Record<string, [title: string, act: string | undefined, module: () => Promise<unknown>]>} what one has to be allowed to see it */
const TABS = {
  overview: ['Overview', undefined, () => import('./flow-overview.js')],
  usage: ['Usage', undefined, () => import('../usage/flowtrail-usage.js')],
  statistics: ['Statistics', 'seeAll', () => import('../stats/flowtrail-stats.js')],
  run: ['Run', 'call', () => import('./flow-run.js')],
  settings: ['Settings', 'change', () => import('./flow-settings.js')],
};
const bringHistory = () => import('../history/flowtrail-history.js');

class FlowPage extends Connected {
  static properties = {
    ...Connected.properties,
    address: { attribute: false },
    me: { attribute: false },
    flowId: {},
    tab: {},
    query: { attribute: false },
  };

  static styles = css`
    :host {
      display: grid;
      grid-template: auto minmax(0, 1fr) / minmax(0, 1fr);
      height: 100%;
    }
    header {
      padding: 0.75rem 1rem 0;
      border-bottom: 1px solid var(--ft-line);
    }
    .title > :not(h1, .grow) {
      flex: none;
    }
    @media (max-width: 639px) {
      h1.cut {
        display: -webkit-box;
        -webkit-box-orient: vertical;
        -webkit-line-clamp: 2;
        font-size: 0.9375rem;
        line-height: 1.25rem;
        white-space: normal;
        overflow-wrap: anywhere;
      }
      .title .mono {
        display: none;
      }
    }
    @media (max-width: 899px) {
      /* What covers the list has the room to itself. */
      .covered {
        position: relative;
        padding: 0;
        border: 0;
      }
      .covered nav,
      .covered .title > :not(h1) {
        display: none;
      }
      .covered h1 {
        position: absolute;
        width: 1px;
        height: 1px;
        overflow: hidden;
        clip-path: inset(50%);
      }
    }
    nav {
      display: flex;
      gap: 0.125rem;
      overflow-x: auto;
      scrollbar-width: none;
    }
    nav a {
      flex: none;
      padding: 0.375rem 0.5rem;
      border-bottom: 2px solid transparent;
      color: var(--ft-muted);
      font-weight: 500;
      text-decoration: none;
    }
    nav a:hover {
      color: var(--ft-text);
    }
    nav a:focus-visible {
      outline-offset: -2px;
    }
    nav a[aria-current='page'] {
      border-bottom-color: var(--ft-accent);
      color: var(--ft-text);
    }
    .content {
      min-height: 0;
      overflow: auto;
      position: relative;
    }
    .on {
      padding: 0 1rem;
    }
    .none {
      padding: 1rem;
    }
    .gone {
      padding: 0.5rem 1rem;
      background: var(--ft-error-ground);
    }
    .loading {
      display: grid;
      gap: 0.5rem;
      padding: 1rem;
    }
    .loading .shape {
      height: 1.5rem;
      width: 40%;
    }
  `;

  /** @type {Loading<Flow>} */
  #flow = new Loading(this);
  #lazy = new Lazy(this);
  #lazyHistory = new Lazy(this);

  constructor() {
    super();
    /** @type {import('../base/address.js').Address} */
    this.address = /** @type {any} */ (undefined);
    /** @type {import('../../client/index.js').Schemas['Me'] | undefined} */
    this.me = undefined;
    this.flowId = '';
    this.tab = 'overview';
    /** @type {Record<string, string>} */
    this.query = {};
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    super.willUpdate(changed);
    if (changed.has('flowId')) {
      this.#flow.forget();
      void this.#fetch();
    } else if (changed.has('tab')) void this.#fetch();
    if (changed.has('tab')) void this.#lazy.bring((TABS[this.tab] ?? TABS.overview)?.[2]);
    if (changed.has('query') && this.query.history === '1') void this.#lazyHistory.bring(bringHistory);
  }

  firstUpdated() {
    prefetch([...Object.values(TABS).map(([, , load]) => load), bringHistory]);
  }

  #fetch() {
    const id = this.flowId;
    return this.#flow.run((signal) => this.client.flows.get(id, { allowed: true, signal }));
  }

  render() {
    const flow = this.#flow.value;
    const { error } = this.#flow;
    document.title = `${flow?.name ?? 'Flow'} · Flowtrail`;
    if (flow === undefined) {
      if (error !== undefined) {
        const what = error instanceof NotFoundError ? 'There is no such flow' : 'The flow cannot be shown';
        return html`<div>
          <ft-problem .error=${error} what=${what} @ft-retry=${() => this.#fetch()}></ft-problem>
          <p class="on"><a class="button" href="/flows">To the flows</a></p>
        </div>`;
      }
      return html`<div class="loading" aria-busy="true" aria-label="Loading the flow"><div class="shape"></div><div class="shape"></div></div>`;
    }
    const isHistoryOpen = this.query.history === '1';
    const tabs = Object.entries(TABS).filter(
      ([tab, [, act]]) => (act === undefined || flow.allowed?.some((allowed) => allowed === act)) && (tab !== 'run' || flow.kind === 'runnable'),
    );
    const isCovered = this.tab === 'usage' && this.query.selected !== undefined;
    return html`<header class=${isCovered ? 'covered' : ''}>
        <div class="row title">
          <h1 class="cut" dir="auto" title=${flow.name}>${flow.name}</h1>
          ${flow.toolName === null ? nothing : html`<span class="mono muted">${flow.toolName}</span>`}
          ${flow.active ? nothing : html`<span class="muted">inactive</span>`}
          <span class="grow"></span>
          <button
            type="button"
            aria-expanded=${String(isHistoryOpen)}
            @click=${() => this.address.change({ history: isHistoryOpen ? undefined : '1' })}
          >
            History
          </button>
        </div>
        <nav aria-label="The flow">
          ${tabs.map(
            ([tab, [title]]) => html`<a href=${`/flows/${flow.id}/${tab}`} aria-current=${tab === this.tab ? 'page' : 'false'}>${title}</a>`,
          )}
        </nav>
      </header>
      <div class="content">
        ${error instanceof NotFoundError
          ? html`<p class="gone" role="alert">This flow was deleted. What it did is still there, under <a href="/executions">Executions</a>.</p>`
          : nothing}
        ${this.#lazy.error
          ? html`<ft-problem .error=${this.#lazy.error} what="This part cannot be fetched" @ft-retry=${() => this.#lazy.again()}></ft-problem>`
          : this.#tab(flow)}
        ${isHistoryOpen
          ? html`<flowtrail-history
              .connection=${this.server}
              .flowId=${flow.id}
              @flowtrail-close=${() => this.address.change({ history: undefined })}
              @flowtrail-select=${(/** @type {CustomEvent<string>} */ event) =>
                this.address.go(href(`/flows/${flow.id}/usage`, { selected: event.detail }))}
            ></flowtrail-history>`
          : nothing}
      </div>`;
  }

  /** @param {Flow} flow */
  #tab(flow) {
    // Whoever comes by the address of what they may not do is told so.
    const isRefused = (this.tab === 'settings' && !flow.allowed?.includes('change')) || (this.tab === 'run' && (flow.kind !== 'runnable' || !flow.allowed?.includes('call')));
    if (isRefused) return html`<p class="none muted">${this.tab === 'run' && flow.kind !== 'runnable' ? 'This flow runs elsewhere, and cannot be run from here.' : 'You may see this flow, and not change or run it.'}</p>`;
    /** @param {CustomEvent<Flow>} event */
    const changed = (event) => this.#flow.take({ ...event.detail, allowed: flow.allowed });
    switch (this.tab) {
      case 'usage':
        return html`<flowtrail-usage
          .connection=${this.server}
          .flowId=${flow.id}
          .way=${flow.allowed?.includes('call') ? (flow.kind === 'runnable' ? 'run' : 'record') : undefined}
          .state=${this.query}
          .hotkeys=${true}
          @flowtrail-state=${(/** @type {CustomEvent} */ event) => keepState(event, this.address, `/flows/${flow.id}/usage`)}
        ></flowtrail-usage>`;
      case 'statistics':
        return html`<flowtrail-stats
          .connection=${this.server}
          .flowId=${flow.id}
          .range=${this.query.range ?? '7d'}
          @flowtrail-range=${(/** @type {CustomEvent<string>} */ event) => {
            event.preventDefault();
            this.address.change({ range: event.detail }, { replace: true });
          }}
          @flowtrail-filter=${(/** @type {CustomEvent<Record<string, string>>} */ event) =>
            this.address.go(href(`/flows/${flow.id}/usage`, event.detail))}
        ></flowtrail-stats>`;
      case 'settings':
        return html`<flow-settings .connection=${this.server} .flow=${flow} .me=${this.me} @ft-changed=${changed}></flow-settings>`;
      case 'run':
        return html`<flow-run .connection=${this.server} .flow=${flow}></flow-run>`;
      default:
        return html`<flow-overview .connection=${this.server} .flow=${flow}></flow-overview>`;
    }
  }
}

define('flow-page', FlowPage);
