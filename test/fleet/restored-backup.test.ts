// A state folder that is older than the links: what is printed changes no end, and leads to a site
// that is whole.

import { describe, expect, it } from "vitest";
import type { LinkDetail } from "#agent/api/link-detail.ts";
import { overlaps, Pair } from "../unit/kit/rotate-kit.ts";

const links = ["primary", "secondary"] as const;

/** A pair whose keys were rotated after the backup that its agent was given back. */
async function restored(overlap: (typeof overlaps)[number]): Promise<Pair> {
  const pair = await Pair.adopted({ overlap });
  const backup = pair.disk.contents();
  pair.newKeys();
  await pair.rotate();
  await pair.run(3_600_000, () => pair.outcomes().every((one) => one === "rotated"));
  await pair.end();
  await pair.restore(backup);
  await pair.live();
  await pair.run(180_000);
  return pair;
}

async function detailOf(pair: Pair, name: string): Promise<LinkDetail> {
  return (await pair.ask(`GET /v1/link?name=erd-demo/${name}`)) as LinkDetail;
}

describe("a restored backup that is older than the keys of both links", () => {
  it.each(overlaps)("%s: no step of a link that carries writes an end", async (overlap) => {
    const pair = await restored(overlap);
    for (const name of links) {
      const { reasons } = await detailOf(pair, name);
      expect(reasons.map(({ code }) => code)).toContain("far-end-changed");
      const lines = reasons.flatMap(({ steps }) =>
        steps.flatMap(({ commands }) => commands.flatMap((one) => one.lines)),
      );
      expect(lines.filter((line) => /sim fault far-ahead|az .*update/.test(line))).toEqual([]);
    }
    expect(pair.carrying()).toEqual([true, true]);
  });

  it.each(overlaps)("%s: adopt takes both links back, and writes to no end", async (overlap) => {
    const pair = await restored(overlap);
    const keys = links.map((name) => pair.keysOn(name));
    const { status } = await pair.reply("POST /v1/adopt", { target: "erd-demo", risks: [] });
    expect(status).toBe(200);
    await pair.run(120_000);
    for (const name of links) {
      expect((await detailOf(pair, name)).status.verdict).toBe("protected");
    }
    expect(links.map((name) => pair.keysOn(name))).toEqual(keys);
    expect([pair.carrying(), pair.violations()]).toEqual([[true, true], []]);
  });
});
