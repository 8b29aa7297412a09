// @ts-check
/** A chart in a component: of the size that it gets, in the colours of the theme. */

import library from '../../vendor/uplot/dist/uPlot.esm.js';

/** @type {typeof import('../../vendor/uplot/dist/uPlot.js')} */
export const UPlot = /** @type {any} */ (library);

/** @typedef {import('../../vendor/uplot/dist/uPlot.js').Options} Options */
/** @typedef {import('../../vendor/uplot/dist/uPlot.js').AlignedData} Data */




/**
 * The colours of the theme, as a canvas needs them.
 *
 * @param {Element} within
 * @param {readonly string[]} names
 * @returns {Record<string, string>}
 */
export function coloursOf(within, names) {
  const probe = document.createElement('i');
  probe.hidden = true;
  within.append(probe);
  const found = names.map((name) => {
    probe.style.color = `var(--ft-${name})`;
    return [name, getComputedStyle(probe).color];
  });
  probe.remove();
  return Object.fromEntries(found);
}
