// @ts-check
/** What is known of an execution, fetched bit by bit as it is looked at, and kept true while it runs. */

import { NotFoundError } from '../../client/index.js';
import { Later } from '../base/later.js';
import { Loading } from '../base/loading.js';
import { childrenOf } from './children.js';
import { differences } from './compare.js';

/** @typedef {import('../../client/index.js').Schemas['Execution']} Execution */
/** @typedef {import('../../client/index.js').Schemas['NodeExecution']} NodeExecution */
/** @typedef {import('../../client/index.js').Schemas['Flow']} Flow */

/** The longest that waiting for more changes goes on before the execution is fetched again, in milliseconds. */
const SOON = 150;

export class ExecutionData {
  /** Itself, with its nodes and without any data. @type {Loading<Execution>} */
  execution;
  /** Its parameters and outputs. @type {Loading<Execution>} */
  own;
  /** One node with its data. @type {Loading<NodeExecution>} */
  node;
  /** Its flow. @type {Loading<Flow>} */
  flow;
  /** Where it differs from the last success. @type {Loading<import('./compare.js').Differs | undefined>} */
  differs;
  /** What it called, by the number of the node that called. @type {Loading<Map<number, Execution>>} */
  children;
  /** Whether it was there, and was deleted. */
  isGone = false;
  /** Whether nothing is to be asked of it for now. */
  #rests = false;
  #host;
  #fetched;
  #soon;
  #id = '';

  /**
   * @param {import('../base/connection.js').Connected} host
   * @param {(execution: Execution) => void} fetched told whenever it was fetched
   */
  constructor(host, fetched) {
    this.#host = host;
    this.#fetched = fetched;
    this.#soon = new Later(host, SOON, () => this.fetch());
    this.execution = new Loading(host);
    this.own = new Loading(host);
    this.node = new Loading(host);
    this.flow = new Loading(host);
    this.differs = new Loading(host);
    this.children = new Loading(host);
  }

  get #all() {
    return [this.execution, this.own, this.node, this.flow, this.differs, this.children];
  }

  get #client() {
    return this.#host.client;
  }

  /**
   * Begins anew, with another one.
   *
   * @param {string} id
   */
  show(id) {
    this.#id = id;
    this.#soon.stop();
    for (const loading of this.#all) loading.forget();
    this.isGone = false;
    this.#rests = false;
    if (id) void this.fetch();
  }

  /** Fetches it, and what has to be known of others to understand it. */
  async fetch() {
    const id = this.#id;
    const known = this.execution.value;
    this.#rests = false;
    const found = await this.execution.run((signal) => this.#client.executions.get(id, { data: 'none', allowed: true, signal }));
    if (id !== this.#id) return;
    if (found === undefined) {
      // What was shown is no more, whoever took it away.
      if (known !== undefined && this.execution.error instanceof NotFoundError) this.gone();
      return;
    }
    this.#fetched(found);
    void this.#fetchChildren(found);
    if (found.status === 'error' && this.differs.value === undefined && !this.differs.isLoading) {
      void this.differs.run((signal) => differences(this.#client, found, signal));
    }
  }

  /**
   * Fetches the data of a node, or with 0 of the execution itself; unless it is there and can change no more.
   *
   * @param {number} seq
   */
  async open(seq) {
    const id = this.#id;
    const shown = this.execution.value;
    if (shown === undefined) return;
    if (seq === 0) {
      if (!isSettled(this.own.value, shown) || this.own.value?.updatedAt !== shown.updatedAt) await this.own.run((signal) => this.#client.executions.get(id, { data: 'own', signal }));
      return;
    }
    if (this.node.value?.seq !== seq) this.node.forget();
    const now = shown.nodeExecutions.find((node) => node.seq === seq);
    if (!isSettled(this.node.value, now)) await this.node.run((signal) => this.#client.executions.node(id, seq, { signal }));
  }

  /** Fetches the flow, for its graph. */
  async openFlow() {
    const flowId = this.execution.value?.flowId;
    if (flowId === undefined || flowId === null || this.flow.value?.id === flowId) return;
    await this.flow.run((signal) => this.#client.flows.get(flowId, { signal }));
  }

  /** @param {Execution} of */
  async #fetchChildren(of) {
    if (!of.nodeExecutions.some((node) => node.nodeType === 'CallFlow')) return;
    const known = this.children.value ?? new Map();
    await this.children.run((signal) => childrenOf(this.#client, of, known, signal));
  }

  /**
   * Takes in what has happened.
   *
   * @param {import('../base/live.js').Happening[]} events
   * @param {number | undefined} open the node whose data is shown
   */
  happened(events, open) {
    const shown = this.execution.value;
    let isStale = false;
    /** @type {Map<number, NodeExecution>} */
    const changed = new Map();
    for (const event of events) {
      if (event.type === 'resync') isStale = true;
      else if (event.type === 'node.started' || event.type === 'node.ended') {
        const { executionId, ...node } = event.data;
        if (executionId !== this.#id) continue;
        changed.set(node.seq, /** @type {NodeExecution} */ ({ inputData: null, outputData: null, capture: {}, ...node }));
        if (node.seq === open) isStale = true;
      } else if ('id' in event.data && event.data.id === this.#id) {
        if (event.type === 'execution.deleted') this.gone();
        else isStale = true;
      }
    }
    if (shown !== undefined && changed.size > 0) {
      const others = shown.nodeExecutions.filter(({ seq }) => !changed.has(seq));
      this.execution.value = { ...shown, nodeExecutions: [...others, ...changed.values()] };
      this.#host.requestUpdate();
    }
    // What is under way may have been read before this happened.
    if (changed.size > 0 && this.execution.isLoading) isStale = true;
    if (isStale && !this.isGone && !this.#rests) this.#soon.ask();
  }

  /** It is about to be deleted: nothing is asked of it that may not be there any more when it comes, until somebody fetches it. */
  rest() {
    this.#rests = true;
    this.#soon.stop();
    for (const loading of this.#all) loading.stop();
  }

  /** It was deleted: nothing more is asked of it. */
  gone() {
    this.isGone = true;
    this.rest();
    this.#host.requestUpdate();
  }
}

/**
 * Whether what was fetched is all that there will ever be.
 *
 * @param {{ status: string, error?: string | null } | undefined} fetched
 * @param {{ status: string, error?: string | null } | undefined} now
 */
const isSettled = (fetched, now) =>
  fetched !== undefined && fetched.status !== 'pending' && fetched.status === now?.status && fetched.error === now.error;
