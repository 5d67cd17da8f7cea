// MACsec as EOS reports it. Undefined = nothing in the reply is understood.

import {
  type MacsecFrames,
  type MacsecSettings,
  type MkaParticipant,
  type MkaSession,
  type MkpduCounters,
  type PortName,
  parseCkn,
  type Sak,
} from "#hal/model.ts";
import {
  counterIn,
  flagIn,
  type JsonRecord,
  listIn,
  numberIn,
  parse,
  recordIn,
  rowsIn,
  textIn,
} from "../platform/json.ts";
import { emptySession } from "../platform/router-observation.ts";
import { isPort } from "./names.ts";

/** Returns the rows by port; other interfaces are left out. */
export function readByPort(text: string): ReadonlyMap<PortName, JsonRecord> | undefined {
  const rows = rowsIn(parse(text), "interfaces");
  return rows && new Map(rows.filter(([name]) => isPort(name)));
}

/** The replies of two commands about one port; undefined = the reply does not mention the port. */
export interface ReportedPort {
  readonly security: JsonRecord | undefined;
  readonly participants: JsonRecord | undefined;
}

interface Actor extends MkaParticipant {
  readonly isPrincipal: boolean;
  readonly isKeyServer: boolean;
  /** Whether it sends under the SAK; undefined = not reported. */
  readonly transmits: boolean | undefined;
}

/**
 * What happens to data on the port. The first word is published; those for unprotected and dropped
 * data are inferred from the names of the settings. undefined = another word.
 */
function trafficOf(details: JsonRecord | undefined): "protected" | "clear" | "dropped" | undefined {
  const words = textIn(details, "traffic")?.toLowerCase() ?? "";
  if (words === "protected") return "protected";
  if (/\bunprotected\b/.test(words)) return "clear";
  return /^(?:dropped|blocked)$/.test(words) ? "dropped" : undefined;
}

/** Returns undefined if the reply mentions the port and is not understood. */
export function readSession(
  { security, participants }: ReportedPort,
  settings: MacsecSettings | undefined,
): MkaSession | undefined {
  const closed = settings?.policy === "mustSecure" ? "blocked" : "unprotected";
  if (security === undefined && participants === undefined) return emptySession(closed);
  const actors = actorsOf(participants);
  const isOpen = flagIn(security, "controlledPort");
  if (actors === undefined || isOpen === undefined || settings === undefined) return undefined;
  const details = recordIn(security, "details");
  const principal = actors.find((one) => one.isPrincipal && one.livePeers > 0);
  const saks = saksOf(security, details);
  const traffic = trafficOf(details);
  // An open port that does not say what happens to its data may send it in the clear.
  if (isOpen && traffic === undefined) return undefined;
  // A port that counts as open is secured only if a live peer is there and a key protects it.
  const isSecured =
    isOpen && traffic === "protected" && principal !== undefined && saks.latest !== undefined;
  const isClear = isOpen && traffic === "clear";
  const sends = saks.latest?.transmit === true && principal?.transmits !== false;
  return {
    controlledPort: isSecured ? "secured" : isClear ? "unprotected" : closed,
    principalCkn: principal?.ckn,
    participants: actors.map(({ ckn, state, livePeers, potentialPeers }) => {
      return { ckn, state, livePeers, potentialPeers };
    }),
    livePeers: principal?.livePeers ?? 0,
    // A peer is live once it has answered with our own identifier in its list.
    respondedPeers: principal?.livePeers ?? 0,
    keyServer: principal === undefined ? "none" : principal.isKeyServer ? "self" : "peer",
    keyServerPriority: numberIn(details, "keyServerPriority"),
    latestSak: saks.latest && { ...saks.latest, transmit: sends },
    oldSak: saks.old,
  };
}

const peersMax = 100;

function actorsOf(participants: JsonRecord | undefined): readonly Actor[] | undefined {
  const rows = participants === undefined ? [] : rowsIn(participants, "participants");
  if (rows === undefined) return undefined;
  const actors: Actor[] = [];
  for (const [name, one] of rows) {
    const ckn = parseCkn(name);
    const details = recordIn(one, "details");
    const listed = peersIn(details, "livePeerList");
    // A participant without success has no session, whatever peers are listed below it.
    const live = listed && (flagIn(one, "success") === false ? 0 : listed);
    const potential = peersIn(details, "potentialPeerList");
    const isPrincipal = flagIn(one, "principalActor");
    if (ckn === undefined || live === undefined || isPrincipal === undefined) return undefined;
    actors.push({
      ckn,
      state: live > 0 ? "live" : "active",
      livePeers: live,
      potentialPeers: potential ?? 0,
      isPrincipal,
      isKeyServer: flagIn(one, "electedSelf") === true,
      transmits: flagIn(details, "sakTransmit"),
    });
  }
  return actors;
}

function peersIn(details: JsonRecord | undefined, name: string): number | undefined {
  const list = listIn(details, name);
  if (list === undefined || list.length > peersMax) return undefined;
  const isNamed = list.every((one) => typeof one === "string" && one !== "");
  return isNamed ? new Set(list).size : undefined;
}

interface Saks {
  readonly latest: Sak | undefined;
  readonly old: Sak | undefined;
}

