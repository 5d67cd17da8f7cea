import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readConfig } from "#drivers/junos/config.ts";
import { junos } from "#drivers/junos/junos.ts";
import {
  byInterface,
  readChannels,
  readFrames,
  readMkpdus,
  readSession,
} from "#drivers/junos/macsec-parsers.ts";
import { type PortPlan, planOf } from "#drivers/junos/plan.ts";
import { renderChange } from "#drivers/junos/renderer.ts";
import {
  readCommits,
  readInterfaces,
  readPeers,
  readPing,
  readRoutes,
  readRouteTo,
  readSoftware,
  readUptime,
} from "#drivers/junos/system-parsers.ts";
import { type JunosTunnels, limits, readTunnels } from "#drivers/junos/tunnel-config.ts";
import {
  readIkeSas,
  readIpsecSas,
  readPassed,
  readTunnelRoutes,
  tunnelStates,
} from "#drivers/junos/tunnel-parsers.ts";
import { tunnelTrees } from "#drivers/junos/tunnel-renderer.ts";
import { planTunnels, tunnelLines } from "#drivers/platform/tunnel-change.ts";
import { fillCommand } from "#drivers/transport/fill.ts";
import { element, everyOf, readXml, writeXml, type XmlElement } from "#drivers/transport/xml.ts";
import { LinksealError } from "#hal/error.ts";
import { preview } from "#hal/secret.ts";
import type { Instant } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import { answered, isAnyUp, mutated, runs } from "../hostile-kit.ts";
import { cknOf, configOf, configText, read } from "../junos-kit.ts";
import { put, workOf } from "../tunnel-kit.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "junos";

const vpnText = `<rpc-reply><data><configuration><security><ike>
    <gateway><name>hub-1</name><address>203.0.113.1</address></gateway></ike><ipsec>
    <vpn><name>hub-1</name><bind-interface>st0.3</bind-interface><ike><gateway>hub-1</gateway>
    </ike></vpn></ipsec></security></configuration></data></rpc-reply>`;

// No peer in here is live: whatever is read from it, nothing is secured.
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
  `<rpc-reply><ike-security-associations-information><ike-security-associations-block>
    <ike-sa-remote-address>203.0.113.1</ike-sa-remote-address><ike-security-associations>
    <ike-sa-state>DOWN</ike-sa-state></ike-security-associations>
    </ike-security-associations-block></ike-security-associations-information></rpc-reply>`,
  `<rpc-reply><ipsec-security-associations-information><ipsec-security-associations-block>
    <sa-vpn-name>hub-1</sa-vpn-name><sa-pfs-group>DH-group-20</sa-pfs-group>
    <ipsec-security-associations><sa-direction>inbound</sa-direction><sa-spi>0a</sa-spi>
    <sa-encryption-algorithm>aes-gcm (256 bits)</sa-encryption-algorithm>
    </ipsec-security-associations></ipsec-security-associations-block>
    </ipsec-security-associations-information></rpc-reply>`,
  `<rpc-reply><interface-information><logical-interface><name>st0.3</name><traffic-statistics>
    <input-packets>7</input-packets><output-packets>9</output-packets></traffic-statistics>
    </logical-interface></interface-information></rpc-reply>`,
  vpnText,
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

function octetsOf(prng: Prng): Uint8Array {
  if (prng.chance(0.5)) return new TextEncoder().encode(misshapen(prng));
  const octets = new TextEncoder().encode(mutated(prng, prng.pick(answers), bricks));
  if (prng.chance(0.1)) octets[prng.between(0, octets.length - 1)] = prng.uint32();
  return octets;
}

/** Every reader on every answer: a device may answer another question than it was asked. */
function isSecured(reply: XmlElement): boolean {
  const config = readConfig(reply);
  if (config !== undefined) planOf(config, "et-0/0/1");
  for (const reader of [readCommits, readInterfaces, readPeers, readRouteTo]) reader(reply);
  readPing(reply, {});
  readSoftware(reply);
  readUptime(reply);
  readRoutes(reply, "et-0/0/1", undefined);
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
  // Both, whatever comes of the first.
  return [session?.controlledPort === "secured", readTunnel(reply)].includes(true);
}

function readTunnel(reply: XmlElement): boolean {
  const tunnels = readTunnels(reply) ?? knownTunnels;
  readTunnelRoutes(reply, new Map([["st0.3", "hub-1"]]));
  const answers = {
    ikeSas: answered(readIkeSas(reply)),
    ipsecSas: answered(readIpsecSas(reply)),
    passed: answered(readPassed(reply)),
  };
  return isAnyUp(tunnelStates(tunnels, answers, 0 as Instant));
}

