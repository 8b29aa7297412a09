// @ts-check
/** What of the executions is listed. */

import { live } from '../../vendor/lit-html/directives/live.js';
import { Element, css, define, html, nothing } from '../base/element.js';
import { absolute } from '../base/format.js';

/**
 * @typedef {object} Filters
 * @property {string} [status]
 * @property {string} [source]
 * @property {string} [range] how far back, as `24h` or `7d`
 * @property {string} [from]
 * @property {string} [to]
 * @property {string} [minDuration]
 * @property {string} [maxDuration]
 * @property {string} [tag]
 * @property {string} [user]
 * @property {string} [q]
 * @property {string} [sort]
 */

/** The names of all of them. @type {(keyof Filters)[]} */
export const FILTERS = ['status', 'source', 'range', 'from', 'to', 'minDuration', 'maxDuration', 'tag', 'user', 'q', 'sort'];

const STATUSES = ['pending', 'fulfilled', 'error', 'aborted'];
const SOURCES = ['mcp', 'api', 'embedded', 'proxy', 'replay'];
/** @type {[string, string][]} */
export const RANGES = [
  ['1h', 'last hour'],
  ['24h', 'last 24 hours'],
  ['7d', 'last 7 days'],
  ['30d', 'last 30 days'],
  ['90d', 'last 90 days'],
];
/** Filters that are added when they are needed: their names, what they say, and an example. @type {[keyof Filters, string, string][]} */
const MORE = [
  ['minDuration', 'at least (ms)', '1000'],
  ['maxDuration', 'at most (ms)', '60000'],
  ['tag', 'tag', 'key:value'],
  ['user', 'user id', '01a2…'],
];

export class UsageFilters extends Element {
  static properties = { filters: { attribute: false }, added: { state: true } };

  static styles = css`
    :host {
      padding: 0.375rem 0.625rem;
      border-bottom: 1px solid var(--ft-line);
    }
    form {
      display: flex;
      flex-wrap: wrap;
      gap: 0.375rem;
      align-items: center;
    }
    select,
    input {
      max-width: 9.5rem;
    }
    select {
      padding-inline: 0.25rem;
    }
    input[type='search'] {
      flex: 1 1 7rem;
      min-width: 6rem;
      max-width: none;
    }
    .set {
      border-color: var(--ft-accent);
      color: var(--ft-accent);
    }
    label {
      display: flex;
      align-items: center;
      gap: 0.25rem;
      color: var(--ft-muted);
    }
    label input {
      width: 6.5rem;
    }
    .chip {
      display: inline-flex;
      align-items: center;
      gap: 0.25rem;
      min-height: 1.5rem;
      padding-inline: 0.5rem 0.125rem;
      border-radius: var(--ft-radius);
      background: var(--ft-sunken);
    }
    .chip button {
      min-height: 1.25rem;
    }
  `;

  constructor() {
    super();
    /** @type {Filters} */
    this.filters = {};
    /** Those of which there is no value yet. @type {Set<string>} */
    this.added = new Set();
  }

  /** Puts the cursor where one searches. */
  focusSearch() {
    const search = /** @type {HTMLInputElement | null} */ (this.$('input[type="search"]'));
    search?.focus();
    search?.select();
  }

  /** @param {Partial<Filters>} change */
  #change(change) {
    this.tell('ft-filters', change);
  }

  /** @param {Event} event */
  #input(event) {
    const field = /** @type {HTMLInputElement} */ (event.target);
    this.#change({ [field.name]: field.value.trim() || undefined });
  }

  /** @param {Event} event */
  #add(event) {
    const select = /** @type {HTMLSelectElement} */ (event.target);
    const name = select.value;
    select.value = '';
    if (name === 'longest') this.#change({ sort: 'duration' });
    else this.added = new Set([...this.added, name]);
    void this.updateComplete.then(() => this.$(`input[name="${name}"]`)?.focus());
  }

  /** @param {string} name */
  #remove(name) {
    this.added = new Set([...this.added].filter((added) => added !== name));
    this.#change({ [name]: undefined });
  }

  render() {
    const { filters } = this;
    const more = MORE.filter(([name]) => filters[name] !== undefined || this.added.has(name));
    const isBrushed = filters.from !== undefined || filters.to !== undefined;
    return html`<form role="search" aria-label="Filters" @submit=${(/** @type {Event} */ event) => event.preventDefault()}>
      ${this.#select('status', 'any status', STATUSES.map((status) => [status, status]))}
      ${this.#select('source', 'any source', SOURCES.map((source) => [source, source]))}
      ${isBrushed
        ? this.#chip(brushed(filters), () => this.#change({ from: undefined, to: undefined }))
        : this.#select('range', 'any time', RANGES)}
      ${more.map(
        ([name, says, example]) => html`<label>
          ${says}
          <input name=${name} placeholder=${example} .value=${filters[name] ?? ''} @change=${this.#input} />
          <button class="plain" type="button" aria-label=${`Remove the filter ${says}`} @click=${() => this.#remove(name)}>×</button>
        </label>`,
      )}
      ${filters.sort === 'duration' ? this.#chip('longest first', () => this.#change({ sort: undefined })) : nothing}
      <select aria-label="Add a filter" @change=${this.#add}>
        <option value="">+ filter</option>
        ${MORE.filter((each) => !more.includes(each)).map(([name, says]) => html`<option value=${name}>${says}</option>`)}
        ${filters.sort === 'duration' ? nothing : html`<option value="longest">longest first</option>`}
      </select>
      <input
        type="search"
        name="q"
        placeholder="Text or id, then Enter ( / )"
        class=${filters.q === undefined ? '' : 'set'}
        aria-label="Search names, previews, errors and ids"
        .value=${filters.q ?? ''}
        @change=${this.#input}
        @search=${this.#input}
      />
    </form>`;
  }

  /**
   * @param {'status' | 'source' | 'range'} name
   * @param {string} any
   * @param {[string, string][] | string[][]} options
   */
  #select(name, any, options) {
    const value = this.filters[name] ?? '';
    return html`<select
      name=${name}
      class=${value === '' ? '' : 'set'}
      aria-label=${name === 'range' ? 'Time' : name[0]?.toUpperCase() + name.slice(1)}
      .value=${live(value)}
      @change=${this.#input}
    >
      <option value="" ?selected=${value === ''}>${any}</option>
      ${options.map(([each, says]) => html`<option value=${each} ?selected=${each === value}>${says}</option>`)}
    </select>`;
  }

  /**
   * @param {string} says
   * @param {() => void} remove
   */
  #chip(says, remove) {
    return html`<span class="chip">${says}<button class="plain" type="button" aria-label=${`Remove the filter: ${says}`} @click=${remove}>×</button></span>`;
  }
}

/** @param {Filters} filters */
function brushed({ from, to }) {
  if (from === undefined) return `before ${absolute(to ?? 0)}`;
  return to === undefined ? `since ${absolute(from)}` : `${absolute(from)} – ${absolute(to)}`;
}

define('ft-filters', UsageFilters);
