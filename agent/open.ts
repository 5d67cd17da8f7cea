// Builds an agent on any World, real or simulated: the one list of what belongs to it.

import { drivers, simPeer, simVault } from "#drivers/index.ts";
import type { PeerPort } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { Secret } from "#hal/secret.ts";
import type { World } from "#hal/world.ts";
import { Agent, type AgentParts } from "./agent.ts";
import { AuditLog } from "./audit/log.ts";
import { RealCloud } from "./azure/real-cloud.ts";
import { type Mind, soundMind } from "./campaign/conductor.ts";
import { linkId, type RealAzure } from "./desired.ts";
import { IntentStore } from "./intent/intent.ts";
import { Journal } from "./journal/journal.ts";
import { sealerOf } from "./report/seal.ts";

export interface Identity {
  /** Key of the chains of journal and audit log. */
  readonly hostKey: Secret;
  /** Private half of the key that reports are signed with: 32 octets. */
  readonly reportKey: Secret;
  readonly host: string;
}

/** What a process reads before it does anything. Throws `journal.*` with the next safe step. */
export async function openRecords(
  world: World,
  { hostKey, reportKey, host }: Identity,
): Promise<Pick<AgentParts, "intents" | "journal" | "audit" | "sealer" | "host">> {
  const intents = await IntentStore.open(world.disk);
  const seal = { key: hostKey, host };
  const { journal } = await Journal.open(world, seal);
  const audit = await AuditLog.open(world, seal);
  return { intents, journal, audit, sealer: sealerOf(reportKey), host };
}

/**
 * Reads intent and journal; touches no device. Throws `journal.*` or `config.*` with the next safe
 * step.
 */
export async function openAgent(
  world: World,
  identity: Identity,
  mind: Mind = soundMind,
): Promise<Agent> {
  const records = await openRecords(world, identity);
  const { dial } = world;
  const clouds = new Map<string, RealCloud>();
  const cloudOf = (azure: RealAzure): RealCloud => {
    // The same sign-in serves every config that wants the same cloud, planned or in force.
    const key = JSON.stringify({ ...azure, farEnd: undefined, scopes: undefined });
    const cloud = clouds.get(key) ?? new RealCloud(world, azure);
    clouds.set(key, cloud);
    return cloud;
  };
  return new Agent({
    world,
    drivers,
    vault: ({ azure }) =>
      azure.cloud === "sim" ? simVault(dial, azure.vault) : cloudOf(azure).vault,
    peerPort: ({ azure, groups, rotation: { putGraceMs } }, link, operation) => {
      const group = groups.find((each) => each.name === link.group);
      const resource = group?.expressRoutePort ?? "";
      const peer =
        azure.cloud === "sim"
          ? simPeer(dial, azure.vault, resource, link.azureLink)
          : cloudOf(azure).peer({ resource, link: link.azureLink, operation, putGraceMs });
      return azure.farEnd === "agent" ? peer : onlyRead(peer, linkId(link));
    },
    gateway: ({ azure }, { azureConnection }) => {
      if (azure.cloud === "sim" || azureConnection === undefined) return undefined;
      const cloud = cloudOf(azure);
      return (signal) => cloud.connection(azureConnection, signal);
    },
    gatewayKey: ({ azure }, { azureConnection }) =>
      azure.cloud === "sim" || azureConnection === undefined
        ? undefined
        : cloudOf(azure).gatewayKey(azureConnection),
    azureReader: ({ azure }) => (azure.cloud === "sim" ? undefined : cloudOf(azure).document),
    identityEnd: async ({ azure }) =>
      azure.cloud === "sim" ? undefined : await cloudOf(azure).identityEnd(),
    ...records,
    mind,
  });
}

/** `farEnd: manual`: whatever goes wrong in here, the change is a person's. */
function onlyRead(peer: PeerPort, where: string): PeerPort {
  return {
    ...peer,
    async put() {
      const text = "the far end is changed by a person (farEnd: manual): nothing was written";
      const next = "linkseal rotation show, which says what to set there";
      throw new LinksealError("device.unsupported", text, { effect: "none", where, next });
    },
  };
}
