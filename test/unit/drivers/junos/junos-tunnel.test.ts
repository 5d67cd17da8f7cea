import { describe, expect, it } from "vitest";
import { junos } from "#drivers/junos/junos.ts";
import { capabilitiesOf } from "#drivers/junos/quirks.ts";
import {
  getTunnels,
  ikeObstacles,
  type JunosTunnels,
  limits,
  readTunnels,
} from "#drivers/junos/tunnel-config.ts";
import {
  readIkeSas,
  readIpsecSas,
  readPassed,
  readTunnelRoutes,
  tunnelStates,
} from "#drivers/junos/tunnel-parsers.ts";
import { tunnelTrees } from "#drivers/junos/tunnel-renderer.ts";
import { planTunnels, tunnelLines } from "#drivers/platform/tunnel-change.ts";
import { writeXml } from "#drivers/transport/xml.ts";
import type { DeviceChange } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { preview } from "#hal/secret.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import type { Instant } from "#hal/world.ts";
import { read } from "../junos-kit.ts";
import { pskText, put, take, tunnel, workOf } from "../tunnel-kit.ts";

const inner = `
  <security>
    <ike>
      <proposal><name>hub-1</name><authentication-method>pre-shared-keys</authentication-method>
        <dh-group>group20</dh-group><authentication-algorithm>sha-384</authentication-algorithm>
        <encryption-algorithm>aes-256-gcm</encryption-algorithm></proposal>
      <policy><name>hub-1</name><proposals>hub-1</proposals>
        <description>psk hub-1-psk/0f1e2d3c4b5a69780f1e2d3c4b5a6978</description></policy>
      <gateway><name>hub-1</name><ike-policy>hub-1</ike-policy><address>203.0.113.1</address>
        <local-address>198.51.100.1</local-address><version>v2-only</version></gateway>
      <policy><name>BRANCH</name><proposals>BRANCH</proposals></policy>
      <gateway><name>BRANCH</name><ike-policy>BRANCH</ike-policy><address>192.0.2.9</address>
      </gateway>
    </ike>
    <ipsec>
      <proposal><name>hub-1</name><encryption-algorithm>aes-256-gcm</encryption-algorithm>
        <lifetime-seconds>27000</lifetime-seconds>
        <lifetime-kilobytes>102400000</lifetime-kilobytes></proposal>
      <policy><name>hub-1</name><perfect-forward-secrecy><keys>group20</keys>
        </perfect-forward-secrecy><proposals>hub-1</proposals></policy>
      <vpn><name>hub-1</name><bind-interface>st0.3</bind-interface>
        <ike><gateway>hub-1</gateway><ipsec-policy>hub-1</ipsec-policy></ike>
        <establish-tunnels>immediately</establish-tunnels></vpn>
      <vpn><name>BRANCH</name><bind-interface>st0.0</bind-interface>
        <ike><gateway>BRANCH</gateway><ipsec-policy>BRANCH</ipsec-policy></ike></vpn>
    </ipsec>
    <flow><tcp-mss><ipsec-vpn><mss>1350</mss></ipsec-vpn></tcp-mss></flow>
    <zones><security-zone><name>linkseal</name><interfaces><name>st0.3</name></interfaces>
      </security-zone></zones>
  </security>
  <interfaces>
    <interface><name>st0</name><unit><name>0</name></unit>
      <unit><name>3</name><family><inet><mtu>1400</mtu></inet></family></unit></interface>
    <interface><name>lo0</name><unit><name>0</name><family><inet>
      <address><name>198.51.100.1/32</name></address></inet></family></unit></interface>
  </interfaces>
  <routing-options><static>
    <route><name>10.100.0.0/16</name><next-hop>st0.3</next-hop></route>
    <route><name>0.0.0.0/0</name><next-hop>192.0.2.254</next-hop></route>
  </static></routing-options>`;

const replyOf = (configuration: string): string =>
  `<rpc-reply><data><configuration>${configuration}</configuration></data></rpc-reply>`;

