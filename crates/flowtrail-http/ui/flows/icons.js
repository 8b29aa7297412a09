// @ts-check
/** A small drawing for each type of node, of 16 units. */

import { svg } from '../base/element.js';

/** @type {Record<string, unknown>} */
const ICONS = {
  UserIntent: svg`<circle cx="8" cy="5" r="3" /><path d="M2.5 14c.6-3 2.8-4.5 5.5-4.5s4.9 1.5 5.5 4.5" />`,
  Transform: svg`<path d="M5.5 3L2 8l3.5 5M10.5 3L14 8l-3.5 5M9 2.5L7 13.5" />`,
  ApiCall: svg`<circle cx="8" cy="8" r="6" /><path d="M2 8h12M8 2c2.2 2 2.2 10 0 12M8 2c-2.2 2-2.2 10 0 12" />`,
  Model: svg`<path d="M8 2l1.6 4.4L14 8l-4.4 1.6L8 14l-1.6-4.4L2 8l4.4-1.6z" />`,
  McpTool: svg`<path d="M9.8 2.5a3.5 3.5 0 0 0-3.6 5L2.5 11.2v2.3h2.3l3.7-3.7a3.5 3.5 0 0 0 5-3.6L11.2 8.5 8.5 7.5 7.5 4.8z" />`,
  CallFlow: svg`<path d="M2.5 3.5h5v4h-5zM8.5 9h5v4h-5zM5 7.5v3.5h3.5" />`,
  Conditional: svg`<path d="M8 14V9M8 9L3.5 4.5M8 9l4.5-4.5M3.5 7.5v-3h3M12.5 7.5v-3h-3" />`,
  Loop: svg`<path d="M3 8a5 5 0 0 1 8.8-3.2L13.5 6.5M13.5 3v3.5H10M13 8a5 5 0 0 1-8.8 3.2L2.5 9.5M2.5 13V9.5H6" />`,
  Merge: svg`<path d="M3 3l5 5v5.5M13 3L8 8M5.5 11L8 13.5l2.5-2.5" />`,
  Interface: svg`<path d="M2 3h12v10H2zM2 6h12M4 4.5h.1" />`,
  Link: svg`<path d="M7 9a3 3 0 0 0 4.2 0l2-2A3 3 0 0 0 9 2.8l-1 1M9 7a3 3 0 0 0-4.2 0l-2 2A3 3 0 0 0 7 13.2l1-1" />`,
  Return: svg`<path d="M13 3v4a3 3 0 0 1-3 3H3M6 7l-3 3 3 3" />`,
};

const OTHER = svg`<path d="M3 3h10v10H3z" />`;

/** @param {string} type */
export const iconOf = (type) => ICONS[type] ?? OTHER;
