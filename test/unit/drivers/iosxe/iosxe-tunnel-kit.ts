// Tunnels of a router with IOS XE, in its layout, with invented names.

import { readTunnels, type TunnelTexts, type XeTunnels } from "#drivers/iosxe/tunnel-config.ts";

export const texts: TunnelTexts = {
  interfaces: `interface Loopback0
 ip address 198.51.100.1 255.255.255.255
!
interface Loopback9
 vrf forwarding OTHER
 ip address 198.51.100.9 255.255.255.255
!
interface Tunnel3
 ip unnumbered Loopback0
 ip mtu 1400
 ip tcp adjust-mss 1360
 tunnel source 198.51.100.1
 tunnel mode ipsec ipv4
 tunnel destination 203.0.113.1
 tunnel protection ipsec profile hub-1
!
interface Tunnel7
 ip address 172.16.0.1 255.255.255.252
 tunnel source 198.51.100.1
 tunnel destination 192.0.2.9
 tunnel protection ipsec profile BRANCH
!
ip route 10.100.0.0 255.255.0.0 Tunnel3
ip route 0.0.0.0 0.0.0.0 192.0.2.254
!
`,
  ike: `crypto ikev2 proposal linkseal-198.51.100.1
 encryption aes-gcm-256
 prf sha384
 group 20
!
crypto ikev2 policy linkseal-198.51.100.1
 match address local 198.51.100.1
 proposal linkseal-198.51.100.1
!
crypto ikev2 keyring hub-1
 peer hub-1
  description psk hub-1-psk/0f1e2d3c4b5a69780f1e2d3c4b5a6978
  address 203.0.113.1
 !
!
crypto ikev2 profile hub-1
 match address local 198.51.100.1
 match identity remote address 203.0.113.1 255.255.255.255
 identity local address 198.51.100.1
 authentication remote pre-share
 authentication local pre-share
 keyring local hub-1
 lifetime 28800
!
`,
  ipsec: `crypto ipsec transform-set hub-1 esp-gcm 256
 mode tunnel
crypto ipsec profile hub-1
 set security-association lifetime kilobytes 102400000
 set security-association lifetime seconds 27000
 set transform-set hub-1
 set pfs group20
 set ikev2-profile hub-1
!
`,
};

export const none: TunnelTexts = {
  interfaces: texts.interfaces.replace(/interface Tunnel[\s\S]*$/, ""),
  ike: "",
  ipsec: "",
};

export function tunnelsOf(over: Partial<TunnelTexts> = {}): XeTunnels {
  const tunnels = readTunnels({ ...texts, ...over });
  if (tunnels === undefined) throw new Error("no configuration");
  return tunnels;
}

export const ikeText = (status: string): string => ` IPv4 Crypto IKEv2  SA

Tunnel-id Local                 Remote                fvrf/ivrf            Status
1         198.51.100.1/500      203.0.113.1/500       none/none            ${status}
      Encr: AES-GCM, keysize: 256, PRF: SHA384, Hash: None, DH Grp:20, Auth sign: PSK

 IPv6 Crypto IKEv2  SA
`;

const sa = (spi: string, left: number, status: string): string => `      spi: ${spi}
        transform: esp-gcm 256 ,
        in use settings ={Tunnel, }
        sa timing: remaining key lifetime (k/sec): (4259661/${left})
        replay detection support: Y
        Status: ${status}
`;

export const ipsecText = (inbound: string, outbound: string): string => `
interface: Tunnel3
    Crypto map tag: Tunnel3-head-0, local addr 198.51.100.1

   protected vrf: (none)
   local  ident (addr/mask/prot/port): (0.0.0.0/0.0.0.0/0/0)
    #pkts encaps: 9, #pkts encrypt: 9, #pkts digest: 9
    #pkts decaps: 7, #pkts decrypt: 7, #pkts verify: 7

     PFS (Y/N): Y, DH group: group20

     inbound esp sas:
${inbound}
     inbound ah sas:

     inbound pcp sas:

     outbound esp sas:
${outbound}
     outbound ah sas:
`;

export const pairText = (status = "ACTIVE(ACTIVE)"): string =>
  ipsecText(
    sa("0x15AF1474(363795572)", 25, status) + sa("0x9C2F0001(2620325889)", 2_577, status),
    sa("0xA2(162)", 2_577, status),
  );

export const routesText = `Codes: L - local, C - connected, S - static

Gateway of last resort is 192.0.2.254 to network 0.0.0.0

S*    0.0.0.0/0 [1/0] via 192.0.2.254
      10.0.0.0/8 is variably subnetted, 3 subnets, 2 masks
S        10.100.0.0/16 is directly connected, Tunnel3
                        is directly connected, Tunnel7
      172.16.0.0/24 is subnetted, 1 subnets
S        172.16.5.0 is directly connected, Tunnel3
`;
