// The command of an administrator whose user may open the admin socket and not the view socket.

import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";

const command = join(import.meta.dirname, "../../agent/bin.js");
const isRoot = process.geteuid?.() === 0;
let home = "";
let servers: readonly Server[] = [];
const asked: string[] = [];

/** Serves a socket that answers as the agent does, to a question for its journal. */
async function served(name: string, mode: number): Promise<Server> {
  const body = JSON.stringify({ state: "whole", records: [] });
  const server = createServer((request, reply) => {
    asked.push(`${name} ${request.method} ${request.url}`);
    reply.writeHead(200, { "content-length": body.length }).end(body);
  });
  const path = join(home, "run", name);
  await new Promise<void>((done) => server.listen(path, done));
  chmodSync(path, mode);
  return server;
}

beforeEach(() => {
  asked.length = 0;
  home = mkdtempSync(join(tmpdir(), "ls-admin-"));
  for (const folder of [home, join(home, "run")]) {
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o755);
  }
});
afterEach(async () => {
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  rmSync(home, { recursive: true });
});

/** Runs `linkseal journal --json` as a user for whom the modes of the sockets count. */
async function journal(): Promise<string> {
  const user = isRoot ? { uid: 65_534, gid: 65_534 } : {};
  const options = { ...user, cwd: "/", env: { ...process.env, LINKSEAL_HOME: home, HOME: "/" } };
  const argv = [command, "journal", "--json"];
  const { stdout } = await promisify(execFile)(process.execPath, argv, options);
  return stdout;
}

it("B1: a member of the administrators' group alone looks through the admin socket", async () => {
  servers = [await served("view.sock", 0), await served("admin.sock", 0o666)];
  expect(JSON.parse(await journal())).toMatchObject({ state: "whole" });
  expect(asked).toEqual(["admin.sock GET /v1/journal"]);
});

it("B1: a user who may look does so through the view socket", async () => {
  servers = [await served("view.sock", 0o666), await served("admin.sock", 0)];
  expect(JSON.parse(await journal())).toMatchObject({ state: "whole" });
  expect(asked).toEqual(["view.sock GET /v1/journal"]);
});

it("B1: a user who may open neither socket is told which group looks", async () => {
  servers = [await served("view.sock", 0), await served("admin.sock", 0)];
  const error = await journal().then(
    () => undefined,
    (caught: { readonly code: number; readonly stdout: string; readonly stderr: string }) => caught,
  );
  expect(error?.code).toBe(8);
  expect(`${error?.stdout}${error?.stderr}`).toContain(
    `may not open ${join(home, "run/view.sock")}`,
  );
  expect(asked).toEqual([]);
});
