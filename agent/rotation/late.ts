// Final changes of ours that a router may still carry out after the agent gave up waiting for them:
// the journal has each before it is sent, and strikes it off once its end was observed.

import type { DeviceChange } from "#hal/device.ts";
import { type Ckn, strongValue } from "#hal/model.ts";
import { type WallTime, wallAfter } from "#hal/world.ts";
import type { CampaignLink, Facts } from "../model/campaign.ts";
import { drainOf, type LinkSnapshot, portOf } from "../model/link-snapshot.ts";
import { type LateChange, type Memory, named } from "../store/journal/memory.ts";

/**
 * TCP gives up on what it has sent after 924.6 s and one more pause of at most 120 s (Linux,
 * ip-sysctl, tcp_retries2; TCP_RTO_MAX), and the agent waits for no change longer than 90 s. A
 * change that comes later still appears like every other change on the router.
 */
export const lateMsMax = 20 * 60_000;

/** Returns how a change harms a link if it comes too late; undefined = it does not. */
export function harmOf(
  change: DeviceChange,
  entry: CampaignLink | undefined,
): Pick<LateChange, "what" | "takes"> | undefined {
  for (const part of change) {
    switch (part.kind) {
      case "port.drain":
        return { what: "drain" };
      case "port.shut":
        return { what: "shut" };
      case "macsec.removeKey":
        return { what: "keys", takes: part.ckn };
      case "macsec.replaceKey": {
        const keys = [entry?.old?.key.ckn, entry?.new.key.ckn];
        const takes = keys.find((ckn) => ckn !== undefined && ckn !== part.key.ckn);
        return takes === undefined ? undefined : { what: "keys", takes };
      }
      case "macsec.protect":
        // Settings that both ends must agree on; an enrolment never goes back.
        if (entry?.old !== undefined) return { what: "keys" };
        break;
      case "macsec.addKey":
      case "macsec.promoteKey":
      case "macsec.rekeySak":
      case "port.open":
      case "port.restore":
      case "ipsec.block":
      case "ipsec.putTunnel":
      case "ipsec.removeTunnel":
      case "ipsec.rekey":
        break;
    }
  }
  return undefined;
}

/** Returns the changes of a link that may still take effect, the oldest first. */
export function lateChanges(memory: Memory, id: string, now: WallTime): readonly LateChange[] {
  return (named(memory.late, id) ?? []).filter(({ since }) => mayCome(since, now));
}

/** A clock that was set meanwhile does not lengthen the time of a change. */
function mayCome(since: WallTime, now: WallTime): boolean {
  return Math.abs(now - since) <= lateMsMax;
}

export function untilOf({ since }: LateChange): WallTime {
  return wallAfter(since, lateMsMax);
}

/** Returns the first late change that would take the traffic of this link away. */
export function lateTaker(memory: Memory, id: string, now: WallTime): LateChange | undefined {
  return lateChanges(memory, id, now).find(({ what }) => what !== "keys");
}

/** Returns which key of the link under way a late change of ours may still take from the router. */
export function mayLose(changes: readonly LateChange[], entry: CampaignLink): Facts["mayLose"] {
  const takes = (ckn: Ckn | undefined): boolean =>
    changes.some((late) => late.what === "keys" && (late.takes ?? ckn) === ckn);
  const [old, next] = [takes(entry.old?.key.ckn), takes(entry.new.key.ckn)];
  return old ? (next ? "both" : "old") : next ? "new" : "nothing";
}

/**
 * Returns the late change that an observation shows to have taken effect; undefined = none, or it
 * is not known. Of several that do the same, the first one is returned.
 */
export function comeOf(
  changes: readonly LateChange[],
  snapshot: LinkSnapshot,
): LateChange | undefined {
  const newest = changes.at(-1);
  if (newest === undefined || newest.hidden === true || !hasCome(newest, snapshot))
    return undefined;
  return changes.find(({ what, takes }) => what === newest.what && takes === newest.takes);
}

function hasCome({ what, takes }: LateChange, { state, link }: LinkSnapshot): boolean {
  const port = portOf(state, link.port);
  if (state === undefined || port === undefined) return false;
  switch (what) {
    case "drain":
      return drainOf(state, link.port) === "on";
    case "shut":
      return strongValue(port.admin) === "down";
    case "keys": {
      const keys = strongValue(port.keys);
      return takes !== undefined && keys?.every(({ ckn }) => ckn !== takes) === true;
    }
  }
}
