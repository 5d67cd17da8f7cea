// A rig whose router speaks Junos, and the World of an agent that reaches it.

import { drivers } from "#drivers/index.ts";
import type { Capabilities, Device, Driver } from "#hal/device.ts";
import {
  type ByteChannel,
  type Dialer,
  noFrames,
  noPrograms,
  noSnmp,
  noStreams,
  type World,
} from "#hal/world.ts";
import { SimDisk } from "#sim/disk.ts";
import { JunosFace, junosModel } from "#sim/faces/junos.ts";
import type { Router } from "#sim/router.ts";
import type { RouterModel } from "#sim/site-plan.ts";
import { buildRig, type Rig, type Way } from "./rig.ts";

export interface JunosModel {
  readonly model: string;
  readonly version: string;
  readonly overlap: "keychain" | "none";
}

export const platforms = {
  "ptx10008 23.4R2": { model: "ptx10008", version: "23.4R2-S1.5-EVO", overlap: "keychain" },
  "mx480 22.2R3": { model: "mx480", version: "22.2R3.15", overlap: "none" },
} as const satisfies Record<string, JunosModel>;

export function junosDriver(): Driver {
  const { junos } = drivers;
  if (junos === undefined) throw new RangeError("no driver junos");
  return junos;
}

function offersOf({ overlap }: JunosModel): Capabilities {
  const { macsec, ...others } = junosDriver().offers;
  if (macsec === undefined) throw new RangeError("no MACsec");
  return { ...others, macsec: { ...macsec, overlap } };
}

/** A fleet's routers of that platform. */
export function spokenBy(platform: JunosModel) {
  const { capabilities } = junosModel;
  const { macsec } = capabilities;
  if (macsec === undefined) throw new RangeError("no MACsec");
  const overlap = { ...macsec, overlap: platform.overlap };
  const model: RouterModel = { ...junosModel, capabilities: { ...capabilities, macsec: overlap } };
  const faceOf = (router: Router): JunosFace => new JunosFace(router, platform);
  return { driver: junosDriver(), model, faceOf };
}

export interface Place {
  readonly rig: Rig;
  readonly face: JunosFace;
}

export function placeOf(platform: JunosModel): Place {
  const rig = buildRig(offersOf(platform));
  return { rig, face: new JunosFace(rig.router, platform) };
}

/** What an agent has there. */
export function worldOf({ rig }: Pick<Place, "rig">, channel: Dialer["channel"]): World {
  const refused = async (): Promise<never> => {
    throw new Error("not of this world");
  };
  return {
    clock: rig.clock,
    entropy: rig.prng.fork("agent"),
    disk: new SimDisk({ clock: rig.clock, prng: rig.prng.fork("disk"), writeMs: 1 }),
    dial: {
      ...{ http: refused, routeTo: refused, resolve: refused, exec: noPrograms, channel },
      ...{ framed: noFrames, stream: noStreams, snmp: noSnmp },
    },
    log: { write: (_level, _code, text) => void rig.said.push(text) },
  };
}

/** Every channel of the driver is listened to, and what passes it counted. */
export function wayOf(
  place: Place,
  platform: JunosModel,
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
    read: async (signal) => {
      const octets = await inner.read(signal);
      place.rig.said.push(new TextDecoder().decode(octets));
      return octets;
    },
  });
  const world = worldOf(place, async (to, kind, signal) => {
    signal.throwIfAborted();
    exchanges += 1;
    return heard(await channel(to, kind, signal));
  });
  const never = new AbortController().signal;
  const open = (): Promise<Device> => junosDriver().open(target, world, () => undefined, never);
  return { open, offers: offersOf(platform), exchanges: () => exchanges };
}
