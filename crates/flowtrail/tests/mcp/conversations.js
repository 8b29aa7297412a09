// What is said to each server: every tool, wrong calls, progress, cancelling, what servers ask of clients.

import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

import { python, reference } from "./support.js";

/** The servers, each with how it is started in a folder, and what is said to it. */
export const servers = {
  everything: {
    start: () => reference("everything", "stdio"),
    prepare: () => {},
    async talk(peer) {
      await peer.request("tools/list", {});
      await peer.request("resources/list", {});
      await peer.request("resources/templates/list", {});
      await peer.request("prompts/list", {});
      await peer.request("resources/read", { uri: "demo://resource/static/document/features.md" });
      await peer.request("prompts/get", { name: "simple-prompt" });
      await peer.request("completion/complete", {
        ref: { type: "ref/prompt", name: "completable-prompt" },
        argument: { name: "department", value: "E" },
      });
      await peer.request("logging/setLevel", { level: "debug" });
      await peer.request("ping", {});
      await peer.call("echo", { message: "Grüße, 世界 \u0000 🚀 \u2028" });
      await peer.call("get-sum", { a: 1.5, b: 1e300 });
      await peer.call("get-sum", { a: "one" });
      await peer.call("get-tiny-image", {});
      await peer.call("get-annotated-message", { messageType: "error", includeImage: true });
      await peer.call("get-resource-links", { count: 2 });
      await peer.call("get-resource-reference", { resourceType: "Text", resourceId: 3 });
      await peer.call("get-structured-content", { location: "Chicago" });
      await peer.call("no-such-tool", {});
      await peer.request("tools/call", {});
      await peer.request("no/such/method", { a: 1 });
      peer.notify("notifications/unknown", { b: 2 });
      await peer.call("get-roots-list", {});
      await peer.call("trigger-elicitation-request", {});
      await peer.call("trigger-sampling-request", { prompt: "Is it so?", maxTokens: 5 });
      await peer.call("trigger-long-running-operation", { duration: 0.3, steps: 3 }, { progressToken: "p-1" });
      await peer.call("trigger-long-running-operation", { duration: 0.1, steps: 2 }, { progressToken: 7 });
      // Ids as texts, the same as a number's, and used again.
      await peer.request("tools/call", { name: "echo", arguments: { message: "text" } }, "1");
      await peer.request("tools/call", { name: "echo", arguments: { message: "number" } }, 1);
      await peer.request("tools/call", { name: "echo", arguments: { message: "again" } }, 1);
      const sums = Array.from({ length: 64 }, (_, n) => peer.call("get-sum", { a: n, b: n }));
      await Promise.all(sums);
      // Cancelled in the middle: nobody answers it.
      peer.send({
        jsonrpc: "2.0",
        id: "cancelled",
        method: "tools/call",
        params: {
          name: "trigger-long-running-operation",
          arguments: { duration: 3, steps: 30 },
          _meta: { progressToken: "gone" },
        },
      });
      await peer.until((message) => message.params?.progressToken === "gone");
      peer.notify("notifications/cancelled", { requestId: "cancelled", reason: "enough" });
      await peer.call("echo", { message: "after" });
    },
  },
  filesystem: {
    start: (folder) => reference("filesystem", folder),
    prepare(folder) {
      mkdirSync(path.join(folder, "letters"));
      writeFileSync(path.join(folder, "letters", "a.txt"), "Dear Ada,\nall is well.\n");
    },
    async talk(peer, folder) {
      const at = (name) => path.join(folder, name);
      await peer.request("tools/list", {});
      await peer.call("list_allowed_directories", {});
      await peer.call("read_text_file", { path: at("letters/a.txt"), head: 1 });
      await peer.call("read_multiple_files", { paths: [at("letters/a.txt"), at("no.txt")] });
      await peer.call("write_file", { path: at("b.txt"), content: "x".repeat(100_000) });
      await peer.call("edit_file", { path: at("letters/a.txt"), edits: [{ oldText: "well", newText: "good" }] });
      await peer.call("create_directory", { path: at("c") });
      await peer.call("move_file", { source: at("b.txt"), destination: at("c/b.txt") });
      await peer.call("list_directory", { path: folder });
      await peer.call("directory_tree", { path: folder });
      await peer.call("search_files", { path: folder, pattern: "**/*.txt" });
      await peer.call("get_file_info", { path: at("c/b.txt") });
      await peer.call("read_media_file", { path: at("c/b.txt") });
      await peer.call("read_text_file", { path: "/etc/passwd" });
    },
  },
  memory: {
    start: () => reference("memory"),
    environment: (folder) => ({ MEMORY_FILE_PATH: path.join(folder, "memory.jsonl") }),
    prepare: () => {},
    async talk(peer) {
      await peer.request("tools/list", {});
      const ada = { name: "Ada", entityType: "person", observations: ["writes programs"] };
      await peer.call("create_entities", { entities: [ada, { ...ada, name: "Engine", entityType: "machine" }] });
      await peer.call("create_relations", { relations: [{ from: "Ada", to: "Engine", relationType: "programs" }] });
      await peer.call("add_observations", { observations: [{ entityName: "Ada", contents: ["likes music"] }] });
      await peer.call("add_observations", { observations: [{ entityName: "Nobody", contents: ["x"] }] });
      await peer.call("search_nodes", { query: "music" });
      await peer.call("open_nodes", { names: ["Engine"] });
      await peer.call("delete_entities", { entityNames: ["Engine"] });
      await peer.call("read_graph", {});
    },
  },
  time: {
    eras: ["2025-11-25", "2026-07-28"],
    start: () => [path.join(python, "mcp-server-time")],
    prepare: () => {},
    async talk(peer) {
      await peer.request("tools/list", {});
      await peer.call("get_current_time", { timezone: "Europe/Berlin" });
      await peer.call("convert_time", { source_timezone: "Asia/Tokyo", time: "12:30", target_timezone: "UTC" });
      await peer.call("convert_time", { source_timezone: "Nowhere", time: "12:30", target_timezone: "UTC" });
      await peer.call("get_current_time", {});
      await peer.request("no/such/method", {});
    },
  },
  git: {
    eras: ["2025-11-25", "2026-07-28"],
    start: (folder) => [path.join(python, "mcp-server-git"), "--repository", folder],
    prepare(folder) {
      const git = (...words) => execFileSync("git", ["-C", folder, ...words], { env: author });
      git("init", "--quiet", "--initial-branch", "main");
      writeFileSync(path.join(folder, "a.txt"), "one\n");
      git("add", "a.txt");
      git("commit", "--quiet", "-m", "One");
      writeFileSync(path.join(folder, "a.txt"), "two\n");
    },
    environment: () => author,
    async talk(peer, folder) {
      const repo = { repo_path: folder };
      await peer.request("tools/list", {});
      await peer.call("git_status", repo);
      await peer.call("git_diff_unstaged", repo);
      await peer.call("git_add", { ...repo, files: ["a.txt"] });
      await peer.call("git_diff_staged", { ...repo, context_lines: 1 });
      await peer.call("git_commit", { ...repo, message: "Two" });
      await peer.call("git_log", { ...repo, max_count: 1 });
      await peer.call("git_create_branch", { ...repo, branch_name: "side" });
      await peer.call("git_checkout", { ...repo, branch_name: "no-such" });
      await peer.call("git_branch", { ...repo, branch_type: "local" });
      await peer.call("git_status", { repo_path: "/" });
    },
  },
};

const author = {
  PATH: process.env.PATH,
  HOME: "/nowhere",
  GIT_AUTHOR_NAME: "Ada",
  GIT_AUTHOR_EMAIL: "ada@example.org",
  GIT_COMMITTER_NAME: "Ada",
  GIT_COMMITTER_EMAIL: "ada@example.org",
  GIT_CONFIG_NOSYSTEM: "1",
};

/** A folder as a conversation finds it, at the same place each time: answers name it. */
export function prepared(server, folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  server.prepare(folder);
}
