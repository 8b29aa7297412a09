// @ts-check
/** In what a failure differs from the last success before it. */

import { ExactNumber, stringify } from '../../client/index.js';

/** @typedef {import('../../client/index.js').Schemas['Execution']} Execution */
/** @typedef {{ success: string, paths: string[] }} Differs the last success, and in what it was another one */

/**
 * The node that is to blame: the one that the error names, the first that failed, or else the one that was stopped.
 *
 * @param {Execution} failed
 */
export function blamed({ nodeExecutions, errorInfo }) {
  const failures = nodeExecutions.filter(({ status }) => status === 'error');
  return failures.find(({ nodeId }) => nodeId === errorInfo?.nodeId) ?? failures[0] ?? nodeExecutions.find(({ status }) => status === 'aborted');
}

/**
 * Where the input of the node that failed, or was stopped, differs from what the same node was given in the last success.
 *
 * @param {import('../../client/index.js').Flowtrail} client
 * @param {Execution} failed
 * @param {AbortSignal} signal
 * @returns {Promise<Differs | undefined>} nothing where there is nothing to compare with
 */
export async function differences(client, failed, signal) {
  const node = blamed(failed);
  if (failed.flowId === null || node === undefined) return undefined;
  try {
    const { flowId } = failed;
    const page = await client.executions.list({ flowId, status: 'fulfilled', to: failed.startedAt, limit: 1, signal });
    const [success] = page.items;
    if (success === undefined) return undefined;
    const whole = await client.executions.get(success.id, { data: 'none', signal });
    const same = whole.nodeExecutions.find(({ nodeId, status }) => nodeId === node.nodeId && status === 'completed');
    if (same === undefined) return undefined;
    const [now, then] = await Promise.all([
      client.executions.node(failed.id, node.seq, { signal }),
      client.executions.node(success.id, same.seq, { signal }),
    ]);
    return { success: success.id, paths: differing(now.inputData, then.inputData, node.nodeName) };
  } catch (error) {
    // It is help, and nothing that is missed.
    if (signal.aborted) throw error;
    return undefined;
  }
}

/**
 * The paths at which two values differ.
 *
 * @param {unknown} one
 * @param {unknown} other
 * @param {string} path
 * @returns {string[]}
 */
export function differing(one, other, path) {
  if (isObject(one) && isObject(other)) {
    const names = [...new Set([...Object.keys(one), ...Object.keys(other)])];
    return names.flatMap((name) => differing(one[name], other[name], `${path}.${name}`));
  }
  return stringify(one) === stringify(other) ? [] : [path];
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
const isObject = (value) =>
  value !== null && typeof value === 'object' && !Array.isArray(value) && !(value instanceof ExactNumber);
