// @ts-check
/** What went wrong, in place: what happened, whether anything was lost, and what to do. */

import { FlowtrailError, NotFoundError, UnauthenticatedError } from '../../client/index.js';
import { Element, css, define, html, nothing } from '../base/element.js';

/**
 * What to do about an error.
 *
 * @param {Error} error
 */
function advice(error) {
  if (!(error instanceof FlowtrailError)) return 'This is a mistake in the page: please tell who runs this server.';
  if (error.code === 'network') return 'Can’t reach the server. Everything recorded so far is safe. What is shown may be out of date.';
  if (error instanceof UnauthenticatedError) return 'Log in again; a page that shows this with a token needs another one.';
  if (error instanceof NotFoundError) return 'It was deleted, never was, or you may not see it.';
  if (error.status === 403) return 'Ask the owner of the flow or an administrator for access.';
  if (error.status >= 500) return `The server’s log knows more${error.requestId ? `, as request ${error.requestId}` : ''}.`;
  return '';
}

export class Problem extends Element {
  static properties = { error: { attribute: false }, what: {}, again: {} };

  static styles = css`
    :host {
      padding: 0.75rem 1rem;
    }
    .box {
      display: grid;
      grid-template-columns: 1fr auto;
      gap: 0.25rem 1rem;
      align-items: center;
      padding: 0.5rem 0.75rem;
      border-inline-start: 2px solid var(--ft-error);
      background: var(--ft-error-ground);
    }
    p {
      overflow-wrap: anywhere;
    }
  `;

  constructor() {
    super();
    /** @type {Error | undefined} */
    this.error = undefined;
    /** What was tried. */
    this.what = '';
    /** What the button says. */
    this.again = 'Try again';
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  updated(changed) {
    if (changed.has('error') && this.error instanceof UnauthenticatedError) this.tell('ft-unauthenticated');
  }

  render() {
    const { error } = this;
    if (error === undefined) return nothing;
    const what = this.what || 'That did not work';
    // What is not there will not be there the next time.
    const isMissing = error instanceof NotFoundError && error.message.toLowerCase() === what.toLowerCase();
    return html`<div class="box" role="alert">
      <div>
        <p><strong>${what}</strong>${isMissing ? '.' : `: ${error.message}`}</p>
        <p class="muted">${advice(error)}</p>
      </div>
      ${isMissing ? nothing : html`<button type="button" @click=${() => this.tell('ft-retry')}>${this.again}</button>`}
    </div>`;
  }
}

define('ft-problem', Problem);