const replyOf = (configuration: string): string =>
  `<rpc-reply><data><configuration>${configuration}</configuration></data></rpc-reply>`;

const known = await configOf();
const knownTunnels = await tunnelsOf();

async function tunnelsOf(): Promise<JunosTunnels> {
  const tunnels = readTunnels(await read(vpnText));
  if (tunnels === undefined) throw new Error("no VPNs");
  return tunnels;
}

describe("hostile answers", () => {
  it("a hostile reply becomes a result, unknown, or a typed error; never healthy", async () => {
    console.log(`hostile Junos: LINKSEAL_SEED=${seed}, ${runs} cases`);
    const prng = new Prng(seed);
    let understood = 0;
    for (let run = 0; run < runs; run += 1) {
      const octets = octetsOf(prng);
      let reply: XmlElement;
      try {
        reply = await readXml(octets, "edge-a");
      } catch (error) {
        if (!(error instanceof LinksealError)) throw error;
        expect(error.code).toBe("device.unparsed");
        continue;
      }
      understood += 1;
      if (isSecured(reply)) throw new Error(`healthy: ${new TextDecoder().decode(octets)}`);
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

  it("a value that a config accepts is one token to the device", async () => {
    const bare: PortPlan = {
      port: "",
      admin: "up",
      association: undefined,
      settings: undefined,
      isEncrypted: true,
      chain: undefined,
      keys: [],
      drains: [],
    };
    const expected = new Set<string>();
    await fc.assert(
      fc.asyncProperty(port, name, async (portName, group) => {
        const before = { ...bare, port: portName };
        const rendered = renderChange(before, { ...before, admin: "down" }, known, () => "1");
        const written = rendered?.sent.map((tree) => preview(writeXml(tree))).join("") ?? "";
        const root = await read(written);
        expect(everyOf(root, "name").map(({ text }) => text)).toEqual([portName]);
        expected.add(shape(root));
        // A name that the device itself told goes back as it came.
        const named = preview(writeXml(element("name", group)));
        const text = configText.replace("<name>azure</name>", () => named);
        const config = await configOf(text);
        const drained = { ...bare, port: "et-0/0/0", drains: ["gracefulShutdown"] as const };
        const drain = renderChange({ ...drained, drains: [] }, drained, config, () => "1");
        const [tree = element("none")] = drain?.sent ?? [];
        const back = await read(preview(writeXml(tree)));
        expect(everyOf(back, "name")[0]?.text).toBe(group.trim());
        expected.add(shape(back));
      }),
      { numRuns: 300 },
    );
    expect(expected.size).toBe(2);
  });

  it("a tunnel's value is one token to the device, and its PSK is unchanged", async () => {
    const homes = new Map([["198.51.100.1", "lo0.0"]]);
    const nothing = readTunnels(await read(replyOf("")));
    if (nothing === undefined) throw new Error("no configuration");
    const config = { ...nothing, homes };
    const tunnelName = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,31}$/);
    const psk = fc.stringMatching(/^[!-,./-}]{16,128}$/);
    const expected = new Set<string>();
    await fc.assert(
      fc.asyncProperty(tunnelName, psk, fc.ipV4(), async (called, key, gateway) => {
        const change = [put({ name: called, remoteAddress: gateway })];
        const work = workOf(change, junos.offers, key);
        const changed = planTunnels(change, { work, limits, standing: new Map() });
        const trees = tunnelTrees(changed, config, "edge-a");
        const roots = await Promise.all(
          trees.map((tree) => readXml(fillCommand(writeXml(tree)), "edge-a")),
        );
        expected.add(roots.map(shape).join());
        const texts = roots.flatMap((root) =>
          ["name", "address", "proposals"].flatMap((one) => everyOf(root, one)),
        );
        expect(texts.filter(({ text }) => text === called).length).toBeGreaterThan(5);
        expect(texts.some(({ text }) => text === gateway)).toBe(true);
        const hex = roots.flatMap((root) => everyOf(root, "hexadecimal"))[0]?.text ?? "";
        expect(Buffer.from(hex, "hex").toString()).toBe(key);
        expect(tunnelLines(changed).join("\n")).not.toContain(key);
      }),
      { numRuns: 300 },
    );
    expect(expected.size).toBe(1);
  });
});
