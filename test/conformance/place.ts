// Rigs whose routers speak a vendor's dialect, and the World of an agent that reaches one.

import { type PlatformName, platforms as registry } from "#drivers/index.ts";
import type { Capabilities, CommitMode, Device, Driver, MacsecCapabilities } from "#hal/device.ts";
import type { Command } from "#hal/secret.ts";
import {
  type ByteChannel,
  type Dialer,
  noFrames,
  noPrograms,
  noSnmp,
  noStreams,
  type World,
} from "#hal/world.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { drawLayout } from "#sim/emulators/cisco-layout.ts";
import { EosEmulator, eosModel, eosTunnelModel } from "#sim/emulators/eos.ts";
import { IosxeEmulator, iosxeModel } from "#sim/emulators/iosxe.ts";
import { IosxrEmulator, iosxrModel } from "#sim/emulators/iosxr.ts";
import { JunosEmulator, junosModel, srxModel } from "#sim/emulators/junos.ts";
import type { EmulatorSession, Wire } from "#sim/emulators/netconf.ts";
import { NxosEmulator, nxosModel } from "#sim/emulators/nxos.ts";
import type { Wiring } from "#sim/emulators/wiring.ts";
import type { Router } from "#sim/router/router.ts";
import type { RouterModel } from "#sim/site/site-plan.ts";
import { buildRig, type Rig, type Way } from "./rig.ts";

interface Emulator {
  connect(wire: Wire): EmulatorSession | undefined;
}

type Vendor = Exclude<PlatformName, "linux" | "sim">;

/** A platform of a vendor: what it can do, and the router that speaks as it does. */
export interface Platform<F extends Emulator = Emulator> {
  readonly vendor: Vendor;
  /** What the router calls its model and release. */
  readonly named: { readonly model: string; readonly release: string };
  readonly ports: readonly [string, string];
  readonly model: RouterModel;
  readonly emulatorOf: (router: Router) => F;
  /** Less than the driver offers at most. */
  readonly less: Less;
  /** Of a tunnel, where the platform does not take the policy `strong`. */
  readonly policy?: Parameters<typeof buildRig>[2];
  /** A line in which a terminal gives back a key; absent = nothing is given back. */
  readonly echo?: RegExp;
}

/**
 * Where the peerings of a router are; absent = on its ports, in the default instance.
 * `secondEngine`: the state of a second routing engine; absent = there is none.
 */
type Placed = { readonly wiring?: Wiring; readonly secondEngine?: "OK" | "Present" };

interface Less extends Partial<MacsecCapabilities> {
  readonly commit?: CommitMode;
  readonly ipsec?: "none";
  readonly macsec?: "none";
}

function eos(
  model: string,
  version: string,
  timer: "inRow" | "beside",
  less: Less,
  { wiring = {} }: Placed = {},
): Platform<EosEmulator> {
  return {
    vendor: "eos",
    named: { model, release: version },
    ports: ["Ethernet1/1", "Ethernet2/1"],
    model: less.ipsec === undefined ? eosTunnelModel : eosModel,
    emulatorOf: (router) => new EosEmulator(router, { model, version, timer, wiring }),
    less,
    policy: {
      ike: { encryption: "aes-256-cbc", integrity: "sha384", prf: "sha384", dhGroup: "ecp-384" },
    },
    echo: /\bkey [0-9a-f]{2,64} 0 [0-9a-f]|shared-key /i,
  };
}

const inVrf: Placed = { wiring: { vrf: "azure" } };
const inAggregates: Placed = { wiring: { vrf: "azure", aggregates: "oneMember" } };

const oldXe: Less = { overlap: "none", always: ["replayWindow", "includeSci"] };
const switchXe: Less = { ...oldXe, ipsec: "none" };

function iosxe(
  platform: string,
  version: string,
  less: Less,
  { wiring = {} }: Placed = {},
): Platform<IosxeEmulator> {
  const hasArchive = less.commit === undefined;
  const isRecent = less.overlap === undefined;
  return {
    vendor: "iosxe",
    named: { model: platform, release: version },
    ports: ["TenGigabitEthernet0/0/0", "TenGigabitEthernet0/0/1"],
    model: iosxeModel,
    emulatorOf: (router) => {
      const layout = drawLayout(router.options.prng.fork(`layout of ${platform}`));
      return new IosxeEmulator(router, { platform, version, hasArchive, isRecent, wiring, layout });
    },
    less,
    echo: /key-string |pre-shared-key /,
  };
}

