// @ts-check
/** How the nodes of a flow went in its last runs. */

/** @typedef {import('../../client/index.js').Schemas['Execution']} Execution */

/** How many runs are looked at. */
const RUNS = 10;
/** Of a node that ran more than once in a run, what counts: the first of these that there is. */
const WORST = ['error', 'aborted', 'pending', 'completed', 'skipped'];

export class LastRuns {
  #client;
  /** What was fetched before, and ended. @type {Map<string, Map<string, string>>} */
  #known = new Map();

  /** @param {import('../../client/index.js').Flowtrail} client */
  constructor(client) {
    this.#client = client;
  }

  /**
   * How each node went in each of the last runs, the newest last, by its id. A run that did not come to it is `skipped`.
   *
   * @param {string} flowId
   * @param {string[]} nodeIds
   * @param {AbortSignal} signal
   * @returns {Promise<Map<string, string[]>>}
   */
  async of(flowId, nodeIds, signal) {
    const { items } = await this.#client.executions.list({ flowId, limit: RUNS, signal });
    const runs = await Promise.all(items.reverse().map(({ id }) => this.#run(id, signal)));
    const went = runs.filter((run) => run !== undefined);
    this.#known = new Map([...this.#known].filter(([id]) => items.some((item) => item.id === id)));
    return new Map(nodeIds.map((node) => [node, went.map((run) => run.get(node) ?? 'skipped')]));
  }

  /**
   * @param {string} id
   * @param {AbortSignal} signal
   * @returns {Promise<Map<string, string> | undefined>}
   */
  async #run(id, signal) {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    try {
      const execution = await this.#client.executions.get(id, { data: 'none', signal });
      const run = worstOf(execution);
      if (execution.status !== 'pending') this.#known.set(id, run);
      return run;
    } catch (error) {
      // One that was deleted meanwhile is left out.
      if (signal.aborted || /** @type {any} */ (error).status !== 404) throw error;
      return undefined;
    }
  }
}

/** @param {Execution} execution */
function worstOf({ nodeExecutions }) {
  /** @type {Map<string, string>} */
  const worst = new Map();
  for (const { nodeId, status } of nodeExecutions) {
    const before = worst.get(nodeId);
    if (before === undefined || WORST.indexOf(status) < WORST.indexOf(before)) worst.set(nodeId, status);
  }
  return worst;
}
