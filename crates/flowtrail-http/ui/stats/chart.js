// @ts-check
/**
 * A chart with a title, a legend that toggles, exact values under the pointer, a range that can be drawn, and the same as a table for
 * those who do not see it.
 */

import { Element, css, define, html, nothing } from '../base/element.js';
import { timeFormat } from '../base/format.js';
import { dotsOf } from './dots.js';

/** @typedef {import('./plot.js').Options} Options */
/** @typedef {import('./plot.js').Data} Data */
/**
 * @typedef {object} Series
 * @property {string} name
 * @property {string} colour its token
 * @property {'solid' | 'dashed' | 'dotted'} [line]
 * @property {(number | null)[]} values
 */
/**
 * @typedef {object} Chart
 * @property {'bars' | 'lines' | 'points'} kind
 * @property {number[]} at times, in seconds
 * @property {Series[]} series
 * @property {(value: number) => string} show how a value is written
 * @property {(at: number) => string} showAt how a time is written
 * @property {boolean} [isLog] whether ten times as much is as far up everywhere
 * @property {boolean} [isBrushed] whether a range of time can be drawn
 * @property {number} [step] how much time each value is of, in seconds: days are those of UTC
 */

const HEIGHT = 180;
const DAY = 86_400;

export class FlowtrailChart extends Element {
  static properties = {
    heading: {},
    unit: {},
    chart: { attribute: false },
    none: {},
    hidden_: { state: true },
    at: { state: true },
    height: { type: Number },
    compact: { type: Boolean, reflect: true },
  };

  static styles = css`
    figure {
      position: relative;
      min-width: 0;
    }
    figcaption {
      display: flex;
      flex-wrap: wrap;
      gap: 0 1rem;
      align-items: baseline;
      min-height: 1.5rem;
    }
    figcaption h2 {
      font-size: var(--ft-text-size);
    }
    figcaption h2 .muted {
      font-weight: 400;
    }
    .legend {
      display: flex;
      flex-wrap: wrap;
      gap: 0 0.25rem;
      margin-inline-start: auto;
    }
    .legend button {
      min-height: 1.5rem;
      font-weight: 400;
    }
    .legend button[aria-pressed='false'] {
      text-decoration: line-through;
      background: none;
    }
    .legend button[aria-pressed='true'] {
      background: none;
      color: var(--ft-text);
    }
    .key {
      width: 0.625rem;
      height: 0.625rem;
      border-radius: 2px;
      background: var(--colour);
    }
    .key.solid,
    .key.dashed,
    .key.dotted {
      height: 0;
      width: 1rem;
      border-radius: 0;
      border-top: 2px solid var(--colour);
      background: none;
    }
    .key.dashed {
      border-top-style: dashed;
    }
    .key.dotted {
      border-top-style: dotted;
    }
    .plot {
      height: var(--height);
    }
    .said {
      min-height: var(--ft-leading);
      color: var(--ft-muted);
      font-variant-numeric: tabular-nums;
      white-space: nowrap;
      overflow: hidden;
      text-overflow: ellipsis;
    }
    .none {
      display: grid;
      place-content: center;
      gap: 0.5rem;
      justify-items: center;
      height: var(--height);
      padding: 1rem;
      border: 1px dashed var(--ft-line);
      border-radius: var(--ft-radius);
      color: var(--ft-muted);
      text-align: center;
    }
    :host([compact]) figcaption {
      display: none;
    }
    :host([compact]) .said {
      position: absolute;
      inset-block-start: 0;
      inset-inline-end: 0.5rem;
      padding-inline: 0.25rem;
      background: var(--ft-background);
      font-size: 0.6875rem;
    }
  `;

  /** @type {import('../../vendor/uplot/dist/uPlot.js') | undefined} */
  #plot;
  /** @type {ResizeObserver | undefined} */
  #sizes;
  #theme = window.matchMedia('(prefers-color-scheme: dark)');
  #drawn = 0;
  /** Of what kind the drawn one is: another of the same kind is drawn into it. */
  #kind = '';

