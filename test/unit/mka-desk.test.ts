import { describe, expect, it } from "vitest";
import { LinksealError } from "#hal/error.ts";
import type { CipherSuite } from "#hal/model.ts";
import { caOf } from "./kay-kit.ts";
import { type Host, hosts, signal } from "./mka-host.ts";

const ca = caOf("desk");
const other = caOf("another");
const priority = (keyServerPriority: number) =>
  ({ keyServerPriority, sakRekeyMs: undefined, delayProtection: "off" }) as const;

async function protectedHosts(suite: CipherSuite = "gcm-aes-xpn-256") {
  const both = hosts(suite);
  const { clock, a, b } = both;
  await clock.runFor(10);
  await b.client.configure(priority(32), { token: "t", within: "final" }, signal);
  for (const one of [a, b]) await one.add(ca);
  await clock.runFor(5000);
  return both;
}

const keysOf = async (host: Host): Promise<readonly string[]> => {
  const look = await host.client.observe(signal);
  return look.kind === "bound" ? look.keys.map(({ ckn }) => ckn) : [];
};

describe("a participant on its port", () => {
  it.each(["gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"] as const)(
    "%s: both kernels hold one SAK, and only they",
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
      const said = JSON.stringify([a.log, b.log]);
      expect(said).not.toContain(ca16.cak);
      expect(said).not.toContain(sending ?? "");
    },
  );

  it("waits for its SecY, and begins again with a new one", async () => {
    const { clock, a, b } = hosts("none");
    await clock.runFor(2000);
    expect(await a.client.observe(signal)).toMatchObject({ kind: "waiting", because: "noSecy" });
    await expect(a.add(ca)).rejects.toMatchObject({ code: "device.rejected", effect: "none" });
    for (const one of [a, b]) {
      one.make("gcm-aes-256");
      await one.add(ca);
    }
    await clock.runFor(8000);
    expect(await a.isSecured()).toBe(true);
    a.kernel.secy = undefined;
    a.hint();
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

  it("hears what came while it stood still before it gives anybody up", async () => {
    const { clock, a, b } = await protectedHosts();
    const { saks } = a.kernel;
    // Only its ears: its clock is that of everybody here.
    for (let count = 0; count < 20; count += 1) {
      a.isStill = true;
      await clock.runFor(3000);
      a.isStill = false;
    }
    expect(a.kernel.saks).toEqual(saks);
    expect(b.kernel.saks).toEqual(saks);
    expect([...a.log, ...b.log].join()).not.toContain("lost");
  });

  it("ends where nobody can know any more what the SecY holds", async () => {
    const { clock, a } = await protectedHosts();
    const closed = new LinksealError("transport.closed", "gone", {
      ...{ effect: "unknown", where: "kernel", next: "look" },
    });
    a.kernel.fault = () => {
      throw closed;
    };
    await expect(a.client.rekey(signal)).rejects.toMatchObject({ effect: "unknown" });
    await clock.runFor(100);
    expect(await a.ended).toBe(closed);
  });
});

describe("a peer that says that it receives", () => {
  it("and from whom nothing comes is a trouble after a life time", async () => {
    const { clock, a } = await protectedHosts();
    const troubles = async (): Promise<readonly string[]> => {
      const look = await a.client.observe(signal);
      return look.kind === "bound" ? look.troubles.map(({ code }) => code) : [];
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

describe("a change that is not confirmed", () => {
  it("is taken back in time, in its order, whoever asked", async () => {
    const { clock, a } = await protectedHosts();
    await a.add(other, 60_000, "change");
    const step = { token: "change", within: 30_000 };
    await a.client.configure(priority(99), step, signal);
    expect(await keysOf(a)).toEqual([ca.ckn, other.ckn]);
    expect(await a.client.recall("change", signal)).toBe("pending");
    await clock.runFor(29_000);
    expect(await keysOf(a)).toEqual([ca.ckn, other.ckn]);
    await clock.runFor(2000);
    expect(await keysOf(a)).toEqual([ca.ckn]);
    expect(await a.client.observe(signal)).toMatchObject({ settings: { keyServerPriority: 16 } });
    expect(await a.client.recall("change", signal)).toBe("absent");
    await expect(a.client.confirm("change", signal)).rejects.toMatchObject({
      code: "device.commitExpired",
    });
  });

  it("keeps others out, and is kept once it is confirmed", async () => {
    const { clock, a } = await protectedHosts();
    await a.add(other, 30_000, "change");
    const locked = { code: "device.locked", effect: "none" };
    await expect(a.add(caOf("third"), 30_000, "more")).rejects.toMatchObject(locked);
    await expect(a.client.remove(ca.ckn, signal)).rejects.toMatchObject(locked);
    await expect(a.client.promote(other.ckn, signal)).rejects.toMatchObject(locked);
    const step = { token: "more", within: "final" } as const;
    await expect(a.client.configure(priority(1), step, signal)).rejects.toMatchObject(locked);
    await a.client.confirm("change", signal);
    await a.client.confirm("change", signal);
    await clock.runFor(60_000);
    expect(await keysOf(a)).toEqual([ca.ckn, other.ckn]);
    await a.client.promote(other.ckn, signal);
    await a.client.remove(ca.ckn, signal);
    expect(await keysOf(a)).toEqual([other.ckn]);
  });

  it("is taken back when it is asked for, and twice is once", async () => {
    const { a } = await protectedHosts();
    await a.add(other, 30_000, "change");
    await a.add(other, 30_000, "change");
    await a.client.rollback("change", signal);
    await a.client.rollback("change", signal);
    expect(await keysOf(a)).toEqual([ca.ckn]);
    // What was there before is not taken back with it.
    await a.add(ca, 30_000, "again");
    expect(await a.client.recall("again", signal)).toBe("absent");
    await expect(a.add({ ...ca, cak: other.cak })).rejects.toMatchObject({
      code: "device.rejected",
      message: "another CAK is here under this CKN",
    });
  });

  it("is the successor's to take back, by what is left of its time", async () => {
    const { clock, a } = await protectedHosts();
    await a.add(other, 30_000, "change");
    a.kill();
    await clock.runFor(3000);
    a.start();
    await clock.runFor(100);
    expect(await a.client.recall("change", signal)).toBe("pending");
    await clock.runFor(25_000);
    expect(await keysOf(a)).toEqual([ca.ckn, other.ckn]);
    await clock.runFor(3000);
    expect(await keysOf(a)).toEqual([ca.ckn]);
  });
});

describe("a successor", () => {
  it("without a SecY keeps what it was left, and takes back what was not confirmed", async () => {
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

  it("with the memory carries on as the same member, and touches nothing", async () => {
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

  it("without the memory leaves the SAs until its key is there, and another SAK", async () => {
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
