// Which rotation or change begins, for which links, and what keeps one from beginning.

import { describe, expect, it } from "vitest";
import type { Overlap } from "#agent/model/campaign.ts";
import type { DesiredLink } from "#agent/model/desired.ts";
import { isNewer, rotationRisks } from "#agent/runtime/campaigns/rotation.ts";
import type { Binding } from "#agent/store/journal/memory.ts";
import { type KeyRef, known, type MacsecSettings } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { campaignOf } from "../../../kit/campaign-kit.ts";
import type { BenchOptions } from "../../../kit/rotation-runner-bench.ts";
import { refused } from "../../../kit/site-bench.ts";
import { at, bindingOf, desired, settings, wall } from "../../../kit/snapshot-kit.ts";
import {
  asked,
  BeginBench,
  groupWith,
  type Name,
  names,
  rotateOn,
  wordsOf,
} from "./begin-bench.ts";

const day = 86_400_000;

describe("a rotation that a policy begins", () => {
  it("a rotation by policy has the links with a newer pair in the vault", async () => {
    const bench = await BeginBench.begun();
    expect(await bench.rotation()).toBe("nothing");
    bench.newKey("secondary");
    expect(await bench.rotation()).toBe("rotate secondary");
    bench.newKey("primary");
    expect(await bench.rotation()).toBe("rotate secondary primary");
  });

  it("a rotation freezes the old key with its settings and the new one", async () => {
    const bench = await BeginBench.begun();
    const before = bench.memory.bindings["erd-demo/primary"];
    const accepted = { ...bench.linkOf("primary").settings, includeSci: false };
    bench.rebind("primary", { settings: accepted });
    const key = bench.newKey("primary");
    const campaign = await bench.rotating();
    expect(campaign).toMatchObject({
      ...{ group: "erd-demo", kind: "rotate", at: 0, state: "queued", intent: 2 },
      ...{ origin: "policy", reason: { code: "begin.newerKey", on: "vaultVersion" } },
    });
    const [version] = bench.store.versions("erd-demo-1-cak").slice(-1);
    expect(campaign.links).toEqual([
      {
        ...{ name: "primary", device: "edge-a", port: "et-0/0/0", overlap: "fallback" },
        ...{ created: version?.created, generation: 2, outcome: undefined },
        old: { key: before?.key, settings: accepted },
        new: { key, settings: accepted },
      },
    ]);
  });

  it("a rotation takes its overlap from the router's capabilities", async () => {
    for (const [overlap, frozen] of [
      ["keychain", "keychain"],
      ["fallback", "fallback"],
      ["none", "breakBeforeMake"],
    ] as const) {
      const macsec = { suites: [], overlap, counters: "perPort", hitless: [], freshSak: true };
      const capabilities = { macsec } as NonNullable<BenchOptions["capabilities"]>;
      const bench = await BeginBench.begun({ edit: rotateOn({}), capabilities });
      bench.risks.push("breakBeforeMake");
      bench.newKey("primary");
      const wish = asked({ risks: ["breakBeforeMake"] });
      expect((await bench.rotating(wish)).links[0]?.overlap).toBe(frozen);
    }
    const unmet = await BeginBench.begun({ edit: rotateOn({}) }, ["primary"]);
    unmet.newKey("secondary");
    const mute = { edit: rotateOn({}), capabilities: { macsec: undefined } as never };
    const without = await BeginBench.begun(mute);
    without.newKey("primary");
    expect(await without.rotation()).toContain("it is not known how it holds keys");
    expect(await unmet.rotation()).toBe(
      "gate.stale: edge-b has no session now, so it is not known how it holds keys " +
        "-> linkseal status",
    );
  });

  it("a rotation does not begin beside an open campaign, and begins after it", async () => {
    const bench = await BeginBench.begun();
    bench.newKey("primary");
    const open = campaignOf("proving", { kind: "rotate" });
    bench.memory = { ...bench.memory, campaigns: { "erd-demo": open } };
    expect(await bench.rotation()).toBe("nothing");
    expect(await bench.rotation(asked())).toBe("nothing");
    const over = { ...open, state: "done" as const };
    bench.memory = { ...bench.memory, campaigns: { "erd-demo": over } };
    expect(await bench.rotation()).toBe("rotate primary");
  });

  it("a rotation by hand never begins by itself, and reads no vault", async () => {
    const bench = await BeginBench.begun({ edit: rotateOn({ on: "hand" }) });
    bench.newKey("primary");
    bench.store.setFault("down", true);
    expect(await bench.rotation()).toBe("nothing");
    bench.store.setFault("down", false);
    expect(await bench.rotation(asked())).toBe("rotate primary");
  });

  it("a rotation by age begins for the keys that are old enough", async () => {
    const bench = await BeginBench.begun({ edit: rotateOn({ on: "age", maxAgeMs: 30 * day }) });
    for (const name of names) bench.newKey(name);
    expect(await bench.rotation()).toBe("nothing");
    bench.rebind("primary", { created: (wall - 31 * day) as WallTime });
    expect(await bench.rotation()).toBe("rotate primary");
    expect(await bench.rotation(asked())).toBe("rotate secondary primary");
  });

  it("a rotation throws the vault's error", async () => {
    const bench = await BeginBench.begun();
    bench.store.setFault("down", true);
    expect((await refused(bench.rotation())).effect).toBe("none");
  });
});

