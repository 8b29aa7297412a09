import { FlowtrailError, NetworkError } from './errors.js';
import { delay, pause } from './http.js';
import { newId } from './id.js';
import { linesOf } from './lines.js';

/** @typedef {import('./api.js').components['schemas']} Schemas */
/** @typedef {NonNullable<import('./api.js').operations['listExecutions']['parameters']['query']>} ListQuery */
/** @typedef {NonNullable<import('./api.js').operations['exportExecutions']['parameters']['query']>} FilterQuery */
/** @typedef {NonNullable<import('./api.js').operations['getStatistics']['parameters']['query']>} RangeQuery */
/** @typedef {NonNullable<import('./api.js').operations['getTimeSeries']['parameters']['query']>} SeriesQuery */
/** @typedef {{ flowId?: string }} OfFlow what is asked for of one flow, and otherwise of all */
/** @typedef {{ signal?: AbortSignal }} Asking */

/** How many lines of a batch are sent in one request. */
const BATCH = 1_000;
/** How often what could not be sent or written is sent again. */
const TRIES = 4;

/** @param {string} id */
const enc = (id) => encodeURIComponent(id);

/** @param {string | undefined} flowId */
const below = (flowId) => (flowId === undefined ? '/api/executions' : `/api/flows/${enc(flowId)}/executions`);

/** What was run, and recording what runs elsewhere. */
export class Executions {
  #http;

  /** @param {import('./http.js').Http} http */
  constructor(http) {
    this.#http = http;
  }

  /**
   * A page of executions, newest first.
   *
   * @param {ListQuery & OfFlow & Asking} [query]
   * @returns {Promise<Schemas['ExecutionPage']>}
   */
  list({ flowId, signal, ...query } = {}) {
    return this.#http.json('GET', below(flowId), { query, signal });
  }

  /**
   * Page after page, from the first or the one that is told.
   *
   * @param {ListQuery & OfFlow & Asking} [query]
   * @returns {AsyncGenerator<Schemas['ExecutionPage'], void, undefined>}
   */
  async *pages({ page, after, ...query } = {}) {
    let shown = await this.list({ ...query, page, after });
    for (;;) {
      yield shown;
      if (shown.after === null) return;
      shown = await this.list({ ...query, after: shown.after });
    }
  }

  /**
   * Every execution that the filters find, newest first, fetched page by page.
   *
   * @param {ListQuery & OfFlow & Asking} [query]
   * @returns {AsyncGenerator<Schemas['ExecutionSummary'], void, undefined>}
   */
  async *all(query = {}) {
    for await (const page of this.pages({ limit: 100, ...query })) yield* page.items;
  }

  /**
   * An execution with all its data; with `data: 'own'` without that of its nodes, with `data: 'none'` without any. With
   * `allowed: true` it tells what one may do with it.
   *
   * @param {string} id
   * @param {{ data?: 'all' | 'own' | 'none', allowed?: boolean } & Asking} [query]
   * @returns {Promise<Schemas['Execution']>}
   */
  get(id, { signal, ...query } = {}) {
    return this.#http.json('GET', `/api/executions/${enc(id)}`, { query, signal });
  }

  /**
   * A node's part in an execution, with its data.
   *
   * @param {string} id
   * @param {number} seq
   * @param {Asking} [asking]
   * @returns {Promise<Schemas['NodeExecution']>}
   */
  node(id, seq, asking = {}) {
    return this.#http.json('GET', `/api/executions/${enc(id)}/nodes/${seq}`, asking);
  }

  /**
   * Figures over executions.
   *
   * @param {RangeQuery & OfFlow & Asking} [query]
   * @returns {Promise<Schemas['Statistics']>}
   */
  stats({ flowId, signal, ...query } = {}) {
    return this.#http.json('GET', `${below(flowId)}/stats`, { query, signal });
  }

  /**
   * The same figures by hour or day.
   *
   * @param {SeriesQuery & OfFlow & Asking} [query]
   * @returns {Promise<Schemas['TimeSeries']>}
   */
  timeSeries({ flowId, signal, ...query } = {}) {
    return this.#http.json('GET', `${below(flowId)}/timeseries`, { query, signal });
  }

  /**
   * A flow's executions as points of a plot.
   *
   * @param {string} flowId
   * @param {{ from?: string, to?: string } & Asking} [query]
   * @returns {Promise<Schemas['Points']>}
   */
  points(flowId, { signal, ...query } = {}) {
    return this.#http.json('GET', `${below(flowId)}/points`, { query, signal });
  }

