// @ts-check
/** What a person asked for: whether it is being done, and why it was not. */

export class Doing {
  #host;

  /** @param {import('../../vendor/@lit/reactive-element/reactive-element.js').ReactiveElement} host */
  constructor(host) {
    this.#host = host;
    this.isBusy = false;
    /** Why the last one was not done. @type {Error | undefined} */
    this.failure = undefined;
  }

  /** Forgets why the last one was not done. */
  forget() {
    this.failure = undefined;
    this.#host.requestUpdate();
  }

  /**
   * Does it.
   *
   * @param {() => Promise<unknown>} act
   * @returns {Promise<boolean>} whether it was done
   */
  async run(act) {
    this.isBusy = true;
    this.forget();
    try {
      await act();
    } catch (error) {
      this.failure = error instanceof Error ? error : new Error(String(error));
    }
    this.isBusy = false;
    this.#host.requestUpdate();
    return this.failure === undefined;
  }
}
