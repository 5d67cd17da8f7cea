// The input of a rehearsal: names, capabilities, settings and learnt times of a link group, and no
// key. A rehearsal runs in another process, so that the agent of the real site goes on observing.

import type { Capabilities } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { WantedSettings } from "#hal/model.ts";
import { type Desired, type DesiredGroup, linkId, riskNames } from "../../model/desired.ts";
import { type Memory, named } from "../../store/journal/memory.ts";

/** The input of a rehearsal in its own process (linkseal.twin/1); it contains no key. */
export interface RehearsalSnapshot {
  /** Name and version of the schema. */
  readonly schema: "linkseal.twin/1";
  /** The name of the site. */
  readonly site: string;
  /** The name of the group. */
  readonly group: string;
  /** The config of the simulated copy, for the real agent. */
  readonly config: string;
  /** Resource id of the ExpressRoute port, or its name at a simulated site. */
  readonly expressRoutePort: string;
  /** The party that changes the far end. */
  readonly farEnd: "manual" | "agent";
  /** The proof that the config asks for; one below the default is an accepted risk. */
  readonly proof: { readonly settleMs: number; readonly frames: number };
  /** The routers of the links; `commitMs` in milliseconds. */
  readonly devices: readonly {
    readonly name: string;
    readonly capabilities: Capabilities;
    /** Learnt durations, the newest last. */
    readonly commitMs: readonly number[];
  }[];
  /** The links of the group; `key` names secrets of the vault. */
  readonly links: readonly {
    readonly name: string;
    readonly device: string;
    readonly port: string;
    readonly azureLink: "link1" | "link2";
    readonly settings: WantedSettings;
    readonly key: { readonly cak: string; readonly ckn: string };
  }[];
  /** Learnt durations of an operation at the far end, in milliseconds. */
  readonly farEndMs: readonly number[];
}

export interface RehearsalSnapshotInput {
  readonly desired: Desired;
  readonly group: DesiredGroup;
  readonly memory: Memory;
  readonly capabilities: (device: string) => Capabilities | undefined;
}

/**
 * Returns the input of a rehearsal of this group.
 * @throws LinksealError `gate.stale` if a link is not managed, or its router was not reached yet.
 */
export function rehearsalSnapshotOf({
  desired,
  group,
  memory,
  capabilities,
}: RehearsalSnapshotInput): RehearsalSnapshot {
  const links = group.links.map((link) => {
    const { name, device, port, azureLink, key } = link;
    const settings = named(memory.bindings, linkId(link))?.settings;
    if (settings === undefined) {
      throw no(linkId(link), "it runs on no key of this agent", `linkseal adopt ${linkId(link)}`);
    }
    return { name, device, port, azureLink, settings, key };
  });
  const names = [...new Set(links.map(({ device }) => device))];
  const devices = names.map((name) => {
    const known = capabilities(name);
    if (known === undefined) throw no(name, "it was not reached yet", "linkseal status");
    const commitMs = named(memory.measures, `commit ${name}`) ?? [];
    return { name, capabilities: known, commitMs };
  });
  return {
    schema: "linkseal.twin/1",
    site: desired.site,
    group: group.name,
    config: JSON.stringify(configOf(desired, group, links)),
    expressRoutePort: group.expressRoutePort,
    farEnd: desired.azure.farEnd,
    proof: { settleMs: desired.rotation.settleMs, frames: desired.rotation.proofFrames },
    devices,
    links,
    farEndMs: links.flatMap(({ name }) => memory.measures[`farEnd ${group.name}/${name}`] ?? []),
  };
}

const address = "unix:/run/linkseal-sim/site.sock";
/** A day after the copy's today: it accepts every risk, which the real group was checked for. */
const until = "2027-11-24";

/** JSON is YAML. Windows and freezes are left out: they say when, and not how. */
function configOf(
  desired: Desired,
  group: DesiredGroup,
  links: RehearsalSnapshot["links"],
): object {
  const { health, rotation, azure, devices } = desired;
  const { settleMs, proofFrames, verifyMs, confirmMs, soakMs, farEndMs, putGraceMs, drained } =
    rotation;
  const used = devices.filter(({ name }) => links.some((link) => link.device === name));
  const { name, expressRoutePort, drain, retire } = group;
  return {
    version: 1,
    site: desired.site,
    azure: { cloud: "sim", vault: address, farEnd: azure.farEnd },
    devices: used.map((each) => ({ name: each.name, driver: "sim", address, quirks: each.quirks })),
    groups: [{ name, expressRoutePort, drain, retire, links: linksOf(group, links) }],
    health: {
      poll: duration(health.pollMs),
      staleAfter: duration(health.staleAfterMs),
      evidence: duration(health.evidenceMs),
    },
    rotation: {
      settle: duration(settleMs),
      proofFrames,
      verify: duration(verifyMs),
      confirm: duration(confirmMs),
      soak: duration(soakMs),
      farEnd: duration(farEndMs),
      putGrace: duration(putGraceMs),
      drained: { samples: drained.samples, every: duration(drained.everyMs) },
    },
    acceptRisks: riskNames.filter((risk) => risk !== "asFound").map((risk) => ({ risk, until })),
  };
}

function linksOf(group: DesiredGroup, links: RehearsalSnapshot["links"]): readonly object[] {
  return links.map(({ name, device, port, azureLink, key, settings }) => {
    const { suite, includeSci, confidentialityOffset, keyServerPriority } = settings;
    const { replayWindow, sakRekeyMs } = settings;
    const speed = group.links.find((link) => link.name === name)?.speedGbps;
    const rekey = sakRekeyMs === undefined ? {} : { sakRekey: duration(sakRekeyMs) };
    const offset = confidentialityOffset;
    const window = replayWindow ?? "off";
    const macsec = { suite, includeSci, offset, keyServerPriority, replayWindow: window, ...rekey };
    return { name, device, port, azureLink, speed: `${speed}G`, macsec, key };
  });
}

/** The config reads nine digits at most, and the longest spans are whole seconds. */
function duration(ms: number): string {
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}

function no(where: string, text: string, next: string): LinksealError {
  return new LinksealError("gate.stale", text, { effect: "none", where, next });
}
