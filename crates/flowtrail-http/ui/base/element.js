// @ts-check
/** What every component is made from: Lit's reactive element and Lit's templates. */

import { ReactiveElement } from '../../vendor/@lit/reactive-element/reactive-element.js';
import { css } from '../../vendor/@lit/reactive-element/css-tag.js';
import { html, noChange, nothing, render, svg } from '../../vendor/lit-html/lit-html.js';
import { repeat } from '../../vendor/lit-html/directives/repeat.js';
import { common } from './styles.js';
import { tokens } from './tokens.js';

export { css, html, nothing, repeat, svg };

/** A component whose `render` gives what it shows. Properties get their first values in the constructor. */
export class Element extends ReactiveElement {
  /** @type {import('../../vendor/lit-html/lit-html.js').RootPart | undefined} */
  #part;

  /** @type {import('../../vendor/@lit/reactive-element/css-tag.js').CSSResultGroup} */
  static styles = [];

  /** Whether it may stand where no other component is around it, from which it would have its colours and sizes. */
  static standsAlone = false;

  /** @param {import('../../vendor/@lit/reactive-element/css-tag.js').CSSResultGroup} [styles] */
  static finalizeStyles(styles = []) {
    return super.finalizeStyles(this.standsAlone ? [tokens, common, styles] : [common, styles]);
  }

  /** @returns {unknown} */
  render() {
    return noChange;
  }

  /** @param {import('../../vendor/@lit/reactive-element/reactive-element.js').PropertyValues} changed */
  update(changed) {
    const shown = this.render();
    super.update(changed);
    this.#part = render(shown, this.renderRoot, { host: this, isConnected: this.isConnected });
  }

  connectedCallback() {
    super.connectedCallback();
    this.#part?.setConnected(true);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#part?.setConnected(false);
  }

  /**
   * The first element inside that a selector finds.
   *
   * @param {string} selector
   * @returns {HTMLElement | null}
   */
  $(selector) {
    return this.renderRoot.querySelector(selector);
  }

  /**
   * Tells whoever is around of something.
   *
   * @param {string} type
   * @param {unknown} [detail]
   * @returns {boolean} whether nobody has prevented what follows
   */
  tell(type, detail) {
    return this.dispatchEvent(
      new CustomEvent(type, { detail, bubbles: true, composed: true, cancelable: true }),
    );
  }
}

/**
 * Declares a component, unless the page has it already: somebody may have loaded it twice.
 *
 * @param {string} name
 * @param {CustomElementConstructor} element
 */
export function define(name, element) {
  if (!customElements.get(name)) customElements.define(name, element);
}
