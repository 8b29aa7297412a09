/**
 * JSON whose numbers keep their digits. JavaScript's numbers are doubles: integers beyond 2^53 and decimals of more than 17
 * digits would be rounded by `JSON.parse`.
 */

/** Where a number may begin that no double holds: it has many digits, or an exponent. */
const SUSPICIOUS = /(?:^|[\s:[,])-?(?:[\d.]{16}|[\d.]+[eE])/;

/** A number that a double cannot hold, by its text. `stringify` writes it as it was read. */
export class ExactNumber {
  /** @param {string} text a number as JSON writes it */
  constructor(text) {
    if (!NUMBER.test(text)) throw new TypeError(`not a number of JSON: ${text}`);
    /** All its digits, as they were sent. @readonly */
    this.text = text;
    Object.freeze(this);
  }

  toString() {
    return this.text;
  }

  /** The nearest double, to compute with. */
  valueOf() {
    return Number(this.text);
  }

  /** All of an integer. Throws when it has a fraction or an exponent. */
  toBigInt() {
    return BigInt(this.text);
  }

  /** What `JSON.stringify` writes. Where it has no way to keep the digits it refuses rather than to round. */
  toJSON() {
    const { rawJSON } = /** @type {{ rawJSON?: (text: string) => unknown }} */ (/** @type {unknown} */ (JSON));
    if (rawJSON) return rawJSON(this.text);
    throw new TypeError('JSON.stringify would round this number: use stringify of @flowtrail/client');
  }
}

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/**
 * The number of a text: a plain number where a double has the same value, and an `ExactNumber` otherwise.
 *
 * @param {string} text a number as JSON writes it
 * @returns {number | ExactNumber}
 */
export function numberOf(text) {
  const exact = new ExactNumber(text);
  const double = Number(text);
  return Number.isFinite(double) && decimal(text) === decimal(String(double)) ? double : exact;
}

/**
 * A number in its one form, in which numbers of the same value are the same text.
 *
 * @param {string} text
 */
function decimal(text) {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.');
  const digits = (whole + fraction).replace(/^0+/, '');
  const kept = digits.replace(/0+$/, '');
  if (kept === '') return '0';
  const sign = text.startsWith('-') ? '-' : '';
  return `${sign}${kept}e${BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - kept.length)}`;
}

/**
 * Reads JSON as `JSON.parse` does, but for numbers that a double cannot hold: those are an `ExactNumber`.
 *
 * @param {string} text
 * @returns {any}
 */
export function parse(text) {
  const value = JSON.parse(text);
  // What is valid is read again only when there may be such a number in it.
  return SUSPICIOUS.test(text) ? new Reader(text).value() : value;
}

/** Reads JSON that is valid. */
class Reader {
  #text;
  #place = 0;

  /** @param {string} text */
  constructor(text) {
    this.#text = text;
  }

  /** @returns {unknown} */
  value() {
    const start = this.#token();
    if (start === '{') return this.#object();
    if (start === '[') return this.#array();
    if (start.startsWith('"')) return JSON.parse(start);
    return start === 'true' || start === 'false' || start === 'null' ? JSON.parse(start) : numberOf(start);
  }

  #object() {
    /** @type {[string, unknown][]} */
    const members = [];
    for (let token = this.#token(); token !== '}'; token = this.#token()) {
      if (token === ',') continue;
      // The colon.
      this.#token();
      members.push([JSON.parse(token), this.value()]);
    }
    return Object.fromEntries(members);
  }

  #array() {
    const items = [];
    for (let place = this.#place; this.#token() !== ']'; place = this.#place) {
      // Whatever is no comma is the beginning of an item.
      if (this.#last !== ',') {
        this.#place = place;
        items.push(this.value());
      }
    }
    return items;
  }

  #last = '';

  #token() {
    TOKEN.lastIndex = this.#place;
    this.#last = TOKEN.exec(this.#text)?.[1] ?? '';
    this.#place = TOKEN.lastIndex;
    return this.#last;
  }
}

const TOKEN = /\s*([{}[\]:,]|"(?:[^"\\]|\\.)*"|[^\s{}[\]:,"]+)/y;

/**
 * Writes JSON as `JSON.stringify` does, and every `ExactNumber` with all its digits.
 *
 * @param {unknown} value
 * @param {number | string} [space]
 * @returns {string}
 */
export function stringify(value, space) {
  if (!hasExact(value)) return JSON.stringify(value, null, space);
  // A text that nobody sends stands in the place of each until all is written.
  const sign = `number-${Math.random()}-${Math.random()}-`;
  const text = JSON.stringify(withSigns(value, sign), null, space);
  return text.replace(new RegExp(`"${sign.replaceAll('.', '\\.')}([^"]*)"`, 'g'), '$1');
}

/**
 * Whether a value is, or has within it, an `ExactNumber`.
 *
 * @param {unknown} value
 * @returns {boolean}
 */
function hasExact(value) {
  if (value === null || typeof value !== 'object') return false;
  return value instanceof ExactNumber || Object.values(value).some(hasExact);
}

/**
 * @param {unknown} value
 * @param {string} sign
 * @returns {unknown}
 */
function withSigns(value, sign) {
  if (value instanceof ExactNumber) return sign + value.text;
  if (!hasExact(value) || typeof (/** @type {any} */ (value).toJSON) === 'function') return value;
  if (Array.isArray(value)) return value.map((item) => withSigns(item, sign));
  return Object.fromEntries(
    Object.entries(/** @type {object} */ (value)).map(([name, item]) => [name, withSigns(item, sign)]),
  );
}
