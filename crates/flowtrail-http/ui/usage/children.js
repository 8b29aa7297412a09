// @ts-check
/** Executions that an execution called: the output of a `CallFlow` tells which. */

import { ForbiddenError, NotFoundError } from '../../client/index.js';

/** @typedef {import('../../client/index.js').Schemas['Execution']} Execution */

/** How many are fetched at most: a loop may have called thousands. */
const MOST = 20;

/**
 * The called executions, by the number of the node that called.
 *
 * @param {import('../../client/index.js').Flowtrail} client
 * @param {Execution} execution
 * @param {Map<number, Execution>} known those that were fetched before
 * @param {AbortSignal} signal
 * @returns {Promise<Map<number, Execution>>}
 */
export async function childrenOf(client, execution, known, signal) {
  const calls = execution.nodeExecutions.filter((node) => node.nodeType === 'CallFlow' && (node.status === 'completed' || node.status === 'error'));
  /** @type {Map<number, Execution>} */
  const children = new Map();
  await Promise.all(
    calls.slice(0, MOST).map(async ({ seq }) => {
      const before = known.get(seq);
      if (before !== undefined && before.status !== 'pending') {
        children.set(seq, before);
        return;
      }
      try {
        const { outputData } = await client.executions.node(execution.id, seq, { signal });
        const id = /** @type {any} */ (outputData)?.executionId;
        if (typeof id === 'string') children.set(seq, await client.executions.get(id, { data: 'none', signal }));
      } catch (error) {
        // One that was deleted, or is of a flow that one may not see, is left out.
        if (signal.aborted || !(error instanceof NotFoundError || error instanceof ForbiddenError)) throw error;
      }
    }),
  );
  return children;
}
