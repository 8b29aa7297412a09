// @ts-check
/** What can be changed about a flow. */

import { FlowtrailError } from '../../client/index.js';
import { live } from '../../vendor/lit-html/directives/live.js';
import { Element, css, define, html, nothing, repeat } from '../base/element.js';
import { Doing } from '../base/doing.js';
import { download } from '../base/download.js';
import { ask } from '../parts/ask.js';

/** @typedef {import('../../client/index.js').Schemas['Flow']} Flow */
/** @typedef {import('../../client/index.js').Schemas['User']} User */

class FlowSettings extends Element {
  static properties = {
    connection: { attribute: false },
    flow: { attribute: false },
    me: { attribute: false },
    said: { state: true },
    people: { state: true },
    access: { state: true },
    wouldGo: { state: true },
  };

  static styles = css`
    :host {
      max-width: 44rem;
      padding: 1rem;
    }
    form {
      display: grid;
      gap: 1rem;
    }
    fieldset {
      display: grid;
      gap: 0.75rem;
      margin: 0;
      padding: 0;
      border: 0;
    }
    legend {
      margin-bottom: 0.5rem;
      padding: 0;
      font-size: 0.9375rem;
      font-weight: 600;
    }
    .field input:not([type='checkbox']),
    .field select,
    .field textarea {
      width: min(28rem, 100%);
    }
    .pair {
      display: grid;
      grid-template-columns: repeat(auto-fit, minmax(min(12rem, 100%), 1fr));
      gap: 0.75rem;
      width: min(28rem, 100%);
    }
    #description {
      font: inherit;
    }
    .check {
      display: flex;
      gap: 0.5rem;
      align-items: center;
    }
    .wrong {
      padding: 0.5rem 0.75rem;
      border-inline-start: 2px solid var(--ft-error);
      background: var(--ft-error-ground);
      overflow-wrap: anywhere;
    }
    hr {
      width: 100%;
      margin: 0.25rem 0;
      border: 0;
      border-top: 1px solid var(--ft-line);
    }
    .more {
      display: grid;
      gap: 0.75rem;
      justify-items: start;
      margin-top: 1.5rem;
      padding-top: 1rem;
      border-top: 1px solid var(--ft-line);
    }
    td {
      vertical-align: middle;
    }
  `;

  #doing = new Doing(this);

  constructor() {
    super();
    /** @type {import('../base/connection.js').Connection} */
    this.connection = /** @type {any} */ (undefined);
    /** @type {Flow | undefined} */
    this.flow = undefined;
    /** @type {import('../../client/index.js').Schemas['Me'] | undefined} */
    this.me = undefined;
    this.said = '';
    /** The people that it can be shared with; administrators know them all. @type {User[]} */
    this.people = [];
    /** @type {Flow['access'] | undefined} */
    this.access = undefined;
    /** How many executions a prune would delete. @type {number | undefined} */
    this.wouldGo = undefined;
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    if (changed.has('flow') && this.flow !== undefined) this.access = structuredClone(this.flow.access);
    if (changed.has('me') && this.me?.role === 'admin') {
      void this.connection.client.users.list().then(
        (people) => {
          this.people = people;
        },
        () => {
          // Their ids are shown instead.
        },
      );
    }
  }

