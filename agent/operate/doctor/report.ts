// Observes both ends, the vault and the paths to them, and applies the doctor rules.

import type { HostReport } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type Ckn, type DeviceState, strongValue } from "#hal/model.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { WallTime } from "#hal/world.ts";
import { detectionFindings } from "../../compare/detection.ts";
import { endsOf, vaultBaseOf } from "../../compare/ends.ts";
import { farEnd, linkFindings, type TwoEnds } from "../../compare/rules.ts";
import {
  type AzureSettings,
  type Desired,
  type DesiredGroup,
  type DesiredLink,
  linkId,
} from "../../model/desired.ts";
import type { Finding } from "../../model/finding.ts";
import { clockSkewMs, portOf } from "../../model/link-snapshot.ts";
import { waitsTooShort } from "../../model/proof-time.ts";
import { severityOf } from "../../model/severity.ts";
import { listed, visible } from "../../model/text.ts";
import type { AgentView } from "../../runtime/agent-view.ts";
import { riskAccepted } from "../../runtime/campaigns/begin.ts";
import { managementPathOf } from "../../runtime/campaigns/management-path.ts";
import type { KeyCheck } from "../../runtime/polling/key-check.ts";
import { readCkn } from "../../runtime/polling/vault.ts";
import type { Supervisor } from "../../runtime/supervisor.ts";
import { type Binding, named, openCampaign } from "../../store/journal/memory.ts";
import { apiFindings } from "./api-rules.ts";
import { type KeyFacts, keyFindings } from "./key-rules.ts";
import { lineFindings } from "./line-rules.ts";
import { obstacleFindings } from "./obstacle-rules.ts";
import { otherHostFindings } from "./other-host-rules.ts";
import { rightFindings } from "./right-rules.ts";

/** The parts of the supervisor that the report needs. */
type Examined = Pick<
  Supervisor,
  "beginParts" | "keySurvey" | "deviceCache" | "managementAddresses" | "mayRead" | "rights"
>;

/** The reply of `GET /v1/doctor`; schema linkseal.doctor/1 of docs/protocol.md. */
export interface DoctorReport {
  /** Name and version of the schema. */
  readonly schema: "linkseal.doctor/1";
  /** Empty = nothing is wrong. */
  readonly findings: readonly Finding[];
}

/**
 * Makes the report from a fresh observation of everything; it changes nothing. An abort leaves
 * nothing behind.
 * @throws LinksealError if the key survey of all links fails
 */
export async function doctorReport(
  agent: Pick<AgentView, "memory"> & { readonly supervisor: Examined | undefined },
  now: WallTime,
  signal: AbortSignal,
): Promise<DoctorReport> {
  const { supervisor } = agent;
  if (supervisor === undefined) return { schema: "linkseal.doctor/1", findings: [] };
  const { desired, deviceCache, world } = supervisor.beginParts();
  const links = desired.groups.flatMap((group) => group.links);
  await Promise.all([
    ...desired.devices.map(({ name }) => deviceCache.observe(name, signal)),
    ...links.map(async (link) => {
      await supervisor.mayRead(1, signal);
      await deviceCache.observePeer(link, signal);
    }),
  ]);
  const bound = (link: DesiredLink): Binding | undefined =>
    named(agent.memory.bindings, linkId(link));
  const { checks, vault } = await supervisor.keySurvey(signal);
  const hosts = await hostReports(supervisor, links, signal);
  const findings = [
    ...vaultWay(checks),
    ...apiFindings(desired.azure, now),
    ...desired.devices.flatMap(({ name }) =>
      deviceFindings(supervisor, { desired, device: name, host: hosts.get(name), now }),
    ),
    ...(await rightFindings(supervisor, desired, signal)),
  ];
  const lined = { world, desired, deviceCache, memory: agent.memory };
  const lines = await lineFindings(lined, signal);
  for (const group of desired.groups) {
    findings.push(...proofFindings(supervisor, group), ...lateFindings(supervisor, group));
    findings.push(
      ...wayFindings(supervisor, group, now),
      ...(await pathFindings(supervisor, group, signal)),
    );
    // A campaign changes one end before the other, on purpose.
    if (openCampaign(agent.memory, group.name) !== undefined) continue;
    const parts = { supervisor, vault, azure: desired.azure, checks, bound, now };
    const facts = await Promise.all(group.links.map((link) => factsOf(parts, link, signal)));
    // One that began while the vault was read may have its key on the port by now.
    if (openCampaign(agent.memory, group.name) !== undefined) continue;
    findings.push(...facts.flatMap((each) => linkFindings(each)), ...keyFindings(facts));
    findings.push(...group.links.flatMap((link) => lines.get(link) ?? []));
  }
  return { schema: "linkseal.doctor/1", findings };
}

interface FactParts {
  readonly supervisor: Examined;
  readonly vault: KeyVault;
  readonly azure: AzureSettings;
  readonly checks: readonly KeyCheck[];
  readonly bound: (link: DesiredLink) => Binding | undefined;
  readonly now: WallTime;
}

