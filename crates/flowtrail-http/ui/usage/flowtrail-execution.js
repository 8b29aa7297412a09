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
import { absolute, duration, shortId } from '../base/format.js';
import { Loading } from '../base/loading.js';
import { ask } from '../parts/ask.js';
import '../parts/copy-button.js';
import '../parts/problem.js';
import '../parts/split.js';
import { meaningOf } from '../parts/status-mark.js';
import './execution-graph.js';
import './node-data.js';
import './waterfall.js';
import { childrenOf } from './children.js';
import { differences } from './compare.js';

/** @typedef {import('../../client/index.js').Schemas['Execution']} Execution */
/** @typedef {import('../../client/index.js').Schemas['NodeExecution']} NodeExecution */
/** @typedef {import('./node-data.js').Part} Part */

/** The longest that waiting for more changes goes on before the execution is fetched again, in milliseconds. */
const SOON = 150;

export class FlowtrailExecution extends Connected {
  static properties = {
    ...Connected.properties,
    executionId: { attribute: 'execution-id' },
    node: { type: Number },
    tab: {},
    view: {},
    isClosable: { type: Boolean },
    isBusy: { state: true },
    failure: { state: true },
    isGone: { state: true },
  };

  static styles = css`
    :host {
      display: flex;
      flex-direction: column;
      min-height: 0;
      height: 100%;
      background: var(--ft-background);
    }
    header {
      padding: 0.5rem 0.75rem;
      border-bottom: 1px solid var(--ft-line);
    }
    .title {
      flex-wrap: wrap;
      row-gap: 0.25rem;
    }
    .title h2 {
      flex: 0 1 auto;
      max-width: 60%;
    }
    .title h2 a {
      color: inherit;
    }
    .facts {
      display: flex;
      flex-wrap: wrap;
      gap: 0 0.5rem;
      margin-block-start: 0.125rem;
      color: var(--ft-muted);
    }
    .facts > *:not(:first-child)::before {
      content: '·';
      margin-inline-end: 0.5rem;
    }
    .facts > * {
      max-width: 100%;
      overflow-wrap: anywhere;
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
    .word {
      font-weight: 500;
    }
    .word.error {
      color: var(--ft-error);
    }
    .word.fulfilled {
      color: var(--ft-fulfilled);
    }
    .word.pending {
      color: var(--ft-pending);
    }
  `;

  /** @type {Loading<Execution>} */
  #execution = new Loading(this);
  /** @type {Loading<Execution>} */
  #own = new Loading(this);
  /** @type {Loading<NodeExecution>} */
  #data = new Loading(this);
  /** @type {Loading<import('../../client/index.js').Schemas['Flow']>} */
  #flow = new Loading(this);
  /** @type {Loading<string[]>} */
  #differs = new Loading(this);
  /** @type {Loading<Map<number, Execution>>} */
  #children = new Loading(this);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #soon;
  /** Whether somebody chose the node, and not this component. */
  #isChosen = false;

  get #all() {
    return [this.#execution, this.#own, this.#data, this.#flow, this.#differs, this.#children];
  }

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
    this.isBusy = false;
    /** Why what was asked for was not done. @type {Error | undefined} */
    this.failure = undefined;
    this.isGone = false;
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    super.willUpdate(changed);
    if (changed.has('executionId') || this.isElsewhere(changed)) {
      for (const loading of this.#all) loading.forget();
      this.failure = undefined;
      this.isGone = false;
      this.#isChosen = this.node !== undefined;
      if (this.executionId) void this.#fetch();
    }
    if (changed.has('node') && this.#execution.value !== undefined) {
      this.#isChosen ||= changed.get('node') !== undefined;
      void this.#open();
    }
    if (changed.has('view') && this.view === 'graph') void this.#fetchFlow();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearTimeout(this.#soon);
  }

  /** Takes the keyboard there. A `tabindex` of its own would take all that is in it out of the order. */
  focus() {
    this.$('header button, header a, button')?.focus();
  }

