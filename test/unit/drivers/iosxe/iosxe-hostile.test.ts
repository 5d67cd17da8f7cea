import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readConfig, readRouteMap } from "#drivers/iosxe/config.ts";
import { iosxe } from "#drivers/iosxe/iosxe.ts";
import { readFrames, readMkpdus, readNextPn } from "#drivers/iosxe/macsec-parsers.ts";
import { isPort } from "#drivers/iosxe/names.ts";
import { type PortPlan, planChange, planOf } from "#drivers/iosxe/plan.ts";
import { renderChange } from "#drivers/iosxe/renderer.ts";
import {
  commitsOf,
  readAccounting,
  readArchive,
  readLock,
  readMark,
  readPeers,
  readRouteTo,
  readSoftware,
  readTimer,
} from "#drivers/iosxe/system-parsers.ts";
import { limits, readTunnels } from "#drivers/iosxe/tunnel-config.ts";
import {
  readIkeSas,
  readIpsecSas,
  readTunnelRoutes,
  tunnelStates,
} from "#drivers/iosxe/tunnel-parsers.ts";
import { tunnelCommands } from "#drivers/iosxe/tunnel-renderer.ts";
import { bootOf } from "#drivers/platform/cisco-boot.ts";
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
import { planTunnels } from "#drivers/platform/tunnel-change.ts";
import { fillCommand } from "#drivers/transport/fill.ts";
import { preview } from "#hal/secret.ts";
import type { Instant } from "#hal/world.ts";
import { protect } from "../change-kit.ts";
import {
  answered,
  isAnyUp,
  mutated,
  tryLongOnes,
  tryPortNames,
  tryReaders,
  tryToldNames,
} from "../hostile-kit.ts";
import { cknOf, wall } from "../junos-kit.ts";
import { put, workOf } from "../tunnel-kit.ts";
import { configOf, page, parts, port, surroundings, textsOf } from "./iosxe-kit.ts";
import { ikeText, none, pairText, routesText, texts, tunnelsOf } from "./iosxe-tunnel-kit.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "iosxe";

const second = page({ "CAK Name (CKN)": cknOf(2).toUpperCase() }, 0);

// No peer in here is live: whatever is read from it, nothing is secured.
const answers = [
  ...Object.values(parts),
  page({}, 0),
  `${page({ Status: "INITIALIZING - Searching for Peer" }, 0)}\n\n${second}`,
  "MKPDU Statistics\n   MKPDUs Validated & Rx..... 6\n   MKPDUs Transmitted..... 5\n",
  " SecY Counters\n  Ingress Untag Pkts: 1\n Transmit SC Counters\n  Out Pkts Encrypted: 5\n",
  " Capabilities:\n Transmit SA:\n  Next PN:   5\n Receive SC:\n",
  "Timer type: absolute timer\nTimer value: 2 min\nUser: x\n",
  "event manager environment linkseal_commit 00ff\n",
  "Type : EXCLUSIVE\nState : LOCKED\n",
  "The maximum archive configurations allowed is 10.\n",
  `${port(1)} is up, line protocol is up \n  BW 100000000 Kbit/sec\n`,
  "BGP neighbor is 198.51.100.2,  remote AS 1\n  BGP state = Established\n",
  "     Network    Next Hop   Path\n *>  10.0.0.0/16   198.51.100.2   0 12076 i\n" +
    "Total number of prefixes 1\n",
  "Cisco IOS XE Software, Version 17.09.04a\nSystem restarted at 10:02:03 UTC Wed Nov 25 2026\n",
  "18:00:00.250 UTC Wed Nov 25 2026",
  "Success rate is 100 percent (5/5)",
  ...Object.values(texts),
  ikeText("IN-NEG"),
  pairText(),
  routesText,
];

const bricks = [
  "\x1b[2J",
  "\0",
  "\r\n",
  "\n",
  " ",
  "!",
  "edge-a#",
  "% Invalid input",
  "Status: SECURED - ",
  "MKA Detailed Status for MKA Session\n",
  "Live Peers List:\n",
  `interface ${port(1)}\n`,
  " mka pre-shared-key key-chain A\n",
  "key chain A macsec\n",
  "-1",
  "9".repeat(60),
  "NaN",
  "\u{202e}",
  "é",
  " ".repeat(200),
  ".".repeat(50),
];

