// Warnings about links and tunnels whose traffic is moved away, or was meant to be.

import { type DeviceState, strongValue } from "#hal/model.ts";
import { type Raised, raise } from "../../health/warnings.ts";
import { isoTime } from "../../model/iso-time.ts";
import { drainOf } from "../../model/link-snapshot.ts";
import { type Memory, named, openCampaign } from "../../store/journal/memory.ts";
import type { SiteView } from "./site-view.ts";

/** A link or a tunnel. */
interface Drainable {
  /** Its name in the journal. */
  readonly about: string;
  /** Its router. */
  readonly device: string;
  /** The port of a link, the name of a tunnel. */
  readonly port: string;
  /** The group of a link; absent = a tunnel. */
  readonly group?: string;
}

/**
 * Warns of a drain outside a campaign: one that the router shows, and one that only the journal
 * has.
 */
export function drainWarnings(
  { deviceCache }: SiteView,
  memory: Memory,
  thing: Drainable,
): Raised[] {
  const { about, device, port, group } = thing;
  const drain = named(memory.drains, about);
  const observed = observedDrain(deviceCache.state(device), port);
  const say = (code: "drained-by-hand" | "drain-not-in-force", text: string): Raised => {
    const within = group === undefined ? [device] : [device, group];
    return { ...raise(code, about, text), within };
  };
  if (drain === undefined) {
    if (observed !== "on") return [];
    if (group !== undefined && openCampaign(memory, group) !== undefined) return [];
    // An operator on the router drained it, or a campaign whose record a disk lost: it is undone
    // unasked only once the sibling is lost.
    const text = "its traffic is moved away on the router, and linkseal knows no reason for it";
    return [say("drained-by-hand", text)];
  }
  const isForAuth = drain.until === "authenticated";
  // This takes seconds, or until the router is reachable again; its failure has its own warning.
  if (isForAuth && named(memory.auths, about)?.next?.state === "switching") return [];
  const why = isForAuth ? "to authenticate anew" : "by hand";
  const record = `(${drain.by}, since ${isoTime(drain.since)})`;
  if (observed === "off") {
    const text = `${device} shows no drain of it, so it can carry traffic`;
    return [say("drain-not-in-force", `its drain ${why} ${record} is not in force: ${text}`)];
  }
  const doubt = observed === "unknown" ? `; ${device} does not show now whether it still is` : "";
  return [say("drained-by-hand", `its traffic was moved away ${why} ${record}${doubt}`)];
}

function observedDrain(state: DeviceState | undefined, port: string): "on" | "off" | "unknown" {
  if (state === undefined || strongValue(state.routing) === undefined) return "unknown";
  return drainOf(state, port);
}
