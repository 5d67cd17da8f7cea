// Settings and state of a port: never looser than must-secure, and without an effect on another
// port.

import type { DeviceState, KeyRef, MacsecSettings, PortName, WantedSettings } from "#hal/model.ts";
import type { DeviceBench, PortTruth } from "./bench.ts";
import {
  addKey,
  addSecond,
  always,
  canonical,
  commit,
  type DeviceCase,
  freshKey,
  freshSak,
  macsec,
  must,
  mustBe,
  never,
  observe,
  observePort,
  overlap,
  portIn,
  prepare,
  refusedChange,
  reported,
  revertMs,
  running,
  secure,
  stepMs,
  suiteOf,
  timer,
  truthOf,
  until,
  wanted,
} from "./kit.ts";

const everySuite = ["gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"] as const;

/** Returns settings with another value for one leaf, among those that the device lets be set. */
function otherValue(
  { device }: DeviceBench,
  leaf: keyof MacsecSettings,
  from: WantedSettings,
): WantedSettings {
  const isAlways = device.capabilities.macsec?.always?.some((one) => one === leaf) === true;
  switch (leaf) {
    case "suite":
    case "policy":
      return from;
    case "includeSci":
      return isAlways ? from : { ...from, includeSci: !from.includeSci };
    case "confidentialityOffset":
      return { ...from, confidentialityOffset: from.suite.includes("xpn") ? 0 : 30 };
    case "keyServerPriority":
      return { ...from, keyServerPriority: from.keyServerPriority + 1 };
    case "replayWindow":
      if (isAlways) return { ...from, replayWindow: (from.replayWindow ?? 0) + 1 };
      return { ...from, replayWindow: from.replayWindow === undefined ? 0 : undefined };
    case "sakRekeyMs":
      return { ...from, sakRekeyMs: from.sakRekeyMs === undefined ? 3_600_000 : undefined };
  }
}

const leaves: readonly (keyof MacsecSettings)[] = [
  "includeSci",
  "confidentialityOffset",
  "keyServerPriority",
  "replayWindow",
  "sakRekeyMs",
];

async function protect(bench: DeviceBench, settings: WantedSettings): Promise<void> {
  await commit(bench, { kind: "macsec.protect", port: bench.ports[0], settings });
}

async function mustReadBack(bench: DeviceBench, settings: WantedSettings): Promise<void> {
  const [port] = bench.ports;
  const stands = canonical({ ...settings, policy: "mustSecure" });
  must(canonical(truthOf(bench, port).settings) === stands, "the settings in force are others");
  const seen = reported((await observePort(bench, port)).settings, "the settings");
  must(canonical(seen) === stands, `the settings are reported as others: ${canonical(seen)}`);
}

