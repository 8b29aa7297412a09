// @ts-check
/** The graph of a flow, with its nodes coloured by how they ended in one execution. */

import { Element, css, define, html, nothing } from '../base/element.js';
import { duration } from '../base/format.js';
import '../flows/flow-graph.js';

/** @typedef {import('../../client/index.js').Schemas['Execution']} Execution */
/** @typedef {import('../../client/index.js').Schemas['Flow']} Flow */

/**
 * What each node came to, in each iteration: what was tried again counts by its last attempt.
 * @param {Execution['nodeExecutions']} nodes
 */
function lastAttempts(nodes) {
  /** @type {Map<string, Execution['nodeExecutions'][number]>} */
  const last = new Map();
  for (const node of nodes) last.set(`${node.nodeId} ${node.parentSeq} ${node.iteration}`, node);
  return last.values();
}

/**
 * Which of two ends says more of a node.
 * @param {string} status
 */
function weight(status) {
  return ['skipped', 'completed', 'aborted', 'pending', 'error'].indexOf(status);
}

export class ExecutionGraph extends Element {
  static properties = {
    flow: { attribute: false },
    execution: { attribute: false },
    selected: { type: Number },
  };

  static styles = css`
    p {
      padding: 0.375rem 0.75rem;
      border-bottom: 1px solid var(--ft-line);
      background: var(--ft-raised);
    }
  `;

  constructor() {
    super();
    /** @type {Flow | undefined} */
    this.flow = undefined;
    /** @type {Execution | undefined} */
    this.execution = undefined;
    /** The number of the node that is shown. */
    this.selected = 0;
  }

  render() {
    const { flow, execution } = this;
    if (flow === undefined || execution === undefined) return nothing;
    /** @type {Map<string, { status: string, note: string, runs: number }>} */
    const states = new Map();
    for (const node of lastAttempts(execution.nodeExecutions)) {
      const before = states.get(node.nodeId);
      const runs = (before?.runs ?? 0) + 1;
      // A node that failed in one iteration has failed, and one that was needed in one was needed.
      const status = before !== undefined && weight(before.status) > weight(node.status) ? before.status : node.status;
      const took = node.status === 'pending' || node.status === 'skipped' ? node.status : node.executionTimeMs === null ? '–' : duration(node.executionTimeMs);
      states.set(node.nodeId, { status, runs, note: runs > 1 ? `${runs} times` : took });
    }
    const selected = execution.nodeExecutions.find((node) => node.seq === this.selected)?.nodeId;
    /** @param {CustomEvent<string>} event */
    const choose = (event) => {
      const ran = execution.nodeExecutions.filter((node) => node.nodeId === event.detail);
      const node = [...lastAttempts(ran)].find(({ status }) => status === 'error') ?? ran[0];
      if (node !== undefined) this.tell('ft-node', node.seq);
    };
    return html`${execution.flowVersion !== flow.version
        ? html`<p class="muted">This is the flow’s version ${flow.version}; version ${execution.flowVersion} was run.</p>`
        : nothing}
      <ft-flow-graph
        .nodes=${flow.nodes}
        .connections=${flow.connections}
        .states=${states}
        .selected=${selected}
        @ft-graph-node=${choose}
      ></ft-flow-graph>`;
  }
}

define('ft-execution-graph', ExecutionGraph);
