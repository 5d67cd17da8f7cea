// The simulator's model of MKA compared with our implementation: what happens in one world happens
// in the other, in the same order and in about the same time. LINKSEAL_SEED=NAME replays its
// phases.

import { describe, expect, it } from "vitest";
import type { CipherSuite } from "#hal/model.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../../../effort.ts";
import { type Apart, partings, type Run, Stage } from "./mka-record.ts";
import { type EndName, endNames, ourWorld, simWorld } from "./mka-worlds.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "worlds";
const runs = effort(3, 200);
const suite = "gcm-aes-xpn-256";
const lifeMs = 6000;
const helloMs = 2000;

interface Scenario {
  readonly name: string;
  readonly suites?: Readonly<Record<EndName, CipherSuite>>;
  readonly play: (stage: Stage) => Promise<void>;
  readonly apart?: Apart;
  /** The longest dark time that is right, in all. */
  readonly darkMs?: Readonly<Record<"sim" | "ours", number>>;
}

type Both = Readonly<Record<"sim" | "ours", Run[]>>;

async function inBothWorlds({ name, suites, play }: Scenario): Promise<Both> {
  const wanted = suites ?? { a: suite, b: suite };
  const found: Both = { sim: [], ours: [] };
  for (let run = 0; run < runs; run += 1) {
    const phase = `${seed}/${name}/${run}`;
    for (const which of ["sim", "ours"] as const) {
      const world = which === "sim" ? simWorld(phase, wanted) : ourWorld(wanted);
      const stage = new Stage(world, new Prng(phase));
      await world.clock.runFor(100);
      await play(stage);
      found[which].push(stage.run);
    }
  }
  return found;
}

/** Both ends with the old key, at a chance moment of a settled session. */
async function secured({ world, prng }: Stage): Promise<void> {
  await world.give("a", "old");
  await world.clock.runFor(prng.between(0, helloMs));
  await world.give("b", "old");
  await world.clock.runFor(10_000 + prng.between(0, helloMs));
}

async function bothKeys(stage: Stage, ...ends: readonly EndName[]): Promise<void> {
  await secured(stage);
  for (const end of ends) await stage.world.give(end, "new");
  await stage.world.clock.runFor(8000 + stage.prng.between(0, helloMs));
}

const tracksOf = (end: EndName, ...fields: readonly string[]): string[] =>
  fields.map((field) => `${end} ${field}`);

const starts: readonly Scenario[] = [
  {
    name: "both ends start together",
    play: async (stage) => {
      await stage.begin();
      for (const end of endNames) await stage.world.give(end, "old");
      await stage.pass(15_000);
    },
  },
  {
    name: "one end starts late",
    play: async (stage) => {
      await stage.world.give("a", "old");
      await stage.world.clock.runFor(stage.prng.between(3000, 9000));
      await stage.begin();
      await stage.world.give("b", "old");
      await stage.pass(15_000);
    },
  },
  ...[
    [16, 8],
    [255, 254],
    [255, 255],
  ].map(
    ([a = 0, b = 0]): Scenario => ({
      name: `the priorities are ${a} and ${b}`,
      play: async (stage) => {
        await stage.world.configure("a", { keyServerPriority: a });
        await stage.world.configure("b", { keyServerPriority: b });
        await stage.begin();
        for (const end of endNames) await stage.world.give(end, "old");
        await stage.pass(15_000);
      },
    }),
  ),
  ...(["forged", "new"] as const).map(
    (key): Scenario => ({
      name: key === "new" ? "the CKNs differ" : "the CAKs differ under one CKN",
      play: async (stage) => {
        await stage.world.give("a", "old");
        await stage.world.clock.runFor(stage.prng.between(0, helloMs));
        await stage.begin();
        await stage.world.give("b", key);
        await stage.pass(20_000);
      },
    }),
  ),
  ...endNames.map(
    (server): Scenario => ({
      name: `the suites differ, and ${server} is the key server`,
      suites: { a: "gcm-aes-256", b: suite },
      play: async (stage) => {
        await stage.world.configure(server, { keyServerPriority: 8 });
        await stage.begin();
        for (const end of endNames) await stage.world.give(end, "old");
        await stage.pass(20_000);
      },
      apart: {
        tracks: ["a port", "b port", `${server} latest`],
        because: `a key server of the simulator transmits under its first SAK before a peer has it,
          as 12.4 allows, and its member calls a port secured that has no SA, as wpa_supplicant
          does; ours does neither`,
      },
    }),
  ),
];

