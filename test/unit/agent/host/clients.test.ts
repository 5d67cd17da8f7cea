// Who connected to a socket of the agent, as the kernel and /proc show it.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { clientOf, loginUidOf, subuidOwner } from "#agent/host/clients.ts";
import { serveUnix, type UnixCall } from "#agent/host/unix-server.ts";
import { type Client, clientText, unknownClient, userOf } from "#agent/model/client.ts";

const own = process.getuid?.() ?? 0;
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ls-clients-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Makes `/proc/PID` as this user owns it. */
function shown(pid: number, loginuid: string | undefined): void {
  mkdirSync(join(folder, String(pid)));
  if (loginuid !== undefined) writeFileSync(join(folder, String(pid), "loginuid"), loginuid);
}

describe("a login uid", () => {
  it.each([
    ["is shown", "1000", 1000],
    ["was set by no login", "4294967295", null],
    ["is empty", "", null],
    ["is not a number", "root", null],
    ["is longer than a number can be", "1".repeat(4000), null],
  ])("a login uid that %s is read as %s", (_name, text, wanted) => {
    shown(7, text);
    expect(loginUidOf({ pid: 7, uid: own }, folder)).toBe(wanted);
  });

  it("a login uid of a process that /proc hides is unknown", () => {
    shown(8, undefined);
    expect(loginUidOf({ pid: 8, uid: own }, folder)).toBeNull();
    expect(loginUidOf({ pid: 9, uid: own }, folder)).toBeNull();
  });

  it("a login uid is unknown if the number is a process of another user by now", () => {
    shown(7, "1000");
    expect(loginUidOf({ pid: 7, uid: own + 1 }, folder)).toBeNull();
  });
});

describe("A6: a subordinate uid", () => {
  const list = ["# by hand", "ada:100000:65536", "1007:200000:10", "x y:5:5", "bob:300000:"];
  it.each([
    [99_999, undefined],
    [100_000, "ada"],
    [100_004, "ada"],
    [165_535, "ada"],
    [165_536, undefined],
    [200_009, "1007"],
    [5, undefined],
    [300_000, undefined],
  ])("A6: the owner of uid %s in a list is %s", (uid, owner) => {
    const file = join(folder, "subuid");
    writeFileSync(file, list.join("\n"));
    expect(subuidOwner(uid, file)).toBe(owner);
  });

  it("A6: a list that is missing, is a folder or is too long names no owner", () => {
    writeFileSync(join(folder, "long"), `ada:100000:65536\n${"#".repeat(1 << 20)}`);
    for (const name of ["none", "", "long"]) {
      expect(subuidOwner(100_004, join(folder, name))).toBeUndefined();
    }
  });

  it("A6: a record and a limit name the user to whom a subordinate uid belongs", () => {
    const found = { socket: "admin", uid: 100_004, gid: 2001, pid: 7, loginUid: null } as const;
    const client: Client = { ...found, subuidOf: "ada" };
    expect(clientText(client)).toBe(
      "admin socket: uid 100004 (a subordinate uid of ada), gid 2001, pid 7, login uid unknown",
    );
    expect([userOf(client), userOf(found), userOf(unknownClient("view"))]).toEqual([
      ...["ada", 100_004, undefined],
    ]);
  });
});

const connected = { _handle: { fd: 5 } } as unknown as Socket;

describe("a client", () => {
  it("a client has the uid, gid and pid of the kernel", () => {
    const native = { peerCredentials: () => ({ pid: 2 ** 22, uid: 1000, gid: 1001 }) };
    const client = clientOf(native, "admin", connected);
    expect(client).toEqual({
      ...{ socket: "admin", uid: 1000, gid: 1001, pid: 2 ** 22, loginUid: null },
    });
    expect(clientText(client)).toBe(
      "admin socket: uid 1000, gid 1001, pid 4194304, login uid unknown",
    );
  });

  it("a client is unknown without an addon, without a descriptor and after an error", () => {
    const native = {
      peerCredentials: () => {
        throw new Error("ENOTCONN");
      },
    };
    const gone = { _handle: null } as unknown as Socket;
    expect(clientOf(undefined, "view", connected)).toEqual(unknownClient("view"));
    expect(clientOf(native, "view", connected)).toEqual(unknownClient("view"));
    expect(clientOf(native, "view", gone)).toEqual(unknownClient("view"));
    expect(clientText(unknownClient("view"))).toBe("view socket: user unknown");
  });

  it("a client is read before an octet of it, and comes with its request", async () => {
    const read: number[] = [];
    const calls: UnixCall[] = [];
    const path = join(folder, "x.sock");
    const mine: Client = { socket: "view", uid: 1, gid: 2, pid: 3, loginUid: null };
    const server = await serveUnix({
      ...{ path, requestBytesMax: 100, broken: () => undefined },
      refused: () => ({ status: 413, body: "" }),
      identify: (socket) => {
        read.push(socket.bytesRead);
        return mine;
      },
      async answer(call) {
        calls.push(call);
        return { status: 200, body: "{}" };
      },
    });
    await new Promise<void>((resolve, reject) => {
      const call = request({ socketPath: path, path: "/v1/x", agent: false }, (reply) => {
        reply.resume().once("end", resolve);
      });
      call.once("error", reject).end();
    });
    await server.close();
    expect(read).toEqual([0]);
    expect(calls.map(({ client }) => client)).toEqual([mine]);
  });
});
