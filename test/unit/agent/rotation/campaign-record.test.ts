// What a step leaves in the campaign's record, and what an operator may say to it.

import { describe, expect, it } from "vitest";
import {
  type Campaign,
  type CampaignState,
  type FarEnd,
  noMarks,
  type PortFacts,
  type Step,
} from "#agent/model/campaign.ts";
import { advance } from "#agent/rotation/campaign.ts";
import { command, type OperatorVerb, type Said } from "#agent/rotation/verbs.ts";
import type { WallTime } from "#hal/world.ts";
import { calmPort, campaignOf } from "../../kit/campaign-kit.ts";

const noon = 720 as WallTime;

const step = (next: CampaignState, mark: Step["mark"] = {}): Step => ({
  row: "test.row",
  next,
  action: undefined,
  because: "so",
  mark,
});

describe("the record after a step", () => {
  it("keeps the time of entry while the state stays, and says why", () => {
    const before = campaignOf("gated", { since: 5 as WallTime });
    expect(advance(before, step("gated"), noon)).toMatchObject({ since: 5, because: "so" });
    expect(advance(before, step("draining"), noon).since).toBe(noon);
  });

  it("takes over what the step marks, and nothing else", () => {
    const before = campaignOf("staged", { asked: true });
    const after = advance(before, step("switching", { told: true }), noon);
    expect(after).toEqual({
      ...before,
      told: true,
      state: "switching",
      since: noon,
      because: "so",
    });
  });

  it.each(["enrolled", "changed", "rotated"] as const)(
    "hands over to the next link after %s, with every mark gone",
    (outcome) => {
      const all = { told: true, asked: true, proved: true, soaked: true, token: "t", shut: true };
      const before = campaignOf("restoring", { ...all, goal: "revert", heldFrom: "proving" });
      const after = advance(before, step("done", { outcome }), noon);
      expect(after).toMatchObject({ ...noMarks, at: 1, state: "queued", heldFrom: undefined });
      expect(after).toMatchObject({ since: noon, because: "the link before it is done" });
      expect(after.links.map((link) => link.outcome)).toEqual([outcome, undefined]);
    },
  );

  it("keeps the outcome of a link that another step gave it", () => {
    const turned = advance(
      campaignOf("draining"),
      step("restoring", { outcome: "reverted" }),
      noon,
    );
    expect(advance(turned, step("done"), noon).links[0]?.outcome).toBe("reverted");
  });

  it("begins with nothing marked", () => {
    expect(noMarks).toEqual({
      ...{ told: false, asked: false, claimed: false, proved: false, soaked: false },
      ...{ aborted: false, shut: false, goal: "forward", oldSak: undefined },
      ...{ token: undefined, earlierToken: undefined },
    });
  });

  it("ends after the last link, and after one that was reverted", () => {
    const last = campaignOf("restoring", { at: 1 });
    const over = advance(last, step("done", { outcome: "enrolled" }), noon);
    expect(over).toMatchObject({ at: 1, state: "done" });
    expect(over.links.map((link) => link.outcome)).toEqual([undefined, "enrolled"]);
    const first = advance(campaignOf("restoring"), step("done", { outcome: "reverted" }), noon);
    expect(first).toMatchObject({ at: 0, state: "done" });
  });

  it("hands over only once the link is done, whatever its outcome is called before", () => {
    const after = advance(campaignOf("draining"), step("restoring", { outcome: "reverted" }), noon);
    expect(after).toMatchObject({ at: 0, state: "restoring" });
    const early = advance(campaignOf("proving"), step("restoring", { outcome: "rotated" }), noon);
    expect(early).toMatchObject({ at: 0, state: "restoring" });
  });

  it("remembers which state it was held from, once", () => {
    const after = advance(campaignOf("proving"), step("held"), noon);
    expect(after.heldFrom).toBe("proving");
    expect(advance(after, step("held"), noon).heldFrom).toBe("proving");
  });
});

const seen = (port: PortFacts | undefined) => ({ port, far: "old" }) as const;
const say = (
  campaign: Campaign,
  verb: OperatorVerb,
  port: PortFacts | undefined,
  farEndDone = false,
) => {
  const said: Said = { verb, farEndDone };
  return command(campaign, said, seen(port), noon);
};

