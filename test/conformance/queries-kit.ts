// A simulated router of a vendor with secured ports, neighbours and, where it ends tunnels, a
// tunnel; and what its driver's reader makes of it.

import { type Exchange, type QueryReader, readers } from "#drivers/index.ts";
import type { Device } from "#hal/device.ts";
import type { ByteChannel } from "#hal/world.ts";
import { commit, secure } from "#sim/conformance/kit.ts";
import { channelTo } from "#sim/lab/emulator-channel.ts";
import { type Place, type Platform, placeOf, wayOf, worldOf } from "./place.ts";
import { benchOf, drive } from "./rig.ts";

export interface Furnished {
  readonly place: Place;
  readonly device: Device;
  readonly reader: QueryReader;
}

/** Builds the router, and configures it by the driver. */
export async function furnished(platform: Platform): Promise<Furnished> {
  const place = placeOf(platform);
  const { rig, emulator } = place;
  const target = { device: rig.router.name, address: "192.0.2.1" };
  const way = wayOf(place, target, async (to) =>
    channelTo(to.device, (wire) => emulator.connect(wire)),
  );
  const set = async (): Promise<Device> => {
    const bench = await benchOf(rig, way);
    const { macsec, ipsec } = bench.device.capabilities;
    for (const port of macsec === undefined ? [] : bench.ports) await secure(bench, port);
    if (ipsec !== undefined) await commit(bench, { kind: "ipsec.putTunnel", tunnel: bench.tunnel });
    return bench.device;
  };
  const device = await drive(rig.clock, set());
  await rig.clock.runFor(60_000);
  return { place, device, reader: readers[platform.vendor] };
}

/** Sends every query of the reader to the router; `sent` gets the octets that are written. */
export async function asked(
  { place, reader }: Furnished,
  sent: string[] = [],
): Promise<readonly Exchange[]> {
  const { rig, emulator, platform } = place;
  const heard = (inner: ByteChannel): ByteChannel => ({
    ...inner,
    write: async (text, signal) => {
      sent.push(text.filter((part) => typeof part === "string").join(""));
      await inner.write(text, signal);
    },
  });
  const world = worldOf(place, async (to) =>
    heard(channelTo(to.device, (wire) => emulator.connect(wire))),
  );
  const target = { device: rig.router.name, address: "192.0.2.1" };
  const never = new AbortController().signal;
  if (reader.ask === undefined) throw new Error("the reader asks no device");
  return await drive(rig.clock, reader.ask(target, world, platform.ports, never));
}
