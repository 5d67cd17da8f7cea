// Links, tunnels and keys on devices that no intent mentions.

import { type Standing, standingOf } from "../../compare/plan.ts";
import { type DesiredLink, linkId } from "../../model/desired.ts";
import { openCampaign } from "../../store/journal/memory.ts";
import type { EvaluatedAgent, SiteView } from "./site-view.ts";
import type { Unmanaged } from "./status.ts";

/** Lists links with a key that linkseal does not manage, and remains of an earlier intent. */
export function unmanagedOf(agent: EvaluatedAgent, supervisor: SiteView): readonly Unmanaged[] {
  const { desired } = supervisor.intent;
  const links = desired.groups.flatMap((group) => group.links);
  const standing = (link: DesiredLink): Standing =>
    standingOf(
      supervisor.deviceCache.snapshot(link),
      agent.memory,
      supervisor.deviceCache.capabilities(link.device),
    );
  const foreign = links.flatMap((link): Unmanaged[] => {
    // While a campaign runs, a key on the port belongs to the campaign.
    if (openCampaign(agent.memory, link.group) !== undefined) return [];
    const observed = standing(link);
    if (observed.kind !== "unmanaged") return [];
    const next = `linkseal adopt ${linkId(link)}`;
    return [{ kind: "link", name: linkId(link), where: link.device, text: observed.why, next }];
  });
  const left = Object.keys(agent.memory.bindings)
    .filter((id) => !links.some((link) => linkId(link) === id))
    .map(
      (id): Unmanaged => ({
        kind: "link",
        name: id,
        where: id,
        text: "still there, but no longer in the intent",
        next: `linkseal retire link ${id}`,
      }),
    );
  const tunnels = Object.keys(agent.memory.tunnels)
    .filter((name) => !desired.tunnels.some((tunnel) => tunnel.name === name))
    .map(
      (name): Unmanaged => ({
        ...{ kind: "tunnel", name, where: agent.made(name)?.device ?? name },
        text: "still there, but no longer in the intent",
        next: `linkseal retire tunnel ${name}`,
      }),
    );
  return [...foreign, ...left, ...tunnels];
}
