import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readConfig } from "#drivers/iosxr/config.ts";
import { editsBetween } from "#drivers/iosxr/edits.ts";
import { readFrames, readMkpdus } from "#drivers/iosxr/macsec-answers.ts";
import { isPort } from "#drivers/iosxr/names.ts";
import { type PortPlan, planChange, planOf } from "#drivers/iosxr/plan.ts";
import {
  isAccounted,
  readBoot,
  readCommits,
  readPeers,
  readRouteTo,
  readSoftware,
} from "#drivers/iosxr/system-answers.ts";
import { slotsOf } from "#drivers/platform/cisco-chains.ts";
import { pagesOf, readSessions, sessionOf } from "#drivers/platform/cisco-mka.ts";
import { readRoutes } from "#drivers/platform/cisco-routes.ts";
import { bgpSession, readClock, readInterfaces, readPing } from "#drivers/platform/cisco-system.ts";
import { LinksealError } from "#hal/error.ts";
import { preview } from "#hal/secret.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../../effort.ts";
import { configOf, page, port, surroundings, texts, wall } from "../iosxr-kit.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "iosxr";
const runs = effort(5_000, 1_000_000);

// Nobody in here is live: whatever is made of it, nothing is secured.
const answers = [
  ...Object.values(texts),
  page({}, 0),
  `${page({ Status: "Active - Marked Peer as Live" }, 0)}\n\n${page({}, 0)}`,
  "MKPDU Statistics\n   MKPDUs Transmitted..... 5\n   MKPDUs Validated & Rx..... 6\n",
  "Interface Stats\n  InPktsUntagged : 1\nSC Stats\n TxSC Stats\n  OutPktsEncrypted : 5\n",
  "   1) CommitId: 1000000024  Label: NONE\n   UserId: x  Line:  vty1\n   Comment:  linkseal 00\n",
  "HundredGigE0/0/0/1 is up, line protocol is up\n  BW 100000000 Kbit\n",
  "BGP neighbor is 198.51.100.2\n  BGP state = Established\n",
  "   Network    Next Hop   Path\n*> 10.0.0.0/16   198.51.100.2   0 12076 i\n",
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
  const config = readConfig({ ...texts, interfaces: text }, true);
  const other = readConfig({ ...texts, chains: text, policies: text, bgp: text }, false);
  for (const one of [config, other]) if (one !== undefined) slotsOf(planOf(one, port(1)), wall);
  const mkpdus = readMkpdus(text);
  const peers = readPeers(text);
  bgpSession(port(1), "198.51.100.2", peers?.get("198.51.100.2"));
  isAccounted(text);
  const others = [
    readFrames(text, mkpdus),
    readCommits(text, text),
    readInterfaces(text, isPort),
    readRoutes(text, port(1)),
    readRouteTo(text),
    readPing(text),
    readSoftware(text),
    readBoot(text),
    readClock(text),
  ];
  const pages = readSessions(text);
  const { settings } = planOf(config ?? configOf(), port(1));
  const session = sessionOf(pagesOf(pages ?? [], port(1), [port(1)]), settings);
  const told = [...others, config, other, mkpdus, peers, pages].filter((one) => one !== undefined);
  return { understood: told.length, secured: session.controlledPort === "secured" };
}

describe("hostile answers", () => {
  it("are an answer or not understood; never healthy, and never slow", {
    timeout: 3_600_000,
  }, () => {
    console.log(`hostile IOS XR: LINKSEAL_SEED=${seed}, ${runs} cases`);
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
    for (const answer of answers) readAll(answer.repeat(Math.ceil(100_000 / answer.length)));
    expect(readAll(" ".repeat(300_000)).secured).toBe(false);
  });
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

  it("is one word to the device, or is refused before anything is said", () => {
    const expected = new Set<string>();
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9/:._-]{1,64}$/), (name) => {
        const before = { ...bare, port: name };
        try {
          const { sent: commands } = editsBetween(before, { ...before, admin: "down" }, configOf());
          const words = commands.map((one) => preview(one).split(" "));
          expect(words[1]).toEqual(["interface", name]);
          expected.add(words.map((one) => one.length).join());
        } catch (error) {
          if (!(error instanceof LinksealError)) throw error;
          expect(error).toMatchObject({ code: "device.rejected", effect: "none" });
          expect(name).toMatch(/^[/:.-]/);
        }
      }),
      { numRuns: 1_000 },
    );
    expect([...expected]).toEqual(["1,2,1"]);
  });

  it("is one word where the device itself told the name, or the port is left alone", () => {
    const name = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(name, (told) => {
        const interfaces = texts.interfaces.replace(
          "policy ls-Hu0-0-0-1\n",
          () => `policy ${told}\n`,
        );
        const policies = texts.policies.replace("policy ls-Hu0-0-0-1\n", () => `policy ${told}\n`);
        const config = readConfig({ ...texts, interfaces, policies }, true);
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
            const { sent: commands } = editsBetween(before, after, config);
            const named = commands.map(preview).find((one) => one.startsWith("macsec-policy "));
            expect(named?.split(" ")).toHaveLength(2);
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
