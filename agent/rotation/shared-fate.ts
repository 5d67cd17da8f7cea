// Two Linux hosts, and the agent on one of them: where the sibling of a link ends on the agent's
// own host, the end of that host takes sibling and agent together: nothing gives the link back.

import { accessOf } from "#drivers/index.ts";
import { hostOfPeer } from "#hal/target.ts";
import { type Campaign, entryOf, type PortFacts } from "../model/campaign.ts";
import type { Desired, DesiredDevice, DesiredLink } from "../model/desired.ts";
import type { PreconditionInput } from "./preconditions.ts";

/** Returns true if the device is the host that the agent runs on. */
function isOwnHost({ driver, address }: DesiredDevice): boolean {
  const access = accessOf(driver);
  return access?.kind === "local" && access.peer && hostOfPeer(address) === undefined;
}

/**
 * Returns true if a link is on another host than the agent, and a sibling of it is on the agent's:
 * what does not heal by itself needs the risk `agentOnSibling` there. Soft drains and two keys
 * beside each other do.
 */
export function sharesFate({ devices, groups }: Desired, link: DesiredLink): boolean {
  const own = new Set(devices.filter(isOwnHost).map(({ name }) => name));
  if (own.has(link.device)) return false;
  const siblings = groups.find(({ name }) => name === link.group)?.links ?? [];
  return siblings.some(({ name, device }) => name !== link.name && own.has(device));
}

/**
 * Returns true if a campaign takes this link in a way that only the agent undoes. An emergency may
 * shut the port for a fresh SAK: where the far end is the key server.
 */
export function needsAgent(
  desired: Desired,
  link: DesiredLink,
  { breaksFirst, urgency }: { breaksFirst: boolean; urgency: Campaign["urgency"] | undefined },
): boolean {
  const quirks = desired.devices.find(({ name }) => name === link.device)?.quirks ?? [];
  const shuts = urgency === "emergency" || quirks.includes("shutBeforeKeyChange");
  return breaksFirst || shuts || takesRoutes(desired, link);
}

/** Returns true if no traffic falls back to the link while it is drained. */
function takesRoutes({ groups }: Desired, link: DesiredLink): boolean {
  return groups.find(({ name }) => name === link.group)?.drain === "peeringShutdown";
}

/**
 * Asks again in a campaign that is open, for a config that was accepted since it began may drain or
 * shut otherwise: only before the drain, and before a link that carries is interrupted, when to
 * wait costs nothing. `port`: undefined = it was not read.
 */
export function fateOf(
  desired: Desired,
  campaign: Campaign,
  link: DesiredLink,
  port: Pick<PortFacts, "carriedBy" | "drain"> | undefined,
): PreconditionInput["fate"] {
  if (port === undefined || port.drain === "on" || !sharesFate(desired, link)) return "apart";
  if (takesRoutes(desired, link)) return "shared";
  const breaksFirst = entryOf(campaign).overlap === "breakBeforeMake";
  const isLit = port.carriedBy !== "nothing";
  const { urgency } = campaign;
  return isLit && needsAgent(desired, link, { breaksFirst, urgency }) ? "shared" : "apart";
}
