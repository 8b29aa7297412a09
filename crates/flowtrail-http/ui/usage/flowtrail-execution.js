// @ts-check
/**
 * An execution with all that is known of it: `<flowtrail-execution execution-id="…">`.
 *
 * What is chosen within it can be given and is told of: `node` (a number; 0 is the execution itself), `tab`, `view`, by the event
 * `flowtrail-choose` with what has changed.
 */

import { NotFoundError } from '../../client/index.js';
import { Connected } from '../base/connection.js';
import { css, define, html, nothing } from '../base/element.js';
import { Lazy } from '../base/lazy.js';
import '../parts/problem.js';
import '../parts/split.js';
import { blamed } from './compare.js';
import { ExecutionData } from './execution-data.js';
import './execution-header.js';
import './node-data.js';
import { executionParts, firstOf, isRejected, nodeParts, telling } from './telling.js';
import './waterfall.js';

/** @typedef {import('../../client/index.js').Schemas['Execution']} Execution */
/** @typedef {import('../../client/index.js').Schemas['NodeExecution']} NodeExecution */

const bringGraph = () => import('./execution-graph.js');

/** It called nobody. @type {Map<number, Execution>} */
const NONE = new Map();

export class FlowtrailExecution extends Connected {
  static properties = {
    ...Connected.properties,
    executionId: { attribute: 'execution-id' },
    node: { type: Number },
    tab: {},
    view: {},
    isClosable: { type: Boolean },
    isAsked: { type: Boolean },
  };

  static styles = css`
    :host {
      display: flex;
      flex-direction: column;
      min-height: 0;
      height: 100%;
      background: var(--ft-background);
    }
    .failure {
      padding: 0.5rem 0.75rem;
      border-bottom: 1px solid var(--ft-line);
      border-inline-start: 2px solid var(--ft-error);
      background: var(--ft-error-ground);
      overflow-wrap: anywhere;
      max-height: 8rem;
      overflow: auto;
    }
    .failure.aborted {
      border-inline-start-color: var(--ft-aborted);
      background: var(--ft-raised);
    }
    .failure p {
      unicode-bidi: plaintext;
    }
    .views {
      display: flex;
      align-items: center;
      gap: 0.25rem;
      padding: 0.25rem 0.5rem 0.25rem 0.625rem;
      border-bottom: 1px solid var(--ft-line);
    }
    .views .end {
      margin-inline-start: auto;
    }
    .first {
      display: flex;
      flex-direction: column;
    }
    ft-waterfall,
    ft-execution-graph {
      flex: 1;
      min-height: 0;
      overflow: auto;
    }
    ft-split {
      flex: 1;
      min-height: 0;
    }
    .loading {
      display: grid;
      gap: 0.5rem;
      padding: 1rem 0.75rem;
    }
    .loading .shape {
      height: 1.25rem;
    }
    .loading .shape:nth-child(2) {
      width: 60%;
    }
    .loading .shape:nth-child(3) {
      width: 80%;
    }
    .none {
      padding: 1rem 0.75rem;
      color: var(--ft-muted);
    }
  `;

  #data = new ExecutionData(this, (found) => this.#fetched(found));
  #lazy = new Lazy(this);
  /** Whether somebody chose the node, and not this component. */
  #isChosen = false;

  constructor() {
    super();
    this.executionId = '';
    /** The number of the node that is shown; 0 is the execution itself. @type {number | undefined} */
    this.node = undefined;
    /** Which of its data is shown. */
    this.tab = '';
    /** @type {'waterfall' | 'graph'} */
    this.view = 'waterfall';
    /** Whether there is something behind it, to which it can be closed. */
    this.isClosable = false;
    /** Whether somebody waits for its answer, which is shown first then, if there is one. */
    this.isAsked = false;
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    super.willUpdate(changed);
    if (changed.has('executionId') && this.hasUpdated) {
      // What was chosen in another one says nothing of this one.
      if (!changed.has('node')) this.node = undefined;
      if (!changed.has('tab')) this.tab = '';
    }
    if (changed.has('executionId') || this.isElsewhere(changed)) {
      this.#isChosen = this.node !== undefined;
      this.#data.show(this.executionId);
    }
    if (changed.has('node') && this.node !== undefined) {
      this.#isChosen ||= changed.get('node') !== undefined;
      void this.#data.open(this.node);
    }
    if (changed.has('view') && this.view === 'graph') {
      void this.#lazy.bring(bringGraph);
      void this.#data.openFlow();
    }
  }

