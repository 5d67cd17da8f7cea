// The real Dialer over real sockets: what each failure may have done, limits, and keys that leave
// no copy.

import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createRawServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hostDialer, portTo } from "#agent/host/dialer.ts";
import { exchange } from "#agent/host/exchange.ts";
import { type Command, command, Secret } from "#hal/secret.ts";
import type { HttpReply, HttpRequest } from "#hal/world.ts";

let folder = "";
let server: Server | undefined;
const sockets = new Set<Socket>();
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ls-"));
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  const open = server;
  server = undefined;
  if (open !== undefined) await new Promise((done) => open.close(done));
  await rm(folder, { recursive: true, force: true });
});

async function serve(made: Server): Promise<void> {
  server = made;
  made.on("connection", (socket) => sockets.add(socket));
  await new Promise<void>((done) => made.listen(join(folder, "s"), done));
}

type Handler = (request: IncomingMessage, body: Buffer, reply: ServerResponse) => void;

const serveHttp = (handler: Handler): Promise<void> =>
  serve(
    createServer((request, reply) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => handler(request, Buffer.concat(chunks), reply));
    }),
  );

/** Answers every connection with these bytes and hangs up. */
const serveRaw = (answer: string): Promise<void> =>
  serve(
    createRawServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => socket.end(answer));
    }),
  );

const never = new AbortController().signal;
const ask = (more: Partial<HttpRequest> = {}, signal = never): Promise<HttpReply> =>
  hostDialer.http(
    { to: `unix:${folder}/s`, method: "POST", path: "/x", replyBytesMax: 1000, ...more },
    signal,
  );

describe("an exchange", () => {
  it("an exchange sends method, path and body, and returns status and body", async () => {
    await serveHttp(({ method, url }, body, reply) => {
      reply.writeHead(418).end(`${method} ${url} ${body.toString()}`);
    });
    const reply = await ask({ path: "/a/b?c", body: ["hello ", "there"] });
    expect([reply.status, new TextDecoder().decode(reply.body)]).toEqual([
      418,
      "POST /a/b?c hello there",
    ]);
    const empty = await ask({ method: "GET" });
    expect(new TextDecoder().decode(empty.body)).toBe("GET /x ");
  });

  it("an exchange fills the secrets of a long body and wipes it after sending", async () => {
    const seen: Buffer[] = [];
    await serveHttp((_request, body, reply) => {
      seen.push(body);
      reply.end();
    });
    const hex = "5a".repeat(32);
    using secret = Secret.take("cak", new Uint8Array(32).fill(0x5a));
    const padding = "x".repeat(5_000_000);
    const body: Command = command`{"cak":"${{ secret, as: "hex" }}","pad":"${padding}"}`;
    await Promise.all([1, 2, 3].map(() => ask({ body })));
    const wanted = Buffer.from(`{"cak":"${hex}","pad":"${padding}"}`);
    expect(seen.map((body) => body.equals(wanted))).toEqual([true, true, true]);
  });

  it.each(["answered", "refused", "ended by its signal"])(
    "that is %s leaves no key behind",
    async (how) => {
      const key = Buffer.alloc(1_000_000, 0x5a);
      const limit = new AbortController();
      if (how !== "refused") await serveHttp((_request, _body, reply) => reply.end());
      const request = {
        to: `unix:${folder}/s`,
        method: "POST",
        path: "/x",
        replyBytesMax: 9,
      } as const;
      const filled = (): Uint8Array => {
        if (how === "ended by its signal") queueMicrotask(() => limit.abort());
        return key;
      };
      await exchange(request, limit.signal, filled).catch(() => undefined);
      await expect.poll(() => key.every((octet) => octet === 0)).toBe(true);
    },
  );

  it("an exchange takes a reply of exactly the limit and refuses one byte more", async () => {
    await serveHttp(({ url }, _body, reply) => {
      reply.end("x".repeat(Number(url?.slice(1))));
    });
    expect((await ask({ path: "/1000" })).body).toHaveLength(1000);
    const tooLong = { code: "transport.closed", effect: "unknown" };
    await expect(ask({ path: "/1001" })).rejects.toMatchObject(tooLong);
    await expect(ask({ path: "/90000000" })).rejects.toMatchObject(tooLong);
  });
});

