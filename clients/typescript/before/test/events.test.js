import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Flowtrail, UnauthenticatedError } from '../src/index.js';
import { KEY, Server } from './server.js';

/** @type {Server} */
let server;
/** @type {Flowtrail} */
let flowtrail;

before(async () => {
  server = await Server.start();
  flowtrail = new Flowtrail({ baseUrl: server.url, key: KEY });
});
after(() => server.remove());

const external = () => flowtrail.flows.create({ name: 'Elsewhere', kind: 'external' });

test('what happens is told in its order, until enough was heard', async () => {
  const flow = await external();
  const other = await external();
  const heard = [];
  const listening = flowtrail.events({
    flowId: flow.id,
    onOpen: async () => {
      const running = await flowtrail.executions.start(flow.id);
      await flowtrail.executions.record(other.id, { status: 'fulfilled' });
      await running.node({ nodeId: 'fetch' });
      await running.fulfil({ total: 3 });
    },
  });
  for await (const event of listening) {
    heard.push(event.type);
    if (event.type === 'execution.ended') {
      assert.equal(event.data.flowId, flow.id);
      assert.equal(event.data.status, 'fulfilled');
      break;
    }
  }
  assert.deepEqual(heard, ['execution.started', 'node.ended', 'execution.ended']);
});

test('a connection that breaks is made again and goes on where it was', async () => {
  const flow = await external();
  const enough = new AbortController();
  let opened = 0;
  let breaks = 0;
  /** @type {typeof fetch} */
  const shaky = async (input, init) => {
    const response = await fetch(input, init);
    if (!String(input).includes('/api/events') || breaks >= 3) return response;
    breaks += 1;
    // After the first piece that has an event the connection is gone.
    const parts = response.body?.getReader();
    const body = new ReadableStream({
      async pull(out) {
        const part = await parts?.read();
        if (!part || part.done) return out.close();
        out.enqueue(part.value);
        if (new TextDecoder().decode(part.value).includes('event:')) {
          await parts?.cancel();
          out.error(new TypeError('the connection broke'));
        }
      },
    });
    return new Response(body, response);
  };
  const client = new Flowtrail({ baseUrl: server.url, key: KEY, fetch: shaky });
  /** @type {string[]} */
  const told = [];
  const wanted = 30;
  const report = async () => {
    for (let at = 0; at < wanted; at += 1) {
      told.push((await flowtrail.executions.record(flow.id, { status: 'fulfilled' })).id);
    }
  };
  const heard = [];
  let reported;
  const listening = client.events({
    flowId: flow.id,
    signal: enough.signal,
    onOpen: () => {
      opened += 1;
      reported ??= report();
    },
  });
  for await (const event of listening) {
    assert.equal(event.type, 'execution.ended', 'nothing was missed, so nothing is fetched again');
    if (event.type === 'execution.ended') heard.push(event.data.id);
    if (heard.length === wanted) enough.abort();
  }
  await reported;
  assert.deepEqual(heard, told);
  assert.ok(opened >= 2 && breaks >= 1, `${opened} ${breaks}`);
});

test('a server that comes back is listened to again, which says that something may be missed', async () => {
  const flow = await external();
  let opened = 0;
  let lost = 0;
  const kinds = [];
  const listening = flowtrail.events({
    onOpen: async () => {
      opened += 1;
      if (opened === 1) {
        await server.end('SIGKILL');
        await server.begin();
      } else {
        await flowtrail.executions.record(flow.id, { status: 'fulfilled' });
      }
    },
    onLost: () => {
      lost += 1;
    },
  });
  for await (const event of listening) {
    kinds.push(event.type);
    if (event.type === 'execution.ended') break;
  }
  assert.ok(lost >= 1);
  assert.deepEqual(kinds, ['resync', 'execution.ended']);
});

test('who may not listen any more is told so', async () => {
  const key = await flowtrail.keys.create({ name: 'for a while' });
  const client = new Flowtrail({ baseUrl: server.url, key: key.key });
  const listening = client.events({ onOpen: () => flowtrail.keys.revoke(key.id) });
  await assert.rejects(async () => {
    for await (const event of listening) assert.fail(event.type);
  }, UnauthenticatedError);
});
