// @ts-check
/** Points of a chart, told apart by their shape: a failure is a cross, what was stopped is a ring, all else is a disc. */

/** How large a point is, in pixels of the page. */
const SIZE = 4;

/**
 * What draws the points of a series.
 *
 * @param {string} status
 * @returns {any} what uPlot calls the paths of a series
 */
export function dotsOf(status) {
  return (/** @type {import('../../vendor/uplot/dist/uPlot.js')} */ plot, /** @type {number} */ series, /** @type {number} */ first, /** @type {number} */ last) => {
    const [drawn, filled] = [new Path2D(), new Path2D()];
    const half = (SIZE / 2) * devicePixelRatio;
    const [times, values] = [plot.data[0], plot.data[series] ?? []];
    for (let at = first; at <= last; at += 1) {
      const [time, value] = [times[at], values[at]];
      if (time === undefined || value === null || value === undefined) continue;
      const [x, y] = [plot.valToPos(time, 'x', true), plot.valToPos(value, 'y', true)];
      if (status === 'error') {
        drawn.moveTo(x - half, y - half);
        drawn.lineTo(x + half, y + half);
        drawn.moveTo(x + half, y - half);
        drawn.lineTo(x - half, y + half);
      } else {
        const path = status === 'aborted' ? drawn : filled;
        path.moveTo(x + half, y);
        path.arc(x, y, half, 0, 2 * Math.PI);
      }
    }
    return { stroke: drawn, fill: filled, clip: null, band: null, gaps: null, flags: 0 };
  };
}
