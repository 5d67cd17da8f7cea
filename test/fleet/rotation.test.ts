// Whole rotations of a pair by the real agent, on the simulated site: every overlap, both kinds of
// far end.

import { describe, expect, it } from "vitest";
import { watchOutages } from "#sim/oracle/outage.ts";
import { fullCapabilities } from "#sim/site/site-plan.ts";
import { effort } from "../effort.ts";
import { group, overlaps, Pair } from "../unit/kit/rotate-kit.ts";
import { settled } from "../unit/kit/site-bench.ts";
import { rotateByHand } from "./by-hand.ts";

const manual = (text: string): string => text.replace("farEnd: agent", "farEnd: manual");
const undrained = (text: string): string =>
  text
    .replace("drain: prepend", "drain: none")
    .replace("acceptRisks:", "acceptRisks:\n  - { risk: noDrain, until: 2027-11-24 }");
const afterSoak = (text: string): string =>
  text.replace("    drain: prepend", "    drain: prepend\n    retire: afterSoak");
/** Virtual days run faster with rare polls. */
const calm = (text: string): string =>
  text.replace(
    "poll: 5s, staleAfter: 20s, evidence: 90s",
    "poll: 1m, staleAfter: 150s, evidence: 150s",
  );
const dayMs = 86_400_000;

/**
 * Does what the operator does at the portal: points the far end of the link under way at its new
 * key.
 */
function changeFarEnd(pair: Pair): void {
  const { links, at } = pair.campaign();
  const entry = links[at];
  const link = pair.site.links.find(({ name }) => name === entry?.name);
  if (entry === undefined || link === undefined) throw new Error("no link is under way");
  link.msee.manualEdit(link.azureLink, { key: entry.new.key });
}

describe.each(overlaps)("a rotation on routers with overlap %s", (overlap) => {
  it("both keys are replaced, no frame of the pair is lost, every promise is kept", async () => {
    const pair = await Pair.adopted({ overlap });
    const before = pair.site.links.map(({ name }) => pair.keysOn(name as "primary"));
    pair.newKeys();
    await pair.rotate();
    await pair.reach("secondary done");
    expect(pair.outcomes()).toEqual(["rotated", "rotated"]);
    expect(pair.lost()).toBe(0);
    expect(pair.keysOn("primary")).toHaveLength(1);
    expect(pair.keysOn("primary")).not.toEqual(before[0]);
    await pair.run(120_000);
    expect(pair.agent.status().verdict).toBe("protected");
    expect(pair.violations()).toEqual([]);
  });

  it.each(["confirmed", "armedRevert"] as const)(
    "a rotation of two links at one router ends rotated, %s",
    async (kind) => {
      const commit = kind === "confirmed" ? fullCapabilities.commit : { kind };
      const pair = await Pair.adopted({ overlap, routers: "one", capabilities: { commit } });
      expect(pair.site.routers.size).toBe(1);
      pair.newKeys();
      await pair.rotate();
      await pair.reach("secondary done");
      expect(pair.outcomes()).toEqual(["rotated", "rotated"]);
      expect(pair.lost()).toBe(0);
      await pair.run(120_000);
      expect(pair.agent.status().verdict).toBe("protected");
      expect(pair.violations()).toEqual([]);
    },
  );

  it("a rotation waits days for an operator, with traffic on both links meanwhile", async () => {
    const pair = await Pair.adopted({ overlap, edit: (text) => calm(manual(text)) });
    pair.newKeys();
    await pair.rotate();
    for (const name of ["primary", "secondary"] as const) {
      await pair.reach(`${name} awaitingPeer`);
      // Only time passes: for days in one case, and for hours in the others, where time is short.
      const isLong = overlap === "keychain" && name === "primary";
      await pair.run(isLong ? 3 * dayMs : effort(dayMs / 12, 3 * dayMs));
      expect(pair.carrying()).toEqual([true, true]);
      expect(pair.drained()).toEqual([false, false]);
      // Break-before-make leaves none of our keys on the router while it waits for the operator.
      expect(pair.keysOn(name)).toHaveLength(overlap === "none" ? 1 : 2);
      await pair.say("proceed");
      await pair.reach(`${name} switching`);
      await pair.run(60_000);
      changeFarEnd(pair);
      await pair.reach(name === "primary" ? "secondary awaitingPeer" : "secondary done");
    }
    expect(pair.outcomes()).toEqual(["rotated", "rotated"]);
    expect(pair.lost()).toBe(0);
    expect(pair.violations()).toEqual([]);
  });

  it("an emergency rotation ends with a fresh SAK", async () => {
    const pair = await Pair.adopted({ overlap, edit: afterSoak });
    pair.newKeys();
    await pair.rotate("emergency");
    await pair.reach("secondary done");
    expect(pair.outcomes()).toEqual(["rotated", "rotated"]);
    // The first pass of afterSoak is left out: the old key is removed at once.
    expect(pair.trail().filter((state) => state === "primary draining")).toHaveLength(1);
    expect(pair.violations()).toEqual([]);
  });

  it("a device that needs it gets its port shut around each key change", async () => {
    const quirk = "    quirks: [shutBeforeKeyChange]";
    const edit = (text: string): string =>
      text.replaceAll("    driver: sim", `    driver: sim\n${quirk}`);
    const pair = await Pair.adopted({ overlap, edit });
    const shut = new Set<string>();
    pair.site.attach({
      effect: ({ what, link }) => {
        if (what === "port.shut") shut.add(link ?? "");
      },
    });
    pair.newKeys();
    await pair.rotate();
    await pair.reach("secondary done");
    expect(pair.outcomes()).toEqual(["rotated", "rotated"]);
    expect([...shut].sort()).toEqual([`${group}/primary`, `${group}/secondary`]);
    expect(pair.carrying()).toEqual([true, true]);
    expect(pair.lost()).toBe(0);
    expect(pair.violations()).toEqual([]);
  });
});

