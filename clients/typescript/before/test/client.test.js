import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import {
  ConflictError,
  Flowtrail,
  ForbiddenError,
  InvalidError,
  NetworkError,
  NotFoundError,
  RateLimitedError,
  UnauthenticatedError,
  newId,
} from '../src/index.js';
import { KEY, Server } from './server.js';

/** @type {Server} */
let server;
/** @type {Flowtrail} */
let flowtrail;

before(async () => {
  server = await Server.start();
  flowtrail = new Flowtrail({ baseUrl: `${server.url}/`, key: KEY });
});
after(() => server.remove());

const external = () => flowtrail.flows.create({ name: 'Elsewhere', kind: 'external' });

/** @template T @param {AsyncIterable<T>} items */
async function gather(items) {
  const all = [];
  for await (const item of items) all.push(item);
  return all;
}

test('ids are UUIDs of version 7 and sort in the order in which they were made', () => {
  const ids = Array.from({ length: 10_000 }, newId);
  assert.ok(ids.every((id) => /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)), ids[0]);
  assert.deepEqual([...ids].sort(), ids);
  assert.equal(new Set(ids).size, ids.length);
  const age = Date.now() - parseInt((ids[0] ?? '').replace('-', '').slice(0, 12), 16);
  assert.ok(age >= 0 && age < 60_000, `${age}`);
});

test('a flow is made, changed, run, exported, imported and deleted', async () => {
  const file = {
    name: 'Greet',
    toolName: 'greet',
    nodes: [
      { id: 'ask', type: 'UserIntent', parameters: { parameters: [{ name: 'name', type: 'string', required: true }] } },
      { id: 'say', type: 'Return', parameters: { text: 'Hello, {{ ask.name }}!' } },
    ],
    connections: [{ sourceNodeId: 'ask', targetNodeId: 'say' }],
  };
  const flow = await flowtrail.flows.create(file);
  const ran = await flowtrail.flows.run(flow.id, { name: 'Ada' });
  assert.equal(ran.status, 'fulfilled');
  assert.equal(ran.outputs, 'Hello, Ada!');
  const begun = await flowtrail.flows.run(flow.id, { name: 'Bea' }, { wait: false });
  assert.equal(begun.flowId, flow.id);
  const replayed = await flowtrail.executions.replay(ran.id);
  assert.equal(replayed.replayOf, ran.id);
  assert.equal((await flowtrail.flows.change(flow.id, { active: false })).active, false);
  const copy = { ...(await flowtrail.flows.export(flow.id)), toolName: 'greet_again' };
  const [imported] = await flowtrail.flows.import([copy]);
  assert.equal(imported?.nodes.length, 2);
  const { flows, notes } = await flowtrail.flows.importWithNotes({ ...copy, toolName: 'greet_noted' });
  assert.deepEqual([flows.length, notes], [1, []]);
  assert.ok((await gather(flowtrail.flows.all({ q: 'greet' }))).length >= 2);
  await flowtrail.flows.delete(flow.id);
  await assert.rejects(flowtrail.flows.get(flow.id), NotFoundError);
});

test('an execution is told of while it runs', async () => {
  const flow = await external();
  const running = await flowtrail.executions.start(flow.id, { initialParams: { orderId: 'A-1' }, tags: { shop: 'north' } });
  const rows = await running.run('fetch', async () => ({ rows: 3 }), { nodeType: 'http', inputData: { page: 1 } });
  assert.deepEqual(rows, { rows: 3 });
  const broken = running.run('store', () => {
    throw new Error('the disk is full');
  });
  await assert.rejects(broken, /the disk is full/);
  const ended = await running.fail(new Error('the disk is full'), { nodeId: 'store' });
  assert.equal(ended.status, 'error');
  assert.equal(ended.errorInfo?.nodeId, 'store');
  assert.deepEqual(ended.nodeExecutions.map((node) => [node.seq, node.nodeId, node.status]), [[1, 'fetch', 'completed'], [2, 'store', 'error']]);
  assert.deepEqual((await flowtrail.executions.node(running.id, 1)).outputData, { rows: 3 });
  const bare = await flowtrail.executions.get(running.id, { data: 'none' });
  assert.ok(!('initialParams' in bare) && bare.nodeExecutions.every((node) => !('inputData' in node)));
  const aborted = await (await flowtrail.executions.start(flow.id)).abort();
  assert.equal(aborted.status, 'aborted');
});

