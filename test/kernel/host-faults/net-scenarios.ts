// What linkseal-net is asked for while it is struck: one change each, with the way back.

interface Scenario {
  readonly name: string;
  readonly change: readonly object[];
  /** Takes the port or the host back to where the change began. */
  readonly back: readonly object[];
  /** `release`: only `linkseal guard --release` takes it back. */
  readonly release?: string;
  readonly how: "final" | "confirmed" | "rolledBack" | "expired";
}

export type NetScenario = Scenario;

const port = "wire";
const hub = "10.100.0.0/16";
const secy = (suite: string, includeSci = true) => ({
  kind: "macsec.protect",
  port,
  settings: { suite, includeSci, replayWindow: 64 },
});
const [shut, open] = [
  { kind: "port.shut", port },
  { kind: "port.open", port },
];
const carry = {
  kind: "ipsec.carry",
  link: { name: "hub-1", ifId: 42, mtu: 1400, prefixes: [hub] },
};
const withBgp = {
  kind: "ipsec.carry",
  link: {
    ...{ name: "hub-2", ifId: 43, mtu: 1400, prefixes: ["10.101.0.0/16"] },
    ends: { local: "169.254.21.2", peer: "169.254.21.1" },
  },
};
const [drop, dropWithBgp] = [
  { kind: "ipsec.drop", name: "hub-1" },
  { kind: "ipsec.drop", name: "hub-2" },
];
const backed = (ports: readonly string[]) => ({
  kind: "ipsec.back",
  backings: [{ prefix: hub, ports }],
});
const block = { kind: "ipsec.block", prefixes: [hub] };

/** In this order: a SecY stays once it was made for good, so ports without one come first. */
export const scenarios: readonly NetScenario[] = [
  { name: "shut a port", change: [shut], back: [open], how: "final" },
  { name: "shut a port, confirmed", change: [shut], back: [open], how: "confirmed" },
  { name: "shut a port, rolled back", change: [shut], back: [open], how: "rolledBack" },
  { name: "shut a port, never confirmed", change: [shut], back: [open], how: "expired" },
  {
    ...{ name: "make a SecY, never confirmed", back: [] },
    ...{ change: [secy("gcm-aes-256")], how: "expired" },
  },
  { name: "block a prefix", change: [block], back: [], release: hub, how: "final" },
  { name: "carry a tunnel", change: [carry], back: [drop], how: "final" },
  { name: "carry a tunnel, never confirmed", change: [carry], back: [drop], how: "expired" },
  { name: "carry a tunnel with BGP", change: [withBgp], back: [dropWithBgp], how: "final" },
  {
    ...{ name: "block a prefix, carry its tunnel and drop it", back: [], release: hub },
    ...{ change: [block, carry, drop], how: "final" },
  },
  {
    ...{ name: "shut a port and carry a tunnel, rolled back", back: [drop, open] },
    ...{ change: [shut, carry], how: "rolledBack" },
  },
  {
    ...{ name: "change the suite of a SecY", back: [secy("gcm-aes-256")] },
    ...{ change: [secy("gcm-aes-xpn-128")], how: "final" },
  },
  {
    ...{ name: "take the SCI out of the frames of a SecY", back: [secy("gcm-aes-256")] },
    ...{ change: [secy("gcm-aes-256", false)], how: "confirmed" },
  },
  {
    ...{ name: "let a prefix leave under a SecY", back: [backed([])] },
    ...{ change: [backed([port])], how: "final" },
  },
  {
    ...{ name: "shut a port with a SecY, confirmed", back: [open] },
    ...{ change: [shut], how: "confirmed" },
  },
];

/** What the scenarios after the first with a SecY begin with. */
export const firstSecy = [secy("gcm-aes-256")];
export const needsSecy = ({ name }: NetScenario): boolean => /(?:with|of|under) a SecY/.test(name);
