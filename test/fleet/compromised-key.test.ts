// A key that an emergency declared compromised stays an error until no link holds it, on a whole
// agent beside the simulated site.

import { describe, expect, it } from "vitest";
import { continuation } from "#agent/cli/status-text.ts";
import type { CampaignShape } from "#agent/rotation/campaign-shape.ts";
import type { KeyRef } from "#hal/model.ts";
import { compromisedTag } from "#hal/vault.ts";
import { group, Pair } from "../unit/kit/rotate-kit.ts";
import { never, refused, settled } from "../unit/kit/site-bench.ts";

const code = "compromised-key-in-use";
const secondary = `${group}/secondary`;

function warned(pair: Pair, about: string = secondary) {
  return pair.agent.status().warnings.find((one) => one.code === code && one.about === about);
}

function keyOf(pair: Pair, name: "primary" | "secondary"): KeyRef {
  const binding = pair.agent.memory.bindings[`${group}/${name}`];
  if (binding === undefined) throw new Error(`${name} is not managed`);
  return binding.key;
}

const tagOf = (pair: Pair, { cakSecretId }: KeyRef): string | undefined =>
  pair.site.vault.detail(cakSecretId)?.version.tags[compromisedTag];

const isEnabled = (pair: Pair, { cakSecretId }: KeyRef): boolean | undefined =>
  pair.site.vault.detail(cakSecretId)?.version.enabled;

/** An emergency whose vault refuses from the moment the campaign is in this state. */
async function refusedIn(state: string, overlap: "keychain" | "none" = "keychain"): Promise<Pair> {
  const pair = await Pair.adopted({ overlap });
  pair.newKeys();
  await pair.rotate("emergency");
  await pair.reach(state);
  pair.site.vault.setFault("denied", true);
  return pair;
}

/** The second link reverted, and the vault has been back for two minutes. */
async function leftBehind(): Promise<Pair> {
  const pair = await refusedIn("secondary draining");
  await pair.reach("secondary done");
  pair.site.vault.setFault("denied", false);
  await pair.run(120_000);
  return pair;
}

async function rotateOne(pair: Pair, urgency: "planned" | "emergency" = "emergency") {
  const asked = { by: "test", risks: [], urgency } as const;
  await settled(pair.site.clock, pair.agent.commands.rotate(secondary, asked, never));
}

describe("an emergency during which the vault refuses", () => {
  it("a link that it left behind is an error with a next act, and why is said", async () => {
    const pair = await leftBehind();
    expect(pair.outcomes()).toEqual(["rotated", "reverted"]);
    expect(warned(pair)).toMatchObject({
      severity: "error",
      next: `linkseal rotate ${secondary} --emergency`,
    });
    expect(warned(pair, `${group}/primary`)).toBeUndefined();
    expect(pair.agent.status().verdict).toBe("degraded");
    const [shape] = ((await pair.ask("GET /v1/rotation")) as { campaigns: CampaignShape[] })
      .campaigns;
    expect(shape?.because).toMatch(/secondary is left on the key.*declared compromised.*vault/);
    expect(shape && continuation(shape)).toBe(`linkseal rotate ${secondary} --emergency`);
    expect(pair.violations()).toEqual([]);
  });

  it("no link is drained while the vault does not give the new pairs", async () => {
    const pair = await refusedIn("primary restoring");
    await pair.reach("secondary gated");
    const drained: string[] = [];
    pair.site.attach({
      effect: ({ what, link }) => {
        if (what === "port.drain") drained.push(link ?? "");
      },
    });
    await pair.run(600_000);
    expect(pair.state()).toBe("secondary gated");
    expect(drained).toEqual([]);
    expect(pair.agent.status().warnings.map((each) => each.code)).toContain("vault-denied");
    pair.site.vault.setFault("denied", false);
    await pair.reach("secondary done");
    expect(pair.outcomes()).toEqual(["rotated", "rotated"]);
  });

  it.each(["keychain", "none"] as const)(
    "whatever state it refuses in, no emergency ends well with a declared key in use, overlap %s",
    async (overlap) => {
      const states = ["gated", "draining", "staging", "switching", "proving"];
      const ends = new Set<boolean>();
      for (const state of overlap === "none" ? states.toSpliced(2, 1) : states) {
        const pair = await refusedIn(`secondary ${state}`, overlap);
        await pair.run(1_200_000, () => pair.campaign().state === "done");
        pair.site.vault.setFault("denied", false);
        await pair.run(1_800_000, () => pair.campaign().state === "done");
        await pair.run(120_000);
        const isRotated = pair.outcomes()[1] === "rotated";
        expect([state, warned(pair) === undefined]).toEqual([state, isRotated]);
        expect(pair.violations()).toEqual([]);
        ends.add(isRotated);
      }
      expect(ends.size).toBe(2);
    },
  );

  it("a second emergency ends it: the key is gone and its version is disabled", async () => {
    const pair = await leftBehind();
    const old = keyOf(pair, "secondary");
    expect([tagOf(pair, old) === undefined, isEnabled(pair, old)]).toEqual([false, true]);
    await rotateOne(pair);
    await pair.reach("secondary done");
    await pair.run(120_000);
    expect(warned(pair)).toBeUndefined();
    expect(pair.agent.status().verdict).toBe("protected");
    expect(isEnabled(pair, old)).toBe(false);
    expect(pair.carrying()).toEqual([true, true]);
    expect(pair.violations()).toEqual([]);
  });

  it("a command for the whole group leaves the link that was rotated alone", async () => {
    const pair = await leftBehind();
    const fresh = keyOf(pair, "primary");
    await pair.rotate("emergency");
    await pair.reach("secondary done");
    await pair.run(120_000);
    expect(pair.agent.memory.compromised[fresh.cakSecretId]).toBeUndefined();
    expect(pair.agent.status().verdict).toBe("protected");
  });

  it("a planned rotation ends it too", async () => {
    const pair = await leftBehind();
    await rotateOne(pair, "planned");
    await pair.reach("secondary done");
    await pair.run(120_000);
    expect(warned(pair)).toBeUndefined();
  });

  it("a link whose vault has no newer pair is declared too", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const [first] = pair.site.links;
    if (first === undefined) throw new Error("no link");
    pair.site.vault.generatePair(first.key, "gcm-aes-xpn-256");
    await pair.rotate("emergency");
    await pair.reach("primary done");
    await pair.run(60_000);
    expect(pair.outcomes()).toEqual(["rotated"]);
    expect(warned(pair)).toMatchObject({ severity: "error" });
    expect(warned(pair, `${group}/primary`)).toBeUndefined();
  });
});

