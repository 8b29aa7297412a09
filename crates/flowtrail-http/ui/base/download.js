// @ts-check
/** Hands a value to the person as a file of JSON. */

import { stringify } from '../../client/index.js';

/** How long the browser may take to begin with it, in milliseconds. */
const TAKEN = 1_000;

/**
 * @param {unknown} value
 * @param {string} name
 */
export function download(value, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([`${stringify(value, 2)}\n`], { type: 'application/json' }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), TAKEN);
}