/** Every reader on every answer: a device may answer another question than it was asked. */
function readAll(text: string): { readonly understood: number; readonly secured: boolean } {
  const config = readConfig({ macsec: text, bgp: parts.bgp }, true);
  const other = readConfig(textsOf({ chains: text, policies: text, bgp: text }), false);
  for (const one of [config, other]) if (one !== undefined) slotsOf(planOf(one, port(1)), wall);
  const mkpdus = readMkpdus(text);
  const peers = readPeers(text);
  const place = { port: port(1), peer: "198.51.100.2" };
  bgpSession(place, peers?.get(peerKey(undefined, "198.51.100.2")));
  commitsOf(readTimer(text) ?? "none", readMark(text));
  const software = readSoftware(text);
  const reported = [
    ...[readArchive, readAccounting, readLock].map((one) => one(text)),
    software && bootOf(software, wall, undefined),
    ...[readRouteMap(text, "OPS"), config, other, mkpdus, peers, readTimer(text), readMark(text)],
    readFrames(text, readNextPn(text)?.nextPn, mkpdus),
    readInterfaces(text, isPort),
    readRoutes(text, port(1)),
    readRouteTo(text),
    readPing(text),
    software,
    readClock(text),
  ].filter((one) => one !== undefined);
  const isUp = readTunnel(text);
  const pages = readSessions(text);
  const { settings } = planOf(config ?? configOf(), port(1));
  const session = sessionOf(pagesOf(pages ?? [], port(1), [port(1)]), settings);
  return { understood: reported.length, secured: session.controlledPort === "secured" || isUp };
}

const standing = tunnelsOf();

/** Whether a tunnel came of it. */
function readTunnel(text: string): boolean {
  const read = ["interfaces", "ike", "ipsec"].map((part) =>
    readTunnels({ ...texts, [part]: text }),
  );
  const config = read.find((one) => one !== undefined) ?? standing;
  readTunnelRoutes(text, new Map([["Tunnel3", "hub-1"]]));
  const answers = { ikeSas: answered(readIkeSas(text)), ipsecSas: answered(readIpsecSas(text)) };
  return isAnyUp(tunnelStates(config, answers, 0 as Instant));
}

describe("hostile answers", () => {
  tryReaders({
    ...{ vendor: "IOS XE", seed, read: readAll, oneOf: 5 },
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
    isSsciBySci: false,
    primary: undefined,
    fallback: undefined,
    drains: [],
  };

  const shut = (name: string) => {
    const before = { ...bare, port: name };
    return renderChange(before, { ...before, admin: "down" }, surroundings([]), ["macsec"]).sent;
  };
  tryPortNames(shut, 0, "2,1,1");

  it("a tunnel's value is one word and its PSK the digits of its octets, or it is refused", () => {
    const called = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,62}$/);
    const psk = fc.stringMatching(/^[!-,./-}]{16,116}$/);
    const expected = new Set<string>();
    fc.assert(
      fc.property(called, psk, fc.ipV4(), (name, key, remoteAddress) => {
        const change = [put({ name, remoteAddress })];
        const work = workOf(change, iosxe.offers, key);
        const changed = planTunnels(change, { work, limits, standing: new Map() });
        const commands = tunnelCommands(changed, tunnelsOf(none), "edge-a");
        const lines = commands.map((one) => new TextDecoder().decode(fillCommand(one)));
        expected.add(lines.map((one) => one.split(" ").length).join());
        expect(lines).toContain(`crypto ikev2 keyring ${name}`);
        expect(lines).toContain(`tunnel destination ${remoteAddress}`);
        const shown = lines.find((one) => one.startsWith("pre-shared-key "));
        expect(Buffer.from(shown?.split(" ")[2] ?? "", "hex").toString()).toBe(key);
        expect(commands.map(preview).join("\n")).not.toContain(key);
      }),
      { numRuns: 1_000 },
    );
    expect(expected.size).toBe(1);
  });

  const renamed = (reported: string) => {
    const named = (text: string): string =>
      text.replace("mka policy ls-Te0-0-1\n", () => `mka policy ${reported}\n`);
    const policies = named(parts.policies);
    const config = readConfig(textsOf({ interfaces: named(parts.interfaces), policies }), true);
    if (config === undefined) return [];
    const change = [protect(port(1), { suite: "gcm-aes-256" })];
    const around = surroundings(change, { config });
    return planChange(change, around).map(
      ({ before, after }) => renderChange(before, after, around, ["macsec"]).sent,
    );
  };
  tryToldNames(renamed, "mka policy ");
});
