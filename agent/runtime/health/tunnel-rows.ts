// Warnings about a tunnel besides its verdict: how the traffic of a backup rides, its share of a
// bundle, and its newer key or certificate.

import { imbalanceOf } from "../../health/tunnel-bundle.ts";
import type { DesiredTunnel } from "../../model/desired.ts";
import { isoTime } from "../../model/iso-time.ts";
import { drainOf } from "../../model/link-snapshot.ts";
import { tunnelChangeText } from "../../model/reason-text.ts";
import { named } from "../../store/journal/memory.ts";
import type { Ridden } from "./backup-report.ts";
import { shares } from "./bgp-report.ts";
import type { Finders, Finding, Scene, Subject } from "./finder.ts";
import { unknownRight } from "./group-rows.ts";
import { type Drainable, drain, lostCommit } from "./link-rows.ts";

export interface TunnelSubject extends Drainable {
  readonly tunnel: DesiredTunnel;
}

export interface BackupSubject extends Subject {
  /** How the traffic is routed; undefined = the tunnel backs up no group. */
  readonly ridden: Ridden | undefined;
}

export const backupRows = {
  "backup-carries": backup,
  "backup-preferred": backup,
} satisfies Finders<BackupSubject>;

export const tunnelRows = {
  "drained-by-hand": drain,
  "drain-not-in-force": drain,
  // Once for a bundle: about the tunnel that carries almost none of its traffic.
  "tunnel-unbalanced": ({ site }, { tunnel }) => {
    const state = site.deviceCache.state(tunnel.device);
    const all = shares(site, tunnel);
    if (state === undefined || all.length === 0) return undefined;
    const drained = all.filter((one) => drainOf(state, one.tunnel) === "on");
    const found = imbalanceOf(all, new Set(drained.map((one) => one.tunnel)));
    return found?.tunnel === tunnel.name ? found.text : undefined;
  },
  "rights-unknown": (scene, { about: tunnel }) =>
    unknownRight(scene, { kind: "preSharedKey", tunnel }),
  "waiting-for-person": newerAuth,
  "campaign-waiting": newerAuth,
  "far-end-refused": newerAuth,
  "rotation-held": newerAuth,
  "commit-lost": ({ site }, { about, device }) => {
    const own = site.trouble(device, about);
    return own && lostCommit([own]);
  },
} satisfies Finders<TunnelSubject>;

function backup(_scene: Scene, { about, ridden }: BackupSubject): Finding | undefined {
  if (ridden === undefined) return undefined;
  const { riding, group, since } = ridden;
  if (riding.kind === "standby" || riding.kind === "unknown") return undefined;
  const { kind, prefix, because } = riding;
  const text = `${prefix} rides in ${about}, the backup of ${group}, since ${isoTime(since)}`;
  return kind === "carries"
    ? { code: "backup-carries", text: `${text}: ${because}` }
    : { code: "backup-preferred", text: `${text}, although ${because}` };
}

/**
 * A newer key that waits, is refused or was withdrawn, or a certificate that the gateway refuses.
 */
function newerAuth(
  { agent: { memory } }: Scene,
  { about, tunnel: { auth } }: TunnelSubject,
): Finding | undefined {
  const next = named(memory.auths, about)?.next;
  if (next === undefined) return undefined;
  const because = tunnelChangeText(next);
  if (auth.kind === "certificate") {
    if (next.state !== "waiting") return undefined;
    const text = `its newer certificate waits: ${because}`;
    const act = "put a version into the vault that the gateway takes";
    return { code: "rotation-held", text, next: act };
  }
  const say = (code: keyof typeof tunnelRows, text: string, command: "show" | "proceed") => ({
    ...{ code, text: `${text}: ${because}` },
    next: `linkseal psk ${command} ${about}`,
  });
  switch (next.state) {
    case "waiting":
      if (auth.farEnd === "manual") {
        return say("waiting-for-person", "a newer pre-shared key waits", "proceed");
      }
      return next.reason.code !== "tunnel.giving.notGiven"
        ? say("campaign-waiting", "a newer pre-shared key waits", "show")
        : say("far-end-refused", "a newer pre-shared key is not taken", "show");
    case "giving":
      if (next.reason.code !== "tunnel.giving.either") return undefined;
      return say("far-end-refused", "a newer pre-shared key is on its way", "show");
    case "switching":
      return undefined;
    case "returning":
      return say("rotation-held", "its newer pre-shared key is being withdrawn", "show");
    case "held":
      return say("rotation-held", "its newer pre-shared key was withdrawn", "proceed");
  }
}
