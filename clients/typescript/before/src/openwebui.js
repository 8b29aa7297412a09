/**
 * The history API of Open WebUI's flows, by the names that its own client has: what uses that works with these instead.
 */

import { Http } from './http.js';

/** @typedef {import('./api.js').components['schemas']} Schemas */

let baseUrl = '';

/**
 * Says where the server is; that of this page when nothing is said.
 *
 * @param {string} url
 */
export function setBaseUrl(url) {
  baseUrl = url;
}

/**
 * @param {string} token
 * @param {string} flowId
 * @param {string} method
 * @param {string} [rest]
 * @param {import('./http.js').Sending} [sending]
 */
function ask(token, flowId, method, rest = '', sending = {}) {
  const http = new Http({ baseUrl, key: token });
  return http.json(method, `/api/v1/flows/${encodeURIComponent(flowId)}/executions${rest}`, sending);
}

/**
 * Records an execution that is over. It has no id of its own, so it is not sent again when nobody knows whether it arrived.
 *
 * @param {string} token
 * @param {string} flowId
 * @param {Schemas['SavedExecution']} execution
 * @returns {Promise<Schemas['RecordedExecution']>}
 */
export async function saveFlowExecution(token, flowId, execution) {
  return ask(token, flowId, 'POST', '', { body: execution });
}

/**
 * A page of 60 executions, the last to arrive first.
 *
 * @param {string} token
 * @param {string} flowId
 * @param {number} [page]
 * @returns {Promise<Schemas['RecordedItem'][]>}
 */
export async function getFlowExecutions(token, flowId, page = 1) {
  return ask(token, flowId, 'GET', '', { query: { page } });
}

/**
 * Figures over a flow's executions.
 *
 * @param {string} token
 * @param {string} flowId
 * @returns {Promise<Schemas['RecordedStats']>}
 */
export async function getFlowExecutionStats(token, flowId) {
  return ask(token, flowId, 'GET', '/stats');
}

/**
 * An execution.
 *
 * @param {string} token
 * @param {string} flowId
 * @param {string} executionId
 * @returns {Promise<Schemas['RecordedExecution']>}
 */
export async function getFlowExecutionById(token, flowId, executionId) {
  return ask(token, flowId, 'GET', `/${encodeURIComponent(executionId)}`);
}

/**
 * Deletes an execution.
 *
 * @param {string} token
 * @param {string} flowId
 * @param {string} executionId
 * @returns {Promise<true>}
 */
export async function deleteFlowExecution(token, flowId, executionId) {
  const done = await ask(token, flowId, 'DELETE', `/${encodeURIComponent(executionId)}`, { isOne: true });
  return done ?? true;
}

/**
 * Deletes all executions of a flow that are over.
 *
 * @param {string} token
 * @param {string} flowId
 * @returns {Promise<true>}
 */
export async function deleteAllFlowExecutions(token, flowId) {
  return ask(token, flowId, 'DELETE');
}
