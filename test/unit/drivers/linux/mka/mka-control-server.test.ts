import { queryObjects } from "node:v8";
import { describe, expect, it } from "vitest";
import type { RequestedOperation } from "#drivers/linux/mka/protocol.ts";
import { LinksealError } from "#hal/error.ts";
import type { CipherSuite } from "#hal/model.ts";
import { caOf } from "../../../kit/kay-kit.ts";
import { secretOf, type TestCa } from "../../../kit/kay-recorded.ts";
import { refused as refusedBy } from "../../../kit/site-bench.ts";
import { type Host, hosts, signal } from "./mka-host.ts";

const ca = caOf("desk");
const other = caOf("another");
const priority = (keyServerPriority: number) =>
  ({
    kind: "configure",
    settings: { keyServerPriority, sakRekeyMs: undefined, delayProtection: "off" },
  }) as const;
const remove = (gone: TestCa) => ({ kind: "remove", ckn: gone.ckn }) as const;
const final = (token: string) => ({ token, within: "final" }) as const;

async function protectedHosts(suite: CipherSuite = "gcm-aes-xpn-256") {
  const both = hosts(suite);
  const { clock, a, b } = both;
  await clock.runFor(10);
  await b.change(priority(32), final("t"));
  for (const one of [a, b]) await one.add(ca);
  await clock.runFor(5000);
  return both;
}

const keysOf = async (host: Host): Promise<readonly string[]> => {
  const observation = await host.client.observe(signal);
  return observation.kind === "bound" ? observation.keys.map(({ ckn }) => ckn) : [];
};

