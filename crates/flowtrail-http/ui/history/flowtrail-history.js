// @ts-check
/**
 * The last executions of a flow in a panel that opens from the right: `<flowtrail-history flow-id="…">`.
 *
 * The event `flowtrail-close` tells that it was closed, `flowtrail-select` that an execution was chosen.
 */

import { Connected } from '../base/connection.js';
import { css, define, html, nothing, repeat } from '../base/element.js';
import { Doing } from '../base/doing.js';
import { absolute, count, duration, percent } from '../base/format.js';
import { Later } from '../base/later.js';
import { Loading } from '../base/loading.js';
import { ask } from '../parts/ask.js';
import '../parts/problem.js';
import { meaningOf } from '../parts/status-mark.js';
import '../parts/time-ago.js';

/** @typedef {import('../../client/index.js').Schemas['ExecutionSummary']} ExecutionSummary */
/** @typedef {import('../../client/index.js').Schemas['Statistics']} Statistics */

const LIMIT = 60;
/** How long to wait until it is fetched again after something happened, in milliseconds. */
const SOON = 500;

/** @type {Record<string, string>} */
const SIGNS = { fulfilled: '✓', error: '✗', aborted: '⊘', pending: '◔' };

const BIN = html`<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.5 9h6l.5-9M7 7v4M9 7v4" /></svg>`;

export class FlowtrailHistory extends Connected {
  static properties = {
    ...Connected.properties,
    flowId: { attribute: 'flow-id' },
  };

  static styles = css`
    :host {
      position: absolute;
      inset-block: 0;
      inset-inline-end: 0;
      z-index: 1;
      display: grid;
      grid-template-rows: auto auto minmax(0, 1fr);
      width: 24rem;
      max-width: 100%;
      border-inline-start: 1px solid var(--ft-line);
      background: var(--ft-background);
      box-shadow: -4px 0 16px rgb(0 0 0 / 0.08);
      animation: open var(--ft-quick) ease-out;
    }
    @keyframes open {
      from {
        transform: translateX(2rem);
        opacity: 0;
      }
    }
    header {
      display: flex;
      align-items: center;
      justify-content: space-between;
      padding: 0.5rem 0.5rem 0.5rem 1rem;
    }
    dl {
      display: grid;
      grid-template-columns: repeat(3, 1fr);
      gap: 1px;
      border-block: 1px solid var(--ft-line);
      background: var(--ft-line);
    }
    dl div {
      display: grid;
      padding: 0.5rem 1rem;
      background: var(--ft-background);
    }
    dt {
      color: var(--ft-muted);
      order: 1;
    }
    dd {
      font-size: 1rem;
      line-height: 1.5rem;
      font-weight: 600;
      font-variant-numeric: tabular-nums;
    }
    .rows {
      overflow: auto;
    }
    li {
      display: grid;
      grid-template-columns: 1rem minmax(0, 1fr) auto 1.5rem;
      align-items: center;
      gap: 0.625rem;
      min-height: var(--ft-row);
      padding: 0 0.5rem 0 1rem;
      border-bottom: 1px solid var(--ft-line);
    }
    li:hover {
      background: var(--ft-raised);
    }
    .sign {
      font-weight: 700;
      text-align: center;
    }
    .fulfilled .sign {
      color: var(--ft-fulfilled);
    }
    .error .sign {
      color: var(--ft-error);
    }
    .aborted .sign {
      color: var(--ft-aborted);
    }
    .pending .sign {
      color: var(--ft-pending);
    }
    .delete {
      width: 1.5rem;
      min-height: 1.5rem;
      padding: 0;
      opacity: 0;
    }
    .delete svg {
      width: 1rem;
      height: 1rem;
      fill: none;
      stroke: currentColor;
      stroke-width: 1.25;
      stroke-linecap: round;
      stroke-linejoin: round;
    }
    li:hover .delete,
    li:focus-within .delete {
      opacity: 1;
    }
    @media (hover: none) {
      .delete {
        opacity: 1;
      }
    }
    @media (max-width: 479px) {
      :host {
        width: 100%;
        border: 0;
        box-shadow: none;
      }
    }
    .time {
      justify-content: start;
      overflow: hidden;
      color: var(--ft-text);
    }
    .none {
      padding: 1rem;
    }
  `;

  /** @type {Loading<{ items: ExecutionSummary[], figures: Statistics | undefined }>} */
  #shown = new Loading(this);
  /** What may be done with it; of a flow that was deleted there is a history all the same. @type {Loading<import('../../client/index.js').Schemas['Flow']>} */
  #flow = new Loading(this);
  #doing = new Doing(this);
  #soon = new Later(this, SOON, () => this.#fetch());

