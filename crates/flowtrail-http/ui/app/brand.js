// @ts-check
/** The mark of the application. */

import { html } from '../base/element.js';

export const BRAND = html`<svg viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linejoin="round" aria-hidden="true">
  <path d="M8 1l7 7-7 7-7-7zM8 5.2L10.8 8 8 10.8 5.2 8z" />
</svg>`;
