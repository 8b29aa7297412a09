// @ts-check
/** What happens, taken into a list of executions that is shown: rows change, come, go, or wait. */

/** @typedef {import('../../client/index.js').Schemas['ExecutionSummary']} ExecutionSummary */
/** @typedef {import('./filters.js').Filters} Filters */
/** @typedef {{ items: ExecutionSummary[], total: number, waiting: Set<string> }} List what is shown, how many there are, and what has come and is not shown */
/**
 * @typedef {object} How
 * @property {string | undefined} flowId the flow; all flows when absent
 * @property {Filters} filters
 * @property {number} limit how many rows a page has
 * @property {string | undefined} selected the id of the one that is read
 * @property {boolean} isPaused
 * @property {boolean} mayMove whether rows may come in by themselves
 * @property {number} mostWaiting how many that wait are remembered
 */

/**
 * The list after what has happened; the same items when none of them has changed.
 *
 * @param {List} shown
 * @param {import('../base/live.js').Happening[]} events
 * @param {How} how
 * @returns {List & { fresh: Set<string>, isUnknown: boolean }} also which have just come, and whether only the server knows the rest
 */
export function merged(shown, events, how) {
  let { items, total } = shown;
  const come = new Set(shown.waiting);
  /** @type {Set<string>} */
  const fresh = new Set();
  let isUnknown = false;
  for (const event of events) {
    if (event.type === 'resync') isUnknown = true;
    else if (event.type === 'execution.deleted') {
      if (how.flowId !== undefined && event.data.flowId !== how.flowId) continue;
      const left = items.filter((item) => item.id !== event.data.id);
      if (left.length < items.length) total -= 1;
      items = left;
      come.delete(event.data.id);
    } else if (event.type === 'execution.started' || event.type === 'execution.ended') {
      const { data } = event;
      if (how.flowId !== undefined && data.flowId !== how.flowId) continue;
      const at = items.findIndex((item) => item.id === data.id);
      const fits = belongs(data, how.filters);
      if (at >= 0) {
        if (how.isPaused || (data.status === 'pending' && items[at]?.status !== 'pending')) continue;
        // One that fits the filter no longer goes, unless somebody reads it.
        if (fits === false && data.id !== how.selected) {
          items = items.filter((item) => item.id !== data.id);
          total -= 1;
        } else items = items.with(at, data);
        continue;
      }
      if (fits === undefined) isUnknown = true;
      if (fits === false) come.delete(data.id);
      if (fits !== true || come.has(data.id)) continue;
      // What ends and began before a full first page does not belong to it: it was counted when it began, or is told of only now.
      const isFull = items.length >= how.limit;
      if (event.type === 'execution.ended' && isFull && data.startedAt < (items.at(-1)?.startedAt ?? '')) {
        isUnknown = true;
        continue;
      }
      if (how.mayMove) {
        items = [data, ...items].sort(newestFirst).slice(0, how.limit);
        fresh.add(data.id);
        total += 1;
      } else if (come.size <= how.mostWaiting) come.add(data.id);
    }
  }
  return { items, total, waiting: come, fresh, isUnknown };
}

/**
 * Whether an execution belongs to the list; undefined when only the server knows.
 *
 * @param {ExecutionSummary} execution
 * @param {Filters} filters
 */
function belongs(execution, { status, source, from, to, minDuration, maxDuration, tag, user, q, sort }) {
  if (status !== undefined && execution.status !== status) return false;
  if (source !== undefined && execution.source !== source) return false;
  if (user !== undefined && execution.userId !== user) return false;
  if (from !== undefined && execution.startedAt < from) return false;
  if (to !== undefined && execution.startedAt >= to) return false;
  if (minDuration !== undefined && (execution.duration ?? -1) < Number(minDuration)) return false;
  if (maxDuration !== undefined && (execution.duration ?? Infinity) > Number(maxDuration)) return false;
  return tag === undefined && q === undefined && sort === undefined ? true : undefined;
}

/**
 * @param {ExecutionSummary} one
 * @param {ExecutionSummary} other
 */
const newestFirst = (one, other) => (one.startedAt === other.startedAt ? 0 : one.startedAt < other.startedAt ? 1 : -1);
