// @ts-check
/** Making flows: from a flow file that is pasted or chosen, or one that is only recorded. What is wrong is shown at its node. */

import { FlowtrailError, parse } from '../../client/index.js';
import { Element, css, define, html, nothing } from '../base/element.js';
import './flow-graph.js';

/** @typedef {import('../../client/index.js').Schemas['Problem']} FlowProblem */
/** @typedef {import('../../client/index.js').Schemas['ImportNote']} ImportNote */

class FlowNew extends Element {
  static properties = {
    connection: { attribute: false },
    text: { state: true },
    error: { state: true },
    isBusy: { state: true },
    kind: { state: true },
    imported: { state: true },
  };

  static styles = css`
    :host {
      margin-bottom: 1.25rem;
      padding: 1rem;
      border: 1px solid var(--ft-line);
      border-radius: var(--ft-radius);
      background: var(--ft-raised);
    }
    form {
      display: grid;
      grid-template-columns: minmax(0, 1fr);
      gap: 0.75rem;
    }
    .kinds {
      flex-wrap: wrap;
      gap: 0.25rem 1.5rem;
      margin: 0;
      padding: 0;
      border: 0;
    }
    textarea {
      width: 100%;
      min-height: 12rem;
    }
    .over {
      outline: 2px dashed var(--ft-accent);
    }
    .problems {
      display: grid;
      gap: 0.25rem;
      padding: 0.5rem 0.75rem;
      border-inline-start: 2px solid var(--ft-error);
      background: var(--ft-error-ground);
      overflow-wrap: anywhere;
    }
    .notes {
      display: grid;
      gap: 0.5rem;
      overflow-wrap: anywhere;
    }
    .graph {
      max-height: 20rem;
      overflow: auto;
      border: 1px solid var(--ft-line);
      background: var(--ft-background);
    }
    input[type='text'] {
      width: min(28rem, 100%);
    }
  `;

  constructor() {
    super();
    /** @type {import('../base/connection.js').Connection} */
    this.connection = /** @type {any} */ (undefined);
    this.text = '';
    /** @type {Error | undefined} */
    this.error = undefined;
    this.isBusy = false;
    /** @type {'file' | 'external'} */
    this.kind = 'file';
    /** What was imported, when there is something to tell of it. @type {{id: string | undefined, count: number, notes: ImportNote[]} | undefined} */
    this.imported = undefined;
  }

