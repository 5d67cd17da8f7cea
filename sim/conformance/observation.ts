// Observing a device: it changes nothing and reports no more than the device knows.

import type { Capabilities, CommitMode } from "#hal/device.ts";
import type { DeviceState, MacsecFrames, Reading } from "#hal/model.ts";
import type { DeviceBench } from "./bench.ts";
import {
  addSecond,
  always,
  anyChange,
  canonical,
  commit,
  type DeviceCase,
  freshKey,
  macsec,
  must,
  never,
  observe,
  observePort,
  overlap,
  prepare,
  reported,
  revertMs,
  running,
  secure,
  timer,
  truthOf,
  until,
} from "./kit.ts";

function readingsOf(state: DeviceState): readonly (readonly [string, Reading<unknown>])[] {
  const ports = state.macsec.flatMap(({ port, ...readings }) =>
    Object.entries(readings).map(([name, reading]): [string, Reading<unknown>] => [
      `${port} ${name}`,
      reading,
    ]),
  );
  const tunnels = state.ipsec.flatMap(({ name, ike, sas }): [string, Reading<unknown>][] => [
    [`${name} ike`, ike],
    [`${name} sas`, sas],
  ]);
  return [["control", state.control], ["routing", state.routing], ...ports, ...tunnels];
}

/** Returns what must not differ between two observations of a device that is not changed. */
function standing(state: DeviceState): string {
  const { control, routing } = state;
  const ids = control.kind === "known" && [control.value.bootId, control.value.configId];
  const ports = state.macsec.map(({ port, admin, linkUp, settings, keys, liveSuite, session }) =>
    [admin, linkUp, settings, keys, liveSuite, session].map((reading) => [
      port,
      reading.kind === "known" ? reading.value : reading.why,
    ]),
  );
  const routes = routing.kind === "known" && routing.value;
  return canonical([ids, ports, routes, state.ipsec.map(({ name }) => name)]);
}

async function configId(bench: DeviceBench): Promise<string> {
  return reported((await observe(bench)).control, "its control plane").configId;
}

function commitWithin(mode: CommitMode, offered: CommitMode): boolean {
  if (mode.kind !== "confirmed" || offered.kind !== "confirmed") return true;
  return mode.stepMs >= offered.stepMs && mode.maxMs <= offered.maxMs;
}

function within(offered: Capabilities, reported: Capabilities): boolean {
  const suites = reported.macsec?.suites.every((one) => offered.macsec?.suites.includes(one));
  const means = reported.drain?.means.every((one) => offered.drain?.means.includes(one));
  const keying = reported.ipsec?.keying.every((one) => offered.ipsec?.keying.includes(one));
  return (
    suites !== false &&
    means !== false &&
    keying !== false &&
    (reported.probe === undefined || offered.probe === true) &&
    commitWithin(reported.commit, offered.commit)
  );
}

