// What a step leaves in the campaign's record, and what an operator may say to it.

import { describe, expect, it } from "vitest";
import {
  type Campaign,
  type CampaignState,
  type Facts,
  noMarks,
  type PortFacts,
  type Step,
} from "#agent/model/campaign.ts";
import type { FarEnd } from "#agent/model/reason.ts";
import { advance, decide } from "#agent/rotation/campaign.ts";
import { command, type ObservedEnds, type OperatorVerb } from "#agent/rotation/verbs.ts";
import type { WallTime } from "#hal/world.ts";
import { calm, calmPort, campaignOf } from "../../kit/campaign-kit.ts";

const noon = 720 as WallTime;

const step = (next: CampaignState, mark: Step["mark"] = {}): Step => ({
  row: "test.row",
  next,
  action: undefined,
  reason: { code: "staging.both" },
  mark,
});

describe("the record after a step", () => {
  it("a record keeps its time of entry while the state stays, with the new reason", () => {
    const before = campaignOf("gated", { since: 5 as WallTime });
    expect(advance(before, step("gated"), noon)).toMatchObject({
      since: 5,
      reason: { code: "staging.both" },
    });
    expect(advance(before, step("draining"), noon).since).toBe(noon);
  });

  it("a record takes over the marks of the step and nothing else", () => {
    const before = campaignOf("staged", { asked: true });
    const after = advance(before, step("switching", { told: true }), noon);
    expect(after).toEqual({
      ...before,
      told: true,
      state: "switching",
      since: noon,
      reason: { code: "staging.both" },
    });
  });

  it("a campaign has begun with its first drain, whatever comes later", () => {
    const drains = { ...step("draining"), action: "drain" } as const;
    expect(advance(campaignOf("gated"), step("gated"), noon).begunAt).toBeUndefined();
    expect(advance(campaignOf("gated"), drains, noon).begunAt).toBe(noon);
    const begunAt = 5 as WallTime;
    expect(advance(campaignOf("gated", { begunAt }), drains, noon).begunAt).toBe(begunAt);
    expect(advance(campaignOf("held", { begunAt }), step("gated"), noon).begunAt).toBe(begunAt);
  });

  it.each(["enrolled", "changed", "rotated"] as const)(
    "a campaign goes on with the next link after %s, with every mark cleared",
    (outcome) => {
      const all = { told: true, asked: true, proved: true, soaked: true, token: "t", shut: true };
      const before = campaignOf("restoring", { ...all, goal: "revert", heldFrom: "proving" });
      const after = advance(before, step("done", { outcome }), noon);
      expect(after).toMatchObject({ ...noMarks, at: 1, state: "queued", heldFrom: undefined });
      expect(after).toMatchObject({ since: noon, reason: { code: "next.link" } });
      expect(after.links.map((link) => link.outcome)).toEqual([outcome, undefined]);
    },
  );

  it("a link keeps the outcome that an earlier step gave it", () => {
    const turned = advance(
      campaignOf("draining"),
      step("restoring", { outcome: "reverted" }),
      noon,
    );
    expect(advance(turned, step("done"), noon).links[0]?.outcome).toBe("reverted");
  });

  it("noMarks has nothing marked", () => {
    expect(noMarks).toEqual({
      ...{ touched: false, told: false, asked: false, claimed: false },
      ...{ proved: false, soaked: false },
      ...{ aborted: false, shut: false, again: false, goal: "forward", oldSak: undefined },
      ...{ token: undefined, earlierToken: undefined },
    });
  });

  it("a link is touched once an effect is decided on or a person is asked, and stays so", () => {
    const waits = campaignOf("queued");
    expect(advance(waits, step("gated"), noon).touched).toBe(false);
    expect(advance(campaignOf("gated"), step("gated"), noon).touched).toBe(false);
    expect(advance(campaignOf("gated"), step("awaitingPeer"), noon).touched).toBe(true);
    const restores = { ...step("gated"), action: "restore" } as const;
    expect(advance(campaignOf("gated"), restores, noon).touched).toBe(true);
    expect(advance(campaignOf("staged"), step("gated"), noon).touched).toBe(true);
    const { touched: _, ...earlier } = campaignOf("gated");
    expect(advance(earlier as Campaign, step("gated"), noon).touched).toBe(true);
  });

  it("a campaign ends after its last link, and after one that was reverted", () => {
    const last = campaignOf("restoring", { at: 1 });
    const over = advance(last, step("done", { outcome: "enrolled" }), noon);
    expect(over).toMatchObject({ at: 1, state: "done" });
    expect(over.links.map((link) => link.outcome)).toEqual([undefined, "enrolled"]);
    const first = advance(campaignOf("restoring"), step("done", { outcome: "reverted" }), noon);
    expect(first).toMatchObject({ at: 0, state: "done" });
  });

  it("a campaign goes on with the next link only once this one is done", () => {
    const after = advance(campaignOf("draining"), step("restoring", { outcome: "reverted" }), noon);
    expect(after).toMatchObject({ at: 0, state: "restoring" });
    const early = advance(campaignOf("proving"), step("restoring", { outcome: "rotated" }), noon);
    expect(early).toMatchObject({ at: 0, state: "restoring" });
  });

  it("a held campaign remembers the state that it was held from", () => {
    const after = advance(campaignOf("proving"), step("held"), noon);
    expect(after.heldFrom).toBe("proving");
    expect(advance(after, step("held"), noon).heldFrom).toBe("proving");
  });
});

