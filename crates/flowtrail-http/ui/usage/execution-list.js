// @ts-check
/** Executions, newest first: a page of rows, those that have come since, and what fits where there are none. */

import { Element, css, define, html, nothing, repeat } from '../base/element.js';
import { duration } from '../base/format.js';
import { meaningOf } from '../parts/status-mark.js';
import '../parts/time-ago.js';

/** @typedef {import('../../client/index.js').Schemas['ExecutionSummary']} ExecutionSummary */

export class ExecutionList extends Element {
  static properties = {
    items: { attribute: false },
    selected: {},
    showFlow: { type: Boolean },
    now: { attribute: false },
    fresh: { attribute: false },
  };

  static styles = css`
    :host {
      display: block;
    }
    li {
      display: block;
    }
    a {
      display: grid;
      grid-template-columns: 1rem minmax(5.5rem, auto) 4.5rem minmax(0, 1fr);
      align-items: center;
      gap: 0 0.75rem;
      min-height: var(--ft-row);
      padding: 0.125rem 0.75rem 0.125rem 0.625rem;
      border-inline-start: 2px solid transparent;
      border-bottom: 1px solid var(--ft-line);
      color: inherit;
      text-decoration: none;
    }
    a:hover {
      background: var(--ft-raised);
      text-decoration: none;
    }
    a:focus-visible {
      outline-offset: -2px;
    }
    a[aria-current='true'] {
      border-inline-start-color: var(--ft-accent);
      background: var(--ft-selected);
    }
    .fresh a {
      animation: come var(--ft-quick) ease-out;
    }
    @keyframes come {
      from {
        opacity: 0;
        transform: translateY(-0.5rem);
      }
    }
    .preview {
      display: flex;
      gap: 0.5rem;
    }
    .preview > * {
      flex: 1 1 30%;
    }
    .preview .flow {
      flex: 0 1 auto;
      max-width: 70%;
    }
    .why {
      color: var(--ft-error);
    }
    @media (max-width: 479px) {
      a {
        grid-template-columns: 1rem 1fr auto;
        padding-block: 0.375rem;
      }
      .preview {
        grid-column: 2 / -1;
      }
    }
  `;

  constructor() {
    super();
    /** @type {ExecutionSummary[]} */
    this.items = [];
    /** The id of the one that is shown. @type {string | undefined} */
    this.selected = undefined;
    /** Whether each tells which flow it is of. */
    this.showFlow = false;
    /** @type {(() => number) | undefined} */
    this.now = undefined;
    /** The ids of those that have just come. @type {Set<string>} */
    this.fresh = new Set();
  }

  /**
   * Makes the one after or before the selected one the selected one.
   *
   * @param {1 | -1} step
   */
  move(step) {
    const at = this.items.findIndex((item) => item.id === this.selected);
    const next = this.items[at < 0 ? (step > 0 ? 0 : this.items.length - 1) : at + step];
    if (next !== undefined) this.tell('ft-select', next.id);
  }

  /** Brings the selected row into view. */
  reveal() {
    this.$('[aria-current="true"]')?.scrollIntoView({ block: 'nearest' });
  }

  /**
   * @param {MouseEvent} event
   * @param {string} id
   */
  #choose(event, id) {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    this.tell('ft-select', id);
  }

  render() {
    return html`<ol aria-label="Executions, newest first">
      ${repeat(
        this.items,
        (item) => item.id,
        (item) => this.#row(item),
      )}
    </ol>`;
  }

  /** @param {ExecutionSummary} item */
  #row(item) {
    const why = item.error && item.status === 'error' && !item.initialParamsPreview ? item.error : undefined;
    return html`<li class=${this.fresh.has(item.id) ? 'fresh' : ''}>
      <a
        href=${`/executions/${item.id}`}
        aria-current=${item.id === this.selected ? 'true' : 'false'}
        @click=${(/** @type {MouseEvent} */ event) => this.#choose(event, item.id)}
      >
        <ft-status .status=${item.status} .inferred=${item.inferred} .label=${meaningOf(item)}></ft-status>
        <ft-ago .time=${item.startedAt} .now=${this.now}></ft-ago>
        <span class="number">${duration(item.duration)}</span>
        <span class="preview">
          ${this.showFlow ? html`<span class="flow cut" dir="auto">${item.flowName}</span>` : nothing}
          <span class="muted cut ${why ? 'why' : ''}" dir="auto">${item.initialParamsPreview ?? why ?? ''}</span>
        </span>
      </a>
    </li>`;
  }
}

define('ft-executions', ExecutionList);
