// @ts-check
/** How times, durations and numbers are shown. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * A duration of so many milliseconds: at most four digits and a unit.
 *
 * @param {number | null | undefined} millis
 */
export function duration(millis) {
  if (millis === null || millis === undefined) return '…';
  if (millis < 0.95) return millis === 0 ? '0 ms' : `${millis.toFixed(1)} ms`;
  if (millis < 999.5) return `${Math.round(millis)} ms`;
  if (millis < 59_995) return `${(millis / SECOND).toFixed(millis < 9_995 ? 2 : 1)} s`;
  if (millis < HOUR) return `${Math.floor(millis / MINUTE)} m ${two(Math.floor((millis % MINUTE) / SECOND))} s`;
  if (millis < DAY) return `${Math.floor(millis / HOUR)} h ${two(Math.floor((millis % HOUR) / MINUTE))} m`;
  return `${Math.floor(millis / DAY)} d ${Math.floor((millis % DAY) / HOUR)} h`;
}

/** @param {number} number */
const two = (number) => String(number).padStart(2, '0');

/**
 * How times are written where the reader is. What writes them is made when it is first needed: that takes longer than all else here.
 *
 * @param {Intl.DateTimeFormatOptions} options
 * @returns {(time: Date | number) => string}
 */
export function timeFormat(options) {
  /** @type {Intl.DateTimeFormat | undefined} */
  let made;
  return (time) => (made ??= new Intl.DateTimeFormat(undefined, options)).format(time);
}

const absoluteFormat = timeFormat({
  year: 'numeric',
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hourCycle: 'h23',
  timeZoneName: 'short',
});
const clockFormat = timeFormat({
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});
const dayFormat = timeFormat({
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});
const farDayFormat = timeFormat({ year: 'numeric', month: 'short', day: 'numeric' });

/**
 * A time with everything that is known of it, and its zone.
 *
 * @param {string | number} time
 */
export const absolute = (time) => absoluteFormat(new Date(time));

/**
 * The time of day.
 *
 * @param {string | number} time
 */
export const clock = (time) => clockFormat(new Date(time));

/**
 * How long ago: in words within a day, otherwise the date and the time.
 *
 * @param {string | number} time
 * @param {number} now
 */
export function ago(time, now) {
  const at = new Date(time).getTime();
  const past = now - at;
  if (Math.abs(past) < 5 * SECOND) return 'just now';
  if (past < 0) return past > -DAY ? `in ${amount(-past)}` : dayFormat(at);
  if (past < DAY) return `${amount(past)} ago`;
  return past < 300 * DAY ? dayFormat(at) : farDayFormat(at);
}

/** @param {number} millis */
function amount(millis) {
  if (millis < MINUTE) return `${Math.floor(millis / SECOND)} s`;
  if (millis < HOUR) return `${Math.floor(millis / MINUTE)} min`;
  return `${Math.floor(millis / HOUR)} h`;
}

/**
 * A whole number, in groups of three digits.
 *
 * @param {number} number
 */
export const count = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ',');

/**
 * A part of a whole, 0 to 1.
 *
 * @param {number | null | undefined} rate
 */
export function percent(rate) {
  if (rate === null || rate === undefined) return '–';
  const percents = rate * 100;
  // What is nearly all is not all.
  if (percents > 99.9 && percents < 100) return '> 99.9 %';
  if (percents > 0 && percents < 0.1) return '< 0.1 %';
  return `${Number.isInteger(percents) ? percents : percents.toFixed(1)} %`;
}

/** @param {number} bytes */
export function bytes(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  if (bytes < 1024 ** 2) return `${(bytes / 1024).toFixed(1)} KiB`;
  if (bytes < 1024 ** 3) return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
  return `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
}

/**
 * One of something, or several.
 *
 * @param {number} number
 * @param {string} one
 * @param {string} [several]
 */
export const plural = (number, one, several = `${one}s`) => `${count(number)} ${number === 1 ? one : several}`;

/**
 * The first characters of an id, and its last ones: by those ids of one moment differ.
 *
 * @param {string} id
 */
export const shortId = (id) => `${id.slice(0, 8)}…${id.slice(-4)}`;
