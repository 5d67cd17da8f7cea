import { describe } from "vitest";
import { readFrames, readMkpdus } from "#drivers/iosxe/macsec-parsers.ts";
import { isPort } from "#drivers/iosxe/names.ts";
import { planOf } from "#drivers/iosxe/plan.ts";
import { readAccounting, readLock, readPeers, readRouteTo } from "#drivers/iosxe/system-parsers.ts";
import { terminal } from "#drivers/iosxe/terminal.ts";
import {
  type Flow,
  type IkeSa,
  readIkeSas,
  readIpsecSas,
  readTunnelRoutes,
} from "#drivers/iosxe/tunnel-parsers.ts";
import { readSessions } from "#drivers/platform/cisco-mka.ts";
import { readRoutes } from "#drivers/platform/cisco-routes.ts";
import { readInterfaces, readPing } from "#drivers/platform/cisco-system.ts";
import type { MkpduCounters, Route } from "#hal/model.ts";
import {
  healthierFrames,
  healthierMkpdus,
  healthierPeers,
  healthierPorts,
  healthierRoutes,
  healthierSessions,
  otherWays,
  quiet,
} from "../cisco-dirt.ts";
import { type DirtyReader, tryDirtyAnswers } from "../dirty-answers.ts";
import { configOf, port } from "./iosxe-kit.ts";
import {
  foreignRows,
  frameLayouts,
  ikeLayouts,
  interfaceLayouts,
  ipsecLayouts,
  lockLayouts,
  logRows,
  mkaLayouts,
  mkpduLayouts,
  peerLayouts,
  routeLayouts,
  staticLayouts,
  wayLayouts,
} from "./iosxe-layouts.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "iosxe";
const { settings } = planOf(configOf(), port(1));
const ports = [port(0), port(1), port(2)];

function attempt<T>(reader: Omit<DirtyReader<T>, "foreign" | "noise">): void {
  const read = (answer: string) => reader.read(quiet(answer, terminal.noise));
  tryDirtyAnswers("IOS XE", seed, { ...reader, read, foreign: foreignRows, noise: logRows });
}

const names = new Map([
  ["Tunnel3", "hub-1"],
  ["Tunnel7", "BRANCH"],
]);

const readyOf = (sas: readonly IkeSa[]): number => sas.filter(({ isReady }) => isReady).length;

function healthierFlows(
  dirty: ReadonlyMap<string, Flow>,
  whole: ReadonlyMap<string, Flow>,
): string | undefined {
  for (const [name, { sas }] of dirty) {
    if (!whole.has(name)) continue;
    for (const direction of ["in", "out"] as const) {
      const [now, before] = [sas, whole.get(name)?.sas].map(
        (all) =>
          all?.filter((one) => one.phase === "installed" && one.direction === direction).length ??
          0,
      );
      if ((now ?? 0) > (before ?? 0)) return `${name} has ${now} SAs ${direction}`;
      if ((now ?? 0) > 1) return `${name} has two SAs that are installed`;
    }
  }
  return undefined;
}

const fewerInto = (dirty: readonly Route[], whole: readonly Route[]): string | undefined =>
  dirty.length > whole.length ? "more routes lead into tunnels" : undefined;

/** Frames are read beside MKPDUs, of which there are more than untagged frames. */
const mkpdus: MkpduCounters = {
  ...{ sent: 1_000n, received: 1_000n },
  ...{ icvFailed: undefined, unknownCkn: undefined, replayed: undefined },
};

describe("dirty answers of IOS XE", () => {
  attempt({
    ...{ about: "MKA sessions", layouts: mkaLayouts, read: readSessions },
    healthier: healthierSessions(ports, settings),
  });

  attempt({
    ...{ about: "routes", layouts: routeLayouts, healthier: healthierRoutes },
    read: (answer) => readRoutes(answer, port(1)),
  });

  attempt({
    ...{ about: "interfaces", layouts: interfaceLayouts, healthier: healthierPorts },
    read: (answer) => readInterfaces(answer, isPort),
  });

  attempt({
    ...{ about: "neighbours", layouts: peerLayouts, read: readPeers },
    healthier: healthierPeers,
    harmless: ["rowsSwapped"],
  });

  attempt({
    ...{ about: "frames", layouts: frameLayouts, healthier: healthierFrames },
    read: (answer) => readFrames(answer, undefined, mkpdus),
    harmless: ["rowShifted", "foreignRow"],
  });

  attempt({
    ...{ about: "MKPDUs", layouts: mkpduLayouts, read: readMkpdus, healthier: healthierMkpdus },
    harmless: ["foreignRow"],
  });

  attempt({
    ...{ about: "IKE SAs", layouts: ikeLayouts, read: readIkeSas },
    healthier: (dirty, whole) =>
      readyOf(dirty) > readyOf(whole) ? "more of them are ready" : undefined,
    // A row that is repeated is a second SA between the same ends.
    exempt: ["rowTwice", "blockTwice"],
    harmless: ["rowShifted"],
  });

  attempt({
    ...{ about: "IPsec SAs", layouts: ipsecLayouts, read: readIpsecSas },
    healthier: healthierFlows,
    harmless: ["rowShifted", "foreignRow"],
  });

  attempt({
    ...{ about: "static routes", layouts: staticLayouts, healthier: fewerInto },
    read: (answer) => readTunnelRoutes(answer, names),
    exempt: ["rowTwice", "blockTwice"],
  });

  attempt({
    ...{ about: "the way to an address", layouts: wayLayouts, harmless: ["rowsSwapped"] },
    ...{ read: readRouteTo, healthier: otherWays },
    // An interface without the end of its number is another one.
    exempt: ["rowCut"],
  });
});

describe("dirty answers of IOS XE before a change", () => {
  attempt({
    ...{ about: "the lock", layouts: lockLayouts, read: readLock },
    healthier: (dirty, whole) => (whole && !dirty ? "it is free" : undefined),
    harmless: ["rowShifted", "blockTwice", "rowTwice", "rowsSwapped", "foreignRow"],
  });

  attempt({
    ...{ about: "accounting", read: readAccounting },
    layouts: ["aaa accounting commands 15 default start-stop group tacacs+\n  logging enable\nend"],
    healthier: (dirty, whole) => (whole && !dirty ? "no command is recorded" : undefined),
    exempt: ["rowLost", "cutBefore", "rowCut"],
    harmless: ["rowTwice", "rowsJoined"],
  });

  attempt({
    ...{ about: "a ping", read: readPing },
    layouts: [
      "Type escape sequence to abort.\nSending 5, 100-byte ICMP Echos to 198.51.100.2:\n!!.!!\n" +
        "Success rate is 80 percent (4/5), round-trip min/avg/max = 1/1/1 ms\n",
    ],
    healthier: (dirty, whole) =>
      dirty.answered > whole.answered ? `${dirty.answered} were answered` : undefined,
    harmless: ["blockTwice", "rowTwice", "rowsSwapped", "foreignRow"],
  });
});
