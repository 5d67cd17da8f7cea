// Rows of queries that Cisco's platforms have alike: what they are sent for, and what is read. The
// platform adds the words, and how it is known that its replies look so.

import type { MacsecFrames, MkpduCounters, PortName, Route } from "#hal/model.ts";
import type { Attachment } from "./cisco-attachment.ts";
import type { CiscoConfig, CiscoNeighbour, Family } from "./cisco-config.ts";
import { readClock } from "./cisco-system.ts";
import {
  asIpv6,
  countMark,
  named,
  type QueryRow,
  type ReadResult,
  routesOf,
  type TableRow,
  timeText,
  unparsed,
  type Values,
  whole,
  withEntries,
  withFields,
} from "./query-table.ts";

type Of = Partial<Values>;
type Read<T> = (text: string) => T | undefined;
/** `port` undefined = the reply of any port. */
type ReadOf<T> = (text: string, port: PortName | undefined) => T | undefined;

const configuration = { reply: "configuration" } as const;

/** The clock. */
export const clockRow = {
  purpose: "Gives the device's time, against which the lifetimes of keys count.",
  read: (text: string) => named("time", timeText(readClock(text))),
} as const;

/** The ports. */
export const portsRow = (read: Read<Parameters<typeof withEntries>[1]>) =>
  ({
    purpose: "Gives link state and rates of every port.",
    read: (text: string) => withEntries("ports", read(text), ["linkUp", "rate"], "one"),
  }) as const;

/** The MKA sessions. */
export const sessionsRow = (read: Read<readonly object[]>) =>
  ({
    purpose: "Gives the MKA session of each key of each port, with live peers and SAKs.",
    read: (text: string) => named("pages", read(text)),
  }) as const;

/** The counters of MKPDUs of one port. */
export const mkpdusRow = (read: ReadOf<MkpduCounters>) =>
  ({
    purpose: "Counts the MKPDUs of a port, and those that were dropped, by reason.",
    read: (text: string, { port }: Of) =>
      withFields(read(text, port), "sent", "received", "icvFailed", "unknownCkn", "replayed"),
  }) as const;

/** The counters of frames of one port; `more`: those that not all platforms have. */
export const framesRow = (read: ReadOf<MacsecFrames>, ...more: readonly (keyof MacsecFrames)[]) =>
  ({
    purpose: "Counts protected frames and frames that were dropped, by reason.",
    read: (text: string, { port }: Of) =>
      withFields(
        read(text, port),
        ...(["txTooLong", "rxBadTag", "rxNotValid", "rxLate", "rxNoSci", "rxUnknownSci"] as const),
        ...["rxNotUsingSa" as const, ...more],
      ),
  }) as const;

/** The neighbours of BGP. */
export const peersRow = (read: Read<Parameters<typeof withEntries>[1]>) =>
  ({
    purpose: "Gives the state of every BGP session.",
    read: (text: string) => withEntries("peers", read(text)),
  }) as const;

/** The routes of one neighbour. */
const routesRow = (read: (text: string, port: PortName) => readonly Route[] | undefined) =>
  ({
    over: "peers",
    purpose: "Lists the routes from one neighbour, which shows whether a link is drained.",
    read: (text: string) => routesOf(read(text, "")),
  }) as const;

/**
 * The way to an address. A hop without an interface is looked up in the configuration, which is in
 * another reply.
 */
const wayRow = (
  read: (text: string, to: (hop: string) => string) => readonly string[] | undefined,
) =>
  ({
    over: "peers",
    purpose: "Gives the interfaces to an address: the management path of the agent.",
    read: (text: string) =>
      named(
        "interfaces",
        read(text, (hop) => `to ${hop}`),
      ),
  }) as const;

/** A ping. */
const probeRow = (
  read: (
    text: string,
    asked: { readonly address: string | undefined; readonly count: undefined },
  ) => object | undefined,
) =>
  ({
    over: "onDemand",
    purpose: "Sends packets to the far end's peering address, and counts the replies.",
    read: (text: string, { peer }: Of) => whole(read(text, { address: peer, count: undefined })),
  }) as const;

