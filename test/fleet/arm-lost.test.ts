// Enrolment, change and rotation while Azure does not show the operations that it accepts: the
// outage of each link is at most that of a clean run, plus the time after which the document
// decides; and both ends hold one version at the end.

import { beforeAll, describe, expect, it } from "vitest";
import { LinksealError } from "#hal/error.ts";
import type { HttpReply, HttpRequest } from "#hal/world.ts";
import { cloudFaults, strikeFault } from "#sim/faults/faults.ts";
import { watchOutages } from "#sim/oracle/outage.ts";
import type { Overlap } from "#sim/site/site-plan.ts";
import { effort } from "../effort.ts";
import { text } from "../unit/kit/arm-bench.ts";
import { settled } from "../unit/kit/site-bench.ts";
import { ArmStage } from "./arm-stage.ts";

const second = 1_000;
const minute = 60 * second;
/**
 * `rotation.putGrace`, two reads half a minute apart, and the interval of polls and observations.
 */
const statedMs = 90 * second + 30 * second + 10 * second;

type Wish = "enrol" | "change" | Overlap;
type When = "from the first poll on" | "in the middle" | "after the effect";
type Refusal = readonly [status: number, code: string];

const wishes: readonly Wish[] = ["enrol", "change", "keychain", "fallback", "none"];
const whens: readonly When[] = ["from the first poll on", "in the middle", "after the effect"];
const refusals: readonly Refusal[] = [
  [403, "AuthorizationFailed"],
  [404, "ResourceNotFound"],
  [410, "Gone"],
  [401, "InvalidAuthenticationToken"],
];

const longGrace = (config: string): string => config.replace("putGrace: 5s", "putGrace: 90s");
const otherSci = (config: string): string =>
  longGrace(config).replaceAll("macsec: { ", "macsec: { includeSci: false, ");

const isPoll = ({ path }: HttpRequest): boolean => path.includes("/operations/");

function answer([status, code]: Refusal): HttpReply {
  const body = new TextEncoder().encode(JSON.stringify({ error: { code, message: "no" } }));
  return { status, headers: {}, body };
}

function refuse(stage: ArmStage, refusal: Refusal, when: When): void {
  const seen = new Set<string>();
  stage.alter = (reply, request) => {
    if (!isPoll(request)) return reply;
    const isFirst = !seen.has(request.path);
    seen.add(request.path);
    if (when === "in the middle" && isFirst) return reply;
    if (when === "after the effect" && !text(reply.body).includes("Succeeded")) return reply;
    return answer(refusal);
  };
}

interface Outcome {
  readonly outageMs: readonly number[];
  readonly outcomes: readonly (string | undefined)[];
  readonly stage: ArmStage;
}

/** Prepares the stage without faults, up to the wish. */
async function staged(wish: Wish): Promise<ArmStage> {
  const overlap = wish === "enrol" || wish === "change" ? "keychain" : wish;
  const stage = new ArmStage({ overlap, edit: longGrace });
  await stage.live(undefined);
  if (wish === "enrol") return stage;
  await stage.until(() => stage.isOver());
  return stage;
}

async function begin(stage: ArmStage, wish: Wish): Promise<void> {
  if (wish === "enrol") return;
  if (wish === "change") await settled(stage.site.clock, stage.apply(otherSci));
  else await stage.rotate();
  await stage.until(() => stage.campaign !== "done");
}

async function run(wish: Wish, spoil: (stage: ArmStage) => void): Promise<Outcome> {
  const stage = await staged(wish);
  spoil(stage);
  const watch = watchOutages(stage.site);
  const begun = stage.site.clock.now();
  await begin(stage, wish);
  await stage.until(() => stage.isOver() || stage.campaign === "held", 60 * minute);
  const outageMs = stage.site.links.map(({ id }) => watch.time(id, begun).wholeMs);
  return { outageMs, outcomes: stage.outcomes(), stage };
}

function expectWhole({ outcomes, stage }: Outcome, wish: Wish): void {
  const outcome = wish === "enrol" ? "enrolled" : wish === "change" ? "changed" : "rotated";
  expect(outcomes, stage.reason?.code).toEqual([outcome, outcome]);
  expect([stage.campaign, stage.status().verdict]).toEqual(["done", "protected"]);
  for (const { edge, far } of stage.ends()) expect(edge).toEqual([far]);
  expect(stage.complaints()).toEqual([]);
}

describe.each(wishes)("%s with operation polls refused", (wish) => {
  let clean: Outcome;
  beforeAll(async () => {
    clean = await run(wish, () => undefined);
    expectWhole(clean, wish);
  });

  // The observations are the same for all of them once the driver has read them. In a long run each
  // kind of campaign meets each answer and each moment, and the first kind meets all pairs; in a
  // short run the first kind meets each answer and each moment once, and the others one answer at
  // one moment.
  const isTried = (index: number, at: number): boolean =>
    wish === "enrol"
      ? effort(index === 0 || at === 0, true)
      : effort(index === at && index === wishes.indexOf(wish) % 3, index === 0 || at === 0);
  const pairs = refusals.flatMap(([status, code], index) =>
    whens.filter((_when, at) => isTried(index, at)).map((when) => [status, code, when] as const),
  );

  it.each(pairs)(
    "operation polls refused by %d %s %s cost at most the stated time",
    async (status, code, when) => {
      const outcome = await run(wish, (stage) => refuse(stage, [status, code], when));
      expectWhole(outcome, wish);
      outcome.outageMs.forEach((ms, index) => {
        expect(ms).toBeLessThanOrEqual((clean.outageMs[index] ?? 0) + statedMs);
      });
    },
  );

  it("an agent that is killed after its first write and restarted ends the same", async () => {
    const stage = new ArmStage({
      overlap: wish === "enrol" || wish === "change" ? "keychain" : wish,
      edit: longGrace,
    });
    const first = await stage.live(undefined);
    if (wish !== "enrol") await stage.until(() => stage.isOver());
    refuse(stage, [403, "AuthorizationFailed"], "from the first poll on");
    const before = stage.puts().length;
    await begin(stage, wish);
    await stage.until(() => stage.puts().length > before);
    await stage.site.clock.runFor(20 * second);
    expect(stage.campaign).toBe("switching");
    first.kill();
    await stage.site.clock.runFor(3 * second);
    await stage.live(undefined);
    await stage.until(() => stage.isOver() || stage.campaign === "held", 60 * minute);
    expectWhole({ outageMs: [], outcomes: stage.outcomes(), stage }, wish);
  });
});

