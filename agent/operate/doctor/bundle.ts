// The part of a host's and a site's data that may be shown outside: an allow-list of codes,
// verdicts, numbers and linkseal's own words. It has no name, address, id, key version, text of a
// device, or CKN. Pure.

import type { Desired } from "../../model/desired.ts";
import type { LinksealEvent } from "../../model/events.ts";
import type { Finding } from "../../model/finding.ts";
import type { CampaignShape } from "../../rotation/campaign-shape.ts";
import type { Status } from "../../runtime/health/status.ts";
import type { HostFacts } from "./host-rules.ts";

/** The data of which a bundle is made. */
export interface BundleParts {
  /** When it was made, an ISO 8601 time in UTC. */
  readonly at: string;
  readonly host: HostFacts;
  /** Versions of the operating system and Node. */
  readonly system: {
    readonly kernel: string;
    readonly architecture: string;
    readonly distribution: string;
    readonly node: string;
  };
  /** All findings of `doctor`. */
  readonly findings: readonly Pick<Finding, "code" | "severity" | "about">[];
  /** undefined = the agent did not answer. */
  readonly agent:
    | {
        readonly status: Status;
        readonly events: readonly LinksealEvent[];
        readonly campaigns: readonly CampaignShape[];
        readonly journal: string;
        readonly desired: Desired | undefined;
      }
    | undefined;
}

/** A code or a word of linkseal: too short and too regular to be a key, a name or an address. */
const word = /^[a-z][A-Za-z]{0,24}([.-][A-Za-z0-9]{1,24}){0,6}$/;
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const versionText = /^[\w.+~ -]{1,60}$/;

const ours = (text: unknown): string =>
  typeof text === "string" && word.test(text) ? text : "(withheld)";
const when = (text: unknown): string =>
  typeof text === "string" && time.test(text) ? text : "(withheld)";
const versionOf = (text: unknown): string =>
  typeof text === "string" && versionText.test(text) && !looksSecret(text) ? text : "(withheld)";
const count = (value: unknown): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : null;

/** Replaces names of a site by numbers, the same number for the same name in one bundle. */
class Pseudonyms {
  readonly #known = new Map<string, string>();

  of(about: string): string {
    const known = this.#known.get(about) ?? `thing-${this.#known.size + 1}`;
    this.#known.set(about, known);
    return known;
  }
}

const eventsMax = 300;
const findingsMax = 300;

function bundle(parts: BundleParts): object {
  const names = new Pseudonyms();
  const { at, host, system, agent } = parts;
  return {
    schema: "linkseal.bundle/1",
    at: when(at),
    system: {
      kernel: versionOf(system.kernel),
      architecture: ours(system.architecture),
      distribution: versionOf(system.distribution),
      node: versionOf(system.node),
    },
    host: hostPart(host, names),
    findings: parts.findings.slice(0, findingsMax).map(({ code, severity, about }) => ({
      code: ours(code),
      severity: ours(severity),
      about: names.of(about),
    })),
    agent: agent === undefined ? null : agentPart(agent, names),
  };
}

function hostPart(host: HostFacts, names: Pseudonyms): object {
  return {
    build: versionOf(host.build),
    clock: ours(host.clock),
    freeMegabytes: count(host.freeMegabytes),
    hasAddon: host.hasAddon,
    hasSwap: host.hasSwap,
    missingModules: host.missingModules.map((module) => ours(module.replaceAll("_", "-"))),
    units: (host.units ?? []).map(({ name, active, enabled, restarts, build }) => ({
      // The instance of the unit is the name of a port.
      unit: /^linkseal(-net)?\.service$/.test(name) ? name : `linkseal-mka@${names.of(name)}`,
      active: ours(active),
      enabled: ours(enabled),
      restarts: count(restarts),
      build: versionOf(build),
    })),
  };
}

