// @ts-check
/** When something was: how long ago, and the time itself to whoever points at it. */

import { Element, css, define, html } from '../base/element.js';
import { absolute, ago } from '../base/format.js';

/** @type {Set<TimeAgo>} */
const shown = new Set();
/** @type {ReturnType<typeof setInterval> | undefined} */
let clock;

function tick() {
  for (const time of shown) time.requestUpdate();
}

export class TimeAgo extends Element {
  static properties = { time: {}, now: { attribute: false } };

  static styles = css`
    :host {
      display: inline;
      white-space: nowrap;
      font-variant-numeric: tabular-nums;
    }
  `;

  constructor() {
    super();
    /** @type {string | undefined} */
    this.time = undefined;
    /** What time it is, where this machine's clock is not the one that counts. @type {(() => number) | undefined} */
    this.now = undefined;
  }

  connectedCallback() {
    super.connectedCallback();
    shown.add(this);
    clock ??= setInterval(tick, 5_000);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    shown.delete(this);
    if (shown.size > 0) return;
    clearInterval(clock);
    clock = undefined;
  }

  /** Writes the time itself for who points at it: to write it for all that is listed would take longer than the list. @param {Event} event */
  #tell({ currentTarget }) {
    if (this.time) /** @type {HTMLElement} */ (currentTarget).title = absolute(this.time);
  }

  render() {
    if (!this.time) return html`–`;
    const now = this.now?.() ?? Date.now();
    return html`<time datetime=${this.time} @pointerenter=${this.#tell}>${ago(this.time, now)}</time>`;
  }
}

define('ft-ago', TimeAgo);