async function factsOf(
  parts: FactParts,
  link: DesiredLink,
  signal: AbortSignal,
): Promise<KeyFacts> {
  const { supervisor, vault, azure, checks, bound, now } = parts;
  const versions = await versionsOf(vault, link, signal);
  const binding = bound(link);
  const found = checks.find((each) => each.link === link);
  const check = found ?? { link, newest: undefined, finding: undefined };
  const ids = [binding?.key.cakSecretId, versions?.cak[0]?.id, versions?.ckn[0]?.id];
  const vaultBase = vaultBaseOf(azure, ids);
  const ends = endsOf(supervisor.deviceCache, link, vaultBase, binding?.key);
  return {
    ...ends,
    binding,
    // The vault's failure is reported once for all links.
    check: isWay(check) ? { ...check, finding: undefined } : check,
    versions,
    farCkn: await farCknOf(vault, ends, signal),
    now,
  };
}

async function versionsOf(
  vault: KeyVault,
  link: DesiredLink,
  signal: AbortSignal,
): Promise<KeyFacts["versions"]> {
  try {
    return {
      cak: await vault.versions(link.key.cak, signal),
      ckn: await vault.versions(link.key.ckn, signal),
    };
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    return undefined;
  }
}

async function farCknOf(
  vault: KeyVault,
  { peer, vaultBase }: TwoEnds,
  signal: AbortSignal,
): Promise<Ckn | undefined> {
  const id = peer?.pointsAt?.cknSecretId;
  if (id === undefined || vaultBase === undefined) return undefined;
  if (!id.startsWith(`${vaultBase}/`) || !/\/[0-9a-f]{32}$/.test(id)) return undefined;
  try {
    return await readCkn(vault, id, signal);
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    return undefined;
  }
}

const wayCodes: readonly string[] = ["vault.unreachable", "vault.denied"];

function isWay({ finding }: KeyCheck): boolean {
  return finding !== undefined && wayCodes.includes(finding.code);
}

/** Reports a vault that cannot be read as one finding, however many links have keys in it. */
function vaultWay(checks: readonly KeyCheck[]): readonly Finding[] {
  const found = checks.find(isWay)?.finding;
  if (found === undefined) return [];
  const { code, text, next } = found;
  const severity = severityOf(code);
  const rule = "The agent's identity may read the vault, with get and list";
  const source = "docs/keys.md";
  return [{ code, severity, about: "vault", here: text, there: null, rule, source, next }];
}

const coded = (code: string): Pick<Finding, "code" | "severity"> => ({
  code,
  severity: severityOf(code),
});

/** Returns the links and tunnels of a device. */
function partsOf({ groups, tunnels }: Desired, device: string): readonly string[] {
  const links = groups.flatMap((group) => group.links.filter((link) => link.device === device));
  const own = tunnels.filter((tunnel) => tunnel.device === device);
  return [...links.map(linkId), ...own.map(({ name }) => name)];
}

