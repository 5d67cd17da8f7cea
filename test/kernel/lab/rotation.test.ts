// The main task on real components: a pair rotated on a real kernel beside a far end that holds one
// key per link, and changes it late and not atomically.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CampaignState } from "#agent/model/campaign.ts";
import { Prng } from "#sim/base/prng.ts";
import { Lab, links } from "../../lab/lab.ts";
import { replay } from "../../lab/recording.ts";
import { betweenSupplicants, rotateUndrained } from "../../lab/undrained.ts";
import { tookMs } from "../../recorded-rotation.ts";
import type { TrafficCounters } from "../host/traffic.ts";

const seed = process.env["LINKSEAL_SEED"] ?? String(Date.now() % 1_000_000);
/** The states of the rotation of one link, whichever side changes the far end. */
const states = [
  ...["draining", "staging", "awaitingPeer", "switching", "proving", "retiring", "restoring"],
] as const satisfies readonly CampaignState[];

let folder = "";
let lab: Lab;
const output: string[] = [];

beforeAll(async () => {
  console.log(`seed ${seed}`);
  folder = mkdtempSync(join(tmpdir(), "linkseal-lab-"));
  lab = await Lab.open(folder, (line) => output.push(line));
}, 900_000);
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const clear = (): readonly number[] => [...lab.wires.values()].map((wireOf) => wireOf.clear);

function lostOf(allCounters: readonly TrafficCounters[]): {
  readonly sent: number;
  readonly lost: number;
} {
  const [sent = 0, received = 0] = (["sent", "received"] as const).map((name) =>
    allCounters.reduce((sum, counters) => sum + counters[name], 0),
  );
  return { sent, lost: sent - received };
}

/**
 * Returns the key of each link, which must be the same in the agent's report and at the far end.
 */
async function keys(): Promise<readonly string[]> {
  const { groups } = await lab.status();
  const ckns = (groups[0]?.links ?? []).map(({ mka }) => mka?.principalCkn ?? "none");
  expect(ckns).toEqual(links.map(({ port }) => lab.standIn.keyOf(port).ckn));
  return ckns;
}

/** Runs `play` under traffic from a few seconds before until a few after, and expects no loss. */
async function underTraffic(what: string, play: () => Promise<string | undefined>): Promise<void> {
  const stop = await lab.traffic();
  await rest(5000);
  const begun = performance.now();
  const why = await play();
  if (why !== undefined) throw new Error(`no ${what}: ${why}`);
  const seconds = Math.round((performance.now() - begun) / 1000);
  await rest(5000);
  const allCounters = await stop();
  const { sent, lost } = lostOf(allCounters);
  if (lost !== 0) console.log(lab.counters(), allCounters, (await lab.campaign())?.steps);
  console.log(`${what}: ${lost} of ${sent} packets lost in ${seconds} s`);
  expect([lost, allCounters.map(({ missing }) => missing)]).toEqual([0, [[], []]]);
  expect(sent).toBeGreaterThan(2 * 200 * seconds * 0.9);
}

/** Expects that no old key is left, and that no frame of data was in the clear meanwhile. */
async function rotated(what: string, hear?: Parameters<Lab["rotate"]>[0]): Promise<void> {
  const [before, clearBefore] = [await keys(), clear()];
  await underTraffic(what, () => lab.rotate(hear));
  expect(clear()).toEqual(clearBefore);
  const after = await keys();
  expect(after.filter((ckn) => before.includes(ckn))).toEqual([]);
  // A key beside the one of a port would be a difference.
  expect(await lab.run("plan", lab.file)).toMatchObject({ status: 0 });
}

interface Move {
  /** Milliseconds from any origin. */
  readonly at: number;
  readonly move: string;
}

/** Compares how long each of two runs stayed in each state. */
function sideBySide(twin: readonly Move[], real: readonly Move[]): string {
  const stayedMs = (moves: readonly Move[], index: number): string =>
    String(Math.round((moves[index + 1]?.at ?? Number.NaN) - (moves[index]?.at ?? Number.NaN)));
  const rows = Array.from({ length: Math.max(twin.length, real.length) }, (_, index) =>
    [twin[index]?.move, stayedMs(twin, index), real[index]?.move, stayedMs(real, index)].join("\t"),
  );
  return ["rehearsed\tms\ton the real kernel\tms", ...rows].join("\n");
}

