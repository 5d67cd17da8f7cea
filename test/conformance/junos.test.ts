// The Junos driver against a router that speaks Junos, on virtual time.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { drivers } from "#drivers/index.ts";
import { readXml } from "#drivers/transport/xml.ts";
import { deviceCases, runDeviceCase, type Verdict } from "#hal/conformance.ts";
import type { Capabilities } from "#hal/device.ts";
import { type ByteChannel, noPrograms, type World } from "#hal/world.ts";
import { SimDisk } from "#sim/disk.ts";
import { JunosFace } from "#sim/faces/junos.ts";
import { channelTo } from "../face-channel.ts";
import { benchOf, buildRig, drive, type Rig } from "./rig.ts";
import { failures, formatRows, type Row } from "./table.ts";

const junos = drivers["junos"];
if (junos === undefined) throw new RangeError("no driver junos");

const never = new AbortController().signal;

interface Place {
  readonly rig: Rig;
  readonly world: World;
  readonly exchanges: () => number;
}

function placeOf(capabilities: Capabilities, model: { model: string; version: string }): Place {
  const rig = buildRig(capabilities);
  const face = new JunosFace(rig.router, model);
  let exchanges = 0;
  const counted = (inner: ByteChannel): ByteChannel => ({
    ...inner,
    write: async (text, signal) => {
      exchanges += 1;
      await inner.write(text, signal);
    },
    read: async (signal) => {
      const octets = await inner.read(signal);
      rig.said.push(new TextDecoder().decode(octets));
      return octets;
    },
  });
  const refused = async (): Promise<never> => {
    throw new Error("not of this world");
  };
  const world: World = {
    clock: rig.clock,
    entropy: rig.prng.fork("agent"),
    disk: new SimDisk({ clock: rig.clock, prng: rig.prng.fork("disk"), writeMs: 1 }),
    dial: {
      http: refused,
      routeTo: refused,
      resolve: refused,
      exec: noPrograms,
      channel: async (to, _kind, signal) => {
        signal.throwIfAborted();
        exchanges += 1;
        return counted(channelTo(to.device, (wire) => face.connect(wire)));
      },
    },
    log: { write: (_level, _code, text) => void rig.said.push(text) },
  };
  return { rig, world, exchanges: () => exchanges };
}

const platforms = {
  "ptx10008 23.4R2": { model: "ptx10008", version: "23.4R2-S1.5-EVO", overlap: "keychain" },
  "mx480 22.2R3": { model: "mx480", version: "22.2R3.15", overlap: "none" },
} as const;

describe("junos", () => {
  const rows: Row[] = [];
  // The parser comes from a file, and virtual time does not wait for one.
  beforeAll(async () => {
    await readXml(new TextEncoder().encode("<warm/>"), "nowhere");
  });
  afterAll(() => {
    console.log(formatRows("junos, virtual time", rows));
  });

  it.each(Object.entries(platforms))("%s", async (name, { overlap, ...model }) => {
    const { macsec, ...others } = junos.offers;
    if (macsec === undefined) throw new RangeError("no MACsec");
    const offers = { ...others, macsec: { ...macsec, overlap } };
    const verdicts = new Map<string, Verdict>();
    for (const one of deviceCases) {
      const { rig, world, exchanges } = placeOf(offers, model);
      const target = { device: rig.router.name, address: "192.0.2.1" };
      const open = () => junos.open(target, world, () => undefined, never);
      const run = async () => runDeviceCase(one, await benchOf(rig, { open, offers, exchanges }));
      verdicts.set(one.name, await drive(rig.clock, run()));
    }
    const row = { profile: name, verdicts };
    rows.push(row);
    expect(failures(row)).toEqual([]);
    expect(verdicts.size).toBe(deviceCases.length);
  });
});
