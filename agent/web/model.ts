// What the page knows and for how long: a snapshot, when it came, and whether more will come.

import type { Verdict } from "../model/health.ts";
import type { PageLink, PageSnapshot, PageTunnel } from "../page/shape.ts";

export type Connection =
  | { readonly kind: "opening" }
  | { readonly kind: "open" }
  | { readonly kind: "lost"; readonly why: string };

export interface Seen {
  readonly snapshot: PageSnapshot;
  /** Milliseconds of the browser's own monotonic clock. */
  readonly cameAt: number;
}

/** One moment of the page. */
export interface Moment {
  readonly snapshot: PageSnapshot;
  /** Since the snapshot came. */
  readonly ageMs: number;
  /** What it says may have changed since: nothing of it is shown as if it still held. */
  readonly isStale: boolean;
  /** Of the agent, as far as it is known. */
  readonly now: number;
}

/** The agent sends one each second. */
const staleMs = 5_000;

export function momentOf(seen: Seen, connection: Connection, now: number): Moment {
  const ageMs = Math.max(0, now - seen.cameAt);
  return {
    snapshot: seen.snapshot,
    ageMs,
    isStale: connection.kind !== "open" || ageMs > staleMs,
    now: seen.snapshot.at + ageMs,
  };
}

/** What may be said of a verdict that was seen some time ago. */
export function verdictNow(verdict: Verdict, { isStale }: Pick<Moment, "isStale">): Verdict {
  return isStale ? "unknown" : verdict;
}

export type StatusLink = PageSnapshot["status"]["groups"][number]["links"][number];
export type StatusTunnel = PageSnapshot["status"]["tunnels"][number];

export type Selected =
  | {
      readonly kind: "link";
      readonly id: string;
      readonly status: StatusLink;
      readonly link: PageLink | undefined;
    }
  | {
      readonly kind: "tunnel";
      readonly id: string;
      readonly status: StatusTunnel;
      readonly tunnel: PageTunnel | undefined;
    };

/** Where a link or tunnel is shown, as the fragment of the page's address. */
export function fragmentOf(kind: "link" | "tunnel", id: string): string {
  return `#/${kind}/${id.split("/").map(encodeURIComponent).join("/")}`;
}

/** What the address names, else the first that is not protected, else the first. */
export function selectedOf({ status, links, tunnels }: PageSnapshot, fragment: string) {
  const all: readonly Selected[] = [
    ...status.groups.flatMap((group) =>
      group.links.map((link): Selected => {
        const id = `${group.name}/${link.name}`;
        return { kind: "link", id, status: link, link: links.find((each) => each.id === id) };
      }),
    ),
    ...status.tunnels.map((tunnel): Selected => {
      const { name } = tunnel;
      const own = tunnels.find((each) => each.name === name);
      return { kind: "tunnel", id: name, status: tunnel, tunnel: own };
    }),
  ];
  const named = all.find(({ kind, id }) => fragmentOf(kind, id) === fragment);
  return named ?? all.find((each) => each.status.verdict !== "protected") ?? all[0];
}

/** How many parts have each verdict, the worst first. */
export function counts({ status }: PageSnapshot): ReadonlyMap<Verdict, number> {
  const verdicts = [
    ...status.groups.flatMap((group) => group.links.map((link) => link.verdict)),
    ...status.tunnels.map((tunnel) => tunnel.verdict),
  ];
  const order: readonly Verdict[] = ["unprotected", "down", "unknown", "degraded", "protected"];
  return new Map(
    order.map((verdict) => [verdict, verdicts.filter((each) => each === verdict).length]),
  );
}