const silences: readonly Scenario[] = [
  ...endNames.map(
    (end): Scenario => ({
      name: `${end} falls silent, and comes back as a new member`,
      play: async (stage) => {
        await secured(stage);
        await stage.begin();
        stage.world.mute(end, "mute");
        await stage.pass(15_000);
        stage.world.mute(end, "heard");
        stage.act();
        await stage.pass(15_000);
      },
      apart: {
        lateMs: helloMs,
        because: "a station of the simulator says something as soon as it can speak again",
      },
    }),
  ),
  ...endNames.flatMap((end) =>
    [3000, lifeMs + 100].map(
      (ms): Scenario => ({
        name: `${end} is silent for ${ms} ms`,
        play: async (stage) => {
          await secured(stage);
          await stage.begin();
          stage.world.mute(end, "mute");
          await stage.pass(ms);
          stage.world.mute(end, "heard");
          stage.act();
          await stage.pass(15_000);
        },
        apart: {
          lateMs: helloMs,
          because: "a station of the simulator says something as soon as it can speak again",
        },
      }),
    ),
  ),
  ...[1000, 10_000].map(
    (ms): Scenario => ({
      name: `the wire is cut for ${ms / 1000} s`,
      play: async (stage) => {
        await secured(stage);
        await stage.begin();
        stage.world.wire("cut");
        await stage.pass(ms);
        stage.world.wire("whole");
        stage.act();
        await stage.pass(15_000);
      },
      apart: {
        lateMs: helloMs,
        because: "a station of the simulator says something as soon as there is light again",
      },
    }),
  ),
  ...endNames.flatMap((end) =>
    [500, 15_000].map(
      (ms): Scenario => ({
        name: `the process of ${end} dies, and another begins ${ms} ms later`,
        play: async (stage) => {
          await secured(stage);
          await stage.begin();
          stage.world.kill(end);
          await stage.pass(ms);
          await stage.world.revive(end);
          stage.act();
          await stage.pass(15_000);
        },
        apart: {
          tracks: [
            ...tracksOf(end, "port", "live", "responded", "server", "older"),
            ...endNames.map((one) => `${one} latest`),
            ...(ms < lifeMs ? ["wire"] : []),
          ],
          because: `our process finds the SAs of the one before it and keeps them until there is
            another SAK, whose AN is none of theirs; a station of the simulator begins with none`,
        },
        ...(ms < lifeMs ? { darkMs: { sim: 100, ours: 0 } } : {}),
      }),
    ),
  ),
];

