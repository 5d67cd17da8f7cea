// The objects of a simulated router's SNMP agent, according to SNMPv2-MIB, IF-MIB and
// IEEE8021-SECY-MIB.

import type { CipherSuite, MacsecPort, PortName } from "#hal/model.ts";
import type { PortEndpoint } from "../mka/port-endpoint.ts";
import type { ReceiveSc } from "../mka/secy.ts";
import type { Router } from "../router/router.ts";
import { known } from "./router-facts.ts";

/** One object with its value; `oid` is dotted decimal. */
export type SnmpObject =
  | {
      readonly oid: string;
      readonly type: "integer" | "gauge" | "timeTicks" | "counter32" | "counter64";
      readonly value: bigint;
    }
  | { readonly oid: string; readonly type: "octets"; readonly value: Uint8Array }
  | { readonly oid: string; readonly type: "identifier"; readonly value: string };

const system = "1.3.6.1.2.1.1";
const ifTable = "1.3.6.1.2.1.2.2.1";
const ifNumber = "1.3.6.1.2.1.2.1.0";
const ifXTable = "1.3.6.1.2.1.31.1.1.1";
const ifTableLastChange = "1.3.6.1.2.1.31.1.5.0";
const ifStackStatus = "1.3.6.1.2.1.31.1.2.1.3";
const secy = "1.0.8802.1.1.3.1";

/** The interface types of IANAifType. */
const ethernet = 6n;
const macSecControlled = 231n;
/** The first numbers of rows that lie above a port, and of those that are beside the ports. */
const firstControlled = 1001;
const firstUnit = 1501;
const firstOther = 2001;
const gigabit = 1e9;
const hundredth = 10;

/** The way in which an agent numbers interfaces and writes their names. */
export interface SnmpForm {
  /** A number below the vendor's subtree of models that belongs to no model. */
  readonly systemObject: string;
  /** Returns the index of the first port, in a table that was made at this boot. */
  readonly firstPort: (bootedAt: number) => number;
  /** Returns the ifName of an interface; ifDescr is its whole name. */
  readonly shortName: (name: string) => string;
  /** Returns the name of the unit of a port that is beside it in the table. */
  readonly unitOf: (port: PortName) => string;
  /** Interfaces without a link. */
  readonly others: readonly string[];
  /** The agent has the rows of IEEE8021-SECY-MIB. */
  readonly hasSecy: boolean;
}

const asItIs = (name: string): string => name;

export const junosForm: SnmpForm = {
  systemObject: "1.3.6.1.4.1.2636.1.1.1.2.999999",
  firstPort: () => 501,
  shortName: asItIs,
  unitOf: (port) => `${port}.0`,
  others: ["lo0", "fxp0"],
  hasSecy: true,
};

export const eosForm: SnmpForm = {
  systemObject: "1.3.6.1.4.1.30065.1.3011.999999",
  firstPort: () => 1,
  shortName: asItIs,
  unitOf: (port) => `${port}.100`,
  others: ["Management1", "Loopback0"],
  hasSecy: false,
};

export const iosxrForm: SnmpForm = {
  systemObject: "1.3.6.1.4.1.9.1.999998",
  firstPort: () => 33,
  shortName: asItIs,
  unitOf: (port) => `${port}.100`,
  others: ["Null0", "Optics0/0/0/0", "MgmtEth0/RP0/CPU0/0"],
  hasSecy: false,
};

/** The kinds of interfaces that IOS XE does not shorten to their first two letters. */
const shortKinds: Readonly<Record<string, string>> = {
  TwentyFiveGigE: "Twe",
  FourHundredGigE: "Fou",
};
const bootMs = 60_000;

/** Without `snmp ifmib ifindex persist` the numbers are others after each boot. */
export const iosxeForm: SnmpForm = {
  systemObject: "1.3.6.1.4.1.9.1.999999",
  firstPort: (bootedAt) => 1 + (Math.floor(bootedAt / bootMs) % 7),
  shortName: (name) => name.replace(/^[A-Za-z]+/, (kind) => shortKinds[kind] ?? kind.slice(0, 2)),
  unitOf: (port) => `${port}.100`,
  others: ["GigabitEthernet0", "Null0"],
  hasSecy: false,
};

/** Numbers of interfaces have their kind in the highest octet. */
export const nxosForm: SnmpForm = {
  systemObject: "1.3.6.1.4.1.9.12.3.1.3.999999",
  firstPort: () => 0x1a_00_00_00,
  shortName: asItIs,
  unitOf: (port) => `${port}.100`,
  others: ["mgmt0", "loopback0"],
  hasSecy: false,
};

