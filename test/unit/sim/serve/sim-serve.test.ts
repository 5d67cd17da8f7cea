import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostDialer } from "#agent/host/dialer.ts";
import { SimClock } from "#sim/base/clock.ts";
import { leashClock, paceClock, serveSite } from "#sim/serve/site.ts";
import type { SiteHandler } from "#sim/site/protocol.ts";
import { never, wallStart } from "../../kit/site-bench.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "linkseal-serve-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

const echo: SiteHandler = async ({ path, body }) => ({
  status: 200,
  body: `${path} ${body.length}`,
});

async function ask(path: string, body: string): Promise<string> {
  const request = { to: `unix:${path}`, method: "POST", path: "/x", replyBytesMax: 1000 } as const;
  const reply = await hostDialer.http({ ...request, body: [body] }, never);
  return `${reply.status} ${new TextDecoder().decode(reply.body)}`;
}

describe("the socket of a site", () => {
  it("a site's socket is private, answers, and is gone after close", async () => {
    const path = join(folder, "a.sock");
    const served = await serveSite(echo, path);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await ask(path, "hello")).toBe("200 /x 5");
    await served.close();
    expect(await readdir(folder)).toEqual([]);
  });

  it("a site cuts off a request over a megabyte and goes on", async () => {
    const path = join(folder, "b.sock");
    const served = await serveSite(echo, path);
    await expect(ask(path, "x".repeat(1024 * 1024 + 1))).rejects.toMatchObject({
      code: "transport.closed",
    });
    expect(await ask(path, "x".repeat(1024 * 1024))).toBe("200 /x 1048576");
    await served.close();
  });

  it("a client that stops midway disturbs no other, and close does not wait for it", async () => {
    const path = join(folder, "c.sock");
    const served = await serveSite(echo, path);
    const slow = connect(path);
    slow.on("error", () => undefined);
    slow.write("POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf");
    for (let turn = 0; turn < 5; turn += 1) expect(await ask(path, "")).toBe("200 /x 0");
    await served.close();
    slow.destroy();
  });

  it("a site aborts the call of a client that left, and survives it", async () => {
    const path = join(folder, "d.sock");
    let arrived = (): void => undefined;
    const here = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    let left = (_reason: unknown): void => undefined;
    const gone = new Promise((resolve) => {
      left = resolve;
    });
    const served = await serveSite((_request, signal) => {
      arrived();
      return new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          left(signal.reason);
          reject(signal.reason);
        });
      });
    }, path);
    const client = connect(path);
    client.write("GET /x HTTP/1.1\r\nhost: x\r\n\r\n");
    await here;
    client.destroy();
    expect(String(await gone)).toContain("the client is gone");
    await served.close();
  });

  it("a site replaces a stale socket and refuses one in use or another file", async () => {
    const path = join(folder, "e.sock");
    const first = await serveSite(echo, path);
    await expect(serveSite(echo, path)).rejects.toThrow("another process serves");
    await first.close();
    await leaveStale(path);
    const second = await serveSite(echo, path);
    expect(await ask(path, "")).toBe("200 /x 0");
    await second.close();
    const file = join(folder, "file");
    await writeFile(file, "");
    await expect(serveSite(echo, file)).rejects.toThrow("is not a socket");
  });
});

// A listener whose path was moved aside leaves the moved name behind when it closes.
async function leaveStale(path: string): Promise<void> {
  const { rename } = await import("node:fs/promises");
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(`${path}.old`, resolve);
  });
  await rename(`${path}.old`, path);
  await new Promise((resolve) => {
    server.close(resolve);
  });
}

