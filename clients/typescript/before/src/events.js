import { FlowtrailError, NetworkError } from './errors.js';
import { delay, pause } from './http.js';
import { linesOf } from './lines.js';

/** @typedef {import('./api.js').components['schemas']['ExecutionSummary']} ExecutionSummary */
/** @typedef {import('./api.js').components['schemas']['NodeExecution']} NodeExecution */
/** @typedef {Omit<NodeExecution, 'inputData' | 'outputData' | 'capture'> & { executionId: string }} NodeEvent */

/**
 * Something that happened. After a `resync` fetch again what is shown: nobody knows what happened in between.
 *
 * @typedef {{ id: string } & (
 *   | { type: 'execution.started' | 'execution.ended', data: ExecutionSummary }
 *   | { type: 'node.started' | 'node.ended', data: NodeEvent }
 *   | { type: 'execution.deleted', data: { id: string, flowId: string | null } }
 *   | { type: 'resync', data: {} }
 * )} Event
 */

/**
 * @typedef {object} Listening
 * @property {string} [flowId] only what happens in this flow
 * @property {string} [lastEventId] goes on after this event
 * @property {AbortSignal} [signal] ends it
 * @property {() => void} [onOpen] called whenever the server is there (again)
 * @property {(error: FlowtrailError) => void} [onLost] called when the connection is lost, which is then made again
 */

/** How long nothing may come, in milliseconds, before the connection is taken for dead: three heartbeats. */
const SILENCE = 45_000;

/**
 * What happens, as it happens. A connection that is lost is made again, and goes on where it was; it ends when given up, and
 * throws when it may not listen any more.
 *
 * @param {import('./http.js').Http} http
 * @param {Listening} [listening]
 * @returns {AsyncGenerator<Event, void, undefined>}
 */
export async function* listen(http, { flowId, lastEventId, signal, onOpen, onLost } = {}) {
  let last = lastEventId;
  for (let attempt = 0; !signal?.aborted; attempt += 1) {
    const gone = new AbortController();
    const giveUp = () => gone.abort(signal?.reason);
    signal?.addEventListener('abort', giveUp, { once: true });
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => gone.abort(new NetworkError('nothing came any more')), SILENCE);
    };
    try {
      heard();
      const response = await http.send('GET', '/api/events', {
        query: { flowId },
        headers: { accept: 'text/event-stream', ...(last === undefined ? {} : { 'last-event-id': last }) },
        signal: gone.signal,
      });
      onOpen?.();
      let isFirst = true;
      for await (const message of messagesOf(response, heard)) {
        if (message.id !== undefined) last = message.id;
        // The first message is there as soon as the connection is.
        if (!isFirst) attempt = 0;
        isFirst = false;
        if (message.data !== undefined) {
          // However long it takes to do something with it.
          clearTimeout(timer);
          yield /** @type {Event} */ ({ id: last ?? '', type: message.type, data: JSON.parse(message.data) });
          heard();
        }
      }
      // The server ended it: it stops, we were too slow, or the key was revoked, which the next attempt tells.
      throw new NetworkError('the stream ended');
    } catch (error) {
      if (signal?.aborted) return;
      const lost = error instanceof FlowtrailError ? error : new NetworkError(error);
      if (lost.status >= 400 && lost.status < 500 && lost.status !== 408 && lost.status !== 429) throw lost;
      onLost?.(lost);
      await pause(delay(attempt, lost.retryAfter), signal).catch(() => {});
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', giveUp);
      gone.abort();
    }
  }
}

/**
 * The messages of a stream of Server-Sent Events.
 *
 * @param {Response} response
 * @param {() => void} heard
 * @returns {AsyncGenerator<{ id?: string, type: string, data?: string }, void, undefined>}
 */
async function* messagesOf(response, heard) {
  /** @type {{ id?: string, type: string, data?: string }} */
  let message = { type: 'message' };
  for await (const line of linesOf(response)) {
    heard();
    if (line === '') {
      yield message;
      message = { type: 'message' };
      continue;
    }
    const at = line.indexOf(':');
    const field = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? '' : line.slice(at + 1).replace(/^ /, '');
    if (field === 'id') message.id = value;
    else if (field === 'event') message.type = value;
    else if (field === 'data') message.data = message.data === undefined ? value : `${message.data}\n${value}`;
  }
}
