import { describe, expect, it } from "vitest";
import type { PeerWant } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { KeyRef } from "#hal/model.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import type { EffectEvent } from "#sim/base/truth.ts";
import { Msee, type MseeFault } from "#sim/site/msee.ts";
import { SimVault } from "#sim/site/vault.ts";
import { loggedEndpoint, portId, wallStart } from "../../kit/site-bench.ts";

const names = { cak: "erd-1-cak", ckn: "erd-1-ckn" };

interface Scene {
  readonly clock: SimClock;
  readonly vault: SimVault;
  readonly msee: Msee;
  readonly link1: string[];
  readonly link2: string[];
  readonly effects: EffectEvent[];
}

function build(seed = "msee"): Scene {
  const clock = new SimClock(wallStart);
  const vault = new SimVault({ clock, prng: new Prng("vault"), base: "https://demo.vault.sim" });
  const [link1, link2, effects]: [string[], string[], EffectEvent[]] = [[], [], []];
  const msee = new Msee({
    clock,
    prng: new Prng(seed),
    vault,
    name: portId,
    links: { link1: loggedEndpoint(clock, link1), link2: loggedEndpoint(clock, link2) },
    delayMs: { low: 20_000, high: 20_000 },
  });
  msee.onEffect((effect) => effects.push(effect));
  return { clock, vault, msee, link1, link2, effects };
}

function want(key: KeyRef): PeerWant {
  return { key, suite: "gcm-aes-xpn-256", sci: "on", admin: "up" };
}

function short(key: KeyRef): string {
  return key.ckn.slice(0, 4);
}

function codeOf(act: () => unknown): string {
  try {
    act();
    return "accepted";
  } catch (error) {
    return error instanceof LinksealError ? `${error.code} ${error.effect}` : String(error);
  }
}

describe("life of a put", () => {
  it("a put is accepted, updates, drops the old key, takes the new one and settles", async () => {
    const { clock, vault, msee, link1, effects } = build();
    const old = vault.generatePair(names, "gcm-aes-xpn-256");
    const next = vault.generatePair(names, "gcm-aes-xpn-256");
    msee.preset("link1", want(old));
    const operation = msee.put("link1", want(next));
    const seen: string[] = [];
    for (let second = 0; second <= 26; second += 1) {
      const { provisioning, operation: running, pointsAt } = msee.observe("link1");
      expect(running).toBe(provisioning === "updating" ? operation : undefined);
      expect(pointsAt?.cakSecretId).toBe(next.cakSecretId);
      const row = `${provisioning} ${msee.hardwareKey("link1")?.slice(0, 4) ?? "no key"}`;
      if (seen.at(-1) !== row) seen.push(row);
      await clock.runFor(1000);
    }
    expect(seen).toEqual([
      `updating ${short(old)}`,
      "updating no key",
      `updating ${short(next)}`,
      `settled ${short(next)}`,
    ]);
    expect(link1.slice(-3)).toEqual([
      `20s remove ${short(old)}`,
      expect.stringMatching(/^2[12]s protect gcm-aes-xpn-256$/),
      expect.stringMatching(new RegExp(`^2[12]s put ${short(next)}/32$`)),
    ]);
    expect(effects).toEqual([
      {
        at: 0,
        by: "agent",
        place: portId,
        link: undefined,
        port: "link1",
        what: "peer.put",
        ckn: next.ckn,
        cakSecretId: next.cakSecretId,
      },
    ]);
  });

  it("the same put again changes no hardware", async () => {
    const { clock, vault, msee, link1 } = build();
    const key = vault.generatePair(names, "gcm-aes-xpn-256");
    msee.preset("link1", want(key));
    const before = [...link1];
    msee.put("link1", want(key));
    await clock.runFor(60_000);
    expect([msee.observe("link1").provisioning, link1]).toEqual(["settled", before]);
  });

  it("a link without a put has no MACsec, and a put of link1 leaves link2 alone", async () => {
    const { clock, vault, msee, link2 } = build();
    const key = vault.generatePair(names, "gcm-aes-xpn-256");
    const untouched = msee.observe("link2");
    msee.put("link1", want(key));
    // One document contains both links, and its revision is another one after each write.
    expect(msee.observe("link2")).toEqual({ ...untouched, revision: "1" });
    expect(codeOf(() => msee.put("link2", want(key)))).toBe("peer.rejected none");
    await clock.runFor(60_000);
    expect(untouched).toEqual({
      pointsAt: undefined,
      suite: undefined,
      sci: "off",
      admin: "up",
      provisioning: "settled",
      revision: "0",
      operation: undefined,
      details: {
        identity: "present",
        bandwidthGbps: 100,
        cipher: undefined,
        provisioning: { port: "Succeeded", link: "Succeeded" },
        failure: undefined,
        circuits: [],
      },
    });
    expect([msee.observe("link2"), link2]).toEqual([{ ...untouched, revision: "2" }, ["0s clear"]]);
  });

  it.each([
    ["a short CAK is padded with zeros", "AB", "settled"],
    ["a CAK that is too long fails", "A".repeat(66), "failed"],
    ["a CAK with a line break fails", `${"A".repeat(64)}\n`, "failed"],
  ])("%s", async (_name, value, provisioning) => {
    const { clock, vault, msee } = build();
    const key = vault.generatePair(names, "gcm-aes-xpn-256");
    msee.put("link1", want({ ...key, cakSecretId: vault.put(names.cak, value) }));
    await clock.runFor(60_000);
    expect(msee.observe("link1").provisioning).toBe(provisioning);
  });

  it("a put of a version disabled meanwhile fails, and the old key stays", async () => {
    const { clock, vault, msee } = build();
    const old = vault.generatePair(names, "gcm-aes-xpn-256");
    const next = vault.generatePair(names, "gcm-aes-xpn-256");
    msee.preset("link1", want(old));
    msee.put("link1", want(next));
    vault.setEnabled(next.cakSecretId, false);
    await clock.runFor(60_000);
    expect(msee.observe("link1").provisioning).toBe("failed");
    expect(msee.hardwareKey("link1")).toBe(old.ckn);
    msee.put("link1", want(old));
    await clock.runFor(60_000);
    expect(msee.observe("link1")).toMatchObject({ provisioning: "settled" });
  });
});

