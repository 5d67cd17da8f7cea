// A state folder that is older than the links: what is printed changes no end that carries, and
// leads to a site that is whole.

import { describe, expect, it } from "vitest";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../effort.ts";
import { overlaps, Pair } from "../unit/kit/rotate-kit.ts";
import { Follower, histories, names } from "./step-follower.ts";

const rotated = overlaps.flatMap((overlap) => [1, 2].map((run) => ({ overlap, run })));

describe("a restored backup that is older than the keys of both links", () => {
  it.each(overlaps)("%s: no step writes an end, and adopt takes both back", async (overlap) => {
    const pair = await Pair.adopted({ overlap });
    await histories.before(pair);
    const keys = names.map((name) => pair.keysOn(name));
    const follower = new Follower(pair, new Set());
    for (const name of names) {
      const { reasons } = await follower.detail(name);
      expect(reasons.map(({ code }) => code)).toEqual(["state-older"]);
      expect(reasons[0]?.text).toMatch(/^the state is older than .* an old copy was put back, or/);
      await follower.readsSteps(name);
    }
    const { status } = await pair.reply("POST /v1/adopt", { target: "erd-demo", risks: [] });
    expect([status, follower.faults]).toEqual([200, []]);
    await pair.run(120_000);
    for (const name of names) {
      expect((await follower.detail(name)).status.verdict).toBe("protected");
    }
    expect(names.map((name) => pair.keysOn(name))).toEqual(keys);
    expect([pair.carrying(), pair.violations()]).toEqual([[true, true], []]);
  });

  it("a state without its newest records says so where the audit log is newer", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const backup = pair.disk.contents();
    pair.newKeys();
    await pair.rotate();
    await pair.run(3_600_000, () => pair.outcomes().every((one) => one === "rotated"));
    await pair.end();
    const isAudit = ({ name }: { readonly name: string }): boolean => name.startsWith("audit");
    const audit = pair.disk.contents().filter(isAudit);
    expect(audit.length).toBeGreaterThan(0);
    await pair.restore([...backup.filter((each) => !isAudit(each)), ...audit]);
    await pair.live();
    await pair.run(120_000);
    const follower = new Follower(pair, new Set());
    for (const name of names) {
      const [reason] = (await follower.detail(name)).reasons;
      expect(reason?.text).toMatch(/the audit log knows \d+ records that it lacks$/);
    }
    const codes = pair.agent.status().warnings.map(({ code }) => code);
    expect(codes).toContain("journal-lossy");
    // No campaign begins on a link that is not known, and adopt ends it.
    pair.newKeys();
    await expect(pair.rotate()).rejects.toThrow(/have left the key of the journal/);
    const { status } = await pair.reply("POST /v1/adopt", { target: "erd-demo", risks: [] });
    await pair.run(120_000);
    expect([status, pair.agent.status().verdict]).toEqual([200, "protected"]);
  });

  it.each(rotated)("$overlap: the campaign of the backup ends by itself, $run", async (at) => {
    for (const cut of effort([1, 2], [1, 2, 3, 4, 5, 6])) {
      const pair = await Pair.adopted(at);
      await histories.within(pair, new Prng(`within ${at.overlap} ${at.run} ${cut}`));
      const isOver = (): boolean => pair.outcomes().every((one) => one === "rotated");
      expect(await pair.run(3_600_000, isOver)).toBe(true);
      await pair.run(120_000);
      expect([pair.agent.status().verdict, pair.violations()]).toEqual(["protected", []]);
    }
  });

  it.each(rotated)("$overlap: whole again by what is printed, in the middle $run", async (at) => {
    for (const history of ["within", "cut"] as const) {
      const pair = await Pair.adopted(at);
      await histories[history](pair, new Prng(`restored ${at.overlap} ${at.run}`));
      const follower = new Follower(pair, new Set());
      await pair.run(600_000);
      for (const name of names) await follower.readsSteps(name);
      // Once the second link is known, the campaign of the first one may go on.
      for (const name of ["secondary", "primary", "secondary"] as const) {
        await follower.follows(name);
      }
      await follower.givesBack();
      await pair.run(120_000);
      const verdicts = names.map(async (name) => (await follower.detail(name)).status.verdict);
      expect([history, await Promise.all(verdicts)]).toEqual([history, ["protected", "protected"]]);
      expect([follower.faults, pair.violations()]).toEqual([[], []]);
    }
  });
});
