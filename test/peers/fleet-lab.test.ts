// `npm run fleet:lab` with few sites: a wave that stops, killed hubs and engines, and a freeze.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { namesOf } from "../lab/fleet/hall.ts";

const root = join(import.meta.dirname, "../..");

interface Shown {
  readonly kept: boolean;
  readonly wave: { readonly reached: number; readonly leftOut: number };
  readonly effects: Readonly<Record<string, number>>;
  readonly promises: readonly { readonly what: string; readonly found: readonly string[] }[];
}

async function lab(...words: readonly string[]) {
  const argv = [join(root, ".ci/node.js"), join(root, "test/lab/fleet/run.ts"), ...words];
  const child = spawn(process.execPath, argv, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const [status] = (await once(child, "close")) as [number | null];
  return { status, out, err };
}

describe("the lab of many sites", () => {
  it("six sites: all is as promised: a stop, two deaths, a freeze, and P8", async () => {
    const { status, out, err } = await lab("--sites", "6", "--once", "--json");
    expect(status, err).toBe(0);
    const shown = JSON.parse(out) as Shown;
    expect(shown.promises.flatMap(({ found }) => found)).toEqual([]);
    expect(shown.promises).toHaveLength(10);
    expect([shown.kept, shown.wave.reached, shown.wave.leftOut]).toEqual([true, 5, 1]);
    expect(Object.values(shown.effects).every((count) => count >= 8)).toBe(true);
  });

  it("the lab says how it is used, and takes no number of sites that it cannot have", async () => {
    const [help, few] = [await lab("--help"), await lab("--sites", "2")];
    expect([help.status, few.status]).toEqual([0, 2]);
    expect(few.err).toContain("--sites");
  });

  it.each([6, 7, 12, 40, 200])("with %i sites the last stage has a whole site", (sites) => {
    const { real, recorded, groups, share } = namesOf(sites);
    expect(real.length + recorded.length).toBe(sites);
    expect(new Set(groups).size).toBe(sites);
    expect(groups[0]).toContain(real[0]);
    expect(groups.slice(1 + 2 * share).some((key) => key.startsWith(`${real.at(-1)}.`))).toBe(true);
    expect(groups[1]).toBe(`${recorded[0]}.g`);
  });
});
