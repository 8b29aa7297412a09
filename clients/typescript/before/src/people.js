/** @typedef {import('./api.js').components['schemas']} Schemas */

/** The people and programs that have keys; for administrators. */
export class Users {
  #http;

  /** @param {import('./http.js').Http} http */
  constructor(http) {
    this.#http = http;
  }

  /** @returns {Promise<Schemas['User'][]>} all of them */
  async list() {
    return (await this.#http.json('GET', '/api/users')).items;
  }

  /**
   * Makes a user.
   *
   * @param {Schemas['NewUser']} user
   * @returns {Promise<Schemas['User']>}
   */
  create(user) {
    return this.#http.json('POST', '/api/users', { body: user });
  }

  /**
   * Deletes a user with their keys and sessions.
   *
   * @param {string} id
   * @returns {Promise<void>}
   */
  delete(id) {
    return this.#http.json('DELETE', `/api/users/${encodeURIComponent(id)}`, { isOne: true });
  }
}

/** Keys: your own, and an administrator's everybody's. */
export class Keys {
  #http;

  /** @param {import('./http.js').Http} http */
  constructor(http) {
    this.#http = http;
  }

  /** @returns {Promise<Schemas['Key'][]>} all of them, never the keys themselves */
  async list() {
    return (await this.#http.json('GET', '/api/keys')).items;
  }

  /**
   * Makes a key. What it is stands in `key`, this once.
   *
   * @param {Schemas['NewKey']} key
   * @returns {Promise<Schemas['MadeKey']>}
   */
  create(key) {
    return this.#http.json('POST', '/api/keys', { body: key });
  }

  /**
   * Revokes a key at once.
   *
   * @param {string} id
   * @returns {Promise<void>}
   */
  revoke(id) {
    return this.#http.json('DELETE', `/api/keys/${encodeURIComponent(id)}`, { isOne: true });
  }
}
