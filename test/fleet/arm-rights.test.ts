// Each right in Azure that a campaign needs, taken away before it and during it: without the right
// nothing is drained, and a link that is drained already comes back or carries on.

import { describe, expect, it } from "vitest";
import { watchOutages } from "#sim/oracle/outage.ts";
import type { Overlap } from "#sim/site/site-plan.ts";
import { effort } from "../effort.ts";
import { ArmStage } from "./arm-stage.ts";

const minute = 60_000;
const assign = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action";

type Wish = "enrol" | Overlap;
const wishes: readonly Wish[] = ["enrol", "keychain", "fallback", "none"];

const port = (stage: ArmStage): string => stage.msee.name;
const group = (stage: ArmStage): string => port(stage).split("/").slice(0, 5).join("/");
const identity = (stage: ArmStage): string =>
  `${group(stage)}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/` +
  `${port(stage).split("/").at(-1)}-macsec`;

interface Right {
  readonly action: string;
  readonly scope: (stage: ArmStage) => string;
}

const read: Right = { action: "Microsoft.Network/expressRoutePorts/read", scope: port };
const write: Right = { action: "Microsoft.Network/expressRoutePorts/write", scope: port };
const linked: Right = { action: assign, scope: identity };
const follow: Right = { action: "Microsoft.Network/locations/operations/read", scope: group };
const result: Right = { action: "Microsoft.Network/locations/operationResults/read", scope: group };
const rights: readonly Right[] = [read, write, linked, follow, result];

const take = (stage: ArmStage, { action, scope }: Right): void =>
  stage.cloud.arm.roles.withhold(action, scope(stage));

const links = (stage: ArmStage) => stage.site.truth().groups[0]?.links ?? [];
const isDrained = (stage: ArmStage): boolean => links(stage).some(({ drained }) => drained);

/** Prepares a stage up to its wish; a link is at rest. */
async function staged(wish: Wish): Promise<ArmStage> {
  const overlap = wish === "enrol" ? "keychain" : wish;
  const stage = new ArmStage({ overlap, rights: "asked" });
  if (wish === "enrol") return stage;
  await stage.live(undefined);
  await stage.until(() => stage.isOver());
  // The rights at rest are older than those that a campaign wants.
  await stage.site.clock.runFor(2 * minute);
  return stage;
}

async function begin(stage: ArmStage, wish: Wish): Promise<void> {
  if (wish === "enrol") await stage.live(undefined);
  else await stage.rotate();
}

async function ends(stage: ArmStage, wish: Wish): Promise<void> {
  await stage.until(() => stage.isOver(), 60 * minute);
  const outcome = wish === "enrol" ? "enrolled" : "rotated";
  expect(stage.outcomes(), stage.reason?.code).toEqual([outcome, outcome]);
  for (const { edge, far } of stage.ends()) expect(edge).toEqual([far]);
  expect(stage.complaints()).toEqual([]);
}

const waiting = (stage: ArmStage) =>
  stage.status().warnings.find(({ code }) => code === "campaign-waiting");

/** In a short run the routers with two keys try one right: for the others no row differs. */
const pairs = wishes.flatMap((wish) =>
  rights
    .filter((right) => effort(wish === "enrol" || wish === "none" || right === write, true))
    .map((right) => [wish, right.action, right] as const),
);