function agentPart(agent: NonNullable<BundleParts["agent"]>, names: Pseudonyms): object {
  const { status, events, campaigns, journal, desired } = agent;
  return {
    journal: ours(journal),
    status: statusPart(status, names),
    events: events.slice(-eventsMax).map((event) => ({
      at: when(event.at),
      code: ours(event.code),
      about: names.of(event.about),
      severity: ours(event.severity),
      over: event.over === true,
    })),
    campaigns: campaigns.map((campaign) => ({
      group: names.of(campaign.group),
      kind: ours(campaign.kind),
      state: ours(campaign.state),
      since: when(campaign.since),
    })),
    config: desired === undefined ? null : configPart(desired, names),
  };
}

function statusPart(status: Status, names: Pseudonyms): object {
  const reasonsOf = (reasons: readonly { readonly code: string }[]): readonly string[] =>
    reasons.map(({ code }) => ours(code));
  return {
    at: when(status.at),
    verdict: ours(status.verdict),
    reasons: reasonsOf(status.reasons),
    groups: status.groups.map((group) => ({
      name: names.of(group.name),
      verdict: ours(group.verdict),
      links: group.links.map((link) => ({
        name: names.of(`${group.name}/${link.name}`),
        device: names.of(link.device),
        verdict: ours(link.verdict),
        reasons: reasonsOf(link.reasons),
        suite: ours(link.suite),
        ages: {
          controlPlaneMs: count(link.ages.controlPlaneMs),
          dataPlaneMs: count(link.ages.dataPlaneMs),
          farEndMs: count(link.ages.farEndMs),
        },
        livePeers: count(link.mka?.livePeers),
        keyServer: ours(link.mka?.keyServer),
      })),
    })),
    tunnels: status.tunnels.map((tunnel) => ({
      name: names.of(tunnel.name),
      verdict: ours(tunnel.verdict),
      reasons: reasonsOf(tunnel.reasons),
    })),
    warnings: status.warnings.map(({ code, severity, about, since }) => ({
      code: ours(code),
      severity: ours(severity),
      about: names.of(about),
      since: when(since),
    })),
  };
}

function configPart(desired: Desired, names: Pseudonyms): object {
  const { azure, rotation, health } = desired;
  const numbers = (settings: object): object =>
    Object.fromEntries(
      Object.entries(settings).flatMap(([key, value]) =>
        typeof value === "number" ? [[key, value]] : [],
      ),
    );
  return {
    cloud: ours(azure.cloud),
    farEnd: ours(azure.farEnd),
    identity: azure.cloud === "sim" ? null : ours(azure.identity.kind),
    repair: ours(desired.repair),
    health: numbers(health),
    rotation: numbers(rotation),
    devices: desired.devices.map(({ name, driver, quirks }) => ({
      name: names.of(name),
      driver: ours(driver),
      quirks: quirks.map(ours),
    })),
    groups: desired.groups.map((group) => ({
      name: names.of(group.name),
      drain: ours(group.drain),
      retire: ours(group.retire),
      rotate: ours(group.rotate.on),
    })),
    tunnels: desired.tunnels.length,
    acceptRisks: desired.acceptRisks.map(({ risk }) => ours(risk)),
  };
}

// Shapes of a CKN or CAK, a secret in base64, an address, an id of Azure, and a URL.
const secretShapes: readonly RegExp[] = [
  /[0-9A-Fa-f]{16,}/,
  /[A-Za-z0-9+/]{32,}/,
  /\b\d{1,3}(\.\d{1,3}){3}\b/,
  /[0-9a-f]{8}-[0-9a-f]{4}-/i,
  /:\/\//,
  /-----BEGIN/,
];

function looksSecret(text: string): boolean {
  return secretShapes.some((shape) => shape.test(text));
}

/**
 * Returns the text of a bundle. The allow-list makes it safe; this second check refuses any text
 * that has the shape of a key, an address or an id.
 * @throws Error if such a shape is found
 */
export function bundleText(parts: BundleParts): string {
  const text = `${JSON.stringify(bundle(parts), undefined, 1)}\n`;
  const shape = secretShapes.find((each) => each.test(text));
  if (shape !== undefined) throw new Error(`the bundle contains something like ${shape.source}`);
  return text;
}
