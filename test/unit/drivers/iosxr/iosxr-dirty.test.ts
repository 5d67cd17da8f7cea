import { describe } from "vitest";
import { readFrames, readMkpdus } from "#drivers/iosxr/macsec-parsers.ts";
import { isPort } from "#drivers/iosxr/names.ts";
import { planOf } from "#drivers/iosxr/plan.ts";
import {
  readAccounting,
  readCommits,
  readPeers,
  readRouteTo,
} from "#drivers/iosxr/system-parsers.ts";
import { terminal } from "#drivers/iosxr/terminal.ts";
import { readSessions } from "#drivers/platform/cisco-mka.ts";
import { readRoutes } from "#drivers/platform/cisco-routes.ts";
import { readInterfaces } from "#drivers/platform/cisco-system.ts";
import type { MkpduCounters } from "#hal/model.ts";
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
import { configOf, port } from "../iosxr-kit.ts";
import {
  commitLayouts,
  editorLayouts,
  foreignRows,
  frameLayouts,
  interfaceLayouts,
  logRows,
  mkaLayouts,
  mkpduLayouts,
  peerLayouts,
  routeLayouts,
  wayLayouts,
} from "./iosxr-layouts.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "iosxr";
const { settings } = planOf(configOf(), port(1));
const ports = [port(0), port(1), port(2)];

function attempt<T>(reader: Omit<DirtyReader<T>, "foreign" | "noise">): void {
  const read = (answer: string) => reader.read(quiet(answer, terminal.noise));
  tryDirtyAnswers("IOS XR", seed, { ...reader, read, foreign: foreignRows, noise: logRows });
}

/** Frames are read beside MKPDUs, of which there are more than untagged frames. */
const mkpdus: MkpduCounters = {
  ...{ sent: 1_000n, received: 1_000n },
  ...{ icvFailed: undefined, unknownCkn: undefined, replayed: undefined },
};

const isPending = (commits: ReturnType<typeof readCommits>): boolean =>
  commits?.[0]?.isPending === true;

const [editors = ""] = editorLayouts;
const [commits = ""] = commitLayouts;

describe("dirty answers of IOS XR", () => {
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
    read: (answer) => readFrames(answer, mkpdus),
    harmless: ["rowShifted", "foreignRow"],
  });

  attempt({
    ...{ about: "MKPDUs", layouts: mkpduLayouts, read: readMkpdus, healthier: healthierMkpdus },
    harmless: ["foreignRow", "rowsSwapped", "rowShifted"],
  });

  attempt({
    ...{ about: "the way to an address", layouts: wayLayouts, harmless: ["rowsSwapped"] },
    read: (answer) => readRouteTo(answer, () => undefined),
    healthier: otherWays,
    // An interface without the end of its number is another one.
    exempt: ["rowCut"],
  });

  attempt({
    ...{ about: "commits", layouts: commitLayouts },
    read: (answer) => readCommits(answer, editors),
    healthier: (dirty, whole) =>
      isPending(whole) && !isPending(dirty) ? "no commit waits" : undefined,
    harmless: ["rowShifted", "foreignRow", "rowsSwapped"],
  });

  attempt({
    ...{ about: "sessions that edit", layouts: editorLayouts },
    read: (answer) => readCommits(commits, answer),
    healthier: (dirty, whole) =>
      isPending(whole) && !isPending(dirty) ? "no commit waits" : undefined,
    // A list without its last session is whole, and so is an empty one.
    exempt: ["cutAfter", "cutBefore"],
    harmless: ["rowShifted"],
  });

  attempt({
    ...{ about: "accounting", read: readAccounting },
    layouts: [
      "aaa accounting exec default none\naaa accounting commands default start-stop group T\n!",
    ],
    healthier: (dirty, whole) => (whole && !dirty ? "no command is sent" : undefined),
    // A line is whole without any other.
    exempt: ["rowLost", "rowCut", "cutAfter", "cutBefore"],
    harmless: ["rowTwice", "rowsSwapped", "blockTwice", "rowShifted"],
  });
});
