// @ts-check
/**
 * The components that can live in somebody else's page:
 *
 * ```html
 * <script type="module" src="https://flowtrail.example/flowtrail.js"></script>
 * <flowtrail-usage base-url="https://flowtrail.example" token="…" flow-id="…"></flowtrail-usage>
 * ```
 *
 * `token` is made by `POST /api/embed-tokens`. Components with the same `base-url` and `token` share one stream of events.
 */

export { FlowtrailHistory } from './history/flowtrail-history.js';
export { FlowtrailStats } from './stats/flowtrail-stats.js';
export { FlowtrailExecution } from './usage/flowtrail-execution.js';
export { FlowtrailUsage } from './usage/flowtrail-usage.js';
