// @ts-check
/** The bars of a waterfall: in which order they are shown, how deep each lies, and how far they reach. */

/** @typedef {import('../../client/index.js').Schemas['NodeExecution']} NodeExecution */
/** @typedef {import('../../client/index.js').Schemas['Execution']} Execution */
/** @typedef {Omit<NodeExecution, 'inputData' | 'outputData' | 'capture'>} Bar */
/** @typedef {{ key: string, node: Bar, depth: number, called: Execution | undefined }} Row */

/**
 * Bars in the order in which they are shown, each with how deep it lies: what runs within a node stands below it.
 *
 * @param {Bar[]} nodes
 * @returns {{ node: Bar, depth: number }[]}
 */
export function nested(nodes) {
  const all = [...nodes].sort((one, other) => one.seq - other.seq);
  const known = new Set(all.map((node) => node.seq));
  /** @type {Map<number | null, Bar[]>} */
  const within = new Map();
  for (const node of all) {
    // What its node is not there for stands at the top: it may still come.
    const parent = node.parentSeq !== null && known.has(node.parentSeq) ? node.parentSeq : null;
    const siblings = within.get(parent);
    if (siblings === undefined) within.set(parent, [node]);
    else siblings.push(node);
  }
  /** @type {{ node: Bar, depth: number }[]} */
  const shown = [];
  const seen = new Set();
  /** @param {Bar[]} nodes */
  const show = (nodes) => {
    // Not by recursion: a chain may be as long as the execution.
    const waiting = nodes.map((node) => ({ node, depth: 0 })).reverse();
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (seen.has(next.node.seq)) continue;
      seen.add(next.node.seq);
      shown.push(next);
      const below = within.get(next.node.seq) ?? [];
      for (let at = below.length - 1; at >= 0; at -= 1) {
        waiting.push({ node: /** @type {Bar} */ (below[at]), depth: next.depth + 1 });
      }
    }
  };
  show(within.get(null) ?? []);
  // Those that are within each other have no beginning, and are shown all the same.
  show(all);
  return shown;
}

/**
 * The rows of an execution, those of the executions that it called below the nodes that called.
 *
 * @param {Bar[]} nodes
 * @param {Map<number, Execution>} calls by the number of the node
 * @returns {Row[]}
 */
export function rowsOf(nodes, calls) {
  return nested(nodes).flatMap(({ node, depth }) => {
    const called = calls.get(node.seq);
    const below = called === undefined ? [] : nested(called.nodeExecutions);
    return [
      { key: String(node.seq), node, depth, called: undefined },
      ...below.map((each) => ({ key: `${node.seq}/${each.node.seq}`, node: each.node, depth: depth + 1 + each.depth, called })),
    ];
  });
}

/**
 * When a node began, and how long it has taken, in milliseconds since the execution began. What was not reported is missing.
 *
 * @param {Bar} node
 * @param {number} start of the execution
 * @param {number} now
 * @returns {{ from: number | undefined, took: number | undefined }}
 */
export function spanOf(node, start, now) {
  const from = node.executedAt === null ? undefined : Math.max(0, new Date(node.executedAt).getTime() - start);
  const runs = node.status === 'pending' && from !== undefined;
  const took = runs ? Math.max(0, now - start - from) : (node.executionTimeMs ?? undefined);
  return { from, took };
}

/**
 * Round times for an axis of so many milliseconds: at most five.
 *
 * @param {number} length
 */
export function ticks(length) {
  if (length <= 0) return [];
  const raw = length / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= raw) ?? raw;
  const all = [];
  for (let at = 0; at <= length * 1.0001; at += step) all.push(at);
  return all;
}
