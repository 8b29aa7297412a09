// @ts-check
/** Pages with numbers, previous and next. */

import { Element, css, define, html, nothing } from '../base/element.js';
import { count } from '../base/format.js';

/**
 * The numbers that are shown, with gaps as 0: the first, the last, and those around the one that is shown.
 *
 * @param {number} page
 * @param {number} last
 * @returns {number[]}
 */
export function shownPages(page, last) {
  const wanted = [1, page - 1, page, page + 1, last].filter((number) => number >= 1 && number <= last);
  const numbers = [...new Set(wanted)].sort((one, other) => one - other);
  return numbers.flatMap((number, place) => {
    const before = numbers[place - 1] ?? 0;
    if (number - before === 2) return [number - 1, number];
    return number - before > 2 ? [0, number] : [number];
  });
}

export class Pager extends Element {
  static properties = { page: { type: Number }, pages: { type: Number } };

  static styles = css`
    nav {
      display: flex;
      align-items: center;
      gap: 0.125rem;
    }
    button {
      min-width: 1.75rem;
      padding: 0 0.375rem;
      font-variant-numeric: tabular-nums;
    }
    button[aria-current='page'] {
      background: var(--ft-sunken);
      color: var(--ft-text);
      opacity: 1;
    }
    span {
      padding: 0 0.125rem;
      color: var(--ft-muted);
    }
  `;

  constructor() {
    super();
    this.page = 1;
    this.pages = 1;
  }

  /** @param {number} page */
  #go(page) {
    this.tell('ft-page', page);
  }

  render() {
    const { page, pages } = this;
    const last = Math.max(pages, 1);
    if (last === 1 && page <= 1) return nothing;
    return html`<nav aria-label="Pages of the list">
      <button class="plain" ?disabled=${page <= 1} aria-label="Previous page" @click=${() => this.#go(page - 1)}>‹</button>
      ${shownPages(Math.min(page, last), last).map((number) =>
        number === 0
          ? html`<span aria-hidden="true">…</span>`
          : html`<button
              class="plain"
              aria-label=${`Page ${number}`}
              aria-current=${number === page ? 'page' : 'false'}
              @click=${() => this.#go(number)}
            >
              ${count(number)}
            </button>`,
      )}
      <button class="plain" ?disabled=${page >= last} aria-label="Next page" @click=${() => this.#go(page + 1)}>›</button>
    </nav>`;
  }
}

define('ft-pager', Pager);