  async #fetch() {
    const id = this.executionId;
    const found = await this.#execution.run((signal) => this.client.executions.get(id, { data: 'none', signal }));
    if (id !== this.executionId) return;
    // What was shown is no more, whoever took it away.
    if (found === undefined && this.#execution.value !== undefined && this.#execution.error instanceof NotFoundError) this.#gone();
    if (found === undefined) return;
    if (this.node === undefined || (!this.#isChosen && found.status !== 'pending')) {
      this.node = telling(found);
      this.#isChosen = false;
    }
    void this.#open();
    if (this.view === 'graph') void this.#fetchFlow();
    void this.#fetchChildren(found);
    if (found.status === 'error' && this.#differs.value === undefined) {
      void this.#differs.run((signal) => differences(this.client, found, signal));
    }
  }

  /** Fetches the data of the node that is shown. */
  async #open() {
    const id = this.executionId;
    const shown = this.#execution.value;
    if (shown === undefined || this.node === undefined) return;
    if (this.node === 0) await this.#own.run((signal) => this.client.executions.get(id, { data: 'own', signal }));
    else {
      const { node } = this;
      if (this.#data.value?.seq !== node) this.#data.forget();
      await this.#data.run((signal) => this.client.executions.node(id, node, { signal }));
    }
  }

  async #fetchFlow() {
    const flowId = this.#execution.value?.flowId;
    if (flowId === undefined || flowId === null || this.#flow.value?.id === flowId) return;
    await this.#flow.run((signal) => this.client.flows.get(flowId, { signal }));
  }

  /** @param {Execution} of */
  async #fetchChildren(of) {
    if (!of.nodeExecutions.some((node) => node.nodeType === 'CallFlow')) return;
    await this.#children.run((signal) => childrenOf(this.client, of, signal));
  }

  /** @param {import('../base/live.js').Happening[]} events */
  happened(events) {
    const shown = this.#execution.value;
    let isStale = false;
    for (const event of events) {
      if (event.type === 'resync') isStale = true;
      else if (event.type === 'node.started' || event.type === 'node.ended') {
        if (event.data.executionId !== this.executionId || shown === undefined) continue;
        const others = shown.nodeExecutions.filter((node) => node.seq !== event.data.seq);
        const { executionId: _, ...node } = event.data;
        shown.nodeExecutions = [...others, /** @type {NodeExecution} */ ({ inputData: null, outputData: null, capture: {}, ...node })];
        if (event.data.seq === this.node) isStale = true;
        this.requestUpdate();
      } else if ('id' in event.data && event.data.id === this.executionId) {
        if (event.type === 'execution.deleted') this.#gone();
        else isStale = true;
      }
    }
    if (!isStale || this.isGone) return;
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => void this.#fetch(), SOON);
  }

  /** It was deleted: nothing more is asked of it. */
  #gone() {
    this.isGone = true;
    clearTimeout(this.#soon);
    for (const loading of this.#all) loading.stop();
  }

  /** @param {{ node?: number, tab?: string, view?: 'waterfall' | 'graph' }} choice */
  #choose(choice) {
    if (choice.node !== undefined) this.#isChosen = true;
    if (this.tell('flowtrail-choose', choice)) Object.assign(this, choice);
  }

