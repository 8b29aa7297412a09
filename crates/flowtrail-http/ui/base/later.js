// @ts-check
/** Something that is done a while after it was first asked for, and once, however often it is asked for meanwhile. */

export class Later {
  #millis;
  #act;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {import('../../vendor/@lit/reactive-element/reactive-element.js').ReactiveElement} host
   * @param {number} millis
   * @param {() => unknown} act
   */
  constructor(host, millis, act) {
    this.#millis = millis;
    this.#act = act;
    host.addController(this);
  }

  hostDisconnected() {
    this.stop();
  }

  /** Asks for it. */
  ask() {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#act();
    }, this.#millis);
  }

  /** It is no longer asked for. */
  stop() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
