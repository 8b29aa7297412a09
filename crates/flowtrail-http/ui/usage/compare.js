// @ts-check
/** In what a failure differs from the last success before it. */

/** @typedef {import('../../client/index.js').Schemas['Execution']} Execution */

/**
 * Where the input of the node that failed differs from what the same node was given in the last success.
 *
 * @param {import('../../client/index.js').Flowtrail} client
 * @param {Execution} failed
 * @param {AbortSignal} signal
 * @returns {Promise<string[]>}
 */
export async function differences(client, failed, signal) {
  const node = failed.nodeExecutions.find(({ nodeId, status }) => nodeId === failed.errorInfo?.nodeId && status === 'error');
  if (failed.flowId === null || node === undefined) return [];
  try {
    const { flowId } = failed;
    const page = await client.executions.list({ flowId, status: 'fulfilled', to: failed.startedAt, limit: 1, signal });
    const [success] = page.items;
    if (success === undefined) return [];
    const whole = await client.executions.get(success.id, { data: 'none', signal });
    const same = whole.nodeExecutions.find(({ nodeId, status }) => nodeId === node.nodeId && status === 'completed');
    if (same === undefined) return [];
    const [now, then] = await Promise.all([
      client.executions.node(failed.id, node.seq, { signal }),
      client.executions.node(success.id, same.seq, { signal }),
    ]);
    return differing(now.inputData, then.inputData, node.nodeName);
  } catch (error) {
    // It is help, and nothing that is missed.
    if (signal.aborted) throw error;
    return [];
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
  return JSON.stringify(one) === JSON.stringify(other) ? [] : [path];
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
