import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readConfig, readRouteMap } from "#drivers/iosxe/config.ts";
import { editsBetween } from "#drivers/iosxe/edits.ts";
import { iosxe } from "#drivers/iosxe/iosxe.ts";
import { readFrames, readMkpdus, readNextPn } from "#drivers/iosxe/macsec-answers.ts";
import { isPort } from "#drivers/iosxe/names.ts";
import { type PortPlan, planChange, planOf } from "#drivers/iosxe/plan.ts";
import {
  commitsOf,
  hasArchive,
  isAccounted,
  isLocked,
  peerKey,
  readMark,
  readPeers,
  readRouteTo,
  readSoftware,
  readTimer,
} from "#drivers/iosxe/system-answers.ts";
import {
  readIkeSas,
  readIpsecSas,
  readTunnelRoutes,
  tunnelStates,
} from "#drivers/iosxe/tunnel-answers.ts";
import { limits, readTunnels } from "#drivers/iosxe/tunnel-config.ts";
import { tunnelCommands } from "#drivers/iosxe/tunnel-edits.ts";
import type { Answer } from "#drivers/platform/answer.ts";
import { slotsOf } from "#drivers/platform/cisco-chains.ts";
import { pagesOf, readSessions, sessionOf } from "#drivers/platform/cisco-mka.ts";
import { readRoutes } from "#drivers/platform/cisco-routes.ts";
import { bgpSession, readClock, readInterfaces, readPing } from "#drivers/platform/cisco-system.ts";
import { planTunnels } from "#drivers/platform/tunnel-change.ts";
import { fillCommand } from "#drivers/transport/fill.ts";
import { LinksealError } from "#hal/error.ts";
import { preview } from "#hal/secret.ts";
import type { Instant } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../../effort.ts";
import { put, workOf } from "../tunnel-kit.ts";
import { configOf, page, parts, port, surroundings, textsOf, wall } from "./iosxe-kit.ts";
import { ikeText, none, pairText, routesText, texts, tunnelsOf } from "./iosxe-tunnel-kit.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "iosxe";
const runs = effort(5_000, 1_000_000);

