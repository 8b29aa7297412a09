let last = 0n;

/**
 * A new id for an execution: a UUID of version 7. Ids of one process sort in the order in which they were made.
 *
 * @returns {string}
 */
export function newId() {
  const random = crypto.getRandomValues(new BigUint64Array(2));
  // The time in milliseconds, and 12 bits to count within one.
  const now = (BigInt(Date.now()) << 12n) | ((random[0] ?? 0n) & 0x7ffn);
  last = now > last ? now : last + 1n;
  const high = ((last >> 12n) << 16n) | 0x7000n | (last & 0xfffn);
  const low = 0x8000000000000000n | ((random[1] ?? 0n) & 0x3fffffffffffffffn);
  const digits = ((high << 64n) | low).toString(16).padStart(32, '0');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