describe("a rotation that waits", () => {
  it("a rotation beside a drain by hand waits, and names the undrain", async () => {
    const bench = await BeginBench.begun();
    bench.newKey("primary");
    const drain = { by: "nora", since: wall };
    bench.memory = { ...bench.memory, drains: { "erd-demo/secondary": drain } };
    expect(await bench.rotation()).toBe(
      "gate.busy: erd-demo/secondary was drained by hand -> linkseal undrain erd-demo/secondary",
    );
    bench.memory = { ...bench.memory, drains: { "other/secondary": drain } };
    expect(await bench.rotation()).toBe("rotate primary");
  });

  type Outcome = "reverted" | "abandoned" | "rotated";
  const tried = (bench: BeginBench, name: Name, outcome: Outcome, key: KeyRef): void => {
    const [link] = campaignOf("done", { kind: "rotate" }).links;
    if (link === undefined) throw new Error("a campaign has a link");
    const fine = { ...link, name: "tertiary", outcome: "rotated" as const };
    const links = [fine, { ...link, name, outcome, new: { ...link.new, key } }];
    const campaign = campaignOf("done", { kind: "rotate", links });
    bench.memory = { ...bench.memory, campaigns: { "erd-demo": campaign } };
  };

  it.each(["reverted", "abandoned"] as const)(
    "a rotation to a key that was %s before begins again only for an operator",
    async (outcome) => {
      const bench = await BeginBench.begun();
      const key = bench.newKey("primary");
      tried(bench, "primary", outcome, key);
      expect(await bench.rotation()).toBe(
        "gate.busy: the last rotation of erd-demo/primary to its newest key did not succeed " +
          "-> linkseal rotate erd-demo",
      );
      expect(await bench.rotation(asked())).toBe("rotate primary");
      tried(bench, "secondary", outcome, key);
      expect(await bench.rotation()).toBe("rotate primary");
      tried(bench, "primary", "rotated", key);
      expect(await bench.rotation()).toBe("rotate primary");
      tried(bench, "primary", outcome, key);
      bench.newKey("primary");
      expect(await bench.rotation()).toBe("rotate primary");
    },
  );

  it("a rotation that waits for a risk names it and the command", async () => {
    const bench = await BeginBench.begun({
      edit: (wanted) => groupWith({ drain: "none" })(rotateOn({})(wanted)),
    });
    bench.newKey("primary");
    expect(await bench.rotation()).toMatch(
      /^gate.risk.*: .* noDrain is not accepted: .* -> linkseal rotate erd-demo .*=noDrain$/,
    );
    bench.risks.push("noDrain");
    expect(await bench.rotation()).toBe("rotate primary");
  });

  it("a rotation of a router without overlap waits for breakBeforeMake", async () => {
    const macsec = { suites: [], overlap: "none", counters: "perPort", hitless: [] } as const;
    const capabilities = { macsec: { ...macsec, freshSak: true as const } };
    const bench = await BeginBench.begun({ edit: rotateOn({}), capabilities });
    bench.newKey("primary");
    expect(await bench.rotation()).toContain("--accept-risk=breakBeforeMake");
    expect(await bench.rotation(asked({ risks: ["breakBeforeMake"] }))).toBe("rotate primary");
  });

  it("a rotation waits for a window and says when it opens, or takes the risk", async () => {
    const freeze = { text: "x", from: (wall - day) as WallTime, until: (wall + day) as WallTime };
    const bench = await BeginBench.begun({
      edit: (wanted) => groupWith({ freezes: [freeze] })(rotateOn({ on: "hand" })(wanted)),
    });
    bench.newKey("primary");
    expect(await bench.rotation(asked())).toMatch(
      /^gate.window: frozen until 2026-11-25.* -> linkseal rotate erd-demo --now$/,
    );
    expect(await bench.rotation(asked({ urgency: "emergency" }))).toBe("rotate primary");
    expect(await bench.rotation(asked({ risks: ["outsideWindow"] }))).toBe("rotate primary");
    expect(await bench.rotation(asked({ risks: ["noDrain"] }))).toContain("gate.window");
    bench.risks.push("outsideWindow");
    expect(await bench.rotation(asked())).toBe("rotate primary");
  });
});

