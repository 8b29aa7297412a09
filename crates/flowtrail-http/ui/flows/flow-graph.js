// @ts-check
/** A flow's graph, drawn: its nodes, how they hang together, and, where that is given, how each of them went. */

import { Element, css, define, html, nothing, svg } from '../base/element.js';
import { plural } from '../base/format.js';
import { shapeOf, shapeStyles } from '../parts/status-mark.js';
import { iconOf } from './icons.js';
import { HEIGHT, WIDTH } from './sizes.js';

/** @typedef {import('../../client/index.js').Schemas['Node']} FlowNode */
/** @typedef {import('../../client/index.js').Schemas['Connection']} Connection */
/** @typedef {{ status: string, note?: string }} State how a node went */

export class FlowGraph extends Element {
  static properties = {
    nodes: { attribute: false },
    connections: { attribute: false },
    states: { attribute: false },
    runs: { attribute: false },
    selected: {},
    problems: { attribute: false },
    room: { state: true },
  };

  static styles = [shapeStyles, css`
    :host {
      overflow: auto;
    }
    svg {
      display: block;
      margin-inline: auto;
      font-family: var(--ft-font);
    }
    .more {
      position: sticky;
      inset-inline-start: 0;
      padding: 0.25rem 0.75rem;
      color: var(--ft-muted);
    }
    .line {
      fill: none;
      stroke: var(--ft-edge);
      stroke-width: 1.25;
    }
    .line.error {
      stroke-dasharray: 4 3;
    }
    .end {
      fill: var(--ft-edge);
    }
    .handle {
      fill: var(--ft-muted);
      font-size: 10px;
    }
    .node {
      cursor: pointer;
    }
    .node:focus-visible {
      outline-offset: 2px;
    }
    .node rect.box {
      fill: var(--ft-background);
      stroke: var(--ft-line);
      stroke-width: 1;
    }
    .node:hover rect.box {
      fill: var(--ft-raised);
    }
    .node.selected rect.box {
      stroke: var(--ft-accent);
      stroke-width: 2;
    }
    .node.wrong rect.box {
      stroke: var(--ft-error);
      stroke-width: 2;
    }
    .edge {
      fill: none;
    }
    .ended {
      color: var(--ft-aborted);
    }
    .completed .ended {
      color: var(--ft-fulfilled);
    }
    .error .ended {
      color: var(--ft-error);
    }
    .pending .ended {
      color: var(--ft-pending);
    }
    .completed .edge {
      fill: var(--ft-fulfilled);
    }
    .error .edge {
      fill: var(--ft-error);
    }
    .pending .edge {
      fill: var(--ft-pending);
    }
    .aborted .edge {
      fill: var(--ft-aborted);
    }
    .run {
      fill: var(--ft-edge);
    }
    .run.completed {
      fill: var(--ft-fulfilled);
    }
    .run.error {
      fill: var(--ft-error);
    }
    .run.aborted {
      fill: var(--ft-aborted);
    }
    .run.pending {
      fill: var(--ft-pending);
    }
    .skipped rect.box,
    .unrun rect.box {
      stroke-dasharray: 3 3;
    }
    .icon {
      fill: none;
      stroke: var(--ft-muted);
      stroke-width: 1.25;
      stroke-linecap: round;
      stroke-linejoin: round;
    }
    .name {
      fill: var(--ft-text);
      font-size: 12px;
      font-weight: 500;
    }
    .type {
      fill: var(--ft-muted);
      font-size: 10.5px;
    }
  `];

  constructor() {
    super();
    /** @type {FlowNode[]} */
    this.nodes = [];
    /** @type {Connection[]} */
    this.connections = [];
    /** How each node went, by its id. @type {Map<string, State> | undefined} */
    this.states = undefined;
    /** How each node went in the last runs, the newest last, by its id. @type {Map<string, string[]> | undefined} */
    this.runs = undefined;
    /** The id of the node that is chosen. @type {string | undefined} */
    this.selected = undefined;
    /** The ids of nodes with which something is wrong. @type {Set<string> | undefined} */
    this.problems = undefined;
    /** How wide it may be without being scrolled. */
    this.room = Infinity;
  }

