// Frames without MACsec that neighbours send: control of the link itself, and data.

interface WireFrame {
  readonly kind: string;
  readonly is: "control" | "data";
  readonly octets: Uint8Array;
}

const leastBytes = 60;
/** A station that is neither end of the wire. */
const source = "020000000001";

/** Returns a frame of the least length: destination, what follows the source, and zeros. */
function frame(to: string, rest: string): Uint8Array {
  const octets = new Uint8Array(leastBytes);
  octets.set(Buffer.from(to + source + rest, "hex"));
  return octets;
}

const row = (kind: string, is: WireFrame["is"], to: string, rest: string): WireFrame => ({
  kind,
  is,
  octets: frame(to, rest),
});

/** Destinations of control, as hex. */
const group = {
  bridges: "0180c2000000",
  pause: "0180c2000001",
  slow: "0180c2000002",
  nearest: "0180c200000e",
  cdp: "01000ccccccc",
  pvst: "01000ccccccd",
} as const;
const broadcast = "ffffffffffff";
const station = "020000000002";

/** A length and the header of LLC; with SNAP, organisation and protocol follow. */
const spanningTree = "0026424203";
const snap = (protocol: string): string => `0026aaaa0300000c${protocol}`;
const vlan = "81000064";

/** One frame of each kind, as it goes on the wire without its checksum. */
export const wireFrames: readonly WireFrame[] = [
  row("LLDP", "control", group.nearest, "88cc"),
  row("LLDP in a VLAN", "control", group.nearest, `${vlan}88cc`),
  row("LACP", "control", group.slow, "8809"),
  row("spanning tree", "control", group.bridges, spanningTree),
  row("pause", "control", group.pause, "8808"),
  row("PTP, delay of a peer", "control", group.nearest, "88f7"),
  row("CDP", "control", group.cdp, snap("2000")),
  row("UDLD", "control", group.cdp, snap("0111")),
  row("PVST+", "control", group.pvst, snap("010b")),
  row("PVST+ in a VLAN", "control", group.pvst, vlan + snap("010b")),
  row("EAPOL", "control", group.bridges, "888e"),
  row("EAPOL to a station", "control", station, "888e"),
  row("ARP", "data", broadcast, "0806"),
  row("ARP in a VLAN", "data", broadcast, `${vlan}0806`),
  row("IPv4", "data", station, "0800"),
  row("IPv6", "data", station, "86dd"),
  row("MPLS", "data", station, "8847"),
  row("IS-IS", "data", "0180c2000014", "0026fefe03"),
  row("LLC to a station", "data", station, spanningTree),
  row("the group address behind the last of control", "data", "0180c2000010", "88cc"),
  row("the address behind PVST+", "data", "01000cccccce", snap("010b")),
  row("IPv4 to the address of LLDP", "data", group.nearest, "0800"),
  row("IPv6 to the address of spanning tree", "data", group.bridges, "86dd"),
  row("ARP to the address of LACP", "data", group.slow, "0806"),
  row("IPv4 to the address of CDP", "data", group.cdp, "0800"),
  row("a type that is no LLC, to the address of CDP", "data", group.cdp, "88cc"),
];