  /**
   * Full executions that the filters find, streamed.
   *
   * @param {Omit<FilterQuery, 'format'> & OfFlow & Asking} [query]
   * @returns {AsyncGenerator<Schemas['Execution'], void, undefined>}
   */
  async *export({ flowId, signal, ...query } = {}) {
    const response = await this.#http.send('GET', `${below(flowId)}/export`, {
      query: { ...query, format: 'ndjson' },
      headers: { accept: 'application/x-ndjson' },
      signal,
    });
    for await (const line of linesOf(response)) if (line) yield JSON.parse(line);
  }

  /**
   * Records an execution that is over. Without an id it gets one here, so that trying again never makes a second record.
   *
   * @param {string} flowId
   * @param {Schemas['FinishedExecution']} report
   * @param {Asking} [asking]
   * @returns {Promise<Schemas['Execution']>}
   */
  record(flowId, report, asking = {}) {
    const body = { ...report, id: report.id ?? newId() };
    return this.#http.json('POST', below(flowId), { body, repeatable: true, ...asking });
  }

  /**
   * Records an execution that begins, and gives what tells how it goes on.
   *
   * @param {string} flowId
   * @param {Schemas['StartedExecution']} [report]
   * @param {Asking} [asking]
   * @returns {Promise<Running>}
   */
  async start(flowId, report = {}, asking = {}) {
    const body = { ...report, id: report.id ?? newId() };
    await this.#http.json('POST', below(flowId), { body, repeatable: true, ...asking });
    return new Running(this, body.id);
  }

  /**
   * Appends node executions, each with its `seq`.
   *
   * @param {string} id
   * @param {Schemas['AppendedNode'][]} nodeExecutions
   * @param {Asking} [asking]
   * @returns {Promise<Schemas['Appended']>}
   */
  append(id, nodeExecutions, asking = {}) {
    const body = { nodeExecutions };
    return this.#http.json('POST', `/api/executions/${enc(id)}/nodes`, { body, repeatable: true, ...asking });
  }

  /**
   * Ends an execution that runs elsewhere.
   *
   * @param {string} id
   * @param {Schemas['EndedExecution']} end
   * @param {Asking} [asking]
   * @returns {Promise<Schemas['Execution']>}
   */
  end(id, end, asking = {}) {
    return this.#http.json('PATCH', `/api/executions/${enc(id)}`, { body: end, repeatable: true, ...asking });
  }

  /**
   * Records many executions that are over, and tells of each what became of it, in their order. What could not be sent is
   * sent again, with the same ids.
   *
   * @param {Iterable<Schemas['BatchLine']> | AsyncIterable<Schemas['BatchLine']>} reports
   * @param {Asking} [asking]
   * @returns {AsyncGenerator<Schemas['BatchOutcome'], void, undefined>}
   */
  async *batch(reports, asking = {}) {
    let [lines, sent] = [/** @type {string[]} */ ([]), 0];
    /** @param {string[]} wanted @returns {Promise<Schemas['BatchOutcome'][]>} */
    const send = async (wanted) => {
      const response = await this.#http.send('POST', '/api/executions/batch', {
        text: wanted.join('\n'),
        headers: { 'content-type': 'application/x-ndjson', accept: 'application/x-ndjson' },
        repeatable: true,
        ...asking,
      });
      const outcomes = [];
      for await (const line of linesOf(response)) if (line) outcomes.push(JSON.parse(line));
      if (outcomes.length !== wanted.length) throw new NetworkError('the answer to a batch broke off');
      return outcomes;
    };
    const told = async function* () {
      const outcomes = await again(() => send(lines));
      // What the server could not write just then is sent again, under the same ids.
      for (let attempt = 0; attempt < TRIES; attempt += 1) {
        const waiting = [...outcomes.keys()].filter((at) => isPassing(outcomes[at]));
        if (waiting.length === 0) break;
        await pause(delay(attempt), asking.signal);
        const later = await again(() => send(waiting.map((at) => lines[at] ?? '')));
        later.forEach((outcome, place) => {
          const at = waiting[place] ?? 0;
          outcomes[at] = { ...outcome, line: at + 1 };
        });
      }
      for (const outcome of outcomes) yield { ...outcome, line: outcome.line + sent };
      sent += lines.length;
      lines = [];
    };
    for await (const report of reports) {
      lines.push(JSON.stringify({ ...report, id: report.id ?? newId() }));
      if (lines.length === BATCH) yield* told();
    }
    if (lines.length > 0) yield* told();
  }

  /**
   * Asks an execution to stop.
   *
   * @param {string} id
   * @param {Asking} [asking]
   * @returns {Promise<Schemas['CancelRequested']>}
   */
  cancel(id, asking = {}) {
    return this.#http.json('POST', `/api/executions/${enc(id)}/cancel`, { repeatable: true, ...asking });
  }

  /**
   * Runs it again with the same parameters.
   *
   * @param {string} id
   * @param {Asking} [asking]
   * @returns {Promise<Schemas['Execution']>}
   */
  replay(id, asking = {}) {
    return this.#http.json('POST', `/api/executions/${enc(id)}/replay`, asking);
  }

  /**
   * Deletes an execution that has ended.
   *
   * @param {string} flowId
   * @param {string} id
   * @param {Asking} [asking]
   * @returns {Promise<void>}
   */
  async delete(flowId, id, asking = {}) {
    await this.#http.json('DELETE', `${below(flowId)}/${enc(id)}`, { isOne: true, ...asking });
  }

  /**
   * Deletes what the filters find of a flow; what is pending stays.
   *
   * @param {string} flowId
   * @param {Omit<FilterQuery, 'format'> & { dryRun?: boolean } & Asking} [query]
   * @returns {Promise<number>} how many are gone, or would be
   */
  async deleteMany(flowId, { signal, ...query } = {}) {
    // Sent again it would count what is left.
    return (await this.#http.json('DELETE', below(flowId), { query, signal, repeatable: false })).deleted;
  }

  /**
   * Deletes the older part of a flow's history.
   *
   * @param {string} flowId
   * @param {Schemas['Prune']} kept
   * @param {{ dryRun?: boolean } & Asking} [query]
   * @returns {Promise<number>} how many are gone, or would be
   */
  async prune(flowId, kept, { signal, ...query } = {}) {
    const sending = { body: kept, query, signal };
    return (await this.#http.json('POST', `${below(flowId)}/prune`, sending)).deleted;
  }
}

/**
 * Whether a line was refused only for the moment.
 *
 * @param {Schemas['BatchOutcome'] | undefined} outcome
 */
function isPassing(outcome) {
  return outcome?.error?.code === 'busy' || outcome?.error?.code === 'unavailable';
}

/**
 * Does something again whose answer broke off.
 *
 * @template T
 * @param {() => Promise<T>} what
 * @returns {Promise<T>}
 */
async function again(what) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await what();
    } catch (error) {
      const brokeOff = error instanceof FlowtrailError && error.code === 'network';
      if (!brokeOff || attempt >= TRIES) throw error;
    }
  }
}

