// The one next write by hand at the ends of a link, from what both ends show now. A write never
// darkens a link that may carry unless it is drained beside a carrying sibling, and it names only a
// key that the other end was just seen to have.

import type { PeerState } from "#hal/device.ts";
import type { ErrorCode } from "#hal/error.ts";
import { type KeyRef, type MacsecPort, strongValue } from "#hal/model.ts";
import { settingsGaps } from "../health/verify.ts";
import { shortCkn } from "../model/ckn-text.ts";
import { type DesiredLink, linkId } from "../model/desired.ts";
import {
  drainOf,
  isBare,
  isDark,
  isStrong,
  type LinkSnapshot,
  portOf,
  securedBy,
} from "../model/link-snapshot.ts";
import { bareCauseText } from "../model/reason-text.ts";
import { doubtOf, type Sibling } from "../rotation/sibling.ts";
import { farEndGaps } from "./far-end-drift.ts";

/** Both ends as they were read for this one decision. */
export interface EndFacts {
  readonly link: DesiredLink;
  /** Its router and far end; undefined in it = that end could not be read now. */
  readonly snapshot: LinkSnapshot;
  /** The key of the journal; undefined = it has none. */
  readonly accepted: KeyRef | undefined;
  /** The pair that the far end names; undefined = none, or CAK and CKN of two pairs. */
  readonly named: KeyRef | undefined;
  /** A usable pair of the vault that the router holds, best the accepted one; undefined = none. */
  readonly held: KeyRef | undefined;
  /** The other links of its group. */
  readonly siblings: readonly Sibling[];
  /** False if the group has no means to drain. */
  readonly drains: boolean;
}

/** The next step of an operator. */
export type EndStep =
  /** Nothing is to be written; `next` = the command that goes on, null = none is needed. */
  | { readonly kind: "nothing"; readonly text: string; readonly next: string | null }
  | {
      readonly kind: "write";
      /** The end that gets the key, and the settings of the config. */
      readonly at: "farEnd" | "router";
      readonly key: KeyRef;
      readonly text: string;
    }
  /** A write is missing, or may be, and none is safe now. */
  | {
      readonly kind: "refused";
      readonly code: ErrorCode;
      readonly text: string;
      readonly next: string;
    };

/** Decides the next step of an operator at the ends of a link. */
export function endStep(facts: EndFacts): EndStep {
  const read = readEnds(facts);
  if ("kind" in read) return read;
  const { accepted, named, held } = facts;
  const { port, peer } = read;
  const isHeld = (key: KeyRef): boolean => holds(port, key);
  if (named !== undefined && isHeld(named)) return agreed(facts, read, named);
  // The far end has what the link is meant to use, so the router is the end that lost it.
  const isRouters = named !== undefined && named.cakSecretId === accepted?.cakSecretId;
  if (held !== undefined && !isRouters) {
    const what = named === undefined ? "names no pair" : `has ${keyText(named)}`;
    const text = `the far end ${what}, and the router holds ${keyText(held)}`;
    return farEndWrite(facts, read, held, text);
  }
  if (named !== undefined) {
    const text = `the far end has ${keyText(named)}, which the router lacks`;
    return guarded(facts, read, { kind: "write", at: "router", key: named, text });
  }
  const id = linkId(facts.link);
  if (peer.pointsAt === undefined && strongValue(port.keys)?.length === 0) {
    const forgets = accepted === undefined ? "" : `linkseal retire link ${id}, then `;
    const text = "neither end has a key";
    return { kind: "nothing", text, next: `${forgets}linkseal enrol ${facts.link.group}` };
  }
  const text = `${id}: neither end has a usable pair of the vault: no key can be named for both`;
  return { kind: "refused", code: "gate.leftoverKey", text, next: "linkseal keys check" };
}

interface Ends {
  readonly port: MacsecPort;
  readonly peer: PeerState;
  readonly state: NonNullable<LinkSnapshot["state"]>;
}

