import { describe } from "vitest";
import { readConfig } from "#drivers/iosxr/config.ts";
import { readFrames, readMkpdus } from "#drivers/iosxr/macsec-parsers.ts";
import { isPort } from "#drivers/iosxr/names.ts";
import { type PortPlan, planChange, planOf } from "#drivers/iosxr/plan.ts";
import { renderChange } from "#drivers/iosxr/renderer.ts";
import {
  readAccounting,
  readBoot,
  readCommits,
  readPeers,
  readRouteTo,
  readSoftware,
} from "#drivers/iosxr/system-parsers.ts";
import { slotsOf } from "#drivers/platform/cisco-chains.ts";
import { pagesOf, readSessions, sessionOf } from "#drivers/platform/cisco-mka.ts";
import { readRoutes } from "#drivers/platform/cisco-routes.ts";
import {
  bgpSession,
  peerKey,
  readClock,
  readInterfaces,
  readPing,
} from "#drivers/platform/cisco-system.ts";
import { protect } from "../change-kit.ts";
import { mutated, tryLongOnes, tryPortNames, tryReaders, tryToldNames } from "../hostile-kit.ts";
import { configOf, page, port, surroundings, texts } from "../iosxr-kit.ts";
import { cknOf, wall } from "../junos-kit.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "iosxr";

const second = page({ "CAK Name (CKN)": cknOf(2).toUpperCase() }, 0);

// No peer in here is live: whatever is read from it, nothing is secured.
const answers = [
  ...Object.values(texts),
  page({}, 0),
  `${page({ Status: "Active - Marked Peer as Live" }, 0)}\n\n${second}`,
  "MKPDU Statistics\n   MKPDUs Transmitted..... 5\n   MKPDUs Validated & Rx..... 6\n",
  "Interface Stats\n  InPktsUntagged : 1\nSC Stats\n TxSC Stats\n  OutPktsProtected : 0\n" +
    "  OutPktsEncrypted : 5\n",
  "   1) CommitId: 1000000024  Label: NONE\n   UserId: x  Line:  vty1\n   Comment:  linkseal 00\n",
  "HundredGigE0/0/0/1 is up, line protocol is up\n  BW 100000000 Kbit\n",
  "BGP neighbor is 198.51.100.2\n  BGP state = Established\n",
  "   Network    Next Hop   Path\n*> 10.0.0.0/16   198.51.100.2   0 12076 i\n" +
    "\nProcessed 1 prefixes, 1 paths\n",
  "18:00:00.250 UTC Wed Nov 25 2026",
  "Success rate is 100 percent (5/5)",
];

const bricks = [
  "\x1b[2J",
  "\0",
  "\r\n",
  "\n",
  " ",
  "!",
  "RP/0/RP0/CPU0:edge-a#",
  "% Invalid input",
  "Status : Secured",
  "MKA Detailed Status for MKA Session\n",
  "Live Peer List:\n",
  "interface HundredGigE0/0/0/1\n",
  " macsec psk-keychain A policy B\n",
  "key chain A\n",
  "-1",
  "9".repeat(60),
  "NaN",
  "\u{202e}",
  "é",
  " ".repeat(200),
  ":".repeat(50),
];

/** Every reader on every answer: a device may answer another question than it was asked. */
function readAll(text: string): { readonly understood: number; readonly secured: boolean } {
  const config = readConfig({ ...texts, interfaces: text }, true);
  const other = readConfig({ ...texts, chains: text, policies: text, bgp: text }, false);
  for (const one of [config, other]) if (one !== undefined) slotsOf(planOf(one, port(1)), wall);
  const mkpdus = readMkpdus(text);
  const peers = readPeers(text);
  const place = { port: port(1), peer: "198.51.100.2" };
  bgpSession(place, peers?.get(peerKey(undefined, "198.51.100.2")));
  const others = [
    readFrames(text, mkpdus),
    readCommits(text, text),
    readInterfaces(text, isPort),
    readRoutes(text, port(1)),
    readRouteTo(text, () => undefined),
    readPing(text),
    readSoftware(text),
    readAccounting(text),
    readBoot(text),
    readClock(text),
  ];
  const pages = readSessions(text);
  const { settings } = planOf(config ?? configOf(), port(1));
  const session = sessionOf(pagesOf(pages ?? [], port(1), [port(1)]), settings);
  const reported = [...others, config, other, mkpdus, peers, pages].filter(
    (one) => one !== undefined,
  );
  return { understood: reported.length, secured: session.controlledPort === "secured" };
}

describe("hostile answers", () => {
  tryReaders({
    ...{ vendor: "IOS XR", seed, read: readAll, oneOf: 5 },
    also: ", and never slow",
    next: (prng) => mutated(prng, prng.pick(answers), bricks),
  });

  tryLongOnes(readAll, bricks, answers);
});

describe("whatever a config accepts", () => {
  const bare: PortPlan = {
    port: "",
    admin: "up",
    policy: undefined,
    settings: undefined,
    primary: undefined,
    fallback: undefined,
    drains: [],
  };

  const shut = (name: string) => {
    const before = { ...bare, port: name };
    return renderChange(before, { ...before, admin: "down" }, configOf()).sent;
  };
  tryPortNames(shut, 1, "1,2,1");

  const renamed = (reported: string) => {
    const named = (text: string): string =>
      text.replace("policy ls-Hu0-0-0-1\n", () => `policy ${reported}\n`);
    const policies = named(texts.policies);
    const config = readConfig({ ...texts, interfaces: named(texts.interfaces), policies }, true);
    if (config === undefined) return [];
    const change = [protect(port(1), { suite: "gcm-aes-256" })];
    return planChange(change, surroundings(change, { config })).map(
      ({ before, after }) => renderChange(before, after, config).sent,
    );
  };
  tryToldNames(renamed, "macsec-policy ");
});
