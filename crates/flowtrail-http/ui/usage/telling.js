// @ts-check
/** What of an execution is shown first, and of what its data and that of its nodes consists. */

/** @typedef {import('../../client/index.js').Schemas['Execution']} Execution */
/** @typedef {import('../../client/index.js').Schemas['NodeExecution']} NodeExecution */
/** @typedef {import('./node-data.js').Part} Part */

/**
 * The node that tells most: the first that failed, or the slowest.
 *
 * @param {Execution} execution
 */
export function telling({ nodeExecutions, errorInfo }) {
  const nodes = [...nodeExecutions].sort((one, other) => one.seq - other.seq);
  const failed =
    nodes.find((node) => node.status === 'error' && node.nodeId === errorInfo?.nodeId) ??
    nodes.find((node) => node.status === 'error') ??
    nodes.find((node) => node.status === 'aborted' || node.status === 'pending');
  if (failed !== undefined) return failed.seq;
  const ran = nodes.filter((node) => node.status !== 'skipped');
  // One whose duration was not reported is not the slowest.
  const took = (/** @type {NodeExecution} */ node) => node.executionTimeMs ?? -1;
  return ran.reduce((slowest, node) => (took(node) > took(slowest) ? node : slowest), ran[0] ?? /** @type {any} */ ({ seq: 0 })).seq;
}

/**
 * Whether it is a call that was rejected before it ran. Its reporter may say so of any execution; without a node it does no harm.
 *
 * @param {Execution} execution
 */
export function isRejected({ meta, errorInfo, nodeExecutions }) {
  return /** @type {any} */ (meta)?.rejected === true && errorInfo?.kind === 'invalid_input' && nodeExecutions.length === 0;
}

/**
 * The name of a part, if it is there.
 *
 * @param {Part[]} parts
 * @param {string} name
 */
export const firstOf = (parts, name) => (parts.some((part) => part.name === name) ? name : '');

/**
 * @param {Execution} execution
 * @returns {Part[]}
 */
export function executionParts({ initialParams, outputs, meta, errorInfo, capture }) {
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
export function nodeParts({ inputData, outputData, error, capture }) {
  /** @type {Part[]} */
  const parts = [
    { name: 'Input', value: inputData, mark: capture.inputData },
    { name: 'Output', value: outputData, mark: capture.outputData },
  ];
  if (error !== null) parts.push({ name: 'Error', value: error, mark: capture.error, isText: true });
  return parts;
}
