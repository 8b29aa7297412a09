// @ts-check
/** What happens on the server, as one stream that all components of a page share. */

import { UnauthenticatedError } from '../../client/index.js';

/** @typedef {import('../../client/events.js').Event} Happening */
/** @typedef {'off' | 'connecting' | 'live' | 'lost' | 'refused'} LiveState */

/** How long events are gathered before they are told of, in milliseconds: a page need not be drawn for each of a storm. */
const GATHER = 100;
/** How long the stream is kept when nobody listens, in milliseconds: the next page may want it. */
const KEEP = 2_000;

export class Live extends EventTarget {
  #client;
  /** @type {Set<(events: Happening[]) => void>} */
  #listeners = new Set();
  /** @type {AbortController | undefined} */
  #stream;
  /** @type {Happening[]} */
  #gathered = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #leaving;
  /** @type {LiveState} */
  #state = 'off';
  /** When the server was lost, by this machine's clock; nothing while it is there. @type {number | undefined} */
  lostAt;

  /** @param {import('../../client/index.js').Flowtrail} client */
  constructor(client) {
    super();
    this.#client = client;
  }

  /** How it goes; a `state` event tells of changes. */
  get state() {
    return this.#state;
  }

  /**
   * Has events told of, in handfuls, until the function that is given back is called.
   *
   * @param {(events: Happening[]) => void} listener
   * @returns {() => void}
   */
  listen(listener) {
    this.#listeners.add(listener);
    clearTimeout(this.#leaving);
    if (this.#stream === undefined) void this.#run();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      clearTimeout(this.#leaving);
      this.#leaving = setTimeout(() => this.stop(), KEEP);
    };
  }

  /** Something else than the stream has found that the server cannot be reached. */
  lose() {
    if (this.#state === 'live') this.#become('lost');
  }

  /** Ends the stream. */
  stop() {
    clearTimeout(this.#leaving);
    this.#stream?.abort();
    this.#stream = undefined;
    this.#become('off');
  }

  async #run() {
    const stream = new AbortController();
    this.#stream = stream;
    this.#become('connecting');
    const listening = {
      signal: stream.signal,
      onOpen: () => {
        this.#become('live');
        // What happened before nobody was told of: neither since what is shown was fetched, nor, if the server is another one
        // than before, since the stream was lost.
        this.#gather({ id: '', type: 'resync', data: {} });
      },
      onLost: () => {
        this.#become('lost');
      },
    };
    try {
      for await (const event of this.#client.events(listening)) this.#gather(event);
    } catch (error) {
      if (this.#stream !== stream) return;
      this.#stream = undefined;
      this.#become(error instanceof UnauthenticatedError ? 'refused' : 'lost');
    }
  }

  /** @param {Happening} event */
  #gather(event) {
    this.#gathered.push(event);
    if (this.#gathered.length > 1) return;
    setTimeout(() => {
      const events = this.#gathered;
      this.#gathered = [];
      for (const listener of [...this.#listeners]) listener(events);
    }, GATHER);
  }

  /** @param {LiveState} state */
  #become(state) {
    if (state === this.#state) return;
    if (state === 'lost') this.lostAt ??= Date.now();
    else if (state === 'live') this.lostAt = undefined;
    this.#state = state;
    this.dispatchEvent(new Event('state'));
  }
}
