// @ts-check
/** JSON as a tree of lines, of which only those are drawn that can be seen: a megabyte is as quick as a word. */

import { ExactNumber, stringify } from '../../client/index.js';
import { Element, css, define, html, nothing, repeat } from '../base/element.js';
import { plural } from '../base/format.js';
import { VisibleRows } from '../base/visible-rows.js';
import '../parts/copy-button.js';
import { Tree, pathText } from './tree.js';

/** @typedef {import('./tree.js').Line} Line */

/** The height of a line, in rem. */
const LINE = 1.25;
/** Longer strings are folded. */
const LONG = 160;

export class DataTree extends Element {
  static properties = {
    value: { attribute: false },
    of: {},
    name: {},
    search: {},
    at: { state: true },
  };

  static styles = css`
    :host {
      display: flex;
      flex-direction: column;
      min-height: 1.5rem;
    }
    .scroll {
      flex: 1;
      min-height: 0;
      overflow: auto;
      font-family: var(--ft-mono);
      font-size: 0.75rem;
      line-height: 1.25rem;
      contain: layout paint;
    }
    .all {
      position: relative;
      min-width: max-content;
    }
    .line {
      position: absolute;
      inset-inline: 0;
      display: flex;
      align-items: center;
      height: 1.25rem;
      padding-inline: 0.75rem;
      white-space: pre;
      cursor: default;
    }
    .line:hover,
    .line.at {
      background: var(--ft-raised);
    }
    .line.found {
      background: color-mix(in srgb, var(--ft-pending) 14%, transparent);
    }
    .fold {
      width: 1rem;
      flex: none;
      color: var(--ft-muted);
      text-align: center;
      cursor: pointer;
      user-select: none;
    }
    .key {
      color: var(--ft-text);
    }
    .key::after {
      content: ': ';
      color: var(--ft-muted);
    }
    .string {
      color: var(--ft-string);
      unicode-bidi: plaintext;
    }
    .number {
      color: var(--ft-number);
      text-align: start;
    }
    .literal {
      color: var(--ft-literal);
    }
    .muted {
      padding-inline-start: 0.5rem;
    }
    .more {
      margin-inline-start: 0.5rem;
    }
    .copies {
      position: sticky;
      inset-inline-end: 0.25rem;
      display: none;
      margin-inline-start: auto;
      background: var(--ft-raised);
      font-family: var(--ft-font);
    }
    .line:hover .copies,
    .line.at .copies {
      display: flex;
    }
    .none {
      padding: 0.5rem 0.75rem;
      font-family: var(--ft-font);
      font-size: var(--ft-text-size);
      color: var(--ft-muted);
    }
  `;

  #tree = new Tree(undefined);
  #visible = new VisibleRows(this, LINE);
  /** Whether the line that the keys are at is to be seen, as soon as there is room for all lines. */
  #isMoved = false;

  constructor() {
    super();
    /** What is shown. @type {unknown} */
    this.value = undefined;
    /** Which thing it is: when it is the same with another value, it stays folded as it is. */
    this.of = '';
    /** What it is called. */
    this.name = 'Data';
    /** Lines with this text are marked. */
    this.search = '';
    /** The line that the keys are at. */
    this.at = -1;
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    if (changed.has('value')) {
      const earlier = this.#tree;
      this.#tree = new Tree(this.value);
      if (this.hasUpdated && !changed.has('of')) {
        this.#tree.follow(earlier);
        this.at = Math.min(this.at, this.#tree.lines.length - 1);
      } else {
        this.at = -1;
        this.#visible.bring(this.$('.scroll'), 0);
      }
    }
    if (changed.has('value') || changed.has('search')) this.#tree.find(this.search);
  }

  updated() {
    if (!this.#isMoved) return;
    this.#isMoved = false;
    this.#visible.bring(this.$('.scroll'), this.at);
  }

  /** How many lines have what is searched for. */
  get found() {
    return this.#tree.found.length;
  }

  /**
   * Goes to the next line that has what is searched for.
   *
   * @param {1 | -1} step
   */
  next(step) {
    const line = this.#tree.next(this.at, step);
    if (line < 0) return;
    this.requestUpdate();
    this.#go(line);
  }

  /** @param {number} line */
  #go(line) {
    this.at = Math.max(0, Math.min(line, this.#tree.lines.length - 1));
    this.#isMoved = true;
    this.requestUpdate();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.target !== event.currentTarget) return;
    const line = this.#tree.lines[this.at];
    const { page } = this.#visible;
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowDown: () => this.#go(this.at + 1),
      ArrowUp: () => this.#go(this.at - 1),
      PageDown: () => this.#go(this.at + page),
      PageUp: () => this.#go(this.at - page),
      Home: () => this.#go(0),
      End: () => this.#go(this.#tree.lines.length - 1),
      ArrowRight: () => line && line.size > 0 && !line.isOpen && this.#fold(this.at),
      ArrowLeft: () => line?.isOpen && this.#fold(this.at),
      Enter: () => line && this.#fold(this.at),
    };
    const act = keys[event.key];
    if (act === undefined) return;
    event.preventDefault();
    act();
  }

  /** @param {number} at */
  #fold(at) {
    this.#tree.toggle(at);
    this.at = at;
    this.requestUpdate();
  }