describe("the risks of a rotation", () => {
  const [group] = desired.groups;
  const [entry] = campaignOf("queued", { kind: "rotate" }).links;
  if (group === undefined || entry === undefined) throw new Error("there is a group with a link");
  const risksOf = (drain: typeof group.drain, ...overlaps: readonly Overlap[]) => {
    const links = overlaps.map((overlap) => ({ ...entry, overlap }));
    return rotationRisks({ ...group, drain }, links);
  };

  it("the risks of a rotation are breakBeforeMake for one such link, and noDrain", () => {
    expect(risksOf("prepend", "keychain", "fallback")).toEqual([]);
    expect(risksOf("prepend", "keychain", "breakBeforeMake")).toEqual(["breakBeforeMake"]);
    expect(risksOf("none", "breakBeforeMake")).toEqual(["noDrain", "breakBeforeMake"]);
    expect(risksOf("none", "keychain")).toEqual(["noDrain"]);
  });
});

describe("a rotation that an operator asks for", () => {
  it("a rotation by an operator has the named links, or says that no pair is newer", async () => {
    const bench = await BeginBench.begun();
    bench.newKey("primary");
    expect(await bench.rotation(asked({ links: ["primary"] }))).toBe("rotate primary");
    expect(await bench.rotation(asked({ links: ["secondary"] }))).toBe(
      "vault.unpaired: the vault holds no newer key pair for any of these links " +
        "-> linkseal keys list",
    );
  });

  it("a rotation by an operator leaves out links without a key of ours", async () => {
    const bench = await BeginBench.begun();
    for (const name of names) bench.newKey(name);
    bench.unbind("secondary");
    expect(await bench.rotation(asked())).toBe("rotate primary");
  });

  it("a rotation is refused where a new key is that of another link of the group", async () => {
    const bench = await BeginBench.begun();
    const key = bench.newKey("primary");
    bench.rebind("secondary", { key });
    expect((await refused(bench.rotation(asked()))).code).toBe("vault.reusedCkn");
  });
});

