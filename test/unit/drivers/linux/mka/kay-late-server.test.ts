import { expect, it } from "vitest";
import { locate, type Mkpdu, parse } from "#drivers/linux/mka/mkpdu.ts";
import { caOf, pair } from "../../../kit/kay-kit.ts";
import { type Station, sciC } from "../../../kit/kay-station.ts";
import { MkpduWriter, type Rest } from "../../../kit/kay-writer.ts";

const ca = caOf("late");
const everyMs = 500;

function lastOf({ sent }: Station): Mkpdu["basic"] {
  const located = locate(sent.at(-1) ?? new Uint8Array());
  if (located.kind !== "located") throw new Error(located.kind);
  const mkpdu = parse(located);
  if ("kind" in mkpdu) throw new Error(mkpdu.why);
  return mkpdu.basic;
}

// Each of the two sees the other use the AN, so that neither gives way before the other does.
it("a better key server that joins two stations late, under their AN, is followed", async () => {
  const { site, a, b } = pair("late", [ca]);
  await site.secured();
  await site.run(5000);
  site.watches = "keys";
  const both = [a, b];
  const an = a.session.latestSak?.an ?? Number.NaN;
  const server = new MkpduWriter(ca, sciC, "0c".repeat(12));
  server.priority = 1;
  const say = async (rest: Rest): Promise<void> => {
    const livePeers = both.map(lastOf).map(({ mi, mn }) => ({ mi, mn }));
    const frame = server.frame({ livePeers, ...rest });
    for (const one of both) one.hear(frame);
    await site.run(everyMs);
  };
  const distributedSak = server.sak(1, an);
  const isTaken = (one: Station): boolean => one.session.latestSak?.keyId === `${server.mi}/1`;
  let tookMs = 0;
  for (; !both.every(isTaken); tookMs += everyMs) {
    expect(tookMs, site.describe()).toBeLessThan(8000);
    await say({ distributedSak });
  }
  expect(tookMs).toBeGreaterThan(6000);
  for (const { events } of both) {
    const refused = events.filter(({ kind }) => kind === "sakRefused");
    expect(refused).toMatchObject([{ why: { kind: "anInUse", an } }]);
  }
  await say(server.use(1, an, "transmit"));
  for (const one of both) {
    expect(one.isSecured).toBe(true);
    expect(one.secy.encodingAn).toBe(an);
    one.data.lost.length = 0;
  }
  for (let round = 0; round < 10; round += 1) await say(server.use(1, an, "transmit"));
  expect(both.flatMap(({ data }) => data.lost)).toEqual([]);
  expect(site.broken).toEqual([]);
});