/** An execution that runs here and is told of while it runs. */
export class Running {
  #executions;
  #seq = 0;

  /**
   * @param {Executions} executions
   * @param {string} id
   */
  constructor(executions, id) {
    this.#executions = executions;
    /** Its id. */
    this.id = id;
  }

  /**
   * Tells of a node; it is numbered here unless it has a `seq`.
   *
   * @param {Schemas['ReportedNode']} node
   * @param {Asking} [asking]
   * @returns {Promise<number>} its number
   */
  async node(node, asking) {
    const seq = node.seq ?? this.#seq + 1;
    this.#seq = Math.max(this.#seq, seq);
    await this.#executions.append(this.id, [{ ...node, seq }], asking);
    return seq;
  }

  /**
   * Does a node's work, and tells how long it took and what came of it.
   *
   * @template T
   * @param {string} nodeId
   * @param {() => T | Promise<T>} work
   * @param {{ nodeName?: string, nodeType?: string, inputData?: unknown }} [about]
   * @returns {Promise<T>}
   */
  async run(nodeId, work, about = {}) {
    const seq = (this.#seq += 1);
    const executedAt = new Date().toISOString();
    const begun = performance.now();
    const told = () => ({ ...about, nodeId, seq, executedAt, executionTimeMs: performance.now() - begun });
    let outputData;
    try {
      outputData = await work();
    } catch (error) {
      // What is thrown is why the work failed, whether or not that can be told.
      await this.node({ ...told(), error: reason(error) }).catch(() => {});
      throw error;
    }
    await this.node({ ...told(), outputData });
    return outputData;
  }

  /**
   * It ended as it should.
   *
   * @param {unknown} [outputs]
   * @param {Asking} [asking]
   */
  fulfil(outputs, asking) {
    return this.#executions.end(this.id, { status: 'fulfilled', outputs }, asking);
  }

  /**
   * It failed.
   *
   * @param {unknown} error what went wrong, in words or as it was thrown
   * @param {Partial<Schemas['ReportedError']>} [about]
   * @param {Asking} [asking]
   */
  fail(error, about = {}, asking) {
    const errorInfo = { message: reason(error), ...about };
    return this.#executions.end(this.id, { status: 'error', errorInfo }, asking);
  }

  /**
   * It was stopped.
   *
   * @param {Asking} [asking]
   */
  abort(asking) {
    return this.#executions.end(this.id, { status: 'aborted' }, asking);
  }
}

/** @param {unknown} error */
function reason(error) {
  return error instanceof Error ? error.message : String(error);
}