async function tunnelsOf(text = inner): Promise<JunosTunnels> {
  const found = readTunnels(await read(replyOf(text)));
  if (found === undefined) throw new Error("no configuration");
  return found;
}

const bare = inner
  .replace(/<security>[\s\S]*<\/security>/, "")
  .replace(/<route>[\s\S]*?<\/route>/, "");

async function rendered(change: DeviceChange, text = inner) {
  const config = await tunnelsOf(text);
  const standing = new Map([...config.tunnels].map(([name, { plan }]) => [name, plan]));
  const changed = planTunnels(change, { work: workOf(change, junos.offers), limits, standing });
  const trees = tunnelTrees(changed, config, "edge-a").map((tree) => preview(writeXml(tree)));
  return { lines: tunnelLines(changed), trees };
}

async function refusal(change: DeviceChange, text = inner): Promise<LinksealError> {
  try {
    await rendered(change, text);
  } catch (error) {
    if (error instanceof LinksealError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

describe("VPNs that are configured", () => {
  it("configured VPNs are tunnels if all that they consist of has their name", async () => {
    const { tunnels: vpns, numbers, homes } = await tunnelsOf();
    expect(vpns.get("hub-1")).toMatchObject({ unit: 3, remoteAddress: "203.0.113.1" });
    const { localPrefixes: _behind, ifId: _number, auth: _auth, ...rest } = tunnel;
    const psk = "hub-1-psk/0f1e2d3c4b5a69780f1e2d3c4b5a6978";
    expect(vpns.get("hub-1")?.plan).toEqual({ ...rest, psk });
    expect(vpns.get("BRANCH")).toMatchObject({ unit: 0, plan: undefined });
    expect([...numbers]).toEqual([0, 3]);
    expect(homes.get("198.51.100.1")).toBe("lo0.0");
  });

  it("configured VPNs are requested without the leaf that contains a PSK", () => {
    const question = preview(writeXml(getTunnels()));
    expect(question).not.toMatch(/pre-shared-key|ascii-text|hexadecimal/);
    // Selected whole, it would bring the key along.
    expect(question).not.toContain("<policy/><gateway");
    expect(question).toContain("<policy><name/><description/><proposals/></policy>");
  });

  it.each([
    ["<version>v2-only</version>", ""],
    ["<establish-tunnels>immediately</establish-tunnels>", ""],
    ["<ike-policy>hub-1</ike-policy>", "<ike-policy>BRANCH</ike-policy>"],
    ["<dh-group>group20</dh-group>", "<dh-group>group21</dh-group>"],
    ["<lifetime-seconds>27000</lifetime-seconds>", "<lifetime-seconds>soon</lifetime-seconds>"],
    ["<keys>group20</keys>", "<keys>group99</keys>"],
    ["<mtu>1400</mtu>", ""],
  ])("a configured VPN with another %s is not ours", async (from, to) => {
    const { tunnels: vpns } = await tunnelsOf(inner.replace(from, to));
    expect(vpns.get("hub-1")?.plan).toBeUndefined();
    const error = await refusal([put()], inner.replace(from, to));
    expect(error).toMatchObject({ code: "device.rejected", effect: "none" });
  });
});

describe("a tunnel", () => {
  it("a new tunnel is written whole, with its PSK as a hole of hexadecimal digits", async () => {
    const { trees, lines } = await rendered([put()], bare);
    const all = trees.join("\n");
    expect(all).toContain("<pre-shared-key><hexadecimal>[secret psk]</hexadecimal>");
    expect(all).not.toContain(pskText);
    expect(all).toContain("<external-interface>lo0.0</external-interface>");
    expect(all).toContain("<encryption-algorithm>aes-256-gcm</encryption-algorithm>");
    expect(all).toContain("<lifetime-seconds>28800</lifetime-seconds>");
    expect(all).toContain("<keys>group20</keys>");
    expect(all).toContain("<bind-interface>st0.1</bind-interface>");
    expect(all).toContain("<mss>1360</mss>");
    expect(all).toContain("<route><name>10.100.0.0/16</name><next-hop>st0.1</next-hop></route>");
    expect(all).toContain(
      "<security-zone><name>linkseal</name><interfaces><name>st0.1</name></interfaces>",
    );
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\+ tunnel hub-1 .*psk hub-1-psk\/0f1e\S* \[secret psk\]$/);
  });

  it("a tunnel that is as wanted is left alone", async () => {
    expect(await rendered([put()])).toEqual({ lines: [], trees: [] });
  });

  it("a tunnel keeps its unit and loses stale prefixes", async () => {
    const { trees, lines } = await rendered([put({ remotePrefixes: ["10.101.0.0/16"] })]);
    const all = trees.join("\n");
    expect(all).toContain("<bind-interface>st0.3</bind-interface>");
    expect(all).toContain('<route operation="delete"><name>10.100.0.0/16</name></route>');
    // 1350 is below what it needs.
    expect(all).not.toContain("<mss>");
    expect(all).not.toContain("security-zone");
    expect(lines).toHaveLength(2);
  });

  it("a tunnel gets another version of its PSK without any other change", async () => {
    const other = inner.replace("psk/0f1e2d3c4b5a69780f1e2d3c4b5a6978", "psk/0000");
    const { lines } = await rendered([put()], other);
    expect(lines[0]).toContain("psk hub-1-psk/0000");
    expect(lines[1]).toContain("psk hub-1-psk/0f1e");
  });

  it("a removed tunnel goes with all that has its name, and with nothing else", async () => {
    const { trees, lines } = await rendered([take()]);
    const all = trees.join("\n");
    for (const list of ["vpn", "gateway", "policy", "proposal"]) {
      expect(all).toContain(`<${list} operation="delete"><name>hub-1</name></${list}>`);
    }
    expect(all).toContain('<unit operation="delete"><name>3</name></unit>');
    expect(all).not.toContain("BRANCH");
    expect(lines).toHaveLength(1);
    expect(await rendered([take("hub-9")])).toEqual({ lines: [], trees: [] });
  });

  it("a tunnel shares a route with a sibling, and leaves the route to it", async () => {
    const both = inner.replace(
      "<next-hop>st0.3</next-hop>",
      "<next-hop>st0.0</next-hop><next-hop>st0.3</next-hop>",
    );
    const { trees } = await rendered([take()], both);
    expect(trees.join("\n")).toContain(
      '<route><name>10.100.0.0/16</name><next-hop operation="delete">st0.3</next-hop></route>',
    );
  });

  const ppk = { secretId: "https://v/secrets/ppk/1", id: "hub", use: "offered" } as const;
  const unfit: readonly (readonly [string, Partial<TunnelSpec>, string])[] = [
    ["certificates", { auth: certificate() }, "device.unsupported"],
    ["IPv6", { remotePrefixes: ["2001:db8::/32"] }, "device.unsupported"],
    ["IKEv1", { ikeVersion: "v1" }, "device.unsupported"],
    ["an identity of ours", { localId: "edge.example" }, "device.unsupported"],
    ["an identity of the gateway", { remoteId: "gw.example" }, "device.unsupported"],
    ["dead peer detection", { dpdSeconds: 60 }, "device.unsupported"],
    ["a PPK", { auth: { ...tunnel.auth, ppk } }, "device.unsupported"],
    ["a loose prefix", { remotePrefixes: ["10.100.0.1/16"] }, "device.rejected"],
    ["a long name", { name: "h".repeat(33) }, "device.rejected"],
    ["group 1", { ike: { ...tunnel.ike, dhGroup: "modp-768" } }, "device.unsupported"],
    ["MD5", { transforms: esp({ integrity: "md5" }) }, "device.unsupported"],
    ["DES", { transforms: esp({ encryption: "des-cbc" }) }, "device.unsupported"],
    ["a life of two days", { life: { seconds: 172_000, kilobytes: 1_024 } }, "device.rejected"],
    ["an address that no interface has", { localAddress: "198.51.100.7" }, "device.rejected"],
    ["the gateway of another", { remoteAddress: "192.0.2.9" }, "device.rejected"],
    ["the prefix of another", { remotePrefixes: ["0.0.0.0/0"] }, "device.rejected"],
    ["a PSK without a version", { auth: { kind: "psk", secretId: "psk" } }, "device.rejected"],
    ["the name of another VPN", { name: "BRANCH" }, "device.rejected"],
  ];

  it.each(unfit)("a tunnel with %s is refused", async (_what, over, code) => {
    const error = await refusal([put(over)]);
    expect(error).toMatchObject({ code, effect: "none" });
    expect(error.message).not.toContain(pskText);
  });

  it("a tunnel is refused if a policy of the operator has its name and no VPN does", async () => {
    const stray = inner.replace(/<vpn><name>hub-1<[\s\S]*?<\/vpn>/, "");
    expect((await refusal([put()], stray)).code).toBe("device.rejected");
  });
});

function certificate(): TunnelSpec["auth"] {
  return { kind: "certificate", secretId: "c", authoritiesId: "a", peer: "CN=gw" };
}

function esp(over: Partial<TunnelSpec["transforms"]>): TunnelSpec["transforms"] {
  return { ...tunnel.transforms, ...over };
}

describe("SAs", () => {
  const at = 5 as Instant;
  const ikeText = (state: string): string =>
    `<rpc-reply><ike-security-associations-information><ike-security-associations-block>
     <ike-sa-remote-address>203.0.113.1</ike-sa-remote-address><ike-gw-name>hub-1</ike-gw-name>
     <ike-security-associations><ike-sa-state>${state}</ike-sa-state></ike-security-associations>
     </ike-security-associations-block></ike-security-associations-information></rpc-reply>`;
  const saText = (direction: string, spi: string, soft = "Expires in 9 seconds"): string =>
    `<ipsec-security-associations><sa-direction>${direction}</sa-direction><sa-spi>${spi}</sa-spi>
     <sa-soft-lifetime>${soft}</sa-soft-lifetime>
     <sa-authentication-algorithm>aes256-gcm</sa-authentication-algorithm>
     <sa-encryption-algorithm>aes-gcm (256 bits)</sa-encryption-algorithm>
     </ipsec-security-associations>`;
  const blockText = (sas: string): string =>
    `<rpc-reply><ipsec-security-associations-information><ipsec-security-associations-block>
     <sa-vpn-name>hub-1</sa-vpn-name><sa-pfs-group>DH-group-20</sa-pfs-group>${sas}
     </ipsec-security-associations-block></ipsec-security-associations-information></rpc-reply>`;
  const passedText = `<rpc-reply><interface-information><logical-interface><name>st0.3</name>
    <traffic-statistics><input-packets>7</input-packets><output-packets>9</output-packets>
    </traffic-statistics></logical-interface></interface-information></rpc-reply>`;

  async function states(ike: string, sas: string) {
    const [ikeSas, ipsecSas, passed] = await Promise.all([read(ike), read(sas), read(passedText)]);
    const answered = <T>(value: T | undefined) =>
      value === undefined ? ({ why: "unparsed" } as const) : { value };
    const answers = {
      ikeSas: answered(readIkeSas(ikeSas)),
      ipsecSas: answered(readIpsecSas(ipsecSas)),
      passed: answered(readPassed(passed)),
    };
    return tunnelStates(await tunnelsOf(), answers, at);
  }

  it("SAs are reported by VPN, each way, with the packets of its unit", async () => {
    const pair = saText("inbound", "9c2f0001") + saText(">".replace(">", "&gt;"), "0xA2");
    const [own, other] = await states(ikeText("UP"), blockText(pair));
    expect(own?.ike).toMatchObject({ kind: "known", value: "established" });
    expect(own?.sas).toMatchObject({
      kind: "known",
      value: [
        { spi: 0x9c2f0001, direction: "in", packets: 7n, transforms: tunnel.transforms },
        { spi: 0xa2, direction: "out", packets: 9n, phase: "installed" },
      ],
    });
    expect(other).toMatchObject({ ike: { value: "down" }, sas: { kind: "known", value: [] } });
  });

  it("SAs that are past their soft lifetime are reported as rekeyed", async () => {
    const [own] = await states(ikeText("UP"), blockText(saText("inbound", "1", "Expired")));
    expect(own?.sas).toMatchObject({ value: [{ phase: "rekeyed" }] });
  });

  it.each([
    ["counter-based enabled", "on"],
    ["Disabled", "off"],
    ["who knows", undefined],
  ])("SAs that receive report anti-replay if it is %j", async (service, antiReplay) => {
    const pair = saText("inbound", "1") + saText("outbound", "2");
    const reported = `<sa-anti-replay-service>${service}</sa-anti-replay-service><sa-spi>`;
    const [own] = await states(ikeText("UP"), blockText(pair.replaceAll("<sa-spi>", reported)));
    const sas = own?.sas.kind === "known" ? own.sas.value : [];
    expect(sas.map((sa) => sa.antiReplay)).toEqual([antiReplay, undefined]);
  });

  it("SAs end when their hard lifetime does, if it is reported", async () => {
    const ends = (spi: string, text: string): string =>
      saText("inbound", spi).replace("<sa-spi>", text);
    const reported = "<sa-hard-lifetime>Expires in 26000 seconds</sa-hard-lifetime><sa-spi>";
    const [own] = await states(
      ikeText("UP"),
      blockText(ends("1", reported) + ends("2", "<sa-spi>")),
    );
    const sas = own?.sas.kind === "known" ? own.sas.value : [];
    expect(sas.map((sa) => sa.endsInMs)).toEqual([26_000_000, undefined]);
  });

  it.each(["DOWN", "", "UP!"])("SAs of IKE in the state %j are not established", async (state) => {
    const [own] = await states(ikeText(state), blockText(""));
    expect(own?.ike).toMatchObject({ value: "connecting" });
  });

  it("SAs are not understood as a whole if one of them is not", async () => {
    const [own] = await states(ikeText("UP"), blockText(saText("inbound", "1") + saText("?", "2")));
    expect(own?.sas).toEqual({ kind: "unknown", why: "unparsed", at });
  });

  /** Two nodes of a cluster, each with what is inside `<rpc-reply>`. */
  const nodes = (...replies: readonly string[]): string => {
    const items = replies.map((reply, index) => {
      const inside = reply.replaceAll(/<\/?rpc-reply>/g, "");
      return `<multi-routing-engine-item><re-name>node${index}</re-name>${inside}
        </multi-routing-engine-item>`;
    });
    return `<rpc-reply><multi-routing-engine-results>${items.join("")}
      </multi-routing-engine-results></rpc-reply>`;
  };
  const noIke = "<rpc-reply><ike-security-associations-information/></rpc-reply>";
  const noSas = "<rpc-reply><ipsec-security-associations-information/></rpc-reply>";

  it("SAs of two nodes of a cluster are never merged", async () => {
    const [pair, others] = [
      blockText(saText("inbound", "1") + saText("outbound", "2")),
      blockText(saText("inbound", "3") + saText("outbound", "2")),
    ];
    const [one] = await states(nodes(ikeText("UP"), noIke), nodes(pair, noSas));
    expect(one).toMatchObject({ ike: { value: "established" }, sas: { kind: "known" } });
    const [same] = await states(nodes(ikeText("UP"), ikeText("UP")), nodes(pair, pair));
    expect(same?.ike).toMatchObject({ value: "established" });
    expect(same?.sas).toMatchObject({ value: [{ spi: 1 }, { spi: 2 }] });
    const [differ] = await states(nodes(ikeText("UP"), ikeText("DOWN")), nodes(pair, others));
    expect(differ?.ike).toMatchObject({ kind: "unknown", why: "unparsed" });
    expect(differ?.sas).toMatchObject({ kind: "unknown", why: "unparsed" });
    const broken = blockText(saText("?", "1"));
    for (const answers of [nodes(pair, broken), nodes(broken, pair), nodes(broken, broken)]) {
      expect((await states(ikeText("UP"), answers))[0]?.sas).toMatchObject({ kind: "unknown" });
    }
  });

  it("SAs are not understood if the router counts more tunnels than it lists", async () => {
    const counted = (total: string): string =>
      blockText(saText("inbound", "1")).replace(
        "<ipsec-security-associations-block>",
        `<total-active-tunnels>${total}</total-active-tunnels>$&`,
      );
    expect((await states(ikeText("UP"), counted("1")))[0]?.sas).toMatchObject({ kind: "known" });
    for (const total of ["2", "many"]) {
      expect((await states(ikeText("UP"), counted(total)))[0]?.sas).toMatchObject({
        kind: "unknown",
      });
    }
  });

  it("SAs without a reported group have an unknown one", async () => {
    const text = blockText(saText("inbound", "1")).replace(/<sa-pfs-group>.*?<\/sa-pfs-group>/, "");
    const [own] = await states(ikeText("UP"), text);
    expect(own?.sas).toMatchObject({ value: [{ transforms: { dhGroup: "unknown" } }] });
  });

  it("routes that lead into a tunnel's unit are reported, in use or not", async () => {
    const text = `<rpc-reply><route-information><rt><rt-destination>10.100.0.0/16</rt-destination>
      <rt-entry><active-tag>*</active-tag><nh><via>st0.3</via></nh></rt-entry></rt>
      <rt><rt-destination>10.0.0.0/8</rt-destination><rt-entry><nh><to>192.0.2.1</to></nh>
      </rt-entry></rt></route-information></rpc-reply>`;
    const routes = readTunnelRoutes(await read(text), new Map([["st0.3", "hub-1"]]));
    const via = { kind: "tunnel", name: "hub-1" };
    expect(routes).toEqual([{ prefix: "10.100.0.0/16", via, best: true }]);
  });
});

describe("IKE from a gateway", () => {
  const outer = "<external-interface>lo0.0</external-interface><version>v2-only</version>";
  const service = (name: string, more = ""): string =>
    `<host-inbound-traffic><system-services><name>${name}</name>${more}</system-services>
      </host-inbound-traffic>`;
  const zone = (inside: string, member = ""): string =>
    `<zones><security-zone><name>untrust</name>${inside}
      <interfaces><name>lo0.0</name>${member}</interfaces></security-zone>`;
  const obstacles = async (zoned: string) =>
    ikeObstacles(
      await tunnelsOf(
        inner.replace("<version>v2-only</version>", outer).replace("<zones>", zoned || "<zones>"),
      ),
    );
  const found = [{ kind: "ikeNotAdmitted", tunnel: "hub-1", interface: "lo0.0", zone: "untrust" }];

  it.each([
    ["its zone", zone(service("ike"))],
    ["its zone by a word for all", zone(service("all"))],
    ["its zone by a word for any", zone(service("any-service"))],
    ["its interface, in place of its zone", zone("", service("ike"))],
  ])("is admitted by %s", async (_where, zoned) => {
    expect(await obstacles(zoned)).toEqual([]);
  });

  it.each([
    ["nothing", zone("")],
    ["another service", zone(service("ssh"))],
    ["its zone, and not by its interface", zone(service("ike"), service("ssh"))],
    ["an exception", zone(service("ike", "<except/>"))],
  ])("is not admitted by %s", async (_where, zoned) => {
    expect(await obstacles(zoned)).toEqual(found);
  });

  it("is not admitted on an interface without a zone, and a foreign VPN is not named", async () => {
    expect(await obstacles("")).toEqual([{ ...found[0], zone: undefined }]);
    expect(ikeObstacles(await tunnelsOf(bare))).toEqual([]);
  });
});

describe("IPsec", () => {
  it.each([
    ["srx4600", "23.4R2.13", true],
    ["vsrx3", "24.2R1.17", true],
    ["srx345", "15.1X49-D170", false],
    ["mx480", "22.2R3.15", false],
    ["ptx10008", "23.4R2-S1.5-EVO", false],
  ])("IPsec on a %s with %s is offered: %s", (model, version, has) => {
    const { ipsec } = capabilitiesOf(junos.offers, { model, version });
    expect(ipsec !== undefined).toBe(has);
  });
});