const seen = (port: PortFacts | undefined) => ({ port, far: "old", oldKey: "trusted" }) as const;
const say = (
  campaign: Campaign,
  verb: OperatorVerb,
  port: PortFacts | undefined,
  farEndDone = false,
) => {
  const said = { verb, farEndDone, by: "a person" };
  return command(campaign, said, seen(port), noon);
};

const proceed = { code: "operator.proceed", by: "a person" } as const;

describe("what an operator may command", () => {
  const carrying = calmPort;
  const states: readonly {
    readonly verb: OperatorVerb;
    readonly state: CampaignState;
    readonly port: PortFacts | undefined;
    readonly answer: string;
  }[] = [
    { verb: "proceed", state: "awaitingPeer", port: carrying, answer: "awaitingPeer" },
    { verb: "proceed", state: "gated", port: carrying, answer: "refused.notAwaiting" },
    { verb: "proceed", state: "held", port: carrying, answer: "refused.notAwaiting" },
    { verb: "resume", state: "held", port: undefined, answer: "gated" },
    { verb: "resume", state: "switching", port: carrying, answer: "refused.notHeld" },
    { verb: "resume", state: "done", port: carrying, answer: "refused.notHeld" },
    { verb: "revert", state: "held", port: carrying, answer: "gated" },
    { verb: "revert", state: "gated", port: carrying, answer: "gated" },
    { verb: "revert", state: "awaitingPeer", port: { ...carrying, keys: "both" }, answer: "gated" },
    { verb: "revert", state: "held", port: { ...carrying, keys: "else" }, answer: "gated" },
    {
      verb: "revert",
      state: "held",
      port: { ...carrying, keys: "new" },
      answer: "refused.oldKeyGone",
    },
    { verb: "revert", state: "held", port: undefined, answer: "refused.unread" },
    { verb: "revert", state: "queued", port: carrying, answer: "refused.notParked" },
    { verb: "revert", state: "proving", port: carrying, answer: "refused.notParked" },
    { verb: "revert", state: "done", port: carrying, answer: "refused.notParked" },
    { verb: "abandon", state: "queued", port: undefined, answer: "done" },
    { verb: "abandon", state: "gated", port: carrying, answer: "done" },
    { verb: "abandon", state: "awaitingPeer", port: carrying, answer: "done" },
    { verb: "abandon", state: "held", port: carrying, answer: "done" },
    { verb: "abandon", state: "held", port: undefined, answer: "refused.unread" },
    {
      verb: "abandon",
      state: "held",
      port: { ...carrying, carriedBy: "nothing" },
      answer: "refused.notCarrying",
    },
    {
      verb: "abandon",
      state: "held",
      port: { ...carrying, drain: "on" },
      answer: "refused.notCarrying",
    },
    {
      verb: "abandon",
      state: "held",
      port: { ...carrying, pending: "ours" },
      answer: "refused.notCarrying",
    },
    {
      verb: "abandon",
      state: "held",
      port: { ...carrying, pending: "foreign" },
      answer: "refused.notCarrying",
    },
    { verb: "abandon", state: "switching", port: carrying, answer: "refused.notParked" },
    { verb: "abandon", state: "done", port: carrying, answer: "refused.notParked" },
  ];
  it.each(states)("$verb in $state is answered with $answer", ({ verb, state, port, answer }) => {
    const verdict = say(campaignOf(state, { kind: "rotate" }), verb, port);
    expect(verdict.kind === "accepted" ? verdict.campaign.state : verdict.why.code).toBe(answer);
  });

  it("proceed marks the campaign as asked, and with --done also as claimed", () => {
    const waits = campaignOf("awaitingPeer", { since: 5 as WallTime });
    expect(say(waits, "proceed", calmPort)).toEqual({
      kind: "accepted",
      campaign: { ...waits, reason: proceed, asked: true },
    });
    const claimed = { ...waits, reason: proceed, asked: true, claimed: true };
    expect(say(waits, "proceed", undefined, true)).toMatchObject({ campaign: claimed });
    expect(say(claimed, "proceed", calmPort)).toMatchObject({ campaign: claimed });
  });

  it("proceed in switching is accepted with --done, and refused without", () => {
    const switching = campaignOf("switching", { told: true });
    expect(say(switching, "proceed", calmPort, true)).toEqual({
      kind: "accepted",
      campaign: { ...switching, reason: proceed, claimed: true },
    });
    expect(say(switching, "proceed", calmPort)).toMatchObject({
      kind: "refused",
      why: { code: "refused.notAwaiting", state: "switching" },
    });
    expect(say(campaignOf("proving"), "proceed", calmPort, true)).toMatchObject({
      kind: "refused",
    });
  });

  it("resume begins the link again, and keeps the mark that the far end was told", () => {
    const stuck = campaignOf("held", {
      ...{ told: true, asked: true, aborted: true, goal: "revert", heldFrom: "proving" },
    });
    expect(say(stuck, "resume", calmPort)).toMatchObject({
      campaign: {
        ...{ told: true, asked: false, aborted: false, goal: "forward", heldFrom: undefined },
        ...{ since: noon, reason: { code: "operator.resume", by: "a person" } },
      },
    });
  });

  it("revert turns the goal round, and is refused once a router has its first key", () => {
    const stuck = campaignOf("held", { told: true, heldFrom: "proving" });
    expect(say(stuck, "revert", calmPort)).toMatchObject({
      campaign: {
        ...{ goal: "revert", told: true, heldFrom: undefined, since: noon },
        reason: { code: "operator.revert", by: "a person" },
      },
    });
    const keyed = say(stuck, "revert", { ...calmPort, keys: "new" });
    expect(keyed).toMatchObject({
      kind: "refused",
      why: { code: "refused.enrolment" },
    });
  });
});

