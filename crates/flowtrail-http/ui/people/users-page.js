// @ts-check
/** Users, for administrators. */

import { Connected } from '../base/connection.js';
import { Doing } from '../base/doing.js';
import { define, html, nothing } from '../base/element.js';
import { Loading } from '../base/loading.js';
import { ask } from '../parts/ask.js';
import '../parts/copy-button.js';
import '../parts/problem.js';
import '../parts/time-ago.js';
import { page } from './page-styles.js';

/** @typedef {import('../../client/index.js').Schemas['User']} User */

class UsersPage extends Connected {
  static properties = {
    ...Connected.properties,
    me: { attribute: false },
  };

  static styles = page;

  /** @type {Loading<User[]>} */
  #users = new Loading(this);
  #doing = new Doing(this);

  constructor() {
    super();
    /** @type {import('../../client/index.js').Schemas['Me'] | undefined} */
    this.me = undefined;
  }

  firstUpdated() {
    void this.#fetch();
  }

  #fetch() {
    return this.#users.run(() => this.client.users.list());
  }

  /** @param {() => Promise<unknown>} act */
  #do(act) {
    return this.#doing.run(async () => {
      await act();
      await this.#fetch();
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
    await this.#do(async () => {
      await this.client.users.create({ name: String(data.get('name')).trim(), role: /** @type {any} */ (data.get('role')) });
      form.reset();
    });
  }

  /** @param {User} user */
  async #delete(user) {
    const sure = await ask({
      title: `Delete ${user.name}?`,
      text: 'Their keys and sessions stop working at once. What they started keeps their name.',
      yes: 'Delete',
    });
    if (sure) await this.#do(() => this.client.users.delete(user.id));
  }

  render() {
    const { value, error } = this.#users;
    const failure = this.#doing.failure ?? error;
    return html`<h1>Users</h1>
      <p class="muted">A user sees the flows that they own and those that are shared with them. Administrators see and change everything.</p>
      ${failure ? html`<ft-problem .error=${failure} @ft-retry=${this.#retry}></ft-problem>` : nothing}
      <form class="new" @submit=${this.#create}>
        <div class="field"><label class="label" for="name">Name</label><input id="name" name="name" required maxlength="100" /></div>
        <div class="field">
          <label class="label" for="role">Role</label>
          <select id="role" name="role">
            <option value="user">user</option>
            <option value="admin">administrator</option>
          </select>
        </div>
        <button class="primary">New user</button>
      </form>
      ${value === undefined
        ? nothing
        : html`<table>
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Role</th>
                <th scope="col" class="wide">Id</th>
                <th scope="col" class="wide">Since</th>
                <th scope="col"><span class="visually-hidden">Delete</span></th>
              </tr>
            </thead>
            <tbody>
              ${value.map(
                (user) => html`<tr>
                  <td class="cut" dir="auto">${user.name}${user.id === this.me?.id ? html` <span class="muted">(you)</span>` : nothing}</td>
                  <td>${user.role === 'admin' ? 'administrator' : 'user'}</td>
                  <td class="wide mono">${user.id}<ft-copy .text=${user.id} label="Copy the id"></ft-copy></td>
                  <td class="wide"><ft-ago .time=${user.createdAt} .now=${() => this.server.now()}></ft-ago></td>
                  <td class="number">
                    ${user.id === this.me?.id ? nothing : html`<button class="danger" type="button" @click=${() => this.#delete(user)}>Delete</button>`}
                  </td>
                </tr>`,
              )}
            </tbody>
          </table>`}`;
  }
}

define('users-page', UsersPage);