  /** @param {SubmitEvent} event */
  async #save(event) {
    event.preventDefault();
    const { flow } = this;
    if (flow === undefined) return;
    const data = new FormData(/** @type {HTMLFormElement} */ (event.target));
    /** @param {string} name */
    const text = (name) => String(data.get(name) ?? '').trim();
    /** @type {Record<string, unknown>} */
    const retention = {};
    for (const name of ['maxCount', 'maxBytes']) if (text(name)) retention[name] = Number(text(name));
    for (const name of ['maxAge', 'maxErrorAge']) if (text(name)) retention[name] = text(name);
    /** @type {any} */
    const change = {
      name: text('name'),
      description: text('description'),
      capture: text('capture'),
      retention: Object.keys(retention).length > 0 ? retention : null,
      access: this.access,
    };
    if (flow.kind === 'runnable') Object.assign(change, { active: data.has('active'), timeout: text('timeout') || null, toolName: text('toolName') });
    await this.#do(async () => {
      const changed = await this.connection.client.flows.change(flow.id, change);
      // At once: what is typed from now on is not overwritten by what comes later.
      this.tell('ft-changed', changed);
      this.said = 'Saved.';
    });
  }

  /** @param {() => Promise<void>} act */
  #do(act) {
    this.said = '';
    return this.#doing.run(act);
  }

  async #export() {
    const { flow } = this;
    if (flow === undefined) return;
    await this.#do(async () => {
      const file = await this.connection.client.flows.export(flow.id);
      download(file, `${flow.toolName ?? flow.name}.json`);
    });
  }

  async #delete() {
    const { flow } = this;
    if (flow === undefined) return;
    const sure = await ask({
      title: `Delete “${flow.name}”?`,
      text: 'It can no longer be called. Its executions stay, under Executions.',
      yes: 'Delete',
    });
    if (!sure) return;
    await this.#do(async () => {
      await this.connection.client.flows.delete(flow.id);
      this.tell('ft-said', `“${flow.name}” was deleted. Its executions stay.`);
      this.tell('ft-go', '/flows');
    });
  }

  /** @param {SubmitEvent} event */
  async #prune(event) {
    event.preventDefault();
    const { flow } = this;
    const keep = Number(new FormData(/** @type {HTMLFormElement} */ (event.target)).get('keep'));
    if (flow === undefined) return;
    await this.#do(async () => {
      const number = await this.connection.client.executions.prune(flow.id, { keep }, { dryRun: true });
      if (number === 0) {
        this.said = `There are no more than ${keep} executions: nothing to delete.`;
        return;
      }
      const sure = await ask({
        title: `Delete ${number} executions?`,
        text: `The newest ${keep} and those that run stay. What is deleted is gone for good.`,
        yes: 'Delete',
      });
      if (!sure) return;
      const gone = await this.connection.client.executions.prune(flow.id, { keep });
      this.said = `${gone} executions were deleted.`;
    });
  }

  render() {
    const { flow } = this;
    if (flow === undefined) return nothing;
    const problem = this.#doing.failure instanceof FlowtrailError ? this.#doing.failure.problems : [];
    const isRunnable = flow.kind === 'runnable';
    return html`<form @submit=${this.#save}>
        <fieldset>
          <legend>Flow</legend>
          ${field('name', 'Name', html`<input id="name" name="name" required maxlength="300" .value=${flow.name} />`)}
          ${field('description', 'Description', html`<textarea id="description" name="description" rows="3" .value=${flow.description}></textarea>`, 'What an agent reads to decide whether to call it.')}
          ${isRunnable
            ? html`${field('toolName', 'Tool name', html`<input id="toolName" name="toolName" class="mono" maxlength="100" .value=${flow.toolName ?? ''} />`, 'Letters, digits, “_”, “-” and “.”; unique on this server.')}
                <label class="check"><input type="checkbox" name="active" .checked=${flow.active} /> Active: it is listed as a tool and can be called</label>
                ${field('timeout', 'Timeout', html`<input id="timeout" name="timeout" placeholder="5m" .value=${flow.timeout ?? ''} />`, 'Such as 30s or 5m; empty for the default of the server.')}`
            : nothing}
        </fieldset>
        <hr />
        <fieldset>
          <legend>What is kept</legend>
          ${field(
            'capture',
            'Capture',
            html`<select id="capture" name="capture">
              ${[
                ['full', 'full: all data, redacted'],
                ['metadata', 'metadata: names, times, statuses, sizes'],
                ['none', 'none: status and times only'],
              ].map(([value, says]) => html`<option value=${value} ?selected=${value === flow.capture}>${says}</option>`)}
            </select>`,
            'For executions from now on.',
          )}
          <div class="pair">
            ${field('maxCount', 'Keep at most … executions', html`<input id="maxCount" name="maxCount" type="number" min="1" placeholder="no limit" .value=${String(flow.retention?.maxCount ?? '')} />`)}
            ${field('maxBytes', 'Keep at most … bytes', html`<input id="maxBytes" name="maxBytes" type="number" min="1" placeholder="no limit" .value=${String(flow.retention?.maxBytes ?? '')} />`)}
            ${field('maxAge', 'Keep for', html`<input id="maxAge" name="maxAge" placeholder="no limit, or 90d" .value=${flow.retention?.maxAge ?? ''} />`)}
            ${field('maxErrorAge', 'Keep failures for', html`<input id="maxErrorAge" name="maxErrorAge" placeholder="as above, or 365d" .value=${flow.retention?.maxErrorAge ?? ''} />`)}
          </div>
        </fieldset>
        <hr />
        ${this.#access()}
        ${this.#doing.failure
          ? html`<div class="wrong" role="alert">
              ${problem.length === 0 ? this.#doing.failure.message : problem.map(({ node, field: name, message }) => html`<p>${node ? html`<strong>${node}</strong> ` : nothing}<code>${name}</code>: ${message}</p>`)}
            </div>`
          : nothing}
        <div class="row">
          <button class="primary" ?disabled=${this.#doing.isBusy}>Save</button>
          <span class="muted" role="status">${this.said}</span>
        </div>
      </form>
      <div class="more">
        <h2>History</h2>
        <form class="row" @submit=${this.#prune}>
          <label for="keep">Keep the newest</label>
          <input id="keep" name="keep" type="number" min="0" value="50" required class="number" />
          <button class="danger" ?disabled=${this.#doing.isBusy}>Delete the rest…</button>
        </form>
        <h2>The flow itself</h2>
        <div class="row">
          <button type="button" ?disabled=${this.#doing.isBusy} @click=${this.#export}>Export as a file</button>
          <button type="button" class="danger" ?disabled=${this.#doing.isBusy} @click=${this.#delete}>Delete the flow…</button>
        </div>
      </div>`;
  }

  #access() {
    const { access, flow, me } = this;
    if (access === undefined || flow === undefined) return nothing;
    /** @param {string} id */
    const nameOf = (id) => this.people.find((person) => person.id === id)?.name ?? (id === me?.id ? me.name : id);
    const shared = [...new Set([...access.read, ...access.write])];
    const others = this.people.filter((person) => !shared.includes(person.id) && person.id !== flow.ownerId);
    /** @param {string} id @param {string} right */
    const grant = (id, right) => {
      this.access = {
        ...access,
        read: [...access.read.filter((each) => each !== id), ...(right === 'read' ? [id] : [])],
        write: [...access.write.filter((each) => each !== id), ...(right === 'write' ? [id] : [])],
      };
    };
    return html`<fieldset>
      <legend>Access</legend>
      <p class="muted">It is <bdi>${nameOf(flow.ownerId)}</bdi>’s. Administrators see everything.</p>
      <label class="check">
        <input
          type="checkbox"
          .checked=${live(access.public)}
          @change=${(/** @type {Event} */ event) => {
            this.access = { ...access, public: /** @type {HTMLInputElement} */ (event.target).checked };
          }}
        />
        Every user may call it, and see their own executions of it
      </label>
      ${shared.length === 0
        ? nothing
        : html`<table>
            <thead><tr><th scope="col">Shared with</th><th scope="col">May</th></tr></thead>
            <tbody>
              ${repeat(
                shared,
                (id) => id,
                (id) => html`<tr>
                  <td dir="auto">${nameOf(id)}</td>
                  <td>
                    <select aria-label=${`What ${nameOf(id)} may do`} @change=${(/** @type {Event} */ event) => grant(id, /** @type {HTMLSelectElement} */ (event.target).value)}>
                      <option value="read" ?selected=${!access.write.includes(id)}>call and see</option>
                      <option value="write" ?selected=${access.write.includes(id)}>change as well</option>
                      <option value="">nothing</option>
                    </select>
                  </td>
                </tr>`,
              )}
            </tbody>
          </table>`}
      <div class="row">
        ${others.length > 0
          ? html`<select
              aria-label="Share with"
              @change=${(/** @type {Event} */ event) => {
                const select = /** @type {HTMLSelectElement} */ (event.target);
                if (select.value) grant(select.value, 'read');
                select.value = '';
              }}
            >
              <option value="">Share with…</option>
              ${others.map((person) => html`<option value=${person.id}>${person.name}</option>`)}
            </select>`
          : me?.role === 'admin'
            ? html`<span class="muted">There is nobody else to share it with: <a href="/users">make a user</a>.</span>`
            : html`<input
                aria-label="Share with the user of this id"
                placeholder="user id"
                @change=${(/** @type {Event} */ event) => {
                  const input = /** @type {HTMLInputElement} */ (event.target);
                  if (input.value.trim()) grant(input.value.trim(), 'read');
                  input.value = '';
                }}
              />`}
      </div>
    </fieldset>`;
  }
}

/**
 * @param {string} id
 * @param {string} label
 * @param {unknown} input
 * @param {string} [hint]
 */
function field(id, label, input, hint) {
  return html`<div class="field"><label class="label" for=${id}>${label}</label>${input}${hint ? html`<span class="hint">${hint}</span>` : nothing}</div>`;
}

define('flow-settings', FlowSettings);