interface Row {
  readonly far: FarEnd;
  readonly router: string;
  readonly port: PortFacts;
  readonly told?: boolean;
  /** undefined = it is accepted. */
  readonly why?: object;
}

describe("abandon leaves both ends on one version", () => {
  const old = calmPort;
  const both = { ...calmPort, keys: "both" } as const;
  const bothByNew = { ...both, carriedBy: "new" } as const;
  const next = { ...calmPort, keys: "new", carriedBy: "new" } as const;
  const apart = { code: "refused.apart", mayRevert: true };
  const rows: readonly Row[] = [
    { far: "old", router: "the old key", port: old },
    { far: "old", router: "both keys, secured by the old one", port: both },
    { far: "new", router: "the new key alone", port: next },
    { far: "either", router: "the new settings", port: next },
    { far: "unknown", router: "the old key, and nothing was sent", port: old, told: false },
    { far: "new", router: "both keys", port: bothByNew, why: { ...apart, keys: "both" } },
    {
      ...{ far: "new", router: "both keys, secured by the old one", port: both },
      why: { ...apart, far: "new", keys: "both" },
    },
    { far: "new", router: "the old key", port: old, why: { ...apart, keys: "old" } },
    {
      ...{ far: "old", router: "the new key", port: next },
      why: { ...apart, keys: "new", far: "old", mayRevert: false },
    },
    {
      ...{ far: "old", router: "both keys, secured by the new one", port: bothByNew },
      why: { ...apart, keys: "both" },
    },
    {
      ...{ far: "updating", router: "the old key", port: old },
      why: { code: "refused.farEndUpdating" },
    },
    {
      ...{ far: "unknown", router: "the old key, and something was sent", port: old },
      why: { code: "refused.farEndUnread" },
    },
    {
      ...{ far: "unknown", router: "the new key", port: next, told: false },
      why: { code: "refused.farEndUnread" },
    },
    {
      ...{ far: "other", router: "the old key", port: old },
      why: { code: "refused.farEndForeign", version: "old" },
    },
    {
      ...{ far: "other", router: "the new key", port: next },
      why: { code: "refused.farEndForeign", version: "new" },
    },
  ];
  it.each(rows)(
    "abandon is judged with the far end on $far and $router on the router",
    ({ far, port, told = true, why }) => {
      const campaign = campaignOf("held", { kind: "rotate", told });
      const said = { verb: "abandon", farEndDone: false, by: "a person" } as const;
      expect(command(campaign, said, { port, far, oldKey: "trusted" }, noon)).toMatchObject(
        why === undefined ? { campaign: { state: "done" } } : { kind: "refused", why },
      );
    },
  );

  it.each([
    { kind: "rotate", state: "held", port: bothByNew, act: "linkseal rotation resume erd-demo" },
    { kind: "rotate", state: "gated", port: bothByNew, act: "linkseal rotation revert erd-demo" },
    { kind: "enrol", state: "held", port: old, act: "linkseal rotation resume erd-demo" },
    { kind: "enrol", state: "gated", port: old, act: "linkseal rotation show erd-demo" },
  ] as const)(
    "a refused abandon in $state of kind $kind names $act",
    ({ kind, state, port, act }) => {
      const campaign = campaignOf(state, { kind, touched: true, told: true });
      const said = { verb: "abandon", farEndDone: false, by: "a person" } as const;
      expect(command(campaign, said, { port, far: "new", oldKey: "trusted" }, noon)).toMatchObject({
        kind: "refused",
        next: act,
      });
    },
  );
});

