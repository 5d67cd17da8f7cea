// Routers of each vendor whose answers are damaged on their way: what the driver reports may be
// unknown, or a typed error. It must never be healthier than what the router itself reports.

import { afterAll, describe, expect, it } from "vitest";
import { effort } from "../effort.ts";
import { type Looked, lookOverSsh, scenesOf } from "./damage-looks.ts";
import { platforms } from "./place.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "damage";

/** One of each vendor, and those that end tunnels. */
const tried = [
  "7280CR3MK 4.30.5M",
  "AWE-5510 4.32.2F",
  "C8500-12X4QC 17.15.1",
  "8201-32FH 7.11.2",
  "C9336C-FX2 9.3.6",
  "ptx10008 23.4R2",
  "srx4600 23.4R2",
] as const;

/** Looks at each platform, in all of its scenes together. */
const looks = effort(60, 2_400);

describe("a router whose answers are damaged", () => {
  const rows: string[] = [];
  afterAll(() => console.log(`damaged answers, LINKSEAL_SEED=${seed}\n${rows.join("\n")}`));

  it.each(tried)(
    "a router %s over SSH whose answers are damaged is never healthier than the truth",
    async (name) => {
      const platform = platforms[name];
      const scenes = scenesOf(platform);
      const each = Math.ceil(looks / scenes.length);
      // Most of a look is waiting for a turn of the event loop, which several can share.
      const all: readonly Looked[] = await Promise.all(
        scenes.map((scene) => lookOverSsh(platform, scene, seed, each)),
      );
      const sum = (of: (one: Looked) => number): number => all.reduce((n, one) => n + of(one), 0);
      const [sent, read] = [sum((one) => one.looks), sum((one) => one.read)];
      const damaged = sum((one) => one.damaged);
      const errors = new Set(all.flatMap((one) => [...one.errors]));
      rows.push(
        `${name}: ${sent} looks in ${scenes.length} scenes, ${damaged} replies damaged, ` +
          `${read} read, ${errors.size} kinds of errors`,
      );
      expect(all.flatMap((one) => one.healthier)).toEqual([]);
      // Else all of it ended in errors, and nothing was compared.
      expect(read).toBeGreaterThan(sent / 2);
      expect(damaged).toBeGreaterThan(sent / 2);
    },
  );
});
