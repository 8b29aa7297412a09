// @ts-check
/**
 * Figures and charts over the executions of a flow, or of all: `<flowtrail-stats flow-id="…" range="7d">`.
 *
 * The event `flowtrail-range` tells that another range was chosen, `flowtrail-filter` that a part of it is to be listed.
 */

import { ForbiddenError } from '../../client/index.js';
import { Connected } from '../base/connection.js';
import { css, define, html, nothing } from '../base/element.js';
import { absolute, count, duration, percent } from '../base/format.js';
import { Later } from '../base/later.js';
import { Loading } from '../base/loading.js';
import '../parts/problem.js';
import './chart.js';
import { barsOf, change, linesOf, pointsOf } from './series.js';

/** @typedef {import('../../client/index.js').Schemas['Statistics']} Statistics */
/** @typedef {import('../../client/index.js').Schemas['TimeSeries']} TimeSeries */
/** @typedef {import('../../client/index.js').Schemas['Points']} Points */
/** @typedef {{ now: Statistics, before: Statistics, series: TimeSeries, all: Statistics, from: number, to: number }} Shown */

/** @type {Record<string, [says: string, hours: number, step: 'hour' | 'day']>} */
const RANGES = {
  '24h': ['24 hours', 24, 'hour'],
  '7d': ['7 days', 7 * 24, 'hour'],
  '30d': ['30 days', 30 * 24, 'day'],
  '90d': ['90 days', 90 * 24, 'day'],
};
const HOUR = 3_600_000;
/** How long to wait until the figures are fetched again after something happened, in milliseconds. */
const SOON = 2_000;

export class FlowtrailStats extends Connected {
  static properties = {
    ...Connected.properties,
    flowId: { attribute: 'flow-id' },
    range: {},
  };

  static styles = css`
    :host {
      display: grid;
      grid-template-columns: minmax(0, 1fr);
      gap: 1.5rem;
      padding: 1rem;
      background: var(--ft-background);
    }
    .ranges {
      display: flex;
      gap: 0.125rem;
    }
    .figures {
      display: grid;
      grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr));
      overflow: hidden;
      border-block: 1px solid var(--ft-line);
    }
    .figure {
      padding: 0.625rem 0.75rem;
      box-shadow: 1px 1px 0 var(--ft-line);
    }
    .figure strong {
      display: block;
      font-size: 1.25rem;
      line-height: 1.75rem;
      font-weight: 600;
      font-variant-numeric: tabular-nums;
    }
    .better {
      color: var(--ft-fulfilled);
    }
    .worse {
      color: var(--ft-error);
    }
    .charts {
      display: grid;
      grid-template-columns: repeat(auto-fit, minmax(min(28rem, 100%), 1fr));
      gap: 1.5rem 2rem;
    }
    .charts > :nth-child(3) {
      grid-column: 1 / -1;
    }
    svg.spark {
      display: block;
      width: 100%;
      height: 1.25rem;
      margin-top: 0.25rem;
      overflow: visible;
    }
    .spark path {
      fill: none;
      stroke: var(--ft-muted);
      stroke-width: 1.25;
      vector-effect: non-scaling-stroke;
    }
    .loading .shape {
      height: 12rem;
    }
  `;

  /** @type {Loading<Shown>} */
  #shown = new Loading(this);
  /** Each run as a point, which takes longer than all else. @type {Loading<Points>} */
  #points = new Loading(this);
  #asked = '';
  #soon = new Later(this, SOON, () => this.#fetch());

