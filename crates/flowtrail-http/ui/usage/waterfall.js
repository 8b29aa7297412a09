// @ts-check
/** What each node did when, to scale, and what runs within what. */

import { Element, css, define, html, nothing, repeat } from '../base/element.js';
import { duration } from '../base/format.js';
import { Later } from '../base/later.js';

import { VisibleRows } from '../base/visible-rows.js';
import '../parts/status-mark.js';
import { rowsOf, spanOf, ticks } from './bars.js';

/** @typedef {import('./bars.js').Bar} Bar */
/** @typedef {import('./bars.js').Row} Row */
/** @typedef {import('../../client/index.js').Schemas['Execution']} Execution */

/** The height of a row and of the axis, in rem. */
const ROW = 1.75;
const AXIS = 1.25;
/** How often what runs is drawn longer, in milliseconds. */
const GROWS = 100;

export class Waterfall extends Element {
  static properties = {
    nodes: { attribute: false },
    calls: { attribute: false },
    start: {},
    end: { attribute: false },
    selected: { type: Number },
  };

  static styles = css`
    :host {
      display: flex;
      flex-direction: column;
      min-height: 0;
      --label: minmax(7rem, 24%);
    }
    .scroll {
      flex: 1;
      min-height: 0;
      overflow: auto;
      padding-block-end: 0.5rem;
    }
    .rows,
    ol {
      position: relative;
    }
    li {
      position: absolute;
      inset-inline: 0;
      height: 1.75rem;
    }
    .axis,
    .marks,
    button {
      display: grid;
      grid-template-columns: var(--label) minmax(0, 1fr) 4.5rem;
      gap: 0 0.75rem;
      align-items: center;
      width: 100%;
      padding: 0 0.75rem;
    }
    button {
      padding-inline-start: 0.625rem;
    }
    .axis {
      position: sticky;
      z-index: 1;
      top: 0;
      height: 1.25rem;
      background: var(--ft-background);
      color: var(--ft-muted);
      font-size: 0.6875rem;
    }
    .axis .times {
      position: relative;
      height: 1.25rem;
    }
    .axis .times span {
      position: absolute;
      padding-inline-start: 0.1875rem;
      border-inline-start: 1px solid var(--ft-line);
      white-space: nowrap;
    }
    button {
      height: 100%;
      border: 0;
      border-inline-start: 2px solid transparent;
      border-radius: 0;
      background: none;
      font-weight: 400;
      text-align: start;
      justify-content: stretch;
    }
    button:hover:not(:disabled) {
      background: var(--ft-raised);
    }
    button:focus-visible {
      outline-offset: -2px;
    }
    button[aria-pressed='true'] {
      border-inline-start-color: var(--ft-accent);
      background: var(--ft-selected);
    }
    .axis .end {
      inset-inline-end: 0;
      border-inline: 0 solid var(--ft-line);
      border-inline-end-width: 1px;
      padding-inline: 0 0.1875rem;
    }
    /* The marks of the axis, behind the bars. */
    .marks {
      position: absolute;
      inset: 0;
      align-items: stretch;
      pointer-events: none;
    }
    .marks > span {
      position: relative;
      grid-column: 2;
      border-inline-end: 1px solid var(--ft-line);
    }
    .marks i {
      position: absolute;
      inset-block: 0;
      border-inline-start: 1px solid var(--ft-line);
    }
    .name {
      display: flex;
      align-items: center;
      gap: 0.375rem;
      min-width: 0;
    }
    .name .turn {
      color: var(--ft-muted);
      font-size: 0.6875rem;
      white-space: nowrap;
    }
    .called .bar {
      opacity: 0.8;
    }
    .track {
      position: relative;
      height: 0.75rem;
    }
    .bar {
      position: absolute;
      inset-block: 0;
      min-width: 2px;
      border-radius: 2px;
      background: var(--ft-aborted);
    }
    .bar.completed {
      background: var(--ft-accent);
    }
    .bar.error {
      background: var(--ft-error);
    }
    .bar.pending {
      background: repeating-linear-gradient(
        -45deg,
        var(--ft-pending) 0 4px,
        color-mix(in srgb, var(--ft-pending) 55%, transparent) 4px 8px
      );
    }
    .took {
      color: var(--ft-muted);
      font-variant-numeric: tabular-nums;
      text-align: end;
      white-space: nowrap;
    }
    .skipped,
    .unknown {
      color: var(--ft-muted);
    }
    .unknown {
      font-style: italic;
    }
    @media (max-width: 479px) {
      :host {
        --label: minmax(6rem, 36%);
      }
      .axis .times span:not(:first-child, .end) {
        display: none;
      }
    }
  `;

