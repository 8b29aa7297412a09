// What the tests of this folder have in common: programs as they are started, and what is said to them.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const here = path.dirname(fileURLToPath(import.meta.url));
const modules = path.join(here, "node_modules");

/** The program that is tried. */
export const flowtrail = process.env.FLOWTRAIL_BIN ?? "flowtrail";
/** A Node that is new enough for all of what is tried. */
export const node = path.join(modules, "node/bin/node");
/** Where the programs of the Python packages are. */
export const python = process.env.FLOWTRAIL_MCP_PYTHON ?? "";

/** The start of a server of the protocol's authors. */
export function reference(name, ...rest) {
  return [node, path.join(modules, `@modelcontextprotocol/server-${name}/dist/index.js`), ...rest];
}

/** A folder that goes with the test. */
export function folder(t) {
  const made = mkdtempSync(path.join(tmpdir(), "flowtrail-mcp-"));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** How long anything may take that is waited for, in milliseconds. */
const PATIENCE = 60_000;

function inTime(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come in time`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** One side of a conversation over a program's standard input and output: messages as they are. */
export class Peer {
  #child;
  #waiting = new Map();
  #listeners = [];
  #next = 1;
  /** All that the server has said, in its order. */
  heard = [];
  /** Lines that are no messages. */
  rubbish = [];
  stderr = "";

  constructor(command, environment = {}) {
    this.#child = spawn(command[0], command.slice(1), {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, RUST_LOG: "warn", ...environment },
    });
    this.#child.stderr.on("data", (data) => (this.stderr += data));
    this.ended = new Promise((resolve) => this.#child.on("close", (code) => resolve(code)));
    this.#child.stdin.on("error", () => {});
    let pieces = [];
    this.#child.stdout.setEncoding("utf8");
    this.#child.stdout.on("data", (data) => {
      const lines = data.split("\n");
      pieces.push(lines[0]);
      for (const line of lines.slice(1)) {
        this.#take(pieces.join(""));
        pieces = [line];
      }
    });
  }

  get pid() {
    return this.#child.pid;
  }

  #take(line) {
    let message;
    try {
      message = JSON.parse(line);
    } catch {
      this.rubbish.push(line);
      return;
    }
    this.heard.push(message);
    if (message.method === undefined) this.#waiting.get(JSON.stringify(message.id))?.(message);
    else if (message.id !== undefined) this.answer?.(message);
    for (const listener of this.#listeners) listener();
  }

  /** How the client answers what the server asks: a function of the request, or nothing for no answer. */
  answer;

  send(message) {
    this.#child.stdin.write(`${typeof message === "string" ? message : JSON.stringify(message)}\n`);
  }

  /** What each request says of the client, in the era in which there are no sessions. */
  about;

  /** Sends a request and gives its answer. */
  request(method, params, id = this.#next++) {
    const answered = new Promise((resolve) => this.#waiting.set(JSON.stringify(id), resolve));
    const told = this.about && { ...params, _meta: { ...params?._meta, ...this.about } };
    this.send({ jsonrpc: "2.0", id, method, params: told ?? params });
    return inTime(answered, `the answer to ${method}; standard error:\n${this.stderr}\nheard: ${JSON.stringify(this.heard.slice(-3))}`);
  }

  notify(method, params) {
    this.send({ jsonrpc: "2.0", method, params });
  }

  /** Waits until the server has said something of this kind. */
  async until(is) {
    if (this.heard.some(is)) return;
    const said = new Promise((resolve) => this.#listeners.push(() => this.heard.some(is) && resolve()));
    await inTime(said, `a message; standard error:\n${this.stderr}`);
  }

  /** Begins a session, and answers what the server asks. */
  async initialize(capabilities = { elicitation: {}, sampling: {}, roots: { listChanged: true } }) {
    this.answer ??= (request) => {
      const results = {
        "roots/list": { roots: [] },
        "elicitation/create": { action: "accept", content: { name: "Ada" } },
        "sampling/createMessage": { role: "assistant", content: { type: "text", text: "Indeed." }, model: "none" },
        ping: {},
      };
      const result = results[request.method];
      const answer = result === undefined ? { error: { code: -32601, message: "no" } } : { result };
      this.send({ jsonrpc: "2.0", id: request.id, ...answer });
    };
    const answer = await this.request("initialize", {
      protocolVersion: "2025-11-25",
      capabilities,
      clientInfo: { name: "transcript", version: "1" },
    });
    this.notify("notifications/initialized");
    return answer;
  }

  /** Asks what the server is, without a session. */
  discover() {
    this.about = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientInfo": { name: "transcript", version: "1" },
      "io.modelcontextprotocol/clientCapabilities": { elicitation: {} },
    };
    return this.request("server/discover", {});
  }

  call(name, args, meta) {
    return this.request("tools/call", { name, arguments: args, ...(meta && { _meta: meta }) });
  }

  /** Closes standard input, as the protocol says that a client ends, and waits. */
  async close() {
    this.#child.stdin.end();
    return inTime(this.ended, `the end; standard error:\n${this.stderr}`);
  }

  kill(signal = "SIGKILL") {
    this.#child.kill(signal);
  }
}

/** `flowtrail serve` with a configuration, on a free port. */
export class Server {
  #child;

  static async start(t, configuration, environment = {}) {
    const server = new Server();
    server.data = folder(t);
    writeFileSync(path.join(server.data, "flowtrail.toml"), configuration);
    server.#child = spawn(flowtrail, ["serve", "--data-dir", server.data, "--listen", "127.0.0.1:0"], {
      stdio: ["ignore", "pipe", "inherit"],
      cwd: server.data,
      env: { ...process.env, RUST_LOG: "warn", ...environment },
    });
    let said = "";
    const listens = new Promise((resolve, reject) => {
      server.#child.stdout.on("data", (data) => {
        said += data;
        const address = /listening on (\S+)/.exec(said);
        if (address) resolve(address[1]);
      });
      server.#child.on("exit", (code) => reject(new Error(`the server ended (${code}): ${said}`)));
    });
    server.base = await inTime(listens, "the server");
    server.key = environment.FLOWTRAIL_ADMIN_KEY ?? readFileSync(path.join(server.data, "admin.key"), "utf8").trim();
    t.after(() => server.#child.kill("SIGKILL"));
    return server;
  }

  get headers() {
    return { Authorization: `Bearer ${this.key}` };
  }

  async json(address) {
    const answer = await fetch(this.base + address, { headers: this.headers });
    assert.ok(answer.ok, `${address}: ${answer.status}`);
    return answer.json();
  }

  stop() {
    const ended = new Promise((resolve) => this.#child.on("exit", resolve));
    this.#child.kill("SIGTERM");
    return inTime(ended, "the server's end");
  }
}

/** Every execution in a data folder, in full, the oldest first. */
export function executions(data) {
  const text = execFileSync(flowtrail, ["executions", "export", "--data-dir", data], {
    env: { ...process.env, RUST_LOG: "warn" },
    cwd: data,
    maxBuffer: 1 << 30,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const found = text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  return found.sort((a, b) => (a.startedAt + a.id < b.startedAt + b.id ? -1 : 1));
}

/** What differs from one run to the next, by what always stands for it. */
export function normalised(value) {
  const text = JSON.stringify(value)
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g, "TIME")
    .replace(/(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} \d\d \d{4} \d\d:\d\d:\d\d [^"\\]*/g, "DATE")
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "UUID")
    .replace(/\b[0-9a-f]{32,40}\b/g, "HASH")
    .replace(/\b\d{1,2}:\d\d:\d\d( [AP]M)?\b/g, "CLOCK");
  return JSON.parse(text);
}
