// The lines of a port against those that its driver would write: a port that the driver wrote has
// no other, also after a rotation, and a line of another writer is found wherever it is.

import { beforeAll, describe, expect, it } from "vitest";
import { readXml } from "#drivers/transport/xml.ts";
import type { LineDifferences, WantedPort } from "#hal/device.ts";
import type { KeyRef } from "#hal/model.ts";
import type { DeviceBench } from "#sim/conformance/bench.ts";
import * as kit from "#sim/conformance/kit.ts";
import { type ConfigNode, node } from "#sim/emulators/config-tree.ts";
import type { JunosEmulator } from "#sim/emulators/junos.ts";
import { type Block, block } from "#sim/emulators/line-tree.ts";
import type { EmulatorSession, Wire } from "#sim/emulators/netconf.ts";
import { channelTo } from "#sim/lab/emulator-channel.ts";
import { allPlatforms, type Platform, placeOf, wayOf } from "./place.ts";
import { benchOf, drive } from "./rig.ts";
import { rotate, type Stepping } from "./rotation-kit.ts";

interface CliEmulator {
  connect(wire: Wire): EmulatorSession | undefined;
  readonly current: Block[];
}

type Any = CliEmulator | JunosEmulator;

/** A port that the driver has protected, and what its lines differ in. */
interface Protected {
  readonly bench: DeviceBench;
  readonly key: KeyRef;
  readonly emulator: Any;
  readonly run: <T>(part: Promise<T>) => Promise<T>;
  readonly compare: (over?: Partial<WantedPort>) => Promise<readonly LineDifferences[]>;
}

async function opened(platform: Platform<Any>): Promise<Protected> {
  const place = placeOf(platform);
  const { rig, emulator } = place;
  const target = { device: rig.router.name, address: "192.0.2.1" };
  const way = wayOf(place, target, async (to) =>
    channelTo(to.device, (wire) => emulator.connect(wire)),
  );
  const run = <T>(part: Promise<T>): Promise<T> => drive(rig.clock, part);
  const bench = await run(benchOf(rig, way));
  const [port, other] = bench.ports;
  const key = await run(kit.secure(bench, port));
  // The objects of another port are beside those of the first.
  await run(kit.secure(bench, other));
  const wanted = { port, settings: kit.wanted(bench), ckn: key.ckn, drain: undefined };
  const compare = async (over: Partial<WantedPort> = {}) => {
    const compared = bench.device.compareLines?.([{ ...wanted, ...over }], kit.never);
    if (compared === undefined) throw new Error("the driver compares no lines");
    return await run(compared);
  };
  return { bench, key, emulator, run, compare };
}

function childrenAt(blocks: Block[], heads: readonly RegExp[]): Block[] {
  return heads.reduce((inside, head) => {
    const found = inside.find(({ line }) => head.test(line));
    if (found === undefined) throw new Error(`no line ${head.source}`);
    return found.children;
  }, blocks);
}