describe("the record of a declared key", () => {
  it("a new process has it", async () => {
    const pair = await leftBehind();
    await pair.end();
    await pair.live();
    await pair.run(60_000);
    expect(warned(pair)).toMatchObject({ severity: "error" });
  });

  it("a state folder from before the emergency gets it back from the vault", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    pair.newKeys();
    // From here on the disk keeps what it will be set back to.
    pair.disk.setFault("lies", true);
    await pair.rotate("emergency");
    await pair.reach("secondary draining");
    pair.site.vault.setFault("denied", true);
    await pair.reach("secondary done");
    pair.site.vault.setFault("denied", false);
    await pair.run(120_000);
    await pair.end();
    expect(pair.disk.crash()).toBe(true);
    pair.disk.setFault("lies", false);
    await pair.live();
    await pair.run(60_000);
    expect(warned(pair)).toMatchObject({ severity: "error" });
    expect(warned(pair)?.text).toContain("a tag in the vault");
    expect(warned(pair, `${group}/primary`)).toBeUndefined();
  });

  it("a vault that cannot be marked ends nothing, and the text says so", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    pair.site.vault.setFault("unmarkable", true);
    pair.newKeys();
    const old = keyOf(pair, "secondary");
    await pair.rotate("emergency");
    await pair.reach("secondary draining");
    await pair.run(10_000);
    expect(warned(pair)?.text).toContain("recorded on this host only");
    await pair.reach("secondary done");
    await pair.run(120_000);
    expect(pair.outcomes()).toEqual(["rotated", "rotated"]);
    expect(warned(pair)).toBeUndefined();
    expect([tagOf(pair, old), isEnabled(pair, old)]).toEqual([undefined, true]);
  });

  it("a router that cannot be read counts as one that holds the key", async () => {
    const pair = await leftBehind();
    const { router } = pair.link("secondary");
    await rotateOne(pair);
    await pair.reach("secondary restoring");
    await pair.reach("secondary done");
    router.setFault("unreachable", true);
    await pair.run(300_000);
    expect(warned(pair)?.text).toContain(`not seen without it since then: the router`);
    router.setFault("unreachable", false);
    await pair.run(120_000);
    expect(warned(pair)).toBeUndefined();
  });

  it("a declared key that comes back later is an error again", async () => {
    const pair = await leftBehind();
    const old = keyOf(pair, "secondary");
    await rotateOne(pair);
    await pair.reach("secondary done");
    await pair.run(120_000);
    const { msee, azureLink } = pair.link("secondary");
    pair.site.vault.setEnabled(old.cakSecretId, true);
    msee.manualEdit(azureLink, { key: old });
    await pair.run(60_000);
    expect(warned(pair)?.text).toContain("the far end of erd-demo/secondary");
  });
});

describe("the way back to a declared key", () => {
  it("revert is refused while the link carries", async () => {
    const pair = await refusedIn("primary restoring");
    await pair.reach("secondary gated");
    const { code: refusal, message } = await refused(pair.say("revert"));
    expect([refusal, message]).toEqual([
      "gate.busy",
      "the old key was declared compromised: the link carries, so nothing goes back to it",
    ]);
  });
});

describe("a planned rotation that leaves a link on its old key", () => {
  it("is a warning with a next act", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    pair.newKeys();
    await pair.rotate();
    await pair.reach("secondary draining");
    pair.site.vault.setFault("denied", true);
    await pair.reach("secondary done");
    pair.site.vault.setFault("denied", false);
    await pair.run(120_000);
    const left = pair.agent.status().warnings.find((one) => one.code === "rotation-unfinished");
    expect(left).toMatchObject({
      ...{ severity: "warning", about: secondary, next: `linkseal rotate ${secondary}` },
    });
    expect(left?.text).toMatch(/vault/);
    await rotateOne(pair, "planned");
    await pair.reach("secondary done");
    await pair.run(60_000);
    expect(pair.agent.status().warnings.map((one) => one.code)).not.toContain(
      "rotation-unfinished",
    );
  });
});