function iosxr(
  platform: string,
  version: string,
  less: Less,
  { wiring = {} }: Placed = {},
): Platform<IosxrEmulator> {
  return {
    vendor: "iosxr",
    named: { model: platform, release: version },
    ports: ["HundredGigE0/0/0/0", "HundredGigE0/0/0/1"],
    model: iosxrModel,
    emulatorOf: (router) => {
      const layout = drawLayout(router.options.prng.fork(`layout of ${platform}`));
      return new IosxrEmulator(router, { platform, version, wiring, layout });
    },
    less,
    echo: /(^|#)key-string /,
  };
}

function nxos(
  platform: string,
  version: string,
  less: Less,
  { wiring = {} }: Placed = {},
): Platform<NxosEmulator> {
  return {
    vendor: "nxos",
    named: { model: platform, release: version },
    ports: ["Ethernet1/1", "Ethernet1/2"],
    model: nxosModel,
    emulatorOf: (router) => new NxosEmulator(router, { platform, version, wiring }),
    less,
    echo: /key-octet-string /,
  };
}

function junos(
  model: string,
  version: string,
  less: Less,
  { wiring = {}, ...engines }: Placed = {},
): Platform<JunosEmulator> {
  return {
    vendor: "junos",
    named: { model, release: version },
    ports: ["et-0/0/0", "et-0/0/1"],
    model: less.ipsec === undefined ? srxModel : junosModel,
    emulatorOf: (router) => new JunosEmulator(router, { model, version, wiring, ...engines }),
    less,
  };
}

export const platforms = {
  "7280CR3MK 4.30.5M": eos("DCS-7280CR3MK-32P4-F", "4.30.5M", "inRow", { ipsec: "none" }),
  "7280R3 4.34.1F": eos("DCS-7280CR3K-32P4-F", "4.34.1F", "beside", { ipsec: "none" }),
  "AWE-5510 4.32.2F": eos("AWE-5510-16S-F", "4.32.2F", "inRow", { macsec: "none" }),
  "C8500-12X4QC 17.15.1": iosxe("C8500-12X4QC", "17.15.01a", {}),
  "C9500-48Y4C 17.9.4": iosxe("C9500-48Y4C", "17.09.04a", switchXe),
  "C9500-24Y4C 17.9.4": iosxe("C9500-24Y4C", "17.09.04a", {
    ...switchXe,
    commit: { kind: "immediate" },
  }),
  "ASR1001-HX 17.3.4": iosxe("ASR1001-HX", "17.03.04a", {
    ...oldXe,
    suites: ["gcm-aes-128", "gcm-aes-256"],
  }),
  "8201-32FH 7.11.2": iosxr("8201-32FH", "7.11.2", {}),
  "ASR9K 6.6.2": iosxr("ASR9K", "6.6.2", { overlap: "none" }),
  "C9336C-FX2 9.3.6": nxos("C9336C-FX2", "9.3(6)", {}),
  "C9508 10.4.2": nxos("C9508", "10.4(2)", {}),
  "ptx10008 23.4R2": junos("ptx10008", "23.4R2-S1.5-EVO", { ipsec: "none" }),
  "mx480 22.2R3": junos(
    ...([
      "mx480",
      "22.2R3.15",
      { overlap: "none", ipsec: "none" },
      { secondEngine: "OK" },
    ] as const),
  ),
  "srx4600 23.4R2": junos("srx4600", "23.4R2.13", { overlap: "none" }),
} as const;

/** Routers whose peerings are in a VRF, or on aggregates there. */
export const placedPlatforms = {
  "7280R3 4.34.1F in a VRF": eos(
    ...(["DCS-7280CR3K-32P4-F", "4.34.1F", "beside", { ipsec: "none" }, inVrf] as const),
  ),
  "7280CR3MK 4.30.5M in aggregates of a VRF": eos(
    ...(["DCS-7280CR3MK-32P4-F", "4.30.5M", "inRow", { ipsec: "none" }, inAggregates] as const),
  ),
  "C8500-12X4QC 17.15.1 in a VRF": iosxe("C8500-12X4QC", "17.15.01a", {}, inVrf),
  "C8500-12X4QC 17.15.1 in aggregates of a VRF": iosxe(
    "C8500-12X4QC",
    "17.15.01a",
    {},
    inAggregates,
  ),
  "8201-32FH 7.11.2 in a VRF": iosxr("8201-32FH", "7.11.2", {}, inVrf),
  "ASR9K 6.6.2 in aggregates of a VRF": iosxr("ASR9K", "6.6.2", { overlap: "none" }, inAggregates),
  "C9336C-FX2 9.3.6 in a VRF": nxos("C9336C-FX2", "9.3(6)", {}, inVrf),
  "C9508 10.4.2 in aggregates of a VRF": nxos("C9508", "10.4(2)", {}, inAggregates),
  "ptx10008 23.4R2 in a VRF": junos("ptx10008", "23.4R2-S1.5-EVO", { ipsec: "none" }, inVrf),
  "srx4600 23.4R2 in aggregates of a VRF": junos(
    "srx4600",
    "23.4R2.13",
    { overlap: "none" },
    inAggregates,
  ),
} as const;

/** All of them. */
export const allPlatforms: readonly (readonly [string, Platform])[] = [
  ...Object.entries(platforms),
  ...Object.entries(placedPlatforms),
];

/** Those of a vendor that protect links. */
export function platformsOf(vendor: Vendor): readonly [string, Platform][] {
  return Object.entries<Platform>(platforms).filter(
    ([, { vendor: own, less }]) => own === vendor && less.macsec !== "none",
  );
}

export function driverOf(vendor: Vendor): Driver {
  return registry[vendor].driver;
}

function lesser(
  { macsec, ipsec, ...others }: Capabilities,
  { commit, ipsec: none, macsec: noMacsec, ...less }: Less,
): Capabilities {
  if (macsec === undefined) throw new RangeError("no MACsec");
  return {
    ...others,
    commit: commit ?? others.commit,
    ...(noMacsec === undefined ? { macsec: { ...macsec, ...less } } : {}),
    ...(none === undefined && ipsec !== undefined ? { ipsec } : {}),
  };
}

/** A fleet's routers of that platform. */
export function spokenBy({ vendor, model, less, emulatorOf, echo }: Platform) {
  const capabilities = lesser(model.capabilities, less);
  const spoken = { driver: driverOf(vendor), model: { ...model, capabilities }, emulatorOf };
  return echo === undefined ? spoken : { ...spoken, echo };
}

export interface Place<F extends Emulator = Emulator> {
  readonly rig: Rig;
  readonly emulator: F;
  readonly platform: Platform<F>;
}

/** `seed` decides, among others, in which of its forms the router prints. */
export function placeOf<F extends Emulator>(platform: Platform<F>, seed?: string): Place<F> {
  // A router has its ports whether the driver offers MACsec on them or not.
  const { macsec: _offered, ...less } = platform.less;
  const offers = lesser(driverOf(platform.vendor).offers, less);
  const rig = buildRig(offers, platform.ports, platform.policy, seed);
  return { rig, emulator: platform.emulatorOf(rig.router), platform };
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
    log: { write: (_level, _code, text) => void rig.output.push(text) },
  };
}

