// A rig whose router speaks IOS XR, and the World of an agent that reaches it.

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
import { IosxrFace, iosxrModel } from "#sim/faces/iosxr.ts";
import type { Router } from "#sim/router.ts";
import type { RouterModel } from "#sim/site-plan.ts";
import { buildRig, type Rig, type Way } from "./rig.ts";

interface IosxrModel {
  readonly platform: string;
  readonly version: string;
  readonly overlap: "fallback" | "none";
}

export const platforms = {
  "8201-32FH 7.11.2": { platform: "8201-32FH", version: "7.11.2", overlap: "fallback" },
  "ASR9K 6.6.2": { platform: "ASR9K", version: "6.6.2", overlap: "none" },
} as const satisfies Record<string, IosxrModel>;

const ports = ["HundredGigE0/0/0/0", "HundredGigE0/0/0/1"] as const;

export function iosxrDriver(): Driver {
  const { iosxr } = drivers;
  if (iosxr === undefined) throw new RangeError("no driver iosxr");
  return iosxr;
}

function offersOf({ overlap }: IosxrModel): Capabilities {
  const { macsec, ...others } = iosxrDriver().offers;
  if (macsec === undefined) throw new RangeError("no MACsec");
  return { ...others, macsec: { ...macsec, overlap } };
}

/** A fleet's routers of that platform. */
export function spokenBy(platform: IosxrModel) {
  const { capabilities } = iosxrModel;
  const { macsec } = capabilities;
  if (macsec === undefined) throw new RangeError("no MACsec");
  const overlap = { ...macsec, overlap: platform.overlap };
  const model: RouterModel = { ...iosxrModel, capabilities: { ...capabilities, macsec: overlap } };
  const faceOf = (router: Router): IosxrFace => new IosxrFace(router, platform);
  return { driver: iosxrDriver(), model, faceOf, echo: /(^|#)key-string / };
}

export interface Place {
  readonly rig: Rig;
  readonly face: IosxrFace;
}

export function placeOf(platform: IosxrModel): Place {
  const rig = buildRig(offersOf(platform), ports);
  return { rig, face: new IosxrFace(rig.router, platform) };
}

/** What an agent has there. */
export function worldOf({ rig }: Place, channel: Dialer["channel"]): World {
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

/** What a router says, without the lines in which a terminal gives back what was typed. */
function unechoed(text: string): readonly string[] {
  return text.split("\r\n").filter((line) => !line.startsWith("key-string "));
}

/** Every channel of the driver is listened to, and what passes it counted. */
export function wayOf(
  place: Place,
  platform: IosxrModel,
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
      place.rig.said.push(...unechoed(new TextDecoder().decode(octets)));
      return octets;
    },
  });
  const world = worldOf(place, async (to, kind, signal) => {
    signal.throwIfAborted();
    exchanges += 1;
    return heard(await channel(to, kind, signal));
  });
  const never = new AbortController().signal;
  const open = (): Promise<Device> => iosxrDriver().open(target, world, () => undefined, never);
  return { open, offers: offersOf(platform), exchanges: () => exchanges };
}
