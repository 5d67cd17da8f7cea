// A port of this host as a MACsec port: the uncontrolled port that the config names, and the SecY
// on it, read from dumps of links, addresses, routes and SecYs.

import {
  type CipherSuite,
  type FailOpen,
  type KeyAgreement,
  known,
  type MacsecFrames,
  type MacsecPort,
  type MkaSession,
  type PortName,
  type PortRate,
  type Reading,
  type Sak,
  unknown,
} from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import type { PortSpeed } from "../netlink/ethtool.ts";
import type { Address } from "../netlink/rtnetlink-address.ts";
import { type Link, linkFlags } from "../netlink/rtnetlink-link.ts";
import { type Route, routeKinds } from "../netlink/rtnetlink-route.ts";
import type { MacsecDevice } from "./macsec.ts";
import {
  framesOf,
  keyAgreement,
  type SecySettings,
  saksOf,
  secySettings,
  suiteInUse,
} from "./secy.ts";

/** The kernel's dumps of one observation. */
export interface KernelObservation {
  /** The moment at which the observation began. */
  readonly at: Instant;
  /** All links, as dumped. */
  readonly links: readonly Link[];
  /** All addresses, as dumped. */
  readonly addresses: readonly Address[];
  /** All IPv4 and IPv6 routes, as dumped. */
  readonly routes: readonly Route[];
  /** undefined = the kernel has no MACsec, or did not answer. */
  readonly secys: readonly MacsecDevice[] | undefined;
  /** The line rates that ethtool reports; empty if the kernel does not report them. */
  readonly speeds: readonly PortSpeed[];
}

/** The controlled port, which the host's traffic goes through. */
export interface ControlledPort extends SecySettings {
  readonly name: PortName;
  readonly index: number;
  readonly up: boolean;
  readonly mtu: number | undefined;
  /** The name of the VRF that it belongs to. */
  readonly vrf: string | undefined;
  /** Each with its prefix length. */
  readonly addresses: readonly string[];
  readonly saks: readonly Sak[];
  readonly keyAgreement: KeyAgreement;
}

export interface PortReading {
  readonly port: MacsecPort;
  /** `undefined` inside a known reading: the port has no SecY. */
  readonly controlled: Reading<ControlledPort | undefined>;
}

/**
 * Reads one port; undefined if the host has no such port. Keys, session and MKPDUs, and with some
 * of them the settings as a whole, are known only to the MKA process of the port and stay unknown
 * here.
 */
export function readPort(
  name: PortName,
  observation: KernelObservation,
  before?: KernelObservation,
): PortReading | undefined {
  const link = observation.links.find((one) => one.name === name);
  if (link === undefined) return undefined;
  const { at } = observation;
  const observed = secyOn(link, observation);
  const controlled = map(observed, at, (secy) => controlledPort(secy, link, observation));
  const notOurs = unknown("notSupported", at);
  const bare = observed.kind === "known" && observed.value === undefined;
  return {
    controlled,
    port: {
      port: name,
      admin: known(isUp(link) ? "up" : "down", at),
      linkUp: linkUp(link, at),
      settings: controlled.kind === "unknown" ? controlled : bare ? known(undefined, at) : notOurs,
      liveSuite: map(observed, at, liveSuite),
      // A port without a SecY has nothing that a key could belong to.
      keys: bare ? known([], at) : notOurs,
      session: bare ? known(openPort, at) : notOurs,
      mkpdus: notOurs,
      frames: framesReading(observed, at),
      rate: rateOf(link, observation, before),
      failOpen:
        controlled.kind === "unknown" ? controlled : known(controlled.value?.failOpen ?? [], at),
      ...agreementOf(controlled, at),
    },
  };
}

/** A port without a SecY sends and receives everything unprotected. */
const openPort: MkaSession = {
  controlledPort: "unprotected",
  principalCkn: undefined,
  participants: [],
  livePeers: 0,
  respondedPeers: 0,
  keyServer: "none",
  keyServerPriority: undefined,
  latestSak: undefined,
  oldSak: undefined,
};

/** A SecY and its link. */
interface Secy {
  readonly link: Link;
  readonly device: MacsecDevice;
}

// This agent never makes more than one SecY on a port; if there are several, it is not known which
// of them carries the traffic.
function secyOn(below: Link, { links, secys, at }: KernelObservation): Reading<Secy | undefined> {
  const found = links.filter((one) => one.info?.kind === "macsec" && one.link === below.index);
  const [link] = found;
  if (link === undefined) return known(undefined, at);
  if (found.length > 1) return unknown("notSupported", at);
  const device = secys?.find((one) => one.link === link.index);
  return device === undefined ? unknown("queryFailed", at) : known({ link, device }, at);
}

function agreementOf(
  controlled: Reading<ControlledPort | undefined>,
  at: Instant,
): Pick<MacsecPort, "keyAgreement"> {
  if (controlled.kind === "unknown") return { keyAgreement: controlled };
  const { value } = controlled;
  return value === undefined ? {} : { keyAgreement: known(value.keyAgreement, at) };
}