describe("a participant on its port", () => {
  it.each(["gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"] as const)(
    "MKA under %s installs one SAK in both kernels, and nothing else",
    async (suite) => {
      const ca16 = caOf("sixteen", 32, 16);
      const { clock, a, b } = hosts(suite);
      await clock.runFor(10);
      for (const one of [a, b]) await one.add(ca16);
      await clock.runFor(10_000);
      const [sending] = a.kernel.saks;
      expect(sending).toBeDefined();
      expect(a.kernel.saks).toEqual([sending, sending]);
      expect(b.kernel.saks).toEqual(a.kernel.saks);
      expect(await a.client.observe(signal)).toMatchObject({
        ...{ kind: "bound", device: "ms-wire", liveSuite: suite, troubles: [], pending: undefined },
        keys: [{ ckn: ca16.ckn, role: "primary" }],
        session: { controlledPort: "secured", livePeers: 1, respondedPeers: 1 },
      });
      for (const secret of a.kernel.secrets) expect(() => secret.copy()).toThrow("wiped");
      const shown = JSON.stringify([a.log, b.log]);
      expect(shown).not.toContain(ca16.cak);
      expect(shown).not.toContain(sending ?? "");
    },
  );

  // A rest and a client's wait were races with a promise that lived on, and left a part each time.
  it("a port on which nothing happens keeps nothing of rests and of waits", async () => {
    const { clock, a } = hosts("none");
    const pass = async (rests: number): Promise<number> => {
      for (let nth = 0; nth < rests; nth += 1) {
        const waiting = a.client.changes(0, 900, signal);
        await clock.runFor(1000);
        expect(await waiting).toBe(0);
      }
      return queryObjects(Promise, { format: "count" });
    };
    const before = await pass(10);
    expect((await pass(50)) - before).toBeLessThan(40);
  });

  it("MKA waits for its SecY, and begins again with a new one", async () => {
    const { clock, a, b } = hosts("none");
    await clock.runFor(2000);
    expect(await a.client.observe(signal)).toMatchObject({ kind: "waiting", because: "noSecy" });
    await expect(a.add(ca)).rejects.toMatchObject({ code: "device.rejected", effect: "none" });
    expect(await a.client.stage("t", 0, priority(7), signal)).toHaveLength(1);
    for (const one of [a, b]) {
      one.make("gcm-aes-256");
      await one.add(ca);
    }
    await clock.runFor(8000);
    expect(await a.isSecured()).toBe(true);
    a.kernel.secy = undefined;
    a.noteChange();
    await clock.runFor(200);
    expect(await a.client.observe(signal)).toMatchObject({ troubles: [{ code: "deviceLost" }] });
    a.make("gcm-aes-xpn-128");
    b.make("gcm-aes-xpn-128");
    await clock.runFor(15_000);
    expect(await a.client.observe(signal)).toMatchObject({
      liveSuite: "gcm-aes-xpn-128",
      settings: { suite: "gcm-aes-xpn-128" },
    });
    expect(a.kernel.saks).toEqual(b.kernel.saks);
  });

  it("MKA counts clear data frames from the binding of its SecY on, and no MKPDU", async () => {
    const { clock, a, b } = await protectedHosts();
    const clear = async (): Promise<bigint | undefined> => {
      const observation = await a.client.observe(signal);
      return observation.kind === "bound" ? observation.clear : undefined;
    };
    for (let nth = 0; nth < 1000; nth += 1) a.take(Uint8Array.from({ length: 60 }, () => nth));
    await clock.runFor(5000);
    expect(await clear()).toBe(0n);
    a.clearFrames = 3n;
    expect([await clear(), await clear()]).toEqual([3n, 3n]);
    a.clearFrames = 2n;
    await clock.runFor(5000);
    expect(await clear()).toBe(5n);
    a.clearFrames = 7n;
    a.make("gcm-aes-256");
    await clock.runFor(5000);
    expect(await clear()).toBe(0n);
    expect(await b.isSecured()).toBe(true);
  });

  it("MKA reads the frames of a pause before it gives up a peer", async () => {
    const { clock, a, b } = await protectedHosts();
    const { saks } = a.kernel;
    // Only the socket stands still: the clock is the same for all hosts here.
    for (let count = 0; count < 20; count += 1) {
      a.isStill = true;
      await clock.runFor(3000);
      a.isStill = false;
    }
    expect(a.kernel.saks).toEqual(saks);
    expect(b.kernel.saks).toEqual(saks);
    expect([...a.log, ...b.log].join()).not.toContain("lost");
  });

  it("MKA ends with the error if the state of its SecY is not known any more", async () => {
    const { clock, a } = await protectedHosts();
    const closed = new LinksealError("transport.closed", "gone", {
      ...{ effect: "unknown", where: "kernel", next: "look" },
    });
    a.kernel.fault = () => {
      throw closed;
    };
    const rekey = a.change({ kind: "rekey" }, final("rekey"));
    await expect(rekey).rejects.toMatchObject({ effect: "unknown" });
    await clock.runFor(100);
    expect(await a.ended).toBe(closed);
  });
});

describe("a peer that says that it receives", () => {
  it("a peer that reports to receive but never sends is a trouble after a life time", async () => {
    const { clock, a } = await protectedHosts();
    const troubles = async (): Promise<readonly string[]> => {
      const observation = await a.client.observe(signal);
      return observation.kind === "bound" ? observation.troubles.map(({ code }) => code) : [];
    };
    if (a.kernel.secy !== undefined) a.kernel.secy.received = 0;
    await clock.runFor(5000);
    expect(await troubles()).toEqual([]);
    await clock.runFor(3000);
    expect(await troubles()).toEqual(["nothingReceived"]);
    if (a.kernel.secy !== undefined) a.kernel.secy.received = 1;
    await clock.runFor(1000);
    expect(await troubles()).toEqual([]);
  });
});

/** Stages a change of these operations; returns the lines of each. */
async function stage(
  host: Host,
  token: string,
  ...operations: readonly RequestedOperation[]
): Promise<readonly (readonly string[])[]> {
  const lines: (readonly string[])[] = [];
  for (const [place, operation] of operations.entries()) {
    lines.push(await host.client.stage(token, place, operation, signal));
  }
  return lines;
}

