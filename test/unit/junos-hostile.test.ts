import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readConfig } from "#drivers/junos/config.ts";
import { editsBetween } from "#drivers/junos/edits.ts";
import {
  byInterface,
  readChannels,
  readFrames,
  readMkpdus,
  readSession,
} from "#drivers/junos/macsec-answers.ts";
import { type PortPlan, planOf } from "#drivers/junos/plan.ts";
import {
  readCommits,
  readInterfaces,
  readPeers,
  readPing,
  readRoutes,
  readRouteTo,
  readSoftware,
  readUptime,
} from "#drivers/junos/system-answers.ts";
import { element, everyOf, readXml, writeXml, type XmlElement } from "#drivers/transport/xml.ts";
import { LinksealError } from "#hal/error.ts";
import { preview } from "#hal/secret.ts";
import { Prng } from "#sim/prng.ts";
import { effort } from "../effort.ts";
import { cknOf, configOf, configText, read } from "./junos-kit.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "junos";
const runs = effort(50_000, 1_000_000);

// Nobody in here is live: whatever is made of it, nothing is secured.
const answers = [
  configText,
  `<rpc-reply><mka-session-information><interface-name>et-0/0/1</interface-name>
    <interface-state>Secured - Primary</interface-state><cak-name>${cknOf(1)}</cak-name>
    <key-server>yes</key-server><latest-sak-an>1</latest-sak-an>
    <latest-sak-key-identifier>AABBCCDDEEFF001122334455/9</latest-sak-key-identifier>
    <mka-peer><member-identifier>AA</member-identifier><s>potential</s></mka-peer>
    <session-cak><cak-name>${cknOf(1)}</cak-name><cak-status>active</cak-status></session-cak>
    </mka-session-information></rpc-reply>`,
  `<rpc-reply><mka-statistics><mka-interface-statistics><interface-name>et-0/0/1</interface-name>
    <received-packets>5</received-packets><sent-packets>6</sent-packets>
    </mka-interface-statistics></mka-statistics></rpc-reply>`,
  `<rpc-reply><macsec-statistics><interface-name>et-0/0/1</interface-name>
    <secure-channel-sent><encrypted-packets>7</encrypted-packets></secure-channel-sent>
    <secure-channel-received><ok-packets>8</ok-packets></secure-channel-received>
    </macsec-statistics></rpc-reply>`,
  `<rpc-reply><commit-information><commit-history><sequence-number>0</sequence-number>
    <log>linkseal 00</log></commit-history></commit-information></rpc-reply>`,
  `<rpc-reply><system-uptime-information><current-time><date-time seconds="5">x</date-time>
    </current-time><system-booted-time><date-time seconds="4">x</date-time></system-booted-time>
    </system-uptime-information></rpc-reply>`,
  `<rpc-reply><interface-information><physical-interface><name>et-0/0/1</name>
    <oper-status>up</oper-status><speed>100Gbps</speed></physical-interface>
    </interface-information></rpc-reply>`,
];

const bricks = [
  "\x1b[2J",
  "\0",
  "\r\n",
  "edge> ",
  "]]>",
  "&#0;",
  "&x;",
  "<!-- ",
  " -->",
  "<a>",
  "</a>",
  "<interface-name>et-0/0/1</interface-name>",
  "<interface-state>Secured</interface-state>",
  "-1",
  "9".repeat(60),
  "NaN",
  "\u{202e}",
  "é",
  "<!DOCTYPE a [<!ENTITY x 'y'>]>",
  "<b/>".repeat(100),
];

const words = ["", "-1", "9".repeat(60), "NaN", "et-0/0/1", "Secured", "yes", "*", "é", "1e9"];

/** Still XML: other texts, elements that are gone or stand there twice. */
function misshapen(prng: Prng): string {
  let text = prng.pick(answers);
  for (let change = prng.between(1, 4); change > 0; change -= 1) {
    const leaves = [...text.matchAll(/<([\w-]+)[^<>]*>([^<>]*)<\/\1>/g)];
    if (leaves.length === 0) return text;
    const [leaf, name] = prng.pick(leaves);
    const other = `<${name}>${prng.pick(words)}</${name}>`;
    text = text.replace(leaf, () => prng.pick([other, "", leaf + leaf, `<x>${leaf}</x>`]));
  }
  return text;
}