describe("a right that is missing before a campaign", () => {
  it.each(pairs.filter(([wish, , right]) => wish !== "enrol" || right !== read))(
    "%s without %s: nothing is drained or written, the right is named, and it goes on with it",
    async (wish, action, right) => {
      const stage = await staged(wish);
      const puts = stage.puts().length;
      take(stage, right);
      const watch = watchOutages(stage.site);
      const begun = stage.site.clock.now();
      let drained = false;
      await begin(stage, wish);
      await stage.until(() => {
        drained ||= isDrained(stage);
        return false;
      }, 15 * minute);
      expect([drained, stage.puts().length - puts]).toEqual([false, 0]);
      for (const { id } of stage.site.links) expect(watch.time(id, begun).wholeMs).toBe(0);
      expect(stage.campaign).toBe("gated");
      const cause = { code: "gate.rightsMissing", action, scope: right.scope(stage), others: 0 };
      expect(stage.reason).toEqual({ code: "gated.closed", cause });
      expect(waiting(stage)?.text).toContain(`${action} at ${right.scope(stage)}`);
      expect(waiting(stage)?.next).toContain("linkseal azure setup");
      stage.cloud.arm.roles.restore();
      await ends(stage, wish);
    },
  );

  it("without the right to read the port no enrolment begins, and the right is named", async () => {
    const stage = await staged("enrol");
    take(stage, read);
    await begin(stage, "enrol");
    await stage.site.clock.runFor(15 * minute);
    expect([stage.campaign, stage.puts(), isDrained(stage)]).toEqual(["none", [], false]);
    const unread = stage.status().warnings.find(({ code }) => code === "far-end-unreadable");
    expect(unread?.next).toContain(read.action);
    stage.cloud.arm.roles.restore();
    await ends(stage, "enrol");
  });

  it("several missing rights are counted, and the first is named", async () => {
    const stage = await staged("enrol");
    for (const right of [write, linked, follow]) take(stage, right);
    await begin(stage, "enrol");
    await stage.until(() => stage.campaign === "gated");
    await stage.site.clock.runFor(minute);
    expect(stage.reason).toMatchObject({ cause: { action: write.action, others: 2 } });
    stage.cloud.arm.roles.restore();
    await ends(stage, "enrol");
  });

  it("an emergency drains nothing without its rights either", async () => {
    const stage = await staged("keychain");
    take(stage, write);
    await stage.rotate("emergency");
    await stage.site.clock.runFor(15 * minute);
    expect([stage.campaign, isDrained(stage)]).toEqual(["gated", false]);
    stage.cloud.arm.roles.restore();
    await ends(stage, "keychain");
  });

  it("rights that may not be read are a warning, and the campaign goes on", async () => {
    const stage = await staged("enrol");
    stage.cloud.arm.roles.withhold("Microsoft.Authorization/permissions/read");
    await begin(stage, "enrol");
    await ends(stage, "enrol");
    await stage.site.clock.runFor(2 * minute);
    const [unknown] = stage.status().warnings.filter(({ code }) => code === "rights-unknown");
    expect(unknown?.about).toBe("erd-demo");
    expect(unknown?.next).toContain("Microsoft.Authorization/permissions/read");
    stage.cloud.arm.roles.restore();
    await stage.until(() => stage.status().warnings.length === 0, 30 * minute);
    expect(stage.status().warnings).toEqual([]);
  });

  it("a far end that a person changes waits for no right", async () => {
    const edit = (config: string): string => config.replace("farEnd: agent", "farEnd: manual");
    const stage = new ArmStage({ rights: "asked", edit });
    for (const right of [write, linked, follow, result]) take(stage, right);
    await stage.live(undefined);
    await stage.until(() => stage.campaign === "awaitingPeer");
    expect(stage.campaign).toBe("awaitingPeer");
    const asked = stage.cloud.answered.filter(({ path }) => path.includes("/permissions"));
    expect(asked).toEqual([]);
  });
});

