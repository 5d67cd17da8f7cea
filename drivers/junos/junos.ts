// Juniper Junos and Junos Evolved over NETCONF.

import type { WantedPort } from "#hal/device.ts";
import type { Dialect, Work } from "../platform/define-dialect.ts";
import { defineDriver } from "../platform/define-driver.ts";
import { portsTowards } from "../platform/egress.ts";
import type { PortLines } from "../platform/port-lines.ts";
import { failed } from "../platform/query.ts";
import { joined, linesOf, type RenderedChange } from "../platform/renderer.ts";
import { offersOf, pingFarEnd, principals } from "../platform/stage.ts";
import { suites } from "../platform/text.ts";
import { portsOf } from "../platform/tunnel-change.ts";
import { renderTunnels } from "../platform/tunnel-renderer.ts";
import { Netconf } from "../transport/netconf.ts";
import { element, elementWith, type XmlElement, type XmlOut, xmlLines } from "../transport/xml.ts";
import { getConfig, getLines, neighboursOn, portOf, readConfig } from "./config.ts";
import { linesOf as portLinesOf, readLines } from "./lines.ts";
import { byInterface, readChannels, readSession } from "./macsec-parsers.ts";
import { observe, queryOf } from "./observation.ts";
import { ping } from "./operations.ts";
import { planChange, planOf, type Surroundings } from "./plan.ts";
import { capabilitiesOf } from "./quirks.ts";
import { type LocalAs, renderChange } from "./renderer.ts";
import {
  commitsAt,
  peerOf,
  readCommits,
  readEngines,
  readInterfaces,
  readPeers,
  readPing,
  readRouteTo,
  readSoftware,
  readUptime,
} from "./system-parsers.ts";
import { getTunnels, limits, readTunnels } from "./tunnel-config.ts";
import { tunnelTrees } from "./tunnel-renderer.ts";

const minuteMs = 60_000;
/** `commit confirmed` takes whole minutes up to this many. */
const minutesMax = 65_535;

const offers = offersOf({
  // Junos has no persist-id: the next commit on this device confirms, whichever session makes it.
  commit: {
    kind: "confirmed",
    confirmedBy: "anySession",
    stepMs: minuteMs,
    maxMs: minutesMax * minuteMs,
  },
  // Any commit that changes an association may restart its session.
  macsec: { suites, overlap: "keychain", counters: "perSa" },
  atomicReplace: true,
  means: ["prepend", "gracefulShutdown", "peeringShutdown"],
});

const marks = [
  { pattern: /configuration database (is )?(locked|modified)/i, code: "device.locked" },
  { pattern: /exclusive|being edited by/i, code: "device.locked" },
] as const;

/** Its requests. */
export const dialect: Dialect<Netconf> = {
  name: "junos",
  offers,
  channel: "netconf",
  open: (channel, { where, onChange }, signal) =>
    Netconf.open(channel, { where, onChange, marks }, signal),
  async capabilities(session, signal) {
    const software = await queryOf(session, signal).value("software", readSoftware);
    return capabilitiesOf(offers, software);
  },
  observe,
  async routesTo(session, address, signal) {
    const query = queryOf(session, signal);
    const { aggregates } = await query.value(getConfig(), readConfig);
    // The reply has the tables of all routing instances.
    const queries = [() => query.result("routeTo", readRouteTo, address)];
    return await portsTowards(queries, aggregates);
  },
  async probe(session, port, count, signal) {
    const query = queryOf(session, signal);
    const config = await query.value(getConfig(), readConfig);
    const [[address, sent] = []] = neighboursOn(config, port).flatMap((neighbour) => {
      const unit = portOf(config, neighbour)?.unit;
      return unit === undefined ? [] : [[neighbour.address, ping(neighbour, unit, count)] as const];
    });
    const asked = { count, ...(address !== undefined && { address }) };
    return await pingFarEnd(query, port, sent, (reply) => readPing(reply, asked));
  },
  async commits(session, signal) {
    const query = queryOf(session, signal);
    const [reported, { wall }] = await Promise.all([
      query.value("commits", readCommits),
      query.value("uptime", readUptime),
    ]);
    return commitsAt(reported, wall);
  },
  async lock(session, signal) {
    const target = element("target", element("candidate"));
    await session.call(element("lock", target), "none", signal);
  },
  stage,
  async preview(session, work, signal) {
    const { sent } = await render(session, work, signal);
    return sent.flatMap((tree) => xmlLines(tree));
  },
  lines: (session, wanted, signal) => linesOn(session, wanted, signal),
  async check(session, signal) {
    await session.call(element("commit-configuration", element("check")), "none", signal);
  },
  commit,
  async undo(session, note, signal) {
    await session.call(elementWith("load-configuration", { rollback: "1" }), "none", signal);
    await commit(session, note, undefined, signal);
  },
};