/** Asks each host behind SSH that answers; the others have findings of their own. */
async function hostReports(
  { deviceCache }: Examined,
  links: readonly DesiredLink[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, HostReport>> {
  const reports = new Map<string, HostReport>();
  for (const name of new Set(links.map(({ device }) => device))) {
    if (deviceCache.failure(name) !== undefined) continue;
    const ports = links.filter(({ device }) => device === name).map(({ port }) => port);
    try {
      const device = await deviceCache.device(name, signal);
      const report = await device.examine?.(ports, signal);
      if (report !== undefined) reports.set(name, report);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
    }
  }
  return reports;
}

interface DeviceScene {
  readonly desired: Desired;
  readonly device: string;
  /** undefined = it is not behind SSH, or did not answer. */
  readonly host: HostReport | undefined;
  readonly now: WallTime;
}

function deviceFindings(
  { deviceCache }: Examined,
  { desired, device, host, now }: DeviceScene,
): readonly Finding[] {
  const failure = deviceCache.failure(device);
  if (failure !== undefined) {
    const rule = "Every device of the config answers";
    const source = "the accepted config: linkseal config show";
    const steps = `linkseal explain ${failure.code} ${device}`;
    // An act of its own, such as the drop-in for a credential, is worth more than the steps.
    const next = failure.next.startsWith("linkseal ") ? steps : failure.next;
    const parts = partsOf(desired, device);
    const unread = parts.length === 0 ? "" : `; nothing is known of ${listed(parts)}`;
    const here = `${device}: ${failure.text}${unread}`;
    const details = { about: device, here, there: null, rule, source, next } as const;
    return [{ ...coded("device-unreachable"), ...details }];
  }
  const state = deviceCache.state(device);
  return [
    // A host that was examined says how exact the reading of its clock is.
    ...(host === undefined ? clockFinding(state, device, now) : otherHostFindings(host, device)),
    ...snmpFinding(state, device),
    ...obstacleFindings(state, device),
  ];
}

function snmpFinding(state: DeviceState | undefined, device: string): readonly Finding[] {
  const unmatched = state?.snmpUnmatched ?? [];
  if (unmatched.length === 0) return [];
  const ports = listed(unmatched.map(visible));
  return [
    {
      ...coded("snmp-unmatched"),
      about: device,
      here: `the SNMP agent of ${device} has no interface, or several, with the name of ${ports}`,
      there: null,
      rule: "Each port is one interface of the router's SNMP agent, by ifDescr or ifName",
      source: "RFC 2863: ifDescr, ifName",
      next: `let the SNMP view on ${device} include ifTable and ifXTable`,
    },
  ];
}

function clockFinding(
  state: DeviceState | undefined,
  device: string,
  now: WallTime,
): readonly Finding[] {
  const control = state === undefined ? undefined : strongValue(state.control);
  if (control === undefined) return [];
  const offMs = Math.abs(control.wall - now);
  if (offMs <= clockSkewMs.warning) return [];
  return [
    {
      ...coded("clock-skew"),
      about: device,
      here: `the clock of ${device} is ${Math.round(offMs / 1000)} s off`,
      there: "the clock of this host",
      rule: "Router and agent agree on the time within a minute; above five nothing begins",
      source: "docs/rotation.md, gates",
      next: `give ${device} and this host a time source`,
    },
  ];
}

function wayFindings(supervisor: Examined, group: DesiredGroup, now: WallTime): readonly Finding[] {
  const { deviceCache, desired } = supervisor.beginParts();
  // If an operator is responsible for the far end and has accepted the risk `farEndUnseen`, a far
  // end that cannot be read is not a finding.
  const isUnseen = desired.azure.farEnd === "manual" && riskAccepted(desired, "farEndUnseen", now);
  return group.links.flatMap((link): Finding[] => {
    const found: Finding[] = [];
    const id = linkId(link);
    const state = deviceCache.state(link.device);
    if (state !== undefined && portOf(state, link.port) === undefined) {
      found.push({
        ...coded("port-absent"),
        about: id,
        here: `${link.device} lists no port ${link.port}`,
        there: null,
        rule: "The port of each link exists on its device",
        source: "the accepted config: linkseal config show",
        next: "correct port in the config, then linkseal apply",
      });
    }
    const failure = deviceCache.peerFailure(link);
    if (failure === undefined || isUnseen) return found;
    return [
      ...found,
      {
        ...coded("far-end-unreadable"),
        about: id,
        here: `${farEnd(link)}: ${failure.text}`,
        there: null,
        rule: "The port of the config exists in Azure, and the agent's identity may read it",
        source: "Azure RBAC: Microsoft.Network/expressRoutePorts/read",
        next: failure.next,
      },
    ];
  });
}

/**
 * Finds waits that are too short for a device without probes; only the device reports whether it
 * sends them.
 */
function proofFindings(supervisor: Examined, group: DesiredGroup): readonly Finding[] {
  const { deviceCache, desired } = supervisor.beginParts();
  return group.links.flatMap((link): Finding[] => {
    const capabilities = deviceCache.capabilities(link.device);
    if (capabilities === undefined || capabilities.probe === true) return [];
    return waitsTooShort(desired.rotation).map(({ key, least, why }) => ({
      ...coded("proof-too-slow"),
      about: linkId(link),
      here: `${link.device} sends no probes, and ${why.replace(/^proof-too-slow: /, "")}`,
      there: null,
      rule: "Where no probes are sent, a wait lasts as long as the routing takes to prove a key",
      source: "Microsoft Learn: Configure BFD over ExpressRoute (BGP keep-alive of 60 s)",
      next: `set rotation.${key} to ${least} in the config, then linkseal apply`,
    }));
  });
}

/** Finds peerings that outlive a loss. */
function lateFindings(supervisor: Examined, group: DesiredGroup): readonly Finding[] {
  const { deviceCache, desired } = supervisor.beginParts();
  return group.links.flatMap((link) => {
    const device = desired.devices.find(({ name }) => name === link.device);
    if (device === undefined || deviceCache.failure(device.name) !== undefined) return [];
    return detectionFindings(link, device.driver, deviceCache.state(device.name));
  });
}

async function pathFindings(
  supervisor: Examined,
  group: DesiredGroup,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { world, deviceCache } = supervisor.beginParts();
  const { managementAddresses } = supervisor;
  const found: Finding[] = [];
  for (const link of group.links) {
    if (deviceCache.failure(link.device) !== undefined) continue;
    const path = await managementPathOf({ world, deviceCache, managementAddresses }, link, signal);
    if (path === "elsewhere") continue;
    const over = path === "overThisLink";
    found.push({
      ...coded(over ? "gate.ownPath" : "ownPathUnknown"),
      about: linkId(link),
      here: over
        ? `the way to a device, to Azure or back here is ${link.device} ${link.port} itself`
        : `${link.device} does not report over which port this host reaches devices and Azure, ` +
          "or is reached",
      there: null,
      rule: "Devices, vault and management API are not reached over any managed link",
      source: "docs/rotation.md, gates",
      next: over
        ? "give this host a path that does not use the link"
        : "check the route yourself; the risk ownPathUnknown accepts it by name",
    });
  }
  return found;
}
