// @ts-check
/** All flows: how their last runs went, and ways to make one. */

import { href } from '../base/address.js';
import { Connected } from '../base/connection.js';
import { css, define, html, nothing, repeat } from '../base/element.js';
import { count, percent } from '../base/format.js';
import { Later } from '../base/later.js';
import { Lazy, prefetch } from '../base/lazy.js';
import { Loading } from '../base/loading.js';
import '../parts/pager.js';
import '../parts/problem.js';
import '../parts/status-mark.js';
import '../parts/time-ago.js';
import './status-strip.js';

/** @typedef {import('../../client/index.js').Schemas['FlowPage']} FlowPage */
/** @typedef {import('../../client/index.js').Schemas['FlowSummary']} FlowSummary */

const LIMIT = 50;
/** How long to wait until a list is fetched again after something happened, in milliseconds. */
const SOON = 1_000;

const bringNew = () => import('./flow-new.js');

class FlowsPage extends Connected {
  static properties = {
    ...Connected.properties,
    address: { attribute: false },
    query: { attribute: false },
  };

  static styles = css`
    :host {
      max-width: 80rem;
      padding: 1rem 1rem 2rem;
    }
    .head {
      display: flex;
      flex-wrap: wrap;
      gap: 0.5rem 1rem;
      align-items: center;
      margin-bottom: 0.75rem;
    }
    .head input {
      width: 16rem;
    }
    td {
      vertical-align: middle;
      height: var(--ft-row);
    }
    td:first-child {
      width: 40%;
      max-width: 0;
    }
    td a {
      color: var(--ft-text);
      font-weight: 500;
    }
    .tool {
      color: var(--ft-muted);
    }
    tr.inactive a {
      color: var(--ft-muted);
    }
    .off {
      margin-inline-start: 0.5rem;
      padding: 0 0.375rem;
      border-radius: 3px;
      background: var(--ft-sunken);
      color: var(--ft-muted);
      font-size: 0.6875rem;
    }
    .foot {
      display: flex;
      justify-content: space-between;
      align-items: center;
      margin-top: 0.5rem;
      color: var(--ft-muted);
    }
    .loading {
      display: grid;
      gap: 0.75rem;
      padding-block: 1rem;
    }
    .loading .shape {
      height: 1.5rem;
    }
    .empty {
      display: grid;
      gap: 0.75rem;
      justify-items: start;
      max-width: 44rem;
      padding-block: 1.5rem;
    }
    .empty pre {
      max-width: 100%;
      overflow: auto;
      padding: 0.5rem 0.75rem;
      border: 1px solid var(--ft-line);
      background: var(--ft-raised);
    }
    @media (max-width: 899px) {
      .wide {
        display: none;
      }
    }
    @media (max-width: 639px) {
      .middle {
        display: none;
      }
      .head input {
        order: 1;
        width: 100%;
      }
      td:first-child {
        width: 100%;
      }
    }
  `;

  /** @type {Loading<FlowPage>} */
  #page = new Loading(this);
  #asked = '';
  #soon = new Later(this, SOON, () => this.#fetch());
  #lazy = new Lazy(this);

  constructor() {
    super();
    /** @type {import('../base/address.js').Address} */
    this.address = /** @type {any} */ (undefined);
    /** @type {Record<string, string>} */
    this.query = {};
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    super.willUpdate(changed);
    const asked = JSON.stringify([this.query.q, this.query.page]);
    if (asked !== this.#asked) void this.#fetch();
    this.#asked = asked;
    if (this.query.new && this.#lazy.error === undefined) void this.#lazy.bring(bringNew);
  }

  firstUpdated() {
    prefetch([bringNew]);
  }

  #fetch() {
    const { q, page } = this.query;
    return this.#page.run((signal) =>
      this.client.flows.list({ q, page: Math.max(1, Number(page) || 1), limit: LIMIT, signal }),
    );
  }

  /** @param {import('../base/live.js').Happening[]} events */
  happened(events) {
    if (!events.some(({ type }) => type === 'resync' || type.startsWith('execution.'))) return;
    // However much happens, the list is fetched once a second at most.
    this.#soon.ask();
  }