describe("a failed exchange", () => {
  it.each([
    ["nothing there", "none" as const, () => Promise.resolve(), "transport.unreachable", "none"],
    ["hangs up", "POST" as const, () => serveRaw(""), "transport.closed", "unknown"],
    ["hangs up", "GET" as const, () => serveRaw(""), "transport.closed", "none"],
    ["no HTTP", "POST" as const, () => serveRaw("SSH-2.0-x\r\n"), "transport.closed", "unknown"],
    [
      "half a reply",
      "POST" as const,
      () => serveRaw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
      "transport.closed",
      "unknown",
    ],
  ])(
    "a failed exchange with %s (%s) has the right code and effect",
    async (_name, method, start, code, effect) => {
      await start();
      const failed = ask({ method: method === "none" ? "POST" : method });
      await expect(failed).rejects.toMatchObject({ code, effect, where: `unix:${folder}/s` });
    },
  );

  it("an exchange with a path that is too long fails without effect", async () => {
    const failed = ask({ to: `unix:${folder}/${"x".repeat(200)}` });
    await expect(failed).rejects.toMatchObject({ code: "transport.unreachable", effect: "none" });
  });

  it("an exchange without TLS connects to sockets of this host alone", async () => {
    const failed = ask({ to: "https://192.0.2.1" });
    await expect(failed).rejects.toMatchObject({ code: "transport.unreachable", effect: "none" });
  });

  it("an aborted exchange rejects with the signal's reason at any time", async () => {
    const reason = new Error("deadline");
    await expect(ask({}, AbortSignal.abort(reason))).rejects.toBe(reason);
    const waiting = new AbortController();
    await serveHttp(({ url }, _body, reply) => {
      if (url === "/part") reply.writeHead(200, { "content-length": 9 }).write("half");
      setTimeout(() => waiting.abort(reason), 20);
    });
    await expect(ask({ path: "/never" }, waiting.signal)).rejects.toBe(reason);
    const inside = new AbortController();
    const part = ask({ path: "/part" }, inside.signal);
    setTimeout(() => inside.abort(reason), 50);
    await expect(part).rejects.toBe(reason);
  });
});

const table = [
  "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT",
  "eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0",
  "eth9\t00000000\t010200C0\t0003\t0\t0\t200\t00000000\t0\t0\t0",
  "eth1\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0",
  "eth2\t800200C0\t00000000\t0001\t0\t0\t0\t80FFFFFF\t0\t0\t0",
  "*\t006433C6\t00000000\t0201\t0\t0\t0\t00FFFFFF\t0\t0\t0",
  "eth3\t007100CB\t00000000\t0000\t0\t0\t0\t00FFFFFF\t0\t0\t0",
  "",
].join("\n");

describe("the port towards an address", () => {
  it.each<[string, string | undefined, string]>([
    ["192.0.2.1", "eth1", "a prefix over the default"],
    ["192.0.2.200", "eth2", "the longest prefix"],
    ["8.8.8.8", "eth0", "the default of the lowest metric"],
    ["198.51.100.7", undefined, "a route that refuses"],
    ["203.0.113.1", "eth0", "a route that is down does not count"],
  ])("the route to %s uses port %s: %s", (address, port) => {
    expect(portTo(address, table)).toBe(port);
  });

  it.each(["", "nonsense\n\n1 2 3", "a b c\neth0 x"])(
    "the port towards an address is not known from the table %j",
    (broken) => {
      expect(portTo("192.0.2.1", broken)).toBeUndefined();
    },
  );

  it("the port is lo for own addresses, and not known for a name or IPv6", async () => {
    expect(await hostDialer.routeTo("127.0.0.1", never)).toBe("lo");
    expect(await hostDialer.routeTo("2001:db8::1", never)).toBeUndefined();
    expect(await hostDialer.routeTo("router.example", never)).toBeUndefined();
  });
});

describe("a host name", () => {
  it("a host name resolves to its addresses; an address to itself", async () => {
    expect(await hostDialer.resolve("192.0.2.1", never)).toEqual(["192.0.2.1"]);
    expect(await hostDialer.resolve("2001:db8::1", never)).toEqual(["2001:db8::1"]);
    expect(await hostDialer.resolve("localhost", never)).not.toEqual([]);
  });

  it("an unknown host name is an error without effect", async () => {
    const failed = hostDialer.resolve("no host", never);
    await expect(failed).rejects.toMatchObject({ code: "transport.unreachable", effect: "none" });
    const reason = new Error("deadline");
    await expect(hostDialer.resolve("x", AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