  /** Takes the keyboard there. A `tabindex` of its own would take all that is in it out of the order. */
  focus() {
    const within = this.$('ft-waterfall')?.shadowRoot?.querySelector('button[tabindex="0"]') ?? this.$('.views button');
    /** @type {HTMLElement | null | undefined} */ (within)?.focus();
  }

  /** @param {Execution} found */
  #fetched(found) {
    const before = this.node;
    if (before === undefined || (!this.#isChosen && found.status !== 'pending')) {
      this.node = this.isAsked && found.status === 'fulfilled' ? 0 : telling(found);
      this.#isChosen = false;
    }
    // Another one is opened when it is drawn.
    if (this.node === before && before !== undefined) void this.#data.open(before);
    if (this.view === 'graph') void this.#data.openFlow();
  }

  /** @param {import('../base/live.js').Happening[]} events */
  happened(events) {
    this.#data.happened(events, this.node);
  }

  /** @param {{ node?: number, tab?: string, view?: 'waterfall' | 'graph' }} choice */
  #choose(choice) {
    if (choice.node !== undefined) this.#isChosen = true;
    if (this.tell('flowtrail-choose', choice)) Object.assign(this, choice);
  }

  /** @param {CustomEvent<string>} event */
  #deleted(event) {
    this.#data.gone();
    this.tell('flowtrail-deleted', event.detail);
  }

  render() {
    const { value: shown, error } = this.#data.execution;
    if (this.#data.isGone) {
      return html`<p class="none" role="status">This execution was deleted${shown ? html`, of “<bdi>${shown.flowName}</bdi>”` : nothing}.</p>`;
    }
    if (shown === undefined) {
      if (error !== undefined) {
        const what = error instanceof NotFoundError ? 'There is no such execution' : 'The execution cannot be shown';
        return html`<ft-problem .error=${error} what=${what} @ft-retry=${() => this.#data.fetch()}></ft-problem>`;
      }
      return html`<div class="loading" aria-busy="true" aria-label="Loading the execution">
        <div class="shape"></div>
        <div class="shape"></div>
        <div class="shape"></div>
      </div>`;
    }
    return html`${this.standing}<ft-execution-header
        .connection=${this.server}
        .execution=${shown}
        .isClosable=${this.isClosable}
        .isRejected=${this.#isRejected(shown)}
        @ft-changed=${() => this.#data.fetch()}
        @ft-deleting=${() => this.#data.rest()}
        @ft-deleted=${this.#deleted}
      ></ft-execution-header>
      ${error ? html`<ft-problem .error=${error} what="This may have changed since" @ft-retry=${() => this.#data.fetch()}></ft-problem>` : nothing}
      ${this.#failed(shown)}
      <ft-split vertical name="execution" share="50">
        <div slot="first" class="first">${this.#views(shown)} ${this.view === 'graph' && hasGraph(shown) ? this.#graph(shown) : this.#waterfall(shown)}</div>
        <div slot="second">${this.#node(shown)}</div>
      </ft-split>`;
  }

  /** @param {Execution} shown */
  #failed(shown) {
    const { errorInfo } = shown;
    if (errorInfo === null || (shown.status !== 'error' && shown.status !== 'aborted')) return nothing;
    const differs = this.#data.differs.value;
    const node = blamed(shown);
    const name = errorInfo.nodeName ?? (shown.inferred ? 'Concluded by Flowtrail' : 'Why');
    return html`<div class="failure ${shown.status}" tabindex="0" role="group" aria-label="Why it ended so">
      <p>
        <strong dir="auto">${name}</strong>: ${errorInfo.message}${!errorInfo.nodeName && node ? html`, while <bdi>${node.nodeName}</bdi> ran` : nothing}
      </p>
      ${differs === undefined || differs.paths.length === 0 ? nothing : this.#differs(differs)}
    </div>`;
  }

  /** @param {import('./compare.js').Differs} differs */
  #differs({ success, paths }) {
    /** @param {MouseEvent} event */
    const choose = (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      this.tell('flowtrail-select', success);
    };
    return html`<p class="muted">
      Its input differs from <a href=${`/executions/${success}`} @click=${choose}>the last success</a> in:
      ${paths.slice(0, 5).map((path, at) => html`${at > 0 ? ', ' : ''}<code>${path}</code>`)}${paths.length > 5 ? `, and ${paths.length - 5} more` : ''}
    </p>`;
  }

  /** @param {Execution} shown */
  #views(shown) {
    const isGraph = this.view === 'graph' && hasGraph(shown);
    return html`<div class="views">
      <button class="plain" type="button" aria-pressed=${isGraph ? 'false' : 'true'} @click=${() => this.#choose({ view: 'waterfall' })}>Waterfall</button>
      ${!hasGraph(shown)
        ? nothing
        : html`<button class="plain" type="button" aria-pressed=${isGraph ? 'true' : 'false'} @click=${() => this.#choose({ view: 'graph' })}>Graph</button>`}
      <button class="plain end" type="button" aria-pressed=${this.node === 0 ? 'true' : 'false'} @click=${() => this.#choose({ node: 0 })}>
        Parameters and outputs
      </button>
    </div>`;
  }

  /**
   * Known once its own data is there.
   *
   * @param {Execution} shown
   */
  #isRejected(shown) {
    const own = this.#data.own.value;
    return own?.id === shown.id && isRejected(own);
  }

  /** @param {Execution} shown */
  #waterfall(shown) {
    if (shown.nodeExecutions.length === 0) {
      const why =
        shown.status === 'pending' ? 'No node has begun yet.' : this.#isRejected(shown) ? 'The call was rejected before any node ran.' : 'No nodes were recorded.';
      return html`<p class="none">${why}</p>`;
    }
    const end = shown.endedAt === null ? () => this.server.now() : new Date(shown.endedAt).getTime();
    return html`<ft-waterfall
      .nodes=${shown.nodeExecutions}
      .calls=${this.#data.children.value ?? NONE}
      .start=${shown.startedAt}
      .end=${end}
      .selected=${this.node ?? 0}
      @ft-node=${(/** @type {CustomEvent<number>} */ event) => this.#choose({ node: event.detail })}
      @ft-call=${(/** @type {CustomEvent<string>} */ event) => this.tell('flowtrail-select', event.detail)}
    ></ft-waterfall>`;
  }

  #again() {
    void this.#lazy.again();
    return this.#data.openFlow();
  }

  /** @param {Execution} shown */
  #graph(shown) {
    const { value: flow } = this.#data.flow;
    const error = this.#data.flow.error ?? this.#lazy.error;
    if (error && (flow === undefined || this.#lazy.error)) return html`<ft-problem .error=${error} what="The flow cannot be shown" @ft-retry=${() => this.#again()}></ft-problem>`;
    if (flow === undefined) return html`<p class="none" aria-busy="true">Loading the graph…</p>`;
    return html`<ft-execution-graph
      .flow=${flow}
      .execution=${shown}
      .selected=${this.node ?? 0}
      @ft-node=${(/** @type {CustomEvent<number>} */ event) => this.#choose({ node: event.detail })}
    ></ft-execution-graph>`;
  }

  /** @param {Execution} shown */
  #node(shown) {
    const { node } = this;
    if (node === undefined) return nothing;
    const { error } = node === 0 ? this.#data.own : this.#data.node;
    const found = node === 0 ? this.#data.own.value : this.#data.node.value;
    if (found === undefined && error !== undefined) {
      return html`<ft-problem .error=${error} what="The data cannot be shown" @ft-retry=${() => this.#data.open(node)}></ft-problem>`;
    }
    if (found === undefined || (node !== 0 && this.#data.node.value?.seq !== node)) {
      return html`<div class="loading" aria-busy="true" aria-label="Loading the data"><div class="shape"></div><div class="shape"></div></div>`;
    }
    const of = shown.nodeExecutions.find(({ seq }) => seq === node);
    const name = of === undefined ? shown.flowName : of.nodeName;
    const parts = node === 0 ? executionParts(/** @type {Execution} */ (found)) : nodeParts(/** @type {NodeExecution} */ (found));
    return html`<ft-node-data
      .name=${name}
      .of=${`${shown.id} ${node}`}
      .parts=${parts}
      .tab=${this.tab || (of?.status === 'error' || of?.status === 'aborted' ? firstOf(parts, 'Input') : firstOf(parts, node !== 0 ? 'Output' : this.isAsked ? 'Outputs' : 'Parameters'))}
      @ft-part=${(/** @type {CustomEvent<string>} */ event) => this.#choose({ tab: event.detail })}
    ></ft-node-data>`;
  }
}

/**
 * Whether it is of a flow that is there and has a graph, which can be run again.
 *
 * @param {Execution} execution
 */
const hasGraph = ({ flowId, flowVersion }) => flowId !== null && flowVersion !== null;

define('flowtrail-execution', FlowtrailExecution);