  #visible = new VisibleRows(this, ROW, AXIS);
  #later = new Later(this, GROWS, () => this.requestUpdate());
  /** @type {Row[]} */
  #rows = [];
  /** How far what has ended reaches, in milliseconds. */
  #reach = 0;
  /** The row that the keyboard is at. */
  #at = 0;

  constructor() {
    super();
    /** @type {Bar[]} */
    this.nodes = [];
    /** The executions that were called, by the number of the node that called. @type {Map<number, Execution>} */
    this.calls = new Map();
    /** When the execution began. */
    this.start = '';
    /** When it ended, in milliseconds, or what gives the time while it runs. @type {number | (() => number)} */
    this.end = 0;
    /** The number of the node whose data is shown. */
    this.selected = 0;
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    const isOther = changed.has('nodes') || changed.has('calls') || changed.has('start');
    if (isOther) {
      const start = new Date(this.start).getTime();
      const here = this.#rows[this.#at]?.key;
      this.#rows = rowsOf(this.nodes, this.calls);
      this.#reach = this.#rows.reduce((reach, { node }) => {
        const { from, took } = spanOf(node, start, start);
        return from === undefined ? reach : Math.max(reach, from + (took ?? 0));
      }, 0);
      this.#at = Math.max(0, this.#rows.findIndex(({ key }) => key === here));
    }
    if (changed.has('selected')) {
      const at = this.#rows.findIndex(({ node, called }) => called === undefined && node.seq === this.selected);
      if (at >= 0) this.#at = at;
    }
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  updated(changed) {
    const isShown = this.#rows[this.#at]?.key === String(this.selected);
    if (isShown && (changed.has('selected') || changed.has('calls'))) this.#visible.bring(this.$('.scroll'), this.#at);
    // It grows while it runs.
    if (typeof this.end === 'function') this.#later.ask();
    else this.#later.stop();
  }

  /** @param {number} at */
  async #go(at) {
    this.#at = Math.max(0, Math.min(at, this.#rows.length - 1));
    this.#visible.bring(this.$('.scroll'), this.#at);
    this.requestUpdate();
    await this.updateComplete;
    this.$('button[tabindex="0"]')?.focus();
  }

  /** @param {number} at */
  #focused(at) {
    if (at === this.#at) return;
    this.#at = at;
    this.requestUpdate();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { page } = this.#visible;
    /** @type {Record<string, number>} */
    const keys = {
      ArrowDown: this.#at + 1,
      ArrowUp: this.#at - 1,
      PageDown: this.#at + page,
      PageUp: this.#at - page,
      Home: 0,
      End: this.#rows.length - 1,
    };
    const at = keys[event.key];
    if (at === undefined) return;
    event.preventDefault();
    void this.#go(at);
  }

  render() {
    const start = new Date(this.start).getTime();
    const now = typeof this.end === 'function' ? this.end() : this.end;
    const length = Math.max(now - start, this.#reach, 0.001);
    const shown = ticks(length).filter((at) => at < length * 0.85);
    /** @param {number} at */
    const placeOf = (at) => `inset-inline-start: ${(at / length) * 100}%`;
    const [first, last] = this.#visible.range(this.#rows.length);
    const drawn = this.#rows.slice(first, last).map((row, place) => ({ row, at: first + place }));
    // The one that the keyboard is at stays, wherever it is: without it the keyboard would be nowhere.
    const here = this.#rows[this.#at];
    if (here !== undefined && (this.#at < first || this.#at >= last)) drawn.push({ row: here, at: this.#at });
    return html`<div class="scroll" @scroll=${this.#visible.scrolled} @keydown=${this.#key}>
      <div class="axis" aria-hidden="true">
        <span></span>
        <span class="times">
          ${shown.map((at) => html`<span .style=${placeOf(at)}>${duration(at)}</span>`)}
          <span class="end">${length < 9.95 ? `${length.toFixed(1)} ms` : duration(length)}</span>
        </span>
        <span></span>
      </div>
      <div class="rows">
      <div class="marks" aria-hidden="true"><span>${shown.map((at) => html`<i .style=${placeOf(at)}></i>`)}</span></div>
      <ol aria-label="What each node did" .style=${this.#visible.whole(this.#rows.length)}>
        ${repeat(
          drawn,
          ({ row }) => row.key,
          ({ row, at }) =>
            html`<li aria-setsize=${this.#rows.length} aria-posinset=${at + 1} .style=${this.#visible.place(at)}>
              ${this.#bar(row, at, spanOf(row.node, start, now), length)}
            </li>`,
        )}
      </ol>
      </div>
    </div>`;
  }

  /**
   * @param {Row} row
   * @param {number} at its number
   * @param {{ from: number | undefined, took: number | undefined }} span
   * @param {number} length
   */
  #bar({ node, depth, called }, at, { from, took }, length) {
    const isSkipped = node.status === 'skipped';
    const turns = [
      node.iteration === null ? undefined : `#${node.iteration + 1}`,
      node.attempt > 1 ? `try ${node.attempt}` : undefined,
    ].filter((turn) => turn !== undefined);
    // What was not reported is not drawn: the row keeps its place in the order.
    const place = from === undefined ? undefined : `inset-inline-start: ${(from / length) * 100}%; width: ${((took ?? 0) / length) * 100}%`;
    return html`<button
        type="button"
        tabindex=${at === this.#at ? 0 : -1}
        @focus=${() => this.#focused(at)}
        class=${called === undefined ? '' : 'called'}
        aria-pressed=${called === undefined && node.seq === this.selected ? 'true' : 'false'}
        title=${`${called === undefined ? '' : `${called.flowName}: `}${node.nodeName} (${node.nodeType})${node.error ? `: ${node.error}` : ''}`}
        @click=${() => (called === undefined ? this.tell('ft-node', node.seq) : this.tell('ft-call', called.id))}
      >
        <span class="name" .style=${`padding-inline-start: ${Math.min(depth, 8)}rem`}>
          <ft-status .status=${node.status} .label=${NODE_MEANING[node.status]}></ft-status>
          <span class="cut" dir="auto">${node.nodeName}</span>
          ${turns.length > 0 ? html`<span class="turn">${turns.join(' ')}</span>` : nothing}
        </span>
        <span class="track">
          ${isSkipped || place === undefined ? nothing : html`<span class="bar ${node.status}" .style=${place}></span>`}
          ${isSkipped || place !== undefined ? nothing : html`<span class="unknown">start not reported</span>`}
        </span>
        <span class="took ${isSkipped ? 'skipped' : ''}">${isSkipped ? 'skipped' : took === undefined ? '–' : duration(took)}</span>
      </button>`;
  }
}

/** @type {Record<string, string>} */
const NODE_MEANING = {
  pending: 'Runs',
  completed: 'Completed successfully',
  error: 'Failed',
  aborted: 'Stopped before it finished',
  skipped: 'Not run',
};

define('ft-waterfall', Waterfall);
