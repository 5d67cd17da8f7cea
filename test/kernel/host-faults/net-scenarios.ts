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
const secy = (suite: string) => ({
  kind: "macsec.protect",
  port,
  settings: { suite, includeSci: true, replayWindow: 64 },
});
const [shut, open] = [
  { kind: "port.shut", port },
  { kind: "port.open", port },
];
const carry = {
  kind: "ipsec.carry",
  link: { name: "hub-1", ifId: 42, mtu: 1400, prefixes: [hub] },
};
const drop = { kind: "ipsec.drop", name: "hub-1" };
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
  {
    ...{ name: "change the suite of a SecY", back: [secy("gcm-aes-256")] },
    ...{ change: [secy("gcm-aes-xpn-128")], how: "final" },
  },
  {
    ...{ name: "shut a port with a SecY, confirmed", back: [open] },
    ...{ change: [shut], how: "confirmed" },
  },
];

/** What the scenarios after the first with a SecY begin with. */
export const firstSecy = [secy("gcm-aes-256")];
export const needsSecy = ({ name }: NetScenario): boolean => /suite|with a SecY/.test(name);