/** Without a full reading of both ends no write is named. */
function readEnds({ link, snapshot }: EndFacts): Ends | EndStep {
  const { state, peer } = snapshot;
  const id = linkId(link);
  const unread = (text: string, next: string): EndStep => ({
    ...{ kind: "refused", code: "gate.stale", text: `${id}: ${text}` },
    next: `linkseal explain ${next}`,
  });
  if (state === undefined) {
    return unread(`${link.device} cannot be read`, `device-unreachable ${link.device}`);
  }
  const port = portOf(state, link.port);
  if (port === undefined) return unread(`${link.device} shows no such port`, `port-absent ${id}`);
  const session = isBare(port) ? [] : [port.session];
  const own = [port.keys, ...session, port.settings, port.linkUp, state.routing];
  if (!own.every(isStrong)) {
    return unread(`${link.device} does not show all of ${link.port}`, `reading-missing ${id}`);
  }
  if (peer === undefined) return unread("the far end cannot be read", `far-end-unreadable ${id}`);
  if (peer.provisioning === "updating") {
    return unread("an operation of the far end still runs: wait for its end", `far-end-updating`);
  }
  return { state, port, peer };
}

/** Both ends have one key: at most the settings of the far end are to be written. */
function agreed(facts: EndFacts, ends: Ends, key: KeyRef): EndStep {
  const { link, accepted } = facts;
  const id = linkId(link);
  if (key.cakSecretId !== accepted?.cakSecretId) {
    const what = `both ends have ${keyText(key)}, of which linkseal has no record`;
    const text = `${what}: write to neither`;
    return { kind: "nothing", text, next: `linkseal adopt ${id}` };
  }
  const gaps = farEndGaps(link, key, ends.peer).filter(({ leaf }) => leaf !== "adminState");
  if (gaps.length > 0 || ends.peer.provisioning === "failed") {
    const what = gaps.map(({ text }) => text).join("; ") || "the last change of the far end failed";
    return farEndWrite(facts, ends, key, `${what}; both ends have ${keyText(key)}`);
  }
  const more = (strongValue(ends.port.keys) ?? []).filter(({ ckn }) => ckn !== key.ckn);
  const idle = securedBy(ends.port, key) ? more : [];
  const left = idle.map(({ ckn }) => `; ${shortCkn(ckn)} on the router is used by neither`);
  const text = `both ends have the accepted key${left.join("")}`;
  return { kind: "nothing", text, next: null };
}

/** A far end that gets settings which the router does not have would be parted from it. */
function farEndWrite(facts: EndFacts, ends: Ends, key: KeyRef, text: string): EndStep {
  const { link } = facts;
  const gaps = settingsGaps(link.settings, strongValue(ends.port.settings));
  const apart = gaps.find(({ leaf }) => leaf === "suite" || leaf === "includeSci");
  if (apart !== undefined) {
    const { leaf, observed, wanted } = apart;
    const why = `${leaf} of the router is ${observed}, and the config wants ${wanted}`;
    const next = "linkseal plan --accepted";
    return { kind: "refused", code: "gate.leftoverKey", text: `${linkId(link)}: ${why}`, next };
  }
  return guarded(facts, ends, { kind: "write", at: "farEnd", key, text });
}

/** A link that is dark already loses nothing; any other has to be drained beside its sibling. */
function guarded(facts: EndFacts, ends: Ends, write: Extract<EndStep, { kind: "write" }>): EndStep {
  const { link, siblings, drains } = facts;
  if (isDark(facts.snapshot)) return write;
  const id = linkId(link);
  const refused = (why: string, next: string): EndStep => ({
    ...{ kind: "refused", code: "gate.siblingUnhealthy", next },
    text: `${id} may carry: ${why}; ${write.text}`,
  });
  const doubt = doubtOf(siblings);
  if (siblings.length === 0) return refused("it has no sibling", `linkseal links ${link.group}`);
  if (doubt !== undefined) return refused(bareCauseText(doubt), `linkseal links ${link.group}`);
  if (drainOf(ends.state, link.port) === "on") return write;
  return drains
    ? refused("it is not drained", `linkseal drain ${id}`)
    : refused("its group has no means to drain", `linkseal explain noDrain`);
}

function holds(port: MacsecPort, { ckn }: KeyRef): boolean {
  return (strongValue(port.keys) ?? []).some((slot) => slot.ckn === ckn);
}

const keyText = ({ ckn, cakSecretId }: KeyRef): string =>
  `the key ${shortCkn(ckn)} (CAK version ${cakSecretId.split("/").at(-1) ?? ""})`;
