/**
 * A real server for the tests, in a process of its own.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const BINARY = process.env.FLOWTRAIL_BIN;
if (!BINARY) throw new Error('FLOWTRAIL_BIN must name the flowtrail binary; `cargo xtask test` does');

export const KEY = 'ft_key-of-the-tests-in-node';

/** A server on a free port, which can be stopped and started again on the same port and data. */
export class Server {
  #folder = '';
  #port = 0;
  /** @type {import('node:child_process').ChildProcess | null} */
  #process = null;

  /**
   * @template {Server} S
   * @this {new () => S}
   * @param {Record<string, string>} [settings] variables of the configuration
   * @returns {Promise<S>}
   */
  static async start(settings = {}) {
    const server = new this();
    server.#folder = await mkdtemp(join(tmpdir(), 'flowtrail-'));
    server.settings = settings;
    await server.begin();
    return server;
  }

  /** @type {Record<string, string>} */
  settings = {};

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts it, on the port that it had before if it had one. */
  async begin() {
    const env = {
      ...process.env,
      FLOWTRAIL_LISTEN: `127.0.0.1:${this.#port}`,
      FLOWTRAIL_DATA_DIR: this.#folder,
      FLOWTRAIL_ADMIN_KEY: KEY,
      RUST_LOG: 'warn',
      ...this.settings,
    };
    const child = spawn(/** @type {string} */ (BINARY), ['serve'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    this.#process = child;
    for await (const line of createInterface({ input: /** @type {import('node:stream').Readable} */ (child.stdout) })) {
      const bound = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(line);
      if (bound) {
        this.#port = Number(bound[1]);
        return;
      }
    }
    throw new Error('the server did not start');
  }

  /** @param {NodeJS.Signals} [signal] */
  async end(signal = 'SIGTERM') {
    const child = this.#process;
    this.#process = null;
    if (!child || child.exitCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  async remove() {
    await this.end();
    await rm(this.#folder, { recursive: true });
  }
}