describe("a rotation that is not drained", () => {
  it.each(["keychain", "fallback"] as const)(
    "an undrained rotation causes an outage of 8 s at most, %s",
    async (overlap) => {
      const pair = await Pair.adopted({ overlap, edit: undrained });
      const outages = watchOutages(pair.site);
      const since = pair.site.clock.now();
      pair.newKeys();
      await pair.rotate();
      await pair.reach("secondary done");
      expect(pair.outcomes()).toEqual(["rotated", "rotated"]);
      for (const { id } of pair.site.links) {
        const { oursMs, theirsMs } = outages.time(id, since);
        console.log(`${overlap}, undrained, ${id}: theirs ${theirsMs} ms, ours ${oursMs} ms`);
        expect(oursMs).toBeLessThanOrEqual(8_000);
      }
      expect(pair.violations()).toEqual([]);
    },
  );
});

describe("beside the documented hand procedure", () => {
  it.each(["yes", "no"] as const)(
    "a rotation has a shorter outage and less loss than by hand, drained: %s",
    async (drain) => {
      const edit = drain === "yes" ? {} : { edit: undrained };
      const pair = await Pair.adopted({ overlap: "keychain", ...edit });
      const outages = watchOutages(pair.site);
      const since = pair.site.clock.now();
      pair.newKeys();
      await pair.rotate();
      await pair.reach("secondary done");
      const { id } = pair.link("primary");
      const ours = outages.time(id, since);
      const operated = await Pair.adopted({ overlap: "keychain" });
      await operated.end();
      const { site } = operated;
      const manually = await settled(
        site.clock,
        rotateByHand(site, operated.link("primary"), { drain }),
      );
      const frames = pair.lost();
      const agent = `agent theirs ${ours.theirsMs} ours ${ours.oursMs} ms, ${frames} frames lost`;
      const byHand = `by hand theirs ${manually.outage.theirsMs} ours ${manually.outage.oursMs} ms`;
      console.log(`drained ${drain}: ${agent}; ${byHand}, ${manually.lostFrames} on one link`);
      expect(manually.outcome).toBe("rotated");
      expect(ours.oursMs).toBeLessThan(manually.outage.wholeMs - manually.outage.theirsMs);
      if (drain === "yes") expect(frames).toBe(0);
      else expect(frames).toBeLessThan(Number(manually.lostFrames));
    },
  );
});

describe("a rotation that soaks before it retires", () => {
  it.each(["keychain", "fallback"] as const)(
    "a rotation with a soak drains twice and loses nothing, %s",
    async (overlap) => {
      const pair = await Pair.adopted({ overlap, edit: afterSoak });
      pair.newKeys();
      await pair.rotate();
      await pair.reach("secondary done");
      expect(pair.outcomes()).toEqual(["rotated", "rotated"]);
      expect(pair.trail().filter((state) => state === "primary draining")).toHaveLength(2);
      expect(pair.lost()).toBe(0);
      expect(pair.violations()).toEqual([]);
    },
  );
});

describe("a change of settings", () => {
  it.each([
    ["at both ends", "suite: gcm-aes-xpn-256, includeSci: false"],
    ["at the router alone", "suite: gcm-aes-xpn-256, keyServerPriority: 20"],
  ])("a change of settings %s keeps the key and loses nothing", async (_where, wanted) => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const before = pair.keysOn("primary");
    await pair.apply(pair.config((text) => text.replaceAll("suite: gcm-aes-xpn-256", wanted)));
    await pair.reach("secondary done");
    expect(pair.outcomes()).toEqual(["changed", "changed"]);
    expect(pair.keysOn("primary")).toEqual(before);
    expect(pair.lost()).toBe(0);
    await pair.run(120_000);
    expect(pair.agent.status().verdict).toBe("protected");
    expect(pair.violations()).toEqual([]);
  });
});

