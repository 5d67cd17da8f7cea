// What vendors tell of tunnels: a row that is not understood makes the answer unknown, and is not
// one SA, connection or route less.

import { describe, expect, it } from "vitest";
import * as eos from "#drivers/eos/tunnel-parsers.ts";
import * as iosxe from "#drivers/iosxe/tunnel-parsers.ts";
import * as junos from "#drivers/junos/tunnel-parsers.ts";
import { readXml } from "#drivers/transport/xml.ts";

const names = new Map([
  ["Tunnel1", "hub-1"],
  ["st0.1", "hub-1"],
]);

describe("tunnels of IOS XE", () => {
  it("a row of IOS XE without an IKE SA makes the reply not understood", () => {
    const head = [
      " IPv4 Crypto IKEv2  SA\n",
      "Tunnel-id Local                 Remote                fvrf/ivrf  Status\n",
    ].join("\n");
    const row = "1         192.0.2.1/4500        203.0.113.1/4500      none/none  READY\n";
    const reported = (rows: string) => iosxe.readIkeSas(`${head}${rows}\n IPv6 Crypto IKEv2  SA\n`);
    expect(reported(row)).toHaveLength(1);
    expect(reported(`${row}${row.replace(" READY", "")}`)).toBeUndefined();
    expect(reported(row.replace("203.0.113.1/4500", "hub"))).toBeUndefined();
  });

  it("an interface of IOS XE without a whole flow makes its SAs unknown", () => {
    const flow = "interface: Tunnel1\n    Crypto map tag: Tunnel1-head-0, local addr 192.0.2.1\n";
    const counted =
      "    #pkts encaps: 5, #pkts encrypt: 5\n    #pkts decaps: 6, #pkts decrypt: 6\n";
    const lists = "     inbound esp sas:\n     outbound esp sas:\n     outbound ah sas:\n";
    const sa = "     inbound esp sas:\n      spi: 0x1(1)\n";
    expect(iosxe.readIpsecSas(`${flow}${counted}${lists}`)?.get("Tunnel1")?.sas).toEqual([]);
    expect(iosxe.readIpsecSas(`${flow}${counted}`)?.get("Tunnel1")?.sas).toBeUndefined();
    const reported = iosxe.readIpsecSas(`${flow}${sa}`);
    expect(reported?.has("Tunnel1")).toBe(true);
    expect(reported?.get("Tunnel1")?.sas).toBeUndefined();
  });

  it("a row of IOS XE without a route makes the reply not understood", () => {
    const head = "Codes: L - local, S - static\n\nGateway of last resort is not set\n\n";
    const reported = (row: string): unknown => iosxe.readTunnelRoutes(`${head}${row}\n`, names);
    const via = { kind: "tunnel", name: "hub-1" };
    const route = "10.1.0.0/16 is directly connected, Tunnel1";
    expect(reported(`S        ${route}`)).toEqual([{ prefix: "10.1.0.0/16", via, best: true }]);
    expect(reported(`S   %    ${route}`)).toEqual([{ prefix: "10.1.0.0/16", via, best: true }]);
    expect(reported(`S        10.1 is directly connected, Tunnel1`)).toBeUndefined();
    expect(reported(`         ${route.replace("10.1.0.0/16", "")}`)).toBeUndefined();
  });
});

describe("tunnels of others", () => {
  it("an incomplete connection of EOS makes all connections unknown", () => {
    const ends = "  Source address: 192.0.2.1, Destination address: 203.0.113.1\n";
    const one = `Tunnel1:\n${ends}    State: established\n`;
    expect(eos.readConnections(one)?.get("Tunnel1")).toHaveLength(1);
    expect(eos.readConnections(`${one}    State: established\n`)).toBeUndefined();
    expect(eos.readConnections(`${one}Tunnel2:\n    State: established\n`)).toBeUndefined();
    expect(eos.readConnections(`Tunnel1:\n${ends}    State: policyBasedTunnel\n`)?.size).toBe(0);
  });

  it("an incomplete route of EOS makes all routes unknown", () => {
    const reported = (routes: object): unknown =>
      eos.readTunnelRoutes(JSON.stringify({ vrfs: { default: { routes } } }), names);
    const vias = [{ interface: "Tunnel1" }];
    expect(reported({ "10.1.0.0/16": { vias } })).toHaveLength(1);
    expect(reported({ nonsense: { vias } })).toBeUndefined();
    expect(reported({ "10.1.0.0/16": {} })).toBeUndefined();
  });

  it("a Junos SA without a VPN or a route without a prefix makes the reply unknown", async () => {
    const read = (text: string) => readXml(new TextEncoder().encode(`<r>${text}</r>`), "nowhere");
    const list = (block: string) =>
      read(
        "<ipsec-security-associations-information><ipsec-security-associations-block>" +
          `${block}</ipsec-security-associations-block></ipsec-security-associations-information>`,
      );
    expect(junos.readIpsecSas(await list("<sa-vpn-name>hub</sa-vpn-name>"))?.size).toBe(1);
    expect(junos.readIpsecSas(await list("<sa-pfs-group>N/A</sa-pfs-group>"))).toBeUndefined();
    const route = (prefix: string) =>
      read(
        `<route-information><route-table><rt><rt-destination>${prefix}</rt-destination><rt-entry>` +
          "<active-tag>*</active-tag><nh><via>st0.1</via></nh></rt-entry></rt></route-table>" +
          "</route-information>",
      );
    expect(junos.readTunnelRoutes(await route("10.1.0.0/16"), names)).toHaveLength(1);
    expect(junos.readTunnelRoutes(await route("hub"), names)).toBeUndefined();
  });

  it("a Junos SA whose VPN has no name makes the reply unknown", async () => {
    const information = "ipsec-security-associations-information";
    const text =
      `<r><${information}><ipsec-security-associations-block><sa-vpn-name></sa-vpn-name>` +
      `</ipsec-security-associations-block></${information}></r>`;
    const reply = await readXml(new TextEncoder().encode(text), "nowhere");
    expect(junos.readIpsecSas(reply)).toBeUndefined();
  });

  it.each(["<via>st0#.1</via>", "<via>st0.1</via><via>st0.1</via>"])(
    "a Junos route by %s makes all routes unknown: a route that is gone looks drained",
    async (via) => {
      const text =
        "<r><route-information><route-table><rt><rt-destination>10.1.0.0/16</rt-destination>" +
        `<rt-entry><active-tag>*</active-tag><nh>${via}</nh></rt-entry></rt></route-table>` +
        "</route-information></r>";
      const reply = await readXml(new TextEncoder().encode(text), "nowhere");
      expect(junos.readTunnelRoutes(reply, names)).toBeUndefined();
    },
  );
});