describe("paced time", () => {
  it("paced time follows real time at its speed, in steps that a waiter can see", async () => {
    const clock = new SimClock(wallStart);
    const start = performance.now();
    const pace = paceClock(clock, { speed: 100 });
    await clock.sleep(5000);
    const realMs = performance.now() - start;
    await pace.stop();
    expect(realMs).toBeGreaterThan(45);
    expect(clock.now()).toBeGreaterThanOrEqual(5000);
    const stopped = clock.now();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(clock.now()).toBe(stopped);
  });

  it("unpaced time goes from event to event until told, and never past the last one", async () => {
    const clock = new SimClock(wallStart);
    const beat = (): void => void clock.after(1000, beat);
    beat();
    const pace = paceClock(clock, {
      speed: Number.POSITIVE_INFINITY,
      until: () => clock.now() >= 3_600_000,
    });
    await pace.done;
    expect([clock.now(), clock.events]).toEqual([3_600_000, 3600]);
  });

  it("held time stops, and sockets are served meanwhile", async () => {
    const clock = new SimClock(wallStart);
    const path = join(folder, "f.sock");
    const served = await serveSite(echo, path);
    const beat = (): void => void clock.after(1, beat);
    beat();
    let held = false;
    const pace = paceClock(clock, { speed: Number.POSITIVE_INFINITY, hold: () => held });
    expect(await ask(path, "")).toBe("200 /x 0");
    held = true;
    const before = clock.now();
    expect(await ask(path, "")).toBe("200 /x 0");
    expect([before > 0, clock.now()]).toEqual([true, before]);
    await pace.stop();
    await served.close();
  });

  it("time on a leash waits for a follower, but not for a dead one", async () => {
    const clock = new SimClock(wallStart);
    const beat = (): void => void clock.after(10, beat);
    beat();
    const clockHandler: SiteHandler = async () => ({ status: 200, body: `{"now":${clock.now()}}` });
    const leash = leashClock(clockHandler, clock, 500, Number.POSITIVE_INFINITY);
    const pace = paceClock(clock, { speed: 1000, hold: leash.hold });
    const { signal } = new AbortController();
    const rest = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 30));
    const until = async (holds: () => boolean): Promise<void> => {
      while (!holds()) await rest();
    };
    const ask = (path: string) => leash.handler({ method: "GET", path, body: "" }, signal);

    await until(() => clock.now() > 2000);
    for (let round = 0; round < 3; round += 1) {
      const asked = clock.now();
      const { body } = await ask("/clock");
      expect(JSON.parse(body)).toEqual({ now: asked, leash: 500 });
      await until(leash.hold);
      await ask("/faults");
      await rest();
      expect(clock.now() - asked).toBeGreaterThanOrEqual(500);
      expect(clock.now() - asked).toBeLessThan(520);
    }
    leash.letGo();
    const before = clock.now();
    await until(() => clock.now() - before > 2000);
    await pace.stop();
  });

  it("time on a leash waits the whole limit for a follower that gets no core", async () => {
    const clock = new SimClock(wallStart);
    const clockHandler: SiteHandler = async () => ({ status: 200, body: `{"now":${clock.now()}}` });
    const holds = async (lonelyMs: number): Promise<readonly unknown[]> => {
      const leash = leashClock(clockHandler, clock, 500, lonelyMs);
      await leash.handler({ method: "GET", path: "/clock", body: "" }, AbortSignal.any([]));
      await clock.runFor(500);
      const before = leash.strayedAt();
      return [before, leash.hold(), leash.strayedAt()];
    };
    expect(await holds(60_000)).toEqual([undefined, true, undefined]);
    // Time that passed without the follower is known, so that nothing it reports then is judged.
    expect(await holds(0)).toEqual([undefined, false, clock.now()]);
  });

  it("a busy clock lets sockets take turns", async () => {
    const clock = new SimClock(wallStart);
    const path = join(folder, "g.sock");
    const served = await serveSite(echo, path);
    let events = 0;
    const busy = (): void => {
      events += 1;
      const end = performance.now() + 1;
      while (performance.now() < end);
      clock.after(0.001, busy);
    };
    busy();
    const pace = paceClock(clock, { speed: 1000 });
    expect(await ask(path, "")).toBe("200 /x 0");
    // Each event takes a millisecond, so these are as many as in two seconds of an idle machine.
    expect(events).toBeLessThan(2000);
    await pace.stop();
    await served.close();
  });

  it("an event that throws ends the pace with its error", async () => {
    const clock = new SimClock(wallStart);
    clock.after(1, () => {
      throw new Error("broken");
    });
    await expect(paceClock(clock, { speed: 1000 }).done).rejects.toThrow("broken");
  });
});
