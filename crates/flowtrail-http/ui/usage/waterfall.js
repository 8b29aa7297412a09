// @ts-check
/** What each node did when, to scale, and what runs within what. */

import { Element, css, define, html, nothing, repeat } from '../base/element.js';
import { duration } from '../base/format.js';

/** @typedef {import('../../client/index.js').Schemas['NodeExecution']} NodeExecution */
/** @typedef {import('../../client/index.js').Schemas['Execution']} Execution */
/** @typedef {Omit<NodeExecution, 'inputData' | 'outputData' | 'capture'>} Bar */

/**
 * Bars in the order in which they are shown, each with how deep it lies: what runs within a node stands below it.
 *
 * @param {Bar[]} nodes
 * @returns {{ node: Bar, depth: number }[]}
 */
export function nested(nodes) {
  /** @type {Map<number | null, Bar[]>} */
  const within = new Map();
  const known = new Set(nodes.map((node) => node.seq));
  for (const node of [...nodes].sort((one, other) => one.seq - other.seq)) {
    // What its node is not there for stands at the top: it may still come.
    const parent = node.parentSeq !== null && known.has(node.parentSeq) ? node.parentSeq : null;
    within.set(parent, [...(within.get(parent) ?? []), node]);
  }
  /** @type {{ node: Bar, depth: number }[]} */
  const shown = [];
  const seen = new Set();
  /** @param {number | null} parent @param {number} depth */
  const show = (parent, depth) => {
    for (const node of within.get(parent) ?? []) {
      if (seen.has(node.seq)) continue;
      seen.add(node.seq);
      shown.push({ node, depth });
      show(node.seq, depth + 1);
    }
  };
  show(null, 0);
  return shown;
}

/**
 * Round times for an axis of so many milliseconds: at most five.
 *
 * @param {number} length
 */
export function ticks(length) {
  if (length <= 0) return [];
  const raw = length / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= raw) ?? raw;
  const all = [];
  for (let at = 0; at <= length * 1.0001; at += step) all.push(at);
  return all;
}

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
      padding: 0.25rem 0 0.5rem;
      --label: minmax(7rem, 24%);
    }
    .axis,
    button {
      display: grid;
      grid-template-columns: var(--label) minmax(0, 1fr) 4.5rem;
      gap: 0 0.75rem;
      align-items: center;
      width: 100%;
      padding: 0 0.75rem 0 0.625rem;
    }
    .axis {
      height: 1.25rem;
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
      min-height: 1.75rem;
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
      opacity: 0.65;
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
    .skipped {
      color: var(--ft-muted);
    }
    @media (max-width: 479px) {
      :host {
        --label: minmax(6rem, 36%);
      }
    }
  `;

  /** @type {number | undefined} */
  #frame;

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

  disconnectedCallback() {
    super.disconnectedCallback();
    clearTimeout(this.#frame);
    this.#frame = undefined;
  }

  updated() {
    clearTimeout(this.#frame);
    if (typeof this.end !== 'function') return;
    // It grows while it runs.
    this.#frame = window.setTimeout(() => this.requestUpdate(), 100);
  }

  render() {
    const start = new Date(this.start).getTime();
    const now = typeof this.end === 'function' ? this.end() : this.end;
    /** @param {Bar} node */
    const span = (node) => {
      const from = Math.max(0, new Date(node.executedAt).getTime() - start);
      const took = node.status === 'pending' ? Math.max(0, now - start - from) : node.executionTimeMs;
      return { from, took };
    };
    const rows = nested(this.nodes).flatMap(({ node, depth }) => {
      const called = this.calls.get(node.seq);
      const below = called === undefined ? [] : nested(called.nodeExecutions);
      return [
        { key: String(node.seq), node, depth, called: undefined },
        ...below.map((each) => ({ key: `${node.seq}/${each.node.seq}`, node: each.node, depth: depth + 1 + each.depth, called })),
      ];
    });
    const ends = this.nodes.map((node) => span(node)).map(({ from, took }) => from + took);
    const length = Math.max(now - start, ...ends, 0.001);
    return html`<div class="axis" aria-hidden="true">
        <span></span>
        <span class="times">
          ${ticks(length)
            .filter((at) => at < length * 0.92)
            .map((at) => html`<span .style=${`inset-inline-start: ${(at / length) * 100}%`}>${duration(at)}</span>`)}
        </span>
        <span></span>
      </div>
      <ol aria-label="What each node did">
        ${repeat(
          rows,
          ({ key }) => key,
          ({ node, depth, called }) => this.#bar(node, depth, span(node), length, called),
        )}
      </ol>`;
  }

  /**
   * @param {Bar} node
   * @param {number} depth
   * @param {{ from: number, took: number }} span
   * @param {number} length
   * @param {Execution | undefined} called the execution that it is of, if not of this one
   */
  #bar(node, depth, { from, took }, length, called) {
    const isSkipped = node.status === 'skipped';
    const turns = [
      node.iteration === null ? undefined : `#${node.iteration + 1}`,
      node.attempt > 1 ? `try ${node.attempt}` : undefined,
    ].filter((turn) => turn !== undefined);
    const place = `inset-inline-start: ${(from / length) * 100}%; width: ${(took / length) * 100}%`;
    return html`<li>
      <button
        type="button"
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
          ${isSkipped ? nothing : html`<span class="bar ${node.status}" .style=${place}></span>`}
        </span>
        <span class="took ${isSkipped ? 'skipped' : ''}">${isSkipped ? 'skipped' : duration(took)}</span>
      </button>
    </li>`;
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