/**
 * Returns `unparsed` for a SecY that cannot be understood, and a known `undefined` if there is
 * none.
 */
function map<T>(
  observed: Reading<Secy | undefined>,
  at: Instant,
  read: (secy: Secy) => T | "unparsed",
): Reading<T | undefined> {
  if (observed.kind === "unknown") return observed;
  if (observed.value === undefined) return known(undefined, at);
  const value = read(observed.value);
  return value === "unparsed" ? unknown("unparsed", at) : known(value, at);
}

function liveSuite({ device }: Secy): CipherSuite | undefined | "unparsed" {
  const settings = secySettings(device);
  return settings === undefined ? "unparsed" : suiteInUse(device);
}

function framesReading(observed: Reading<Secy | undefined>, at: Instant): Reading<MacsecFrames> {
  const frames = map(observed, at, ({ device }) => framesOf(device) ?? "unparsed");
  if (frames.kind === "unknown") return frames;
  return frames.value === undefined ? unknown("notSupported", at) : known(frames.value, at);
}

function controlledPort(
  { link, device }: Secy,
  below: Link,
  observation: KernelObservation,
): ControlledPort | "unparsed" {
  const settings = secySettings(device);
  const { name, index, mtu, master } = link;
  if (settings === undefined || name === undefined) return "unparsed";
  const vrf = observation.links.find((one) => one.index === master && one.info?.kind === "vrf");
  const saks = saksOf(device);
  return {
    ...settings,
    failOpen: [...settings.failOpen, ...openBelow(below, observation)],
    name,
    index,
    up: isUp(link),
    mtu,
    vrf: vrf?.name,
    addresses: observation.addresses.filter((one) => one.link === index).map(addressText),
    saks,
    keyAgreement: keyAgreement(saks),
  };
}

function addressText({ local, address, prefixLength }: Address): string {
  return `${local ?? address}/${prefixLength}`;
}

const stackedKinds: ReadonlySet<string> = new Set(["vlan", "macvlan", "macvtap", "ipvlan"]);

/**
 * Returns the links whose frames leave by the uncontrolled port in the clear, including that port.
 */
function inTheClear(below: Link, links: readonly Link[]): ReadonlySet<number> {
  const clear = new Set([below.index]);
  // The set grows while it is walked; a circle of links ends the walk all the same.
  for (const index of clear) {
    for (const link of links) {
      const kind = link.info?.kind;
      const stacked = link.link === index && kind !== undefined && stackedKinds.has(kind);
      const gathers = kind !== "vrf" && links.some((one) => isMember(one, index, link.index));
      if (stacked || gathers) clear.add(link.index);
    }
  }
  return clear;
}

function isMember({ index, master }: Link, member: number, of: number): boolean {
  return index === member && master === of;
}

function openBelow(below: Link, { links, addresses, routes }: KernelObservation): FailOpen[] {
  const clear = inTheClear(below, links);
  const leaves = ({ kind, outputLink, nextHops }: Route): boolean =>
    kind === routeKinds.unicast &&
    [outputLink, ...(nextHops ?? []).map(({ link }) => link)].some(
      (link) => link !== undefined && clear.has(link),
    );
  return [
    ...(addresses.some(({ link }) => clear.has(link))
      ? ["addressOnUncontrolledPort" as const]
      : []),
    ...(routes.some(leaves) ? ["routeOnUncontrolledPort" as const] : []),
  ];
}

function isUp({ flags }: Link): boolean {
  return (flags & linkFlags.up) !== 0;
}

function linkUp(link: Link, at: Instant): Reading<boolean> {
  if (!isUp(link)) return known(false, at);
  return link.carrier === undefined ? unknown("unparsed", at) : known(link.carrier, at);
}

/**
 * Returns the rates of the wire between two observations; counters that went back mean that this is
 * another port than before.
 */
function rateOf(
  link: Link,
  observation: KernelObservation,
  before: KernelObservation | undefined,
): Reading<PortRate> {
  const { at } = observation;
  const line = observation.speeds.find((one) => one.link === link.index);
  if (line === undefined) return unknown("notSupported", at);
  const old = before?.links.find((one) => one.index === link.index && one.name === link.name);
  const ms = before === undefined ? 0 : at - before.at;
  if (old === undefined || ms <= 0) return unknown("queryFailed", at);
  type Name = "rxPackets" | "txPackets" | "rxBytes" | "txBytes";
  const perSecond = (name: Name): number => {
    const [was, is] = [old.statistics?.[name], link.statistics?.[name]];
    if (was === undefined || is === undefined || is < was) return Number.NaN;
    return (Number(is - was) * 1000) / ms;
  };
  const rate: PortRate = {
    rxPps: perSecond("rxPackets"),
    txPps: perSecond("txPackets"),
    rxBps: 8 * perSecond("rxBytes"),
    txBps: 8 * perSecond("txBytes"),
    lineBps: line.bitsPerSecond,
  };
  const whole = Object.values(rate).every((value) => Number.isFinite(value));
  return whole ? known(rate, at) : unknown("queryFailed", at);
}
