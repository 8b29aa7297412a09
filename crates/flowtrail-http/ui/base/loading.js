// @ts-check
/** Something that is fetched, and fetched again: what is there stays while it is refreshed. */

/** @template T */
export class Loading {
  #host;
  /** Of what the value is. */
  #of = '';
  /** @type {AbortController | undefined} */
  #current;

  /** @param {import('../../vendor/@lit/reactive-element/reactive-element.js').ReactiveElement} host */
  constructor(host) {
    this.#host = host;
    /** What was fetched last. @type {T | undefined} */
    this.value = undefined;
    /** Why the last fetch failed. @type {Error | undefined} */
    this.error = undefined;
    /** Whether a fetch is under way. */
    this.isLoading = false;
    host.addController(this);
  }

  hostDisconnected() {
    this.stop();
  }

  /** Gives up what is under way. */
  stop() {
    this.#current?.abort(new DOMException('no longer needed', 'AbortError'));
    this.#current = undefined;
    this.isLoading = false;
  }

  /** Forgets what was fetched, because it was of something else. */
  forget() {
    this.stop();
    this.value = undefined;
    this.error = undefined;
    this.#host.requestUpdate();
  }

  /**
   * Takes what came another way, instead of what is under way.
   *
   * @param {T} value
   */
  take(value) {
    this.stop();
    this.value = value;
    this.error = undefined;
    this.#host.requestUpdate();
  }

  /**
   * Fetches. An earlier fetch that is still under way is given up.
   *
   * @param {(signal: AbortSignal) => Promise<T>} fetch
   * @param {string} [of] of what it is: when that changes and the fetch fails, what is there is forgotten, since it is of something else
   * @returns {Promise<T | undefined>} what was fetched; nothing when it failed or was given up
   */
  async run(fetch, of = '') {
    this.stop();
    const current = new AbortController();
    this.#current = current;
    this.isLoading = true;
    this.#host.requestUpdate();
    try {
      const value = await fetch(current.signal);
      if (this.#current !== current) return undefined;
      this.value = value;
      this.#of = of;
      this.error = undefined;
      return value;
    } catch (error) {
      if (this.#current !== current) return undefined;
      if (of !== this.#of) this.value = undefined;
      this.error = error instanceof Error ? error : new Error(String(error));
      return undefined;
    } finally {
      if (this.#current === current) {
        this.#current = undefined;
        this.isLoading = false;
        this.#host.requestUpdate();
      }
    }
  }
}