describe("a campaign that waits in gated and has touched nothing", () => {
  const unseen = { port: undefined, far: "unknown", oldKey: "trusted" } as const;
  const dark = {
    port: { ...calmPort, carriedBy: "nothing" },
    far: "unknown",
    oldKey: "trusted",
  } as const;
  const drained = {
    port: { ...calmPort, drain: "on" },
    far: "updating",
    oldKey: "trusted",
  } as const;
  const abandon = (campaign: Campaign, observed: ObservedEnds) => {
    const said = { verb: "abandon", farEndDone: false, by: "a person" } as const;
    return command(campaign, said, observed, noon);
  };

  it.each([unseen, dark, drained])(
    "abandon ends it whatever can be read of its link: $port, $far",
    (observed) => {
      const outcomes = [{ outcome: "abandoned" }, { outcome: "abandoned" }];
      expect(abandon(campaignOf("gated"), observed)).toMatchObject({
        campaign: { state: "done", links: outcomes },
      });
    },
  );

  const asked = advance(campaignOf("gated"), step("awaitingPeer"), noon);
  const stopped = advance(asked, step("held"), noon);
  const resumed = say(stopped, "resume", undefined);
  const reverted = say(asked, "revert", calmPort);
  if (resumed.kind === "refused" || reverted.kind === "refused") throw new Error("accepted");
  const { touched: _, ...earlier } = campaignOf("gated");
  it.each([
    ["its first drain was decided on", campaignOf("gated", { touched: true })],
    ["a person was asked, and the campaign was resumed", resumed.campaign],
    ["a person was asked, and the campaign goes back", reverted.campaign],
    ["a person is asked", asked],
    ["it is held", stopped],
    ["a version that had no such mark began it", earlier as Campaign],
  ])("abandon is refused where its link cannot be read, once %s", (_why, campaign) => {
    expect(abandon(campaign, unseen)).toMatchObject({ why: { code: "refused.unread" } });
    expect(abandon(campaign, dark)).toMatchObject({ why: { code: "refused.notCarrying" } });
  });
});

