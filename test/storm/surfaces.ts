// Reads what each surface of an agent says, from the very text that it gives to its readers.

import { linkDetail } from "#agent/api/link-detail.ts";
import { reportOf } from "#agent/evidence/report/document.ts";
import { confirmedUntil, recordedSince } from "#agent/evidence/report/timeline.ts";
import type { Verdict } from "#agent/model/health.ts";
import type { PageSnapshot } from "#agent/page/shape.ts";
import { pageText } from "#agent/page/snapshot.ts";
import type { AgentView } from "#agent/runtime/agent-view.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { exposition } from "#agent/telemetry/exposition.ts";
import { familiesOf, measured } from "#agent/telemetry/metric.ts";
import { metricRows } from "#agent/telemetry/metric-rows.ts";
import type { Clock, Instant } from "#hal/world.ts";
import type { ProtectedSpan } from "#sim/oracle/report.ts";
import type { Claim, Surfaces } from "#sim/oracle/surfaces.ts";

type Now = Pick<Clock, "now" | "wall">;

/** The surfaces that speak of the present moment, each read from an agent. */
const surfaceReaders = {
  status: (agent: AgentView): readonly Claim[] => statusClaims(through(agent.status())),
  links: (agent: AgentView): readonly Claim[] => detailClaims(agent),
  page: (agent: AgentView): readonly Claim[] => pageClaims(agent),
  metrics: (agent: AgentView): readonly Claim[] => metricClaims(agent),
} as const;

/** The name of a surface of the present moment. */
type SurfaceName = keyof typeof surfaceReaders;

/** Gives each surface an agent to read; a test plants one that says something else there. */
export type AgentFor = (surface: SurfaceName | "report") => AgentView;

/** Reads all surfaces of one moment. */
export function surfacesOf(agentFor: AgentFor): Surfaces {
  return Object.fromEntries(
    Object.entries(surfaceReaders).map(([name, read]) => [
      name,
      read(agentFor(name as SurfaceName)),
    ]),
  );
}

/**
 * Reads the times that the report of all records calls protected; none before the first confirmed
 * record. The wall clock must not have been set.
 */
export async function protectedSpans(
  agent: AgentView,
  clock: Now,
): Promise<readonly ProtectedSpan[]> {
  const trail = await agent.evidence.read();
  const [from, to] = [recordedSince(trail), confirmedUntil(trail)];
  if (from === undefined || to === undefined || from >= to) return [];
  const site = agent.intent?.desired.site ?? "none";
  const report = through(
    reportOf({ site, host: agent.evidence.host, trail, period: { from, to } }),
  );
  const instantOf = (at: string): Instant =>
    (Date.parse(at) - clock.wall() + clock.now()) as Instant;
  return report.subjects.flatMap(({ name, intervals }) =>
    intervals
      .filter(({ answer }) => answer === "protected")
      .map((each) => ({ about: name, from: instantOf(each.from), to: instantOf(each.to) })),
  );
}

/** Passes a reply through its text, as a client gets it. */
function through<T>(reply: T): T {
  return JSON.parse(JSON.stringify(reply)) as T;
}

function statusClaims({ verdict, groups, tunnels }: Status): readonly Claim[] {
  return [
    { kind: "site", about: "site", facts: { verdict } },
    ...groups.flatMap((group): Claim[] => [
      { kind: "group", about: group.name, facts: { verdict: group.verdict } },
      ...group.links.map(({ name, verdict: own, keyInUse }): Claim => {
        const facts = { verdict: own, keyInUse };
        return { kind: "link", about: `${group.name}/${name}`, facts };
      }),
    ]),
    ...tunnels.map(({ name, verdict: own, because }): Claim => {
      const facts = { verdict: own, cause: causeText(because) };
      return { kind: "tunnel", about: name, facts };
    }),
  ];
}

const causeText = (because: Status["tunnels"][number]["because"]): string | null =>
  because === null ? null : `${because.code} ${because.about}`;

