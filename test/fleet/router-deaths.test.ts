// The agent is killed in the middle of a rotation whose simulated routers use a vendor's dialect:
// at any effect, message to a router or record of the journal. The next process reaches the same
// end.

import { describe, expect, it } from "vitest";
import { Prng } from "#sim/base/prng.ts";
import { type Platform, platformsOf, spokenBy } from "../conformance/place.ts";
import { effort } from "../effort.ts";
import { RouterStage } from "./router-stage.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "router deaths";

/** Takes of each vendor the first platform that has everything which a rotation uses. */
const platforms = (["junos", "iosxr", "iosxe", "eos"] as const).flatMap((vendor) =>
  platformsOf(vendor)
    .filter(([, { less }]) => !["suites", "overlap", "commit"].some((lack) => lack in less))
    .slice(0, 1),
);

/**
 * How many rotations came before: on IOS XR every second one begins with the key in the fallback
 * chain.
 */
const tried = platforms.flatMap(([name, platform]) => {
  const turns = platform.vendor === "iosxr" ? effort([1], [0, 1]) : [0];
  return turns.map((earlier) => ({ name, platform, earlier }));
});

/** The point at which the agent is killed, counted from the request for the rotation. */
type End =
  | { readonly kind: "effect"; readonly nth: number }
  | { readonly kind: "call"; readonly nth: number; readonly when: "before" | "after" };

interface Ended {
  /** The kind of each effect on a router. */
  readonly effects: readonly string[];
  readonly calls: readonly string[];
  readonly died: boolean;
  readonly rest: string;
  readonly complaints: readonly string[];
}

async function rotated(platform: Platform, earlier: number, end: End | undefined): Promise<Ended> {
  const stage = new RouterStage(seed, spokenBy(platform));
  await stage.run(stage.begin());
  await stage.settled();
  for (let turn = 0; turn < earlier; turn += 1) {
    await stage.rotate();
    await stage.settled();
  }
  expect(stage.isProtected(), stage.rest).toBe(true);
  const { crashing, site } = stage;
  const [first] = site.links;
  const old = first === undefined ? undefined : site.vault.pairs(first.key).at(-1)?.ckn;
  if (end?.kind === "call") crashing.doom({ call: end.nth, when: end.when });
  const effects: string[] = [];
  site.onEffect(({ by, place, what }) => {
    if (by !== "agent" || !site.routers.has(place)) return;
    effects.push(what);
    if (end?.kind === "effect" && effects.length === end.nth) crashing.kill();
  });
  const { called } = stage;
  const before = called.length;
  stage.newPairs();
  // A kill may lose the request together with its answer.
  stage.ask().catch(() => undefined);
  const isOver = (): boolean => stage.outcomeOf(old) !== undefined && stage.isProtected();
  await stage.until(() => crashing.dead || isOver());
  const calls = called.slice(before);
  if (crashing.dead) {
    await site.clock.runFor(3_000);
    await stage.run(stage.begin());
    if (stage.outcomeOf(old) === undefined) await stage.run(stage.ask());
    await stage.until(isOver);
  }
  const links = site.truth().groups[0]?.links ?? [];
  const ends = links.map(({ id, edgeKeys, farKey }) => `${id} ${edgeKeys.join()} ${farKey}`);
  const rest = `${stage.rest} ${stage.outcomeOf(old)}: ${ends.join("; ")}`;
  return { effects, calls, died: crashing.dead, rest, complaints: stage.complaints() };
}

/**
 * Picks effects, records and messages, as many as there is time for: each kind of effect in a long
 * run, otherwise every second kind, which differ from one vendor to the next.
 */
function endsOf({ effects, calls }: Ended, { vendor }: Platform): readonly End[] {
  const lots = new Prng(`${seed} ${vendor}`);
  const mayEnd = (pattern: RegExp, most: number): readonly End[] =>
    calls
      .flatMap((call, index) => (pattern.test(call) ? [{ nth: index + 1, lot: lots.real() }] : []))
      .sort((a, b) => a.lot - b.lot)
      .slice(0, most)
      .map(({ nth }) => ({ kind: "call", nth, when: lots.chance(0.5) ? "before" : "after" }));
  const numbered = effects.map((what, index) => ({ what, nth: index + 1 }));
  const turn = platforms.findIndex(([, platform]) => platform.vendor === vendor);
  const ofAKind = [...Map.groupBy(numbered, ({ what }) => what).values()].flatMap((same, index) =>
    effort(index % 2 === turn % 2 ? [lots.pick(same)] : [], same),
  );
  return [
    ...ofAKind.map(({ nth }): End => ({ kind: "effect", nth })),
    ...mayEnd(/^(?:append|replace) /, effort(1, 400)),
    ...mayEnd(/^write to /, effort(1, 400)),
  ];
}

describe("an agent that dies beside routers", () => {
  it.each(tried)(
    "an agent killed at any message, record or effect reaches the same end, $name, turn $earlier",
    async ({ platform, earlier }) => {
      const clean = await rotated(platform, earlier, undefined);
      expect(clean).toMatchObject({ died: false, complaints: [] });
      expect(clean.rest).toMatch(/^protected, campaign done: .* rotated, rotated: /);
      const wrong: string[] = [];
      const ends = endsOf(clean, platform);
      for (const end of ends) {
        const ended = await rotated(platform, earlier, end);
        const isSame = ended.rest === clean.rest && ended.complaints.length === 0;
        if (!ended.died || !isSame) wrong.push(JSON.stringify({ ...end, ...ended, calls: [] }));
      }
      const atEffects = ends.filter(({ kind }) => kind === "effect").length;
      console.log(`seed ${seed}: ${ends.length} deaths, ${atEffects} of them at effects`);
      expect(wrong).toEqual([]);
    },
  );
});
