// What the page knows, and for how long: a snapshot, when it came, and whether more will come.

import type { Verdict } from "../model/health.ts";
import type { PageLink, PageSnapshot, PageTunnel } from "../page/shape.ts";

export type Connection =
  | { readonly kind: "opening" }
  | { readonly kind: "open" }
  | { readonly kind: "lost"; readonly why: string };

export interface ReceivedSnapshot {
  readonly snapshot: PageSnapshot;
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

/** Age in milliseconds from which a snapshot is stale; the agent sends one each second. */
const staleMs = 5_000;

export function momentOf(received: ReceivedSnapshot, connection: Connection, now: number): Moment {
  const ageMs = Math.max(0, now - received.cameAt);
  return {
    snapshot: received.snapshot,
    ageMs,
    isStale: connection.kind !== "open" || ageMs > staleMs,
    now: received.snapshot.at + ageMs,
  };
}

/** Returns the verdict to show: an outdated one becomes unknown. */
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

/** Returns the fragment of the page's address that shows a link or tunnel. */
export function fragmentOf(kind: "link" | "tunnel", id: string): string {
  return `#/${kind}/${id.split("/").map(encodeURIComponent).join("/")}`;
}

/** Returns what the address names, else the first part that is not protected, else the first. */
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

/** Returns how many parts have each verdict, the worst first. */
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