// A router whose session ended between two lines of its policy was taken for one with foreign
// settings, and the campaign stopped with both links' drains and settings as they were.
describe("a change of settings that a router took by half", () => {
  const wanted = "suite: gcm-aes-xpn-256, includeSci: false, keyServerPriority: 20";
  it.each([
    ["without its own part", { keyServerPriority: 16 }],
    ["without what both ends agree on", { includeSci: true }],
  ])("a change of settings that a router took %s is finished", async (_part, left) => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const { router, port } = pair.link("primary");
    let halves = 0;
    router.onEffect(({ by, what }) => {
      if (by !== "agent" || what !== "macsec.protect" || halves > 0) return;
      halves += 1;
      pair.site.clock.after(1, () => {
        router.manualEdit((config) => {
          const to = config.ports.get(port);
          if (to?.macsec !== undefined) to.macsec = { ...to.macsec, ...left };
        });
      });
    });
    await pair.apply(pair.config((text) => text.replaceAll("suite: gcm-aes-xpn-256", wanted)));
    await pair.reach("secondary done");
    expect(halves).toBe(1);
    expect(pair.outcomes()).toEqual(["changed", "changed"]);
    expect(pair.trail().join()).not.toContain("held");
    await pair.run(120_000);
    expect(pair.agent.status().verdict).toBe("protected");
    expect(pair.violations()).toEqual([]);
  });
});

describe("a rotation that goes wrong", () => {
  it("a new key that is not proven is taken back, and the old one stays", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const before = pair.keysOn("primary");
    pair.newKeys();
    await pair.rotate();
    await pair.reach("primary switching");
    // The far end accepts the ids, and its hardware gets another CAK.
    pair.link("primary").farPort.setTwist("cak", true);
    await pair.reach("primary reverting");
    pair.link("primary").farPort.setTwist("cak", false);
    await pair.reach("primary done");
    expect(pair.outcomes()).toEqual(["reverted", undefined]);
    expect(pair.keysOn("primary")).toEqual(before);
    expect(pair.carrying()).toEqual([true, true]);
    expect(pair.violations()).toEqual([]);
  });

  it("a stopped rotation carries traffic, and goes back on the operator's revert", async () => {
    const pair = await Pair.adopted({ overlap: "keychain", edit: manual });
    pair.newKeys();
    await pair.rotate();
    await pair.reach("primary awaitingPeer");
    await pair.say("revert");
    await pair.reach("primary done");
    expect(pair.outcomes()).toEqual(["reverted", undefined]);
    expect(pair.keysOn("primary")).toHaveLength(1);
    expect(pair.violations()).toEqual([]);
  });

  it("an abandoned rotation can be reverted", async () => {
    const pair = await Pair.adopted({ overlap: "fallback", edit: manual });
    pair.newKeys();
    await pair.rotate();
    await pair.reach("primary awaitingPeer");
    await pair.run(30_000);
    await pair.say("abandon");
    expect(pair.outcomes()).toEqual(["abandoned", "abandoned"]);
    expect(pair.keysOn("primary")).toHaveLength(2);
    await pair.say("revert");
    await pair.reach("primary done");
    expect(pair.keysOn("primary")).toHaveLength(1);
    expect(pair.violations()).toEqual([]);
  });

  it("a key that is not newer, a closed window and a missing risk are refused", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    await expect(pair.rotate()).rejects.toThrow("no newer key");
    const late = await Pair.adopted({
      overlap: "keychain",
      edit: (text) =>
        text.replace(
          "    drain: prepend",
          '    drain: prepend\n    freeze: ["2026-01-01/2027-06-30"]',
        ),
    });
    late.newKeys();
    await expect(late.rotate()).rejects.toThrow("frozen");
    await late.rotate("planned", ["outsideWindow"]);
    await late.reach("secondary done");
    expect(late.outcomes()).toEqual(["rotated", "rotated"]);
    const blind = await Pair.adopted({
      overlap: "none",
      edit: (text) => text.replace("breakBeforeMake", "ownPathUnknown"),
    });
    blind.newKeys();
    await expect(blind.rotate()).rejects.toThrow("breakBeforeMake");
  });

  it("a device that cannot probe needs the risk noProbe", async () => {
    const { probe: _probe, ...capabilities } = fullCapabilities;
    const pair = await Pair.adopted({
      overlap: "keychain",
      capabilities: { ...capabilities, probe: undefined } as never,
    });
    pair.newKeys();
    await expect(pair.rotate()).rejects.toThrow("noProbe");
  });
});

