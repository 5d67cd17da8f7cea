// Every fault is physical: the counters and readings of the edge show its cause, and a heal undoes
// it.

import { describe, expect, it } from "vitest";
import { LinksealError } from "#hal/error.ts";
import { type MacsecFrames, type MkpduCounters, strongValue } from "#hal/model.ts";
import { FaultConsole } from "#sim/faults/fault-console.ts";
import { demoFaults, stormFaults, strikeFault } from "#sim/faults/faults.ts";
import type { Heal } from "#sim/faults/manual-operators.ts";
import { formatViolation, watchSite } from "#sim/oracle/oracle.ts";
import { buildSite, type Site, type SiteLink } from "#sim/site/site.ts";
import { ScriptedAgent } from "../../../scripted-agent.ts";
import { refused, settled } from "../../kit/site-bench.ts";

interface Struck {
  readonly site: Site;
  readonly link: SiteLink;
  /** Returns the increase of a counter of the edge port since the strike. */
  readonly rose: (counter: keyof MacsecFrames | keyof MkpduCounters) => bigint;
}

function counters(link: SiteLink): Readonly<Record<string, bigint | undefined>> {
  return { ...link.edge.frames(), ...link.edge.mkpdus() };
}

async function protectedSite(): Promise<{ site: Site; link: SiteLink }> {
  const site = buildSite({ seed: "f", name: "demo", groups: 1, tunnels: 2, start: "protected" });
  await site.clock.runFor(60_000);
  const link = site.link("erd-demo/primary");
  if (link === undefined) throw new RangeError("the demo has a primary link");
  return { site, link };
}

const truthOf = ({ site, link }: Pick<Struck, "site" | "link">) =>
  site.groupTruth(link.group).links.find(({ id }) => id === link.id);

const reports: Readonly<Record<string, (struck: Struck) => void>> = {
  "cak-mismatch": ({ rose, link }) => {
    expect(rose("icvFailed")).toBeGreaterThan(10n);
    expect(rose("unknownCkn")).toBe(0n);
    expect(link.edge.session().livePeers).toBe(0);
  },
  "ckn-mismatch": ({ rose, link }) => {
    expect(rose("unknownCkn")).toBeGreaterThan(10n);
    expect(rose("icvFailed")).toBe(0n);
    expect(link.edge.session().livePeers).toBe(0);
  },
  "cipher-mismatch": (struck) => {
    expect(struck.link.edge.session().livePeers).toBe(1);
    expect(truthOf(struck)?.carries).toBe(false);
  },
  "sci-mismatch": (struck) => {
    expect(struck.link.edge.session().livePeers).toBe(1);
    expect(struck.rose("rxNoSci") + struck.rose("rxBadTag")).toBeGreaterThan(100n);
    expect(truthOf(struck)?.carries).toBe(false);
  },
  "peer-silent": ({ rose, link }) => {
    expect(rose("received")).toBeLessThan(4n);
    expect(link.edge.session().controlledPort).not.toBe("secured");
  },
  "should-secure": ({ link }) => {
    expect(link.edge.settings()?.policy).toBe("shouldSecure");
    expect(link.edge.session().controlledPort).toBe("secured");
  },
  "stale-sak": (struck) => {
    expect(struck.link.edge.session().controlledPort).toBe("secured");
    expect(
      struck.rose("rxNotUsingSa") + struck.rose("rxUnusedSa") + struck.rose("rxNotValid"),
    ).toBeGreaterThan(100n);
    expect(truthOf(struck)?.carries).toBe(false);
  },
  "integrity-only": ({ rose }) => expect(rose("rxOctetsValidated")).toBeGreaterThan(10_000n),
  "vault-denied": ({ site, link }) => {
    expect(() => site.vault.versions(link.key.cak)).toThrow(/refuses/);
    expect(truthOf({ site, link })?.carries).toBe(true);
  },
  "commit-lost": ({ link }) => {
    expect(link.router.hasFault("silentRevert")).toBe(true);
  },
  "clear-path": ({ site }) => {
    expect(site.tunnelTruth().map(({ clearPath }) => clearPath)).toEqual([true, false]);
  },
  "clear-path-back": ({ site, link }) => {
    expect(site.tunnelTruth().map(({ clearPath }) => clearPath)).toEqual([true, false]);
    expect(strongValue(link.router.state().routing)?.advertised).toMatchObject([
      { port: link.port, prefix: "10.1.0.0/16" },
    ]);
  },
  "sent-lost": (struck) => expect(truthOf(struck)?.carries).toBe(false),
  mtu: (struck) => {
    expect(struck.rose("txTooLong")).toBeGreaterThan(100n);
    expect(struck.link.edge.session().controlledPort).toBe("secured");
  },
  "far-end-changed": (struck) => {
    const { link } = struck;
    expect(struck.rose("unknownCkn")).toBeGreaterThan(5n);
    expect(link.msee.observe(link.azureLink).pointsAt?.cakSecretId).toContain("by-hand");
  },
};