describe("a change", () => {
  it("a change has no effect before it is applied, and then all of it in order", async () => {
    const { clock, a } = await protectedHosts();
    using secret = secretOf(other.cak);
    const add = { kind: "add", ckn: other.ckn, key: secret } as const;
    const lines = await stage(a, "change", priority(9), add, priority(8));
    expect(lines.map((reported) => reported.length)).toEqual([1, 2, 3]);
    expect(lines[2]?.[1]).toBe(`+ CAK ${other.ckn} [secret cak]`);
    expect(await keysOf(a)).toEqual([ca.ckn]);
    expect(await a.client.recall("change", signal)).toBeUndefined();
    // After an answer was lost, the same place is the same operation.
    expect(await a.client.stage("change", 2, priority(8), signal)).toHaveLength(3);
    await a.client.apply("change", "final", signal);
    expect(await keysOf(a)).toEqual([ca.ckn, other.ckn]);
    expect(await a.client.observe(signal)).toMatchObject({ settings: { keyServerPriority: 8 } });
    expect(await stage(a, "again", priority(8), add)).toEqual([[], []]);
    await a.client.apply("change", "final", signal);
    await clock.runFor(1000);
    const late = a.client.rollback("change", signal);
    await expect(late).rejects.toMatchObject({ code: "device.rejected", effect: "none" });
  });

  it("a change that was dropped, or not applied within an hour, is gone", async () => {
    const { clock, a } = await protectedHosts();
    const gone = { code: "device.rejected", message: /not prepared here any more/, effect: "none" };
    await stage(a, "dropped", priority(9));
    await a.client.rollback("dropped", signal);
    const dropped = await refusedBy(a.client.apply("dropped", "final", signal));
    await stage(a, "late", priority(9));
    await clock.runFor(3_600_001);
    const late = await refusedBy(a.client.apply("late", "final", signal));
    for (const { code, message, effect } of [dropped, late]) {
      expect([code, effect]).toEqual([gone.code, gone.effect]);
      expect(message).toMatch(gone.message);
    }
  });

  it("the key in use, the last key and a third key are refused", async () => {
    const { a, b, clock } = await protectedHosts();
    const texts = async (act: Promise<unknown>): Promise<string> => (await refusedBy(act)).message;
    expect(await texts(a.change(remove(ca), final("1")))).toContain("the last CAK");
    await a.add(other);
    expect(await texts(a.change(remove(ca), final("2")))).toContain("the CAK in use");
    expect(await texts(a.add(caOf("third")))).toContain("two CAKs");
    expect(await texts(a.add({ ...other, cak: ca.cak }, "final", "3"))).toContain("another CAK");
    await a.change(remove(caOf("stranger")), final("4"));
    expect(await keysOf(a)).toEqual([ca.ckn, other.ckn]);
    const within = a.change(remove(other), { token: "5", within: 30_000 });
    expect(await refusedBy(within)).toMatchObject({ code: "device.unsupported", effect: "none" });
    await b.add(other);
    await b.change(remove(other), final("6"));
    using secret = secretOf(other.cak);
    await a.change({ kind: "replace", ckn: other.ckn, key: secret }, final("7"));
    expect(await keysOf(a)).toEqual([other.ckn]);
    await b.change({ kind: "replace", ckn: other.ckn, key: secret }, final("8"));
    await clock.runFor(15_000);
    expect(await a.isSecured()).toBe(true);
  });

  it("a fresh SAK is made at the key server, and refused elsewhere", async () => {
    const { a, b, clock } = await protectedHosts();
    const { saks } = a.kernel;
    const member = await refusedBy(b.change({ kind: "rekey" }, final("rekey")));
    expect(member).toMatchObject({ code: "device.unsupported", effect: "none" });
    await a.change({ kind: "rekey" }, final("rekey"));
    await clock.runFor(5000);
    expect(a.kernel.saks).not.toEqual(saks);
    expect(a.kernel.saks).toEqual(b.kernel.saks);
  });
});

