// @ts-check
/** Components that are fetched when they are first shown: most visits need few of them. Until then their tag is empty. */

export class Lazy {
  #host;
  /** @type {(() => Promise<unknown>) | undefined} */
  #last;

  /** @param {import('../../vendor/@lit/reactive-element/reactive-element.js').ReactiveElement} host */
  constructor(host) {
    this.#host = host;
    /** Why what is wanted is not there. @type {Error | undefined} */
    this.error = undefined;
  }

  /**
   * Fetches a module, unless it is there.
   *
   * @param {(() => Promise<unknown>) | undefined} load
   */
  async bring(load) {
    // What failed is tried again when somebody asks for that, and not whenever something is drawn.
    if (load === this.#last && this.error !== undefined) return;
    this.#last = load;
    this.error = undefined;
    try {
      await load?.();
    } catch (error) {
      if (this.#last !== load) return;
      this.error = error instanceof Error ? error : new Error(String(error));
      this.#host.requestUpdate();
    }
  }

  /** Tries it once more. Some browsers remember what they could not fetch for as long as the page lives: then it begins anew. */
  async again() {
    this.error = undefined;
    this.#host.requestUpdate();
    await this.bring(this.#last);
    if (this.error !== undefined && document.querySelector('flowtrail-app') !== null) window.location.reload();
  }
}

/** How long a page is left alone before what the next one may need is fetched, in milliseconds. */
const LATER = 1_500;

/**
 * Fetches modules when there is nothing else to do, for what may be shown next.
 *
 * @param {(() => Promise<unknown>)[]} loads
 */
export function prefetch(loads) {
  const idle = window.requestIdleCallback ?? ((act) => setTimeout(act, 0));
  setTimeout(() => {
    // What cannot be fetched now is fetched when it is wanted, and said to be missing then.
    for (const load of loads) idle(() => void load().catch(() => {}));
  }, LATER);
}