  /** @type {import('./layout.js').Layout | undefined} */
  #layout;
  #sizes = new ResizeObserver(() => {
    this.room = this.clientWidth;
  });

  connectedCallback() {
    super.connectedCallback();
    this.#sizes.observe(this);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#sizes.disconnect();
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    if (changed.has('nodes') || changed.has('connections')) void this.#layOut();
  }

  async #layOut() {
    const { nodes, connections } = this;
    // What lays out is as large as all the rest of the page, and most pages show no graph.
    const { layOut } = await import('./layout.js');
    if (nodes !== this.nodes || connections !== this.connections) return;
    this.#layout = layOut(nodes, connections);
    this.requestUpdate();
  }

  render() {
    const layout = this.#layout;
    if (layout === undefined || this.nodes.length === 0) return nothing;
    return html`${layout.width > this.room
        ? html`<p class="more">${plural(this.nodes.length, 'node')}: scroll sideways to see them all</p>`
        : nothing}<svg
      width=${layout.width}
      height=${layout.height}
      viewBox=${`0 0 ${layout.width} ${layout.height}`}
      role="group"
      aria-label=${`Graph of ${this.nodes.length} nodes`}
    >
      <defs>
        <marker id="end" viewBox="0 0 6 6" refX="5.5" refY="3" markerWidth="6" markerHeight="6" orient="auto">
          <path class="end" d="M0 0L6 3L0 6z" />
        </marker>
      </defs>
      ${layout.lines.map(
        ({ connection, path, label }) => svg`<path class="line ${connection.sourceHandle ?? ''}" d=${path} marker-end="url(#end)" />
          ${connection.sourceHandle ? svg`<text class="handle" x=${label.x} y=${label.y}>${connection.sourceHandle}</text>` : nothing}`,
      )}
      ${layout.nodes.map((placed) => this.#node(placed))}
    </svg>`;
  }

  /** @param {import('./layout.js').Placed} placed */
  #node({ node, x, y }) {
    const state = this.states?.get(node.id);
    const status = this.states === undefined ? '' : (state?.status ?? 'unrun');
    const said = state === undefined ? node.type : `${node.type} · ${state.note ?? state.status}`;
    const classes = `node ${status} ${node.id === this.selected ? 'selected' : ''} ${node.id !== undefined && this.problems?.has(node.id) ? 'wrong' : ''}`;
    const runs = this.runs?.get(node.id ?? '') ?? [];
    const went = runs.length === 0 ? '' : `; ${wentOf(runs)}`;
    /** @param {KeyboardEvent} event */
    const key = (event) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      this.tell('ft-graph-node', node.id);
    };
    return svg`<g
      class=${classes}
      transform=${`translate(${x - WIDTH / 2} ${y - HEIGHT / 2})`}
      role="button"
      tabindex="0"
      aria-label=${`${node.name}, ${said}${went}`}
      aria-pressed=${node.id === this.selected ? 'true' : 'false'}
      @click=${() => this.tell('ft-graph-node', node.id)}
      @keydown=${key}
    >
      <title>${node.name} (${said})${went}</title>
      <rect class="box" x="0.5" y="0.5" width=${WIDTH - 1} height=${HEIGHT - 1} rx="4" />
      ${state === undefined
        ? nothing
        : svg`<rect class="edge" x="1" y="1" width="3" height=${HEIGHT - 2} rx="1.5" />
            <g class="ended shape-of" transform=${`translate(${WIDTH - 22} 8) scale(0.875)`}>${shapeOf(state.status)}</g>`}
      <g class="icon" transform="translate(12 16)">${iconOf(node.type)}</g>
      <text class="name" x="38" y="21">${cut(node.name ?? node.id ?? '', state === undefined ? 19 : 16)}</text>
      <text class="type" x="38" y=${runs.length === 0 ? 36 : 34}>${cut(said, 23)}</text>
      ${runs.map((status, at) => svg`<rect class=${`run ${status}`} x=${38 + at * 6} y=${HEIGHT - 4 - tallOf(status)} width="4" height=${tallOf(status)} />`)}
    </g>`;
  }
}

/** How tall the mark of a run is: they differ in more than their colour. @param {string} status */
const tallOf = (status) => ({ error: 7, aborted: 5, completed: 4, pending: 2 })[status] ?? 1;

/**
 * What the marks say, in words.
 *
 * @param {string[]} runs
 */
function wentOf(runs) {
  const counted = ['error', 'aborted', 'pending', 'completed', 'skipped']
    .map((status) => ({ status, number: runs.filter((each) => each === status).length }))
    .filter(({ number }) => number > 0);
  return `of the last ${plural(runs.length, 'run')}: ${counted.map(({ status, number }) => `${number} ${status}`).join(', ')}`;
}

/**
 * A text that fits: what is drawn does not cut itself.
 *
 * @param {string} text
 * @param {number} length
 */
function cut(text, length) {
  const characters = [...text];
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}

define('ft-flow-graph', FlowGraph);