describe("a change that is not confirmed", () => {
  it("an unconfirmed change is reverted in time, in reverse order", async () => {
    const { clock, a } = await protectedHosts();
    using secret = secretOf(other.cak);
    await stage(a, "change", { kind: "add", ckn: other.ckn, key: secret }, priority(99));
    await a.client.apply("change", 30_000, signal);
    expect(await keysOf(a)).toEqual([ca.ckn, other.ckn]);
    expect(await a.client.recall("change", signal)).toContain(`+ CAK ${other.ckn}`);
    await clock.runFor(29_000);
    expect(await keysOf(a)).toEqual([ca.ckn, other.ckn]);
    await clock.runFor(2000);
    expect(await keysOf(a)).toEqual([ca.ckn]);
    expect(await a.client.observe(signal)).toMatchObject({ settings: { keyServerPriority: 16 } });
    expect(await a.client.recall("change", signal)).toBeUndefined();
    await expect(a.client.confirm("change", signal)).rejects.toMatchObject({
      code: "device.commitExpired",
    });
  });

  it("a pending change locks out others, and stays once it is confirmed", async () => {
    const { clock, a } = await protectedHosts();
    await a.add(other, 30_000, "change");
    const locked = { code: "device.locked", effect: "none" };
    await expect(a.change(priority(1), final("more"))).rejects.toMatchObject(locked);
    await a.client.confirm("change", signal);
    await a.client.confirm("change", signal);
    await clock.runFor(60_000);
    expect(await keysOf(a)).toEqual([ca.ckn, other.ckn]);
    await a.client.apply("more", "final", signal);
    expect(await a.client.observe(signal)).toMatchObject({ settings: { keyServerPriority: 1 } });
  });

  it("a pending change is rolled back on request, and a second time without effect", async () => {
    const { a } = await protectedHosts();
    await a.add(other, 30_000, "change");
    await a.client.apply("change", 30_000, signal);
    await a.client.rollback("change", signal);
    await a.client.rollback("change", signal);
    expect(await keysOf(a)).toEqual([ca.ckn]);
    // A key that was there before is not reverted with it.
    await a.add(ca, 30_000, "again");
    expect(await a.client.recall("again", signal)).toBe("");
    await a.client.rollback("again", signal);
    expect(await keysOf(a)).toEqual([ca.ckn]);
  });

  it("a successor reverts a pending change after the rest of its time", async () => {
    const { clock, a } = await protectedHosts();
    await a.add(other, 30_000, "change");
    a.kill();
    await clock.runFor(3000);
    a.start();
    await clock.runFor(100);
    expect(await a.client.recall("change", signal)).toContain("+ CAK");
    await clock.runFor(25_000);
    expect(await keysOf(a)).toEqual([ca.ckn, other.ckn]);
    await clock.runFor(3000);
    expect(await keysOf(a)).toEqual([ca.ckn]);
  });
});

describe("a process that is killed in the middle of a change that waits", () => {
  // Killed after the first part, it left that part in force for good: the deadline was not stored.
  it("a successor with any state that was stored meanwhile takes all of it back", async () => {
    const { clock, a } = await protectedHosts();
    const before = a.memories.length;
    using secret = secretOf(other.cak);
    await a.client.stage("trial", 0, { kind: "add", ckn: other.ckn, key: secret }, signal);
    await a.client.stage("trial", 1, priority(7), signal);
    await a.client.apply("trial", 60_000, signal);
    const stored = a.memories.slice(before);
    expect(stored.length).toBeGreaterThan(1);
    // The newest comes first, because its time runs on.
    for (const [index, memory] of stored.toReversed().entries()) {
      a.kill();
      a.memory = memory;
      a.start();
      await clock.runFor(10);
      const isWaiting = (await a.client.recall("trial", signal)) !== undefined;
      expect([index, isWaiting]).toEqual([index, index === 0]);
      await clock.runFor(60_000);
      expect([index, await keysOf(a)]).toEqual([index, [ca.ckn]]);
      expect(await a.client.observe(signal)).toMatchObject({ settings: { keyServerPriority: 16 } });
    }
  });
});

