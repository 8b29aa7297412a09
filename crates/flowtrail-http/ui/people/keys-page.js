// @ts-check
/** Keys: one's own, and an administrator's everybody's. */

import { Connected } from '../base/connection.js';
import { css, define, html, nothing } from '../base/element.js';
import { Doing } from '../base/doing.js';
import { absolute } from '../base/format.js';
import { Loading } from '../base/loading.js';
import { ask } from '../parts/ask.js';
import '../parts/copy-button.js';
import '../parts/problem.js';
import '../parts/time-ago.js';
import { page } from './page-styles.js';

/** @typedef {import('../../client/index.js').Schemas['Key']} Key */
/** @typedef {import('../../client/index.js').Schemas['User']} User */

class KeysPage extends Connected {
  static properties = {
    ...Connected.properties,
    me: { attribute: false },
    made: { state: true },
  };

  static styles = [
    page,
    css`
      .made {
        display: grid;
        gap: 0.5rem;
        margin-bottom: 1rem;
        padding: 0.75rem 1rem;
        border-inline-start: 2px solid var(--ft-fulfilled);
        background: var(--ft-raised);
      }
      .made code {
        overflow-wrap: anywhere;
      }
    `,
  ];

  /** @type {Loading<{ keys: Key[], users: User[] }>} */
  #shown = new Loading(this);
  #doing = new Doing(this);

  constructor() {
    super();
    /** @type {import('../../client/index.js').Schemas['Me'] | undefined} */
    this.me = undefined;
    /** The key that was just made, which is shown once. @type {string | undefined} */
    this.made = undefined;
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    super.willUpdate(changed);
    // Whose keys one may see is known as soon as it is known who one is.
    if (changed.has('me') && this.me !== undefined) void this.#fetch();
  }

  #fetch() {
    return this.#shown.run(async () => {
      const [keys, users] = await Promise.all([
        this.client.keys.list(),
        this.me?.role === 'admin' ? this.client.users.list() : [],
      ]);
      return { keys, users };
    });
  }

  #retry() {
    this.#doing.forget();
    void this.#fetch();
  }

  /** @param {SubmitEvent} event */
  async #create(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const data = new FormData(form);
    const days = Number(data.get('days'));
    /** @type {any} */
    const wanted = { name: String(data.get('name')).trim() };
    if (data.get('user')) wanted.userId = data.get('user');
    if (days > 0) wanted.expiresAt = new Date(this.server.now() + days * 86_400_000).toISOString();
    await this.#doing.run(async () => {
      const made = await this.client.keys.create(wanted);
      this.made = made.key;
      form.reset();
      await this.#fetch();
    });
  }

  /** @param {Key} key */
  async #revoke(key) {
    const sure = await ask({
      title: `Revoke the key “${key.name}”?`,
      text: `Whoever uses ${key.prefix}… is refused from now on, and what listens with it is cut off.`,
      yes: 'Revoke',
    });
    if (!sure) return;
    await this.#doing.run(async () => {
      await this.client.keys.revoke(key.id);
      if (this.made?.startsWith(key.prefix)) this.made = undefined;
      await this.#fetch();
    });
  }

  render() {
    const { value, error } = this.#shown;
    const failure = this.#doing.failure ?? error;
    const isAdmin = this.me?.role === 'admin';
    return html`<h1>Keys</h1>
      <p class="muted">Programs and MCP clients send a key as <code>Authorization: Bearer ft_…</code>. Each sees what its user may see.</p>
      ${failure ? html`<ft-problem .error=${failure} @ft-retry=${this.#retry}></ft-problem>` : nothing}
      ${this.made === undefined
        ? nothing
        : html`<div class="made" role="status">
            <p><strong>Copy the key now: it is shown this once.</strong></p>
            <p><code>${this.made}</code><ft-copy .text=${this.made} label="Copy the key"></ft-copy></p>
          </div>`}
      <form class="new" @submit=${this.#create}>
        <div class="field"><label class="label" for="name">Name</label><input id="name" name="name" required maxlength="100" placeholder="Claude on my laptop" /></div>
        ${isAdmin && (value?.users.length ?? 0) > 1
          ? html`<div class="field">
              <label class="label" for="user">Owner</label>
              <select id="user" name="user">
                ${value?.users.map((user) => html`<option value=${user.id} ?selected=${user.id === this.me?.id}>${user.name}</option>`)}
              </select>
            </div>`
          : nothing}
        <div class="field">
          <label class="label" for="days">Expires</label>
          <select id="days" name="days">
            <option value="">never</option>
            ${[7, 30, 90, 365].map((days) => html`<option value=${days}>in ${days} days</option>`)}
          </select>
        </div>
        <button class="primary">New key</button>
      </form>
      ${value === undefined
        ? nothing
        : html`<table>
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Prefix</th>
                ${isAdmin ? html`<th scope="col" class="wide">Owner</th>` : nothing}
                <th scope="col" class="wide">Created</th>
                <th scope="col">Last used</th>
                <th scope="col" class="wide">Expires</th>
                <th scope="col"><span class="visually-hidden">Revoke</span></th>
              </tr>
            </thead>
            <tbody>
              ${value.keys.map(
                (key) => html`<tr>
                  <td class="cut" dir="auto">${key.name}</td>
                  <td class="mono">${key.prefix}…</td>
                  ${isAdmin ? html`<td class="cut wide" dir="auto">${value.users.find(({ id }) => id === key.userId)?.name ?? key.userId}</td>` : nothing}
                  <td class="wide"><ft-ago .time=${key.createdAt} .now=${() => this.server.now()}></ft-ago></td>
                  <td>${key.lastUsedAt === null ? 'never' : html`<ft-ago .time=${key.lastUsedAt} .now=${() => this.server.now()}></ft-ago>`}</td>
                  <td class="wide">${key.expiresAt === null ? 'never' : html`<time title=${absolute(key.expiresAt)}>${absolute(key.expiresAt)}</time>`}</td>
                  <td class="number"><button class="danger" type="button" @click=${() => this.#revoke(key)}>Revoke</button></td>
                </tr>`,
              )}
            </tbody>
          </table>`}`;
  }
}

define('keys-page', KeysPage);