function nodeAt(tree: ConfigNode, ...path: readonly string[]): ConfigNode {
  return path.reduce((inside, name) => {
    const found = inside.children.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no element ${name}`);
    return found;
  }, tree);
}

/** Where the settings of the first port are, by vendor, and a line that the driver never writes. */
const settingsAt: Readonly<Record<string, { heads: readonly RegExp[]; planted: string }>> = {
  iosxr: { heads: [/^macsec-policy /], planted: "delay-protection" },
  iosxe: { heads: [/^mka policy /], planted: "delay-protection" },
  nxos: { heads: [/^macsec policy /], planted: "include-icv-indicator" },
  eos: { heads: [/^mac security$/, /^profile /], planted: "key retirement immediate" },
};

const association = ["security", "macsec", "connectivity-association"] as const;

/** Writes a line as an operator would; returns the end of the place where it is. */
function plant({ vendor }: Platform<Any>, emulator: Any): string {
  if ("second" in emulator) {
    const lldp = node("exclude-protocol", node("name", "lldp"));
    nodeAt(emulator.current, ...association).children.push(lldp);
    return "exclude-protocol lldp";
  }
  const { heads = [], planted = "" } = settingsAt[vendor] ?? {};
  childrenAt(emulator.current, heads).push(block(planted));
  return planted;
}

const priority = 200;

/** Gives the port another priority; returns the line before and after. */
function spoil({ vendor }: Platform<Any>, emulator: Any): readonly [string, string] {
  if ("second" in emulator) {
    const found = nodeAt(emulator.current, ...association, "mka", "key-server-priority");
    const was = found.text;
    found.text = String(priority);
    return [`key-server-priority ${was}`, `key-server-priority ${priority}`];
  }
  const inside = childrenAt(emulator.current, settingsAt[vendor]?.heads ?? []);
  const at = inside.findIndex(({ line }) => /key-server[- ]priority \d/.test(line));
  const was = inside[at]?.line ?? "";
  const is = was.replace(/\d+$/, String(priority));
  inside.splice(at, 1, block(is));
  return [was, is];
}

const protecting = allPlatforms.filter(
  (one): one is readonly [string, Platform<Any>] => one[1].less.macsec !== "none",
);

describe.each(protecting)("the lines of a port: %s", (_, platform) => {
  beforeAll(async () => {
    await readXml(new TextEncoder().encode("<warm/>"), "nowhere");
  });

  it("that the driver wrote are the driver's, and so they are after a rotation", async () => {
    const { bench, key, run, compare } = await opened(platform);
    expect(await compare()).toEqual([]);
    const next = kit.freshKey(bench);
    const step: Stepping["step"] = async (change, committed = "final") => {
      const transaction = await kit.prepare(bench, change);
      const isFinal = committed === "final" || !kit.timer.needs(bench.device.capabilities);
      await transaction.apply(isFinal ? "final" : kit.revertMs, kit.never);
      if (!isFinal && committed === "confirmed") await transaction.confirm(kit.never);
      if (committed === "takenBack") await transaction.rollback(kit.never);
    };
    await run(rotate({ bench, step }, key, next));
    expect(await compare({ ckn: next.ckn })).toEqual([]);
  });

  it("show a line that another writer added, and a setting that was changed", async () => {
    const { bench, emulator, compare } = await opened(platform);
    const [port] = bench.ports;
    const planted = plant(platform, emulator);
    const [found] = await compare();
    expect(found).toMatchObject({
      port,
      foreign: [expect.stringMatching(`${planted}$`)],
      missing: [],
    });
    const [was, is] = spoil(platform, emulator);
    const [spoilt] = await compare();
    const both = [planted, is].map((text) => expect.stringMatching(`${text}$`));
    expect(spoilt?.foreign).toHaveLength(2);
    expect(spoilt?.foreign).toEqual(expect.arrayContaining(both));
    expect(spoilt?.missing).toEqual([expect.stringMatching(`${was}$`)]);
  });

  it("show a key that is not the port's, and the key that is not there", async () => {
    const { bench, key, compare } = await opened(platform);
    const other = kit.freshKey(bench);
    const [found] = await compare({ ckn: other.ckn });
    const text = (lines: readonly string[] = []): string => lines.join("\n").toLowerCase();
    expect(text(found?.foreign)).toContain(key.ckn);
    expect(text(found?.missing)).toContain(other.ckn);
  });

  it("show a drain that is not wanted, and one that is wanted and not there", async () => {
    const { bench, run, compare } = await opened(platform);
    const [port] = bench.ports;
    for (const means of bench.device.capabilities.drain?.means ?? []) {
      const [lacking] = await compare({ drain: means });
      expect(lacking?.missing.length).toBeGreaterThan(0);
      await run(kit.commit(bench, { kind: "port.drain", port, means }));
      expect(await compare({ drain: means })).toEqual([]);
      const [drained] = await compare();
      expect(drained?.foreign.length).toBeGreaterThan(0);
      await run(kit.commit(bench, { kind: "port.restore", port, means }));
      expect(await compare()).toEqual([]);
    }
  });

  it("show a port that is shut", async () => {
    const { bench, run, compare } = await opened(platform);
    const [port] = bench.ports;
    await run(kit.commit(bench, { kind: "port.shut", port }));
    const [shut] = await compare();
    expect(shut?.foreign).toEqual([expect.stringMatching(/ (?:shutdown|disable)$/)]);
  });
});

const nexus = protecting.filter(([, { vendor }]) => vendor === "nxos");

describe.each(nexus)("the lines of a port of a switch: %s", (_, platform) => {
  it("have the line that turns MACsec off for the whole switch", async () => {
    const { emulator, compare } = await opened(platform);
    if ("second" in emulator) throw new TypeError("it has no command line");
    emulator.current.push(block("macsec shutdown"));
    expect(await compare()).toMatchObject([{ foreign: ["macsec shutdown"], missing: [] }]);
  });
});
