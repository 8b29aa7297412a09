// @ts-check
/** What one node, or the execution itself, was given and gave, as a tree or as it is. */

import { stringify } from '../../client/index.js';
import { Element, css, define, html, nothing } from '../base/element.js';
import { bytes } from '../base/format.js';
import './data-tree.js';

/** @typedef {import('./data-tree.js').DataTree} DataTree */
/** @typedef {{ size?: number, truncated?: boolean, redacted?: boolean, captured?: boolean, replaced?: boolean, rounded?: boolean }} Mark */
/** @typedef {{ name: string, value: unknown, mark?: Mark, isText?: boolean }} Part */

export class NodeData extends Element {
  static properties = {
    parts: { attribute: false },
    tab: {},
    name: {},
    of: {},
    isRaw: { state: true },
    search: { state: true },
  };

  static styles = css`
    :host {
      display: flex;
      flex-direction: column;
      min-height: 0;
      height: 100%;
    }
    .bar {
      display: flex;
      flex-wrap: wrap;
      align-items: center;
      gap: 0.25rem;
      padding: 0.25rem 0.75rem;
      border-bottom: 1px solid var(--ft-line);
    }
    .bar h3 {
      margin-inline-end: 0.5rem;
      max-width: 14rem;
    }
    .bar input {
      width: 9rem;
    }
    .end {
      display: flex;
      flex-wrap: wrap;
      gap: 0.25rem;
      align-items: center;
      margin-inline-start: auto;
    }
    @media (max-width: 479px) {
      .end {
        flex: 1 1 100%;
        flex-wrap: nowrap;
      }
      .end input {
        flex: 1;
        min-width: 0;
      }
    }
    .mark {
      padding: 0.25rem 0.75rem;
      border-bottom: 1px solid var(--ft-line);
      background: var(--ft-raised);
      color: var(--ft-muted);
    }
    #panel {
      flex: 1;
      display: flex;
      flex-direction: column;
      min-height: 0;
    }
    ft-tree,
    pre,
    .none {
      flex: 1;
      min-height: 0;
    }
    pre {
      overflow: auto;
      padding: 0.5rem 0.75rem;
      white-space: pre-wrap;
      overflow-wrap: anywhere;
      unicode-bidi: plaintext;
      line-height: 1.125rem;
    }
    .none {
      padding: 0.5rem 0.75rem;
      color: var(--ft-muted);
    }
  `;

  constructor() {
    super();
    /** @type {Part[]} */
    this.parts = [];
    /** The name of the part that is shown. */
    this.tab = '';
    /** Whose it is. */
    this.name = '';
    /** Which execution's and node's it is. */
    this.of = '';
    this.isRaw = false;
    this.search = '';
  }

  /** @returns {Part | undefined} */
  get #shown() {
    return this.parts.find((part) => part.name === this.tab) ?? this.parts[0];
  }

  /** @returns {DataTree | null} */
  get #tree() {
    return /** @type {DataTree | null} */ (this.$('ft-tree'));
  }

  /** @param {KeyboardEvent} event */
  #searchKey(event) {
    if (event.key === 'Enter') this.#tree?.next(event.shiftKey ? -1 : 1);
    else if (event.key === 'Escape') this.search = '';
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {KeyboardEvent} event */
  #tabKey(event) {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const at = this.parts.findIndex((part) => part === this.#shown);
    const next = this.parts[(at + step + this.parts.length) % this.parts.length];
    if (next === undefined) return;
    this.tell('ft-part', next.name);
    void this.updateComplete.then(() => this.$('[role="tab"][aria-selected="true"]')?.focus());
  }

  render() {
    const shown = this.#shown;
    return html`<div class="bar">
        <h3 class="cut" dir="auto">${this.name}</h3>
        <div class="row" role="tablist" aria-label="Data" @keydown=${this.#tabKey}>
          ${this.parts.map((part) => {
            const isShown = part === shown;
            return html`<button
              class="plain"
              type="button"
              role="tab"
              aria-controls="panel"
              aria-selected=${isShown ? 'true' : 'false'}
              aria-pressed=${nothing}
              tabindex=${isShown ? 0 : -1}
              @click=${() => this.tell('ft-part', part.name)}
            >
              ${part.name}
            </button>`;
          })}
        </div>
        <div class="end">
          <input
            type="search"
            placeholder="Search data"
            aria-label="Search the data; Enter goes to the next place"
            .value=${this.search}
            ?disabled=${this.isRaw || shown?.value === undefined}
            @input=${(/** @type {InputEvent} */ event) => {
              this.search = /** @type {HTMLInputElement} */ (event.target).value;
            }}
            @keydown=${this.#searchKey}
          />
          <button class="plain" type="button" aria-pressed=${this.isRaw ? 'false' : 'true'} @click=${() => this.#raw(false)}>Tree</button>
          <button class="plain" type="button" aria-pressed=${this.isRaw ? 'true' : 'false'} @click=${() => this.#raw(true)}>Raw</button>
          <ft-copy label="Copy all" .text=${() => rawOf(shown?.value)}></ft-copy>
        </div>
      </div>
      <div id="panel" role="tabpanel" aria-label=${shown?.name ?? 'Data'}>
        ${shown?.mark ? html`<p class="mark">${markText(shown.mark)}</p>` : nothing} ${this.#content(shown)}
      </div>`;
  }

  /** @param {boolean} isRaw */
  #raw(isRaw) {
    this.isRaw = isRaw;
  }

  /** @param {Part | undefined} shown */
  #content(shown) {
    if (shown === undefined || shown.value === undefined || (shown.value === null && shown.mark?.captured === false)) {
      const why = shown?.mark?.captured === false ? 'It was not kept: the flow keeps no data.' : 'Nothing was recorded.';
      return html`<p class="none">${why}</p>`;
    }
    if (this.isRaw || shown.isText) return html`<pre tabindex="0" dir="auto">${rawOf(shown.value)}</pre>`;
    return html`<ft-tree .name=${`${this.name}: ${shown.name}`} .of=${`${this.of} ${shown.name}`} .value=${shown.value} .search=${this.search}></ft-tree>`;
  }
}

/** @param {unknown} value */
const rawOf = (value) => (typeof value === 'string' ? value : stringify(value, 2) ?? '');

/**
 * What of a payload is not there.
 *
 * @param {Mark} mark
 */
export function markText({ size, truncated, redacted, captured, replaced, rounded }) {
  const whole = size === undefined ? '' : ` of ${bytes(size)}`;
  if (captured === false) return `Not kept${whole && `: it had ${whole.slice(4)}`}.`;
  const said = [];
  if (truncated) said.push(`Truncated: only the beginning${whole} was kept.`);
  if (redacted) said.push('Redacted: what looked like a secret was taken out before it was written.');
  if (replaced) said.push('Replaced: half of a character, which no text can hold, became the sign �.');
  if (rounded) said.push('Rounded for the script: JavaScript has no numbers of so many digits. Here they are complete.');
  return said.join(' ');
}

define('ft-node-data', NodeData);