describe("a change of settings", () => {
  const other = { ...settings, includeSci: false };
  const accepted = (bench: BeginBench, name: Name, over: Partial<Binding> = {}): void => {
    const { policy: _policy, ...before } = other;
    bench.rebind(name, { settings: { ...bench.linkOf(name).settings, ...before }, ...over });
  };
  /** The router is still set as it was accepted. */
  const begun = async (): Promise<BeginBench> => {
    const bench = await BeginBench.begun();
    for (const name of names) {
      bench.port[name] = { ...bench.port[name], settings: known(other, at(0)) };
    }
    await bench.observe();
    bench.risks.push("breakBeforeMake");
    return bench;
  };

  it("a change begins for the links that the newer intent wants otherwise", async () => {
    const bench = await begun();
    expect(wordsOf(bench.change())).toBe("nothing");
    accepted(bench, "primary");
    expect(wordsOf(bench.change())).toBe("change primary");
    const beginning = bench.change();
    expect(beginning).toMatchObject({
      campaign: { reason: { code: "begin.settings" }, origin: "policy" },
    });
    accepted(bench, "secondary");
    expect(wordsOf(bench.change())).toBe("change secondary primary");
    expect(wordsOf(bench.change(asked({ links: ["primary"] })))).toBe("change primary");
  });

  it("a change for drift under the present intent begins only for an operator", async () => {
    const bench = await begun();
    accepted(bench, "primary", { intent: 2 });
    expect(wordsOf(bench.change())).toBe("nothing");
    expect(wordsOf(bench.change(asked()))).toBe("change primary");
    accepted(bench, "primary", { intent: 3 });
    expect(wordsOf(bench.change())).toBe("nothing");
  });

  it("a change that has ended under this intent begins again only for an operator", async () => {
    const bench = await begun();
    accepted(bench, "primary");
    const last = campaignOf("done", { kind: "change", intent: 2 });
    const campaigns = (over: Partial<typeof last>) => ({ "erd-demo": { ...last, ...over } });
    bench.memory = { ...bench.memory, campaigns: campaigns({}) };
    expect(wordsOf(bench.change())).toBe("nothing");
    expect(wordsOf(bench.change(asked()))).toBe("change primary");
    bench.memory = { ...bench.memory, campaigns: campaigns({ intent: 1 }) };
    expect(wordsOf(bench.change())).toBe("change primary");
    bench.memory = { ...bench.memory, campaigns: campaigns({ kind: "rotate" }) };
    expect(wordsOf(bench.change())).toBe("change primary");
    bench.memory = { ...bench.memory, campaigns: campaigns({ state: "proving" }) };
    expect(wordsOf(bench.change(asked()))).toBe("nothing");
  });

  it("a change that does not interrupt the port needs no campaign", async () => {
    const bench = await BeginBench.begun();
    accepted(bench, "primary");
    // The port is as the new intent wants it already.
    expect(wordsOf(bench.change())).toBe("nothing");
    const slower = { ...bench.linkOf("primary").settings, sakRekeyMs: 7_200_000 };
    bench.rebind("primary", { settings: slower });
    const set = async (over: Partial<MacsecSettings>): Promise<void> => {
      const seen = { ...slower, policy: "mustSecure" as const, ...over };
      bench.port.primary = { ...bench.port.primary, settings: known(seen, at(0)) };
      await bench.observe();
    };
    bench.risks.push("breakBeforeMake");
    await set({});
    expect(wordsOf(bench.change())).toBe("nothing");
    await set({ includeSci: false });
    expect(wordsOf(bench.change())).toBe("change primary");
  });

  it("a change of a router that cannot be read does not begin", async () => {
    const bench = await BeginBench.begun({ edit: rotateOn({}) }, ["secondary"]);
    bench.risks.push("breakBeforeMake", "noProbe");
    accepted(bench, "primary");
    expect(wordsOf(bench.change())).toBe("nothing");
  });

  it("a change to a suite with another size of CAK waits for a config that fits", async () => {
    const bench = await begun();
    const suite = "gcm-aes-xpn-128" as const;
    const { settings: wanted } = bench.linkOf("primary");
    bench.rebind("primary", { settings: { ...wanted, suite } });
    expect(wordsOf(bench.change())).toBe(
      "config.conflict: gcm-aes-xpn-256 takes a CAK of 32 octets, and the router and the far end " +
        "of erd-demo/primary hold one of 16: no campaign changes both " +
        "-> write suite: gcm-aes-xpn-128 for erd-demo/primary into the config, " +
        "then linkseal apply FILE",
    );
    bench.rebind("primary", { settings: { ...wanted, suite: "gcm-aes-256" } });
    expect(wordsOf(bench.change())).toBe("change primary");
    const short = (link: DesiredLink): DesiredLink => ({
      ...link,
      settings: { ...link.settings, suite: "gcm-aes-128" },
    });
    const links = bench.group.links.map(short);
    const other = await BeginBench.begun({ edit: groupWith({ links }) });
    other.risks.push("breakBeforeMake");
    other.rebind("primary", { settings: { ...wanted, suite } });
    other.port.primary = bench.port.primary ?? {};
    await other.observe();
    expect(wordsOf(other.change())).toBe("change primary");
  });

  it("a change waits for the risk breakBeforeMake", async () => {
    const bench = await begun();
    bench.risks.length = 0;
    accepted(bench, "primary");
    expect(wordsOf(bench.change())).toMatch(
      /^gate.riskNotAccepted: .* -> linkseal enrol erd-demo --accept-risk=breakBeforeMake$/,
    );
    const wish = asked({ risks: ["breakBeforeMake"] });
    expect(wordsOf(bench.change(wish))).toBe("change primary");
  });
});

describe("a newer key", () => {
  const binding = bindingOf({ created: wall, generation: 4 });
  const chosen = (created: number, generation: number | undefined, id = "other/2") => ({
    key: { ...binding.key, cakSecretId: id },
    created: created as WallTime,
    generation,
  });

  it("a newer key is one of a higher generation, whatever its date", () => {
    expect(isNewer(binding, chosen(wall + 1, 4))).toBe(false);
    expect(isNewer(binding, chosen(wall - 1, 5))).toBe(true);
    expect(isNewer(binding, chosen(wall + 1, 3))).toBe(false);
    const { generation: _none, ...old } = binding;
    expect(isNewer({ ...old, generation: undefined }, chosen(wall - 1, 0))).toBe(true);
  });

  it("a newer key without a generation is one of a later date", () => {
    expect(isNewer(binding, chosen(wall + 1, undefined))).toBe(true);
    expect(isNewer(binding, chosen(wall, undefined))).toBe(false);
  });

  it("a newer key is never the one in use", () => {
    const { cakSecretId } = binding.key;
    expect(isNewer(binding, chosen(wall + 1, 9, cakSecretId))).toBe(false);
  });
});
