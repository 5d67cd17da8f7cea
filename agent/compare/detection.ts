// Whether the peering over a link notices soon that nothing arrives any more. A link that is lost
// without a signal carries traffic into nothing until BFD or the hold time ends the session. Pure.

import { factsOf } from "#drivers/index.ts";
import { type BgpSession, type DeviceState, strongValue } from "#hal/model.ts";
import { type DesiredLink, linkId } from "../model/desired.ts";
import type { Finding } from "../model/finding.ts";

/** A hold time up to this one ends a session soon enough, in milliseconds. */
const soonMs = 10_000;

/** What Azure uses on its end of a peering, in milliseconds and packets. */
const azureBfd = { intervalMs: 300, multiplier: 3 } as const;

/**
 * Returns a finding for each session over the link that runs without BFD and may outlive a loss by
 * more than 10 s. A router that does not report BFD has none. `driver`: name of its platform.
 */
export function detectionFindings(
  link: DesiredLink,
  driver: string,
  state: DeviceState | undefined,
): readonly Finding[] {
  const routing = state === undefined ? undefined : strongValue(state.routing);
  const own = routing?.sessions.filter(({ port }) => port === link.port) ?? [];
  return own.filter(isLate).map((session) => ({
    ...({ code: "bfd-off", severity: "warning", about: linkId(link) } as const),
    here: `${link.device} ${link.port}: ${withoutBfd(session)}, and ${holdWords(session.holdMs)}`,
    there: null,
    rule: "A peering ends within 10 s of a loss without a signal: by BFD, or by its hold time",
    source: "Microsoft Learn: Configure BFD over ExpressRoute",
    next: session.bfd === "off" ? bfdLines(link, driver, session) : bothEnds,
  }));
}

function isLate({ up, bfd, holdMs }: BgpSession): boolean {
  if (!up || bfd === undefined || bfd === "up") return false;
  return holdMs === undefined || holdMs === 0 || holdMs > soonMs;
}

function withoutBfd({ peer, bfd }: BgpSession): string {
  const what = bfd === "off" ? "has no BFD" : "has BFD at this end, which is not up";
  return `the peering with ${peer} ${what}`;
}

function holdWords(holdMs: number | undefined): string {
  if (holdMs === undefined) return "its hold time is not reported (Azure's is 180 s)";
  return holdMs === 0 ? "its hold time never ends" : `its hold time is ${holdMs / 1000} s`;
}

const bothEnds =
  "let UDP port 3784 pass at this end; Azure has BFD on private peerings of circuits made since " +
  "2018-08-01: an older one needs a reset, which ends BGP on both links";

/** Returns the router's own lines; words in capitals are the operator's to fill in. */
function bfdLines(link: DesiredLink, driver: string, { peer, vrf }: BgpSession): string {
  const lines = factsOf(driver)?.bfdLines({ peer, vrf, ...azureBfd }) ?? [];
  if (driver === "sim") return `${lines.join()} --link ${linkId(link)}`;
  if (lines.length === 0) return `turn BFD on for ${peer} on ${link.device}`;
  return `on ${link.device}: ${lines.join("; ")}`;
}
