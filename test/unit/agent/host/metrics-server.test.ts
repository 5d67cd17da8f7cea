// `/metrics` on a real port of this host, held against clients that are slow, rude or in the
// thousands, and moved along by the accepted config.

import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { hostClock } from "#agent/host/clock.ts";
import { serveMetrics } from "#agent/host/metrics-server.ts";
import { serveLoopback } from "#agent/host/unix-server.ts";
import type { Listen } from "#agent/model/desired.ts";
import { EventRing } from "#agent/model/events.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import { blindSnapshot } from "#agent/runtime/health/site-snapshot.ts";
import { notConfigured } from "#agent/runtime/health/status.ts";
import type { Instant, WallTime, World } from "#hal/world.ts";

const loopback = "127.0.0.1";

/** An agent as the server sees it: a wanted place, a status and its events. */
class StandIn {
  readonly events = new EventRing();
  readonly loopLag = { ms: undefined };
  listen: Listen | undefined;
  intentDamage: Error | undefined;
  readonly lines: string[] = [];
  readonly broken: unknown[] = [];
  readonly #end = new AbortController();
  readonly #running: Promise<void>;
  supervisor = undefined;
  journalState = "whole";
  snapshots = 0;

  constructor(listen: Listen | undefined) {
    this.listen = listen;
    const log = {
      write: (_level: string, code: string, text: string) => this.lines.push(`${code}: ${text}`),
    };
    const world = { clock: hostClock, log } as unknown as World;
    const { signal } = this.#end;
    const deliveries = () => ({ delivered: 7, dropped: 0, waiting: 0 });
    const broken = (error: unknown): void => void this.broken.push(error);
    const parts = { kind: "home", deliveries, broken } as const;
    this.#running = serveMetrics(this as unknown as Agent, world, parts, signal);
  }

  get intent() {
    if (this.intentDamage !== undefined) return undefined;
    const serve = this.listen === undefined ? {} : { metrics: this.listen };
    return { number: 7, desired: { serve } };
  }

  snapshot() {
    this.snapshots += 1;
    return blindSnapshot({ now: 0 as Instant, wall: 0 as WallTime }, notConfigured);
  }

  accept(listen: Listen | undefined): void {
    this.listen = listen;
    this.events.add(0 as WallTime, "intent-accepted", "intent 7", "accepted");
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }
}

const agents: StandIn[] = [];
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.stop();
});

function standIn(listen: Listen | undefined): StandIn {
  const agent = new StandIn(listen);
  agents.push(agent);
  return agent;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, loopback, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

interface Reply {
  readonly status: number | undefined;
  readonly type: string | undefined;
  readonly body: string;
}

function get(
  to: { readonly port: number } | { readonly socketPath: string },
  options: { readonly method?: string; readonly path?: string; readonly host?: string } = {},
): Promise<Reply> {
  const { method = "GET", path = "/metrics", host } = options;
  const headers = host === undefined ? {} : { host };
  return new Promise((resolve, reject) => {
    const asked = request(
      { ...("port" in to ? { host: loopback } : {}), ...to, method, path, headers, agent: false },
      (reply) => {
        let body = "";
        reply.on("data", (chunk: Buffer) => (body += chunk.toString()));
        reply.on("end", () => {
          resolve({ status: reply.statusCode, type: reply.headers["content-type"], body });
        });
      },
    );
    asked.on("error", reject).end();
  });
}

/** Once a server answers there. */
async function answered(port: number): Promise<Reply> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await get({ port });
    } catch (error) {
      if (tries > 200) throw error;
      await hostClock.sleep(10);
    }
  }
}

async function served(): Promise<{ readonly agent: StandIn; readonly port: number }> {
  const port = await freePort();
  const agent = standIn({ kind: "port", host: loopback, port });
  await answered(port);
  return { agent, port };
}