/**
 * Writes down what a router says, line by line or reply by reply, without those in which a key is
 * given back.
 */
function listener(output: string[], echo: RegExp | undefined): (octets: Uint8Array) => void {
  let rest = "";
  return (octets) => {
    const lines = `${rest}${new TextDecoder().decode(octets)}`.split(/\r?\n|\]\]>\]\]>/);
    rest = lines.pop() ?? "";
    output.push(...lines.filter((line) => echo?.test(line) !== true));
  };
}

/**
 * Every channel of the driver is listened to, and what passes it counted. `sent` is called with all
 * that the driver sends.
 */
export function wayOf(
  { rig, platform }: Pick<Place, "rig" | "platform">,
  target: Parameters<Driver["open"]>[0],
  channel: Dialer["channel"],
  sent: (text: Command) => void = () => undefined,
): Way {
  let exchanges = 0;
  const driver = driverOf(platform.vendor);
  const heard = (inner: ByteChannel): ByteChannel => {
    const hear = listener(rig.output, platform.echo);
    return {
      ...inner,
      write: async (text, signal) => {
        exchanges += 1;
        sent(text);
        await inner.write(text, signal);
      },
      read: async (signal) => {
        const octets = await inner.read(signal);
        if (octets !== undefined) hear(octets);
        return octets;
      },
    };
  };
  const world = worldOf({ rig }, async (to, kind, signal) => {
    signal.throwIfAborted();
    exchanges += 1;
    return heard(await channel(to, kind, signal));
  });
  const never = new AbortController().signal;
  const open = (): Promise<Device> => driver.open(target, world, () => undefined, never);
  return { open, offers: lesser(driver.offers, platform.less), exchanges: () => exchanges };
}
