import { NetworkError } from './errors.js';

/**
 * The lines of a body as they come, without their ends.
 *
 * @param {Response} response
 * @returns {AsyncGenerator<string, void, undefined>}
 */
export async function* linesOf(response) {
  const reader = response.body?.getReader();
  if (!reader) return;
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      let part;
      try {
        part = await reader.read();
      } catch (cause) {
        throw new NetworkError(cause);
      }
      rest += part.done ? decoder.decode() : decoder.decode(part.value, { stream: true });
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield line.endsWith('\r') ? line.slice(0, -1) : line;
      if (part.done) break;
    }
    if (rest) yield rest;
  } finally {
    await reader.cancel().catch(() => {});
  }
}