/** A route map. */
export const routeMapRow = (read: (text: string, name: string) => readonly object[] | undefined) =>
  ({
    ...configuration,
    over: "onDemand",
    purpose: "Gives a route map that a drain replaces, to put its statements behind our own.",
    read: (text: string, { name = "" }: Of) => named("entries", read(text, name)),
  }) as const;

/** All lines of the policies of MKA. */
export const policiesRow = (read: Read<readonly object[]>) =>
  ({
    ...configuration,
    purpose: "Gives all lines of the MACsec policies, among which `doctor` finds those of others.",
    read: (text: string) => named("policies", read(text)),
  }) as const;

type AttachedConfig = CiscoConfig<object, { readonly macsec: Attachment | "unread" | undefined }>;

/** The interfaces, where one line attaches MACsec. */
export const interfacesRow = (read: Read<AttachedConfig>) =>
  ({
    ...configuration,
    purpose: "Gives the addresses of interfaces and the MACsec that is attached to them.",
    read(text: string): ReadResult | undefined {
      const interfaces = read(text)?.interfaces;
      const unread = [...(interfaces ?? [])].filter(([, { macsec }]) => macsec === "unread");
      const gaps = unread.map(([name]) => unparsed(`interfaces ${name} macsec`));
      return interfaces && { value: { interfaces }, gaps };
    },
  }) as const;

/** BGP; `what` ends the purpose. */
export const bgpRow = (what: string, read: Read<CiscoConfig<object, unknown>>) =>
  ({
    ...configuration,
    purpose: `Gives the BGP neighbours${what}.`,
    read(text: string): ReadResult | undefined {
      const config = read(text);
      return config && { value: { localAs: config.localAs, neighbours: config.neighbours } };
    },
  }) as const;

type Known = Pick<QueryRow, "standing" | "source">;
type Place = Pick<CiscoNeighbour, "address" | "vrf">;

/** The queries about one neighbour, their readers, and how their layouts are known. */
interface NeighbourQueries<Q> {
  readonly routeTo: (address: string, vrf: string | undefined) => Q;
  readonly received: (family: Family, one: Place) => Q;
  readonly ping: (one: Place, count: number) => Q;
  readonly readRouteTo: Parameters<typeof wayRow>[0];
  readonly readRoutes: Parameters<typeof routesRow>[0];
  readonly readPing: Parameters<typeof probeRow>[0];
  readonly way: (family: Family) => Known;
  readonly routes: (family: Family) => Known;
  readonly probe: Known;
  /** The families whose pings have different words. */
  readonly pings: readonly Family[];
}

/** The rows about the neighbours of the router itself, or about those in its VRFs. */
export function neighbourRows<Q>(
  { routeTo, received, ping, ...about }: NeighbourQueries<Q>,
  inVrf: boolean,
): readonly TableRow<Q, string>[] {
  const families = ["ipv4", "ipv6"] as const;
  const of = (family: Family, address: string) => (family === "ipv6" ? asIpv6(address) : address);
  const inside = (vrf: string) => (inVrf ? vrf : undefined);
  return [
    ...families.map((family) => ({
      ask: ({ address, vrf }: Values) => routeTo(of(family, address), inside(vrf)),
      ...{ ...wayRow(about.readRouteTo), ...about.way(family) },
    })),
    ...families.map((family) => ({
      ask: ({ peer, vrf }: Values) => received(family, { address: peer, vrf: inside(vrf) }),
      ...{ ...routesRow(about.readRoutes), ...about.routes(family) },
    })),
    ...about.pings.map((family) => ({
      ask: ({ peer, vrf }: Values) =>
        ping({ address: of(family, peer), vrf: inside(vrf) }, countMark),
      ...{ ...probeRow(about.readPing), ...about.probe },
    })),
  ];
}