function detailClaims(agent: AgentView): readonly Claim[] {
  const ids = agent
    .status()
    .groups.flatMap(({ name, links }) => links.map((link) => `${name}/${link.name}`));
  return ids.flatMap((about): Claim[] => {
    const detail = linkDetail(agent, about);
    if (detail === undefined) return [];
    const { status, router } = through(detail);
    const { verdict, keyInUse } = status;
    const { controlledPort, linkUp, drained, keys } = router;
    const port = { controlledPort, linkUp, drained, keys: keysText(keys) };
    return [{ kind: "link", about, facts: { verdict, keyInUse, ...port } }];
  });
}

const keysText = (keys: readonly { readonly ckn: string }[] | null): string | null =>
  keys === null ? null : keys.map(({ ckn }) => ckn).join(" ");

function pageClaims(agent: AgentView): readonly Claim[] {
  const { status } = JSON.parse(pageText(agent, "newest")) as PageSnapshot;
  const ports = status.groups.flatMap((group) =>
    group.links.map(({ name, controlledPort, drained, keys }) => {
      const facts = { controlledPort, drained, keys: keysText(keys) };
      return [`${group.name}/${name}`, facts] as const;
    }),
  );
  const byId = new Map<string, (typeof ports)[number][1]>(ports);
  return statusClaims(status).map((claim) => {
    const facts = { ...claim.facts, ...byId.get(claim.about) };
    return { ...claim, facts };
  });
}

/** The labels and the value of each series of one metric. */
type Series = readonly {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}[];

function metricClaims(agent: AgentView): readonly Claim[] {
  const text = exposition(familiesOf(metricRows, measured(agent)));
  const of = (name: string): Series => seriesOf(text, name);
  const present = (name: string): Series => of(name).filter(({ value }) => value === 1);
  const verdictOf = (label: string | undefined): Verdict => label as Verdict;
  const site = present("linkseal_site_verdict").map(({ labels }): Claim => {
    return { kind: "site", about: "site", facts: { verdict: verdictOf(labels["verdict"]) } };
  });
  const groups = present("linkseal_group_verdict").map(({ labels }): Claim => {
    const facts = { verdict: verdictOf(labels["verdict"]) };
    return { kind: "group", about: labels["group"] ?? "", facts };
  });
  const links = present("linkseal_link_verdict").map(({ labels }): Claim => {
    const { group, link, verdict } = labels;
    const isMine = ({ labels: other }: Series[number]): boolean =>
      other["group"] === group && other["link"] === link;
    const controlled = present("linkseal_mka_controlled_port").find(isMine);
    const up = of("linkseal_port_up").find(isMine)?.value;
    const drained = of("linkseal_port_drained").find(isMine)?.value;
    const facts = {
      verdict: verdictOf(verdict),
      controlledPort: controlled?.labels["state"] ?? null,
      linkUp: up === undefined ? null : up === 1,
      drained: drained === undefined ? null : drained === 1,
    };
    return { kind: "link", about: `${group}/${link}`, facts };
  });
  const tunnels = present("linkseal_tunnel_verdict").map(({ labels }): Claim => {
    const isMine = ({ labels: other }: Series[number]): boolean =>
      other["tunnel"] === labels["tunnel"];
    const cause = of("linkseal_tunnel_cause_info").find(isMine)?.labels;
    const facts = {
      verdict: verdictOf(labels["verdict"]),
      cause: cause === undefined ? null : `${cause["code"]} ${cause["about"]}`,
    };
    return { kind: "tunnel", about: labels["tunnel"] ?? "", facts };
  });
  return [...site, ...groups, ...links, ...tunnels];
}

function seriesOf(text: string, name: string): Series {
  return text
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`))
    .map((line) => {
      const pairs = [...line.matchAll(/(\w+)="([^"]*)"/g)];
      const labels = Object.fromEntries(pairs.map(([, key = "", value = ""]) => [key, value]));
      return { labels, value: Number(line.slice(line.lastIndexOf(" ") + 1)) };
    });
}
