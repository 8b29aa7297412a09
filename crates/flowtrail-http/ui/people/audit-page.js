// @ts-check
/** Who did what to keys, users and access, and who deleted what; for administrators. */

import { stringify } from '../../client/index.js';
import { Connected } from '../base/connection.js';
import { css, define, html, nothing } from '../base/element.js';
import { absolute } from '../base/format.js';
import { Loading } from '../base/loading.js';
import '../parts/problem.js';
import { page } from './page-styles.js';

/** @typedef {import('../../client/index.js').Schemas['AuditPage']['items'][number]} Entry */

const AT_ONCE = 100;

/** @type {Record<string, string>} */
const SAYS = {
  'session.created': 'logged in',
  'session.deleted': 'logged out',
  'key.created': 'made a key',
  'key.revoked': 'revoked a key',
  'embedToken.created': 'made a token for a page',
  'user.created': 'made a user',
  'user.deleted': 'deleted a user',
  'flow.accessChanged': 'changed who may see a flow',
  'flow.deleted': 'deleted a flow',
  'execution.deleted': 'deleted an execution',
  'executions.deleted': 'deleted executions',
  'executions.pruned': 'pruned executions',
  'executions.imported': 'imported executions',
};

class AuditPage extends Connected {
  static properties = { ...Connected.properties, action: { state: true } };

  static styles = [
    page,
    css`
      .head {
        justify-content: space-between;
        margin-bottom: 0.75rem;
      }
      td {
        vertical-align: baseline;
        overflow-wrap: anywhere;
      }
      .when {
        white-space: nowrap;
      }
      @media (max-width: 639px) {
        thead {
          display: none;
        }
        tr {
          display: flex;
          flex-wrap: wrap;
          gap: 0 0.5rem;
          padding-block: 0.375rem;
          border-bottom: 1px solid var(--ft-line);
        }
        td {
          padding: 0;
          border: 0;
        }
        .when {
          flex-basis: 100%;
          order: 1;
          color: var(--ft-muted);
        }
      }
      .more {
        margin-top: 0.75rem;
      }
    `,
  ];

  /** @type {Loading<Entry[]>} */
  #entries = new Loading(this);
  /** @type {AsyncGenerator<Entry, void, undefined> | undefined} */
  #rest;
  #isOver = false;

  constructor() {
    super();
    /** @type {string} */
    this.action = '';
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  updated(changed) {
    if (!changed.has('action')) return;
    this.#rest = undefined;
    void this.#more();
  }

  #more() {
    const entries = this.#rest === undefined ? [] : [...(this.#entries.value ?? [])];
    const action = /** @type {any} */ (this.action || undefined);
    const rest = this.#rest ?? this.client.audit({ action });
    this.#rest = rest;
    return this.#entries.run(async () => {
      let isOver = false;
      for (let number = 0; number < AT_ONCE && !isOver; number += 1) {
        const next = await rest.next().catch((error) => {
          // It gives nothing any more: whoever tries again begins anew.
          if (this.#rest === rest) this.#rest = undefined;
          throw error;
        });
        isOver = next.done === true;
        if (!next.done) entries.push(next.value);
      }
      if (this.#rest === rest) this.#isOver = isOver;
      return entries;
    });
  }

  render() {
    const { value, error } = this.#entries;
    return html`<div class="row head">
        <h1>Audit log</h1>
        <select
          aria-label="What was done"
          @change=${(/** @type {Event} */ event) => {
            this.action = /** @type {HTMLSelectElement} */ (event.target).value;
          }}
        >
          <option value="">everything</option>
          ${Object.entries(SAYS).map(([action, says]) => html`<option value=${action}>${says}</option>`)}
        </select>
      </div>
      ${error ? html`<ft-problem .error=${error} what="The log cannot be shown" @ft-retry=${() => this.#more()}></ft-problem>` : nothing}
      ${value === undefined
        ? nothing
        : value.length === 0
          ? html`<p class="muted">Nothing of this kind was done.</p>`
          : html`<table>
                <thead>
                  <tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">Did what</th><th scope="col">To what</th></tr>
                </thead>
                <tbody>
                  ${value.map(
                    ({ at, userName, action, subject, subjectId, detail }) => html`<tr>
                      <td class="when"><time class="mono" datetime=${at}>${absolute(at)}</time></td>
                      <td dir="auto">${userName}</td>
                      <td>${SAYS[action] ?? action}</td>
                      <td>
                        <bdi>${subject ?? subjectId ?? ''}</bdi>
                        ${detail === null || detail === undefined ? nothing : html`<div class="muted mono">${stringify(detail)}</div>`}
                      </td>
                    </tr>`,
                  )}
                </tbody>
              </table>
              ${this.#isOver ? nothing : html`<button class="more" type="button" ?disabled=${this.#entries.isLoading} @click=${() => this.#more()}>Older ones</button>`}`}`;
  }
}

define('audit-page', AuditPage);
