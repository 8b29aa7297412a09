// @ts-check
/** How far back a range goes. */

/**
 * The time from which a range goes.
 *
 * @param {string} range
 * @param {number} now
 * @returns {string | undefined}
 */
export function fromOf(range, now) {
  const parts = /^(\d{1,4})(h|d)$/.exec(range);
  if (parts === null) return undefined;
  const millis = Number(parts[1]) * (parts[2] === 'h' ? 3_600_000 : 86_400_000);
  return new Date(now - millis).toISOString();
}
