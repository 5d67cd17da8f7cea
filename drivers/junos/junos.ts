// Juniper Junos and Junos Evolved over NETCONF.

import type { Capabilities, ProbeResult } from "#hal/device.ts";
import { type ErrorCode, LinksealError } from "#hal/error.ts";
import type { PortName } from "#hal/model.ts";
import type { Dialect, Work } from "../platform/define-dialect.ts";
import { defineDriver } from "../platform/define-driver.ts";
import { planTunnels, portsOf, tunnelLines } from "../platform/tunnel-change.ts";
import { Netconf } from "../transport/netconf.ts";
import { element, elementWith, type XmlElement, type XmlOut } from "../transport/xml.ts";
import { getConfig, type JunosConfig, neighboursOn, portOf, readConfig } from "./config.ts";
import { type Edits, editsBetween } from "./edits.ts";
import { look } from "./look.ts";
import { byInterface, readChannels, readSession } from "./macsec-answers.ts";
import { operation, ping } from "./operations.ts";
import { planChange, planOf, type Surroundings } from "./plan.ts";
import { capabilitiesOf } from "./quirks.ts";
import {
  readCommits,
  readInterfaces,
  readPeers,
  readPing,
  readRouteTo,
  readSoftware,
  readUptime,
} from "./system-answers.ts";
import { getTunnels, limits, readTunnels } from "./tunnel-config.ts";
import { tunnelTrees } from "./tunnel-edits.ts";

const minuteMs = 60_000;
/** `commit confirmed` takes whole minutes up to this many. */
const minutesMax = 65_535;
/** BGP sends a change of policy out within seconds; the far end's own timers follow. */
const settleMs = 15_000;

const offers: Capabilities = {
  // Junos knows no persist-id: whoever commits next on this device confirms.
  commit: {
    kind: "confirmed",
    survivesDisconnect: true,
    stepMs: minuteMs,
    maxMs: minutesMax * minuteMs,
  },
  macsec: {
    suites: ["gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"],
    overlap: "keychain",
    counters: "perSa",
    // Any commit that touches an association may start its session anew.
    hitless: [],
  },
  // Whatever clears an SA there ends it before the next one stands.
  ipsec: { keying: ["ike"], authentication: ["psk"], atomicReplace: true, rekeys: [] },
  drain: { means: ["prepend", "gracefulShutdown", "peeringShutdown"], settleMs },
  probe: true,
};

const marks = [
  { pattern: /configuration database (is )?(locked|modified)/i, code: "device.locked" },
  { pattern: /exclusive|being edited by/i, code: "device.locked" },
] as const;

const dialect: Dialect<Netconf> = {
  name: "junos",
  offers,
  channel: "netconf",
  open: (channel, { where, hint }, signal) => Netconf.open(channel, { where, hint, marks }, signal),
  async capabilities(session, signal) {
    const software = await asked(session, operation("software"), readSoftware, signal);
    return capabilitiesOf(offers, software);
  },
  look,
  async routeTo(session, address, signal) {
    return readRouteTo(await session.call(operation("routeTo", address), "none", signal));
  },
  probe,
  commits: (session, signal) => asked(session, operation("commits"), readCommits, signal),
  async lock(session, signal) {
    const target = element("target", element("candidate"));
    await session.call(element("lock", target), "none", signal);
  },
  stage,
  async check(session, signal) {
    await session.call(element("commit-configuration", element("check")), "none", signal);
  },
  commit,
  async undo(session, note, signal) {
    await session.call(elementWith("load-configuration", { rollback: "1" }), "none", signal);
    await commit(session, note, undefined, signal);
  },
};

export const junos = defineDriver(dialect);

async function commit(
  session: Netconf,
  note: string,
  withinMs: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  const log = element("log", note);
  const confirmed =
    withinMs === undefined
      ? []
      : [element("confirmed"), element("confirm-timeout", String(Math.ceil(withinMs / minuteMs)))];
  const operation = element("commit-configuration", ...confirmed, log);
  await session.call(operation, "unknown", signal);
}

