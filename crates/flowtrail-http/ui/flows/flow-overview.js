// @ts-check
/** What a flow is: its graph, what a chosen node does, its tool, and how to call it. */

import { stringify } from '../../client/index.js';
import { Connected } from '../base/connection.js';
import { css, define, html, nothing } from '../base/element.js';
import { Later } from '../base/later.js';
import { Loading } from '../base/loading.js';
import '../parts/copy-button.js';
import '../usage/node-data.js';
import './flow-graph.js';
import { LastRuns } from './last-runs.js';
import { parametersOf, snippets } from './snippets.js';

/** @typedef {import('../../client/index.js').Schemas['Flow']} Flow */

/** How long to wait until the last runs are looked at again after one has ended, in milliseconds. */
const SOON = 2_000;

class FlowOverview extends Connected {
  static properties = {
    ...Connected.properties,
    flow: { attribute: false },
    chosen: { state: true },
    snippet: { state: true },
  };

  static styles = css`
    :host {
      padding: 1rem;
    }
    .graph {
      border: 1px solid var(--ft-line);
      border-radius: var(--ft-radius);
      overflow: auto;
      max-height: 28rem;
    }
    .node {
      height: 18rem;
      margin-top: 0.5rem;
      border: 1px solid var(--ft-line);
      border-radius: var(--ft-radius);
    }
    .columns {
      display: grid;
      grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr));
      gap: 1.5rem 2rem;
      margin-top: 1.5rem;
    }
    section {
      min-width: 0;
    }
    h2 {
      margin-bottom: 0.5rem;
    }
    .snippets {
      display: flex;
      flex-wrap: wrap;
      gap: 0.125rem;
    }
    .code {
      position: relative;
      margin-top: 0.25rem;
    }
    pre {
      overflow: auto;
      padding: 0.75rem 2.5rem 0.75rem 0.75rem;
      border: 1px solid var(--ft-line);
      border-radius: var(--ft-radius);
      background: var(--ft-raised);
      line-height: 1.125rem;
    }
    .code ft-copy {
      position: absolute;
      inset-block-start: 0.375rem;
      inset-inline-end: 0.375rem;
      background: var(--ft-raised);
    }
    .key {
      margin-top: 0.5rem;
    }
    section > p + table {
      margin-top: 0.5rem;
    }
    .description {
      max-width: 60rem;
      margin-bottom: 0.75rem;
      white-space: pre-line;
      overflow-wrap: anywhere;
    }
    .required {
      color: var(--ft-muted);
      font-size: 0.6875rem;
    }
  `;

  /** How the nodes went in the last runs. @type {Loading<Map<string, string[]>>} */
  #runs = new Loading(this);
  #soon = new Later(this, SOON, () => this.#fetch());
  /** @type {LastRuns | undefined} */
  #last;

  constructor() {
    super();
    /** @type {Flow | undefined} */
    this.flow = undefined;
    /** The id of the node of which more is shown. @type {string | undefined} */
    this.chosen = undefined;
    this.snippet = 0;
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    super.willUpdate(changed);
    if (this.isElsewhere(changed)) this.#last = new LastRuns(this.client);
    const before = /** @type {Flow | undefined} */ (changed.get('flow'));
    if (changed.has('flow') && before?.id !== this.flow?.id) {
      this.#runs.forget();
      void this.#fetch();
    }
  }

  async #fetch() {
    const { flow } = this;
    if (flow === undefined || flow.nodes.length === 0) return;
    const ids = flow.nodes.map(({ id }) => String(id));
    await this.#runs.run(async (signal) => (await this.#last?.of(flow.id, ids, signal)) ?? new Map());
  }

  /** @param {import('../base/live.js').Happening[]} events */
  happened(events) {
    const isOf = (/** @type {any} */ data) => data.flowId === this.flow?.id;
    if (events.some(({ type, data }) => type === 'execution.ended' && isOf(data))) this.#soon.ask();
  }

  render() {
    const { flow } = this;
    if (flow === undefined) return nothing;
    const node = flow.nodes.find(({ id }) => id === this.chosen);
    return html`${flow.description ? html`<p class="description muted" dir="auto">${flow.description}</p>` : nothing}
      ${flow.nodes.length === 0
        ? html`<p class="muted">
            ${flow.kind === 'upstream'
              ? 'This is a tool of another MCP server. Each call that passes through Flowtrail is recorded here.'
              : 'This flow runs elsewhere, and is recorded here. It has no graph.'}
          </p>`
        : html`<div class="graph">
              <ft-flow-graph
                .nodes=${flow.nodes}
                .connections=${flow.connections}
                .runs=${this.#runs.value}
                .selected=${this.chosen}
                @ft-graph-node=${(/** @type {CustomEvent<string>} */ event) => {
                  this.chosen = this.chosen === event.detail ? undefined : event.detail;
                }}
              ></ft-flow-graph>
            </div>
            ${node === undefined
              ? nothing
              : html`<div class="node">
                  <ft-node-data .name=${`${node.name} (${node.type})`} .parts=${[{ name: 'Parameters', value: node.parameters ?? {} }]}></ft-node-data>
                </div>`}`}
      <div class="columns">
        ${flow.toolName === null || flow.kind === 'upstream' ? nothing : this.#tool(flow)}
        ${flow.kind === 'upstream' ? nothing : this.#snippets(flow)}
      </div>`;
  }

  /** @param {Flow} flow */
  #tool(flow) {
    const parameters = parametersOf(flow);
    return html`<section>
      <h2>Tool</h2>
      <p><code>${flow.toolName}</code><ft-copy .text=${flow.toolName ?? ''} label="Copy the tool’s name"></ft-copy></p>
      ${parameters.length === 0
        ? html`<p class="muted">It takes no parameters.</p>`
        : html`<table>
            <thead>
              <tr><th scope="col">Parameter</th><th scope="col">Type</th><th scope="col">Description</th></tr>
            </thead>
            <tbody>
              ${parameters.map(
                ({ name, type, description, required, default: value, enum: words }) => html`<tr>
                  <td><code>${name}</code> ${required ? html`<span class="required">required</span>` : nothing}</td>
                  <td>${type}</td>
                  <td class="muted" dir="auto">
                    ${description ?? ''}
                    ${words === undefined ? nothing : html`<div>one of ${words.map((word) => stringify(word)).join(', ')}</div>`}
                    ${value === undefined ? nothing : html`<div>default ${stringify(value)}</div>`}
                  </td>
                </tr>`,
              )}
            </tbody>
          </table>`}
    </section>`;
  }

  /** @param {Flow} flow */
  #snippets(flow) {
    const all = snippets(flow, this.server.address);
    const [, text] = all[this.snippet] ?? all[0] ?? ['', ''];
    return html`<section>
      <h2>${flow.kind === 'runnable' ? 'Call it' : 'Record a run'}</h2>
      <div class="snippets" role="group" aria-label="Written for">
        ${all.map(
          ([name], at) => html`<button
            class="plain"
            type="button"
            aria-pressed=${String(at === this.snippet)}
            @click=${() => {
              this.snippet = at;
            }}
          >
            ${name}
          </button>`,
        )}
      </div>
      <div class="code">
        <pre tabindex="0">${text}</pre>
        <ft-copy .text=${text} label="Copy"></ft-copy>
      </div>
      <p class="muted key">Create a key under <a href="/keys">Keys</a>.</p>
    </section>`;
  }
}

define('flow-overview', FlowOverview);
