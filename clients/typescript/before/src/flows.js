/** @typedef {import('./api.js').components['schemas']} Schemas */
/** @typedef {{ signal?: AbortSignal }} Asking */

/** @param {string} id */
const at = (id) => `/api/flows/${encodeURIComponent(id)}`;

/** What can be run on the server, or runs elsewhere and is recorded there. */
export class Flows {
  #http;

  /** @param {import('./http.js').Http} http */
  constructor(http) {
    this.#http = http;
  }

  /**
   * A page of flows, by name.
   *
   * @param {{ page?: number, limit?: number, q?: string } & Asking} [query]
   * @returns {Promise<Schemas['FlowPage']>}
   */
  list({ signal, ...query } = {}) {
    return this.#http.json('GET', '/api/flows', { query, signal });
  }

  /**
   * Every flow, by name, fetched page by page.
   *
   * @param {{ q?: string } & Asking} [query]
   * @returns {AsyncGenerator<Schemas['FlowSummary'], void, undefined>}
   */
  async *all(query = {}) {
    for (let page = 1; ; page += 1) {
      const shown = await this.list({ ...query, page, limit: 100 });
      yield* shown.items;
      if (page >= shown.totalPages) return;
    }
  }

  /**
   * A flow with its graph. With `allowed: true` it tells what one may do with it.
   *
   * @param {string} id
   * @param {{ allowed?: boolean } & Asking} [query]
   * @returns {Promise<Schemas['Flow']>}
   */
  get(id, { signal, ...query } = {}) {
    return this.#http.json('GET', at(id), { query, signal });
  }

  /**
   * Makes a flow.
   *
   * @param {Schemas['NewFlow']} flow
   * @param {Asking} [asking]
   * @returns {Promise<Schemas['Flow']>}
   */
  create(flow, asking) {
    return this.#http.json('POST', '/api/flows', { body: flow, ...asking });
  }

  /**
   * Makes the flows of a flow file, all or none.
   *
   * @param {Schemas['FlowFiles']} file
   * @param {Asking} [asking]
   * @returns {Promise<Schemas['Flow'][]>}
   */
  async import(file, asking) {
    return (await this.importWithNotes(file, asking)).flows;
  }

  /**
   * The same, with what did not come over as it was from another system's file.
   *
   * @param {Schemas['FlowFiles']} file
   * @param {Asking} [asking]
   * @returns {Promise<{flows: Schemas['Flow'][], notes: Schemas['ImportNote'][]}>}
   */
  async importWithNotes(file, asking) {
    const { items, notes = [] } = await this.#http.json('POST', '/api/flows/import', { body: file, ...asking });
    return { flows: items, notes };
  }

  /**
   * The flow as a file.
   *
   * @param {string} id
   * @param {Asking} [asking]
   * @returns {Promise<Schemas['FlowFile']>}
   */
  export(id, asking) {
    return this.#http.json('GET', `${at(id)}/export`, asking);
  }

  /**
   * Changes what is named, and leaves the rest.
   *
   * @param {string} id
   * @param {Schemas['FlowChange']} change
   * @param {Asking} [asking]
   * @returns {Promise<Schemas['Flow']>}
   */
  change(id, change, asking) {
    return this.#http.json('PATCH', at(id), { body: change, ...asking });
  }

  /**
   * Deletes a flow and keeps its executions.
   *
   * @param {string} id
   * @param {Asking} [asking]
   * @returns {Promise<void>}
   */
  delete(id, asking) {
    return this.#http.json('DELETE', at(id), { isOne: true, ...asking });
  }

  /**
   * Runs a flow, and gives the finished execution; with `wait: false` the one that has begun.
   *
   * @param {string} id
   * @param {Record<string, unknown>} [params]
   * @param {{ wait?: boolean } & Asking} [how]
   * @returns {Promise<Schemas['Execution']>}
   */
  run(id, params = {}, { signal, ...query } = {}) {
    return this.#http.json('POST', `${at(id)}/run`, { body: { params }, query, signal });
  }
}
