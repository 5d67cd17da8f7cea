// The command before an agent that does not answer: it ends, says so, and does not guess.

import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ask, patienceMs } from "#agent/cli/client.ts";
import { placeSource } from "#agent/host/places.ts";
import { refused } from "../../kit/site-bench.ts";

let folder = "";
const servers: Server[] = [];
const sockets: Socket[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ls-client-"));
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => new Promise((done) => server.close(done))));
  rmSync(folder, { recursive: true });
});

/** Serves each connection with `text`, and keeps it open. */
async function served(text: string): Promise<string> {
  const path = join(folder, "x.sock");
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.write(text);
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(path, done));
  return path;
}

const status = { role: "view", method: "GET", path: "/v1/status" } as const;
const drain = { role: "admin", method: "POST", path: "/v1/drain", body: {} } as const;

describe("an agent that does not answer", () => {
  it.each([
    ["nothing", ""],
    ["half of a reply", "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{"],
  ])("a query to an agent that sends %s ends without effect", async (_name, text) => {
    const socket = await served(text);
    expect(await refused(ask({ ...status, socket, patienceMs: 30 }))).toMatchObject({
      ...{ code: "agent.unreachable", effect: "none", where: "GET /v1/status" },
      message: "the agent does not answer: no whole answer within 0.03 s",
    });
  });

  it("a change that is not answered in time has an unknown effect", async () => {
    const socket = await served("");
    expect(await refused(ask({ ...drain, socket, patienceMs: 30 }))).toMatchObject({
      ...{ code: "agent.unreachable", effect: "unknown", where: "POST /v1/drain" },
    });
  });
});

describe("the patience of a request", () => {
  it.each([
    ["view", "/v1/status", 30_000],
    ["view", "/v1/rotation?group=erd", 30_000],
    ["view", "/v1/page/code", 30_000],
    ["view", "/v1/report/key", 30_000],
    ["view", "/v1/events?after=3", 30_000],
    ["view", "/v1/events?after=3&waitMs=30000", 60_000],
    ["view", "/v1/report?from=2026-11-01", 300_000],
    ["view", "/v1/doctor", 300_000],
    ["view", "/v1/scorecard", 300_000],
    ["admin", "/v1/drain", 900_000],
    ["admin", "/v1/apply", 900_000],
  ] as const)("the %s request %s may take %i ms", (role, path, ms) => {
    expect(patienceMs({ role, path })).toBe(ms);
  });
});

describe("a socket that is not believed", () => {
  it("an error names the socket of another user, and nothing was sent to it", async () => {
    const path = await served("");
    const own = placeSource();
    // Root is believed, so that the folder of root's socket has to become another user's.
    if (own.uid === 0) chownSync(folder, 65_533, 65_533);
    const stranger = own.uid === 0 ? own : { ...own, uid: own.uid + 1 };
    const error = await refused(ask({ ...status, socket: path, patienceMs: 30 }, stranger));
    const owner = own.uid === 0 ? 65_533 : own.uid;
    expect(error).toMatchObject({
      ...{ code: "agent.unreachable", effect: "none" },
      message: expect.stringContaining(`${path} is of uid ${owner}: neither root, this user nor`),
    });
    expect(sockets).toEqual([]);
  });
});
