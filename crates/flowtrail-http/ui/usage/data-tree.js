// @ts-check
/** JSON as a tree of lines, of which only those are drawn that can be seen: a megabyte is as quick as a word. */

import { Element, css, define, html, nothing, repeat } from '../base/element.js';
import { plural } from '../base/format.js';

/** @typedef {import('./tree.js').Line} Line */

import { Tree, pathText } from './tree.js';

/** The height of a line, in pixels at the usual size of text. */
const LINE_REM = 1.25;
/** How many lines are drawn above and below of what can be seen. */
const SPARE = 12;
/** Longer strings are folded. */
const LONG = 160;

export class DataTree extends Element {
  static properties = {
    value: { attribute: false },
    search: {},
    top: { state: true },
    room: { state: true },
    at: { state: true },
  };

  static styles = css`
    :host {
      display: block;
      position: relative;
      overflow: auto;
      min-height: 1.5rem;
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
  #rem = 16;
  /** @type {ResizeObserver | undefined} */
  #sizes;

  constructor() {
    super();
    /** What is shown. @type {unknown} */
    this.value = undefined;
    /** Lines with this text are marked. */
    this.search = '';
    this.top = 0;
    this.room = 400;
    /** The line that the keys are at. */
    this.at = -1;
  }

  connectedCallback() {
    super.connectedCallback();
    this.tabIndex = 0;
    this.setAttribute('role', 'tree');
    this.setAttribute('aria-label', this.getAttribute('aria-label') ?? 'Data');
    this.#rem = parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
    this.addEventListener('scroll', this.#scrolled, { passive: true });
    this.addEventListener('keydown', this.#key);
    this.#sizes = new ResizeObserver(() => {
      this.room = this.clientHeight;
    });
    this.#sizes.observe(this);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.removeEventListener('scroll', this.#scrolled);
    this.removeEventListener('keydown', this.#key);
    this.#sizes?.disconnect();
  }

  #scrolled = () => {
    this.top = this.scrollTop;
  };

  get #height() {
    return LINE_REM * this.#rem;
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    if (changed.has('value')) {
      this.#tree = new Tree(this.value);
      this.at = -1;
      this.top = 0;
      this.scrollTop = 0;
    }
    if (changed.has('value') || changed.has('search')) this.#tree.find(this.search);
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
    const y = this.at * this.#height;
    if (y < this.scrollTop) this.scrollTop = y;
    else if (y + this.#height > this.scrollTop + this.clientHeight) this.scrollTop = y + this.#height - this.clientHeight;
  }

  /** @param {KeyboardEvent} event */
  #key = (event) => {
    if (event.composedPath()[0] !== this) return;
    const line = this.#tree.lines[this.at];
    const page = Math.max(1, Math.floor(this.clientHeight / this.#height) - 1);
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
  };

  /** @param {number} at */
  #fold(at) {
    this.#tree.toggle(at);
    this.at = at;
    this.requestUpdate();
  }

  render() {
    if (this.value === undefined) return html`<p class="none">Nothing was recorded.</p>`;
    const { lines } = this.#tree;
    const first = Math.max(0, Math.floor(this.top / this.#height) - SPARE);
    const last = Math.min(lines.length, Math.ceil((this.top + this.room) / this.#height) + SPARE);
    const shown = lines.slice(first, last).map((line, place) => ({ line, at: first + place }));
    return html`<div class="all" .style=${`height: ${lines.length * LINE_REM}rem`}>
      ${repeat(
        shown,
        ({ line }) => line.id,
        ({ line, at }) => this.#line(line, at),
      )}
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
      role="treeitem"
      aria-level=${line.depth + 1}
      aria-expanded=${line.size > 0 ? String(line.isOpen) : nothing}
      aria-selected=${at === this.at ? 'true' : 'false'}
      .style=${`top: ${at * LINE_REM}rem; padding-inline-start: ${0.25 + line.depth}rem`}
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
const textOf = (value) => (typeof value === 'string' ? value : JSON.stringify(value, null, 2));

define('ft-tree', DataTree);