  /** @param {Event} event */
  #search(event) {
    const q = /** @type {HTMLInputElement} */ (event.target).value.trim();
    this.address.change({ q: q || undefined, page: undefined }, { replace: true });
  }

  render() {
    const { value, error } = this.#page;
    return html`<div class="head">
        <h1>Flows</h1>
        <span class="grow"></span>
        <input
          type="search"
          placeholder="Search flows"
          aria-label="Search flows by name, tool name and description"
          .value=${this.query.q ?? ''}
          @input=${this.#search}
        />
        <a class="button" href=${href('/flows', { ...this.query, new: '1' })}>New flow</a>
      </div>
      ${this.query.new
        ? html`<flow-new
            .connection=${this.server}
            @ft-close=${() => this.address.change({ new: undefined })}
            @ft-made=${(/** @type {CustomEvent<string>} */ event) => this.address.go(`/flows/${event.detail}`)}
          ></flow-new>`
        : nothing}
      ${this.query.new && this.#lazy.error
        ? html`<ft-problem .error=${this.#lazy.error} what="This part cannot be fetched" @ft-retry=${() => this.#lazy.again()}></ft-problem>`
        : nothing}
      ${error ? html`<ft-problem .error=${error} what="The flows cannot be listed" @ft-retry=${() => this.#fetch()}></ft-problem>` : nothing}
      ${value === undefined ? (error ? nothing : loading()) : value.items.length === 0 ? this.#empty() : this.#table(value)}`;
  }

  /** @param {FlowPage} page */
  #table(page) {
    return html`<table>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col" class="wide">Tool</th>
            <th scope="col" class="middle">Last runs</th>
            <th scope="col" class="number">Success</th>
            <th scope="col" class="number middle">Runs, last day</th>
            <th scope="col" class="number">Last run</th>
          </tr>
        </thead>
        <tbody>
          ${repeat(
            page.items,
            (flow) => flow.id,
            (flow) => this.#row(flow),
          )}
        </tbody>
      </table>
      <div class="foot">
        <ft-pager
          .page=${page.page}
          .pages=${page.totalPages}
          @ft-page=${(/** @type {CustomEvent<number>} */ event) => this.address.change({ page: event.detail > 1 ? event.detail : undefined })}
        ></ft-pager>
        <span>${count(page.total)} ${page.total === 1 ? 'flow' : 'flows'}</span>
      </div>`;
  }

  /** @param {FlowSummary} flow */
  #row(flow) {
    return html`<tr class=${flow.active ? '' : 'inactive'}>
      <td class="cut">
        <a href=${`/flows/${flow.id}/usage`} dir="auto" title=${flow.description || flow.name}>${flow.name}</a>
        ${flow.active ? nothing : html`<span class="off">inactive</span>`}
        ${flow.kind === 'runnable' ? nothing : html`<span class="off">${flow.kind}</span>`}
      </td>
      <td class="wide tool mono cut">${flow.toolName ?? '–'}</td>
      <td class="middle"><status-strip .statuses=${flow.lastStatuses}></status-strip></td>
      <td class="number">${percent(flow.successRate)}</td>
      <td class="number middle">${count(flow.runsLastDay)}</td>
      <td class="number muted">
        ${flow.lastExecutionAt === null ? 'never' : html`<ft-ago .time=${flow.lastExecutionAt} .now=${() => this.server.now()}></ft-ago>`}
      </td>
    </tr>`;
  }

  #empty() {
    if (this.query.q) {
      return html`<div class="empty">
        <h2>No flow is called “${this.query.q}”</h2>
        <button type="button" @click=${() => this.address.change({ q: undefined, page: undefined })}>Show all flows</button>
      </div>`;
    }
    const file = '{"name": "Greet", "toolName": "greet", "nodes": […], "connections": […]}';
    return html`<div class="empty">
      <h2>No flows yet</h2>
      <p class="muted">Import a flow file, and agents can call it as a tool:</p>
      <pre>flowtrail flow import greet.json    # ${file}</pre>
      <p class="muted">Or record what runs elsewhere: make a flow that is only recorded, and push its runs over HTTP:</p>
      <pre>curl ${this.server.address}/api/flows -H 'Authorization: Bearer YOUR_KEY' -H 'Content-Type: application/json' -d '{"name": "Nightly import", "kind": "external"}'</pre>
      <a class="button" href="/flows?new=1">New flow</a>
    </div>`;
  }
}

function loading() {
  return html`<div class="loading" aria-busy="true" aria-label="Loading the flows">
    ${Array.from({ length: 8 }, () => html`<div class="shape"></div>`)}
  </div>`;
}

define('flows-page', FlowsPage);
