// The agent dies at the calls around a write to the management API: one that Azure accepted is
// never written again, and what a person did meanwhile stays.

import { beforeAll, describe, expect, it } from "vitest";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../effort.ts";
import { ArmStage, type Ended } from "./arm-stage.ts";
import { deaths } from "./deaths.ts";

/**
 * From the record before a write to the looks after it: of both links, or of either where time is
 * short, and then to the first looks.
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

  it("writes each link once when nobody dies", () => {
    expect(clean).toMatchObject({ verdict: "protected", campaign: "done", complaints: [] });
    expect(clean.puts).toEqual(["200", "200"]);
    const called = aroundPuts(clean.calls, new Prng(kind)).map(
      (index) => clean.calls[index]?.split(/[ ?]/, 2)[0],
    );
    expect(called).toEqual(expect.arrayContaining(["append", "GET", "PUT", "POST"]));
  });

  it.each(deaths)("dies %s the Disk and Dialer calls", { timeout: 600_000 }, async (when) => {
    const wrong: string[] = [];
    for (const index of aroundPuts(clean.calls, new Prng(`${kind} ${when}`))) {
      const ended = await new ArmStage({ documents: kind }).run({ call: index + 1, when });
      // Unseen and unshown it may be tried again, and Azure itself says that it is busy with it.
      const accepted = ended.puts.filter((status) => status === "200");
      const others = ended.puts.filter((status) => status !== "200" && status !== "409");
      const same =
        ended.epitaph === clean.calls[index] &&
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
  });
});

describe("a person who acts while the agent is dead", () => {
  it("is seen and respected: the link is held, and what they set stays", async () => {
    const stage = new ArmStage();
    const first = await stage.live(undefined);
    await stage.until(() => stage.puts().length === 1);
    first.kill();
    const { msee } = stage;
    const [link] = stage.site.links;
    if (link === undefined) throw new RangeError("no link");
    const key = stage.site.vault.generatePair(link.key, "gcm-aes-xpn-256");
    msee.person(link.azureLink, { key });
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