describe("a successor", () => {
  it("a successor without memory reports its keys as lost until it gets one", async () => {
    const { clock, a } = hosts("gcm-aes-256");
    await clock.runFor(100);
    expect(await a.client.observe(signal)).toMatchObject({ keys: [], keyLoss: "restart" });
    // The change is not confirmed in time.
    await a.add(ca, 3_000, "lost");
    await clock.runFor(4_000);
    expect(await a.client.observe(signal)).toMatchObject({ keys: [], keyLoss: "restart" });
    await a.add(ca);
    await a.add(other, "final", "second");
    await a.change(remove(other), final("third"));
    expect(await a.client.observe(signal)).toMatchObject({ keyLoss: undefined });
    a.kill();
    a.start();
    await clock.runFor(100);
    expect(await a.client.observe(signal)).toMatchObject({ keyLoss: undefined });
  });

  it("no observation shows a change that is being reverted as final", async () => {
    const { clock, a } = await protectedHosts();
    await a.client.stage("t", 0, priority(7), signal);
    await a.client.apply("t", 1000, signal);
    const observations = [a.client.observe(signal)];
    const write = a.log.push.bind(a.log);
    a.log.push = (...lines) => {
      observations.push(a.client.observe(signal));
      return write(...lines);
    };
    await clock.runFor(2000);
    observations.push(a.client.observe(signal));
    const observed = (await Promise.all(observations)).flatMap((observation) =>
      observation.kind === "bound"
        ? [`${observation.pending} ${observation.settings.keyServerPriority}`]
        : [],
    );
    expect(observed.length).toBeGreaterThan(2);
    expect(new Set(observed)).toEqual(new Set(["t 7", "undefined 16"]));
  });

  it("a successor without a SecY keeps its memory, and reverts what is unconfirmed", async () => {
    const { clock, a, b } = await protectedHosts();
    await a.add(other, 30_000, "change");
    a.kill();
    a.kernel.secy = undefined;
    for (const waitMs of [10_000, 60_000]) {
      a.start();
      await clock.runFor(waitMs);
      expect(await a.client.observe(signal)).toMatchObject({ kind: "waiting" });
      a.kill();
    }
    a.start();
    a.make("gcm-aes-xpn-256");
    await clock.runFor(20_000);
    expect(await keysOf(a)).toEqual([ca.ckn]);
    expect(await a.isSecured()).toBe(true);
    expect(b.kernel.saks).toEqual(a.kernel.saks);
  });

  it("a successor with the memory goes on as the same member, and changes nothing", async () => {
    const { clock, a, b } = await protectedHosts();
    const { saks } = a.kernel;
    const written = [a.kernel.log.length, b.kernel.log.length];
    for (const one of [a, b]) {
      one.kill();
      await clock.runFor(3500);
      one.start();
      await clock.runFor(15_000);
      expect(await one.isSecured()).toBe(true);
    }
    expect([a.kernel.log.length, b.kernel.log.length]).toEqual(written);
    expect([a.kernel.saks, b.kernel.saks]).toEqual([saks, saks]);
  });

  it("a successor without memory leaves the SAs until a key brings another SAK", async () => {
    const { clock, a, b } = await protectedHosts();
    const { saks } = a.kernel;
    a.kill();
    a.memory = undefined;
    await clock.runFor(1000);
    a.start();
    await clock.runFor(1000);
    expect(a.kernel.saks).toEqual(saks);
    await a.add(ca);
    await clock.runFor(15_000);
    expect(await a.isSecured()).toBe(true);
    expect(a.kernel.saks[0]).not.toBe(saks[0]);
    expect(b.kernel.saks).toEqual(a.kernel.saks);
  });
});