const changes: readonly Scenario[] = [
  ...endNames.map(
    (server): Scenario => ({
      name: `b changes its key at once, a has both, and ${server} is the key server`,
      play: async (stage) => {
        await stage.world.configure(server, { keyServerPriority: 8 });
        await bothKeys(stage, "a");
        await stage.begin();
        await stage.world.replace("b", "new");
        await stage.pass(20_000);
        await stage.world.remove("a", "old");
        stage.act();
        await stage.pass(10_000);
      },
      apart: {
        tracks: [
          ...tracksOf("b", "port", "live", "responded", "server", "latest", "older"),
          ...(server === "a" ? tracksOf("a", "principal", "latest", "older") : []),
          ...(server === "a" ? tracksOf("b", "unknownCkn") : []),
          "wire",
        ],
        because: `a station of the simulator drops the SAs of a CA with its key, and as key server
          stays with a CA for the life time of its peer; ours keeps the SAs while another CA may
          hear the same station, and answers at once where it has gone over`,
      },
      darkMs: { sim: server === "a" ? lifeMs + 10 : 100, ours: 0 },
    }),
  ),
  {
    name: "both ends have both keys, and one after the other lets go of the old one",
    play: async (stage) => {
      await bothKeys(stage, ...endNames);
      await stage.begin();
      await stage.world.replace("a", "new");
      await stage.pass(3000);
      await stage.world.replace("b", "new");
      stage.act();
      await stage.pass(20_000);
    },
  },
  {
    name: "a new SAK by command",
    play: async (stage) => {
      await secured(stage);
      await stage.begin();
      await stage.world.rekey("a");
      await stage.pass(10_000);
    },
  },
  {
    name: "a new SAK by timer",
    play: async (stage) => {
      for (const end of endNames) {
        await stage.world.configure(end, { keyServerPriority: 16, sakRekeyMs: 20_000 });
      }
      await stage.begin();
      for (const end of endNames) await stage.world.give(end, "old");
      await stage.pass(50_000);
    },
  },
  {
    name: "the other end becomes key server",
    play: async (stage) => {
      await secured(stage);
      await stage.begin();
      await stage.world.configure("b", { keyServerPriority: 1 });
      await stage.pass(15_000);
    },
    apart: {
      tracks: endNames.map((end) => `${end} older`),
      because: `a station of the simulator drops its SAs where the key server changes, as figure
        12-2 has it; ours keeps the old SAK in use until the new key server's has come`,
    },
    darkMs: { sim: 100, ours: 0 },
  },
];

const rows = [...starts, ...silences, ...changes].map((scenario) => [scenario.name, scenario]);

describe(`in the simulator as on our hosts (seed ${seed})`, () => {
  const timeout = effort(60_000, 1_200_000);

  it.each(rows as [string, Scenario][])(
    "simulator and hosts go through the same states: %s",
    { timeout },
    async (_, scenario) => {
      const { sim, ours } = await inBothWorlds(scenario);
      expect(partings(sim, ours, scenario.apart)).toEqual([]);
      if (scenario.darkMs === undefined) return;
      const longest = (all: readonly Run[]): number => Math.max(...all.map(({ darkMs }) => darkMs));
      expect(longest(sim)).toBeLessThanOrEqual(scenario.darkMs.sim);
      expect(longest(ours)).toBeLessThanOrEqual(scenario.darkMs.ours);
    },
  );

  it.each(endNames)(
    "suites that differ are reported where %s is the key server",
    async (server) => {
      const suites = { a: "gcm-aes-256", b: suite } as const;
      const member = server === "a" ? "b" : "a";
      for (const which of ["sim", "ours"] as const) {
        const world = which === "sim" ? simWorld(seed, suites) : ourWorld(suites);
        await world.clock.runFor(100);
        await world.configure(server, { keyServerPriority: 8 });
        for (const end of endNames) await world.give(end, "old");
        await world.clock.runFor(20_000);
        const [serving, taking] = [await world.observe(server), await world.observe(member)];
        // A session may call itself secured; both ends show that they have no SAK in common.
        expect(serving?.session).toMatchObject({ livePeers: 1, respondedPeers: 0 });
        expect(taking?.session).toMatchObject({ respondedPeers: 0, latestSak: undefined });
        expect(taking?.liveSuite).toBeUndefined();
        expect(world.carries()).toBe(false);
        if (which === "sim") continue;
        expect(serving?.troubles).toEqual(["peerNotReceiving", "suiteNotAnnounced"]);
        expect(taking?.troubles).toEqual(["sakRefused", "suiteNotAnnounced"]);
        expect(serving?.session.controlledPort).toBe("blocked");
        expect(taking?.session.controlledPort).toBe("blocked");
      }
    },
  );
});