  constructor() {
    super();
    this.heading = '';
    /** What the upright axis counts. */
    this.unit = '';
    /** @type {Chart | undefined} */
    this.chart = undefined;
    /** Why there is nothing to see, when there is nothing. */
    this.none = '';
    /** The series that are not shown. @type {Set<string>} */
    this.hidden_ = new Set();
    /** What the pointer is at. @type {number | null} */
    this.at = null;
    this.height = HEIGHT;
    /** Whether it has no title and no legend of its own. */
    this.compact = false;
  }

  connectedCallback() {
    super.connectedCallback();
    this.#sizes = new ResizeObserver(() => this.#fit());
    this.#sizes.observe(this);
    this.#theme.addEventListener('change', this.#redraw);
    window.addEventListener('flowtrail-theme', this.#redraw);
    if (this.hasUpdated) void this.#draw();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#sizes?.disconnect();
    this.#theme.removeEventListener('change', this.#redraw);
    window.removeEventListener('flowtrail-theme', this.#redraw);
    this.#plot?.destroy();
    this.#plot = undefined;
  }

  #redraw = () => {
    this.#kind = '';
    void this.#draw();
  };

  /** @param {Map<PropertyKey, unknown>} changed */
  updated(changed) {
    this.style.setProperty('--height', `${this.height}px`);
    for (const key of this.renderRoot.querySelectorAll('.key')) {
      /** @type {HTMLElement} */ (key).style.setProperty('--colour', `var(--ft-${key.getAttribute('data-colour')})`);
    }
    if (changed.has('chart') || changed.has('hidden_')) void this.#draw();
  }

  get #isEmpty() {
    return this.chart === undefined || !this.chart.series.some(({ values }) => values.some((value) => value !== null && value !== 0));
  }