describe("a scrape", () => {
  it("a scrape gets the text with the content type of Prometheus", async () => {
    const { port } = await served();
    const { status, type, body } = await get({ port });
    expect([status, type]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
    expect(body).toContain('linkseal_site_verdict{site="",verdict="unknown"} 1\n');
    expect(body).toContain('linkseal_webhook_events_total{site="",outcome="delivered"} 7\n');
    expect(await get({ port }, { path: "/" })).toMatchObject({ status: 404 });
    expect(await get({ port }, { method: "POST" })).toMatchObject({ status: 405 });
    expect(await get({ port }, { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
  });

  it("a scrape under a name that is not this host's gets no metrics", async () => {
    const { port } = await served();
    for (const host of ["evil.example", `evil.example:${port}`, "127.0.0.1.evil.example"]) {
      const { status, body } = await get({ port }, { host });
      expect([host, status]).toEqual([host, 421]);
      expect(body).not.toContain("linkseal_");
    }
    for (const host of ["localhost", `LOCALHOST:${port}`, "[::1]:9464", `127.0.0.1:${port}`]) {
      expect((await get({ port }, { host })).status).toBe(200);
    }
  });

  it("a scrape over a socket may use any name", async () => {
    const folder = await mkdtemp(join(tmpdir(), "ls-metrics-"));
    const socketPath = join(folder, "m.sock");
    const agent = standIn({ kind: "socket", path: socketPath });
    try {
      await expect.poll(async () => (await get({ socketPath })).status).toBe(200);
    } finally {
      await agent.stop();
      await rm(folder, { recursive: true });
    }
  });
});

describe("the accepted config", () => {
  it("the config starts, moves and ends the server; a damaged one keeps it", async () => {
    const [first, second] = [await freePort(), await freePort()];
    const agent = standIn(undefined);
    await expect(get({ port: first })).rejects.toThrow("ECONNREFUSED");
    agent.accept({ kind: "port", host: loopback, port: first });
    expect((await answered(first)).status).toBe(200);
    agent.intentDamage = new Error("damaged");
    agent.accept(undefined);
    expect((await answered(first)).status).toBe(200);
    agent.intentDamage = undefined;
    agent.accept({ kind: "port", host: loopback, port: second });
    expect((await answered(second)).status).toBe(200);
    await expect(get({ port: first })).rejects.toThrow("ECONNREFUSED");
    agent.accept(undefined);
    await expect.poll(() => get({ port: second }).catch(String)).toContain("ECONNREFUSED");
    expect(agent.lines).toEqual([]);
  });

  it("a taken port is logged once, and delays nothing else", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, loopback, resolve));
    const { port } = taken.address() as { readonly port: number };
    const agent = standIn({ kind: "port", host: loopback, port });
    await expect.poll(() => agent.lines.length).toBe(1);
    expect(agent.lines[0]).toContain("metrics-not-served");
    expect(agent.lines[0]).toContain("EADDRINUSE");
    agent.accept({ kind: "port", host: loopback, port });
    await hostClock.sleep(50);
    expect(agent.lines).toHaveLength(1);
    await new Promise((resolve) => taken.close(resolve));
    agent.accept({ kind: "port", host: loopback, port });
    expect((await answered(port)).status).toBe(200);
  });
});

describe("clients that are", () => {
  const open: Socket[] = [];
  afterEach(() => {
    for (const socket of open.splice(0)) socket.destroy();
  });

  function dial(port: number, says: string): Socket {
    const socket = connect(port, loopback);
    socket.on("error", () => undefined);
    socket.write(says);
    open.push(socket);
    return socket;
  }

  it("two hundred clients that never end their request keep no scrape out", async () => {
    const { port } = await served();
    for (let i = 0; i < 200; i += 1) dial(port, "GET /metrics HT");
    expect((await get({ port })).status).toBe(200);
  });

  it("a client that reads nothing does not delay another", async () => {
    const { port } = await served();
    for (let i = 0; i < 20; i += 1) {
      dial(port, "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").pause();
    }
    expect((await get({ port })).status).toBe(200);
  });

  it("a hundred clients that do not read a huge reply keep no scrape out", async () => {
    const huge = new Uint8Array(8_000_000).fill(0x23);
    const broken: unknown[] = [];
    const server = await serveLoopback(
      {
        requestBytesMax: 0,
        isInstant: true,
        answer: async () => ({ status: 200, type: "text/plain", body: huge }),
        refused: () => ({ status: 413, body: "" }),
        broken: (error) => broken.push(error),
      },
      { host: loopback, port: 0 },
    );
    try {
      const before = process.memoryUsage().rss;
      for (let i = 0; i < 100; i += 1) {
        dial(server.port, "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").pause();
      }
      await hostClock.sleep(300);
      expect((await get({ port: server.port })).body).toHaveLength(huge.length);
      // They share its octets: a copy for each would be 500 MB.
      expect(process.memoryUsage().rss - before).toBeLessThan(250_000_000);
      expect(broken).toEqual([]);
    } finally {
      await server.close();
    }
  });

  it("input that is not HTTP, a huge header and a huge body are refused", async () => {
    const { port, agent } = await served();
    const got = (says: string): Promise<string> =>
      new Promise((resolve) => {
        const socket = dial(port, says);
        let text = "";
        socket.on("data", (chunk) => (text += chunk.toString()));
        socket.on("close", () => resolve(text));
      });
    expect(await got("\u0016\u0003\u0001 TLS?\r\n\r\n")).toContain("400");
    expect(await got(`GET /metrics HTTP/1.1\r\nx: ${"y".repeat(20_000)}\r\n\r\n`)).toContain("431");
    const head = "POST /metrics HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9000000\r\n\r\n";
    expect(await got(head + "z".repeat(100_000))).toContain("405");
    expect((await get({ port })).status).toBe(200);
    expect(agent.broken).toEqual([]);
  });

  it("five hundred scrapes at once ask the agent once or twice", async () => {
    const { port, agent } = await served();
    const before = agent.snapshots;
    const waves = Array.from({ length: 10 }, () => Array.from({ length: 50 }));
    for (const wave of waves) {
      const replies = await Promise.all(wave.map(() => get({ port })));
      expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    }
    expect(agent.snapshots - before).toBeLessThan(10);
  });
});