describe("a fault of the demo", () => {
  it("the demo lists fourteen faults, each with a title and a moment", () => {
    expect(demoFaults.map(({ name }) => name)).toEqual(Object.keys(reports));
    expect(new Set(demoFaults.map(({ title }) => title)).size).toBe(demoFaults.length);
  });

  it.each(demoFaults)("the demo fault $name strikes and heals: $title", async (fault) => {
    const { site, link } = await protectedSite();
    const oracle = watchSite(site);
    const before = counters(link);
    const heal = strikeFault(site, fault, link);
    await site.clock.runFor(90_000);
    const rose: Struck["rose"] = (counter) =>
      (counters(link)[counter] ?? 0n) - (before[counter] ?? 0n);
    reports[fault.name]?.({ site, link, rose });
    heal();
    await site.clock.runFor(180_000);
    const after = truthOf({ site, link });
    expect([after?.secured, after?.carries, after?.bgpUp, after?.policy]).toEqual([
      true,
      true,
      true,
      "mustSecure",
    ]);
    expect(oracle.violations.map(formatViolation)).toEqual([]);
  });
});

describe("a fault of a storm", () => {
  it.each(stormFaults)(
    "the storm fault $name lasts, heals, and is not a violation",
    async (fault) => {
      const { site, link } = await protectedSite();
      const oracle = watchSite(site);
      const output: string[] = [];
      site.attach({ fault: (text) => output.push(text) });
      const heal = strikeFault(site, fault, link);
      await site.clock.runFor(fault.lastsMs.low);
      heal();
      heal();
      await site.clock.runFor(900_000);
      const after = truthOf({ site, link });
      expect([after?.secured, after?.carries, after?.bgpUp]).toEqual([true, true, true]);
      expect(output).toEqual([`${fault.name} strikes`, `${fault.name} ends`]);
      expect(oracle.violations.map(formatViolation)).toEqual([]);
    },
  );
});

const never = new AbortController().signal;

/** Builds a site in which the router already has the next pair beside the present one. */
async function staged(name: string) {
  const { site, link } = await protectedSite();
  const oracle = watchSite(site);
  const scripted = new ScriptedAgent(site);
  const old = scripted.givenKey(link);
  const next = scripted.newKey(link);
  const fault = stormFaults.find((each) => each.name === name);
  if (fault === undefined) throw new RangeError(`no fault ${name}`);
  const strike = (): Heal => strikeFault(site, fault, link);
  const play = <T>(promise: Promise<T>): Promise<T> => settled(site.clock, promise);
  const stage = async (): Promise<void> => {
    await scripted.observe(scripted.sibling(link));
    await scripted.change(link, scripted.keyChange(link, "addKey", next));
  };
  const faultConsole = new FaultConsole(site, oracle);
  const far = (): string | undefined => link.msee.observe(link.azureLink).pointsAt?.cakSecretId;
  const wait = (minutes: number): Promise<void> => site.clock.runFor(minutes * 60_000);
  return { site, link, oracle, scripted, old, next, strike, play, stage, far, wait, faultConsole };
}

const ckns = (link: SiteLink): readonly string[] => link.edge.keys().map(({ ckn }) => ckn);