  async #draw() {
    const turn = (this.#drawn += 1);
    const { UPlot, coloursOf } = await import('./plot.js');
    const { chart } = this;
    // Another one has begun meanwhile.
    if (turn !== this.#drawn || !this.isConnected) return;
    const place = this.$('.plot');
    if (chart === undefined || this.#isEmpty || place === null) {
      this.#plot?.destroy();
      this.#plot = undefined;
      return;
    }
    const shown = chart.series.filter(({ name }) => !this.hidden_.has(name));
    // Bars that stand on each other are parted by a line, which of thin ones would leave nothing.
    const isParted = place.clientWidth / chart.at.length > 10;
    const kind = JSON.stringify([chart.kind, chart.step, isParted, shown.map(({ name }) => name)]);
    // What the pointer is at, and a range that is being drawn, stay where only the figures are others.
    if (this.#plot?.root.parentElement === place && kind === this.#kind) {
      this.#plot.setData(dataOf(chart, shown));
      return;
    }
    this.#kind = kind;
    this.#plot?.destroy();
    const colours = coloursOf(place, ['line', 'muted', 'background', ...chart.series.map(({ colour }) => colour)]);
    const options = this.#options(UPlot, chart, shown, colours, place.clientWidth);
    this.#plot = new UPlot(options, dataOf(chart, shown), place);
  }

  /**
   * @param {typeof import('./plot.js').UPlot} UPlot
   * @param {Chart} chart
   * @param {Series[]} shown
   * @param {Record<string, string>} colours
   * @param {number} width
   * @returns {Options}
   */
  #options(UPlot, chart, shown, colours, width) {
    const font = `11px ${getComputedStyle(this).fontFamily}`;
    const isSpread = chart.kind !== 'points';
    const axis = { stroke: colours.muted, font, ticks: { show: false }, grid: { stroke: colours.line, width: 1 } };
    const half = (chart.step ?? 3_600) / 2;
    const isDaily = chart.step === DAY;
    /** @param {Series} series @returns {any} */
    const seriesOf = ({ name, colour, line }) => {
      const stroke = colours[colour];
      const parted = width / chart.at.length > 10 ? 1 : 0;
      if (chart.kind === 'bars') return { label: name, fill: stroke, stroke: parted ? colours.background : stroke, width: parted, paths: UPlot.paths.bars?.({ size: [0.85, 48], align: 1 }), points: { show: false } };
      if (chart.kind === 'points') return { label: name, stroke, fill: stroke, width: 1.25, paths: dotsOf(name), points: { show: false } };
      const dash = line === 'dashed' ? [6, 4] : line === 'dotted' ? [2, 3] : undefined;
      return { label: name, stroke, width: 1.5, dash, spanGaps: false, points: { show: true, size: 3, fill: stroke } };
    };
    const order = chart.kind === 'bars' ? [...shown].reverse() : shown;
    return {
      width: Math.max(width, 60),
      height: this.height,
      legend: { show: false },
      ...(isDaily ? { tzDate: (/** @type {number} */ at) => UPlot.tzDate(new Date(at * 1_000), 'Etc/UTC') } : {}),
      padding: [8, 20, 0, 0],
      cursor: {
        y: false,
        points: { show: chart.kind === 'lines' },
        drag: { x: chart.isBrushed === true, y: false, setScale: false },
      },
      select: { show: true, left: 0, top: 0, width: 0, height: 0 },
      scales: {
        x: {
          range: (_, low, high) => {
            // A bar stands on the time that it is of, from its beginning.
            if (chart.kind === 'bars') return [low, high + 2 * half];
            if (isSpread) return [low - half, high + half];
            // Not closer than a minute, and nothing at the edge.
            const room = Math.max((high - low) * 0.02, (60 - (high - low)) / 2, 1);
            return [low - room, high + room];
          },
        },
        y: chart.isLog
          ? { distr: 3, range: (_, low, high) => [10 ** Math.floor(Math.log10(Math.max(low, 0.1))), 10 ** Math.ceil(Math.log10(Math.max(high, 1)) + 0.01)] }
          : { range: (_, __, high) => [0, Math.max(high * 1.05, 1)] },
      },
      axes: [
        { ...axis, size: 32, gap: 8, values: (_, values, __, ___, step) => values.map((at) => (isDaily ? utcDayFormat(at * 1_000) : timeOf(at, step))) },
        {
          ...axis,
          size: 56,
          ...(chart.isLog ? { splits: (/** @type {any} */ plot) => decades(plot.scales.y.min, plot.scales.y.max) } : {}),
          // In a low one the lowest would stand in the times.
          values: (_, values) => values.map((value, at) => (value === null || (this.compact && at === 0) ? '' : chart.show(value))),
        },
      ],
      series: [{}, ...order.map(seriesOf)],
      hooks: {
        setCursor: [
          (plot) => {
            const { idx, left } = plot.cursor;
            // A bar stands from its time on; the nearest time may be that of the next one.
            const isAfter = chart.kind === 'bars' && typeof idx === 'number' && (plot.data[0][idx] ?? 0) > plot.posToVal(left ?? 0, 'x');
            this.at = isAfter ? Math.max(0, idx - 1) : (idx ?? null);
          },
        ],
        setSelect: [
          (plot) => {
            if (plot.select.width < 4) return;
            // What is listed is what the bars that were touched are of.
            const step = chart.step ?? 0.001;
            const from = Math.floor(plot.posToVal(plot.select.left, 'x') / step) * step;
            const to = Math.ceil(plot.posToVal(plot.select.left + plot.select.width, 'x') / step) * step;
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            this.tell('ft-brush', { from: new Date(from * 1_000).toISOString(), to: new Date(to * 1_000).toISOString() });
          },
        ],
      },
    };
  }

  #fit() {
    const place = this.$('.plot');
    if (this.#plot === undefined || place === null || place.clientWidth === this.#plot.width) return;
    this.#plot.setSize({ width: Math.max(place.clientWidth, 60), height: this.height });
  }