describe("an abandoned campaign", () => {
  const abandoned = (over: Partial<Campaign> = {}): Campaign => {
    const verdict = say(campaignOf("held", { kind: "rotate", ...over }), "abandon", calmPort);
    if (verdict.kind === "refused") throw new Error(verdict.why.code);
    return verdict.campaign;
  };

  it("abandon gives each link that is left an outcome, and leaves the others theirs", () => {
    expect(abandoned().reason).toEqual({ code: "operator.abandon", by: "a person" });
    expect(abandoned().links.map(({ outcome }) => outcome)).toEqual(["abandoned", "abandoned"]);
    const [first, second] = campaignOf("held").links;
    if (first === undefined || second === undefined) throw new Error("two links");
    const links = [{ ...first, outcome: "rotated" } as const, second];
    const later = abandoned({ links, at: 1 });
    expect(later.links.map(({ outcome }) => outcome)).toEqual(["rotated", "abandoned"]);
  });

  it("a link that was once on its way back is abandoned and not reverted", () => {
    const [first, second] = campaignOf("held").links;
    if (first === undefined || second === undefined) throw new Error("two links");
    const links = [{ ...first, outcome: "reverted" } as const, second];
    expect(abandoned({ links }).links[0]?.outcome).toBe("abandoned");
  });

  it("a running campaign with abandoned links refuses revert", () => {
    const [first, second] = abandoned().links;
    if (first === undefined || second === undefined) throw new Error("two links");
    const stuck = campaignOf("proving", { kind: "rotate", links: [first, second] });
    expect(say(stuck, "revert", calmPort)).toMatchObject({ kind: "refused" });
  });

  it("revert reopens an abandoned campaign at the link that was left, as told", () => {
    const marks = {
      soaked: true,
      asked: true,
      told: false,
      token: "t",
      earlierToken: "s",
      heldFrom: "staged",
    } as const;
    // A change that was sent under them may still arrive.
    const tokens = { token: "t", earlierToken: "s" };
    const again = { touched: true, told: true, goal: "revert" } as const;
    const reopened = say(abandoned(marks), "revert", { ...calmPort, keys: "both" });
    expect(reopened).toMatchObject({
      campaign: { ...noMarks, ...again, state: "gated", at: 0, ...tokens },
    });
    if (reopened.kind === "refused") throw new Error(reopened.why.code);
    expect(reopened.campaign.since).toBe(noon);
    expect(reopened.campaign.reason).toEqual({ code: "operator.revert", by: "a person" });
    const { links } = abandoned(marks);
    expect(reopened.campaign.links).toEqual([{ ...links[0], outcome: undefined }, links[1]]);
    expect(say(abandoned(), "revert", undefined)).toMatchObject({ kind: "refused" });
    const gone = say(abandoned(), "revert", { ...calmPort, keys: "new" });
    expect(gone).toMatchObject({
      kind: "refused",
      why: { code: "refused.oldKeyGone" },
    });
  });

  it.each([
    ["time alone", {}, "promoting.late", true],
    ["what both ends show", {}, "staging.oldKeyGone", false],
    ["time alone, after it went on", { again: true }, "promoting.late", false],
  ] as const)("a hold for %s goes on by itself, or not: once", (_, over, row, goesOn) => {
    const held = advance(campaignOf("promoting", over), { ...step("held"), row }, noon);
    expect([held.again, held.heldFrom]).toEqual([goesOn, "promoting"]);
    const stayed = advance(held, step("held"), noon);
    expect([stayed.again, stayed.heldFrom]).toEqual([goesOn, "promoting"]);
    expect(advance(stayed, step("gated"), noon)).toMatchObject({ again: goesOn, state: "gated" });
    expect(advance(stayed, step("gated"), noon).heldFrom).toBeUndefined();
  });

  it.each([
    ["the way back", { goal: "revert" }, {}],
    ["another hold", { again: false }, {}],
    ["a lost sibling", {}, { sibling: "lost" }],
    ["a sibling that is not known", {}, { sibling: "unsure" }],
    ["a far end that was not read", {}, { far: "unknown" }],
    ["a far end that changes", {}, { far: "updating" }],
    ["a far end with another key", {}, { far: "other" }],
    ["a router that was not read", {}, { port: undefined }],
  ] as const)("a hold by time alone stays with %s", (_, over, facts) => {
    const held = campaignOf("held", { again: true, ...over });
    expect(decide(held, { ...calm, ...facts } as Facts).next).toBe("held");
  });
});