describe("a pair under traffic on a real kernel", { timeout: 1_200_000 }, () => {
  it("a pair loses nothing while it is enrolled, and nothing is in the clear after", async () => {
    try {
      await underTraffic("enrolment from clear", () => lab.enrol());
    } finally {
      console.log([...output, ...lab.complaints()].join("\n"));
    }
    const before = clear();
    const stop = await lab.traffic();
    await rest(5000);
    expect(lostOf(await stop()).lost).toBe(0);
    expect(clear()).toEqual(before);
    expect((await keys()).length).toBe(links.length);
  });

  it("a rotation loses nothing, leaves one key, and takes the rehearsed steps", async () => {
    await lab.offerKeys();
    const rehearsal = await lab.rehearsal();
    expect(rehearsal).toMatchObject({ verdict: "good", brokenPromises: [], lostFrames: "0" });
    await rotated("rotation");
    const twin = rehearsal.links.flatMap(({ link, steps }) =>
      steps.map(({ atMs, state }) => ({ at: atMs, move: `${link.split("/")[1]} ${state}` })),
    );
    const real = ((await lab.campaign())?.steps ?? []).map(({ at, link, state }) => ({
      at: Date.parse(at),
      move: `${link} ${state}`,
    }));
    console.log(sideBySide(twin, real));
    expect(real.map(({ move }) => move)).toEqual(twin.map(({ move }) => move));
    const steps = ((await lab.campaign())?.steps ?? []).map(({ at, ...step }) => ({
      ms: Date.parse(at),
      ...step,
    }));
    const far = lab.farChanges
      .filter(({ atMs }) => atMs >= (steps[0]?.ms ?? 0))
      .map(({ atMs, link }) => ({ ms: atMs, link }));
    const replayed = await replay(lab, steps, far);
    const [there, here] = [tookMs(replayed), tookMs(steps)];
    console.log(`the same in the simulator: ${there} ms, on the real kernel ${here} ms`);
    expect(replayed.map(({ link, state }) => `${link} ${state}`)).toEqual(
      real.map(({ move }) => move),
    );
    expect(Math.abs(there / here - 1)).toBeLessThan(0.2);
  });

  it("a rotation loses nothing when the agent is killed in the middle", async () => {
    const prng = new Prng(seed);
    const [link, state] = [prng.pick(links).name, prng.pick(states)];
    let killed = false;
    await lab.offerKeys();
    await rotated(`killed in ${state} of ${link}`, async (campaign) => {
      if (killed || campaign.link !== link || campaign.state !== state) return;
      killed = true;
      await lab.end("agent", "SIGKILL");
      await rest(prng.between(0, 2000));
      await lab.start("agent");
    });
    expect(killed).toBe(true);
  });

  it("an agent with a new state folder adopts the pair without a loss", async () => {
    const [before, clearBefore] = [await keys(), clear()];
    await underTraffic("adoption", async () => {
      await lab.end("agent", "SIGTERM");
      rmSync(join(folder, "state"), { recursive: true });
      await lab.start("agent");
      await lab.configure("prepend");
      const adopted = await lab.run("adopt", lab.group);
      return adopted.status === 0 ? undefined : adopted.err;
    });
    expect([await keys(), clear()]).toEqual([before, clearBefore]);
    expect(await lab.run("plan", lab.file)).toMatchObject({ status: 0 });
    await lab.offerKeys();
    await rotated("rotation of what was adopted");
  });

  it("an undrained link is down for the far end's time and a few seconds of ours", async () => {
    const alone = await betweenSupplicants();
    for (const { link, darkMs, oursMs } of await rotateUndrained(lab)) {
      console.log(
        `undrained ${link}: dark for ${darkMs} ms, of them ${oursMs} after the far end ` +
          `had its new key; two of wpa_supplicant alone: ${alone} ms`,
      );
      expect(oursMs).toBeLessThan(8000);
    }
  });
});
