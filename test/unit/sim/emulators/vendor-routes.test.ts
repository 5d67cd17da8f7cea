// Compares each driver's routes and neighbours with the router's: the emulators print rows that
// break, and the same neighbours once more in another routing instance.

import { beforeAll, describe, expect, it } from "vitest";
import { readXml } from "#drivers/transport/xml.ts";
import type { Device, PortChange } from "#hal/device.ts";
import type { DeviceState } from "#hal/model.ts";
import type { EosEmulator } from "#sim/emulators/eos.ts";
import { familyOf } from "#sim/emulators/far-end-routes.ts";
import type { IosxeEmulator } from "#sim/emulators/iosxe.ts";
import type { IosxrEmulator } from "#sim/emulators/iosxr.ts";
import type { JunosEmulator } from "#sim/emulators/junos.ts";
import { type Block, bgpOf } from "#sim/emulators/line-tree.ts";
import type { Wiring } from "#sim/emulators/wiring.ts";
import { channelTo } from "#sim/lab/emulator-channel.ts";
import { allPlatforms, type Place, placeOf, wayOf } from "../../../conformance/place.ts";
import { settled } from "../../kit/site-bench.ts";

const never = new AbortController().signal;
/** The time after which a session is up, or its hold time has expired, in milliseconds. */
const bgpMs = 300_000;

function opened({ rig, emulator, platform }: Place): Promise<Device> {
  const target = { device: rig.router.name, address: "192.0.2.1" };
  const way = wayOf({ rig, platform }, target, async (to) =>
    channelTo(to.device, (wire) => emulator.connect(wire)),
  );
  return settled(rig.clock, way.open());
}

async function observed(place: Place): Promise<DeviceState> {
  const device = await opened(place);
  const state = await settled(place.rig.clock, device.observe(never));
  await device[Symbol.asyncDispose]();
  return state;
}

function routing({ routing: reported, macsec }: DeviceState) {
  if (reported.kind !== "known") throw new Error(`it is not known: ${reported.why}`);
  const { routes, sessions, drains } = reported.value;
  const line = ({ prefix, via, best }: (typeof routes)[number]): string =>
    `${prefix} ${via.kind === "port" ? via.port : via.name} ${best}`;
  return {
    routes: routes.map(line).toSorted(),
    sessions: sessions.map(({ up }) => up),
    vrfs: sessions.map(({ vrf }) => vrf),
    aggregates: macsec.flatMap(({ aggregate }) =>
      aggregate?.kind === "known" ? [aggregate.value.members] : [],
    ),
    drains: drains.map((one) => `${one.port} ${one.means}`),
  };
}

type Emulated = EosEmulator | IosxeEmulator | IosxrEmulator | JunosEmulator;

const emulatorIn = ({ emulator }: Place): Emulated => emulator as unknown as Emulated;

const wiringOf = (place: Place): Wiring => emulatorIn(place).model.wiring;

/** The configuration of BGP in the instance that has the same addresses on other interfaces. */
function foreign(place: Place): string {
  const emulator = emulatorIn(place);
  const { current } = emulator;
  const { vrf } = wiringOf(place);
  if (!isLines(current)) {
    const home = vrf === undefined ? "routing-instances" : "protocols";
    return JSON.stringify(current.children.find(({ name }) => name === home));
  }
  const isVrf = (line: string): boolean => /^(?:vrf|address-family \S+ vrf) /.test(line);
  const lines = bgpOf(current).filter(({ line }) => isVrf(line) === (vrf === undefined));
  return JSON.stringify(lines);
}

const isLines = (current: Emulated["current"]): current is readonly Block[] =>
  Array.isArray(current);

async function changed({ rig }: Place, device: Device, operation: PortChange): Promise<void> {
  const noKeys = () => Promise.reject(new Error("a drain needs no key"));
  const run = async (): Promise<void> => {
    const transaction = await device.prepare([operation], noKeys, never);
    await transaction.apply("final", never);
  };
  await settled(rig.clock, run());
}

describe("routes and neighbours", () => {
  // The parser comes from a file, and virtual time does not wait for one.
  beforeAll(async () => {
    await readXml(new TextEncoder().encode("<warm/>"), "nowhere");
  });

  it.each(allPlatforms)(
    "routes and neighbours are parsed row by row as they are, %s",
    async (_, platform) => {
      const place = placeOf(platform);
      await place.rig.clock.runFor(bgpMs);
      const reported = routing(await observed(place));
      const truth = routing(place.rig.router.state());
      // The platform reports neighbours only for the family of their address.
      const isAsked = (line: string): boolean =>
        platform.vendor === "iosxr" || platform.vendor === "junos" || familyOf(line) === "ipv4";
      expect(truth.routes).toHaveLength(10);
      expect(reported.routes).toEqual(truth.routes.filter(isAsked));
      expect(reported.sessions).toEqual([true, true]);
      expect(reported.vrfs).toEqual([wiringOf(place).vrf, wiringOf(place).vrf]);
      expect(reported.aggregates).toEqual(
        wiringOf(place).aggregates === undefined ? [] : platform.ports.map((port) => [port]),
      );
    },
  );

  it.each(allPlatforms)(
    "a drain leaves the neighbours of the other instance alone, %s",
    async (...row) => {
      const [, platform] = row;
      const place = placeOf(platform);
      const [port] = platform.ports;
      await place.rig.clock.runFor(bgpMs);
      const before = foreign(place);
      expect(before).toContain("64999");
      const device = await opened(place);
      const drains = async () =>
        routing(await settled(place.rig.clock, device.observe(never))).drains;
      for (const means of device.capabilities.drain?.means ?? []) {
        await changed(place, device, { kind: "port.drain", port, means });
        expect(await drains()).toEqual([`${port} ${means}`]);
        expect(foreign(place)).toBe(before);
        await changed(place, device, { kind: "port.restore", port, means });
        expect(await drains()).toEqual([]);
        expect(foreign(place)).toBe(before);
      }
      await device[Symbol.asyncDispose]();
    },
  );

  it.each(allPlatforms)(
    "routes are lost with their port even if other peers have its address, %s",
    async (_, platform) => {
      const place = placeOf(platform);
      const { rig } = place;
      await rig.clock.runFor(bgpMs);
      const [port] = platform.ports;
      rig.router.port(port)?.fibre.setUp(false);
      await rig.clock.runFor(bgpMs);
      const reported = routing(await observed(place));
      expect(routing(rig.router.state()).sessions).toEqual([false, true]);
      expect(reported.sessions).toEqual([false, true]);
      expect(reported.routes.filter((line) => line.includes(` ${port} `))).toEqual([]);
    },
  );
});
