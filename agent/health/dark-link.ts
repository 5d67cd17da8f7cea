// Traffic that still goes into a link on which no frame passes: its BGP may be up for minutes more.

import { type DesiredLink, linkId } from "../model/desired.ts";
import type { LinkHealth, Reason } from "../model/health.ts";
import type { WarningCode } from "../model/warning-rows.ts";

/** A link of a group, as it is judged by itself. */
export interface JudgedLink {
  readonly link: DesiredLink;
  /** Its health, derived from its own evidence. */
  readonly health: LinkHealth;
  /** State of its BGP sessions; undefined = not known. */
  readonly bgp: "up" | "down" | undefined;
  /** Whether it is drained; `off` also if that is not known. */
  readonly drain: "on" | "off";
}

/** While one of them holds, no frame passes the link. */
const darkCodes: readonly WarningCode[] = [
  "link-down",
  "key-gone",
  "cak-mismatch",
  "ckn-mismatch",
  "mka-no-live-peer",
  "sak-not-agreed",
];

/**
 * Returns the health of each link of a group, by `group/link`. The reason of a dark link names the
 * traffic that still goes into it while its BGP is up; its next act is to drain the link if each
 * sibling carries. `drains`: whether an operator can drain a link of the group now.
 */
export function withLostTraffic(
  links: readonly JudgedLink[],
  drains: "possible" | "impossible",
): ReadonlyMap<string, LinkHealth> {
  return new Map(
    links.map((each) => {
      const siblings = links.filter(({ link }) => link.name !== each.link.name);
      return [linkId(each.link), named(each, siblings, drains)] as const;
    }),
  );
}

function named(
  { link, health, bgp, drain }: JudgedLink,
  siblings: readonly JudgedLink[],
  drains: "possible" | "impossible",
): LinkHealth {
  if (health.verdict !== "down" || bgp !== "up" || drain === "on") return health;
  const isBacked = siblings.length > 0 && siblings.every(carries);
  const rest = isBacked ? "" : ", and no sibling is seen to carry";
  const into = `its BGP is still up, so traffic still goes into it and is lost${rest}`;
  const act = isBacked && drains === "possible" ? { next: `linkseal drain ${linkId(link)}` } : {};
  const first = health.reasons.find(({ code }) => darkCodes.includes(code));
  const amended = (reason: Reason): Reason =>
    reason === first ? { ...reason, text: `${reason.text}; ${into}`, ...act } : reason;
  return { ...health, reasons: health.reasons.map(amended) };
}

function carries({ health: { verdict, reasons }, bgp, drain }: JudgedLink): boolean {
  // No traffic is led onto a link that may lose what is sent.
  if (reasons.some(({ code }) => code === "arrival-not-proven")) return false;
  return (verdict === "protected" || verdict === "degraded") && bgp === "up" && drain === "off";
}
