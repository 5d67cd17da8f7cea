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

/** The vendor's subtree of models; the last number here belongs to no model. */
const systemObject = "1.3.6.1.4.1.2636.1.1.1.2.999999";
const system = "1.3.6.1.2.1.1";
const ifTable = "1.3.6.1.2.1.2.2.1";
const ifNumber = "1.3.6.1.2.1.2.1.0";
const ifXTable = "1.3.6.1.2.1.31.1.1.1";
const ifStackStatus = "1.3.6.1.2.1.31.1.2.1.3";
const secy = "1.0.8802.1.1.3.1";

/** The interface types of IANAifType. */
const ethernet = 6n;
const macSecControlled = 231n;
const firstPort = 501;
const firstControlled = 1001;
const gigabit = 1e9;
const hundredth = 10;

/** Returns the objects, in any order: the agent sorts them by identifier. */
export function snmpObjects(router: Router, bootedAt: number): readonly SnmpObject[] {
  const ticks = BigInt(Math.max(0, Math.floor((router.wall() - bootedAt) / hundredth)));
  const ports = router.state().macsec.map((reported, index) => portOf(router, reported, index));
  return [
    text(`${system}.1.0`, `${router.name}, a simulated router`),
    identifier(`${system}.2.0`, systemObject),
    number(`${system}.3.0`, "timeTicks", BigInt.asUintN(32, ticks)),
    text(`${system}.5.0`, router.name),
    number(ifNumber, "integer", BigInt(2 * ports.length)),
    ...ports.flatMap((port) => [
      ...interfaces(port),
      ...(known(port.reported.settings) === undefined ? [] : secyOf(port)),
    ]),
  ];
}

interface Port {
  readonly reported: MacsecPort;
  readonly endpoint: PortEndpoint;
  readonly index: number;
  readonly controlled: number;
}

function portOf(router: Router, reported: MacsecPort, index: number): Port {
  const endpoint = router.port(reported.port)?.endpoint;
  if (endpoint === undefined) throw new RangeError(`no port ${reported.port}`);
  return { reported, endpoint, index: firstPort + index, controlled: firstControlled + index };
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

function interfaces({ reported, endpoint, index, controlled }: Port): readonly SnmpObject[] {
  const admin = known(reported.admin) === "down" ? 2n : 1n;
  const oper = endpoint.linkUp() ? 1n : 2n;
  const upper = known(reported.session)?.controlledPort === "blocked" ? 2n : oper;
  const name = `${reported.port}-controlled`;
  return [
    ...interfaceRow(index, reported.port, ethernet, { admin, oper }),
    ...interfaceRow(controlled, name, macSecControlled, { admin, oper: upper }),
    ...highCapacity(reported, endpoint, index),
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
  reported: MacsecPort,
  endpoint: PortEndpoint,
  index: number,
): readonly SnmpObject[] {
  const { tx, rx } = endpoint.counts();
  const megabits = BigInt(Math.round((endpoint.rate().lineBps / gigabit) * 1000));
  return [
    text(`${ifXTable}.1.${index}`, reported.port),
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
