// Is the reason true? What an agent gives as its reason to stand still, held against the truth of
// the site in the minutes before.

import { type Campaign, entryOf } from "#agent/model/campaign.ts";
import type { Cause, Reason } from "#agent/model/reason.ts";
import { reasonText } from "#agent/model/reason-text.ts";
import type { LinkTruth } from "#sim/base/truth.ts";
import { inService } from "#sim/oracle/moment.ts";
import type { Site, SiteLink } from "#sim/site/site.ts";
import type { StormRun } from "./storm-run.ts";

/** What can have been so at a link or its sibling. */
type Fact =
  | "dark"
  | "outOfService"
  | "commitPending"
  | "routerSilent"
  | "farSilent"
  | "farFailed"
  | "keysChanged";

interface Claim {
  /** The reason, or a cause below it, has one of these codes; `*` stands for every state. */
  readonly codes: readonly string[];
  /** Not if it has this one too. */
  readonly but?: string;
  readonly where: "link" | "sibling" | "either";
  /** One of these must have been so lately. */
  readonly facts: readonly Fact[];
}

const routerUnread = ["draining", "staging", "switching", "restoring"].flatMap((state) => [
  `${state}.unread`,
  `${state}.unreadLate`,
]);

/** A reason may make several claims; one that makes none cannot be checked here. */
const claims: readonly Claim[] = [
  {
    codes: [...routerUnread, "router.unread", "rates.unread", "keys.unread"],
    where: "either",
    facts: ["routerSilent"],
  },
  {
    codes: ["staged.unread", "staged.unreadLate", "promoting.unread", "retiring.unread"],
    where: "link",
    facts: ["routerSilent", "farSilent"],
  },
  {
    codes: ["draining.farUnseen", "draining.farUnseenLate", "farEnd.unread"],
    but: "awaitingPeer.unreadable",
    where: "link",
    facts: ["farSilent"],
  },
  { codes: ["gated.dark", "gated.follow", "gated.addForFar"], where: "link", facts: ["dark"] },
  {
    codes: ["restoring.late"],
    but: "ends.are",
    where: "link",
    facts: ["outOfService", "routerSilent"],
  },
  { codes: ["bgp.down"], but: "restoring.waits", where: "link", facts: ["outOfService"] },
  {
    // What may still come is not a state of the sibling.
    codes: [
      ...["gate.siblingUnhealthy", "*.giveBack", "draining.siblingLost"],
      ...["draining.siblingLostBegun", "switching.lateAlone"],
    ],
    but: "sibling.lateChange",
    where: "sibling",
    facts: ["outOfService", "routerSilent", "commitPending", "farSilent", "keysChanged"],
  },
  {
    codes: [
      ...["*.foreignCommit", "*.foreignCommitStays"],
      ...["router.commitPending", "sibling.commitPending"],
    ],
    where: "either",
    facts: ["commitPending"],
  },
  { codes: ["farEnd.failed"], where: "link", facts: ["farFailed"] },
  {
    codes: [
      ...["staged.newKeyGone", "awaitingPeer.newKeyGone", "awaitingPeer.changedEarly"],
      ...["proving.newKeyGone", "retiring.newKeyGone", "retiring.retired", "retiring.fresh"],
      ...["draining.oldKeyGone", "staging.oldKeyGone", "reverting.oldKeyGone", "port.oldKeyGone"],
      ...["staged.overtaken", "switching.strange", "proving.strange", "keys.else"],
    ],
    where: "link",
    facts: ["keysChanged"],
  },
];

/** The cause below the row that gave the reason; undefined = it has none. */
export function causeOf({ reason }: Pick<Campaign, "reason">): Cause | undefined {
  return "cause" in reason ? reason.cause : undefined;
}

/** The codes of a reason and of all causes below it, and `keys.KEYS` of what the port holds. */
function codesOf(reason: Reason | Cause): readonly string[] {
  const { code } = reason;
  const shared = `*${code.slice(code.indexOf("."))}`;
  const keys = "keys" in reason ? [`keys.${reason.keys}`] : [];
  return [code, shared, ...keys, ...("cause" in reason ? codesOf(reason.cause) : [])];
}

/** A key of this campaign is not on the port now, or another one is. */
function isOdd(link: SiteLink, campaign: Campaign): boolean {
  const { old, new: next } = entryOf(campaign);
  const meant = [old?.key.ckn, next.key.ckn];
  const seen = link.edge.keys().map(({ ckn }) => ckn);
  return meant.some((ckn) => ckn !== undefined && !seen.includes(ckn)) || seen.length > 2;
}

