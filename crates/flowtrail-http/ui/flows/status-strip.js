// @ts-check
/** How the last runs went, oldest first, as a strip of marks that differ in height as well as in colour. */

import { Element, css, define, html } from '../base/element.js';
import { plural } from '../base/format.js';

class StatusStrip extends Element {
  static properties = { statuses: { attribute: false } };

  static styles = css`
    :host {
      display: inline-flex;
      align-items: flex-end;
      gap: 2px;
      height: 1rem;
      vertical-align: middle;
    }
    i {
      width: 4px;
      height: 100%;
      border-radius: 1px;
      background: var(--ft-line);
    }
    .fulfilled {
      height: 55%;
      background: var(--ft-fulfilled);
    }
    .error {
      background: var(--ft-error);
    }
    .pending {
      height: 35%;
      background: var(--ft-pending);
    }
    .aborted {
      height: 75%;
      border: 1px solid var(--ft-aborted);
      background: none;
    }
  `;

  constructor() {
    super();
    /** Newest first. @type {string[]} */
    this.statuses = [];
  }

  render() {
    const { statuses } = this;
    if (statuses.length === 0) return html`<span class="muted">–</span>`;
    const counted = ['fulfilled', 'error', 'aborted', 'pending']
      .map((status) => [statuses.filter((each) => each === status).length, status])
      .filter(([number]) => number !== 0)
      .map(([number, status]) => `${number} ${status}`);
    const said = `Of the last ${plural(statuses.length, 'run')}: ${counted.join(', ')}`;
    return html`<span class="visually-hidden">${said}</span>${[...statuses].reverse().map((status) => html`<i class=${status} title=${said}></i>`)}`;
  }
}

define('status-strip', StatusStrip);
