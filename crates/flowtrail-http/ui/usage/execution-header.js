// @ts-check
/** What an execution is, in two lines, and what can be done with it. */

import { Connected } from '../base/connection.js';
import { Doing } from '../base/doing.js';
import { download } from '../base/download.js';
import { css, define, html, nothing } from '../base/element.js';
import { absolute, duration, shortId } from '../base/format.js';
import { ask } from '../parts/ask.js';
import '../parts/copy-button.js';
import '../parts/problem.js';
import { meaningOf } from '../parts/status-mark.js';

/** @typedef {import('../../client/index.js').Schemas['Execution']} Execution */

export class ExecutionHeader extends Connected {
  static properties = {
    ...Connected.properties,
    execution: { attribute: false },
    isClosable: { type: Boolean },
    isRejected: { type: Boolean },
  };

  static styles = css`
    header {
      padding: 0.5rem 0.75rem;
      border-bottom: 1px solid var(--ft-line);
    }
    .title {
      flex-wrap: wrap;
      row-gap: 0.25rem;
    }
    .title h2 {
      flex: 0 1 auto;
      max-width: 60%;
    }
    .title h2 a {
      color: inherit;
    }
    .actions {
      display: flex;
      gap: 0.5rem;
      margin-inline-start: auto;
    }
    .lines {
      overflow: hidden;
    }
    .facts {
      display: flex;
      flex-wrap: wrap;
      align-items: baseline;
      margin-inline-start: -1rem;
      margin-block-start: 0.125rem;
      color: var(--ft-muted);
    }
    .facts > * {
      position: relative;
      max-width: 100%;
      padding-inline-start: 1rem;
      overflow-wrap: anywhere;
    }
    /* Between two facts of a line: before the first one it is cut off. */
    .facts > *::before {
      content: '·';
      position: absolute;
      inset-inline-start: 0.375rem;
    }
    @media (max-width: 479px) {
      .actions {
        flex-basis: 100%;
      }
    }
    .word {
      font-weight: 500;
    }
    .word.error {
      color: var(--ft-error);
    }
    .word.fulfilled {
      color: var(--ft-fulfilled);
    }
    .word.pending {
      color: var(--ft-pending);
    }
  `;

  #doing = new Doing(this);

  constructor() {
    super();
    /** @type {Execution | undefined} */
    this.execution = undefined;
    /** Whether there is something behind it, to which it can be closed. */
    this.isClosable = false;
    /** Whether it is a call that was rejected before it ran. */
    this.isRejected = false;
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    super.willUpdate(changed);
    const before = /** @type {Execution | undefined} */ (changed.get('execution'));
    if (before !== undefined && before.id !== this.execution?.id) this.#doing.forget();
  }

  /** @param {Execution} shown */
  #cancel(shown) {
    return this.#doing.run(async () => {
      await this.client.executions.cancel(shown.id);
      this.tell('ft-changed');
    });
  }

  /** @param {Execution} shown */
  #replay(shown) {
    return this.#doing.run(async () => {
      const made = await this.client.executions.replay(shown.id);
      this.tell('flowtrail-select', made.id);
    });
  }

  /** @param {Execution} shown */
  async #delete(shown) {
    const { flowId } = shown;
    if (flowId === null) return;
    const sure = await ask({
      title: 'Delete this execution?',
      text: `What “${shown.flowName}” was given and did at ${absolute(shown.startedAt)} will be gone for good.`,
      yes: 'Delete',
    });
    if (!sure) return;
    await this.#doing.run(async () => {
      this.tell('ft-deleting');
      try {
        await this.client.executions.delete(flowId, shown.id);
      } catch (error) {
        this.tell('ft-changed');
        throw error;
      }
      this.tell('ft-deleted', shown.id);
    });
  }

  /** @param {Execution} shown */
  #download(shown) {
    return this.#doing.run(async () => {
      const whole = await this.client.executions.get(shown.id);
      download(whole, `execution-${whole.id}.json`);
    });
  }

  render() {
    const shown = this.execution;
    if (shown === undefined) return nothing;
    const { failure } = this.#doing;
    return html`<header>
        <div class="row title">
          ${this.isClosable ? html`<button class="plain" type="button" aria-label="Close" @click=${() => this.tell('flowtrail-close')}>‹</button>` : nothing}
          <ft-status .status=${shown.status} .inferred=${shown.inferred} .label=${meaningOf(shown)}></ft-status>
          <h2 class="cut" dir="auto">
            ${shown.flowId && !this.server.isGuest ? html`<a href=${`/flows/${shown.flowId}`}>${shown.flowName}</a>` : shown.flowName}
          </h2>
          <span class="word ${shown.status}">${shown.status}</span>
          <span class="number">${shown.status === 'pending' ? 'running' : duration(shown.duration)}</span>
          <div class="actions">${this.#actions(shown)}</div>
        </div>
        <div class="lines">${this.#facts(shown)}</div>
      </header>
      ${failure ? html`<ft-problem .error=${failure} again="Dismiss" @ft-retry=${() => this.#doing.forget()}></ft-problem>` : nothing}`;
  }

  /**
   * What can be done with it: what the server says that one may, and nothing else.
   *
   * @param {Execution} shown
   */
  #actions(shown) {
    const { isBusy } = this.#doing;
    const may = (/** @type {string} */ act) => shown.allowed?.includes(/** @type {any} */ (act)) ?? false;
    return html`${may('cancel')
        ? html`<button type="button" ?disabled=${isBusy || shown.cancelRequested} @click=${() => this.#cancel(shown)}>
              ${shown.cancelRequested ? 'Cancelling…' : 'Cancel'}
            </button>`
        : nothing}
      ${may('replay')
        ? html`<button type="button" ?disabled=${isBusy} title="Runs it again with the same parameters" @click=${() => this.#replay(shown)}>Replay</button>`
        : nothing}
      <button type="button" ?disabled=${isBusy} title="Downloads the whole record as JSON" @click=${() => this.#download(shown)}>JSON</button>
      ${may('delete')
        ? html`<button type="button" class="danger" ?disabled=${isBusy} title="Deletes it for good" @click=${() => this.#delete(shown)}>Delete</button>`
        : nothing}`;
  }

  /** @param {Execution} shown */
  #facts(shown) {
    return html`<div class="facts">
      <time class="mono" datetime=${shown.startedAt}>${absolute(shown.startedAt)}</time>
      ${shown.flowVersion === null ? nothing : html`<span>v${shown.flowVersion}</span>`}
      <span>${shown.source}</span>
      ${shown.userName === null ? nothing : html`<span dir="auto">${shown.userName}</span>`}
      <span class="mono">${shown.id}<ft-copy .text=${shown.id} label="Copy the id"></ft-copy></span>
      ${this.isRejected ? html`<span>rejected before it ran</span>` : shown.flowId === null ? html`<span>the flow was deleted</span>` : nothing}
      ${shown.replayOf === null ? nothing : html`<span>replay of ${this.#other(shown.replayOf)}</span>`}
      ${shown.parentExecutionId === null ? nothing : html`<span>called by ${this.#other(shown.parentExecutionId)}</span>`}
      ${Object.entries(shown.tags ?? {}).map(([key, value]) => html`<span dir="auto">${key}: ${value}</span>`)}
    </div>`;
  }

  /** @param {string} id */
  #other(id) {
    /** @param {MouseEvent} event */
    const choose = (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      this.tell('flowtrail-select', id);
    };
    return html`<a class="mono" href=${`/executions/${id}`} @click=${choose}>${shortId(id)}</a>`;
  }
}

define('ft-execution-header', ExecutionHeader);