describe("what an operator may say", () => {
  const carrying = calmPort;
  const states: readonly (readonly [OperatorVerb, CampaignState, PortFacts | undefined, string])[] =
    [
      ["proceed", "awaitingPeer", carrying, "awaitingPeer"],
      ["proceed", "gated", carrying, "refused: the campaign waits for nobody: it is gated"],
      ["proceed", "held", carrying, "refused: the campaign waits for nobody: it is held"],
      ["resume", "held", undefined, "gated"],
      ["resume", "switching", carrying, "refused: only a held campaign resumes: it is switching"],
      ["resume", "done", carrying, "refused: only a held campaign resumes: it is done"],
      ["revert", "held", carrying, "gated"],
      ["revert", "gated", carrying, "gated"],
      ["revert", "awaitingPeer", { ...carrying, keys: "both" }, "gated"],
      ["revert", "held", { ...carrying, keys: "else" }, "gated"],
      ["revert", "held", { ...carrying, keys: "new" }, "refused: the old key is off the port"],
      ["revert", "held", undefined, "refused: the router cannot be read"],
      ["revert", "queued", carrying, "refused: it is queued: wait until it is parked"],
      ["revert", "proving", carrying, "refused: it is proving: wait until it is parked"],
      ["revert", "done", carrying, "refused: it is done: wait until it is parked"],
      ["abandon", "queued", undefined, "done"],
      ["abandon", "gated", carrying, "done"],
      ["abandon", "awaitingPeer", carrying, "done"],
      ["abandon", "held", carrying, "done"],
      ["abandon", "held", undefined, "refused: the link does not carry"],
      [
        "abandon",
        "held",
        { ...carrying, carriedBy: "nothing" },
        "refused: the link does not carry",
      ],
      ["abandon", "held", { ...carrying, drain: "on" }, "refused: the link does not carry"],
      ["abandon", "held", { ...carrying, pending: "ours" }, "refused: the link does not carry"],
      ["abandon", "held", { ...carrying, pending: "foreign" }, "refused: the link does not carry"],
      ["abandon", "switching", carrying, "refused: it is switching: wait until it is parked"],
      ["abandon", "done", carrying, "refused: it is done: wait until it is parked"],
    ];
  it.each(states)("%s in %s", (verb, state, port, answer) => {
    const verdict = say(campaignOf(state, { kind: "rotate" }), verb, port);
    const text = verdict.kind === "accepted" ? verdict.campaign.state : `refused: ${verdict.why}`;
    expect(text).toMatch(new RegExp(`^${answer}`));
  });

  it("proceed marks that it was asked, and with --done that a person says it is done", () => {
    const waits = campaignOf("awaitingPeer", { since: 5 as WallTime });
    expect(say(waits, "proceed", calmPort)).toEqual({
      kind: "accepted",
      campaign: { ...waits, asked: true },
    });
    const claimed = { ...waits, asked: true, claimed: true };
    expect(say(waits, "proceed", undefined, true)).toMatchObject({ campaign: claimed });
    expect(say(claimed, "proceed", calmPort)).toMatchObject({ campaign: claimed });
  });

  it("proceed --done in switching is the word of who changed the far end, and no other", () => {
    const switching = campaignOf("switching", { told: true });
    expect(say(switching, "proceed", calmPort, true)).toEqual({
      kind: "accepted",
      campaign: { ...switching, claimed: true },
    });
    expect(say(switching, "proceed", calmPort)).toMatchObject({
      kind: "refused",
      why: "the campaign waits for nobody: it is switching",
    });
    expect(say(campaignOf("proving"), "proceed", calmPort, true)).toMatchObject({
      kind: "refused",
    });
  });

  it("resume begins again, and keeps what the far end was told", () => {
    const stuck = campaignOf("held", {
      ...{ told: true, asked: true, aborted: true, goal: "revert", heldFrom: "proving" },
    });
    expect(say(stuck, "resume", calmPort)).toMatchObject({
      campaign: {
        ...{ told: true, asked: false, aborted: false, goal: "forward", heldFrom: undefined },
        ...{ since: noon, because: "the operator resumed it" },
      },
    });
  });

  it("revert turns the goal round, and refuses an enrolment that is on the router", () => {
    const stuck = campaignOf("held", { told: true, heldFrom: "proving" });
    expect(say(stuck, "revert", calmPort)).toMatchObject({
      campaign: {
        ...{ goal: "revert", told: true, heldFrom: undefined, since: noon },
        because: "the operator wants the old key back",
      },
    });
    const keyed = say(stuck, "revert", { ...calmPort, keys: "new" });
    expect(keyed).toMatchObject({
      kind: "refused",
      why: expect.stringContaining("never goes back"),
    });
  });
});

