// Compares each driver's routes and neighbours with the router's: the emulators print rows that
// break, and the same neighbours once more in another routing instance.

import { beforeAll, describe, expect, it } from "vitest";
import { readXml } from "#drivers/transport/xml.ts";
import type { DeviceState } from "#hal/model.ts";
import { familyOf } from "#sim/emulators/far-end-routes.ts";
import {
  type Place,
  type Platform,
  placeOf,
  platforms,
  wayOf,
} from "../../../conformance/place.ts";
import { channelTo } from "../../../emulator-channel.ts";
import { settled } from "../../kit/site-bench.ts";

const never = new AbortController().signal;
/** The time after which a session is up, or its hold time has expired, in milliseconds. */
const bgpMs = 300_000;
const all = Object.entries(platforms) as readonly [string, Platform][];

async function observed(place: Place): Promise<DeviceState> {
  const { rig, emulator } = place;
  const target = { device: rig.router.name, address: "192.0.2.1" };
  const way = wayOf(place, target, async (to) =>
    channelTo(to.device, (wire) => emulator.connect(wire)),
  );
  const device = await settled(rig.clock, way.open());
  const state = await settled(rig.clock, device.observe(never));
  await device[Symbol.asyncDispose]();
  return state;
}

function routing({ routing: reported }: DeviceState) {
  if (reported.kind !== "known") throw new Error(`it is not known: ${reported.why}`);
  const { routes, sessions } = reported.value;
  const line = ({ prefix, via, best }: (typeof routes)[number]): string =>
    `${prefix} ${via.kind === "port" ? via.port : via.name} ${best}`;
  return { routes: routes.map(line).toSorted(), sessions: sessions.map(({ up }) => up) };
}

describe("routes and neighbours", () => {
  // The parser comes from a file, and virtual time does not wait for one.
  beforeAll(async () => {
    await readXml(new TextEncoder().encode("<warm/>"), "nowhere");
  });

  it.each(all)(
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
    },
  );

  it.each(all)(
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