/** Returns the objects, in any order: the agent sorts them by identifier. */
export function snmpObjects(
  router: Router,
  bootedAt: number,
  form: SnmpForm,
): readonly SnmpObject[] {
  const ticks = BigInt(Math.max(0, Math.floor((router.wall() - bootedAt) / hundredth)));
  const first = form.firstPort(bootedAt);
  const ports = router.state().macsec.map((reported, index) => {
    return portOf(router, reported, { index, port: first + index });
  });
  const perPort = form.hasSecy ? 3 : 2;
  return [
    text(`${system}.1.0`, `${router.name}, a simulated router`),
    identifier(`${system}.2.0`, form.systemObject),
    number(`${system}.3.0`, "timeTicks", BigInt.asUintN(32, ticks)),
    text(`${system}.5.0`, router.name),
    number(ifNumber, "integer", BigInt(perPort * ports.length + form.others.length)),
    number(ifTableLastChange, "timeTicks", 0n),
    ...form.others.flatMap((name, index) => otherRow(firstOther + index, name, form, "")),
    ...ports.flatMap((port) => [
      ...interfaces(port, form),
      // An operator may write anything into a description, also the name of another port.
      ...otherRow(port.unit, form.unitOf(port.reported.port), form, port.reported.port),
      ...(form.hasSecy && known(port.reported.settings) !== undefined ? secyOf(port) : []),
    ]),
  ];
}

function otherRow(
  index: number,
  name: string,
  { shortName }: SnmpForm,
  alias: string,
): readonly SnmpObject[] {
  return [
    ...interfaceRow(index, name, ethernet, { admin: 1n, oper: 1n }),
    text(`${ifXTable}.1.${index}`, shortName(name)),
    text(`${ifXTable}.18.${index}`, alias),
  ];
}

interface Port {
  readonly reported: MacsecPort;
  readonly endpoint: PortEndpoint;
  readonly index: number;
  readonly controlled: number;
  readonly unit: number;
}

function portOf(
  router: Router,
  reported: MacsecPort,
  { index, port }: { readonly index: number; readonly port: number },
): Port {
  const endpoint = router.port(reported.port)?.endpoint;
  if (endpoint === undefined) throw new RangeError(`no port ${reported.port}`);
  const [controlled, unit] = [firstControlled + index, firstUnit + index];
  return { reported, endpoint, index: port, controlled, unit };
}

function number(
  oid: string,
  type: Exclude<SnmpObject["type"], "octets" | "identifier">,
  value: bigint,
): SnmpObject {
  return { oid, type, value };
}

const octets = (oid: string, value: Uint8Array): SnmpObject => ({ oid, type: "octets", value });

const text = (oid: string, value: string): SnmpObject =>
  octets(oid, new TextEncoder().encode(value));

const identifier = (oid: string, value: string): SnmpObject => ({ oid, type: "identifier", value });

function interfaces(port: Port, form: SnmpForm): readonly SnmpObject[] {
  const { reported, endpoint, index } = port;
  const admin = known(reported.admin) === "down" ? 2n : 1n;
  const oper = endpoint.linkUp() ? 1n : 2n;
  return [
    ...interfaceRow(index, reported.port, ethernet, { admin, oper }),
    ...highCapacity(port, form),
    ...(form.hasSecy ? controlledRow(port, { admin, oper }) : []),
  ];
}

function controlledRow(
  { reported, index, controlled }: Port,
  { admin, oper }: { readonly admin: bigint; readonly oper: bigint },
): readonly SnmpObject[] {
  const upper = known(reported.session)?.controlledPort === "blocked" ? 2n : oper;
  const name = `${reported.port}-controlled`;
  return [
    ...interfaceRow(controlled, name, macSecControlled, { admin, oper: upper }),
    text(`${ifXTable}.1.${controlled}`, name),
    // The controlled port is stacked on the common one (RFC 2863, 3.1.1).
    number(`${ifStackStatus}.0.${controlled}`, "integer", 1n),
    number(`${ifStackStatus}.${controlled}.${index}`, "integer", 1n),
    number(`${ifStackStatus}.${index}.0`, "integer", 1n),
  ];
}

function interfaceRow(
  index: number,
  name: PortName,
  type: bigint,
  { admin, oper }: { readonly admin: bigint; readonly oper: bigint },
): readonly SnmpObject[] {
  return [
    number(`${ifTable}.1.${index}`, "integer", BigInt(index)),
    text(`${ifTable}.2.${index}`, name),
    number(`${ifTable}.3.${index}`, "integer", type),
    number(`${ifTable}.7.${index}`, "integer", admin),
    number(`${ifTable}.8.${index}`, "integer", oper),
    number(`${ifTable}.9.${index}`, "timeTicks", 0n),
  ];
}

