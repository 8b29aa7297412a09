// @ts-check
/** The runs that are listed as points, duration by start, to see at a glance which stand out, and to draw the time that is listed. */

import { Connected } from '../base/connection.js';
import { css, define, html, nothing } from '../base/element.js';
import { Later } from '../base/later.js';
import { Loading } from '../base/loading.js';
import '../stats/chart.js';
import { pointsOf } from '../stats/series.js';

/** @typedef {import('../../client/index.js').Schemas['Points']} Points */

/** How long to wait until the points are fetched again after something happened, in milliseconds. */
const SOON = 3_000;
const HEIGHT = 84;

class UsageScatter extends Connected {
  static properties = {
    ...Connected.properties,
    flowId: {},
    from: {},
    to: {},
  };

  static styles = css`
    :host {
      padding: 0.25rem 0.625rem 0 0;
      border-bottom: 1px solid var(--ft-line);
    }
    :host([hidden]) {
      display: none;
    }
    @media (max-height: 599px) {
      :host {
        display: none;
      }
    }
  `;

  /** @type {Loading<Points>} */
  #points = new Loading(this);
  #soon = new Later(this, SOON, () => this.#fetch());

  constructor() {
    super();
    this.flowId = '';
    /** @type {string | undefined} */
    this.from = undefined;
    /** @type {string | undefined} */
    this.to = undefined;
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    super.willUpdate(changed);
    if (changed.has('flowId')) this.#points.forget();
    if (changed.has('flowId') || changed.has('from') || changed.has('to')) void this.#fetch();
    // Few points say nothing that the list does not.
    this.hidden = (this.#points.value?.ids.length ?? 0) < 3;
  }

  #fetch() {
    const { flowId, from, to } = this;
    return this.#points.run((signal) => this.client.executions.points(flowId, { from, to, signal }));
  }

  /** @param {import('../base/live.js').Happening[]} events */
  happened(events) {
    const isOf = (/** @type {any} */ data) => data.flowId === this.flowId;
    if (!events.some(({ type, data }) => type === 'resync' || (type === 'execution.ended' && isOf(data)))) return;
    this.#soon.ask();
  }

  render() {
    // Without the right to see everybody's runs there are no points, and the list is enough.
    if (this.hidden || this.#points.value === undefined) return nothing;
    return html`<ft-chart compact .height=${HEIGHT} heading="Duration of each run by its start" .chart=${pointsOf(this.#points.value)}></ft-chart>`;
  }
}

define('usage-scatter', UsageScatter);
