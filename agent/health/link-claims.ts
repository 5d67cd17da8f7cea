// What the readings of a router show of the claims about a link.

import type { MacsecPort, Reading } from "#hal/model.ts";
import {
  type ClaimName,
  claims,
  type Judgement,
  judge,
  type Looks,
  type Sight,
  sightOf,
} from "../model/claims.ts";
import { linkId } from "../model/desired.ts";
import {
  type Confidentiality,
  type Finding,
  finding,
  isSolid,
  type LinkEvidence,
  type Verdict,
} from "../model/health.ts";
import { hereOf } from "./end-names.ts";
import { isAnswered, receivedIn } from "./frames.ts";
import { type FrameCounter, rise, type SampleWindow } from "./sample-window.ts";

/** The evidence of a link, and the part of it that counts. */
export interface LinkView {
  readonly evidence: LinkEvidence;
  /** The newest observation; undefined = the router was never read, or lists no such port. */
  readonly newest: MacsecPort | undefined;
  readonly samples: SampleWindow | undefined;
}

type LinkLooks<C extends ClaimName> = Looks<C, undefined>;

/** What a fresh, strong reading says; a reading that is not one says nothing. */
function readOf<T>(
  { evidence: { now, settings } }: LinkView,
  reading: Reading<T> | undefined,
  says: (value: T) => boolean | undefined,
): Sight<undefined> {
  const isRead = reading !== undefined && isSolid(reading, now, settings.staleAfterMs);
  return sightOf(isRead ? says(reading.value) : undefined);
}

/** What a reading says that some platforms have no word for: they have no such state. */
function readWhereGiven<T>(
  view: LinkView,
  reading: Reading<T> | undefined,
  says: (value: T) => boolean,
): Sight<undefined> {
  if (view.newest !== undefined && reading === undefined) return sightOf(true);
  return readOf(view, reading, says);
}

function mustSecure(view: LinkView): LinkLooks<"must-secure"> {
  const { newest } = view;
  return {
    policy: () => readOf(view, newest?.settings, (value) => value?.policy === "mustSecure"),
    closed: () => readWhereGiven(view, newest?.failOpen, (ways) => ways.length === 0),
  };
}

function rose({ samples }: LinkView, name: FrameCounter): boolean | undefined {
  const oldest = samples?.oldest;
  if (samples === undefined || oldest === undefined) return undefined;
  return rise(oldest, samples.newest, name) > 0n;
}

function moves(view: LinkView): boolean | undefined {
  const both = [rose(view, "rxOk"), rose(view, "txProtected")];
  if (both.includes(undefined)) return undefined;
  return !both.includes(false) || isAnswered(view);
}

function isClear(view: LinkView): boolean | undefined {
  if (view.samples?.newest.frames.rxClear === undefined) return undefined;
  const clear = [rose(view, "rxClear"), rose(view, "txClear")];
  return clear.includes(undefined) ? undefined : !clear.includes(true);
}

function isUnreadable(view: LinkView): boolean | undefined {
  const received = receivedIn(view.samples);
  return received === undefined || received === "unsettled" ? undefined : received !== "readable";
}

function linkProtected(view: LinkView): LinkLooks<"link-protected"> {
  const { newest, evidence } = view;
  const welcome = [evidence.expected?.ckn, evidence.next?.ckn].filter((ckn) => ckn !== undefined);
  const frames = (says: (view: LinkView) => boolean | undefined): Sight<undefined> =>
    readOf(view, newest?.frames, () => says(view));
  return {
    ...mustSecure(view),
    secured: () =>
      readOf(
        view,
        newest?.session,
        ({ controlledPort, livePeers }) => controlledPort === "secured" && livePeers === 1,
      ),
    key: () =>
      readOf(view, newest?.session, ({ principalCkn: ckn }) => {
        return ckn === undefined ? undefined : welcome.includes(ckn);
      }),
    sak: () =>
      readOf(view, newest?.session, ({ latestSak, oldSak }) => {
        return [latestSak, oldSak].some((sak) => sak?.receive === true && sak.transmit);
      }),
    agreed: () => readWhereGiven(view, newest?.keyAgreement, (value) => value === "same"),
    suite: () => readOf(view, newest?.liveSuite, (s) => s === evidence.link.settings.suite),
    clear: () => frames(isClear),
    readable: () => frames(isUnreadable),
    moves: () => frames(moves),
  };
}

function whole(view: LinkView): Sight<undefined> {
  return readOf(view, view.newest?.settings, (value) => value?.confidentialityOffset === 0);
}

/** Returns whether the link carries traffic under MACsec. */
function judgeLink(view: LinkView): Judgement<"link-protected", undefined> {
  return judge("link-protected", linkProtected(view));
}

/** Returns whether the port sends and takes no data in the clear. */
function judgeMustSecure(view: LinkView): Judgement<"must-secure", undefined> {
  return judge("must-secure", mustSecure(view));
}

/** Returns whether the sent frames were encrypted; `unproven` = nothing shows either. */
export function sentOf(view: LinkView): "encrypted" | "readable" | "unproven" {
  const { kind } = judge("sent-encrypted", {
    ...mustSecure(view),
    whole: () => whole(view),
    suite: () => readOf(view, view.newest?.liveSuite, (suite) => suite !== undefined),
    sent: () => readOf(view, view.newest?.frames, () => rose(view, "txProtected") || undefined),
  });
  return ({ holds: "encrypted", refuted: "readable", unknown: "unproven" } as const)[kind];
}

/** Returns what the counters prove of the received frames; of their first octets, the offset. */
export function receivedOf(view: LinkView): Confidentiality | undefined {
  const received = receivedIn(view.samples);
  const { kind } = judge("received-encrypted", {
    whole: () => whole(view),
    decrypted: () => readOf(view, view.newest?.frames, () => received === "encrypted"),
  });
  return received === "encrypted" && kind !== "holds" ? "unproven" : received;
}

/**
 * The finding where a verdict says more than was seen: nothing else is found, and a fact that the
 * verdict claims was not seen. undefined = each was.
 */
export function unseenFinding(view: LinkView, verdict: Verdict): Finding | undefined {
  const { link } = view.evidence;
  const say = (says: string): Finding => {
    const text = `nothing shows of ${hereOf(link)} that ${says}`;
    return finding("unknown", "reading-missing", linkId(link), text);
  };
  if (verdict === "protected") {
    const found = judgeLink(view);
    return found.kind === "holds"
      ? undefined
      : say(claims["link-protected"].facts[found.fact].says);
  }
  if (verdict !== "degraded") return undefined;
  const found = judgeMustSecure(view);
  return found.kind === "holds" ? undefined : say(claims["must-secure"].facts[found.fact].says);
}
