// @ts-check
/** Runs a flow: a form made from its parameters, and below it the execution while it runs. */

import { keyed } from '../../vendor/lit-html/directives/keyed.js';
import { ExactNumber, numberOf, parse, stringify } from '../../client/index.js';
import { Element, css, define, html, nothing } from '../base/element.js';
import '../parts/problem.js';
import '../usage/flowtrail-execution.js';
import { parametersOf } from './snippets.js';

/** @typedef {import('../../client/index.js').Schemas['Flow']} Flow */

class FlowRun extends Element {
  static properties = {
    connection: { attribute: false },
    flow: { attribute: false },
    started: { state: true },
    error: { state: true },
    wrong: { state: true },
    isBusy: { state: true },
  };

  static styles = css`
    :host {
      display: grid;
      grid-template-columns: minmax(18rem, 26rem) minmax(0, 1fr);
      min-height: 100%;
    }
    form {
      display: grid;
      gap: 1rem;
      align-content: start;
      padding: 1rem;
    }
    input:not([type='checkbox']),
    textarea,
    select {
      width: 100%;
    }
    .execution {
      min-height: 30rem;
      border-inline-start: 1px solid var(--ft-line);
    }
    .none {
      padding: 1rem;
    }
    @media (max-width: 899px) {
      :host {
        grid-template-columns: minmax(0, 1fr);
      }
      .execution {
        border-inline-start: 0;
        border-top: 1px solid var(--ft-line);
      }
    }
  `;

  constructor() {
    super();
    /** @type {import('../base/connection.js').Connection} */
    this.connection = /** @type {any} */ (undefined);
    /** @type {Flow | undefined} */
    this.flow = undefined;
    /** The id of the execution that was begun. @type {string | undefined} */
    this.started = undefined;
    /** @type {Error | undefined} */
    this.error = undefined;
    /** What is wrong with a field, by its name. @type {Record<string, string>} */
    this.wrong = {};
    this.isBusy = false;
  }