describe("an operator at the far end", () => {
  it("an operator moves the far end ahead and back if the router has not followed", async () => {
    const { link, strike, far, wait, old, next, site } = await staged("far-ahead");
    const heal = strike();
    await wait(3);
    expect([far(), truthOf({ site, link })?.carries]).toEqual([next.cakSecretId, false]);
    heal();
    await wait(5);
    expect([far(), truthOf({ site, link })?.carries]).toEqual([old.cakSecretId, true]);
  });

  it("an operator leaves the far end ahead if the router has the new key", async () => {
    const { link, strike, far, wait, next, stage, play, site } = await staged("far-ahead");
    await play(stage());
    const heal = strike();
    await wait(3);
    expect([link.edge.session().principalCkn, far()]).toEqual([next.ckn, next.cakSecretId]);
    heal();
    await wait(5);
    expect([far(), truthOf({ site, link })?.carries]).toEqual([next.cakSecretId, true]);
  });

  it("an operator gives the far end the named pair, though a newer one exists", async () => {
    const { link, far, wait, old, next, scripted, faultConsole } = await staged("far-ahead");
    const newest = scripted.newKey(link);
    const versionOf = ({ cakSecretId }: typeof old): string => cakSecretId.replace(/^.*\//, "");
    for (const [name, pair] of [
      ["far-ahead", next],
      ["far-ahead", newest],
      ["far-back", next],
      ["far-back", old],
    ] as const) {
      faultConsole.strike(name, link.id, versionOf(pair));
      await wait(3);
      expect([name, far()]).toEqual([name, pair.cakSecretId]);
    }
    expect(() => faultConsole.strike("far-ahead", link.id, "none")).toThrow("no pair with the CAK");
    expect(() => faultConsole.strike("far-off", link.id, "none")).toThrow("takes no CAK version");
  });

  it("an operator takes the far end back to the old key", async () => {
    const { link, strike, far, wait, old, next, stage, play, scripted } = await staged("far-back");
    await play(stage());
    scripted.put(link, next);
    await wait(3);
    expect(link.edge.session().principalCkn).toBe(next.ckn);
    strike();
    await wait(3);
    expect([link.edge.session().principalCkn, far()]).toEqual([old.ckn, old.cakSecretId]);
  });

  it("an operator turns MACsec off at the far end, and on again", async () => {
    const { strike, far, old, wait, site, link } = await staged("far-off");
    const heal = strike();
    await wait(3);
    expect([far(), truthOf({ site, link })?.carries]).toEqual([undefined, false]);
    heal();
    await wait(3);
    expect([far(), truthOf({ site, link })?.carries]).toEqual([old.cakSecretId, true]);
  });

  it("an operator does nothing if there is no other pair to point at", async () => {
    for (const name of ["far-ahead", "far-back"]) {
      const { site, link } = await protectedSite();
      const before = link.msee.observe(link.azureLink);
      const fault = stormFaults.find((each) => each.name === name);
      if (fault === undefined) throw new RangeError(`no fault ${name}`);
      strikeFault(site, fault, link)();
      expect(link.msee.observe(link.azureLink)).toEqual(before);
    }
  });
});

describe("an operator on the router", () => {
  it("an operator adds a key beside the present one, and removes it", async () => {
    const { link, strike, old, wait, oracle } = await staged("key-by-hand");
    const heal = strike();
    await wait(2);
    expect([ckns(link).length, link.edge.session().principalCkn]).toEqual([2, old.ckn]);
    heal();
    await wait(1);
    expect(ckns(link)).toEqual([old.ckn]);
    expect(oracle.violations.map(formatViolation)).toEqual([]);
  });

  it("an operator removes for good a staged key that no end waits for", async () => {
    const { link, strike, old, wait, stage, play } = await staged("key-gone");
    await play(stage());
    const heal = strike();
    await wait(2);
    expect(ckns(link)).toEqual([old.ckn]);
    heal();
    await wait(2);
    expect(ckns(link)).toEqual([old.ckn]);
  });

  it("an operator removes the only key, and puts it back", async () => {
    const { link, strike, old, wait, site } = await staged("key-gone");
    const heal = strike();
    await wait(2);
    expect([ckns(link), truthOf({ site, link })?.carries]).toEqual([[], false]);
    heal();
    await wait(2);
    expect([ckns(link), truthOf({ site, link })?.carries]).toEqual([[old.ckn], true]);
  });

  it("an operator removes a key and puts it back where it was", async () => {
    const { link, strike, old, next, wait, stage, play } = await staged("key-swapped");
    await play(stage());
    const heal = strike();
    expect(ckns(link)).toEqual([old.ckn]);
    heal();
    await wait(1);
    const keys = link.router.configured(link.port)?.keys ?? [];
    expect(keys.map(({ ckn }) => ckn)).toEqual([old.ckn, next.ckn]);
  });

  it("an operator removes the old key, and puts it back if the far end uses it", async () => {
    const { link, strike, old, next, wait, stage, play } = await staged("key-tidied");
    await play(stage());
    const heal = strike();
    expect(ckns(link)).toEqual([next.ckn]);
    heal();
    await wait(1);
    expect(ckns(link)).toEqual([old.ckn]);
  });

  it("an operator does not remove the only key as an old one", async () => {
    const { link, strike, old } = await staged("key-tidied");
    strike();
    expect(ckns(link)).toEqual([old.ckn]);
  });

  it("an operator restores traffic by mistake, drains again, and undoes that drain", async () => {
    const { link, strike, wait, play, scripted } = await staged("undrained-briefly");
    await play(scripted.drain(link));
    const heal = strike();
    expect(link.router.drained(link.port)).toBe(false);
    await wait(1);
    expect(link.router.drained(link.port)).toBe(true);
    heal();
    expect(link.router.drained(link.port)).toBe(false);
  });

  it("an operator leaves a drain alone that others have set since", async () => {
    const { link, strike, wait, play, scripted } = await staged("undrained-briefly");
    await play(scripted.drain(link));
    const heal = strike();
    await wait(1);
    const { port } = link;
    await play(scripted.change(link, { kind: "port.restore", port, means: "prepend" }));
    await play(scripted.drain(link));
    heal();
    expect(link.router.drained(link.port)).toBe(true);
  });

  it("a port that an operator shut is reported as shut and sends no light", async () => {
    const { link, strike, wait, site, play, scripted } = await staged("port-shut");
    const heal = strike();
    const [port] = (await play(scripted.observe(link))).macsec;
    expect([port?.admin, port?.linkUp]).toMatchObject([{ value: "down" }, { value: false }]);
    expect(truthOf({ site, link })).toMatchObject({ admin: "down", carries: false, bgpUp: false });
    heal();
    await wait(1);
    expect(truthOf({ site, link })).toMatchObject({ admin: "up", carries: true, bgpUp: true });
  });

  it("an operator restores the traffic of a drained link", async () => {
    const { link, strike, site, play, scripted } = await staged("undrained");
    await play(scripted.drain(link));
    expect(truthOf({ site, link })?.drained).toBe(true);
    strike();
    expect(truthOf({ site, link })?.drained).toBe(false);
  });

  it("an operator's unconfirmed commit is reported, and the next one has to wait", async () => {
    const { link, strike, play, scripted } = await staged("commit-left");
    const heal = strike();
    const { control } = await play(scripted.observe(link));
    expect(control).toMatchObject({ value: { commitPending: true } });
    expect((await play(refused(scripted.drain(link)))).code).toBe("device.locked");
    heal();
    await play(scripted.drain(link));
    expect(link.router.drained(link.port)).toBe(true);
  });
});

describe("the fate of a command", () => {
  it("a late reply arrives long after the change", async () => {
    const { link, strike, play, scripted, site } = await staged("reply-late");
    strike();
    const doneAt: number[] = [];
    link.router.onEffect(() => doneAt.push(site.clock.now()));
    await play(scripted.drain(link));
    expect(site.clock.now() - (doneAt[0] ?? Infinity)).toBeGreaterThan(5_000);
  });

  it("a request that arrives twice is carried out once, even after a rollback", async () => {
    const { link, strike, play, scripted, wait, site, next } = await staged("request-twice");
    strike();
    const reported: string[] = [];
    site.onEffect(({ what }) => reported.push(what));
    await play(scripted.drain(link));
    await wait(1);
    expect(reported).toEqual(["port.drain"]);
    const change = [scripted.keyChange(link, "addKey", next)];
    const transaction = await play(scripted.device(link).prepare(change, scripted.keys, never));
    await play(transaction.apply(600_000, never));
    await play(transaction.rollback(never));
    await wait(2);
    expect(reported).toEqual(["port.drain", "macsec.addKey", "rollback"]);
    expect(ckns(link)).not.toContain(next.ckn);
  });

  it("a refused new key, and a refused removal of a key, change nothing", async () => {
    const { link, strike, play, scripted, next, stage } = await staged("key-refused");
    const heal = strike();
    const error = await play(
      refused(scripted.change(link, scripted.keyChange(link, "addKey", next))),
    );
    expect([error.code, error.effect]).toEqual(["device.rejected", "none"]);
    expect(error.message).toContain("its table of keys is full");
    heal();
    await play(stage());
    link.router.setFault("keepsKeys", true);
    const gone = { kind: "macsec.removeKey", port: link.port, ckn: next.ckn } as const;
    expect((await play(refused(scripted.change(link, gone)))).code).toBe("device.rejected");
    link.router.setFault("keepsKeys", false);
    await play(scripted.change(link, gone));
    expect(ckns(link)).not.toContain(next.ckn);
  });

  it("a late confirmed commit lands after its timeout, a final one at once", async () => {
    const { link, strike, play, scripted, wait, next } = await staged("commit-late");
    strike();
    await play(scripted.drain(link));
    expect(link.router.drained(link.port)).toBe(true);
    const change = [scripted.keyChange(link, "addKey", next)];
    const transaction = await play(scripted.device(link).prepare(change, scripted.keys, never));
    const error = await play(refused(transaction.apply(600_000, never)));
    expect([error.code, error.effect]).toEqual(["transport.timeout", "unknown"]);
    await wait(3);
    expect(ckns(link)).toContain(next.ckn);
    expect(link.router.commits.armed()).toBe(true);
  });

  it("a late final change lands long after its timeout, a staged one at once", async () => {
    const { link, strike, play, scripted, wait, site, next } = await staged("final-late");
    const heal = strike();
    const staging = [scripted.keyChange(link, "addKey", next)];
    const early = await play(scripted.device(link).prepare(staging, scripted.keys, never));
    await play(early.apply(600_000, never));
    expect(ckns(link)).toContain(next.ckn);
    await play(early.confirm(never));
    const sentAt = site.clock.now();
    const error = await play(refused(scripted.drain(link)));
    expect([error.code, error.effect]).toEqual(["transport.timeout", "unknown"]);
    heal();
    expect(link.router.drained(link.port)).toBe(false);
    const doneAt: number[] = [];
    link.router.onEffect(() => doneAt.push(site.clock.now()));
    await wait(8);
    expect(link.router.drained(link.port)).toBe(true);
    expect((doneAt[0] ?? 0) - sentAt).toBeGreaterThanOrEqual(20_000);
    expect((doneAt[0] ?? 0) - sentAt).toBeLessThanOrEqual(425_000);
  });

  it("a boot that forgets the timer keeps the unconfirmed commit", async () => {
    const { link, strike, play, scripted, wait, next } = await staged("boot-forgets");
    const change = [scripted.keyChange(link, "addKey", next)];
    const device = scripted.device(link);
    const transaction = await play(device.prepare(change, scripted.keys, never));
    await play(transaction.apply(60_000, never));
    strike();
    await wait(5);
    expect([ckns(link).includes(next.ckn), link.router.commits.pending()]).toEqual([true, false]);
    expect(await play(device.recall(transaction.token, never))).toEqual({ kind: "absent" });
    expect((await play(refused(transaction.confirm(never)))).code).toBe("device.commitExpired");
  });

  it("a standby that takes over lacks the newest commits, and no older ones", async () => {
    const { link, strike, play, scripted, wait, next } = await staged("standby-behind");
    const device = scripted.device(link);
    const apply = async (change: Parameters<typeof device.prepare>[0]): Promise<void> => {
      const transaction = await play(device.prepare(change, scripted.keys, never));
      await play(transaction.apply("final", never));
    };
    await apply([scripted.keyChange(link, "addKey", next)]);
    await wait(50);
    await apply([{ kind: "port.shut", port: link.port }]);
    expect(link.router.configured(link.port)?.admin).toBe("down");
    strike();
    expect(link.router.configured(link.port)?.admin).toBe("up");
    expect(ckns(link)).toContain(next.ckn);
    strike();
    expect(ckns(link)).toContain(next.ckn);
  });

  it("a far end that never follows reports success, and follows once healed", async () => {
    const { link, strike, wait, old, next, stage, play, scripted } = await staged("far-never");
    await play(stage());
    const heal = strike();
    scripted.put(link, next);
    await wait(60);
    expect(link.msee.observe(link.azureLink)).toMatchObject({
      pointsAt: { cakSecretId: next.cakSecretId },
      provisioning: "settled",
    });
    expect(link.msee.hardwareKey(link.azureLink)).toBe(old.ckn);
    heal();
    await wait(2);
    expect(link.msee.hardwareKey(link.azureLink)).toBe(next.ckn);
  });

  it("a disabled version is refused to the agent and to the far end", async () => {
    const { link, strike, wait, old, next, scripted, site } = await staged("vault-disabled");
    const heal = strike();
    expect(() => site.vault.value(next.cakSecretId)).toThrow(LinksealError);
    scripted.put(link, next);
    await wait(3);
    expect(link.msee.observe(link.azureLink).provisioning).toBe("failed");
    expect(link.msee.hardwareKey(link.azureLink)).toBe(old.ckn);
    heal();
    expect(site.vault.value(next.cakSecretId)).toHaveLength(64);
  });
});