  /** The flow that the text has, as far as it is one. */
  get #draft() {
    try {
      const value = JSON.parse(this.text);
      const flow = Array.isArray(value) ? value[0] : value;
      if (!Array.isArray(flow?.nodes) || !Array.isArray(flow?.connections)) return undefined;
      const nodes = flow.nodes.filter((/** @type {any} */ node) => typeof node?.id === 'string');
      return {
        nodes: nodes.map((/** @type {any} */ node) => ({ ...node, name: String(node.name ?? node.id), type: String(node.type ?? '?') })),
        connections: flow.connections.filter((/** @type {any} */ each) => typeof each?.sourceNodeId === 'string'),
      };
    } catch {
      return undefined;
    }
  }

  /** @param {File | undefined} file */
  async #take(file) {
    if (file === undefined) return;
    this.text = await file.text();
    this.error = undefined;
  }

  /** @param {SubmitEvent} event */
  async #submit(event) {
    event.preventDefault();
    this.isBusy = true;
    this.error = undefined;
    try {
      const { flows } = this.connection.client;
      if (this.kind === 'external') {
        const name = /** @type {HTMLInputElement} */ (this.$('#name')).value.trim();
        const made = await flows.create({ kind: 'external', name });
        this.tell('ft-made', made.id);
      } else {
        const { flows: made, notes } = await flows.importWithNotes(parse(this.text));
        const id = made[0]?.id;
        if (notes.length > 0) {
          this.imported = { id, count: made.length, notes };
          return;
        }
        if (made.length > 1) this.tell('ft-said', `${made.length} flows were imported.`);
        this.tell('ft-made', id);
      }
    } catch (error) {
      this.error = error instanceof SyntaxError ? new Error(`this is no JSON: ${error.message}`) : /** @type {Error} */ (error);
    } finally {
      this.isBusy = false;
    }
  }

  render() {
    if (this.imported !== undefined) return this.#notes(this.imported);
    const isFile = this.kind === 'file';
    return html`<form @submit=${this.#submit}>
      <div class="row">
        <h2>New flow</h2>
        <span class="grow"></span>
        <button type="button" class="plain" aria-label="Close" @click=${() => this.tell('ft-close')}>×</button>
      </div>
      <fieldset class="row kinds" aria-label="Kind of flow">
        ${this.#kind('file', 'From a flow file')} ${this.#kind('external', 'Only recorded, runs elsewhere')}
      </fieldset>
      ${isFile ? this.#file() : this.#external()} ${this.#problems()}
      <div class="row">
        <button class="primary" ?disabled=${this.isBusy || (isFile && this.text.trim() === '')}>${isFile ? 'Import' : 'Create'}</button>
      </div>
    </form>`;
  }

  /** What another system's file had and Flowtrail has not. @param {{id: string | undefined, count: number, notes: ImportNote[]}} imported */
  #notes({ id, count, notes }) {
    const made = count === 1 ? 'The flow was imported.' : `${count} flows were imported.`;
    return html`<div class="notes" role="status">
      <h2>${made} This did not come over as it was</h2>
      <ul>
        ${notes.map(
          ({ flow, node, field, message }) =>
            html`<li>${count > 1 && flow ? html`${flow}: ` : nothing}${node ? html`<strong>${node}</strong> ` : nothing}<code>${field}</code> ${message}</li>`,
        )}
      </ul>
      <div class="row"><button class="primary" @click=${() => this.tell('ft-made', id)}>Open the flow</button></div>
    </div>`;
  }

  /** @param {'file' | 'external'} kind @param {string} says */
  #kind(kind, says) {
    const choose = () => {
      this.kind = kind;
      this.error = undefined;
    };
    return html`<label class="row"><input type="radio" name="kind" .checked=${kind === this.kind} @change=${choose} /> ${says}</label>`;
  }

  #external() {
    return html`<div class="field">
      <label class="label" for="name">Name</label>
      <input id="name" type="text" required maxlength="300" placeholder="Nightly import" />
      <span class="hint">Its runs are pushed over HTTP; the flow’s page shows how.</span>
    </div>`;
  }

  #file() {
    const draft = this.#draft;
    const wrong = new Set(this.#listed.map((problem) => problem.node).filter((id) => typeof id === 'string'));
    /** @param {DragEvent} event */
    const drop = (event) => {
      event.preventDefault();
      void this.#take(event.dataTransfer?.files[0]);
    };
    return html`<div class="field">
        <label class="label" for="file">A flow file, or several in a JSON array: paste it, or choose a file</label>
        <input type="file" accept=".json,application/json" aria-label="Choose a flow file" @change=${(/** @type {Event} */ event) => this.#take(/** @type {HTMLInputElement} */ (event.target).files?.[0])} />
        <textarea
          id="file"
          spellcheck="false"
          placeholder="Paste the JSON of a flow, or drop its file here"
          aria-invalid=${this.error ? 'true' : 'false'}
          .value=${this.text}
          @input=${(/** @type {Event} */ event) => {
            this.text = /** @type {HTMLTextAreaElement} */ (event.target).value;
            this.error = undefined;
          }}
          @dragover=${(/** @type {Event} */ event) => event.preventDefault()}
          @drop=${drop}
        ></textarea>
      </div>
      ${draft && draft.nodes.length > 0
        ? html`<div class="graph"><ft-flow-graph .nodes=${draft.nodes} .connections=${draft.connections} .problems=${wrong}></ft-flow-graph></div>`
        : nothing}`;
  }

  /** @returns {FlowProblem[]} */
  get #listed() {
    return this.error instanceof FlowtrailError ? this.error.problems : [];
  }

  #problems() {
    if (this.error === undefined) return nothing;
    const listed = this.#listed;
    if (listed.length === 0) return html`<p class="problems" role="alert">${this.error.message}</p>`;
    return html`<div class="problems" role="alert">
      <p><strong>Nothing was imported.</strong></p>
      <ul>
        ${listed.map(
          ({ node, field, message }) => html`<li>${node ? html`<strong>${node}</strong> ` : nothing}<code>${field}</code>: ${message}</li>`,
        )}
      </ul>
    </div>`;
  }
}

define('flow-new', FlowNew);
