// Builds an agent on any World, real or simulated: the one list of what belongs to it.

import { drivers, simPeer, simVault } from "#drivers/index.ts";
import type { PeerPort } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { Secret } from "#hal/secret.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { World } from "#hal/world.ts";
import { Agent } from "./agent.ts";
import { type Mind, soundMind } from "./campaign/conductor.ts";
import type { RealAzure } from "./desired.ts";
import { IntentStore } from "./intent/intent.ts";
import { Journal } from "./journal/journal.ts";

export interface Identity {
  /** Key of the journal's chain. */
  readonly hostKey: Secret;
  readonly host: string;
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
  const intents = await IntentStore.open(world.disk);
  const { journal } = await Journal.open(world, { key: identity.hostKey, host: identity.host });
  const { dial } = world;
  return new Agent({
    world,
    drivers,
    vault: ({ azure }) =>
      azure.cloud === "sim" ? simVault(dial, azure.vault) : realVault(world, azure),
    peerPort: ({ azure, groups }, link) => {
      if (azure.cloud !== "sim") return unseenPeer(`${link.group}/${link.name}`);
      const group = groups.find((each) => each.name === link.group);
      return simPeer(dial, azure.vault, group?.expressRoutePort ?? "", link.azureLink);
    },
    intents,
    journal,
    mind,
  });
}

/** The libraries of a real cloud are large: they are loaded when the vault is first asked. */
function realVault(world: World, azure: RealAzure): KeyVault {
  let opened: Promise<KeyVault> | undefined;
  const open = async (): Promise<KeyVault> => {
    const { openAzure } = await import("./azure/open-azure.ts");
    const { hostCredentials } = await import("./host/credentials.ts");
    return openAzure(world, azure, hostCredentials).vault;
  };
  const vault = (): Promise<KeyVault> => {
    opened ??= open();
    // What this host lacked may be there at the next try.
    opened.catch(() => {
      opened = undefined;
    });
    return opened;
  };
  return {
    versions: async (name, signal) => (await vault()).versions(name, signal),
    read: async (id, signal) => (await vault()).read(id, signal),
  };
}

/** Nobody reads a real cloud's end yet: it stays unknown, and a person changes it. */
function unseenPeer(where: string): PeerPort {
  const unseen = async (): Promise<never> => {
    const text = "the far end in a real cloud is not read in this version: a person changes it";
    const next = "linkseal rotation, which shows what to set there";
    throw new LinksealError("device.unsupported", text, { effect: "none", where, next });
  };
  return { observe: unseen, put: unseen };
}