  render() {
    if (this.value === undefined) return html`<p class="none">Nothing was recorded.</p>`;
    const { lines } = this.#tree;
    const [first, last] = this.#visible.range(lines.length);
    const shown = lines.slice(first, last).map((line, place) => ({ line, at: first + place }));
    const isDrawn = this.at >= first && this.at < last;
    return html`<div
      class="scroll"
      role="tree"
      tabindex="0"
      aria-label=${this.name}
      aria-activedescendant=${isDrawn ? `line-${this.at}` : nothing}
      @scroll=${this.#visible.scrolled}
      @keydown=${this.#key}
    >
      <div class="all" role="presentation" .style=${this.#visible.whole(lines.length)}>
      ${repeat(
        shown,
        ({ line }) => line.id,
        ({ line, at }) => this.#line(line, at),
      )}
      </div>
    </div>`;
  }

  /**
   * @param {Line} line
   * @param {number} at
   */
  #line(line, at) {
    const isFound = this.search !== '' && this.#tree.isFound(line);
    return html`<div
      class="line ${at === this.at ? 'at' : ''} ${isFound ? 'found' : ''}"
      id=${`line-${at}`}
      role="treeitem"
      aria-level=${line.depth + 1}
      aria-setsize=${line.beside}
      aria-posinset=${line.place}
      aria-expanded=${line.size > 0 ? String(line.isOpen) : nothing}
      aria-selected=${at === this.at ? 'true' : 'false'}
      .style=${`${this.#visible.place(at)}; padding-inline-start: ${0.25 + line.depth}rem`}
      @click=${() => {
        this.at = at;
      }}
    >
      <span class="fold" @click=${() => this.#fold(at)}>${line.size > 0 ? (line.isOpen ? '▾' : '▸') : ''}</span>
      ${line.key === undefined ? nothing : html`<span class="key" dir="auto">${line.key}</span>`}
      ${this.#value(line, at)}
      <span class="copies">
        <ft-copy .text=${() => textOf(line.value)} label="Copy value">value</ft-copy>
        <ft-copy .text=${pathText(line.path)} label="Copy path">path</ft-copy>
      </span>
    </div>`;
  }

  /**
   * @param {Line} line
   * @param {number} at
   */
  #value(line, at) {
    const { value } = line;
    if (Array.isArray(value)) return html`<span class="muted">[${plural(line.size, 'item')}]</span>`;
    if (value instanceof ExactNumber) return html`<span class="number">${value.text}</span>`;
    if (value !== null && typeof value === 'object') {
      return html`<span class="muted">{${plural(line.size, 'entry', 'entries')}}</span>`;
    }
    if (typeof value !== 'string') {
      return html`<span class=${typeof value === 'number' ? 'number' : 'literal'}>${String(value)}</span>`;
    }
    const text = JSON.stringify(value);
    if (text.length <= LONG || line.isUnfolded) return html`<span class="string">${text}</span>`;
    return html`<span class="string">${text.slice(0, LONG)}</span
      ><button class="link more" type="button" @click=${() => this.#unfold(at)}>
        … ${plural([...value].length, 'character')}
      </button>`;
  }

  /** @param {number} at */
  #unfold(at) {
    const line = this.#tree.lines[at];
    if (line !== undefined) line.isUnfolded = true;
    this.requestUpdate();
  }
}

/** @param {unknown} value */
const textOf = (value) => (typeof value === 'string' ? value : stringify(value, 2));

define('ft-tree', DataTree);
