// The protocol's own conformance suite, with its fixtures as real flows, as far as Flowtrail offers what they need. What
// fails is listed one by one, with the reason, in conformance-expected.yml; the suite fails when anything else does, and
// when something in the list does not fail any more.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { flowtrail, folder, here, node, Server } from "./support.js";

const suite = path.join(here, "node_modules/@modelcontextprotocol/conformance/dist/index.js");

async function seeded(t) {
  // Behind `/mcp/own` the server stands before its own flows once more, as a command, which is given no secrets by itself.
  const secret = "ft_conformance_administrator";
  const command = JSON.stringify([flowtrail, "mcp", "--data-dir", "."]);
  const own = `[upstreams.own]\ncommand = ${command}\nenv = {FLOWTRAIL_SECRET_ADMIN = "${secret}"}`;
  const server = await Server.start(t, `allow_private_addresses = true\n${own}`, {
    FLOWTRAIL_ADMIN_KEY: secret,
    FLOWTRAIL_SECRET_ADMIN: secret,
  });
  const text = readFileSync(path.join(here, "conformance-flows.json"), "utf8");
  const flows = JSON.parse(text.replaceAll("@BASE@", server.base));
  const target = flows.at(-1);
  target.id = crypto.randomUUID();
  const body = JSON.stringify(flows).replaceAll("@TARGET@", target.id);
  const headers = { ...server.headers, "Content-Type": "application/json" };
  const answer = await fetch(`${server.base}/api/flows/import`, { method: "POST", headers, body });
  assert.ok(answer.ok, await answer.text());
  return server;
}

const endpoints = ["/mcp", "/mcp/own"].flatMap((address) =>
  ["2025-11-25", "2026-07-28"].map((version) => ({ address, version })),
);

for (const { address, version } of endpoints) {
  test(`the conformance suite for ${version} finds nothing at ${address} that is not listed`, async (t) => {
    const server = await seeded(t);
    const found = spawnSync(
      node,
      [
        "--import",
        path.join(here, "conformance-key.mjs"),
        suite,
        "server",
        "--url",
        `${server.base}${address}`,
        "--requirements",
        version,
        "--expected-failures",
        path.join(here, "conformance-expected.yml"),
        "--output-dir",
        folder(t),
      ],
      { cwd: here, encoding: "utf8", env: { ...process.env, FLOWTRAIL_KEY: server.key }, maxBuffer: 1 << 28 },
    );
    assert.equal(found.status, 0, `${found.stdout.slice(-12_000)}\n${found.stderr.slice(-2_000)}`);
    t.diagnostic(/Total: .*/.exec(found.stdout)?.[0] ?? "no total");
  });
}
