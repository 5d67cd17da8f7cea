// What the page knows, and for how long: a snapshot, when it came, and whether more will come.

import type { Verdict } from "../model/health.ts";
import type { PageLink, PageSnapshot, PageTunnel, PlannedWork } from "../page/shape.ts";

export type Connection =
  | { readonly kind: "opening" }
  | { readonly kind: "open" }
  | { readonly kind: "lost"; readonly why: string };

export interface Received<Snapshot> {
  readonly snapshot: Snapshot;
  /** Milliseconds of the browser's own monotonic clock. */
  readonly cameAt: number;
}

/** One moment of the page. */
export interface Moment {
  readonly snapshot: PageSnapshot;
  /** Milliseconds since the snapshot came. */
  readonly ageMs: number;
  /** True if the snapshot may be outdated: then the page shows nothing of it as current. */
  readonly isStale: boolean;
  /** The agent's time in Unix milliseconds, as far as it is known. */
  readonly now: number;
}

/** How old what the page shows is, and whether it may be shown as current. */
export type ViewAge = Pick<Moment, "ageMs" | "isStale">;

/** Age in milliseconds from which a snapshot is stale; one is sent each second. */
const staleMs = 5_000;

/** Returns how old a snapshot is, and whether anything of it may be shown as current. */
export function ageOf(
  { cameAt }: Pick<Received<unknown>, "cameAt">,
  connection: Connection,
  now: number,
): ViewAge {
  const ageMs = Math.max(0, now - cameAt);
  return { ageMs, isStale: connection.kind !== "open" || ageMs > staleMs };
}

export function momentOf(
  received: Received<PageSnapshot>,
  connection: Connection,
  now: number,
): Moment {
  const { snapshot } = received;
  const age = ageOf(received, connection, now);
  return { snapshot, ...age, now: snapshot.at + age.ageMs };
}

/** Returns the verdict to show: an outdated one becomes unknown. */
export function verdictNow(verdict: Verdict, { isStale }: Pick<Moment, "isStale">): Verdict {
  return isStale ? "unknown" : verdict;
}

export type Selected =
  | { readonly kind: "link"; readonly id: string; readonly status: PageLink }
  | { readonly kind: "tunnel"; readonly id: string; readonly status: PageTunnel };

type Shown = Pick<PageSnapshot, "status">;

/** Returns the fragment of the page's address that shows a link or tunnel. */
export function fragmentOf(kind: "link" | "tunnel", id: string): string {
  return `#/${kind}/${id.split("/").map(encodeURIComponent).join("/")}`;
}

/** Most links and tunnels that each have a row of several lines. */
const fullRowsMax = 20;

/** Returns true for a site whose rows have to be short. */
export function isLarge(snapshot: PageSnapshot): boolean {
  return partsOf(snapshot).length > fullRowsMax;
}

/** Returns what the address names; undefined = it names nothing of this site. */
export function namedOf(snapshot: PageSnapshot, fragment: string): Selected | undefined {
  return partsOf(snapshot).find(({ kind, id }) => fragmentOf(kind, id) === fragment);
}

const ranks: Readonly<Record<Verdict, number>> = {
  unprotected: 0,
  down: 1,
  unknown: 2,
  degraded: 3,
  protected: 5,
};
/** After all that is wrong without a plan. */
const plannedRank = 4;

/** Returns the place of a part among all: the worst first, then planned work, then the rest. */
export function rankOf(snapshot: Shown, part: Selected): number {
  return plannedNow(snapshot, part) === null ? ranks[part.status.verdict] : plannedRank;
}

/** Returns what the address names, else the first of the worst parts. */
export function selectedOf(snapshot: PageSnapshot, fragment: string): Selected | undefined {
  const named = namedOf(snapshot, fragment);
  if (named !== undefined) return named;
  const all = partsOf(snapshot).map((part) => ({ part, rank: rankOf(snapshot, part) }));
  const least = Math.min(...all.map(({ rank }) => rank));
  return all.find(({ rank }) => rank === least)?.part;
}

/** Returns all links, then all tunnels, in the order of the config. */
export function partsOf({ status: { groups, tunnels } }: Shown): readonly Selected[] {
  const links = groups.flatMap((group) =>
    group.links.map((status) => ({
      ...{ kind: "link" as const, id: `${group.name}/${status.name}`, status },
    })),
  );
  return [
    ...links,
    ...tunnels.map((status) => ({ kind: "tunnel" as const, id: status.name, status })),
  ];
}

/**
 * Returns the work that the state of a part belongs to; null = it is no consequence of planned
 * work. Clear frames and ignorance never count as planned.
 */
export function plannedNow({ status: { groups } }: Shown, part: Selected): PlannedWork | null {
  const { id, status } = part;
  if (status.verdict !== "down" && status.verdict !== "degraded") return null;
  const about = part.kind === "tunnel" ? (part.status.because?.about ?? id) : id;
  const group = groups.find(({ name }) => about.startsWith(`${name}/`));
  return group?.links.find(({ name }) => about === `${group.name}/${name}`)?.planned ?? null;
}

/** Returns true if something is not protected, and all of that belongs to planned work. */
export function isAllPlanned(snapshot: Shown, parts: readonly Selected[]): boolean {
  const wrong = parts.filter(({ status }) => status.verdict !== "protected");
  return wrong.length > 0 && wrong.every((part) => plannedNow(snapshot, part) !== null);
}

/** Returns true if each word of the search is in the text, in any case. */
export function isFound(text: string, search: string): boolean {
  const low = text.toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => low.includes(word));
}

const workWords: Readonly<Record<PlannedWork, string>> = {
  enrol: "enrolment",
  rotate: "rotation",
  change: "change",
  drain: "drain by an operator",
};

/** Returns planned work in words. */
export function workText(work: PlannedWork): string {
  return workWords[work];
}

/** Returns how many parts have each verdict, the worst first; those in planned work apart. */
export function counts(snapshot: PageSnapshot): ReadonlyMap<Verdict | "planned", number> {
  const found = partsOf(snapshot).map((part) =>
    plannedNow(snapshot, part) === null ? part.status.verdict : "planned",
  );
  const order = ["unprotected", "down", "unknown", "degraded", "planned", "protected"] as const;
  return new Map(order.map((each) => [each, found.filter((one) => one === each).length]));
}
