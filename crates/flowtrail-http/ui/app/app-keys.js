// @ts-check
/** The keys that do something. */

import { Element, css, define, html } from '../base/element.js';

/** @type {[keys: string[], does: string][]} */
const KEYS = [
  [['⌘K', 'Ctrl K'], 'find flows, executions by id, and commands'],
  [['/'], 'search what is listed'],
  [['j', 'k'], 'select the next and the previous execution'],
  [['Enter'], 'open'],
  [['Esc'], 'close'],
  [['.'], 'pause what comes in, and go on'],
  [['?'], 'this list'],
];

class AppKeys extends Element {
  static styles = css`
    dialog {
      width: min(28rem, calc(100vw - 2rem));
    }
    dl {
      display: grid;
      grid-template-columns: max-content 1fr;
      gap: 0.375rem 1rem;
      margin-block: 0.75rem 1rem;
    }
    kbd {
      padding: 0.0625rem 0.375rem;
      border: 1px solid var(--ft-line);
      border-radius: 3px;
      background: var(--ft-raised);
    }
  `;

  firstUpdated() {
    const dialog = /** @type {HTMLDialogElement} */ (this.$('dialog'));
    dialog.showModal();
    dialog.addEventListener('close', () => this.tell('ft-close'));
  }

  render() {
    return html`<dialog aria-labelledby="title">
      <form method="dialog">
        <h2 id="title">Keyboard</h2>
        <dl>
          ${KEYS.map(
            ([keys, does]) => html`<dt>${keys.map((key, at) => html`${at > 0 ? ' ' : ''}<kbd>${key}</kbd>`)}</dt>
              <dd>${does}</dd>`,
          )}
        </dl>
        <button autofocus>Close</button>
      </form>
    </dialog>`;
  }
}

define('app-keys', AppKeys);