test('pages, single executions and exports are iterated whatever their number', async () => {
  const flow = await external();
  const reports = Array.from({ length: 2_345 }, (_, at) => ({
    flowId: flow.id,
    status: /** @type {const} */ ('fulfilled'),
    duration: at,
    initialParams: { at },
  }));
  const bad = /** @type {any} */ ({ flowId: flow.id, status: 'done' });
  const outcomes = await gather(flowtrail.executions.batch([...reports.slice(0, 1_500), bad, ...reports.slice(1_500)]));
  assert.equal(outcomes.length, reports.length + 1);
  assert.deepEqual(outcomes.map((outcome) => outcome.line), outcomes.map((_, at) => at + 1));
  assert.deepEqual(outcomes.filter((outcome) => outcome.status !== 'created').map((outcome) => [outcome.line, outcome.error?.code]), [[1_501, 'invalid']]);
  const all = await gather(flowtrail.executions.all({ flowId: flow.id }));
  assert.equal(new Set(all.map((execution) => execution.id)).size, reports.length);
  const [first, second] = await gather(flowtrail.executions.pages({ flowId: flow.id, limit: 100, minDuration: 2_200 }));
  assert.equal((first?.items.length ?? 0) + (second?.items.length ?? 0), 145);
  const exported = await gather(flowtrail.executions.export({ flowId: flow.id, maxDuration: 9 }));
  assert.equal(exported.length, 10);
  assert.equal((await flowtrail.executions.stats({ flowId: flow.id })).total, reports.length);
  assert.equal((await flowtrail.executions.timeSeries({ flowId: flow.id, step: 'hour' })).points.reduce((sum, point) => sum + point.total, 0), reports.length);
  assert.equal((await flowtrail.executions.points(flow.id)).ids.length, reports.length);
  assert.equal(await flowtrail.executions.deleteMany(flow.id, { maxDuration: 9, dryRun: true }), 10);
  assert.equal(await flowtrail.executions.prune(flow.id, { keep: 5 }), reports.length - 5);
  const [kept] = await gather(flowtrail.executions.all({ flowId: flow.id }));
  await flowtrail.executions.delete(flow.id, kept?.id ?? '');
  await assert.rejects(flowtrail.executions.get(kept?.id ?? ''), NotFoundError);
});

test('what is refused is an error of its kind, with what the server said', async () => {
  const flow = await external();
  /** @param {Promise<unknown>} asked @returns {Promise<any>} */
  const refused = (asked) => asked.then(() => assert.fail('it was not refused'), (error) => error);
  const invalid = await refused(flowtrail.executions.list({ limit: 1_000 }));
  assert.ok(invalid instanceof InvalidError && invalid.code === 'invalid' && invalid.status === 400, `${invalid}`);
  assert.match(invalid.message, /^limit: /);
  assert.match(invalid.requestId ?? '', /./);
  const unsound = await refused(flowtrail.flows.create({ name: 'Broken', nodes: [] }));
  assert.ok(unsound.problems.length > 0 && unsound.code === 'invalid_flow', `${unsound}`);
  const known = await flowtrail.executions.record(flow.id, { status: 'fulfilled', outputs: 1 });
  const other = await refused(flowtrail.executions.record(flow.id, { id: known.id, status: 'fulfilled', outputs: 2 }));
  assert.ok(other instanceof ConflictError && other.differences.includes('outputs'), `${other}`);
  const stranger = new Flowtrail({ baseUrl: server.url, key: 'ft_nobody' });
  assert.ok((await refused(stranger.me())) instanceof UnauthenticatedError);
  const user = await flowtrail.users.create({ name: 'Ada', role: 'user' });
  const key = await flowtrail.keys.create({ name: 'her key', userId: user.id });
  const hers = new Flowtrail({ baseUrl: server.url, key: key.key });
  assert.equal((await hers.me()).name, 'Ada');
  assert.ok((await refused(hers.users.list())) instanceof ForbiddenError);
  assert.ok((await refused(hers.flows.get(flow.id))) instanceof NotFoundError);
  const token = await flowtrail.embedToken({ flowIds: [flow.id], ttlSeconds: 60 });
  const page = new Flowtrail({ baseUrl: server.url, key: token.token });
  assert.equal((await page.executions.list({ flowId: flow.id })).total, 1);
  assert.ok((await refused(page.executions.record(flow.id, { status: 'fulfilled' }))) instanceof ForbiddenError);
  await flowtrail.keys.revoke(key.id);
  assert.ok((await refused(hers.me())) instanceof UnauthenticatedError);
  await flowtrail.users.delete(user.id);
  const done = await gather(flowtrail.audit({ limit: 2 }));
  assert.deepEqual(done.slice(0, 2).map((entry) => entry.action), ['user.deleted', 'key.revoked']);
  const given = AbortSignal.abort(new Error('enough'));
  await assert.rejects(flowtrail.executions.list({ signal: given }), /enough/);
});

test('a record whose answer is lost is sent again with the same id, and is one', async () => {
  const flow = await external();
  let lost = 0;
  /** @type {typeof fetch} */
  const bad = async (input, init) => {
    const response = await fetch(input, init);
    // The server has it; nobody hears of it.
    if (lost < 2 && init?.method === 'POST') {
      lost += 1;
      throw new TypeError('the connection broke');
    }
    return response;
  };
  const shaky = new Flowtrail({ baseUrl: server.url, key: KEY, fetch: bad });
  const recorded = await shaky.executions.record(flow.id, { status: 'fulfilled', outputs: { total: 3 } });
  assert.equal(lost, 2);
  const all = await flowtrail.executions.list({ flowId: flow.id });
  assert.deepEqual(all.items.map((execution) => execution.id), [recorded.id]);
  // What is not the same twice is not sent twice.
  lost = 0;
  await assert.rejects(shaky.keys.create({ name: 'one' }), NetworkError);
  assert.equal(lost, 1);
});

test('a key that asks too often is told to wait, and waits', async () => {
  const slow = await Server.start({ FLOWTRAIL_RATE_LIMIT: '5' });
  try {
    const patient = new Flowtrail({ baseUrl: slow.url, key: KEY, retries: 10 });
    const asked = await Promise.all(Array.from({ length: 8 }, () => patient.me()));
    assert.equal(asked.length, 8);
    const hasty = new Flowtrail({ baseUrl: slow.url, key: KEY, retries: 0 });
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => hasty.me()));
    const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    assert.ok(reasons.length > 0 && reasons.every((reason) => reason instanceof RateLimitedError && (reason.retryAfter ?? 0) > 0));
  } finally {
    await slow.remove();
  }
});