async function asked<T>(
  session: Netconf,
  question: XmlOut,
  read: (reply: XmlElement) => T | undefined,
  signal: AbortSignal,
): Promise<T> {
  const value = read(await session.call(question, "none", signal));
  if (value !== undefined) return value;
  throw failed(
    "device.unparsed",
    `the answer to ${question.name} is not understood`,
    session.where,
  );
}

async function probe(
  session: Netconf,
  port: PortName,
  count: number,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const config = await asked(session, getConfig(), readConfig, signal);
  for (const { address } of neighboursOn(config, port)) {
    const unit = portOf(config, address)?.unit;
    if (unit !== undefined) {
      return await asked(session, ping(address, unit, count), readPing, signal);
    }
  }
  throw failed("device.rejected", `the far end's peering address on ${port} is not known`, port);
}

/** Under the lock, so that nothing can come between what is read and what is written. */
async function stage(
  session: Netconf,
  work: Work,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const ask = <T>(
    name: Parameters<typeof operation>[0],
    read: (reply: XmlElement) => T | undefined,
  ): Promise<T> => asked(session, operation(name), read, signal);
  const [config, interfaces, uptime, peers, principal] = await Promise.all([
    asked(session, getConfig(), readConfig, signal),
    ask("interfaces", readInterfaces),
    ask("uptime", readUptime),
    ask("neighbours", readPeers),
    principals(session, work, signal),
  ]);
  const around: Surroundings = {
    config,
    work,
    wall: uptime.wall,
    ports: new Set(interfaces.keys()),
    principal: (port) => principal(port, config),
  };
  const lines: string[] = [];
  const trees: XmlOut[] = [];
  for (const { before, after } of planChange(portsOf(work.change), around)) {
    const edits = editsBetween(before, after, config, (address) => {
      const peer = peers.get(address);
      return peer === "ambiguous" ? undefined : peer?.localAs;
    });
    if (edits === undefined) {
      const text = `BGP does not tell its own AS on ${after.port}, so nothing can be prepended`;
      throw failed("device.rejected", text, work.device);
    }
    lines.push(...edits.lines);
    trees.push(...edits.trees);
  }
  const tunnels = await tunnelEdits(session, work, signal);
  trees.push(...tunnels.trees);
  lines.push(...tunnels.lines);
  await Promise.all(trees.map((tree) => session.call(edit(tree), "none", signal)));
  // A change that a person would not see is one all the same.
  return trees.length > 0 && lines.length === 0 ? ["(its form alone)"] : lines;
}

async function tunnelEdits(session: Netconf, work: Work, signal: AbortSignal): Promise<Edits> {
  if (work.change.every((part) => "port" in part)) return { trees: [], lines: [] };
  const config = await asked(session, getTunnels(), readTunnels, signal);
  const standing = new Map([...config.vpns].map(([name, { plan }]) => [name, plan]));
  const changed = planTunnels(work.change, { work, limits, standing });
  return {
    trees: tunnelTrees(changed, config, work.device),
    lines: tunnelLines(changed),
  };
}

function edit(tree: XmlOut): XmlOut {
  return element(
    "edit-config",
    element("target", element("candidate")),
    element("default-operation", "merge"),
    element("config", element("configuration", tree)),
  );
}

type Principal = (port: PortName, config: JunosConfig) => ReturnType<Surroundings["principal"]>;

/** Asked for only where a key is to leave. */
async function principals(
  session: Netconf,
  { change }: Work,
  signal: AbortSignal,
): Promise<Principal> {
  if (!change.some(({ kind }) => kind === "macsec.removeKey")) return () => undefined;
  const sessions = await asked(
    session,
    operation("mkaSessions"),
    (reply) => byInterface(reply, "mka-session-information"),
    signal,
  );
  return (port, config) => {
    const { settings } = planOf(config, port);
    const found = readSession(sessions.get(port), settings, readChannels([]));
    if (found !== undefined) return found.principalCkn;
    throw failed("device.unparsed", `which key ${port} uses is not understood`, port);
  };
}

function failed(code: ErrorCode, text: string, where: string): LinksealError {
  return new LinksealError(code, text, { effect: "none", where, next: "linkseal status" });
}