export const observationCases: readonly DeviceCase[] = [
  {
    ...always(),
    name: "observe: changes nothing",
    why: "P4; the agent observes every few seconds for years",
    async run(bench) {
      await bench.wait(10_000);
      const before = bench.truth();
      for (let round = 0; round < 3; round += 1) await observe(bench);
      const after = bench.truth();
      must(after.effects === before.effects, "an observation had an effect on the running device");
      must(running(after) === running(before), "an observation altered the running configuration");
      must(!after.pending, "an observation left a commit pending");
    },
  },
  {
    ...always(),
    name: "observe: two in a row are equal",
    why: "decisions are level-triggered: an untouched device must not seem to move",
    async run(bench) {
      if (bench.device.capabilities.macsec !== undefined) await secure(bench, bench.ports[0]);
      await bench.wait(20_000);
      const first = standing(await observe(bench));
      for (let round = 0; round < 3; round += 1) {
        must(
          standing(await observe(bench)) === first,
          "two observations of an untouched device differ",
        );
      }
    },
  },
  {
    ...always(),
    name: "observe: reads at the time of the call",
    why: "P7: a check that takes an old observation for a fresh one passes at the wrong time",
    async run(bench) {
      await observe(bench);
      await bench.wait(60_000);
      const asked = bench.now();
      const state = await observe(bench);
      const answered = bench.now();
      must(state.device === bench.device.id, "the observation is about another device");
      must(
        state.at >= asked && state.at <= answered,
        "the observation was not taken at the time of the call",
      );
      for (const [name, { at }] of readingsOf(state)) {
        must(
          at >= asked && at <= answered,
          `the reading of ${name} was not taken at the time of the call`,
        );
      }
    },
  },
  {
    ...always(),
    name: "observe: every reading is known or says why not",
    why: "P7: never collapse unknown into a value",
    async run(bench) {
      await commit(bench, anyChange(bench));
      await bench.wait(10_000);
      for (const [name, reading] of readingsOf(await observe(bench))) {
        const named = ["notSupported", "queryFailed", "unparsed", "contradicted"];
        if (reading.kind === "unknown") {
          must(named.includes(reading.why), `the reading of ${name} does not say why`);
          continue;
        }
        const absent = reading.value === undefined || reading.value === null;
        const optional = / (settings|liveSuite)$/.test(name);
        must(!absent || optional, `the reading of ${name} is known and contains nothing`);
        must(reading.weak === undefined || reading.weak === true, `${name} is weak in a new way`);
      }
    },
  },
  {
    ...macsec,
    name: "observe: names every port once",
    why: "P7: a port that vanishes from the observation must not vanish from the report",
    async run(bench) {
      const names = (await observe(bench)).macsec.map(({ port }) => port);
      for (const port of bench.ports) {
        const times = names.filter((name) => name === port).length;
        must(times === 1, `${port} is reported ${times} times`);
      }
    },
  },
  {
    ...macsec,
    name: "observe: reports the state of a protected port",
    why: "P3, P7: proof is taken from these readings",
    async run(bench) {
      const [port] = bench.ports;
      const key = await secure(bench, port);
      await bench.wait(10_000);
      const seen = await observePort(bench, port);
      const truth = truthOf(bench, port);
      const session = reported(seen.session, "the MKA session");
      must(reported(seen.linkUp, "the link"), "the link is up and reported as down");
      must(session.principalCkn === key.ckn, "the principal CKN is reported wrongly");
      must(session.controlledPort === "secured", "a secured port is reported as not secured");
      must(session.livePeers === 1, `one live peer is reported as ${session.livePeers}`);
      must(session.latestSak?.keyId === truth.sak, "the SAK in use is reported wrongly");
      const keys = canonical(reported(seen.keys, "the keys"));
      must(keys === canonical(truth.keys), "the keys on the port are reported wrongly");
      const suite = reported(seen.liveSuite, "the suite in use");
      must(suite === truth.settings?.suite, "the suite in use is reported wrongly");
    },
  },
  {
    ...macsec,
    name: "observe: a lost peer is reported",
    why: "P7: a session that is gone must not seem alive",
    troubles: ["farEndGone"],
    async run(bench) {
      const [port] = bench.ports;
      await secure(bench, port);
      const alive = reported((await observePort(bench, port)).session, "the MKA session");
      must(alive.livePeers === 1, "a live peer is not reported");
      bench.strike("farEndGone");
      await bench.wait(20_000);
      const session = reported((await observePort(bench, port)).session, "the MKA session");
      must(session.livePeers === 0, "a peer that has gone is reported as live");
      must(session.controlledPort !== "secured", "a port without a peer is reported as secured");
    },
  },
  {
    ...always(),
    name: "observe: a reply that makes no sense is unknown",
    why: "P7; netmiko and exporters turn a failed parse into zero or down",
    troubles: ["unparsed"],
    async run(bench) {
      await bench.wait(10_000);
      bench.strike("unparsed");
      const state = await observe(bench).catch(() => undefined);
      for (const [name, reading] of state === undefined ? [] : readingsOf(state)) {
        must(reading.kind === "unknown", `${name} is reported although the reply made no sense`);
        must(reading.why === "unparsed", `${name} gives ${reading.why} as its reason`);
      }
    },
  },
  {
    ...macsec,
    name: "counters: absent is never zero",
    why: "IEEE 802.1AE 10.7.9; a zero that was not counted proves health that was not observed",
    async run(bench) {
      const [port] = bench.ports;
      await secure(bench, port);
      await bench.wait(20_000);
      const { frames } = await observePort(bench, port);
      const counting = bench.device.capabilities.macsec?.counters ?? "none";
      if (counting === "none") {
        must(frames.kind === "unknown", "a device that does not count frames reports them");
        return;
      }
      const { nextPn, rxUnusedSa, rxOk, txProtected } = reported(frames, "frames");
      must(rxOk > 0n && txProtected > 0n, "frames passed and none is counted");
      if (counting === "perSa") {
        must(nextPn !== undefined && nextPn > 0n, "the next packet number is missing");
        return;
      }
      // Frames of SAs that are not in use are also counted for a port as a whole.
      for (const counter of [nextPn, rxUnusedSa]) {
        must(counter === undefined, "a counter of single SAs is reported without counting them");
      }
    },
  },
  {
    ...macsec,
    name: "counters: follow the wire",
    why: "P3: proof is at least so many more protected frames each way",
    async run(bench) {
      const [port] = bench.ports;
      await secure(bench, port);
      await bench.wait(20_000);
      if (bench.device.capabilities.macsec?.counters === "none") return;
      const before = await framesOf(bench);
      const wire = truthOf(bench, port).protectedFrames;
      await bench.wait(10_000);
      const after = await framesOf(bench);
      const moved = truthOf(bench, port).protectedFrames - wire;
      must(moved > 0n, "no traffic is on the bench");
      const rise = after.txProtected - before.txProtected + after.rxOk - before.rxOk;
      const off = rise > moved ? rise - moved : moved - rise;
      must(off * 2n < moved, `${moved} frames passed and ${rise} are counted`);
    },
  },
  {
    ...macsec,
    name: "counters: MKPDUs are not clear data",
    why: "P1: platforms that count EAPOL as untagged would alarm for ever, or hide the real ones",
    async run(bench) {
      const [port] = bench.ports;
      await secure(bench, port);
      await bench.wait(20_000);
      if (bench.device.capabilities.macsec?.counters === "none") return;
      const before = await framesOf(bench);
      const wire = truthOf(bench, port).clearFrames;
      await bench.wait(20_000);
      const after = await framesOf(bench);
      must(truthOf(bench, port).clearFrames === wire, "a protected link carried clear data");
      must(after.rxClear === before.rxClear, "frames that are not data are counted as clear data");
    },
  },
  {
    ...always(),
    name: "control: the configuration id changes with a change and only then",
    why: "it shows drift that others caused",
    async run(bench) {
      const first = await configId(bench);
      await bench.wait(60_000);
      const transaction = await prepare(bench, [anyChange(bench)]);
      must((await configId(bench)) === first, "the id changed although nothing was committed");
      await transaction.apply("final", never);
      const second = await configId(bench);
      must(second !== first, "a commit left the id as it was");
      await bench.wait(60_000);
      must((await configId(bench)) === second, "the id changed although nothing was committed");
    },
  },
  {
    ...always(),
    name: "control: the device's own clock is reported",
    why: "key chains start by the device's clock: the check of the clocks reads it",
    async run(bench) {
      const first = reported((await observe(bench)).control, "its control plane").wall;
      await bench.wait(60_000);
      const second = reported((await observe(bench)).control, "its control plane").wall;
      const off = Math.abs(second - first - 60_000);
      must(off < 5_000, `a minute passed and the device's clock moved by ${second - first} ms`);
    },
  },
  {
    ...timer,
    name: "control: a pending commit is reported, whichever session made it",
    why: "nothing may be written while a commit waits for its confirm",
    async run(bench) {
      const transaction = await prepare(bench, [anyChange(bench)]);
      must(!(await pendingReported(bench)), "a commit is reported as pending before it was made");
      await transaction.apply(revertMs, never);
      must(await pendingReported(bench), "a pending commit is not reported");
      await transaction.confirm(never);
      must(!(await pendingReported(bench)), "a confirmed commit is reported as pending");
    },
  },
  {
    ...always(),
    name: "control: a boot is reported",
    why: "counters and sessions start anew with it",
    troubles: ["reboot"],
    async run(bench) {
      const before = reported((await observe(bench)).control, "its control plane").bootId;
      bench.strike("reboot");
      const after = reported((await answering(bench)).control, "its control plane").bootId;
      must(after !== before, "the boot id is the same after a boot");
    },
  },
  {
    ...overlap,
    name: "control: a boot ends a pending commit",
    why: "RFC 6241 8.4.1: an unconfirmed commit does not survive a boot, and recall must say so",
    troubles: ["reboot"],
    async run(bench) {
      if (bench.device.capabilities.commit.kind === "immediate") return;
      const [port] = bench.ports;
      await secure(bench, port);
      const before = running(bench.truth());
      const transaction = await prepare(bench, [addSecond(bench, port, freshKey(bench))]);
      await transaction.apply(10 * revertMs, never);
      bench.strike("reboot");
      await answering(bench);
      const recalled = await bench.device.recall(transaction.token, never);
      must(recalled.kind === "absent", "a commit is recalled as pending after a boot");
      must(!bench.truth().pending, "a commit is pending after a boot");
      must(running(bench.truth()) === before, "an unconfirmed change survived a boot");
    },
  },
  {
    ...always(),
    name: "driver: a device offers no more than its driver",
    why: "the driver's page in the documents is its promise",
    async run(bench) {
      must(
        within(bench.offers, bench.device.capabilities),
        "the device offers what its driver does not",
      );
    },
  },
];

async function framesOf(bench: DeviceBench): Promise<MacsecFrames> {
  return reported((await observePort(bench, bench.ports[0])).frames, "frames");
}

async function pendingReported(bench: DeviceBench): Promise<boolean> {
  return reported((await observe(bench)).control, "its control plane").commitPending;
}

/** Returns the first observation after a boot. */
async function answering(bench: DeviceBench): Promise<DeviceState> {
  let state: DeviceState | undefined;
  for (let round = 0; round < 60 && state === undefined; round += 1) {
    await bench.wait(5_000);
    state = await observe(bench).catch(() => undefined);
  }
  must(state !== undefined, "the device does not answer five minutes after a boot");
  await until(bench, "the ports after a boot", () => bench.truth().ports.every((p) => p.linkUp));
  return state;
}
