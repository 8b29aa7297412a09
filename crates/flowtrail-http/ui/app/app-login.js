// @ts-check
/** Logging in by a key. */

import { Element, css, define, html, nothing } from '../base/element.js';
import { BRAND } from './brand.js';

class AppLogin extends Element {
  static properties = {
    client: { attribute: false },
    error: { attribute: false },
    isBusy: { state: true },
  };

  static styles = css`
    :host {
      display: grid;
      place-items: center;
      height: 100%;
      padding: 1rem;
    }
    form {
      display: grid;
      gap: 0.75rem;
      width: min(24rem, 100%);
    }
    h1 {
      display: flex;
      align-items: center;
      gap: 0.5rem;
    }
    h1 svg {
      width: 1.25rem;
      height: 1.25rem;
      color: var(--ft-accent);
    }
    .wrong {
      padding: 0.5rem 0.75rem;
      border-inline-start: 2px solid var(--ft-error);
      background: var(--ft-error-ground);
      overflow-wrap: anywhere;
    }
    input {
      width: 100%;
      min-height: 2rem;
      font-family: var(--ft-mono);
    }
    button {
      min-height: 2rem;
    }
  `;

  constructor() {
    super();
    /** @type {import('../../client/index.js').Flowtrail | undefined} */
    this.client = undefined;
    /** @type {Error | undefined} */
    this.error = undefined;
    this.isBusy = false;
  }

  firstUpdated() {
    this.$('input')?.focus();
  }

  /** @param {SubmitEvent} event */
  async #submit(event) {
    event.preventDefault();
    const field = /** @type {HTMLInputElement} */ (this.$('input'));
    const key = field.value.trim();
    if (key === '' || this.client === undefined) return;
    this.isBusy = true;
    try {
      const { user } = await this.client.logIn({ key });
      field.value = '';
      this.tell('ft-entered', user);
    } catch (error) {
      this.error = /** @type {Error} */ (error);
    } finally {
      this.isBusy = false;
    }
  }

  render() {
    return html`<form @submit=${this.#submit}>
      <h1>${BRAND} Flowtrail</h1>
      <p class="muted">Every run of a flow leaves a record here: what it was given, what each node did, how long it took, how it ended and why.</p>
      ${this.error ? html`<p class="wrong" role="alert">${this.error.message}</p>` : nothing}
      <div class="field">
        <label class="label" for="key">API key</label>
        <input id="key" type="password" autocomplete="current-password" spellcheck="false" placeholder="ft_…" aria-describedby="hint" />
        <span class="hint" id="hint">The administrator’s key is in the file <code>admin.key</code> of the data folder.</span>
      </div>
      <button class="primary" ?disabled=${this.isBusy}>${this.isBusy ? 'Logging in…' : 'Log in'}</button>
    </form>`;
  }
}

define('app-login', AppLogin);