/** What is held keeps its reason until faults have ended, and a storm lasts seven minutes. */
const latelyMs = 900_000;
/** Faults of a router that make an observation fail, or take too long. */
const silencing = new Set([
  ...["reply-lost", "reply-late", "slow", "unreachable", "unparsed"],
  ...["session-cut", "reboot", "boot-forgets", "frozen-counters"],
]);
const farSilencing = new Set(["far-unreadable"]);

export class ReasonChecker {
  readonly #site: Site;
  /** By `fact link`: when it was last so. */
  readonly #lastAt = new Map<string, number>();
  /** By `fact link`: how many faults make it so now. */
  readonly #lasting = new Map<string, number>();
  /** Reasons that made no claim which can be checked, with how often each was given. */
  readonly unchecked = new Map<string, number>();

  constructor({ stormSite }: Pick<StormRun, "stormSite">) {
    this.#site = stormSite.site;
    stormSite.oracle.onMoment(({ at, now }) => {
      for (const link of now.links) this.#see(link, at);
    });
    stormSite.site.attach({
      fault: (text, link) => this.#fault(text, link),
      // Shorter than the moments of the oracle lie apart; the agent looks at both ends at once.
      observed: () => {
        for (const { id, msee, azureLink } of this.#site.links) {
          if (msee.isFailed(azureLink)) this.#note("farFailed", id);
        }
      },
      effect: (effect) => {
        if (effect.by !== "agent" && effect.link !== undefined)
          this.#note("keysChanged", effect.link);
      },
    });
  }

  /** Why the reason of a campaign that stands still is not true; undefined = it may be. */
  lie(campaign: Campaign): string | undefined {
    const id = `${campaign.group}/${entryOf(campaign).name}`;
    const because = reasonText(campaign.reason);
    if (because === "") return `${id} is ${campaign.state} and gives no reason`;
    const given = codesOf(campaign.reason);
    const made = claims.filter(
      ({ codes, but = "" }) => codes.some((code) => given.includes(code)) && !given.includes(but),
    );
    if (made.length === 0) {
      const text = `${campaign.state}: ${because.replaceAll(/\d+/g, "N")}`;
      this.unchecked.set(text, (this.unchecked.get(text) ?? 0) + 1);
    }
    const wrong = made.find(({ where, facts }) => {
      const links = this.#site.links.filter((link) => this.#isMeant(link, id, where));
      if (facts.includes("keysChanged") && links.some((link) => isOdd(link, campaign)))
        return false;
      return !links.some((link) => facts.some((fact) => this.#lately(fact, link.id)));
    });
    if (wrong === undefined) return undefined;
    const sentence = `${id} is ${campaign.state} because "${because}"`;
    return `${sentence}, and that was not so (${wrong.facts.join(", ")})`;
  }

  #isMeant({ id, group }: SiteLink, named: string, where: Claim["where"]): boolean {
    if (group !== named.slice(0, named.indexOf("/"))) return false;
    return where === "either" || (id === named) === (where === "link");
  }

  #see(link: LinkTruth, at: number): void {
    const set = (fact: Fact, is: boolean): void => {
      if (is) this.#lastAt.set(`${fact} ${link.id}`, at);
    };
    set("dark", !link.carries);
    set("outOfService", !inService(link));
    set("commitPending", link.commitPending);
    const site = this.#site.link(link.id);
    if (site === undefined) return;
    set("farFailed", site.msee.isFailed(site.azureLink));
  }

  #fault(text: string, link: string): void {
    const [name = "", ...rest] = text.split(" ");
    const what = rest.at(-1);
    // A far end or a router serves more than the link that the fault was struck at.
    const facts: Fact[] = [];
    if (silencing.has(name)) facts.push("routerSilent");
    if (farSilencing.has(name)) facts.push("farSilent");
    for (const fact of facts) {
      const group = link.slice(0, link.indexOf("/"));
      const router = this.#site.link(link)?.device;
      const meant = this.#site.links.filter(({ device, group: of }) =>
        fact === "farSilent" ? of === group : device === router,
      );
      for (const { id } of meant) {
        this.#note(fact, id);
        const key = `${fact} ${id}`;
        this.#lasting.set(key, (this.#lasting.get(key) ?? 0) + (what === "strikes" ? 1 : -1));
      }
    }
  }

  #note(fact: Fact, link: string): void {
    this.#lastAt.set(`${fact} ${link}`, this.#site.clock.now());
  }

  #lately(fact: Fact, link: string): boolean {
    const key = `${fact} ${link}`;
    if ((this.#lasting.get(key) ?? 0) > 0) return true;
    const at = this.#lastAt.get(key);
    return at !== undefined && this.#site.clock.now() - at <= latelyMs;
  }
}
