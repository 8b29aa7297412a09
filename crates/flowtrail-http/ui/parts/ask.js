// @ts-check
/** A question that must be answered before something is done that cannot be undone. */

import { Element, css, define, html, nothing } from '../base/element.js';

class Ask extends Element {
  static standsAlone = true;

  static properties = { question: { attribute: false } };

  static styles = css`
    dialog {
      max-width: min(28rem, calc(100vw - 2rem));
    }
    p {
      margin-block: 0.5rem 1rem;
      overflow-wrap: anywhere;
    }
    .row {
      justify-content: flex-end;
    }
  `;

  constructor() {
    super();
    /** @type {Question | undefined} */
    this.question = undefined;
    /** @type {(yes: boolean) => void} */
    this.answered = () => {};
  }

  firstUpdated() {
    const dialog = /** @type {HTMLDialogElement} */ (this.$('dialog'));
    dialog.showModal();
    dialog.addEventListener('close', () => {
      this.answered(dialog.returnValue === 'yes');
      this.remove();
    });
  }

  render() {
    const { question } = this;
    if (question === undefined) return nothing;
    return html`<dialog aria-labelledby="title">
      <form method="dialog">
        <h2 id="title">${question.title}</h2>
        <p>${question.text}</p>
        <div class="row">
          <button value="no" autofocus>${question.no ?? 'Keep'}</button>
          <button value="yes" class="danger">${question.yes}</button>
        </div>
      </form>
    </dialog>`;
  }
}

define('ft-ask', Ask);

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {string} text
 * @property {string} yes what the button says that does it
 * @property {string} [no] what the button says that does not
 */

/**
 * Asks.
 *
 * @param {Question} question
 * @returns {Promise<boolean>} whether it may be done
 */
export function ask(question) {
  const asking = /** @type {Ask} */ (document.createElement('ft-ask'));
  asking.question = question;
  document.body.append(asking);
  return new Promise((resolve) => {
    asking.answered = resolve;
  });
}
