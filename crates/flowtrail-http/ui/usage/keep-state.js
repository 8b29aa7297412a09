// @ts-check
/** What a usage tab shows, kept in the address of the page. */

import { href } from '../base/address.js';

/** @typedef {import('./flowtrail-usage.js').UsageState} UsageState */

/**
 * Keeps what a usage tab shows in the address.
 *
 * @param {CustomEvent<{ state: UsageState, change: Partial<UsageState> }>} event
 * @param {import('../base/address.js').Address} address
 * @param {string} path
 */
export function keepState(event, address, path) {
  event.preventDefault();
  const { state, change } = event.detail;
  // What is looked at within an execution is no place to go back to.
  const replace = !('selected' in change) && !('page' in change);
  address.go(href(path, state), { replace });
}
