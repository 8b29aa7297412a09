// @ts-check
/** How an execution or a node goes, told by shape first and by colour second. A node that is `completed` is as one `fulfilled`. */

import { Element, css, define, html, nothing, svg } from '../base/element.js';

/** @typedef {'pending' | 'fulfilled' | 'completed' | 'error' | 'aborted' | 'skipped'} Status */

/** What each status means, in words. @type {Record<string, string>} */
export const MEANING = {
  pending: 'Execution in progress',
  fulfilled: 'Completed successfully',
  completed: 'Completed successfully',
  error: 'Execution failed',
  aborted: 'Stopped before it finished',
  skipped: 'Not run',
};

/** What is drawn within a circle of 16 units. @type {Record<string, unknown>} */
const SHAPES = {
  pending: svg`<circle class="ring" cx="8" cy="8" r="6" /><path class="arc" d="M8 2a6 6 0 0 1 6 6" />
    <path class="half" d="M8 2a6 6 0 0 1 0 12z" />`,
  fulfilled: svg`<circle class="disc" cx="8" cy="8" r="7" /><path class="on" d="M4.8 8.3l2.2 2.2 4.3-4.6" />`,
  completed: svg`<circle class="disc" cx="8" cy="8" r="7" /><path class="on" d="M4.8 8.3l2.2 2.2 4.3-4.6" />`,
  error: svg`<circle class="disc" cx="8" cy="8" r="7" /><path class="on" d="M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2" />`,
  aborted: svg`<circle class="ring strong" cx="8" cy="8" r="6" /><path class="stroke" d="M3.8 12.2l8.4-8.4" />`,
  skipped: svg`<circle class="ring" cx="8" cy="8" r="6" /><path class="stroke" d="M5 8h6" />`,
};

/** What is drawn for a status, of 16 units. @param {string} status */
export const shapeOf = (status) => SHAPES[status] ?? SHAPES.skipped;

/** How shapes are drawn, in the colour of their text. */
export const shapeStyles = css`
  .shape-of {
    fill: none;
    stroke: currentColor;
    stroke-width: 1.5;
    stroke-linecap: round;
    stroke-linejoin: round;
  }
  .disc {
    fill: currentColor;
    stroke: none;
  }
  .on {
    stroke: var(--ft-background);
    stroke-width: 1.75;
  }
  .half {
    display: none;
    fill: currentColor;
    stroke: none;
  }
`;

export class StatusMark extends Element {
  static properties = {
    status: { reflect: true },
    inferred: { type: Boolean, reflect: true },
    label: {},
  };

  static styles = [shapeStyles, css`
    :host {
      display: inline-block;
      width: 1rem;
      height: 1rem;
      flex: none;
      vertical-align: -0.1875rem;
      color: var(--ft-aborted);
    }
    :host([status='pending']) {
      color: var(--ft-pending);
    }
    :host([status='fulfilled']),
    :host([status='completed']) {
      color: var(--ft-fulfilled);
    }
    :host([status='error']) {
      color: var(--ft-error);
    }
    svg {
      display: block;
      width: 100%;
      height: 100%;
      overflow: visible;
    }
    :host([status='pending']) .ring {
      stroke-width: 1;
    }
    .arc {
      transform-origin: 8px 8px;
      animation: turn 1.2s linear infinite;
      stroke-width: 3;
    }
    .inferred {
      stroke-width: 1.25;
      stroke-dasharray: 0.1 2.6;
    }
    @keyframes turn {
      to {
        transform: rotate(360deg);
      }
    }
    @media (prefers-reduced-motion: reduce) {
      .arc {
        animation: none;
        display: none;
      }
      .half {
        display: inline;
      }
    }
  `];

  constructor() {
    super();
    /** @type {Status} */
    this.status = 'pending';
    /** Whether the end was concluded, and not reported. */
    this.inferred = false;
    /** What is said instead of what the status means. @type {string | undefined} */
    this.label = undefined;
  }

  render() {
    const label = this.label ?? MEANING[this.status] ?? this.status;
    return html`<svg class="shape-of" viewBox="0 0 16 16" role="img" aria-label=${label}>
      <title>${label}</title>
      ${shapeOf(this.status)}${this.inferred ? svg`<circle class="inferred" cx="8" cy="8" r="9.6" />` : nothing}
    </svg>`;
  }
}

/**
 * What the mark of an execution says.
 *
 * @param {{ status: string, inferred: boolean, error?: string | null }} execution
 */
export function meaningOf({ status, inferred, error }) {
  const meaning = MEANING[status] ?? status;
  return inferred ? `${meaning}: concluded by Flowtrail: ${error ?? 'no end was reported'}` : meaning;
}

define('ft-status', StatusMark);
