// @ts-check
/** Keyboard shortcuts of the executions' page. */

import { keyOf } from '../base/keys.js';

/** Calls the host's actions for the keys that are pressed in it, or, with `hotkeys`, anywhere on the page. */
export class UsageKeys {
  #host;
  #actions;

  /**
   * @param {import('./flowtrail-usage.js').FlowtrailUsage} host
   * @param {() => Record<string, (event: KeyboardEvent) => void>} actions the actions of the moment, by key
   */
  constructor(host, actions) {
    this.#host = host;
    this.#actions = actions;
    host.addController(this);
  }

  hostConnected() {
    document.addEventListener('keydown', this.#press);
  }

  hostDisconnected() {
    document.removeEventListener('keydown', this.#press);
  }

  /** @param {KeyboardEvent} event */
  #press = (event) => {
    const path = event.composedPath();
    if (!this.#host.hotkeys && !path.includes(this.#host)) return;
    // A dialog or the history above the page gets the keys.
    if (path.some((target) => target instanceof HTMLElement && (target.localName === 'dialog' || target.localName === 'flowtrail-history'))) return;
    const key = keyOf(event);
    const act = key === undefined ? undefined : this.#actions()[key];
    if (act === undefined) return;
    if (key !== 'Enter') event.preventDefault();
    act(event);
  };
}
