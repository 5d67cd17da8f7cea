// The routers of a mixed storm: every kind is present, and each does what its kind can do.

import { describe, expect, it } from "vitest";
import type { Capabilities } from "#hal/device.ts";
import { buildSite, type Site, type SiteLink } from "#sim/site/site.ts";
import { ScriptedAgent } from "../../scripted-agent.ts";
import { modelsOf } from "../../storm/storm-site.ts";
import { refused, settled } from "../kit/site-bench.ts";

const devices = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `edge-${index}`);

function commitOf({ commit }: Capabilities): string {
  if (commit.kind !== "confirmed") return commit.kind;
  return commit.confirmedBy;
}

const seeds = ["a", "b", "c", "d", "e", "f", "g", "h"];

describe("the models of a storm", () => {
  it.each(seeds)("four routers have every commit mode and every overlap, seed %s", (seed) => {
    const models = [...modelsOf(seed, devices(4)).values()];
    expect(new Set(models.map(({ capabilities }) => commitOf(capabilities)))).toEqual(
      new Set(["anySession", "ownSession", "armedRevert", "immediate"]),
    );
    expect(new Set(models.map(({ capabilities }) => capabilities.macsec?.overlap))).toEqual(
      new Set(["keychain", "fallback", "none"]),
    );
  });

  it("twelve routers have every mode with every overlap; sixty also without probe", () => {
    const kinds = (count: number, pick: (capabilities: Capabilities) => boolean): number => {
      const models = [...modelsOf("many", devices(count)).values()];
      const picked = models.map(({ capabilities }) => capabilities).filter(pick);
      return new Set(picked.map((one) => `${commitOf(one)} ${one.macsec?.overlap}`)).size;
    };
    expect(kinds(12, () => true)).toBe(12);
    expect(kinds(60, ({ probe }) => probe === undefined)).toBe(12);
    expect(kinds(60, ({ probe }) => probe === true)).toBe(12);
  });

  it("commits of the models take from a third of a second to twenty seconds", () => {
    const times = [...modelsOf("many", devices(400)).values()].map(({ commitMs }) => commitMs ?? 0);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(300);
    expect(Math.max(...times)).toBeLessThanOrEqual(20_000);
    for (const [low, high] of [
      [300, 1_000],
      [1_000, 5_000],
      [10_000, 20_000],
    ] as const) {
      expect(times.filter((ms) => ms >= low && ms < high).length).toBeGreaterThan(40);
    }
  });

  it("the same seed gives the same routers, and another seed others", () => {
    const reported = (seed: string): string => JSON.stringify([...modelsOf(seed, devices(8))]);
    expect(reported("a")).toBe(reported("a"));
    expect(reported("a")).not.toBe(reported("b"));
  });
});

type Overlap = NonNullable<Capabilities["macsec"]>["overlap"];

async function routerOf(overlap: Overlap, commitMs = 1_000) {
  const site = buildSite({
    seed: "model",
    name: "demo",
    groups: 1,
    tunnels: 0,
    start: "protected",
    models: () => ({ capabilities: capabilitiesOf(overlap), commitMs }),
  });
  await site.clock.runFor(60_000);
  const scripted = new ScriptedAgent(site);
  const link = scripted.link("erd-demo/primary");
  const play = <T>(promise: Promise<T>): Promise<T> => settled(site.clock, promise);
  return { site, scripted, link, play, old: scripted.givenKey(link), next: scripted.newKey(link) };
}

function capabilitiesOf(overlap: Overlap): Capabilities {
  return {
    commit: { kind: "immediate" },
    macsec: { suites: ["gcm-aes-xpn-256"], overlap, counters: "perPort", hitless: [] },
    drain: { means: ["prepend"], settleMs: 1_000 },
  };
}

const roles = (site: Site, link: SiteLink): readonly string[] => {
  const [port] = site.routers.get(link.device)?.state().macsec ?? [];
  return port?.keys.kind === "known" ? port.keys.value.map(({ role }) => role) : [];
};

describe("a rotation on the router of a model", () => {
  it("a router with a key chain has two primary keys, and needs no promotion", async () => {
    const { site, scripted, link, play, old, next } = await routerOf("keychain");
    await play(scripted.change(link, scripted.keyChange(link, "addKey", next)));
    expect(roles(site, link)).toEqual(["primary", "primary"]);
    scripted.put(link, next);
    await site.clock.runFor(120_000);
    const { port } = link;
    const promote = { kind: "macsec.promoteKey", port, ckn: next.ckn } as const;
    expect((await play(refused(scripted.change(link, promote)))).code).toBe("device.unsupported");
    await play(scripted.change(link, { kind: "macsec.removeKey", port, ckn: old.ckn }));
    expect(link.edge.keys().map(({ ckn }) => ckn)).toEqual([next.ckn]);
  });

  it("a router with a fallback key removes the old one only after a promotion", async () => {
    const { site, scripted, link, play, old, next } = await routerOf("fallback");
    const { port } = link;
    await play(scripted.change(link, { kind: "macsec.addKey", port, key: next, role: "fallback" }));
    expect(roles(site, link)).toEqual(["primary", "fallback"]);
    scripted.put(link, next);
    await site.clock.runFor(120_000);
    expect(link.edge.session().principalCkn).toBe(next.ckn);
    const remove = { kind: "macsec.removeKey", port, ckn: old.ckn } as const;
    const early = await play(refused(scripted.change(link, remove)));
    expect([early.code, early.message]).toEqual([
      "device.rejected",
      expect.stringContaining("promote the fallback first"),
    ]);
    const carried = link.fibre.carries();
    await play(scripted.change(link, { kind: "macsec.promoteKey", port, ckn: next.ckn }));
    expect([carried, link.fibre.carries()]).toEqual([true, true]);
    await play(scripted.change(link, remove));
    expect([roles(site, link), link.fibre.carries()]).toEqual([["primary"], true]);
  });

  it("a router without overlap has one key, which is replaced", async () => {
    const { scripted, link, play, next } = await routerOf("none");
    const add = play(refused(scripted.change(link, scripted.keyChange(link, "addKey", next))));
    expect((await add).code).toBe("device.unsupported");
    await play(scripted.change(link, scripted.keyChange(link, "replaceKey", next)));
    expect(link.edge.keys().map(({ ckn }) => ckn)).toEqual([next.ckn]);
  });

  it("a router commits for the time of its model, and has no counter of single SAs", async () => {
    const { site, scripted, link, play } = await routerOf("none", 17_000);
    const transaction = await play(
      scripted.device(link).prepare([{ kind: "port.shut", port: link.port }], scripted.keys, never),
    );
    const before = site.clock.now();
    await play(transaction.apply("final", never));
    expect(site.clock.now() - before).toBe(17_000);
    const [port] = link.router.state().macsec;
    expect(port?.frames).toMatchObject({ kind: "known", value: { nextPn: undefined } });
  });
});

const never = new AbortController().signal;