describe("faults of the far end", () => {
  it.each<[MseeFault, string, string]>([
    ["refuses", "peer.rejected none", "settled"],
    ["throttled", "peer.throttled none", "settled"],
    ["fails", "accepted", "failed"],
    ["slow", "accepted", "updating"],
    ["lies", "accepted", "settled"],
  ])(
    "fault %s: put %s, a minute later %s, hardware still on the old key",
    async (fault, put, later) => {
      const { clock, vault, msee } = build();
      const old = vault.generatePair(names, "gcm-aes-xpn-256");
      const next = vault.generatePair(names, "gcm-aes-xpn-256");
      msee.preset("link1", want(old));
      msee.setFault(fault, true);
      expect(codeOf(() => msee.put("link1", want(next)))).toBe(put);
      await clock.runFor(60_000);
      expect(msee.observe("link1").provisioning).toBe(later);
      expect(msee.hardwareKey("link1")).toBe(old.ckn);
      await clock.runFor(600_000);
      const late = fault === "slow" || fault === "lies" ? next.ckn : old.ckn;
      expect(msee.hardwareKey("link1")).toBe(late);
    },
  );

  it("fault half settles with the new CKN on old octets, or only in the document", async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 12; seed += 1) {
      const { clock, vault, msee } = build(`half-${seed}`);
      const old = vault.generatePair(names, "gcm-aes-xpn-256");
      const next = vault.generatePair(names, "gcm-aes-xpn-256");
      msee.preset("link1", want(old));
      msee.setFault("half", true);
      msee.put("link1", want(next));
      await clock.runFor(60_000);
      expect(msee.observe("link1").provisioning).toBe("settled");
      seen.add(msee.hardwareKey("link1") === next.ckn ? "new name" : "old key");
      msee.setFault("half", false);
      msee.put("link1", want(next));
      await clock.runFor(60_000);
      expect(msee.hardwareKey("link1")).toBe(next.ckn);
    }
    expect([...seen].sort()).toEqual(["new name", "old key"]);
  });

  it("fault unreadable refuses reads, and a put still works", async () => {
    const { clock, vault, msee } = build();
    const key = vault.generatePair(names, "gcm-aes-xpn-256");
    msee.setFault("unreadable", true);
    expect(codeOf(() => msee.observe("link1"))).toBe("transport.unreachable none");
    msee.put("link1", want(key));
    await clock.runFor(60_000);
    expect(msee.hardwareKey("link1")).toBe(key.ckn);
  });

  it("a later operation overtakes one under fault lies, even if it fails", async () => {
    const { clock, vault, msee } = build();
    const old = vault.generatePair(names, "gcm-aes-xpn-256");
    const next = vault.generatePair(names, "gcm-aes-xpn-256");
    msee.preset("link1", want(old));
    msee.setFault("lies", true);
    msee.put("link1", want(next));
    await clock.runFor(60_000);
    msee.setFault("lies", false);
    msee.setFault("fails", true);
    msee.put("link1", want(old));
    await clock.runFor(900_000);
    expect(msee.observe("link1").provisioning).toBe("failed");
    expect(msee.hardwareKey("link1")).toBe(old.ckn);
  });
});

describe("an operator at the far end", () => {
  it("an operator changes one field at the far end and leaves the others", async () => {
    const { clock, vault, msee, effects } = build();
    const key = vault.generatePair(names, "gcm-aes-xpn-256");
    msee.preset("link1", want(key));
    msee.manualEdit("link1", { sci: "off" });
    await clock.runFor(60_000);
    expect(msee.observe("link1")).toMatchObject({ suite: "gcm-aes-xpn-256", sci: "off" });
    expect(effects.map(({ by }) => by)).toEqual(["person"]);
  });

  it("an operator turns MACsec off at the far end, which the agent cannot do", async () => {
    const { clock, vault, msee, link1 } = build();
    const key = vault.generatePair(names, "gcm-aes-xpn-256");
    msee.preset("link1", want(key));
    msee.manualEdit("link1", { key: "off" });
    await clock.runFor(60_000);
    expect(msee.observe("link1").pointsAt).toBeUndefined();
    expect(msee.hardwareKey("link1")).toBeUndefined();
    expect(link1.slice(-2)).toEqual([`20s remove ${short(key)}`, "20s clear"]);
  });

  it("a manual change at the far end waits for a running operation", async () => {
    const { clock, vault, msee } = build();
    const ours = vault.generatePair(names, "gcm-aes-xpn-256");
    const theirs = vault.generatePair(names, "gcm-aes-xpn-256");
    msee.put("link1", want(ours));
    msee.manualEdit("link1", { key: theirs });
    expect(msee.observe("link1").pointsAt?.cakSecretId).toBe(ours.cakSecretId);
    await clock.runFor(120_000);
    expect(msee.hardwareKey("link1")).toBe(theirs.ckn);
  });
});
