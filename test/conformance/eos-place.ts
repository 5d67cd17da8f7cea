// A rig whose router speaks EOS, and the way of an agent to it.

import { drivers } from "#drivers/index.ts";
import type { Device, Driver } from "#hal/device.ts";
import type { ByteChannel, Dialer } from "#hal/world.ts";
import { EosFace } from "#sim/faces/eos.ts";
import type { EosModel } from "#sim/faces/eos-answers.ts";
import { worldOf } from "./junos-place.ts";
import { buildRig, type Rig, type Way } from "./rig.ts";

export const platforms = {
  "7280CR3MK 4.30.5M": { model: "DCS-7280CR3MK-32P4-F", version: "4.30.5M", timer: "inRow" },
  "7280R3 4.34.1F": { model: "DCS-7280CR3K-32P4-F", version: "4.34.1F", timer: "beside" },
} as const satisfies Record<string, EosModel>;

export const ports = ["Ethernet1/1", "Ethernet2/1"] as const;

export function eosDriver(): Driver {
  const { eos } = drivers;
  if (eos === undefined) throw new RangeError("no driver eos");
  return eos;
}

export interface Place {
  readonly rig: Rig;
  readonly face: EosFace;
}

export function placeOf(platform: EosModel): Place {
  const rig = buildRig(eosDriver().offers, ports);
  return { rig, face: new EosFace(rig.router, platform) };
}

/** Every channel of the driver is listened to, and what passes it counted. */
export function wayOf(
  place: Place,
  target: Parameters<Driver["open"]>[0],
  channel: Dialer["channel"],
): Way {
  let exchanges = 0;
  const heard = (inner: ByteChannel): ByteChannel => ({
    ...inner,
    write: async (text, signal) => {
      exchanges += 1;
      await inner.write(text, signal);
    },
  });
  const world = worldOf(place, async (to, kind, signal) => {
    signal.throwIfAborted();
    exchanges += 1;
    return heard(await channel(to, kind, signal));
  });
  const never = new AbortController().signal;
  const open = (): Promise<Device> => eosDriver().open(target, world, () => undefined, never);
  return { open, offers: eosDriver().offers, exchanges: () => exchanges };
}
