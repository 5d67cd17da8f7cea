// A network with one object of each kind that the codecs read, built by `ip`.

import { ipBatch } from "../lab.ts";

const sak128 = "11".repeat(16);
const sak256 = "22".repeat(32);
/** Octets of a key that no dump may contain. */
export const keyPattern = "5a5a5a5a5a5a5a5a";
const espKey = (octets: number): string => `0x${"5a".repeat(octets)}`;
const peer = "02:00:00:00:00:0b";

const suites = [
  ["gcm-aes-128", sak128, "pn 10"],
  ["gcm-aes-256", sak256, "pn 10"],
  ["gcm-aes-xpn-128", sak128, "xpn 4294967300"],
  ["gcm-aes-xpn-256", sak256, "xpn 4294967300"],
] as const;

function macsec(index: number): string[] {
  const [suite, sak, packetNumber] = suites[index] ?? suites[0];
  const name = `ms${index}`;
  const port = index + 1;
  const extended = (ssci: number): string =>
    suite.includes("xpn") ? `ssci ${ssci} salt ${"33".repeat(12)}` : "";
  const rx = `macsec add ${name} rx port ${port} address ${peer}`;
  return [
    `link add link a0 name ${name} type macsec port ${port} cipher ${suite} encrypt on`,
    `macsec add ${name} tx sa 0 ${packetNumber} on ${extended(1)} key ${"a0".repeat(16)} ${sak}`,
    rx,
    `${rx} sa 0 ${packetNumber} on ${extended(2)} key ${"a0".repeat(16)} ${sak}`,
  ];
}

const links = [
  "link add a0 address 02:00:00:00:00:0a type veth peer name b0 address 02:00:00:00:00:0b",
  "link set a0 mtu 9000",
  "link set b0 mtu 9000",
  ...suites.flatMap((_, index) => macsec(index)),
  "link set ms0 type macsec replay on window 64 validate check send_sci off",
  "link add vrf7 type vrf table 7",
  "link set b0 master vrf7",
  "link add ipsec42 type xfrm dev a0 if_id 42",
  "link add link a0 name a0.5 type vlan id 5",
  "link add d0 type dummy",
  "link property add dev d0 altname dummy-of-the-site",
  "link set d0 alias spare group 3 txqueuelen 77",
  ...["a0", "b0", "ms0", "ms1", "ms2", "ms3", "vrf7", "ipsec42", "a0.5", "d0"].map(
    (name) => `link set ${name} up`,
  ),
];

const addresses = [
  "addr add 10.0.0.1/30 dev ms0 label ms0:1 brd +",
  "addr add 10.1.0.1 peer 10.1.0.2/32 dev d0 metric 50",
  "addr add 10.2.0.1/24 dev d0 valid_lft 4000 preferred_lft 3000",
  "addr add fd00:1::1/64 dev d0 nodad",
  "addr add fd00:2::1 peer fd00:2::2/128 dev d0 nodad",
  "addr add 10.3.0.1/24 dev b0",
];

const routes = [
  "route add 10.20.0.0/16 via 10.0.0.2 dev ms0 metric 5 src 10.0.0.1 mtu 1400 proto bgp",
  "route add 10.21.0.0/16 proto static nexthop via 10.2.0.2 dev d0 weight 3 nexthop via 10.0.0.2",
  "route add 10.22.0.0/16 via inet6 fd00:1::9 dev d0",
  "route add blackhole 10.23.0.0/16",
  "route add 10.24.0.0/16 dev d0 scope link table 1000 initcwnd 20 congctl reno quickack 1",
  "route add fd00:20::/32 via fd00:1::2 dev d0 metric 7 pref high",
  "route add unreachable fd00:21::/32",
  "route add fd00:22::/32 nexthop via fd00:1::2 dev d0 nexthop via fd00:1::3 dev d0 weight 2",
  "nexthop add id 9 via 10.2.0.9 dev d0",
  "route add 10.25.0.0/16 nhid 9",
];

const rules = [
  "rule add from 10.30.0.0/16 to 10.31.0.0/16 table 1000 priority 100",
  "rule add fwmark 0x1/0xff iif d0 oif ms0 lookup 7 priority 101 protocol bgp",
  "rule add uidrange 1000-1999 ipproto tcp sport 100-200 dport 179 unreachable priority 102",
  "rule add lookup main suppress_prefixlength 0 priority 103",
  "rule add goto 32766 priority 104",
];
const rulesIpv6 = ["rule add from fd00:30::/32 lookup 1000 priority 105 dsfield 0x10"];

const aead = `aead rfc4106(gcm(aes)) ${espKey(36)} 128`;
const cbc = `enc cbc(aes) ${espKey(32)} auth-trunc hmac(sha256) ${espKey(32)} 128`;

const states = [
  `10.0.0.1 dst 10.0.0.2 proto esp spi 0x1001 reqid 1 mode tunnel ${aead} if_id 42 dir out`,
  `10.0.0.2 dst 10.0.0.1 proto esp spi 0x1002 reqid 1 mode tunnel replay-window 32 ${aead} dir in`,
  `10.0.0.1 dst 10.0.0.3 proto esp spi 0x1003 reqid 2 mode transport ${cbc} sel dst 10.9.0.0/16`,
  `10.0.0.1 dst 10.0.0.4 proto esp spi 0x1004 reqid 3 mode tunnel flag esn replay-window 128 ` +
    `${cbc} encap espinudp 4500 4501 0.0.0.0`,
  `fd00:1::1 dst fd00:1::2 proto esp spi 0x1005 reqid 4 mode tunnel ${aead} mark 0x5 mask 0xff ` +
    "output-mark 0x6 limit byte-soft 1000 limit byte-hard 2000 limit time-hard 3600 tfcpad 1400",
].map((rest) => `xfrm state add src ${rest}`);

const policies = [
  "src 10.0.0.0/8 dst 10.9.0.0/16 dir out priority 100 if_id 42 " +
    "tmpl src 10.0.0.1 dst 10.0.0.2 proto esp reqid 1 mode tunnel",
  "src 10.9.0.0/16 dst 10.0.0.0/8 dir in priority 101 mark 0x5 mask 0xff " +
    "tmpl src 10.0.0.2 dst 10.0.0.1 proto esp reqid 1 mode tunnel level use",
  "src 10.9.0.0/16 dst 10.0.0.0/8 dir fwd action block priority 102 limit packet-hard 9",
  "src fd00:1::/64 dst fd00:9::/64 proto tcp dport 179 dir out " +
    "tmpl src fd00:1::1 dst fd00:1::2 proto esp spi 0x1005 reqid 4 mode transport",
].map((rest) => `xfrm policy add ${rest}`);

export function buildSite(): void {
  ipBatch([...links, ...addresses, ...routes, ...rules, ...states, ...policies]);
  ipBatch(rulesIpv6, "-6");
}