function highCapacity(
  { reported, endpoint, index }: Port,
  { shortName }: SnmpForm,
): readonly SnmpObject[] {
  const { tx, rx } = endpoint.counts();
  const megabits = BigInt(Math.round((endpoint.rate().lineBps / gigabit) * 1000));
  return [
    text(`${ifXTable}.1.${index}`, shortName(reported.port)),
    number(`${ifXTable}.6.${index}`, "counter64", rx.octets),
    number(`${ifXTable}.7.${index}`, "counter64", rx.frames),
    number(`${ifXTable}.10.${index}`, "counter64", tx.octets),
    number(`${ifXTable}.11.${index}`, "counter64", tx.frames),
    number(`${ifXTable}.15.${index}`, "gauge", megabits),
    text(`${ifXTable}.18.${index}`, ""),
    number(`${ifXTable}.19.${index}`, "timeTicks", 0n),
  ];
}

/** The rows of the suite table, by the identifiers that 802.1AE gives the suites. */
const suites: Readonly<Record<CipherSuite, string>> = {
  "gcm-aes-128": "0.128.194.0.1.0.0.1",
  "gcm-aes-256": "0.128.194.0.1.0.0.2",
  "gcm-aes-xpn-128": "0.128.194.0.1.0.0.3",
  "gcm-aes-xpn-256": "0.128.194.0.1.0.0.4",
};

function secyOf({ reported, endpoint, controlled: index }: Port): readonly SnmpObject[] {
  const settings = known(reported.settings);
  const frames = endpoint.frames();
  const suite = endpoint.liveSuite() ?? settings?.suite ?? "gcm-aes-128";
  const truth = (value: boolean | undefined): bigint => (value === true ? 1n : 2n);
  const sa = endpoint.secy.encodingSa();
  const counter = (place: string, value: bigint | undefined): readonly SnmpObject[] =>
    value === undefined ? [] : [number(`${secy}.2.${place}.${index}`, "counter64", value)];
  return [
    number(`${secy}.1.1.1.5.${index}`, "integer", 1n),
    number(`${secy}.1.1.1.6.${index}`, "integer", 3n),
    number(`${secy}.1.1.1.7.${index}`, "integer", truth(settings?.replayWindow !== undefined)),
    number(`${secy}.1.1.1.8.${index}`, "gauge", BigInt(settings?.replayWindow ?? 0)),
    identifier(`${secy}.1.1.1.9.${index}`, `${secy}.1.8.1.1.${suites[suite]}`),
    number(`${secy}.1.1.1.12.${index}`, "integer", truth(settings?.includeSci)),
    octets(`${secy}.1.1.1.15.${index}`, Buffer.from(endpoint.sci, "hex")),
    number(`${secy}.1.1.1.16.${index}`, "integer", truth(settings?.includeSci)),
    number(`${secy}.1.2.1.2.${index}`, "integer", sa === undefined ? 2n : 1n),
    ...(sa === undefined ? [] : [number(`${secy}.1.2.1.3.${index}`, "integer", BigInt(sa.an))]),
    // Every protected frame is encrypted too: integrity without confidentiality does not occur.
    ...counter("2.1.1", 0n),
    ...counter("2.1.4", frames.txProtected),
    ...endpoint.receiveScs().flatMap((sc) => receiveSc(index, sc)),
    ...counter("5.1.1", frames.txClear),
    ...counter("5.1.2", frames.txTooLong),
    ...counter("5.1.3", frames.rxClear),
    ...counter("5.1.5", frames.rxBadTag),
    ...counter("5.1.6", frames.rxUnknownSci),
    ...counter("5.1.7", frames.rxNoSci),
  ];
}

function receiveSc(index: number, sc: ReceiveSc): readonly SnmpObject[] {
  const row = `${index}.${[...Buffer.from(sc.sci, "hex")].join(".")}`;
  return [
    number(`${secy}.1.4.1.2.${row}`, "integer", sc.active ? 1n : 2n),
    number(`${secy}.2.4.1.2.${row}`, "counter64", BigInt(sc.notUsingSa)),
    number(`${secy}.2.4.1.4.${row}`, "counter64", BigInt(sc.notValid)),
    number(`${secy}.2.4.1.8.${row}`, "counter64", BigInt(sc.ok)),
  ];
}
