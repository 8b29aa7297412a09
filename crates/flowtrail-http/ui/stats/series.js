// @ts-check
/** Figures as charts show them. */

import { count, duration, timeFormat } from '../base/format.js';

/** @typedef {import('../../client/index.js').Schemas['TimeSeries']} TimeSeries */
/** @typedef {import('../../client/index.js').Schemas['Points']} Points */
/** @typedef {import('./chart.js').Chart} Chart */
/** @typedef {{ series: TimeSeries, from: number, to: number }} Period */

const HOUR = 3_600_000;

const hourFormat = timeFormat({ month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const dayFormat = timeFormat({ month: 'short', day: 'numeric', timeZone: 'UTC' });

/** How much time a point is of, in milliseconds. @param {TimeSeries} series */
const stepOf = (series) => (series.step === 'hour' ? HOUR : 24 * HOUR);

/**
 * All hours or days of a period, also those in which nothing ran, each with its figures if it has any.
 *
 * @param {Period} period
 */
function filled({ series, from, to }) {
  const step = stepOf(series);
  const known = new Map(series.points.map((point) => [new Date(point.at).getTime(), point]));
  const all = [];
  for (let at = Math.floor(from / step) * step; at < to; at += step) all.push({ at: at / 1_000, point: known.get(at) });
  return all;
}

/** @param {TimeSeries} series */
const showAtOf = (series) => (/** @type {number} */ at) => (series.step === 'hour' ? hourFormat : dayFormat)(at * 1_000);

/**
 * The same chart for the same figures: what is drawn is drawn anew only when they have changed.
 *
 * @template {object} T
 * @param {(figures: T) => Chart} make
 * @returns {(figures: T) => Chart}
 */
function once(make) {
  /** @type {WeakMap<T, Chart>} */
  const made = new WeakMap();
  return (figures) => {
    const chart = made.get(figures) ?? make(figures);
    made.set(figures, chart);
    return chart;
  };
}

export const barsOf = once(bars);
export const linesOf = once(lines);
export const pointsOf = once(dots);

/**
 * Runs by status, one on the other.
 *
 * @param {Period} period
 * @returns {Chart}
 */
function bars(period) {
  const all = filled(period);
  /** @param {'fulfilled' | 'error' | 'aborted' | 'pending'} status */
  const of = (status) => ({ name: status, colour: status, values: all.map(({ point }) => point?.[status] ?? 0) });
  return {
    kind: 'bars',
    at: all.map(({ at }) => at),
    series: [of('error'), of('aborted'), of('pending'), of('fulfilled')],
    show: (value) => count(Math.round(value)),
    showAt: showAtOf(period.series),
    step: stepOf(period.series) / 1_000,
    isBrushed: true,
  };
}

/**
 * Percentiles of the duration.
 *
 * @param {Period} period
 * @returns {Chart}
 */
function lines(period) {
  const all = filled(period);
  return {
    kind: 'lines',
    at: all.map(({ at }) => at),
    series: [
      { name: 'p50', colour: 'accent', line: 'solid', values: all.map(({ point }) => point?.p50Duration ?? null) },
      { name: 'p95', colour: 'text', line: 'dashed', values: all.map(({ point }) => point?.p95Duration ?? null) },
      { name: 'p99', colour: 'muted', line: 'dotted', values: all.map(({ point }) => point?.p99Duration ?? null) },
    ],
    show: (value) => duration(value),
    showAt: showAtOf(period.series),
    step: stepOf(period.series) / 1_000,
    isBrushed: true,
  };
}

/**
 * Each run as a point. Those that take no time at all stand at the bottom.
 *
 * @param {Points} points
 * @returns {Chart}
 */
function dots(points) {
  const order = points.startedAt.map((at, place) => ({ at: new Date(at).getTime() / 1_000, place })).sort((one, other) => one.at - other.at);
  /** @param {string} status */
  const of = (status) => ({
    name: status,
    colour: status,
    values: order.map(({ place }) => {
      const took = points.duration[place] ?? null;
      return points.status[place] === status && took !== null ? Math.max(took, 0.5) : null;
    }),
  });
  return {
    kind: 'points',
    at: order.map(({ at }) => at),
    series: ['fulfilled', 'aborted', 'error'].map(of),
    show: (value) => (value <= 0.5 ? '0 ms' : duration(value)),
    showAt: (at) => hourFormat(at * 1_000),
    isLog: true,
    isBrushed: true,
  };
}

/**
 * How much a figure has changed.
 *
 * @param {number | null} now
 * @param {number | null} before
 * @param {boolean} [isRate] whether it is a part of a whole, of which the points count
 * @returns {{ by: number, text: string } | undefined} nothing where there was nothing before
 */
export function change(now, before, isRate = false) {
  if (now === null || before === null || (!isRate && before === 0)) return undefined;
  const by = isRate ? (now - before) * 100 : ((now - before) / before) * 100;
  const size = Math.abs(by);
  if (size < 0.05) return { by: 0, text: 'unchanged' };
  const unit = isRate ? 'points' : '%';
  const text = `${by > 0 ? '▲' : '▼'} ${size < 10 ? size.toFixed(1) : count(Math.round(size))} ${unit}`;
  return { by, text };
}
