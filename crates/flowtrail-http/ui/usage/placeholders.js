// @ts-check
/** Placeholders of the executions' page: the shape of rows while they are fetched, and a hint while nothing is selected. */

import { css, html } from '../base/element.js';

/** Number of row shapes while the first page is fetched. */
const SHAPES = 12;

export const placeholderStyles = css`
  .placeholder {
    display: grid;
    place-content: center;
    gap: 0.5rem;
    height: 100%;
    padding: 1rem;
    color: var(--ft-muted);
    text-align: center;
  }
  kbd {
    padding: 0 0.25rem;
    border: 1px solid var(--ft-line);
    border-radius: 3px;
  }
  .loading {
    display: grid;
    gap: 1px;
  }
  .loading div {
    display: flex;
    gap: 0.75rem;
    align-items: center;
    height: var(--ft-row);
    padding-inline: 0.75rem;
  }
  .loading span {
    height: 0.75rem;
    width: 5rem;
  }
  .loading span:first-child {
    width: 1rem;
    border-radius: 50%;
    height: 1rem;
  }
  .loading span:last-child {
    flex: 1;
  }
`;

/** Renders the shape of rows that are being fetched. */
export const loadingRows = () =>
  html`<div class="loading" aria-busy="true" aria-label="Loading the executions">
    ${Array.from({ length: SHAPES }, () => html`<div><span class="shape"></span><span class="shape"></span><span class="shape"></span></div>`)}
  </div>`;

/** Renders a hint in place of an execution, while none is selected. */
export const selectHint = () =>
  html`<div class="placeholder">
    <p>Select an execution to see what it was given, what each node did, and why it ended as it did.</p>
    <p><kbd>j</kbd> <kbd>k</kbd> move · <kbd>Enter</kbd> opens · <kbd>/</kbd> searches · <kbd>?</kbd> lists the keys</p>
  </div>`;