describe("a rotation begun by policy", () => {
  const onVersion = (text: string): string =>
    text.replace("    drain: prepend", "    drain: prepend\n    rotate: { on: vaultVersion }");

  it("a new version in the vault starts a rotation within minutes", async () => {
    const pair = await Pair.adopted({ overlap: "keychain", edit: onVersion });
    await pair.run(3_600_000);
    expect(pair.agent.memory.campaigns[group]).toBeUndefined();
    pair.newKeys();
    await pair.reach("secondary done", 3_600_000);
    expect(pair.outcomes()).toEqual(["rotated", "rotated"]);
    expect(pair.campaign().origin).toBe("policy");
    expect(pair.violations()).toEqual([]);
  });

  it("a key that was taken back does not start a rotation again", async () => {
    const pair = await Pair.adopted({
      overlap: "keychain",
      edit: (text) => onVersion(manual(text)),
    });
    pair.newKeys();
    await pair.reach("primary awaitingPeer", 3_600_000);
    await pair.run(30_000);
    await pair.say("revert");
    await pair.reach("primary done");
    await pair.run(3_600_000);
    expect(pair.state()).toBe("primary done");
    expect(pair.agent.supervisor?.waiting(group)?.next).toBe(`linkseal rotate ${group}`);
    await pair.rotate();
    await pair.reach("primary awaitingPeer");
    await pair.run(30_000);
    await pair.say("revert");
    await pair.reach("primary done");
    pair.newKeys();
    await pair.reach("primary awaitingPeer", 3_600_000);
    expect(pair.violations()).toEqual([]);
  });

  it("a rotation waits for its maintenance window and ends inside it", async () => {
    // The window is two days later; the same hours of the days between do not belong to it.
    const window = "Thu 02:00-06:00 Europe/Dublin";
    const edit = (text: string): string =>
      text.replace(
        "    drain: prepend",
        `    drain: prepend\n    rotate: { on: vaultVersion, window: "${window}" }`,
      );
    const pair = await Pair.adopted({ overlap: "keychain", edit: (text) => calm(edit(text)) });
    pair.newKeys();
    await pair.reach("secondary done", 8 * dayMs);
    const at = new Date(pair.site.clock.wall());
    expect(at.getUTCDay()).toBe(4);
    expect(at.getUTCHours()).toBeLessThan(6);
    expect(pair.outcomes()).toEqual(["rotated", "rotated"]);
  });
});

describe("settings that a router takes without interrupting its port", () => {
  it("hitless settings follow a newer intent without a campaign; drift stays", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const window = (): readonly unknown[] => {
      const seen: unknown[] = [];
      for (const { router, port } of pair.site.links) {
        router.manualEdit((config) => seen.push(config.ports.get(port)?.macsec?.replayWindow));
      }
      return seen;
    };
    await pair.apply(
      pair.config((text) =>
        text.replaceAll("suite: gcm-aes-xpn-256", "suite: gcm-aes-xpn-256, replayWindow: 128"),
      ),
    );
    await pair.run(60_000);
    expect(window()).toEqual([128, 128]);
    expect(pair.agent.memory.campaigns[group]).toBeUndefined();
    expect(pair.agent.memory.bindings[`${group}/primary`]?.settings.replayWindow).toBe(128);
    const { router, port } = pair.link("primary");
    router.manualEdit((config) => {
      const seen = config.ports.get(port);
      if (seen?.macsec !== undefined) seen.macsec = { ...seen.macsec, replayWindow: 32 };
    });
    await pair.run(60_000);
    expect(window()).toEqual([32, 128]);
    expect(pair.violations()).toEqual([]);
  });
});

describe("a far end that cannot be read", () => {
  const unseen = (text: string): string =>
    manual(text).replace(
      "acceptRisks:",
      "acceptRisks:\n  - { risk: farEndUnseen, until: 2027-11-24 }",
    );

  it.each(overlaps)(
    "a far end that is unread is rotated on the operator's word and the router, %s",
    async (overlap) => {
      const pair = await Pair.adopted({ overlap, edit: unseen });
      pair.newKeys();
      await pair.run(30_000);
      for (const { msee } of pair.site.links) msee.setFault("unreadable", true);
      await pair.rotate();
      for (const name of ["primary", "secondary"] as const) {
        await pair.reach(`${name} awaitingPeer`);
        await pair.run(60_000);
        await pair.say("proceed");
        await pair.reach(`${name} switching`);
        changeFarEnd(pair);
        await pair.run(30_000);
        // With one key on the router, only the operator can confirm the change.
        if (overlap === "none") await pair.say("proceed", true);
        await pair.reach(name === "primary" ? "secondary awaitingPeer" : "secondary done");
      }
      expect(pair.outcomes()).toEqual(["rotated", "rotated"]);
      expect(pair.violations()).toEqual([]);
    },
  );
});
