// Waves over many sites: how long they take beside what they wait for by their own rules, what hub
// and engine need for them, and what becomes of them when either is killed.

import { whyLacking } from "../test/machine/place.ts";
import { type Bench, type Figure, sized } from "./bench.ts";
import { campaignMs } from "./fleet/campaign.ts";
import { bakeMs, type Killed, type WaveCost, WaveStage } from "./fleet/wave-stage.ts";

const sizes = sized([10, 100, 1_000, 3_000], [1]);
type Size = number;

const seen = new Map<string, Promise<WaveCost>>();

async function run(size: Size, killed: readonly Killed[]): Promise<WaveCost> {
  await using stage = await WaveStage.open(size);
  return await stage.run(killed);
}

function cost(size: Size, killed: readonly Killed[] = []): Promise<WaveCost> {
  const key = `${size} ${killed.join()}`;
  const found = seen.get(key) ?? run(size, killed);
  seen.set(key, found);
  return found;
}

function figuresOf(size: Size): readonly Figure[] {
  const once = (name: string, unit: string, value: (found: WaveCost) => number): Figure => ({
    ...{ name: `${name}, ${size} sites`, unit, runs: 1 },
    ours: async () => value(await cost(size)),
  });
  return [
    once("whole waves", "s", ({ seconds }) => seconds),
    once("of it beside baking and campaigns, a stage", "s", ({ seconds, stages }) => {
      return seconds / stages - (bakeMs + campaignMs) / 1_000;
    }),
    once("open at once in a wave, at most", "sites", ({ openMost }) => openMost),
    once("hub's processor", "ms a second", ({ hubMs }) => hubMs),
    once("engine's processor", "ms a second", ({ engineMs }) => engineMs),
    once("hub's memory (RSS)", "MB", ({ hubMegabytes }) => hubMegabytes),
    once("engine's memory (RSS)", "MB", ({ engineMegabytes }) => engineMegabytes),
    once("hub's calls of the engine", "a second", ({ calls }) => calls),
  ];
}

function killedFigures(size: Size): readonly Figure[] {
  const once = (name: string, value: (found: WaveCost) => number | undefined): Figure => ({
    ...{ name: `${name}, ${size} sites`, unit: "s", runs: 1 },
    ours: async () => value(await cost(size, ["hub", "engine"])) ?? Number.NaN,
  });
  return [
    once("hub and engine killed: whole waves", ({ seconds }) => seconds),
    once("hub killed: until the next campaign", ({ gaps }) => gaps.hub),
    once("engine killed: until the next campaign", ({ gaps }) => gaps.engine),
  ];
}

export const bench: Bench = {
  title:
    "waves with a share of 10 % over Debian's nats-server, a site's campaign of 5 s, bakes of 5 s",
  runs: 1,
  whyNot: () => whyLacking(["nats-server", "openssl"]),
  figures: [...sizes.flatMap(figuresOf), ...sized(killedFigures(1_000), [])],
};
