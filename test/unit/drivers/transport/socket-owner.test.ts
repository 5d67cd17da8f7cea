// Unix sockets of other users, which no key and no request may reach.

import { chmod, lchown, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, type TestContext } from "vitest";
import { exchange } from "#agent/host/exchange.ts";
import { fillCommand } from "#drivers/transport/fill.ts";
import { askFramed } from "#drivers/transport/framed.ts";
import { foreignOwner, refuseForeign } from "#drivers/transport/socket-owner.ts";
import { openStream } from "#drivers/transport/stream.ts";
import { cannotRun } from "../../../why-not.ts";
import { never, refused } from "../../kit/site-bench.ts";

const stranger = 65_533;
let path = "";
let connections = 0;
const server = createServer((socket) => {
  connections += 1;
  socket.destroy();
});

beforeEach(async () => {
  connections = 0;
  path = join(await mkdtemp(join(tmpdir(), "ls-owner-")), "x.sock");
  await new Promise<void>((resolve) => server.listen(path, resolve));
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  await rm(dirname(path), { recursive: true, force: true });
});

/** Gives a path to another user. */
async function give(context: TestContext, at: string): Promise<void> {
  if (process.geteuid?.() !== 0) cannotRun(context, "only root gives a file to another user");
  await lchown(at, stranger, stranger);
}

describe("a socket of another user", () => {
  const asks = {
    stream: () => openStream(path, never),
    frame: () => askFramed({ path, octets: [], replyBytesMax: 8, effect: "unknown" }, never),
    HTTP: () => {
      const request = { to: `unix:${path}`, method: "POST", path: "/", replyBytesMax: 8 } as const;
      return exchange(request, never, fillCommand);
    },
  } as const;

  it("nothing reaches a socket in a folder of another user", async (context) => {
    await give(context, dirname(path));
    for (const ask of Object.values(asks)) {
      const error = await refused(ask());
      expect([error.code, error.effect]).toEqual(["transport.unreachable", "none"]);
      expect(error.message).toContain(`uid ${stranger}`);
    }
    expect(connections).toBe(0);
  });

  it("where others may write, the owner of the socket counts too", async (context) => {
    await give(context, path);
    await chmod(dirname(path), 0o1777);
    expect(() => refuseForeign(path)).toThrow(`uid ${stranger}`);
    // Only root can have let charon run as a user of its own.
    await chmod(dirname(path), 0o755);
    expect(foreignOwner(path)).toBeUndefined();
  });
});

it("a socket of this user is believed, and one that is missing is not refused here", () => {
  expect(() => refuseForeign(path)).not.toThrow();
  expect(() => refuseForeign(join(dirname(path), "none/x.sock"))).not.toThrow();
});