/** The driver of Juniper Junos and Junos Evolved. */
export const junos = defineDriver(dialect);

async function commit(
  session: Netconf,
  note: string,
  withinMs: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  // Without this, the second routing engine would keep the keys of before.
  const engines = await queryOf(session, signal).result("engines", readEngines);
  const isRedundant = "value" in engines && engines.value === "ready";
  const log = element("log", note);
  const confirmed =
    withinMs === undefined
      ? []
      : [element("confirmed"), element("confirm-timeout", String(Math.ceil(withinMs / minuteMs)))];
  const both = isRedundant ? [element("synchronize")] : [];
  const operation = element("commit-configuration", ...both, ...confirmed, log);
  await session.call(operation, "unknown", signal);
}

/** Stages under the lock, so that no other change can come between reading and writing. */
async function stage(
  session: Netconf,
  work: Work,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const all = await render(session, work, signal);
  await Promise.all(all.sent.map((tree) => session.call(edit(tree), "none", signal)));
  return linesOf(all);
}

async function render(
  session: Netconf,
  work: Work,
  signal: AbortSignal,
): Promise<RenderedChange<XmlOut>> {
  const query = queryOf(session, signal);
  const readSessions = (reply: XmlElement) => byInterface(reply, "mka-session-information");
  const [config, interfaces, uptime, peers, principal] = await Promise.all([
    query.value(getConfig(), readConfig),
    query.value("interfaces", readInterfaces),
    query.value("uptime", readUptime),
    query.value("neighbours", readPeers),
    principals(
      work,
      () => query.value("mkaSessions", readSessions),
      (reported, port, settings) => readSession(reported.get(port), settings, readChannels([])),
    ),
  ]);
  const around: Surroundings = {
    config,
    work,
    wall: uptime.wall,
    ports: new Set(interfaces.keys()),
    principal: (port) => principal(port, planOf(config, port).settings),
  };
  const ports = planChange(portsOf(work.change), around).map(({ before, after }) => {
    const rendered = renderChange(before, after, config, localAsIn(peers));
    if (rendered !== undefined) return rendered;
    const text = `BGP does not report its own AS on ${after.port}, so nothing can be prepended`;
    throw failed("device.rejected", text, work.device);
  });
  const readAll = () => query.value(getTunnels(), readTunnels);
  return joined([...ports, await renderTunnels(work, limits, readAll, tunnelTrees)]);
}

type Peers = NonNullable<ReturnType<typeof readPeers>>;

const localAsIn =
  (peers: Peers): LocalAs =>
  (neighbour) => {
    const peer = peerOf(peers, neighbour);
    return peer === "ambiguous" ? undefined : peer?.localAs;
  };

async function linesOn(
  session: Netconf,
  wanted: readonly WantedPort[],
  signal: AbortSignal,
): Promise<readonly PortLines[]> {
  const query = queryOf(session, signal);
  const [read, { wall }, peers] = await Promise.all([
    query.value(getLines(), readLines),
    query.value("uptime", readUptime),
    query.value("neighbours", readPeers),
  ]);
  const around = { ...read, wall, localAs: localAsIn(peers), where: session.where };
  return wanted.map((one) => portLinesOf(one, around));
}

function edit(tree: XmlOut): XmlOut {
  return element(
    "edit-config",
    element("target", element("candidate")),
    element("default-operation", "merge"),
    element("config", element("configuration", tree)),
  );
}