  /** @param {string} name */
  #toggle(name) {
    const hidden = new Set(this.hidden_);
    if (!hidden.delete(name)) hidden.add(name);
    this.hidden_ = hidden;
  }

  render() {
    const { chart } = this;
    return html`<link rel="stylesheet" href=${styles} />
      <figure>
        <figcaption>
          <h2>${this.heading} ${this.unit ? html`<span class="muted">${this.unit}</span>` : nothing}</h2>
          ${chart === undefined ? nothing : this.#legend(chart)}
        </figcaption>
        ${this.#isEmpty
          ? html`<div class="none"><span>${chart === undefined ? '' : this.none}</span><slot name="none"></slot></div>`
          : html`<div class="plot" aria-hidden="true"></div>
              <p class="said" aria-hidden="true">${chart === undefined ? '' : this.#said(chart)}</p>
              ${chart === undefined || this.compact ? nothing : this.#table(chart)}`}
      </figure>`;
  }

  /** @param {Chart} chart */
  #legend(chart) {
    return html`<div class="legend" role="group" aria-label="Shown in the chart">
      ${chart.series.map(
        ({ name, colour, line }) => html`<button class="plain" type="button" aria-pressed=${String(!this.hidden_.has(name))} @click=${() => this.#toggle(name)}>
          <span class="key ${chart.kind === 'lines' ? (line ?? 'solid') : ''}" data-colour=${colour}></span>${name}
        </button>`,
      )}
    </div>`;
  }

  /** @param {Chart} chart */
  #said(chart) {
    const { at } = this;
    if (at === null || chart.at[at] === undefined) return chart.isBrushed && !this.compact ? 'Drag across it to list those executions' : this.compact ? 'duration by start, logarithmic; drag to filter' : ' ';
    const values = chart.series
      .filter(({ name, values }) => !this.hidden_.has(name) && values[at] !== null && values[at] !== undefined)
      .map(({ name, values }) => `${name} ${chart.show(/** @type {number} */ (values[at]))}`);
    return `${chart.showAt(chart.at[at] ?? 0)} · ${values.join(' · ')}`;
  }

  /** @param {Chart} chart */
  #table(chart) {
    // A table is as high as its rows, whatever it is told; what is around it is not.
    return html`<div class="visually-hidden"><table>
      <caption>${this.heading}</caption>
      <thead>
        <tr><th scope="col">Time</th>${chart.series.map(({ name }) => html`<th scope="col">${name}</th>`)}</tr>
      </thead>
      <tbody>
        ${chart.at.slice(0, 400).map(
          (at, place) => html`<tr>
            <th scope="row">${chart.showAt(at)}</th>
            ${chart.series.map(({ values }) => html`<td>${values[place] === null || values[place] === undefined ? '' : chart.show(values[place] ?? 0)}</td>`)}
          </tr>`,
        )}
      </tbody>
    </table></div>`;
  }
}

const dayFormat = timeFormat({ month: 'short', day: 'numeric' });
const utcDayFormat = timeFormat({ month: 'short', day: 'numeric', timeZone: 'UTC' });
const clockFormat = timeFormat({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const secondFormat = timeFormat({ hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });

/**
 * A time on an axis whose marks are so many seconds apart.
 *
 * @param {number} at
 * @param {number} step
 */
function timeOf(at, step) {
  const time = new Date(at * 1_000);
  const isMidnight = time.getHours() === 0 && time.getMinutes() === 0 && time.getSeconds() === 0;
  if (step >= 86_400 || isMidnight) return dayFormat(time);
  return (step >= 60 ? clockFormat : secondFormat)(time);
}

/**
 * The powers of ten within a range.
 *
 * @param {number} low
 * @param {number} high
 */
function decades(low, high) {
  const all = [];
  for (let value = low; value <= high * 1.001; value *= 10) all.push(value);
  return all;
}

const styles = new URL('../../vendor/uplot/dist/uPlot.min.css', import.meta.url).href;

/**
 * What is drawn: bars stand on each other, the highest first, so that the others are drawn over it.
 *
 * @param {Chart} chart
 * @param {Series[]} shown
 * @returns {Data}
 */
function dataOf(chart, shown) {
  if (chart.kind !== 'bars') return [chart.at, ...shown.map(({ values }) => values)];
  const sums = chart.at.map(() => 0);
  const stacked = shown.map(({ values }) =>
    values.map((value, place) => {
      const sum = (sums[place] ?? 0) + (value ?? 0);
      sums[place] = sum;
      return sum;
    }),
  );
  return [chart.at, ...stacked.reverse()];
}

define('ft-chart', FlowtrailChart);