/** The SAK in use is reported beside the details, where it may already be the old one. */
function saksOf(security: JsonRecord | undefined, details: JsonRecord | undefined): Saks {
  const found = (["latest", "old"] as const).map((which): Sak | undefined => {
    const flat = {
      mi: textIn(details, `${which}KeyMsgId`),
      kn: numberIn(details, `${which}KeyMsgNum`),
      receive: flagIn(details, `${which}KeyReceiving`),
      transmit: flagIn(details, `${which}KeyTransmitting`),
    };
    const nested = recordIn(details, `${which}Key`);
    return sakOf({
      mi: flat.mi ?? textIn(nested, "msgId"),
      kn: flat.kn ?? numberIn(nested, "keyNum"),
      receive: flat.receive ?? flagIn(nested, "rxInstalled"),
      transmit: flat.transmit ?? flagIn(nested, "txInstalled"),
    });
  });
  const [latest, old] = found;
  const used = keyIdOf(textIn(security, "keyMsgId"), numberIn(security, "keyNum"));
  if (used === undefined) return { latest: undefined, old };
  const inUse = [latest, old].find((one) => one?.keyId === used);
  return { latest: inUse, old: inUse === old ? undefined : old };
}

function sakOf(reported: {
  readonly mi: string | undefined;
  readonly kn: number | undefined;
  readonly receive: boolean | undefined;
  readonly transmit: boolean | undefined;
}): Sak | undefined {
  const keyId = keyIdOf(reported.mi, reported.kn);
  if (keyId === undefined || reported.receive === undefined || reported.transmit === undefined) {
    return undefined;
  }
  return { an: undefined, keyId, receive: reported.receive, transmit: reported.transmit };
}

function keyIdOf(mi: string | undefined, kn: number | undefined): string | undefined {
  const isKey = mi !== undefined && /^[0-9a-f]{24}$/i.test(mi) && !/^0{24}$/.test(mi);
  if (!isKey || kn === undefined || !Number.isSafeInteger(kn)) return undefined;
  return `${mi.toLowerCase()}/${kn}`;
}

/**
 * Reads the counters of the port only; those that EOS reports of single SAs are not separated here.
 */
export function readFrames(reported: JsonRecord | undefined): MacsecFrames | undefined {
  const details = recordIn(reported, "countersDetail");
  const txProtected = counterIn(reported, "outPktsEncrypted");
  const rxOk = counterIn(details, "inPktsOK") ?? counterIn(reported, "inPktsDecrypted");
  if (txProtected === undefined || rxOk === undefined) return undefined;
  return {
    txProtected,
    // This counter includes MKPDUs.
    txClear: undefined,
    txTooLong: counterIn(details, "outPktsTooLong"),
    rxOk,
    rxClear: counterIn(details, "inPktsNoTag"),
    rxBadTag: counterIn(details, "inPktsBadTag"),
    rxNotValid: counterIn(details, "inPktsNotValid"),
    rxLate: counterIn(details, "inPktsLate"),
    rxNoSci: counterIn(details, "inPktsNoSCI"),
    rxUnknownSci: undefined,
    rxNotUsingSa: counterIn(details, "inPktsNotUsingSA"),
    rxUnusedSa: undefined,
    nextPn: undefined,
  };
}

const headings = ["Rx Success", "Rx Failure", "Tx Success", "Tx Failure"] as const;
const tableLinesMax = 10_000;

/**
 * Reads a table without JSON whose column names were published; it does not contain why a frame
 * failed.
 */
export function readMkpdus(text: string): ReadonlyMap<PortName, MkpduCounters> | undefined {
  const lines = text.split(/\r?\n/);
  if (lines.length > tableLinesMax) return undefined;
  const at = lines.findIndex((one) => one.startsWith("Interface"));
  const order = headings.every((name, index) => {
    const before = index === 0 ? "Interface" : (headings[index - 1] ?? "");
    return (lines[at]?.indexOf(name) ?? -1) > (lines[at]?.indexOf(before) ?? 0);
  });
  if (at < 0 || !order) return undefined;
  const counters = new Map<PortName, MkpduCounters>();
  for (const one of lines.slice(at + 1)) {
    const [name = "", ...cells] = one.trim().split(/\s+/);
    if (!isPort(name)) continue;
    const numbers = cells.map((cell) => (/^\d{1,19}$/.test(cell) ? BigInt(cell) : undefined));
    const [rx, rxFailed, tx] = numbers;
    if (cells.length !== headings.length || rx === undefined || rxFailed === undefined) {
      return undefined;
    }
    // Which of two rows about one port is true is not known.
    if (tx === undefined || counters.has(name)) return undefined;
    counters.set(name, {
      sent: tx,
      received: rx + rxFailed,
      icvFailed: undefined,
      unknownCkn: undefined,
      replayed: undefined,
    });
  }
  return counters;
}

/** Returns undefined if EOS does not report it. */
export function readLicence(text: string): "present" | "missing" | undefined {
  const isLicensed = flagIn(parse(text), "licenseEnabled");
  if (isLicensed === undefined) return undefined;
  return isLicensed ? "present" : "missing";
}
