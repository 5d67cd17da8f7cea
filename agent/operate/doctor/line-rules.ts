// Findings about lines in the configuration of a router: those in the objects of a link that its
// driver would not write, and those that it would write and that are not there.

import { withDeadline } from "#hal/deadline.ts";
import type { LineDifferences, WantedPort } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { World } from "#hal/world.ts";
import { type Desired, type DesiredLink, linkId } from "../../model/desired.ts";
import type { Finding } from "../../model/finding.ts";
import { severityOf } from "../../model/severity.ts";
import { visible } from "../../model/text.ts";
import type { DeviceCache } from "../../runtime/polling/device-cache.ts";
import { type Memory, named, openCampaign } from "../../store/journal/memory.ts";

interface Parts {
  readonly world: Pick<World, "clock">;
  readonly desired: Pick<Desired, "groups">;
  readonly deviceCache: Pick<DeviceCache, "device" | "failure">;
  readonly memory: Memory;
}

/** Longer than a large configuration takes to be read. */
const compareMsMax = 60_000;
/** Lines of one kind on one port that are findings of their own. */
const listedMax = 8;

/**
 * Asks each device once for the lines of its links, and returns the findings of each link. A link
 * without a key of ours has none, and a campaign writes the lines of its links itself.
 */
export async function lineFindings(
  parts: Parts,
  signal: AbortSignal,
): Promise<ReadonlyMap<DesiredLink, readonly Finding[]>> {
  const { desired, memory } = parts;
  const wanted = desired.groups
    .filter(({ name }) => openCampaign(memory, name) === undefined)
    .flatMap((group) => group.links.flatMap((link) => wantedOf(link, group.drain, memory)));
  const byDevice = Map.groupBy(wanted, ({ link }) => link.device);
  const found = await Promise.all(
    [...byDevice].map(([device, asked]) => findingsOn(parts, device, asked, signal)),
  );
  return new Map(found.flat());
}

interface Asked {
  readonly link: DesiredLink;
  readonly port: WantedPort;
}

function wantedOf(
  link: DesiredLink,
  means: Desired["groups"][number]["drain"],
  { bindings, drains }: Memory,
): readonly Asked[] {
  const binding = named(bindings, linkId(link));
  if (binding === undefined) return [];
  const isDrained = named(drains, linkId(link)) !== undefined && means !== "none";
  const { port, settings } = link;
  const drain = isDrained ? means : undefined;
  return [{ link, port: { port, settings, ckn: binding.key.ckn, drain } }];
}

async function findingsOn(
  { world, deviceCache }: Parts,
  device: string,
  asked: readonly Asked[],
  signal: AbortSignal,
): Promise<readonly (readonly [DesiredLink, readonly Finding[]])[]> {
  if (deviceCache.failure(device) !== undefined) return [];
  const limit = { ms: compareMsMax, where: device, effect: "none" } as const;
  const wanted = asked.map(({ port }) => port);
  try {
    const compared = await withDeadline(world.clock, limit, signal, async (bounded) => {
      const session = await deviceCache.device(device, bounded);
      return await session.compareLines?.(wanted, bounded);
    });
    return asked.map(({ link }) => {
      const one = compared?.find(({ port }) => port === link.port);
      return [link, one === undefined ? [] : findingsOf(link, one)];
    });
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    return asked.map(({ link }) => [link, [unknownLines(link, error)]]);
  }
}

const rule = "The MACsec configuration of a port has the lines of its driver, and no others";

function findingsOf(link: DesiredLink, { foreign, missing }: LineDifferences): readonly Finding[] {
  const { device, port } = link;
  const place = `${device} ${port}`;
  const common = { about: linkId(link), rule, source: "linkseal driver edits" } as const;
  return [
    ...listed(foreign).map(
      (line): Finding => ({
        ...{ code: "foreign-line", severity: severityOf("foreign-line"), ...common },
        here: `${place} has: ${line}`,
        there: "no line that linkseal writes for this port",
        next: `keep it if it is yours, or remove it on ${device}: linkseal leaves it as it is`,
      }),
    ),
    ...listed(missing).map(
      (line): Finding => ({
        ...{ code: "missing-line", severity: severityOf("missing-line"), ...common },
        here: `${place} lacks: ${line}`,
        there: "a line that linkseal writes for this port",
        next: "linkseal plan --accepted",
      }),
    ),
  ];
}

function listed(lines: readonly string[]): readonly string[] {
  const first = lines.slice(0, listedMax).map(visible);
  const more = lines.length - first.length;
  return more > 0 ? [...first, `${more} more such lines`] : first;
}

function unknownLines(link: DesiredLink, error: LinksealError): Finding {
  const { device, port } = link;
  return {
    ...{ code: "lines-unknown", severity: severityOf("lines-unknown"), about: linkId(link) },
    here: `the lines of ${device} ${port} could not be compared: ${error.message}`,
    ...{ there: null, rule, source: "linkseal driver edits" },
    next: `linkseal explain ${error.code} ${device}`,
  };
}