  /**
   * Does something to the execution, and says so when it cannot be done.
   *
   * @param {() => Promise<unknown>} act
   */
  async #do(act) {
    this.isBusy = true;
    this.failure = undefined;
    try {
      await act();
    } catch (error) {
      this.failure = error instanceof Error ? error : new Error(String(error));
    } finally {
      this.isBusy = false;
    }
  }

  #cancel() {
    return this.#do(async () => {
      await this.client.executions.cancel(this.executionId);
      await this.#fetch();
    });
  }

  #replay() {
    return this.#do(async () => {
      const made = await this.client.executions.replay(this.executionId);
      this.tell('flowtrail-select', made.id);
    });
  }

  /** @param {Execution} shown */
  async #delete(shown) {
    const { flowId } = shown;
    if (flowId === null) return;
    const sure = await ask({
      title: 'Delete this execution?',
      text: `What “${shown.flowName}” was given and did at ${absolute(shown.startedAt)} will be gone for good.`,
      yes: 'Delete',
    });
    if (!sure) return;
    await this.#do(async () => {
      await this.client.executions.delete(flowId, shown.id);
      this.#gone();
      this.tell('flowtrail-deleted', shown.id);
    });
  }

  async #download() {
    await this.#do(async () => {
      const whole = await this.client.executions.get(this.executionId);
      const link = document.createElement('a');
      link.href = URL.createObjectURL(new Blob([JSON.stringify(whole, null, 2)], { type: 'application/json' }));
      link.download = `execution-${whole.id}.json`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1_000);
    });
  }

  render() {
    const shown = this.#execution.value;
    if (this.isGone) {
      return html`<p class="none" role="status">This execution was deleted${shown ? html`, of “<bdi>${shown.flowName}</bdi>”` : nothing}.</p>`;
    }
    if (shown === undefined) {
      const { error } = this.#execution;
      if (error !== undefined) {
        const what = error instanceof NotFoundError ? 'There is no such execution' : 'The execution cannot be shown';
        return html`<ft-problem .error=${error} what=${what} @ft-retry=${() => this.#fetch()}></ft-problem>`;
      }
      return html`<div class="loading" aria-busy="true" aria-label="Loading the execution">
        <div class="shape"></div>
        <div class="shape"></div>
        <div class="shape"></div>
      </div>`;
    }
    return html`${this.#header(shown)}
      ${this.failure
        ? html`<ft-problem
            .error=${this.failure}
            @ft-retry=${() => {
              this.failure = undefined;
              void this.#fetch();
            }}
          ></ft-problem>`
        : nothing}
      ${this.#failed(shown)}
      <ft-split vertical name="execution" share="50">
        <div slot="first">${this.#views(shown)} ${this.view === 'graph' && hasGraph(shown) ? this.#graph(shown) : this.#waterfall(shown)}</div>
        <div slot="second">${this.#node(shown)}</div>
      </ft-split>`;
  }

  /** @param {Execution} shown */
  #header(shown) {
    const isWriter = !this.server.isGuest;
    return html`<header>
      <div class="row title">
        ${this.isClosable ? html`<button class="plain" type="button" aria-label="Close" @click=${() => this.tell('flowtrail-close')}>‹</button>` : nothing}
        <ft-status .status=${shown.status} .inferred=${shown.inferred} .label=${meaningOf(shown)}></ft-status>
        <h2 class="cut" dir="auto">
          ${shown.flowId && isWriter ? html`<a href=${`/flows/${shown.flowId}`}>${shown.flowName}</a>` : shown.flowName}
        </h2>
        <span class="word ${shown.status}">${shown.status}</span>
        <span class="number">${shown.status === 'pending' ? 'running' : duration(shown.duration)}</span>
        <span class="grow"></span>
        ${isWriter && shown.status === 'pending'
          ? html`<button type="button" ?disabled=${this.isBusy || shown.cancelRequested} @click=${this.#cancel}>
              ${shown.cancelRequested ? 'Cancelling…' : 'Cancel'}
            </button>`
          : nothing}
        ${isWriter && shown.status !== 'pending' && hasGraph(shown)
          ? html`<button type="button" ?disabled=${this.isBusy} title="Runs it again with the same parameters" @click=${this.#replay}>Replay</button>`
          : nothing}
        <button type="button" ?disabled=${this.isBusy} title="Downloads the whole record as JSON" @click=${this.#download}>JSON</button>
        ${isWriter && shown.flowId !== null
          ? html`<button
              type="button"
              class="danger"
              ?disabled=${this.isBusy || shown.status === 'pending'}
              title=${shown.status === 'pending' ? 'What runs cannot be deleted' : 'Deletes it for good'}
              @click=${() => this.#delete(shown)}
            >
              Delete
            </button>`
          : nothing}
      </div>
      <div class="facts">
        <time datetime=${shown.startedAt}>${absolute(shown.startedAt)}</time>
        ${shown.flowVersion === null ? nothing : html`<span>v${shown.flowVersion}</span>`}
        <span>${shown.source}</span>
        ${shown.userName === null ? nothing : html`<span dir="auto">${shown.userName}</span>`}
        <span class="mono" title=${shown.id}>${shortId(shown.id)}<ft-copy .text=${shown.id} label="Copy the id"></ft-copy></span>
        ${shown.flowId === null ? html`<span>the flow was deleted</span>` : nothing}
        ${shown.replayOf === null ? nothing : html`<span>replay of ${this.#other(shown.replayOf)}</span>`}
        ${shown.parentExecutionId === null ? nothing : html`<span>called by ${this.#other(shown.parentExecutionId)}</span>`}
        ${Object.entries(shown.tags ?? {}).map(([key, value]) => html`<span dir="auto">${key}: ${value}</span>`)}
      </div>
    </header>`;
  }

  /** @param {string} id */
  #other(id) {
    /** @param {MouseEvent} event */
    const choose = (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      this.tell('flowtrail-select', id);
    };
    return html`<a class="mono" href=${`/executions/${id}`} @click=${choose}>${shortId(id)}</a>`;
  }

  /** @param {Execution} shown */
  #failed(shown) {
    const { errorInfo } = shown;
    if (errorInfo === null || (shown.status !== 'error' && shown.status !== 'aborted')) return nothing;
    const differs = this.#differs.value ?? [];
    return html`<div class="failure ${shown.status}" tabindex="0" role="group" aria-label="Why it ended so">
      <p><strong dir="auto">${errorInfo.nodeName ?? (shown.inferred ? 'Concluded by Flowtrail' : 'Why')}</strong>: ${errorInfo.message}</p>
      ${differs.length > 0
        ? html`<p class="muted">
            Its input differs from the last success in: ${differs.slice(0, 5).map((path, at) => html`${at > 0 ? ', ' : ''}<code>${path}</code>`)}${differs.length > 5
              ? `, and ${differs.length - 5} more`
              : ''}
          </p>`
        : nothing}
    </div>`;
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

  /** @param {Execution} shown */
  #waterfall(shown) {
    if (shown.nodeExecutions.length === 0) {
      const why = shown.status === 'pending' ? 'No node has begun yet.' : 'No nodes were recorded.';
      return html`<p class="none">${why}</p>`;
    }
    const end = shown.endedAt === null ? () => this.server.now() : new Date(shown.endedAt).getTime();
    return html`<ft-waterfall
      .nodes=${shown.nodeExecutions}
      .calls=${this.#children.value ?? new Map()}
      .start=${shown.startedAt}
      .end=${end}
      .selected=${this.node ?? 0}
      @ft-node=${(/** @type {CustomEvent<number>} */ event) => this.#choose({ node: event.detail })}
      @ft-call=${(/** @type {CustomEvent<string>} */ event) => this.tell('flowtrail-select', event.detail)}
    ></ft-waterfall>`;
  }

  /** @param {Execution} shown */
  #graph(shown) {
    if (this.#flow.error) return html`<ft-problem .error=${this.#flow.error} what="The flow cannot be shown" @ft-retry=${this.#fetchFlow}></ft-problem>`;
    if (this.#flow.value === undefined) return html`<p class="none" aria-busy="true">Loading the graph…</p>`;
    return html`<ft-execution-graph
      .flow=${this.#flow.value}
      .execution=${shown}
      .selected=${this.node ?? 0}
      @ft-node=${(/** @type {CustomEvent<number>} */ event) => this.#choose({ node: event.detail })}
    ></ft-execution-graph>`;
  }

  /** @param {Execution} shown */
  #node(shown) {
    const { node } = this;
    const loading = node === 0 ? this.#own : this.#data;
    if (loading.error !== undefined && loading.value === undefined) {
      return html`<ft-problem .error=${loading.error} what="The data cannot be shown" @ft-retry=${() => this.#open()}></ft-problem>`;
    }
    if (node === undefined) return nothing;
    const found = node === 0 ? this.#own.value : this.#data.value;
    if (found === undefined || (node !== 0 && this.#data.value?.seq !== node)) {
      return html`<div class="loading" aria-busy="true" aria-label="Loading the data"><div class="shape"></div><div class="shape"></div></div>`;
    }
    const of = shown.nodeExecutions.find(({ seq }) => seq === node);
    const name = of === undefined ? shown.flowName : of.nodeName;
    const parts = node === 0 ? executionParts(/** @type {Execution} */ (found)) : nodeParts(/** @type {NodeExecution} */ (found));
    return html`<ft-node-data
      .name=${name}
      .parts=${parts}
      .tab=${this.tab || (of?.status === 'error' ? firstOf(parts, 'Input') : firstOf(parts, node === 0 ? 'Parameters' : 'Output'))}
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

/**
 * The node that tells most: the first that failed, or the slowest.
 *
 * @param {Execution} execution
 */
function telling({ nodeExecutions, errorInfo }) {
  const nodes = [...nodeExecutions].sort((one, other) => one.seq - other.seq);
  const failed =
    nodes.find((node) => node.status === 'error' && node.nodeId === errorInfo?.nodeId) ??
    nodes.find((node) => node.status === 'error') ??
    nodes.find((node) => node.status === 'aborted' || node.status === 'pending');
  if (failed !== undefined) return failed.seq;
  const ran = nodes.filter((node) => node.status !== 'skipped');
  return ran.reduce((slowest, node) => (node.executionTimeMs > slowest.executionTimeMs ? node : slowest), ran[0] ?? { seq: 0, executionTimeMs: 0 }).seq;
}

/**
 * The name of a part, if it is there.
 *
 * @param {Part[]} parts
 * @param {string} name
 */
const firstOf = (parts, name) => (parts.some((part) => part.name === name) ? name : '');

/**
 * @param {Execution} execution
 * @returns {Part[]}
 */
function executionParts({ initialParams, outputs, meta, errorInfo, capture }) {
  /** @type {Part[]} */
  const parts = [
    { name: 'Parameters', value: initialParams, mark: capture.initialParams },
    { name: 'Outputs', value: outputs, mark: capture.outputs },
  ];
  if (meta !== null && meta !== undefined) parts.push({ name: 'Meta', value: meta, mark: capture.meta });
  if (errorInfo !== null) parts.push({ name: 'Error', value: errorInfo.message, mark: capture.error, isText: true });
  return parts;
}

/**
 * @param {NodeExecution} node
 * @returns {Part[]}
 */
function nodeParts({ inputData, outputData, error, capture }) {
  /** @type {Part[]} */
  const parts = [
    { name: 'Input', value: inputData, mark: capture.inputData },
    { name: 'Output', value: outputData, mark: capture.outputData },
  ];
  if (error !== null) parts.push({ name: 'Error', value: error, mark: capture.error, isText: true });
  return parts;
}

define('flowtrail-execution', FlowtrailExecution);
