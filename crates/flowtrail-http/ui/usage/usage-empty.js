// @ts-check
/** What a list shows that has nothing to show: how something will appear, or which filters leave everything out. */

import { Element, css, define, html, nothing } from '../base/element.js';
import { absolute } from '../base/format.js';
import { FILTERS } from './filters.js';

/** @typedef {import('./filters.js').Filters} Filters */

/** What the filters are called. @type {Record<string, string>} */
const SAYS = { q: 'text', range: 'last', minDuration: 'at least (ms)', maxDuration: 'at most (ms)', sort: 'first the longest' };

class UsageEmpty extends Element {
  static properties = {
    filters: { attribute: false },
    flowId: {},
    way: {},
    isFirst: { type: Boolean },
    searchedTo: {},
  };

  static styles = css`
    :host {
      display: grid;
      gap: 0.75rem;
      justify-items: start;
      padding: 1.5rem 1rem;
      max-width: 36rem;
    }
    .filters {
      display: flex;
      flex-wrap: wrap;
      gap: 0.375rem;
    }
  `;

  constructor() {
    super();
    /** @type {Filters} */
    this.filters = {};
    /** The flow; all flows when absent. @type {string | undefined} */
    this.flowId = undefined;
    /** How one may make an execution of it; nothing for who may not. @type {'run' | 'record' | undefined} */
    this.way = undefined;
    /** Whether it is the first page that is empty. */
    this.isFirst = true;
    /** How far it was looked, when not all was looked at. @type {string | undefined} */
    this.searchedTo = undefined;
  }

  /** @param {Partial<Filters> & { page?: undefined }} change */
  #change(change) {
    this.tell('ft-filters', change);
  }

  render() {
    const filters = Object.entries(this.filters);
    return filters.length === 0 && this.isFirst ? this.#first() : this.#none(filters);
  }

  #first() {
    const { flowId, way } = this;
    const says =
      flowId === undefined
        ? 'Call a flow over MCP or HTTP, or record a run that happens elsewhere, and it appears here while it runs.'
        : way === 'record'
          ? 'Record a run of it, and it appears here: what it was given, what each node did, and how it ended.'
          : 'Call the flow over MCP or run it from here, and it appears while it runs: what it was given, what each node did, and how it ended.';
    return html`<h2>No executions yet</h2>
      <p class="muted">${says}</p>
      ${flowId === undefined || way === undefined
        ? nothing
        : way === 'run'
          ? html`<a class="button" href=${`/flows/${flowId}/run`}>Run it now</a>`
          : html`<a class="button" href=${`/flows/${flowId}/overview`}>How to record one</a>`}`;
  }

  /** @param {[string, string | undefined][]} filters */
  #none(filters) {
    return html`<h2>${filters.length === 0 ? 'There is no such page' : 'No execution matches'}</h2>
      ${filters.length === 0
        ? nothing
        : html`<div class="filters">
            ${filters.map(
              ([name, value]) => html`<button type="button" @click=${() => this.#change({ [name]: undefined })}>
                ${SAYS[name] ?? name}: ${value} <span aria-hidden="true">×</span><span class="visually-hidden">remove</span>
              </button>`,
            )}
          </div>`}
      <button type="button" class="link" @click=${() => this.#change(Object.fromEntries(FILTERS.map((name) => [name, undefined])))}>
        ${filters.length === 0 ? 'To the first page' : 'Remove all filters'}
      </button>
      ${this.searchedTo ? html`<p class="muted">Looked back to ${absolute(this.searchedTo)}: narrow the time to look further.</p>` : nothing}`;
  }
}

define('ft-usage-empty', UsageEmpty);
