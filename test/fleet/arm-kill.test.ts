// The agent is killed at the calls around a write to the management API: a write that Azure
// accepted is never repeated, and an operator's change meanwhile stays.

import { beforeAll, describe, expect, it } from "vitest";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../effort.ts";
import { ArmStage, type Ended } from "./arm-stage.ts";
import { deaths } from "./deaths.ts";

/**
 * Returns indices of calls from the journal record before a write to the observations after it: of
 * both links, or of one of them in a short run, where they end at the first observations.
 */
function aroundPuts(calls: readonly string[], lots: Prng): readonly number[] {
  const puts = calls.flatMap((call, index) => (call.startsWith("PUT /subscriptions") ? index : []));
  const offsets = Array.from({ length: effort(11, 16) }, (_, at) => at - 6);
  const chosen = offsets.flatMap((offset) =>
    effort([lots.pick(puts)], puts).map((put) => put + offset),
  );
  return [...new Set(chosen)];
}

describe.each(["prompt", "late"] as const)("killed around a put, with %s documents", (kind) => {
  let clean: Ended;
  beforeAll(async () => {
    clean = await new ArmStage({ documents: kind }).run(undefined);
  });

  it("an agent that is not killed writes each link once", () => {
    expect(clean).toMatchObject({ verdict: "protected", campaign: "done", complaints: [] });
    expect(clean.puts).toEqual(["200", "200"]);
    const called = aroundPuts(clean.calls, new Prng(kind)).map(
      (index) => clean.calls[index]?.split(/[ ?]/, 2)[0],
    );
    expect(called).toEqual(expect.arrayContaining(["append", "GET", "PUT", "POST"]));
  });

  it.each(deaths)(
    "an agent killed %s a Disk or Dialer call ends as in the clean run",
    async (when) => {
      const wrong: string[] = [];
      for (const index of aroundPuts(clean.calls, new Prng(`${kind} ${when}`))) {
        const ended = await new ArmStage({ documents: kind }).run({ call: index + 1, when });
        // A write whose result was not seen may be tried again; Azure answers that it is busy with
        // the first.
        const accepted = ended.puts.filter((status) => status === "200");
        const others = ended.puts.filter((status) => status !== "200" && status !== "409");
        const same =
          ended.lastCall === clean.calls[index] &&
          ended.verdict === "protected" &&
          ended.campaign === "done" &&
          ended.ends === clean.ends &&
          accepted.length === 2 &&
          others.length === 0 &&
          (kind === "late" || ended.puts.length === 2) &&
          ended.complaints.length === 0;
        if (!same) wrong.push(`${when} ${JSON.stringify({ ...ended, calls: index })}`);
      }
      expect(wrong).toEqual([]);
    },
  );
});

describe("an operator who acts while the agent is dead", () => {
  it("an operator's change while no agent runs stops the campaign, and is kept", async () => {
    const stage = new ArmStage();
    const first = await stage.live(undefined);
    await stage.until(() => stage.puts().length === 1);
    first.kill();
    const { msee } = stage;
    const [link] = stage.site.links;
    if (link === undefined) throw new RangeError("no link");
    const key = stage.site.vault.generatePair(link.key, "gcm-aes-xpn-256");
    msee.manualEdit(link.azureLink, { key });
    await stage.site.clock.runFor(120_000);
    await stage.live(undefined);
    await stage.until(() => stage.campaign === "held");
    await stage.site.clock.runFor(600_000);
    expect([stage.campaign, stage.puts()]).toEqual(["held", ["200"]]);
    expect(stage.reason).toEqual({
      code: "switching.farFailed",
      cause: { code: "farEnd.foreign" },
    });
    expect(msee.resource(link.azureLink).pointsAt?.cakSecretId).toBe(key.cakSecretId);
    expect(stage.complaints()).toEqual([]);
  });
});
