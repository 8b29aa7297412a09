// @ts-check
/** Statistics of everything, and a table of the flows, each row leading to its executions. */

import { href } from '../base/address.js';
import { Connected } from '../base/connection.js';
import { css, define, html, nothing } from '../base/element.js';
import { count, duration, percent } from '../base/format.js';
import { Loading } from '../base/loading.js';
import { fromOf } from '../usage/time-range.js';
import './flowtrail-stats.js';

/** @typedef {import('../../client/index.js').Schemas['Statistics']} Statistics */
/** @typedef {{ id: string, name: string, figures: Statistics }} Row */

/** How many flows are asked for, and how many at once. */
const MOST = 100;
const AT_ONCE = 6;

/** @type {[name: string, title: string, value: (row: Row) => number | string, show: (row: Row) => unknown][]} */
const COLUMNS = [
  ['name', 'Flow', ({ name }) => name.toLowerCase(), ({ name }) => name],
  ['total', 'Runs', ({ figures }) => figures.total, ({ figures }) => count(figures.total)],
  ['successRate', 'Success', ({ figures }) => figures.successRate ?? -1, ({ figures }) => percent(figures.successRate)],
  ['error', 'Failed', ({ figures }) => figures.error, ({ figures }) => count(figures.error)],
  ['p50Duration', 'p50', ({ figures }) => figures.p50Duration ?? -1, ({ figures }) => (figures.p50Duration === null ? '–' : duration(figures.p50Duration))],
  ['p95Duration', 'p95', ({ figures }) => figures.p95Duration ?? -1, ({ figures }) => (figures.p95Duration === null ? '–' : duration(figures.p95Duration))],
];

class StatisticsPage extends Connected {
  static properties = {
    ...Connected.properties,
    address: { attribute: false },
    query: { attribute: false },
    sort: { state: true },
    isDown: { state: true },
  };

  static styles = css`
    :host {
      max-width: 90rem;
    }
    .flows {
      padding: 0.5rem 1rem 2rem;
    }
    th button.plain {
      min-height: 1.5rem;
      padding: 0;
      border: 0;
      font-weight: 500;
    }
    .zero {
      color: var(--ft-muted);
    }
    td:first-child {
      width: 50%;
      max-width: 0;
    }
    @media (max-width: 639px) {
      .wide {
        display: none;
      }
    }
  `;

  /** @type {Loading<Row[]>} */
  #rows = new Loading(this);
  /** How many flows were not asked for. */
  #others = 0;
  #asked = '';

  constructor() {
    super();
    /** @type {import('../base/address.js').Address} */
    this.address = /** @type {any} */ (undefined);
    /** @type {Record<string, string>} */
    this.query = {};
    this.sort = 'total';
    this.isDown = true;
  }

  get #range() {
    return this.query.range ?? '7d';
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    super.willUpdate(changed);
    if (this.#asked !== this.#range) void this.#fetch();
    this.#asked = this.#range;
  }

  #fetch() {
    const { client } = this;
    const from = fromOf(this.#range, this.server.now());
    return this.#rows.run(async (signal) => {
      const page = await client.flows.list({ limit: MOST, signal });
      this.#others = page.total - page.items.length;
      const waiting = page.items.filter((flow) => flow.lastExecutionAt !== null);
      /** @type {Row[]} */
      const rows = [];
      const worker = async () => {
        for (let flow = waiting.shift(); flow !== undefined; flow = waiting.shift()) {
          const { id, name } = flow;
          try {
            rows.push({ id, name, figures: await client.executions.stats({ flowId: id, from, signal }) });
          } catch (error) {
            // Of a flow that one may only call there are no figures, and of one that was just deleted.
            const status = /** @type {any} */ (error).status;
            if (signal.aborted || (status !== 403 && status !== 404)) throw error;
          }
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      return rows.filter(({ figures }) => figures.total > 0);
    }, this.#range);
  }

  render() {
    const rows = this.#rows.value;
    return html`<flowtrail-stats
        .connection=${this.server}
        .range=${this.#range}
        @flowtrail-range=${(/** @type {CustomEvent<string>} */ event) => {
          event.preventDefault();
          this.address.change({ range: event.detail }, { replace: true });
        }}
        @flowtrail-filter=${(/** @type {CustomEvent<Record<string, string>>} */ event) => this.address.go(href('/executions', event.detail))}
      ></flowtrail-stats>
      <section class="flows">
        <h2>Flows</h2>
        ${this.#rows.error ? html`<ft-problem .error=${this.#rows.error} what="The flows cannot be listed" @ft-retry=${() => this.#fetch()}></ft-problem>` : nothing}
        ${rows === undefined ? nothing : rows.length === 0 ? html`<p class="muted">No flow ran in this time.</p>` : this.#table(rows)}
        ${this.#others > 0
          ? html`<p class="muted">Of ${count(this.#others + MOST)} flows these are among the first ${MOST} by name; the figures above are of all.</p>`
          : nothing}
      </section>`;
  }

  /** @param {Row[]} rows */
  #table(rows) {
    const column = COLUMNS.find(([name]) => name === this.sort) ?? COLUMNS[0];
    const sorted = [...rows].sort((one, other) => {
      const [left, right] = [column?.[2](one) ?? 0, column?.[2](other) ?? 0];
      const order = left < right ? -1 : left > right ? 1 : 0;
      return this.isDown ? -order : order;
    });
    return html`<table>
      <thead>
        <tr>
          ${COLUMNS.map(([name, title], at) => {
            const isSorted = name === this.sort;
            return html`<th scope="col" class="${at > 0 ? 'number' : ''} ${at > 3 ? 'wide' : ''}" aria-sort=${isSorted ? (this.isDown ? 'descending' : 'ascending') : 'none'}>
              <button class="plain" type="button" @click=${() => this.#sortBy(name)}>${title}${isSorted ? (this.isDown ? ' ↓' : ' ↑') : ''}</button>
            </th>`;
          })}
        </tr>
      </thead>
      <tbody>
        ${sorted.map(
          (row) => html`<tr>
            ${COLUMNS.map(([name, , , show], at) =>
              at === 0
                ? html`<td class="cut"><a dir="auto" href=${href(`/flows/${row.id}/usage`, { range: this.#range })}>${row.name}</a></td>`
                : html`<td class="number ${at > 3 ? 'wide' : ''} ${name === 'error' && row.figures.error === 0 ? 'zero' : ''}">
                    ${name === 'error' && row.figures.error > 0
                      ? html`<a href=${href(`/flows/${row.id}/usage`, { range: this.#range, status: 'error' })}>${show(row)}</a>`
                      : show(row)}
                  </td>`,
            )}
          </tr>`,
        )}
      </tbody>
    </table>`;
  }

  /** @param {string} name */
  #sortBy(name) {
    this.isDown = this.sort === name ? !this.isDown : name !== 'name';
    this.sort = name;
  }
}

define('statistics-page', StatisticsPage);
