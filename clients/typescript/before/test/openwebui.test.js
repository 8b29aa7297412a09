import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import * as ours from '../src/openwebui.js';
import { KEY, Server } from './server.js';

/** @type {Server} */
let server;

before(async () => {
  server = await Server.start();
  ours.setBaseUrl(server.url);
});
after(() => server.remove());

/**
 * The functions as Open WebUI's own client has them: each a bare `fetch`, and what is wrong is thrown as the server's detail.
 */
const theirs = {
  /** @param {string} token @param {string} flowId @param {string} [rest] @param {RequestInit} [init] @returns {Promise<any>} */
  async ask(token, flowId, rest = '', init = {}) {
    const headers = { Accept: 'application/json', 'Content-Type': 'application/json', authorization: `Bearer ${token}` };
    const response = await fetch(`${server.url}/api/v1/flows/${flowId}/executions${rest}`, { ...init, headers });
    if (!response.ok) throw (await response.json()).detail;
    return response.json();
  },
  /** @param {string} token @param {string} flowId @param {object} execution */
  saveFlowExecution: (token, flowId, execution) => theirs.ask(token, flowId, '', { method: 'POST', body: JSON.stringify(execution) }),
  /** @param {string} token @param {string} flowId @param {number} [page] */
  getFlowExecutions: (token, flowId, page = 1) => theirs.ask(token, flowId, `?page=${page}`),
  /** @param {string} token @param {string} flowId */
  getFlowExecutionStats: (token, flowId) => theirs.ask(token, flowId, '/stats'),
  /** @param {string} token @param {string} flowId @param {string} id */
  getFlowExecutionById: (token, flowId, id) => theirs.ask(token, flowId, `/${id}`),
  /** @param {string} token @param {string} flowId @param {string} id */
  deleteFlowExecution: (token, flowId, id) => theirs.ask(token, flowId, `/${id}`, { method: 'DELETE' }),
  /** @param {string} token @param {string} flowId */
  deleteAllFlowExecutions: (token, flowId) => theirs.ask(token, flowId, '', { method: 'DELETE' }),
};

for (const [name, client] of Object.entries({ 'as Open WebUI has them': theirs, 'by the same names': ours })) {
  describe(`the six functions ${name}`, () => {
    const flowId = crypto.randomUUID();

    test('an execution comes back as it was sent', async () => {
      const sent = {
        flow_id: flowId,
        status: /** @type {const} */ ('error'),
        inputs: { topic: 'jokes', depth: [1, { two: null }] },
        outputs: { said: 'nothing' },
        node_results: { ask: { text: 'jokes 😀' }, rank: [], skip: false },
        errors: { model: 'out of tokens' },
        execution_time: 1_234,
      };
      const now = Math.floor(Date.now() / 1_000);
      const saved = await client.saveFlowExecution(KEY, flowId, sent);
      for (const [field, value] of Object.entries(sent)) assert.deepEqual(saved[field], value, field);
      assert.ok(Math.abs(saved.created_at - now) <= 5 && saved.user_id, JSON.stringify(saved));
      assert.deepEqual(await client.getFlowExecutionById(KEY, flowId, saved.id), saved);
    });

    test('61 more make a second page, and are counted', async () => {
      for (let at = 0; at < 61; at += 1) {
        const status = at === 0 ? 'aborted' : 'success';
        await client.saveFlowExecution(KEY, flowId, { flow_id: flowId, status, execution_time: at });
      }
      const pages = [await client.getFlowExecutions(KEY, flowId), await client.getFlowExecutions(KEY, flowId, 2)];
      assert.deepEqual(pages.map((page) => page.length), [60, 2]);
      assert.deepEqual(pages[0]?.slice(0, 2).map((/** @type {any} */ item) => item.execution_time), [60, 59]);
      const stats = await client.getFlowExecutionStats(KEY, flowId);
      assert.deepEqual([stats.total_executions, stats.success_count, stats.error_count, stats.aborted_count], [62, 60, 1, 1]);
    });

    test('one is deleted, then all', async () => {
      const [last] = await client.getFlowExecutions(KEY, flowId);
      assert.equal(await client.deleteFlowExecution(KEY, flowId, last?.id ?? ''), true);
      assert.equal((await client.getFlowExecutions(KEY, flowId, 2)).length, 1);
      assert.equal(await client.deleteAllFlowExecutions(KEY, flowId), true);
      assert.deepEqual(await client.getFlowExecutions(KEY, flowId), []);
    });

    test('what is wrong is told in words', async () => {
      /** @param {Promise<unknown>} asked */
      const refused = (asked) => asked.then(() => assert.fail('it was not refused'), (error) => error?.message ?? error);
      assert.equal(await refused(client.getFlowExecutionById(KEY, flowId, newer())), 'there is no such execution');
      const bad = /** @type {any} */ ({ status: 'done', execution_time: 1 });
      assert.match(await refused(client.saveFlowExecution(KEY, flowId, bad)), /^status: expected success, error or aborted/);
      assert.match(await refused(client.getFlowExecutions('ft_nobody', flowId)), /./);
    });
  });
}

const newer = () => '019b9335-4200-7000-8000-00000000000a';
