// Every emulated platform, one row each: `sim router` serves it, and `driver edits` talks to it.

import type { Router } from "../router/router.ts";
import type { RouterModel } from "../site/site-plan.ts";
import { EosEmulator, eosModel } from "./eos.ts";
import { IosxeEmulator, iosxeModel } from "./iosxe.ts";
import { IosxrEmulator, iosxrModel } from "./iosxr.ts";
import { JunosEmulator, junosModel, srxModel } from "./junos.ts";
import type { EmulatorSession, Wire } from "./netconf.ts";
import { NxosEmulator, nxosModel } from "./nxos.ts";
import type { SnmpObject } from "./snmp.ts";
import type { Wiring } from "./wiring.ts";

/** A router as a device of its vendor. */
interface DeviceEmulator {
  /** Opens a session; undefined if the router does not answer. */
  connect(wire: Wire): EmulatorSession | undefined;
  /** Runs one command without a terminal; absent = the platform does not accept one. */
  execute?(wire: Wire, command: string): EmulatorSession | undefined;
  /** Returns the objects of its SNMP agent; undefined if the router does not answer. */
  objects(): readonly SnmpObject[] | undefined;
}

/** Which router of a platform to emulate, and where its peerings are. */
interface EmulatedAs {
  readonly model: string;
  readonly release: string;
  readonly wiring: Wiring;
  /** Whether a router with two routing engines is emulated, where the platform has any. */
  readonly engines: "one" | "two";
}

/** Makes an emulator; `as` absent = a usual router of the platform. */
type Make = (router: Router, as?: EmulatedAs) => DeviceEmulator;

/** Makes a row: the platform's name in a config, what the router behind it can do, its emulator. */
const row = <const D extends string>(driver: D, model: RouterModel, emulator: Make) => {
  return { driver, model, emulator };
};

const junos: Make = (router, as) => {
  if (as === undefined) return new JunosEmulator(router);
  const about = { model: as.model, version: as.release, wiring: as.wiring };
  return new JunosEmulator(router, as.engines === "one" ? about : { ...about, secondEngine: "OK" });
};

/** The emulated platforms, by their names in `sim router`. */
export const routerPlatforms = {
  eos: row("eos", eosModel, (router, as) => {
    if (as === undefined) return new EosEmulator(router);
    const about = { model: as.model, version: as.release, wiring: as.wiring };
    return new EosEmulator(router, { ...about, timer: "beside" });
  }),
  iosxe: row("iosxe", iosxeModel, (router, as) => {
    if (as === undefined) return new IosxeEmulator(router);
    const isRecent = router.options.capabilities.macsec?.overlap !== "none";
    const about = { platform: as.model, version: as.release, wiring: as.wiring };
    return new IosxeEmulator(router, { ...about, hasArchive: true, isRecent });
  }),
  iosxr: row("iosxr", iosxrModel, (router, as) => {
    if (as === undefined) return new IosxrEmulator(router);
    const about = { platform: as.model, version: as.release, wiring: as.wiring };
    return new IosxrEmulator(router, about);
  }),
  nxos: row("nxos", nxosModel, (router, as) => {
    if (as === undefined) return new NxosEmulator(router);
    return new NxosEmulator(router, {
      platform: as.model,
      version: as.release,
      wiring: as.wiring,
    });
  }),
  junos: row("junos", junosModel, junos),
  "junos-srx": row("junos", srxModel, (router, as) =>
    junos(router, as ?? { model: "srx4600", release: "23.4R2.13", wiring: {}, engines: "one" }),
  ),
};