describe("an operator who enrols during the fault", () => {
  it.each([
    ["operation-refused", "Microsoft.Network/locations/operations/read"],
    ["operation-lost", undefined],
  ])(
    "%s: both links are enrolled, and the warning names the missing right",
    async (name, right) => {
      const stage = new ArmStage({ edit: longGrace });
      const fault = cloudFaults.find((each) => each.name === name);
      const [link] = stage.site.links;
      if (fault === undefined || link === undefined) throw new RangeError(name);
      const heal = strikeFault(stage.site, fault, link);
      await stage.live(undefined);
      const warned = (): string | undefined =>
        stage.status().warnings.find(({ code }) => code === "far-end-unfollowed")?.next;
      await stage.until(() => stage.puts().length === 2);
      expect(warned()).toEqual(right === undefined ? undefined : expect.stringContaining(right));
      await stage.until(() => stage.campaign === "done");
      heal();
      await stage.until(() => stage.isOver() && stage.status().warnings.length === 0);
      expectWhole({ outageMs: [], outcomes: stage.outcomes(), stage }, "enrol");
      expect(stage.status().warnings).toEqual([]);
    },
  );
});

describe("a campaign that stops because Azure neither shows the operation nor ends it", () => {
  const short = (config: string): string => longGrace(config).replace("farEnd: 5m", "farEnd: 2m");

  async function held(wish: Wish): Promise<ArmStage> {
    const stage = new ArmStage({
      overlap: wish === "enrol" ? "keychain" : "fallback",
      edit: short,
    });
    await stage.live(undefined);
    if (wish !== "enrol") await stage.until(() => stage.isOver());
    refuse(stage, [403, "AuthorizationFailed"], "from the first poll on");
    stage.msee.setFault("slow", true);
    await begin(stage, wish);
    await stage.until(() => stage.campaign === "held");
    stage.msee.setFault("slow", false);
    return stage;
  }

  const verdictOf = async (stage: ArmStage, verb: "resume" | "revert" | "abandon") => {
    try {
      await stage.say(verb);
      return verb;
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      return `${error.message} -> ${error.next}`;
    }
  };

  it.each<Wish>(["enrol", "fallback"])(
    "a stopped %s goes on after resume, and both ends get the new key",
    async (wish) => {
      const stage = await held(wish);
      expect(await verdictOf(stage, "resume")).toBe("resume");
      await stage.until(() => stage.isOver() || stage.campaign === "held", 60 * minute);
      expectWhole({ outageMs: [], outcomes: stage.outcomes(), stage }, wish);
    },
  );

  it("a stopped rotation goes back after revert, and both ends keep the old key", async () => {
    const stage = await held("fallback");
    const [before] = stage.agent.memory.campaigns["erd-demo"]?.links ?? [];
    expect(await verdictOf(stage, "revert")).toBe("revert");
    await stage.until(() => stage.isOver(), 60 * minute);
    expect(stage.outcomes()[0]).toBe("reverted");
    const old = before?.old?.key.ckn;
    expect(stage.ends()[0]).toEqual({ edge: [old], far: old });
    expect(stage.complaints()).toEqual([]);
  });

  it("abandon waits for the far end, and the campaign goes on once that is read", async () => {
    const stage = await held("fallback");
    const [entry] = stage.agent.memory.campaigns["erd-demo"]?.links ?? [];
    // A campaign that is stopped first restores the link's traffic.
    await stage.site.clock.runFor(30 * second);
    expect(await verdictOf(stage, "abandon")).toContain("the far end is being changed");
    const isNew = (): boolean => stage.ends()[0]?.far === entry?.new.key.ckn;
    await stage.until(isNew, 20 * minute);
    await stage.until(() => stage.reason?.code === "held.goesOn", 3 * minute);
    await stage.until(() => stage.isOver(), 60 * minute);
    expectWhole({ outageMs: [], outcomes: stage.outcomes(), stage }, "fallback");
  });

  it("an enrolment whose link is dark is not abandoned, and goes on by itself", async () => {
    const stage = await held("enrol");
    const isKeyed = (): boolean => stage.ends()[0]?.far !== undefined;
    await stage.until(isKeyed, 20 * minute);
    expect(await verdictOf(stage, "abandon")).toContain("is being changed");
    await stage.until(() => stage.reason?.code === "held.goesOn", 5 * minute);
    await stage.until(() => stage.isOver(), 60 * minute);
    expectWhole({ outageMs: [], outcomes: stage.outcomes(), stage }, "enrol");
  });
});