export const portCases: readonly DeviceCase[] = [
  {
    ...macsec,
    name: "settings: always end in must-secure",
    why: "P1: there is no way to want anything else",
    async run(bench) {
      const [port] = bench.ports;
      for (const leaf of leaves) {
        await protect(bench, otherValue(bench, leaf, wanted(bench)));
        const { settings } = truthOf(bench, port);
        must(settings?.policy === "mustSecure", "the port may fall back to clear");
      }
    },
  },
  {
    ...macsec,
    name: "settings: every leaf reads back as it was written",
    why: "verify compares leaf by leaf; off is not zero",
    async run(bench) {
      await mustReadBack(bench, await protectAs(bench, wanted(bench)));
      for (const leaf of leaves) {
        await mustReadBack(bench, await protectAs(bench, otherValue(bench, leaf, wanted(bench))));
      }
      for (const suite of bench.device.capabilities.macsec?.suites ?? []) {
        await mustReadBack(bench, await protectAs(bench, { ...wanted(bench), suite }));
      }
    },
  },
  {
    ...macsec,
    name: "settings: a suite that is not offered is refused",
    why: "a device that picks another suite by itself is found out too late",
    async run(bench) {
      const suites = bench.device.capabilities.macsec?.suites ?? [];
      const before = bench.truth();
      const [port] = bench.ports;
      for (const suite of everySuite.filter((one) => !suites.includes(one))) {
        const settings = { ...wanted(bench), suite };
        const what = "a suite that is not offered";
        const error = await refusedChange(bench, what, { kind: "macsec.protect", port, settings });
        mustBe(error, ["device.unsupported", "device.rejected"], what);
      }
      must(bench.truth().effects === before.effects, "a refused suite had an effect");
    },
  },
  {
    ...macsec,
    name: "settings: an offset under XPN is refused",
    why: "IEEE 802.1AE 10.7.25: extended packet numbers know no confidentiality offset",
    async run(bench) {
      const suites = bench.device.capabilities.macsec?.suites ?? [];
      const before = running(bench.truth());
      const [port] = bench.ports;
      for (const suite of suites.filter((one) => one.includes("xpn"))) {
        const settings = { ...wanted(bench), suite, confidentialityOffset: 30 } as const;
        const what = "an offset under XPN";
        const error = await refusedChange(bench, what, { kind: "macsec.protect", port, settings });
        mustBe(error, ["device.rejected", "device.unsupported"], what);
      }
      must(running(bench.truth()) === before, "a refused offset changed something");
    },
  },
  {
    ...macsec,
    name: "settings: a hitless one interrupts nothing",
    why: "reconcile repairs these without a drain, because the driver says so",
    async run(bench) {
      const [port] = bench.ports;
      await secure(bench, port);
      await bench.wait(20_000);
      const before = truthOf(bench, port);
      for (const leaf of bench.device.capabilities.macsec?.hitless ?? []) {
        await protect(bench, otherValue(bench, leaf, wanted(bench)));
        await bench.wait(15_000);
        const after = truthOf(bench, port);
        must(after.lostFrames === before.lostFrames, `a change of ${leaf} lost frames`);
        must(after.principal === before.principal && after.carries, `${leaf} cost the session`);
      }
    },
  },
  {
    ...macsec,
    name: "settings: nothing leaves in the clear when the peer has gone",
    why: "P1: must-secure holds when it is needed",
    troubles: ["farEndGone"],
    async run(bench) {
      const [port] = bench.ports;
      await secure(bench, port);
      await bench.wait(10_000);
      const before = truthOf(bench, port).clearFrames;
      bench.strike("farEndGone");
      await bench.wait(60_000);
      must(truthOf(bench, port).clearFrames === before, "data left in the clear");
      must(!truthOf(bench, port).carries, "a port without a peer carries data");
    },
  },
  {
    ...macsec,
    name: "ports: one is not disturbed by the other",
    why: "P2: a change takes at most the link that it names",
    async run(bench) {
      const [port, other] = bench.ports;
      const key = await secure(bench, other);
      await bench.wait(20_000);
      const before = truthOf(bench, other);
      await secure(bench, port);
      const next = freshKey(bench);
      const second = overlap.needs(bench.device.capabilities)
        ? addSecond(bench, port, next)
        : ({ kind: "macsec.replaceKey", port, key: next } as const);
      await commit(bench, second);
      if (freshSak.needs(bench.device.capabilities)) {
        await commit(bench, { kind: "macsec.rekeySak", port });
      }
      await commit(bench, { kind: "port.shut", port });
      await bench.wait(20_000);
      const after = truthOf(bench, other);
      must(after.lostFrames === before.lostFrames, "the other port lost frames");
      must(after.sak === before.sak, "the other port got another SAK");
      must(after.principal === key.ckn, "the other port got another principal");
      const same = canonical([after.keys, after.settings, after.admin, after.drain]);
      const was = canonical([before.keys, before.settings, before.admin, before.drain]);
      must(same === was, "the other port is configured differently");
    },
  },
  {
    ...macsec,
    name: "ports: one that is not there is refused",
    why: "a change on a misspelt port must not go through in silence",
    async run(bench) {
      const what = "a change on a port that is not there";
      const before = bench.truth();
      const settings = wanted(bench);
      const port = "no-such-port";
      const error = await refusedChange(
        bench,
        what,
        { kind: "macsec.protect", port, settings },
        addKey(port, freshKey(bench)),
      );
      mustBe(error, ["device.rejected"], what);
      must(bench.truth().effects === before.effects, `${what} had an effect`);
    },
  },
  {
    ...always(),
    name: "ports: shut and open",
    why: "some platforms need the port shut before its key is touched",
    async run(bench) {
      const [port, other] = bench.ports;
      await bench.wait(10_000);
      await commit(bench, { kind: "port.shut", port });
      await bench.wait(5_000);
      must(truthOf(bench, port).admin === "down", "a port that was shut is open");
      must(!truthOf(bench, port).linkUp, "a port that was shut has a link");
      must(truthOf(bench, other).linkUp, "shutting one port shut another");
      if (macsec.needs(bench.device.capabilities)) {
        const state = await observe(bench);
        mustReport(state, port, "down");
        mustReport(state, other, "up");
      }
      await commit(bench, { kind: "port.open", port });
      await until(bench, "the link", () => truthOf(bench, port).linkUp);
      must(truthOf(bench, port).admin === "up", "a port that was opened is shut");
      if (macsec.needs(bench.device.capabilities)) mustReport(await observe(bench), port, "up");
    },
  },
  {
    ...macsec,
    name: "ports: one that is shut carries no frames",
    why: "a port is shut to take it out of use; frames that still pass there go unnoticed",
    async run(bench) {
      const [port] = bench.ports;
      await secure(bench, port);
      await bench.wait(20_000);
      await commit(bench, { kind: "port.shut", port });
      const before = truthOf(bench, port);
      await bench.wait(20_000);
      const after = truthOf(bench, port);
      must(!after.carries, "a shut port carries");
      const passed = (truth: PortTruth): bigint => truth.clearFrames + truth.protectedFrames;
      must(passed(after) === passed(before), "frames pass a shut port");
      await commit(bench, { kind: "port.open", port });
      await until(bench, "the protected link", () => {
        const truth = truthOf(bench, port);
        return truth.carries && truth.bgpUp;
      });
      await bench.wait(5_000);
      must(truthOf(bench, port).protectedFrames > after.protectedFrames, "nothing passes it again");
    },
  },
  {
    ...timer,
    name: "ports: a shut that waits for its confirm opens again in time",
    why: "P2: a port that a dead agent had shut would stay out of service for ever",
    async run(bench) {
      const [port] = bench.ports;
      await bench.wait(10_000);
      const transaction = await prepare(bench, [{ kind: "port.shut", port }]);
      await transaction.apply(revertMs, never);
      must(truthOf(bench, port).admin === "down", "a port that was shut is open");
      await bench.wait(2 * revertMs + stepMs(bench.device.capabilities));
      must(truthOf(bench, port).admin === "up", "an unconfirmed shut was not reverted");
    },
  },
  {
    ...macsec,
    name: "ports: shut, keyed and opened as the change says",
    why: "where a key takes effect on a shut port only, the order of the parts is the change",
    async run(bench) {
      const [port] = bench.ports;
      await secure(bench, port);
      const [first, second] = [freshKey(bench), freshKey(bench)];
      const shut = { kind: "port.shut", port } as const;
      await commit(bench, shut, { kind: "macsec.replaceKey", port, key: first });
      await bench.wait(5_000);
      mustHold(bench, port, { key: first, admin: "down" });
      mustReport(await observe(bench), port, "down");
      const replace = { kind: "macsec.replaceKey", port, key: second } as const;
      await commit(bench, shut, replace, { kind: "port.open", port });
      mustHold(bench, port, { key: second, admin: "up" });
      bench.giveFarEnd(port, second, suiteOf(bench));
      await until(bench, "the link under its new key", () => {
        const { principal, carries } = truthOf(bench, port);
        return principal === second.ckn && carries;
      });
      mustReport(await observe(bench), port, "up");
    },
  },
];

/** Checks the administrative state that the observation reports, and the link that follows it. */
function mustReport(state: DeviceState, port: PortName, admin: "up" | "down"): void {
  const seen = portIn(state, port);
  const own = reported(seen.admin, "the administrative state");
  must(own === admin, `a port that is ${admin} by its configuration is reported as ${own}`);
  const link = reported(seen.linkUp, "the link") ? "up" : "down";
  must(link === admin, `the link of a port that is ${admin} is reported as ${link}`);
}

function mustHold(
  bench: DeviceBench,
  port: PortName,
  { key, admin }: { readonly key: KeyRef; readonly admin: "up" | "down" },
): void {
  const truth = truthOf(bench, port);
  must(truth.admin === admin, `the change should leave the port ${admin}`);
  must(truth.linkUp === (admin === "up"), `the link of a port that is ${admin} is not`);
  const ckns = truth.keys.map(({ ckn }) => ckn);
  must(ckns.length === 1 && ckns[0] === key.ckn, "the port has other keys than the change names");
}

async function protectAs(bench: DeviceBench, settings: WantedSettings): Promise<WantedSettings> {
  await protect(bench, settings);
  return settings;
}