describe("abandon leaves both ends on one version", () => {
  const old = calmPort;
  const both = { ...calmPort, keys: "both" } as const;
  const bothByNew = { ...both, carriedBy: "new" } as const;
  const next = { ...calmPort, keys: "new", carriedBy: "new" } as const;
  const rows: readonly (readonly [FarEnd, string, PortFacts, boolean, string])[] = [
    ["old", "the old key", old, true, "done"],
    ["old", "both keys, secured by the old one", both, true, "done"],
    ["new", "the new key alone", next, true, "done"],
    ["either", "the new settings", next, true, "done"],
    ["unknown", "the old key, and we sent nothing", old, false, "done"],
    ["new", "both keys", bothByNew, true, "the router holds both keys"],
    ["new", "both keys, secured by the old one", both, true, "the router holds both keys"],
    ["new", "the old key", old, true, "the router holds the old key"],
    ["old", "the new key", next, true, "the router holds the new key"],
    ["old", "both keys, secured by the new one", bothByNew, true, "the router holds both keys"],
    ["updating", "the old key", old, true, "wait until it has settled"],
    ["unknown", "the old key, and we sent something", old, true, "the far end cannot be read"],
    ["unknown", "the new key", next, false, "the far end cannot be read"],
    ["other", "the old key", old, true, "what the router uses, the old version, first"],
    ["other", "the new key", next, true, "what the router uses, the new version, first"],
  ];
  it.each(rows)("with the far end on %s and %s on the router", (far, _what, port, told, answer) => {
    const campaign = campaignOf("held", { kind: "rotate", told });
    const verdict = command(campaign, { verb: "abandon", farEndDone: false }, { port, far }, noon);
    const text = verdict.kind === "accepted" ? verdict.campaign.state : verdict.why;
    expect(text).toContain(answer);
  });

  it.each([
    ["rotate", "held", bothByNew, "linkseal rotation resume erd-demo"],
    ["rotate", "gated", bothByNew, "linkseal rotation revert erd-demo"],
    ["enrol", "held", old, "linkseal rotation resume erd-demo"],
    ["enrol", "gated", old, "linkseal rotation show erd-demo"],
  ] as const)("and names the next act of a %s campaign in %s", (kind, state, port, act) => {
    const campaign = campaignOf(state, { kind, told: true });
    const said = { verb: "abandon", farEndDone: false } as const;
    expect(command(campaign, said, { port, far: "new" }, noon)).toMatchObject({
      kind: "refused",
      next: act,
    });
  });
});

describe("an abandoned campaign", () => {
  const abandoned = (over: Partial<Campaign> = {}): Campaign => {
    const verdict = say(campaignOf("held", { kind: "rotate", ...over }), "abandon", calmPort);
    if (verdict.kind === "refused") throw new Error(verdict.why);
    return verdict.campaign;
  };

  it("gives every link that is left an outcome, and leaves the others theirs", () => {
    expect(abandoned().because).toBe("the operator abandoned it");
    expect(abandoned().links.map(({ outcome }) => outcome)).toEqual(["abandoned", "abandoned"]);
    const [first, second] = campaignOf("held").links;
    if (first === undefined || second === undefined) throw new Error("two links");
    const links = [{ ...first, outcome: "rotated" } as const, second];
    const later = abandoned({ links, at: 1 });
    expect(later.links.map(({ outcome }) => outcome)).toEqual(["rotated", "abandoned"]);
  });

  it("is not called reverted because it was once on its way back", () => {
    const [first, second] = campaignOf("held").links;
    if (first === undefined || second === undefined) throw new Error("two links");
    const links = [{ ...first, outcome: "reverted" } as const, second];
    expect(abandoned({ links }).links[0]?.outcome).toBe("abandoned");
  });

  it("that is still held is no abandoned one, whatever a link of it came to", () => {
    const [first, second] = abandoned().links;
    if (first === undefined || second === undefined) throw new Error("two links");
    const stuck = campaignOf("proving", { kind: "rotate", links: [first, second] });
    expect(say(stuck, "revert", calmPort)).toMatchObject({ kind: "refused" });
  });

  it("is opened again by revert, at the link that was left, as told", () => {
    const marks = {
      soaked: true,
      asked: true,
      told: false,
      token: "t",
      earlierToken: "s",
      heldFrom: "staged",
    } as const;
    // What was sent under them may still land.
    const tokens = { token: "t", earlierToken: "s" };
    const reopened = say(abandoned(marks), "revert", { ...calmPort, keys: "both" });
    expect(reopened).toMatchObject({
      campaign: { ...noMarks, told: true, goal: "revert", state: "gated", at: 0, ...tokens },
    });
    if (reopened.kind === "refused") throw new Error(reopened.why);
    expect(reopened.campaign.since).toBe(noon);
    expect(reopened.campaign.because).toBe("the operator wants the old key back");
    const { links } = abandoned(marks);
    expect(reopened.campaign.links).toEqual([{ ...links[0], outcome: undefined }, links[1]]);
    expect(say(abandoned(), "revert", undefined)).toMatchObject({ kind: "refused" });
    const gone = say(abandoned(), "revert", { ...calmPort, keys: "new" });
    expect(gone).toMatchObject({
      kind: "refused",
      why: expect.stringContaining("ordinary rotation"),
    });
  });
});
