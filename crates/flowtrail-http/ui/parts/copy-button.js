// @ts-check
/** Copies a text, and says so. */

import { Element, css, define, html, svg } from '../base/element.js';

const COPY = svg`<path d="M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z" />`;
const DONE = svg`<path d="M3 8.5l3.2 3.2L13 4.8" />`;

export class CopyButton extends Element {
  static properties = { text: {}, label: {}, isDone: { state: true } };

  static styles = css`
    :host {
      display: inline-block;
      vertical-align: middle;
    }
    button {
      min-height: 1.25rem;
      padding: 0 0.25rem;
      gap: 0.25rem;
      font-weight: 400;
    }
    svg {
      width: 0.8125rem;
      height: 0.8125rem;
      fill: none;
      stroke: currentColor;
      stroke-width: 1.5;
      stroke-linejoin: round;
    }
  `;

  constructor() {
    super();
    /** What is copied, or what gives it. @type {string | (() => string | Promise<string>)} */
    this.text = '';
    /** What it is, for those who do not see the button. */
    this.label = 'Copy';
    this.isDone = false;
  }

  async #copy() {
    const text = typeof this.text === 'function' ? await this.text() : this.text;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Pages that came without encryption have no clipboard but this one.
      const field = document.createElement('textarea');
      field.value = text;
      document.body.append(field);
      field.select();
      document.execCommand('copy');
      field.remove();
    }
    this.isDone = true;
    setTimeout(() => {
      this.isDone = false;
    }, 1_500);
  }

  render() {
    return html`<button class="plain" type="button" title=${this.label} aria-label=${this.label} @click=${this.#copy}>
      <svg viewBox="0 0 16 16" aria-hidden="true">${this.isDone ? DONE : COPY}</svg><slot></slot>
      <span class="visually-hidden" role="status">${this.isDone ? 'Copied' : ''}</span>
    </button>`;
  }
}

define('ft-copy', CopyButton);
