// @ts-check
/** Two panes side by side, with an edge that can be dragged, and moved by keys; what was chosen is remembered. */

import { Element, css, define, html } from '../base/element.js';

const LEAST = 20;
const MOST = 80;

export class Split extends Element {
  static properties = { name: {}, share: { type: Number }, vertical: { type: Boolean, reflect: true } };

  static styles = css`
    :host {
      display: grid;
      min-height: 0;
      min-width: 0;
      height: 100%;
    }
    .panes {
      display: grid;
      grid-template-columns: minmax(0, var(--share)) 5px minmax(0, 1fr);
      min-height: 0;
    }
    :host([vertical]) .panes {
      grid-template-columns: none;
      grid-template-rows: minmax(0, var(--share)) 5px minmax(0, 1fr);
    }
    ::slotted(*) {
      min-width: 0;
      min-height: 0;
      overflow: auto;
    }
    .edge {
      position: relative;
      cursor: col-resize;
      touch-action: none;
    }
    .edge::before {
      content: '';
      position: absolute;
      inset: 0 2px;
      background: var(--ft-line);
      transition: background var(--ft-quick);
    }
    .edge:hover::before,
    .edge:focus-visible::before {
      background: var(--ft-accent);
    }
    :host([vertical]) .edge {
      cursor: row-resize;
    }
    :host([vertical]) .edge::before {
      inset: 2px 0;
    }
    @media (max-width: 899px) {
      :host(:not([vertical])) .panes {
        grid-template-columns: minmax(0, 1fr);
      }
      :host(:not([vertical])) .edge {
        display: none;
      }
    }
  `;

  constructor() {
    super();
    /** Under which name the share is remembered. */
    this.name = '';
    /** How much of the room the first pane takes, in percent. */
    this.share = 33;
    this.vertical = false;
  }

  willUpdate() {
    if (this.hasUpdated || !this.name) return;
    const known = Number(stored(`flowtrail.split.${this.name}`));
    if (known >= LEAST && known <= MOST) this.share = known;
  }

  updated() {
    this.$('.panes')?.style.setProperty('--share', `${this.share}%`);
  }

  /** @param {number} share */
  #set(share) {
    this.share = Math.round(Math.min(MOST, Math.max(LEAST, share)) * 10) / 10;
    if (this.name) store(`flowtrail.split.${this.name}`, String(this.share));
  }

  /** @param {PointerEvent} event */
  #drag(event) {
    const edge = /** @type {HTMLElement} */ (event.currentTarget);
    edge.setPointerCapture(event.pointerId);
    /** @param {PointerEvent} moved */
    const move = (moved) => {
      const box = this.getBoundingClientRect();
      const part = this.vertical ? (moved.clientY - box.top) / box.height : (moved.clientX - box.left) / box.width;
      this.#set(part * 100);
    };
    const done = () => {
      edge.removeEventListener('pointermove', move);
      edge.removeEventListener('lostpointercapture', done);
    };
    edge.addEventListener('pointermove', move);
    edge.addEventListener('lostpointercapture', done);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const [less, more] = this.vertical ? ['ArrowUp', 'ArrowDown'] : ['ArrowLeft', 'ArrowRight'];
    if (event.key !== less && event.key !== more) return;
    event.preventDefault();
    this.#set(this.share + (event.key === less ? -2 : 2));
  }

  render() {
    return html`<div class="panes">
      <slot name="first"></slot>
      <div
        class="edge"
        role="separator"
        tabindex="0"
        aria-label="Resize the panes"
        aria-orientation=${this.vertical ? 'horizontal' : 'vertical'}
        aria-valuenow=${Math.round(this.share)}
        aria-valuemin=${LEAST}
        aria-valuemax=${MOST}
        @pointerdown=${this.#drag}
        @keydown=${this.#key}
      ></div>
      <slot name="second"></slot>
    </div>`;
  }
}

/** @param {string} name */
function stored(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    // Some pages may keep nothing.
    return null;
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
function store(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Then it is chosen again next time.
  }
}

define('ft-split', Split);