describe("a right that is taken away once the link is drained", () => {
  const taken = pairs.filter(([, , right]) => right === write || right === linked);

  it.each(taken)(
    "%s without %s: the write is refused, no link is dark, and both ends keep what they had",
    async (wish, action, right) => {
      const stage = await staged(wish);
      const before = wish === "enrol" ? undefined : stage.ends();
      const puts = stage.puts().length;
      await begin(stage, wish);
      await stage.until(() => isDrained(stage));
      take(stage, right);
      const watch = watchOutages(stage.site);
      const begun = stage.site.clock.now();
      await stage.until(() => stage.puts().length > puts);
      await stage.site.clock.runFor(15_000);
      const refused = stage.status().warnings.find(({ code }) => code === "far-end-refused");
      expect(refused?.next).toContain(right === write ? "/write" : action);
      await stage.until(() => !isDrained(stage) && stage.campaign !== "switching", 60 * minute);
      await stage.site.clock.runFor(5 * minute);
      expect(new Set(stage.puts().slice(puts))).toEqual(new Set(["403"]));
      for (const { id } of stage.site.links) expect(watch.time(id, begun).wholeMs).toBe(0);
      expect(isDrained(stage)).toBe(false);
      if (before !== undefined) expect(stage.ends()).toEqual(before);
      expect(stage.complaints()).toEqual([]);
    },
  );

  it.each(pairs.filter(([, , right]) => right === follow || right === result))(
    "%s without %s: the document of the port decides, and the campaign ends",
    async (wish, _action, right) => {
      const stage = await staged(wish);
      await begin(stage, wish);
      await stage.until(() => isDrained(stage));
      take(stage, right);
      const puts = stage.puts().length;
      await stage.until(() => stage.puts().length > puts);
      await stage.until(() => stage.outcomes()[0] !== undefined, 60 * minute);
      // The second link waits for the right.
      await stage.site.clock.runFor(5 * minute);
      expect([stage.campaign, isDrained(stage)]).toEqual(["gated", false]);
      expect(stage.reason).toMatchObject({ cause: { action: right.action } });
      stage.cloud.arm.roles.restore();
      await ends(stage, wish);
    },
  );

  it.each(wishes.map((wish) => [wish]))(
    "%s without the right to read: the link comes back, or waits drained while it carries",
    async (wish) => {
      const stage = await staged(wish);
      await begin(stage, wish);
      await stage.until(() => isDrained(stage));
      take(stage, read);
      const watch = watchOutages(stage.site);
      const begun = stage.site.clock.now();
      const puts = stage.puts().length;
      await stage.site.clock.runFor(30 * minute);
      expect(stage.puts().length - puts).toBe(0);
      for (const { id } of stage.site.links) expect(watch.time(id, begun).wholeMs).toBe(0);
      const unread = stage.status().warnings.find(({ code }) => code === "far-end-unreadable");
      expect(unread?.next).toContain(read.action);
      expect(stage.complaints()).toEqual([]);
      stage.cloud.arm.roles.restore();
      await stage.until(() => stage.isOver() || stage.campaign === "held", 60 * minute);
      if (stage.campaign === "held") {
        await stage.say("resume");
        await stage.until(() => stage.isOver(), 60 * minute);
      }
      expect(stage.isOver(), stage.reason?.code).toBe(true);
    },
  );
});

describe("an identity that is changed while its operation runs", () => {
  it.each(["enrol", "none"] as const)(
    "%s: the document of the port decides, and the warning names the change",
    async (wish) => {
      const stage = await staged(wish);
      const names: string[] = [];
      let isOther = false;
      // Only the identity that began an operation may read its result.
      stage.alter = (reply, { path }) => {
        const begun = reply.headers["azure-asyncoperation"];
        if (begun !== undefined && !isOther) names.push(new URL(begun).pathname);
        return isOther && names.some((name) => path.startsWith(name)) ? notYours : reply;
      };
      await begin(stage, wish);
      await stage.until(() => names.length > 0);
      isOther = true;
      await stage.until(() => stage.status().warnings.some(({ code }) => code === unfollowed));
      const warned = stage.status().warnings.find(({ code }) => code === unfollowed);
      expect(warned?.text).toContain("another identity began it");
      expect(warned?.next).toContain("azure.identity was changed");
      await ends(stage, wish);
    },
  );
});

const unfollowed = "far-end-unfollowed";
const notYours = {
  status: 403,
  headers: {},
  body: new TextEncoder().encode('{"error":{"code":"AuthorizationFailed","message":"no"}}'),
};