  /** @param {SubmitEvent} event */
  async #submit(event) {
    event.preventDefault();
    const { flow } = this;
    if (flow === undefined) return;
    const data = new FormData(/** @type {HTMLFormElement} */ (event.target));
    /** @type {Record<string, unknown>} */
    const params = {};
    /** @type {Record<string, string>} */
    const wrong = {};
    for (const { name, type, required } of parametersOf(flow)) {
      const text = data.get(name);
      try {
        const value = valueOf(type, typeof text === 'string' ? text : null);
        if (value !== undefined) params[name] = value;
        else if (required && type !== 'string') wrong[name] = 'It is required.';
        else if (required) params[name] = '';
      } catch (error) {
        wrong[name] = /** @type {Error} */ (error).message;
      }
    }
    this.wrong = wrong;
    if (Object.keys(wrong).length > 0) {
      void this.updateComplete.then(() => this.$('[aria-invalid="true"]')?.focus());
      return;
    }
    this.isBusy = true;
    this.error = undefined;
    try {
      const execution = await this.connection.client.flows.run(flow.id, params, { wait: false });
      this.started = execution.id;
    } catch (error) {
      this.error = /** @type {Error} */ (error);
    } finally {
      this.isBusy = false;
    }
  }

  render() {
    const { flow } = this;
    if (flow === undefined) return nothing;
    const parameters = parametersOf(flow);
    return html`<form @submit=${this.#submit} novalidate>
        ${parameters.length === 0 ? html`<p class="muted">It takes no parameters.</p>` : nothing}
        ${parameters.map((parameter) => this.#field(parameter))}
        ${this.error ? html`<p class="field" role="alert"><span class="wrong">${this.error.message}</span></p>` : nothing}
        <div class="row">
          <button class="primary" ?disabled=${this.isBusy || !flow.active}>${this.isBusy ? 'Starting…' : 'Run'}</button>
          ${flow.active ? nothing : html`<span class="muted">An inactive flow cannot be run.</span>`}
        </div>
      </form>
      <div class="execution">
        ${this.started === undefined
          ? html`<p class="none muted">The execution appears here while it runs.</p>`
          : keyed(
              this.started,
              html`<flowtrail-execution
                .connection=${this.connection}
                .executionId=${this.started}
                .isAsked=${true}
                @flowtrail-select=${(/** @type {CustomEvent<string>} */ event) => {
                  this.started = event.detail;
                }}
              ></flowtrail-execution>`,
            )}
      </div>`;
  }

  /** @param {ReturnType<typeof parametersOf>[number]} parameter */
  #field({ name, type, description, required, default: value, enum: words }) {
    const wrong = this.wrong[name];
    const id = `parameter-${name}`;
    const shown = value === undefined ? '' : typeof value === 'string' ? value : stringify(value);
    const about = `${id}-about`;
    const isWrong = wrong === undefined ? 'false' : 'true';
    let field;
    if (words !== undefined || type === 'boolean') {
      const options = words ?? [true, false];
      field = html`<select id=${id} name=${name} aria-describedby=${about} aria-invalid=${isWrong}>
        ${required ? nothing : html`<option value=""></option>`}
        ${options.map((option) => html`<option value=${String(option)} ?selected=${String(option) === String(value)}>${String(option)}</option>`)}
      </select>`;
    } else if (type === 'array' || type === 'object') {
      field = html`<textarea id=${id} name=${name} rows="4" spellcheck="false" aria-describedby=${about} aria-invalid=${isWrong} placeholder=${type === 'array' ? '[]' : '{}'} .value=${shown}></textarea>`;
    } else {
      field = html`<input id=${id} name=${name} aria-describedby=${about} aria-invalid=${isWrong} inputmode=${type === 'string' ? 'text' : 'decimal'} autocomplete="off" .value=${shown} />`;
    }
    return html`<div class="field">
      <label class="label" for=${id}><code><bdi>${name}</bdi></code> <span class="muted">${type}${required ? ', required' : ''}</span></label>
      ${field}
      <span class=${wrong === undefined ? 'hint' : 'wrong'} id=${about} dir="auto">${wrong ?? description ?? ''}</span>
    </div>`;
  }
}

/**
 * A number as a person writes it, with all its digits.
 *
 * @param {string} text
 */
function numberIn(text) {
  try {
    return numberOf(text.trim());
  } catch {
    // Other forms that JavaScript reads, such as `.5` or `+3`.
    const number = Number(text);
    if (!Number.isFinite(number)) throw new Error(`Expected a number, got “${text}”.`);
    return number;
  }
}

/**
 * Whether a number has no fraction. Of one with an exponent that is for the server to say.
 *
 * @param {number | ExactNumber} number
 */
const isWhole = (number) =>
  number instanceof ExactNumber ? /e/i.test(number.text) || !number.text.includes('.') : Number.isInteger(number);

/**
 * The value of a field, by the parameter's type; nothing when it is left empty.
 *
 * @param {string} type
 * @param {string | null} text
 * @returns {unknown}
 */
function valueOf(type, text) {
  if (text === null || text === '') return undefined;
  switch (type) {
    case 'number':
    case 'integer': {
      const number = numberIn(text);
      if (type === 'integer' && !isWhole(number)) throw new Error(`Expected a whole number, got “${text}”.`);
      return number;
    }
    case 'boolean':
      return text === 'true';
    case 'array':
    case 'object': {
      let value;
      try {
        value = parse(text);
      } catch (error) {
        throw new Error(`Expected JSON: ${/** @type {Error} */ (error).message}.`);
      }
      if (Array.isArray(value) !== (type === 'array') || value === null || typeof value !== 'object') {
        throw new Error(type === 'array' ? 'Expected a list: [ … ].' : 'Expected an object: { … }.');
      }
      return value;
    }
    default:
      return text;
  }
}

define('flow-run', FlowRun);
