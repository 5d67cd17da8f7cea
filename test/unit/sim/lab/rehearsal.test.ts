// A rotation rehearsed on a simulated twin: what it knows, what it tells, and when it says no.

import { describe, expect, it } from "vitest";
import type { Rehearsal } from "#agent/runtime/campaigns/rehearsal-shape.ts";
import type { RehearsalSnapshot } from "#agent/runtime/campaigns/rehearsal-snapshot.ts";
import { decodeJson, encodeJson } from "#hal/json.ts";
import { rehearse } from "#sim/lab/rehearsal.ts";
import { group, overlaps, Pair } from "../../kit/rotate-kit.ts";
import { never } from "../../kit/site-bench.ts";

const manual = (text: string): string => text.replace("farEnd: agent", "farEnd: manual");
const afterSoak = (text: string): string =>
  text.replace("    drain: prepend", "    drain: prepend\n    retire: afterSoak");
const frozen = (text: string): string =>
  text
    .replace("    drain: prepend", '    drain: prepend\n    freeze: ["2026-01-01/2027-06-30"]')
    .replace("order: [primary, secondary]", "order: [secondary, primary]");

/** As it comes over the socket. */
function rehearsalSnapshotOf(pair: Pair): RehearsalSnapshot {
  return decodeJson(encodeJson(pair.agent.commands.twin(group))) as RehearsalSnapshot;
}

async function rehearsed(twin: RehearsalSnapshot, target = group): Promise<Rehearsal> {
  return await rehearse({ twin, target, urgency: "planned", stop: never });
}

describe.each(overlaps)("a rehearsal for routers with overlap %s", (overlap) => {
  it.each([
    ["by the agent", (text: string): string => text, "two"],
    ["by a person, with a soak", (text: string): string => afterSoak(manual(text)), "two"],
    ["by a person, both links at one router", manual, "one"],
  ] as const)(
    "goes through the whole rotation, %s, and loses nothing",
    async (_who, edit, routers) => {
      const pair = await Pair.adopted({ overlap, edit, routers });
      const rehearsal = await rehearsed(rehearsalSnapshotOf(pair));
      expect(rehearsal).toMatchObject({
        schema: "linkseal.rehearsal/1",
        target: group,
        verdict: "good",
        lostFrames: "0",
        brokenPromises: [],
      });
      expect(rehearsal.links.map(({ link, outcome }) => [link, outcome])).toEqual([
        [`${group}/primary`, "rotated"],
        [`${group}/secondary`, "rotated"],
      ]);
      for (const { dark, steps } of rehearsal.links) {
        expect(dark.wholeMs).toBeGreaterThan(1_000);
        expect(dark.wholeMs).toBeCloseTo(dark.theirsMs + dark.oursMs);
        expect(steps.map(({ state }) => state)).toContain("proving");
      }
      expect(pair.agent.memory.campaigns[group]).toBeUndefined();
      expect(pair.agent.memory.bindings[`${group}/primary`]?.how).toBe("adopted");
    },
  );
});

describe("the twin", () => {
  it("the snapshot for a rehearsal has names, settings and times, and no key", async () => {
    const pair = await Pair.adopted({ overlap: "fallback", edit: frozen });
    pair.newKeys();
    await pair.rotate("planned", ["outsideWindow"]);
    await pair.reach("primary done", 1_800_000);
    const twin = rehearsalSnapshotOf(pair);
    expect(twin.links.map(({ name, device }) => `${name} ${device}`)).toEqual([
      "secondary edge-b",
      "primary edge-a",
    ]);
    expect(twin.devices.every(({ commitMs }) => commitMs.length > 0)).toBe(true);
    expect(twin.devices[0]?.capabilities.macsec?.overlap).toBe("fallback");
    expect(twin.farEndMs).toHaveLength(2);
    const text = encodeJson(twin);
    for (const { bytes } of pair.site.canaries()) {
      expect(text.toLowerCase()).not.toContain(Buffer.from(bytes).toString("hex"));
    }
    // The order of the group is rehearsed; its freeze says when, and not how.
    const [first] = (await rehearsed(twin)).links;
    expect([first?.link, first?.outcome]).toEqual([`${group}/secondary`, "rotated"]);
  });

  it("the snapshot for a rehearsal is refused if a link is not managed", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const retired = pair.agent.commands.retireLink(`${group}/primary`);
    await pair.run(1_000);
    await retired;
    expect(() => pair.agent.commands.twin(group)).toThrow("runs on no key of this agent");
  });
});

describe("a rehearsal", () => {
  it("a rehearsal of one link leaves the other one alone", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const rehearsal = await rehearsed(rehearsalSnapshotOf(pair), `${group}/secondary`);
    expect(rehearsal.links.map(({ link }) => link)).toEqual([`${group}/secondary`]);
    expect(rehearsal.verdict).toBe("good");
  });

  it("a rehearsal of an emergency ends with a fresh SAK", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const twin = rehearsalSnapshotOf(pair);
    const asked = { twin, target: group, urgency: "emergency", stop: never } as const;
    expect((await rehearse(asked)).verdict).toBe("good");
  });

  it("a rehearsal with a far end that is too slow is bad, with the reason", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const twin: RehearsalSnapshot = { ...rehearsalSnapshotOf(pair), farEndMs: [900_000] };
    const rehearsal = await rehearsed(twin);
    expect(rehearsal.verdict).toBe("bad");
    expect(rehearsal.because).toMatch(/^erd-demo\/primary is (held|done): ./);
    expect(rehearsal.brokenPromises).toEqual([]);
  });

  it("a rehearsal stops when its signal aborts", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const stop = AbortSignal.abort();
    const asked = {
      twin: rehearsalSnapshotOf(pair),
      target: group,
      urgency: "planned",
      stop,
    } as const;
    await expect(rehearse(asked)).rejects.toMatchObject({ code: "verify.timeout", effect: "none" });
  });
});
