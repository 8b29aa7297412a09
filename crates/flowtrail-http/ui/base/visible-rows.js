// @ts-check
/** Which of many rows of one height can be seen, so that only those are drawn. */

/** How many rows are drawn above and below of what can be seen. */
const SPARE = 12;
/** How much can be seen as long as nobody has measured it, in pixels. */
const ROOM = 400;

export class VisibleRows {
  #host;
  #rem;
  #head;
  #unit = 16;
  #top = 0;
  #room = ROOM;
  /** @type {ResizeObserver | undefined} */
  #sizes;

  /**
   * @param {import('../../vendor/@lit/reactive-element/reactive-element.js').ReactiveElement} host as high as what scrolls in it
   * @param {number} rem the height of a row
   * @param {number} [head] the height of what stays above the rows
   */
  constructor(host, rem, head = 0) {
    this.#host = host;
    this.#rem = rem;
    this.#head = head;
    host.addController(this);
  }

  hostConnected() {
    this.#unit = parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
    this.#sizes = new ResizeObserver(() => {
      this.#room = this.#host.clientHeight;
      this.#host.requestUpdate();
    });
    this.#sizes.observe(this.#host);
  }

  hostDisconnected() {
    this.#sizes?.disconnect();
  }

  /** The height of a row, in pixels. */
  get #height() {
    return this.#rem * this.#unit;
  }

  /** How many rows can be seen at once. */
  get page() {
    return Math.max(1, Math.floor(this.#room / this.#height) - 1);
  }

  /** The style of a row: where it stands. @param {number} at */
  place(at) {
    return `top: ${at * this.#rem}rem`;
  }

  /** The style of what holds so many rows. @param {number} count */
  whole(count) {
    return `height: ${count * this.#rem}rem`;
  }

  /**
   * The first row that is drawn, and the one after the last.
   *
   * @param {number} count how many there are
   * @returns {[number, number]}
   */
  range(count) {
    const first = Math.max(0, Math.floor(this.#top / this.#height) - SPARE);
    return [first, Math.min(count, Math.ceil((this.#top + this.#room) / this.#height) + SPARE)];
  }

  /** Draws what is seen now: for the `scroll` event. @param {Event} event */
  scrolled = ({ currentTarget }) => this.#moved(/** @type {HTMLElement} */ (currentTarget));

  /** @param {HTMLElement} scroller */
  #moved(scroller) {
    const step = SPARE * this.#height;
    const before = Math.floor(this.#top / step);
    this.#top = scroller.scrollTop;
    // Within the spare rows everything is there already.
    if (Math.floor(this.#top / step) !== before) this.#host.requestUpdate();
  }

  /**
   * Scrolls as little as it takes to see a row.
   *
   * @param {HTMLElement | null} scroller
   * @param {number} at
   */
  bring(scroller, at) {
    if (scroller === null) return;
    const y = at * this.#height;
    const end = y + this.#height + this.#head * this.#unit;
    if (y < scroller.scrollTop) scroller.scrollTop = y;
    else if (end > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = end - scroller.clientHeight;
    this.#moved(scroller);
  }
}