// Nobody in here is live: whatever is made of it, nothing is secured.
const answers = [
  ...Object.values(parts),
  page({}, 0),
  `${page({ Status: "INITIALIZING - Searching for Peer" }, 0)}\n\n${page({}, 0)}`,
  "MKPDU Statistics\n   MKPDUs Validated & Rx..... 6\n   MKPDUs Transmitted..... 5\n",
  " SecY Counters\n  Ingress Untag Pkts: 1\n Transmit SC Counters\n  Out Pkts Encrypted: 5\n",
  " Capabilities:\n Transmit SA:\n  Next PN:   5\n Receive SC:\n",
  "Timer type: absolute timer\nTimer value: 2 min\nUser: x\n",
  "event manager environment linkseal_commit 00ff\n",
  "Type : EXCLUSIVE\nState : LOCKED\n",
  "The maximum archive configurations allowed is 10.\n",
  `${port(1)} is up, line protocol is up \n  BW 100000000 Kbit/sec\n`,
  "BGP neighbor is 198.51.100.2,  remote AS 1\n  BGP state = Established\n",
  "     Network    Next Hop   Path\n *>  10.0.0.0/16   198.51.100.2   0 12076 i\n",
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

function mutated(prng: Prng): string {
  let text = prng.pick(answers);
  for (let change = prng.between(1, 5); change > 0; change -= 1) {
    const at = prng.between(0, text.length);
    const to = Math.min(text.length, at + prng.between(0, 30));
    text = text.slice(0, at) + (prng.chance(0.6) ? prng.pick(bricks) : "") + text.slice(to);
  }
  return text;
}

/** Every reader on every answer: a device may answer another question than it was asked. */
function readAll(text: string): { readonly understood: number; readonly secured: boolean } {
  const config = readConfig({ macsec: text, bgp: parts.bgp }, true);
  const other = readConfig(textsOf({ chains: text, policies: text, bgp: text }), false);
  for (const one of [config, other]) if (one !== undefined) slotsOf(planOf(one, port(1)), wall);
  const mkpdus = readMkpdus(text);
  const peers = readPeers(text);
  bgpSession(port(1), "198.51.100.2", peers?.get(peerKey(undefined, "198.51.100.2")));
  commitsOf(readTimer(text) ?? "none", readMark(text));
  for (const is of [hasArchive, isAccounted, isLocked]) is(text);
  const told = [
    ...[readRouteMap(text, "OPS"), config, other, mkpdus, peers, readTimer(text), readMark(text)],
    readFrames(text, readNextPn(text)?.nextPn, mkpdus),
    readInterfaces(text, isPort),
    readRoutes(text, port(1)),
    readRouteTo(text),
    readPing(text),
    readSoftware(text),
    readClock(text),
  ].filter((one) => one !== undefined);
  const isUp = readTunnel(text);
  const pages = readSessions(text);
  const { settings } = planOf(config ?? configOf(), port(1));
  const session = sessionOf(pagesOf(pages ?? [], port(1), [port(1)]), settings);
  return { understood: told.length, secured: session.controlledPort === "secured" || isUp };
}

const standing = tunnelsOf();

/** Whether a tunnel came of it. */
function readTunnel(text: string): boolean {
  const read = ["interfaces", "ike", "ipsec"].map((part) =>
    readTunnels({ ...texts, [part]: text }),
  );
  const config = read.find((one) => one !== undefined) ?? standing;
  readTunnelRoutes(text, new Map([["Tunnel3", "hub-1"]]));
  const answered = <T>(value: T | undefined): Answer<T> =>
    value === undefined ? { why: "unparsed" } : { value };
  const answers = { ikeSas: answered(readIkeSas(text)), ipsecSas: answered(readIpsecSas(text)) };
  return tunnelStates(config, answers, 0 as Instant).some(({ ike, sas }) => {
    for (const sa of sas.kind === "known" ? sas.value : []) {
      if (!(sa.spi >= 0 && sa.spi < 2 ** 32)) throw new Error(`the SPI ${sa.spi}`);
    }
    return ike.kind === "known" && ike.value === "established";
  });
}

describe("hostile answers", () => {
  it("are an answer or not understood; never healthy, and never slow", {
    timeout: 3_600_000,
  }, () => {
    console.log(`hostile IOS XE: LINKSEAL_SEED=${seed}, ${runs} cases`);
    const prng = new Prng(seed);
    let understood = 0;
    for (let run = 0; run < runs; run += 1) {
      const text = mutated(prng);
      const told = readAll(text);
      understood += told.understood;
      if (told.secured) throw new Error(`healthy: ${JSON.stringify(text)}`);
    }
    // Else all of it ended in the first reader, and nothing was tried.
    expect(understood).toBeGreaterThan(runs / 4);
  });

  it("are read in time that grows with their length alone", { timeout: 120_000 }, () => {
    for (const brick of bricks) readAll(brick.repeat(Math.ceil(300_000 / brick.length)));
    for (const answer of answers) readAll(answer.repeat(Math.ceil(100_000 / (answer.length + 1))));
    expect(readAll(" ".repeat(300_000)).secured).toBe(false);
  });
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

  it("is one word to the device, or is refused before anything is said", () => {
    const expected = new Set<string>();
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9/:._-]{1,64}$/), (name) => {
        const before = { ...bare, port: name };
        try {
          const after = { ...before, admin: "down" } as const;
          const { sent: commands } = editsBetween(before, after, surroundings([]), ["macsec"]);
          const words = commands.map((one) => preview(one).split(" "));
          expect(words[0]).toEqual(["interface", name]);
          expected.add(words.map((one) => one.length).join());
        } catch (error) {
          if (!(error instanceof LinksealError)) throw error;
          expect(error).toMatchObject({ code: "device.rejected", effect: "none" });
          expect(name).toMatch(/^[/:.-]/);
        }
      }),
      { numRuns: 1_000 },
    );
    expect([...expected]).toEqual(["2,1,1"]);
  });

  it("of a tunnel is one word, and its PSK the digits of its octets", () => {
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
        const said = lines.find((one) => one.startsWith("pre-shared-key "));
        expect(Buffer.from(said?.split(" ")[2] ?? "", "hex").toString()).toBe(key);
        expect(commands.map(preview).join("\n")).not.toContain(key);
      }),
      { numRuns: 1_000 },
    );
    expect(expected.size).toBe(1);
  });

  it("is one word where the device itself told the name, or the port is left alone", () => {
    const name = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(name, (told) => {
        const named = (text: string): string =>
          text.replace("mka policy ls-Te0-0-1\n", () => `mka policy ${told}\n`);
        const policies = named(parts.policies);
        const interfaces = named(parts.interfaces);
        const config = readConfig(textsOf({ interfaces, policies }), true);
        if (config === undefined) return;
        const settings = {
          suite: "gcm-aes-256",
          includeSci: true,
          confidentialityOffset: 0,
          keyServerPriority: 16,
          replayWindow: 64,
          sakRekeyMs: undefined,
        } as const;
        const change = [{ kind: "macsec.protect", port: port(1), settings }] as const;
        try {
          for (const { before, after } of planChange(change, surroundings(change, { config }))) {
            const { sent: commands } = editsBetween(
              before,
              after,
              surroundings(change, { config }),
              ["macsec"],
            );
            const said = commands.map(preview).find((one) => one.startsWith("mka policy "));
            expect(said?.split(" ")).toHaveLength(3);
          }
        } catch (error) {
          if (!(error instanceof LinksealError)) throw error;
          expect(error).toMatchObject({ code: "device.rejected", effect: "none" });
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
