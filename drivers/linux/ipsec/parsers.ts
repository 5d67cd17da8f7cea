// Parsers for charon's answers about its SAs and connections, with limits and in the terms of the
// model.

import { LinksealError } from "#hal/error.ts";
import { foreignText } from "#hal/foreign-text.ts";
import type { IpsecSa, IpsecTunnel, Transforms } from "#hal/model.ts";
import type { IkeTransforms } from "#hal/tunnel-spec.ts";
import type { ViciSection } from "../../transport/vici-wire.ts";
import { reportedTransforms } from "./words.ts";

interface ChildSa {
  /** The name of its configuration. */
  readonly name: string;
  readonly id: string;
  readonly spiIn: number;
  readonly spiOut: number;
  readonly phase: IpsecSa["phase"] | "rising";
  readonly transforms: Transforms;
  /** Milliseconds since its last packet from the gateway, in whole seconds; undefined = none. */
  readonly quietMs: number | undefined;
}

export interface IkeSa {
  /** The name of its connection. */
  readonly name: string;
  readonly id: string;
  readonly state: "established" | "connecting" | "down";
  readonly version: "v1" | "v2";
  /** Whether a PPK is in its keys (RFC 8784). */
  readonly ppk: "used" | "unused";
  /** Which of its ends are behind a NAT (RFC 7296, 2.23): ESP travels in UDP then. */
  readonly nat: NonNullable<IpsecTunnel["nat"]>;
  readonly transforms: IkeTransforms;
  readonly children: readonly ChildSa[];
}

const nameLengthMax = 128;

function text(section: ViciSection, name: string): string | undefined {
  const value = section.get(name);
  if (value === undefined) return undefined;
  if (typeof value === "string" && value.length <= nameLengthMax) return value;
  throw unparsed(name);
}

function sectionsIn(section: ViciSection): readonly (readonly [string, ViciSection])[] {
  return [...section].flatMap(([name, value]) =>
    typeof value === "object" && "get" in value ? [[name, value] as const] : [],
  );
}

/** Reads one event of `list-sas`: IKE SAs under the names of their connections. */
export function readIkeSas(event: ViciSection): readonly IkeSa[] {
  return sectionsIn(event).map(([name, sa]) => {
    const children = sa.get("child-sas");
    const held = typeof children === "object" && "get" in children ? sectionsIn(children) : [];
    return {
      name,
      id: text(sa, "uniqueid") ?? "",
      state: ikeState(text(sa, "state")),
      version: text(sa, "version") === "1" ? "v1" : "v2",
      ppk: text(sa, "ppk") === "yes" ? "used" : "unused",
      nat: natOf(sa),
      transforms: transformsOf(sa),
      children: held.map(([, child]) => readChild(child)),
    };
  });
}

function transformsOf(section: ViciSection): IkeTransforms {
  return reportedTransforms({
    cipher: text(section, "encr-alg"),
    keyBits: text(section, "encr-keysize"),
    integrity: text(section, "integ-alg"),
    prf: text(section, "prf-alg"),
    group: text(section, "dh-group"),
  });
}

function natOf(sa: ViciSection): IkeSa["nat"] {
  const [here, there] = [text(sa, "nat-local") === "yes", text(sa, "nat-remote") === "yes"];
  if (here && there) return "both";
  if (here) return "local";
  return there ? "remote" : "none";
}

function ikeState(state = ""): IkeSa["state"] {
  switch (state) {
    // An IKE SA that was rekeyed lives on until the peer deletes it.
    case "ESTABLISHED":
    case "REKEYING":
    case "REKEYED":
      return "established";
    case "CREATED":
    case "CONNECTING":
      return "connecting";
    default:
      return "down";
  }
}

function readChild(child: ViciSection): ChildSa {
  const { encryption, integrity, dhGroup } = transformsOf(child);
  return {
    name: text(child, "name") ?? "",
    id: text(child, "uniqueid") ?? "",
    spiIn: spiOf(text(child, "spi-in")),
    spiOut: spiOf(text(child, "spi-out")),
    phase: childPhase(text(child, "state")),
    transforms: { encryption, integrity, dhGroup },
    quietMs: quietMsOf(text(child, "use-in")),
  };
}

function quietMsOf(reported: string | undefined): number | undefined {
  if (reported === undefined) return undefined;
  if (/^\d{1,12}$/.test(reported)) return Number(reported) * 1_000;
  throw unparsed("the age of a packet");
}

function spiOf(reported: string | undefined): number {
  if (reported === undefined) return 0;
  if (/^[0-9a-f]{1,8}$/i.test(reported)) return Number.parseInt(reported, 16);
  throw unparsed("an SPI");
}

function childPhase(state = ""): ChildSa["phase"] {
  switch (state) {
    case "INSTALLED":
    case "UPDATING":
      return "installed";
    case "REKEYING":
      return "rekeying";
    case "REKEYED":
      return "rekeyed";
    case "DELETING":
    case "DELETED":
    case "DESTROYING":
      return "deleting";
    default:
      return "rising";
  }
}

/** Reads the connections in one event of `list-conns`, with the names of their children. */
export function readConnections(
  event: ViciSection,
): readonly (readonly [name: string, children: readonly string[]])[] {
  return sectionsIn(event).map(([name, connection]) => {
    const children = connection.get("children");
    const held = typeof children === "object" && "get" in children ? sectionsIn(children) : [];
    return [name, held.map(([child]) => child)];
  });
}

/** Returns true if a connection in one event of `list-conns` may authenticate by a private key. */
export function usesPrivateKey(event: ViciSection): boolean {
  return sectionsIn(event).some(([, connection]) =>
    sectionsIn(connection).some(
      ([round, end]) => round.startsWith("local") && end.get("class") !== "pre-shared key",
    ),
  );
}

const keyIdLength = 40;
const keysMax = 1_000;

/** Reads the ids of private keys in the answer to `get-keys`. */
export function readKeyIds(answer: ViciSection): readonly string[] {
  const ids = answer.get("keys");
  if (!Array.isArray(ids)) return [];
  return ids.filter((id) => typeof id === "string" && id.length === keyIdLength).slice(0, keysMax);
}

export interface LogLine {
  /** The name of the connection that the line is about. */
  readonly name: string | undefined;
  /** The id of its IKE SA; absent = the line is about none. */
  readonly ikeSa?: string | undefined;
  readonly text: string;
}

export function readLogLine(event: ViciSection): LogLine {
  const line = event.get("msg");
  const [name, ikeSa] = ["ikesa-name", "ikesa-uniqueid"].map((key) => {
    const value = event.get(key);
    return typeof value === "string" && value.length <= nameLengthMax ? value : undefined;
  });
  return {
    ...{ name, ikeSa },
    text: typeof line === "string" ? foreignText(line) : "",
  };
}

/** Returns why charon refused a command; undefined = it was carried out. */
export function refusalOf(answer: ViciSection): string | undefined {
  if (answer.get("success") === "yes") return undefined;
  const why = answer.get("errmsg");
  return typeof why === "string" ? foreignText(why) : "no reason";
}

function unparsed(what: string): LinksealError {
  return new LinksealError("device.unparsed", `charon's answer makes no sense at: ${what}`, {
    effect: "none",
    where: "charon",
    next: "linkseal doctor",
  });
}