  constructor() {
    super();
    /** The flow; all flows when absent. @type {string | undefined} */
    this.flowId = undefined;
    /** `24h`, `7d`, `30d` or `90d`. */
    this.range = '7d';
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    super.willUpdate(changed);
    const asked = JSON.stringify([this.flowId, this.range]);
    if (asked !== this.#asked || this.isElsewhere(changed)) void this.#fetch();
    this.#asked = asked;
  }

  #fetch() {
    const { flowId, client } = this;
    const [, hours, step] = RANGES[this.range] ?? RANGES['7d'] ?? ['', 168, 'hour'];
    // Whole hours: so the figures are those of the charts.
    const to = Math.ceil(this.server.now() / HOUR) * HOUR;
    const from = to - hours * HOUR;
    /** @param {number} time */
    const iso = (time) => new Date(time).toISOString();
    if (flowId !== undefined) void this.#points.run((signal) => client.executions.points(flowId, { from: iso(from), to: iso(to), signal }), JSON.stringify([flowId, this.range]));
    return this.#shown.run(async (signal) => {
      const period = { flowId, from: iso(from), to: iso(to), signal };
      const [now, before, series, all] = await Promise.all([
        client.executions.stats(period),
        client.executions.stats({ flowId, from: iso(from - hours * HOUR), to: iso(from), signal }),
        client.executions.timeSeries({ ...period, step }),
        client.executions.stats({ flowId, signal }),
      ]);
      return { now, before, series, all, from, to };
    }, JSON.stringify([flowId, this.range]));
  }

  /** @param {import('../base/live.js').Happening[]} events */
  happened(events) {
    const { flowId } = this;
    const isOf = (/** @type {any} */ data) => flowId === undefined || data.flowId === flowId;
    if (!events.some(({ type, data }) => type === 'resync' || (type.startsWith('execution.') && isOf(data)))) return;
    this.#soon.ask();
  }

  /** @param {string} range */
  #choose(range) {
    if (this.tell('flowtrail-range', range)) this.range = range;
  }

  render() {
    const { value, error } = this.#shown;
    return html`${this.standing}
      <div class="row">
        <div class="ranges" role="group" aria-label="Over the last">
          ${Object.entries(RANGES).map(
            ([range, [says]]) => html`<button class="plain" type="button" aria-pressed=${String(range === this.range)} @click=${() => this.#choose(range)}>${says}</button>`,
          )}
        </div>
      </div>
      ${error === undefined
        ? nothing
        : error instanceof ForbiddenError
          ? html`<p class="muted">You see only your own executions of this flow, and no figures over everybody’s.</p>`
          : html`<ft-problem .error=${error} what="The figures cannot be shown" @ft-retry=${() => this.#fetch()}></ft-problem>`}
      ${value === undefined ? (error ? nothing : html`<div class="loading" aria-busy="true" aria-label="Loading the figures"><div class="shape"></div></div>`) : this.#figures(value)}
      ${value === undefined ? nothing : this.#charts(value)}`;
  }

  /** @param {Shown} shown */
  #figures({ now, before, series }) {
    /** @type {[says: string, value: string, change: ReturnType<typeof change>, better: -1 | 0 | 1, spark: (number | null)[]][]} */
    const figures = [
      ['Runs', count(now.total), change(now.total, before.total), 0, series.points.map(({ total }) => total)],
      ['Success rate', percent(now.successRate), change(now.successRate, before.successRate, true), 1, series.points.map(({ successRate }) => successRate)],
      ['Average duration', timeOf(now.avgDuration), change(now.avgDuration, before.avgDuration), -1, series.points.map(({ avgDuration }) => avgDuration)],
      ['p50 duration', timeOf(now.p50Duration), change(now.p50Duration, before.p50Duration), -1, series.points.map(({ p50Duration }) => p50Duration)],
      ['p95 duration', timeOf(now.p95Duration), change(now.p95Duration, before.p95Duration), -1, series.points.map(({ p95Duration }) => p95Duration)],
    ];
    // Only servers that record rejected calls count any.
    if (now.rejected > 0) figures.push(['Rejected calls', count(now.rejected), change(now.rejected, before.rejected), -1, series.points.map(({ rejected }) => rejected)]);
    return html`<div class="figures">
      ${figures.map(([says, value, changed, better, spark]) => {
        const judged = changed === undefined || better === 0 || changed.by === 0 ? 'muted' : Math.sign(changed.by) === better ? 'better' : 'worse';
        return html`<div class="figure">
          <span class="muted">${says}</span>
          <strong>${value}</strong>
          <span class=${judged} title="against the period before">${changed?.text ?? 'no earlier data'}</span>
          ${sparkline(spark)}
        </div>`;
      })}
    </div>`;
  }

  /**
   * A way from where there is nothing to where there is something.
   *
   * @param {number} last when the last run began
   */
  #lead(last) {
    const to = Math.ceil(this.server.now() / HOUR) * HOUR;
    const found = Object.entries(RANGES).find(([, [, hours]]) => last >= to - hours * HOUR);
    if (found === undefined) {
      const day = { from: new Date(last - 24 * HOUR).toISOString(), to: new Date(last + HOUR).toISOString() };
      return html`<button slot="none" type="button" @click=${() => this.tell('flowtrail-filter', day)}>List the last runs</button>`;
    }
    const [range, [says]] = found;
    return html`<button slot="none" type="button" @click=${() => this.#choose(range)}>Show the last ${says}</button>`;
  }

  /** @param {Shown} shown */
  #charts(shown) {
    const { all } = shown;
    const points = this.flowId === undefined ? undefined : this.#points.value;
    const last = all.lastExecutionAt;
    const none = last === null ? 'Nothing has run yet.' : `Nothing ran in this time. The last run began at ${absolute(last)}.`;
    const lead = last === null ? nothing : this.#lead(new Date(last).getTime());
    const each = shown.series.step === 'day' ? 'per day (UTC)' : 'per hour';
    /** @param {CustomEvent<{ from: string, to: string }>} event */
    const brush = (event) => this.tell('flowtrail-filter', event.detail);
    return html`<div class="charts">
      <ft-chart heading="Runs over time, by status" unit=${`runs ${each}`} .chart=${barsOf(shown)} .none=${none} @ft-brush=${brush}>${lead}</ft-chart>
      <ft-chart heading="Duration over time" unit=${each} .chart=${linesOf(shown)} .none=${none} @ft-brush=${brush}>${lead}</ft-chart>
      ${points === undefined
        ? nothing
        : html`<ft-chart
            heading="Each run: duration by start"
            unit=${points.thinned ? 'logarithmic, evenly thinned' : 'logarithmic'}
            .chart=${pointsOf(points)}
            .none=${none}
            @ft-brush=${brush}
            >${lead}</ft-chart
          >`}
    </div>`;
  }
}

/** @param {number | null} millis */
const timeOf = (millis) => (millis === null ? '–' : duration(millis));

/**
 * A line that shows nothing but how something went.
 *
 * @param {(number | null)[]} values
 */
function sparkline(values) {
  const known = values.filter((value) => value !== null);
  if (known.length < 2) return nothing;
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const step = 100 / (values.length - 1);
  let path = '';
  let isOpen = false;
  values.forEach((value, at) => {
    if (value === null) isOpen = false;
    else {
      const y = high === low ? 10 : 19 - ((value - low) / (high - low)) * 18;
      path += `${isOpen ? 'L' : 'M'}${(at * step).toFixed(1)} ${y.toFixed(1)}`;
      isOpen = true;
    }
  });
  return html`<svg class="spark" viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true"><path d=${path} /></svg>`;
}

define('flowtrail-stats', FlowtrailStats);