function mutated(prng: Prng): Uint8Array {
  if (prng.chance(0.5)) return new TextEncoder().encode(misshapen(prng));
  let text = prng.pick(answers);
  for (let change = prng.between(1, 5); change > 0; change -= 1) {
    const at = prng.between(0, text.length);
    const to = Math.min(text.length, at + prng.between(0, 30));
    text = text.slice(0, at) + (prng.chance(0.6) ? prng.pick(bricks) : "") + text.slice(to);
  }
  const octets = new TextEncoder().encode(text);
  if (prng.chance(0.1)) octets[prng.between(0, octets.length - 1)] = prng.uint32();
  return octets;
}

/** Every reader on every answer: a device may answer another question than it was asked. */
function readAll(reply: XmlElement): readonly string[] {
  const config = readConfig(reply);
  if (config !== undefined) planOf(config, "et-0/0/1");
  for (const reader of [readCommits, readInterfaces, readPeers, readPing, readRouteTo])
    reader(reply);
  readSoftware(reply);
  readUptime(reply);
  readRoutes(reply, "et-0/0/1");
  const channels = byInterface(reply, "macsec-connection-information");
  const statistics = byInterface(reply, "macsec-statistics")?.get("et-0/0/1");
  readFrames(statistics ?? [], readChannels(channels?.get("et-0/0/1") ?? []));
  readMkpdus(byInterface(reply, "mka-statistics")?.get("et-0/0/1") ?? []);
  const { settings } = planOf(config ?? known, "et-0/0/1");
  const session = readSession(
    byInterface(reply, "mka-session-information")?.get("et-0/0/1"),
    settings,
    undefined,
  );
  return session === undefined ? [] : [session.controlledPort];
}

const known = await configOf();

describe("hostile answers", () => {
  it("are an answer, not understood, or a typed error; never healthy", {
    timeout: 3_600_000,
  }, async () => {
    console.log(`hostile Junos: LINKSEAL_SEED=${seed}, ${runs} cases`);
    const prng = new Prng(seed);
    let understood = 0;
    for (let run = 0; run < runs; run += 1) {
      const octets = mutated(prng);
      let reply: XmlElement;
      try {
        reply = await readXml(octets, "edge-a");
      } catch (error) {
        if (!(error instanceof LinksealError)) throw error;
        expect(error.code).toBe("device.unparsed");
        continue;
      }
      understood += 1;
      const ports = readAll(reply);
      if (ports.includes("secured"))
        throw new Error(`healthy: ${new TextDecoder().decode(octets)}`);
    }
    // Else all of it ended in the parser, and nothing was tried.
    expect(understood).toBeGreaterThan(runs / 20);
  });
});

describe("whatever a config accepts", () => {
  const port = fc.stringMatching(/^[A-Za-z0-9/:._-]{1,64}$/);
  const name = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 40 });

  function shape(root: XmlElement): string {
    return `${root.name}(${root.children.map(shape).join(",")})`;
  }

  it("is one token to the device", async () => {
    const bare: PortPlan = {
      port: "",
      admin: "up",
      association: undefined,
      settings: undefined,
      chain: undefined,
      keys: [],
      drains: [],
    };
    const expected = new Set<string>();
    await fc.assert(
      fc.asyncProperty(port, name, async (portName, group) => {
        const before = { ...bare, port: portName };
        const edits = editsBetween(before, { ...before, admin: "down" }, known, () => "1");
        const written = edits?.trees.map((tree) => preview(writeXml(tree))).join("") ?? "";
        const root = await read(written);
        expect(everyOf(root, "name").map(({ text }) => text)).toEqual([portName]);
        expected.add(shape(root));
        // A name that the device itself told goes back as it came.
        const named = preview(writeXml(element("name", group)));
        const text = configText.replace("<name>azure</name>", () => named);
        const config = await configOf(text);
        const drained = { ...bare, port: "et-0/0/0", drains: ["gracefulShutdown"] as const };
        const drain = editsBetween({ ...drained, drains: [] }, drained, config, () => "1");
        const [tree = element("none")] = drain?.trees ?? [];
        const back = await read(preview(writeXml(tree)));
        expect(everyOf(back, "name")[0]?.text).toBe(group.trim());
        expected.add(shape(back));
      }),
      { numRuns: 300 },
    );
    expect(expected.size).toBe(2);
  });
});