  constructor() {
    super();
    this.flowId = '';
  }

  connectedCallback() {
    super.connectedCallback();
    this.setAttribute('role', 'complementary');
    this.setAttribute('aria-label', 'Execution history');
    document.addEventListener('keydown', this.#key);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    document.removeEventListener('keydown', this.#key);
  }

  /** @param {KeyboardEvent} event */
  #key = (event) => {
    if (event.key !== 'Escape' || event.defaultPrevented || !event.composedPath().includes(this)) return;
    event.preventDefault();
    this.tell('flowtrail-close');
  };

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    super.willUpdate(changed);
    if (!changed.has('flowId') && !this.isElsewhere(changed)) return;
    this.#shown.forget();
    this.#flow.forget();
    if (!this.flowId) return;
    const { flowId } = this;
    void this.#flow.run((signal) => this.client.flows.get(flowId, { allowed: true, signal }));
    void this.#fetch();
  }

  #fetch() {
    const { flowId, client } = this;
    return this.#shown.run(async (signal) => {
      const [page, figures] = await Promise.all([
        client.executions.list({ flowId, limit: LIMIT, signal }),
        // Who sees only their own executions gets no figures over everybody's.
        client.executions.stats({ flowId, signal }).catch((error) => {
          if (signal.aborted || error.status !== 403) throw error;
          return undefined;
        }),
      ]);
      return { items: page.items, figures };
    });
  }

  /** @param {import('../base/live.js').Happening[]} events */
  happened(events) {
    const isOf = (/** @type {any} */ data) => data.flowId === this.flowId;
    if (!events.some(({ type, data }) => type === 'resync' || (type.startsWith('execution.') && isOf(data)))) return;
    this.#soon.ask();
  }

  #retry() {
    this.#doing.forget();
    void this.#fetch();
  }

  /** @param {ExecutionSummary} item */
  async #delete(item) {
    const sure = await ask({
      title: 'Delete this execution?',
      text: `What it was given and did at ${absolute(item.startedAt)} will be gone for good.`,
      yes: 'Delete',
    });
    if (!sure) return;
    await this.#doing.run(async () => {
      await this.client.executions.delete(this.flowId, item.id);
      await this.#fetch();
    });
  }

  render() {
    const { value, error } = this.#shown;
    const failure = this.#doing.failure ?? error;
    return html`<header>
        <h2>History</h2>
        <button class="plain" type="button" aria-label="Close the history" @click=${() => this.tell('flowtrail-close')}>×</button>
      </header>
      ${this.standing} ${this.#figures(value?.figures)}
      <div class="rows">
        ${failure ? html`<ft-problem .error=${failure} what=${this.#doing.failure ? 'It was not deleted' : 'The history cannot be shown'} @ft-retry=${this.#retry}></ft-problem>` : nothing}
        ${value === undefined
          ? nothing
          : value.items.length === 0
            ? html`<p class="none muted">Nothing has run yet. Run the flow, and it appears here.</p>`
            : html`<ol aria-label="Executions, newest first">
                ${repeat(
                  value.items,
                  ({ id }) => id,
                  (item) => this.#row(item),
                )}
              </ol>`}
      </div>`;
  }

  /** @param {Statistics | undefined} figures */
  #figures(figures) {
    /** @type {[string, string][]} */
    const shown = [
      ['Success rate', figures === undefined ? '–' : percent(figures.successRate)],
      ['Average time', figures?.avgDuration === null || figures === undefined ? '–' : duration(figures.avgDuration)],
      ['Total runs', figures === undefined ? '–' : count(figures.total)],
    ];
    return html`<dl>${shown.map(([says, value]) => html`<div><dt>${says}</dt><dd>${value}</dd></div>`)}</dl>`;
  }

  /** @param {ExecutionSummary} item */
  #row(item) {
    const isDeletable = this.#flow.value?.allowed?.includes('change') === true && item.status !== 'pending';
    return html`<li class=${item.status}>
      <span class="sign" role="img" aria-label=${meaningOf(item)} title=${meaningOf(item)}>${SIGNS[item.status] ?? '?'}</span>
      <button class="link time" type="button" @click=${() => this.tell('flowtrail-select', item.id)}>
        <ft-ago .time=${item.startedAt} .now=${() => this.server.now()}></ft-ago>
      </button>
      <span class="number">${duration(item.duration)}</span>
      ${isDeletable
        ? html`<button class="plain delete" type="button" aria-label=${`Delete the execution of ${absolute(item.startedAt)}`} title="Delete" @click=${() => this.#delete(item)}>${BIN}</button>`
        : html`<span></span>`}
    </li>`;
  }
}

define('flowtrail-history', FlowtrailHistory);
