// Builds an agent on any World, real or simulated: the one list of what belongs to it.

import { drivers, simPeer, simVault } from "#drivers/index.ts";
import type { Secret } from "#hal/secret.ts";
import type { World } from "#hal/world.ts";
import { Agent } from "./agent.ts";
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
export async function openAgent(world: World, identity: Identity): Promise<Agent> {
  const intents = await IntentStore.open(world.disk);
  const { journal } = await Journal.open(world, { key: identity.hostKey, host: identity.host });
  const { dial } = world;
  return new Agent({
    world,
    drivers,
    vault: (desired) => simVault(dial, desired.azure.vault),
    peerPort: (desired, link) => {
      const group = desired.groups.find((each) => each.name === link.group);
      return simPeer(dial, desired.azure.vault, group?.expressRoutePort ?? "", link.azureLink);
    },
    intents,
    journal,
  });
}
