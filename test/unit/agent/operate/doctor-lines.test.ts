// What `doctor` says about lines of routers: those of others, those that are missing, and those
// that could not be compared. A group in a campaign and a link without a key are left out.

import { expect, it } from "vitest";
import { explain } from "#agent/explain/explain.ts";
import type { DesiredLink } from "#agent/model/desired.ts";
import { lineFindings } from "#agent/operate/doctor/line-rules.ts";
import type { Memory } from "#agent/store/journal/memory.ts";
import type { Device, LineDifferences, WantedPort } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { Pair } from "../../kit/rotate-kit.ts";
import { never, settled } from "../../kit/site-bench.ts";

type Compare = NonNullable<Device["compareLines"]>;

interface Asked {
  readonly device: string;
  readonly wanted: readonly WantedPort[];
}

/** Findings by link, and what the devices were asked, where `compare` answers for all of them. */
async function examined(pair: Pair, compare: Compare | undefined, over: Partial<Memory> = {}) {
  const { supervisor } = pair.agent;
  const memory = { ...pair.agent.memory, ...over };
  if (supervisor === undefined) throw new Error("no config is in force");
  const { desired, deviceCache, world } = supervisor.beginParts();
  const asked: Asked[] = [];
  const device = async (name: string, signal: AbortSignal): Promise<Device> => {
    // A device of the simulated site stores no lines.
    const own = await deviceCache.device(name, signal);
    if (compare === undefined) return own;
    return {
      ...own,
      async compareLines(wanted, bounded) {
        asked.push({ device: name, wanted });
        return await compare(wanted, bounded);
      },
    };
  };
  const failure = (name: string) => deviceCache.failure(name);
  const parts = { world, desired, memory, deviceCache: { device, failure } };
  const found = await settled(pair.site.clock, lineFindings(parts, never));
  const byName = new Map([...found].map(([{ name }, all]: [DesiredLink, unknown]) => [name, all]));
  return { found: Object.fromEntries(byName), asked };
}

const differing = (port: string, over: Partial<LineDifferences>): LineDifferences => ({
  ...{ port, foreign: [], missing: [] },
  ...over,
});

it("a line of another writer is named with its port, a missing one with the plan", async () => {
  const pair = await Pair.adopted({ overlap: "keychain" });
  const { port } = pair.link("primary");
  const foreign = ["policy A > delay-protection"];
  const missing = ["policy A > window 64"];
  const { found, asked } = await examined(pair, async (wanted) =>
    wanted.flatMap((one) => (one.port === port ? [differing(port, { foreign, missing })] : [])),
  );
  expect(found["primary"]).toMatchObject([
    {
      ...{ code: "foreign-line", severity: "warning", about: "erd-demo/primary" },
      here: `edge-a ${port} has: policy A > delay-protection`,
      there: "no line that linkseal writes for this port",
      next: "keep it if it is yours, or remove it on edge-a: linkseal leaves it as it is",
    },
    {
      ...{ code: "missing-line", severity: "warning", about: "erd-demo/primary" },
      here: `edge-a ${port} lacks: policy A > window 64`,
      there: "a line that linkseal writes for this port",
      next: "linkseal plan --accepted",
    },
  ]);
  const ports = asked.flatMap(({ wanted }) => wanted);
  const { ckn } = pair.agent.memory.bindings["erd-demo/primary"]?.key ?? { ckn: "" };
  expect(ports.find((one) => one.port === port)).toMatchObject({ ckn, drain: undefined });
  for (const code of ["foreign-line", "missing-line", "lines-unknown"]) {
    expect(explain(code).kind).toBe("known");
  }
});

it("many lines are counted after the first, and control characters are not shown", async () => {
  const pair = await Pair.adopted({ overlap: "keychain" });
  const foreign = Array.from({ length: 20 }, (_, at) => `line ${at}\u001b[2J`);
  const { found } = await examined(pair, async (wanted) =>
    wanted.map(({ port }) => differing(port, { foreign })),
  );
  const texts = (found["primary"] as { here: string }[]).map(({ here }) => here);
  expect(texts).toHaveLength(9);
  expect(texts.at(-1)).toMatch(/ has: 12 more such lines$/);
  expect(texts.join("")).not.toContain("\u001b");
});

it("lines that cannot be read are a finding of their own", async () => {
  const pair = await Pair.adopted({ overlap: "keychain" });
  const { found } = await examined(pair, async () => {
    const details = { effect: "none", where: "edge-a", next: "linkseal status" } as const;
    throw new LinksealError("device.unparsed", "the answer is not understood", details);
  });
  expect(found["primary"]).toMatchObject([
    {
      code: "lines-unknown",
      here: expect.stringMatching(/could not be compared: .*the answer is not understood/),
      next: "linkseal explain device.unparsed edge-a",
    },
  ]);
});

it("a device without lines of its own is not asked", async () => {
  const pair = await Pair.adopted({ overlap: "keychain" });
  const { found } = await examined(pair, undefined);
  expect(found).toEqual({ primary: [], secondary: [] });
});

const nothing: Compare = async () => [];

it("a drain of an operator is wanted, and a link without a key is left out", async () => {
  const pair = await Pair.adopted({ overlap: "keychain" });
  const drains = { "erd-demo/primary": { by: "operator", since: pair.site.clock.wall() } };
  const { "erd-demo/primary": primary } = pair.agent.memory.bindings;
  if (primary === undefined) throw new Error("the link has no key");
  const bindings = { "erd-demo/primary": primary };
  const { asked, found } = await examined(pair, nothing, { drains, bindings });
  expect(asked.map(({ wanted }) => wanted.map(({ drain }) => drain))).toEqual([["prepend"]]);
  expect(found).toEqual({ primary: [] });
});

it("a group in a campaign is not asked", async () => {
  const pair = await Pair.adopted({ overlap: "keychain" });
  pair.newKeys();
  await pair.rotate();
  await pair.reach("primary switching");
  expect(await examined(pair, nothing)).toEqual({ asked: [], found: {} });
});
