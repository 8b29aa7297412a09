// @ts-check
/** A value of JSON as lines, of which some are folded away. */

import { ExactNumber } from '../../client/index.js';

/**
 * @typedef {object} Line
 * @property {number} id
 * @property {number} depth
 * @property {string | undefined} key its name, or its place in a list
 * @property {(string | number)[]} path where it stands
 * @property {unknown} value
 * @property {number} size how many entries it has
 * @property {number} place its number among those beside it, from 1
 * @property {number} beside how many those are, with it
 * @property {boolean} isOpen whether they are shown
 * @property {boolean} isUnfolded whether a long text is shown to its end
 */

/** How many lines are opened by themselves. */
const OPEN_AT_FIRST = 200;

export class Tree {
  #next = 0;
  #search = '';

  /** @param {unknown} value */
  constructor(value) {
    /** Those that are shown. @type {Line[]} */
    this.lines = [this.#line(value, undefined, [], 1, 1)];
    /** The paths of the values that have what is searched for, in order. @type {(string | number)[][]} */
    this.found = [];
    // Level by level, whatever is little.
    for (let depth = 0; depth < 4; depth += 1) {
      for (let at = this.lines.length - 1; at >= 0; at -= 1) {
        const line = this.lines[at];
        if (line?.depth !== depth || line.isOpen || this.lines.length + line.size > OPEN_AT_FIRST) continue;
        this.toggle(at);
      }
    }
    const [root] = this.lines;
    if (root !== undefined && !root.isOpen) this.toggle(0);
  }

  /**
   * @param {unknown} value
   * @param {string | undefined} key
   * @param {(string | number)[]} path
   * @param {number} place
   * @param {number} beside
   * @returns {Line}
   */
  #line(value, key, path, place, beside) {
    const size = isBranch(value) ? Object.keys(value).length : 0;
    return { id: (this.#next += 1), depth: path.length, key, path, value, size, place, beside, isOpen: false, isUnfolded: false };
  }

  /**
   * Folds and unfolds what was folded and unfolded in an earlier tree of the same thing.
   *
   * @param {Tree} earlier
   */
  follow(earlier) {
    const before = new Map(earlier.lines.map((line) => [JSON.stringify(line.path), line]));
    for (let at = 0; at < this.lines.length; at += 1) {
      const line = this.lines[at];
      const known = line && before.get(JSON.stringify(line.path));
      if (line === undefined || known === undefined) continue;
      line.isUnfolded = known.isUnfolded;
      if (known.size > 0 && line.isOpen !== known.isOpen) this.toggle(at);
    }
  }

  /**
   * Shows what a line has, or folds it away.
   *
   * @param {number} at
   */
  toggle(at) {
    const line = this.lines[at];
    if (line === undefined || line.size === 0) return;
    if (line.isOpen) {
      let end = at + 1;
      while (end < this.lines.length && (this.lines[end]?.depth ?? 0) > line.depth) end += 1;
      this.lines = [...this.lines.slice(0, at + 1), ...this.lines.slice(end)];
    } else {
      const below = entriesOf(line.value).map(([key, value], place) =>
        this.#line(value, String(key), [...line.path, key], place + 1, line.size),
      );
      this.lines = [...this.lines.slice(0, at + 1), ...below, ...this.lines.slice(at + 1)];
    }
    line.isOpen = !line.isOpen;
  }

  /**
   * Finds the values that have a text, in their key or in themselves.
   *
   * @param {string} search
   */
  find(search) {
    this.#search = search.toLowerCase();
    this.found = [];
    if (this.#search === '') return;
    /** @param {unknown} value @param {string | number | undefined} key @param {(string | number)[]} path */
    const look = (value, key, path) => {
      if (this.#has(key, value)) this.found.push(path);
      if (isBranch(value)) {
        for (const [name, below] of entriesOf(value)) look(below, name, [...path, name]);
      }
    };
    look(this.lines[0]?.value, undefined, []);
  }

  /** @param {Line} line */
  isFound(line) {
    return this.#has(line.key, line.value);
  }

  /**
   * @param {string | number | undefined} key
   * @param {unknown} value
   */
  #has(key, value) {
    if (key !== undefined && String(key).toLowerCase().includes(this.#search)) return true;
    if (isBranch(value)) return false;
    return String(value).toLowerCase().includes(this.#search);
  }

  /**
   * The next found value after a line, or before it, opened up to where it stands; −1 when there is none.
   *
   * @param {number} at
   * @param {1 | -1} step
   * @returns {number}
   */
  next(at, step) {
    if (this.found.length === 0) return -1;
    const here = this.lines[at]?.path;
    let place = here === undefined ? -1 : this.found.findIndex((path) => isSame(path, here));
    place = (place + step + this.found.length) % this.found.length;
    return this.open(this.found[place] ?? []);
  }

  /**
   * Opens the tree up to a value, and gives its line.
   *
   * @param {(string | number)[]} path
   * @returns {number}
   */
  open(path) {
    let at = 0;
    for (let depth = 1; depth <= path.length; depth += 1) {
      if (!this.lines[at]?.isOpen) this.toggle(at);
      const part = path.slice(0, depth);
      at = this.lines.findIndex((line, place) => place > at && line.depth === depth && isSame(line.path, part));
      if (at < 0) return -1;
    }
    return at;
  }
}

/**
 * @param {unknown} value
 * @returns {[string | number, unknown][]}
 */
function entriesOf(value) {
  if (Array.isArray(value)) return value.map((entry, place) => [place, entry]);
  return Object.entries(/** @type {object} */ (value));
}

/**
 * @param {(string | number)[]} one
 * @param {(string | number)[]} other
 */
const isSame = (one, other) => one.length === other.length && one.every((part, place) => part === other[place]);

/**
 * A path as it is written in JavaScript.
 *
 * @param {(string | number)[]} path
 */
export function pathText(path) {
  return path
    .map((part, place) => {
      if (typeof part === 'number') return `[${part}]`;
      if (/^[A-Za-z_$][\w$]*$/.test(part)) return place === 0 ? part : `.${part}`;
      return `[${JSON.stringify(part)}]`;
    })
    .join('');
}

/**
 * Whether a value has others within it.
 *
 * @param {unknown} value
 * @returns {value is object}
 */
const isBranch = (value) => value !== null && typeof value === 'object' && !(value instanceof ExactNumber);
