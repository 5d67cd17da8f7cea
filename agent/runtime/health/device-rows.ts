// Warnings about a device as a whole, and about what the accepted config stands on: blocks of
// earlier tunnels, keys and identities that expire, accepted risks. None of them changes a verdict.

import { strongValue } from "#hal/model.ts";
import { leftBlocked, releaseCommand } from "../../compare/tunnel-change.ts";
import { isoTime } from "../../model/iso-time.ts";
import { clockOffsetMs, clockSkewMs, fresh } from "../../model/link-snapshot.ts";
import { listed } from "../../model/text.ts";
import { endsSoonMs } from "../polling/key-check.ts";
import type { Finders, Finding, Scene, Subject } from "./finder.ts";

export const deviceRows = {
  "clock-skew": ({ site: { intent, deviceCache }, clock, now }, { about }) => {
    const state = fresh(deviceCache.state(about), intent.desired.health, now);
    const offsetMs = state === undefined ? undefined : clockOffsetMs(state, clock);
    if (offsetMs === undefined || Math.abs(offsetMs) <= clockSkewMs.warning) return undefined;
    const seconds = Math.round(Math.abs(offsetMs) / 1_000);
    const way = offsetMs > 0 ? "ahead of" : "behind";
    return `the clock of ${about} is ${seconds} s ${way} this host's`;
  },
  "commit-unsaved": ({ site: { unsavedCommits } }, { about }) => {
    const [oldest] = unsavedCommits.left(about);
    if (oldest === undefined) return undefined;
    const failure = unsavedCommits.failure(about);
    const why = failure === undefined ? "" : `; the last try: ${failure.message}`;
    const text = `a boot of ${about} may take back what was changed at ${isoTime(oldest.since)}`;
    return `${text}: it is not known to be saved${why}`;
  },
} satisfies Finders<Subject>;

/** Keys, certificates and identities that have expired or soon will. */
const ends = ({ site, wall }: Scene): readonly Finding[] =>
  site.ends.flatMap(({ code, about, within, what, at }) => {
    if (at - wall >= endsSoonMs) return [];
    const text = `${what} ${wall < at ? "ends" : "has ended"} at ${isoTime(at)}`;
    return [{ code, about, within, text }];
  });

export const siteRows = {
  // Of a tunnel that left the config, or whose prefix was narrowed, whether or not it ever came up.
  "guard-left": ({ site: { intent, deviceCache }, agent: { memory, made }, now }) => {
    const { devices, health, tunnels } = intent.desired;
    // A tunnel that goes on unmanaged still needs its blocks.
    const unmanaged = Object.keys(memory.tunnels).flatMap((name) => made(name) ?? []);
    const needing = [
      ...tunnels,
      ...unmanaged.filter(({ name }) => !tunnels.some((tunnel) => tunnel.name === name)),
    ];
    return devices.flatMap(({ name: about }) => {
      const blocked = fresh(deviceCache.state(about), health, now)?.blocked;
      const prefixes = blocked === undefined ? [] : (strongValue(blocked) ?? []);
      const left = leftBlocked(about, prefixes, needing);
      const [first] = left;
      if (first === undefined) return [];
      const text = `${about} blocks ${listed(left)}, and no tunnel of the config protects that`;
      return [{ about, text, next: releaseCommand(first) }];
    });
  },
  "identity-expiring": ends,
  "key-expiring": ends,
  "risk-ending": ({ site, wall }) => {
    const { acceptRisks, tunnels } = site.intent.desired;
    const weak = tunnels.filter(({ weaknesses }) => weaknesses.length > 0).map(({ name }) => name);
    const [last] = acceptRisks
      .filter(({ risk }) => risk === "weakTunnel")
      .map(({ until }) => until)
      .sort((a, b) => b - a);
    if (weak.length === 0 || last === undefined) return undefined;
    if (wall >= last || last - wall >= endsSoonMs) return undefined;
    const text = `weakTunnel is accepted until ${isoTime(last)}; after it nothing sets up`;
    const more = weak.length > 3 ? ` and ${weak.length - 3} more` : "";
    return `${text} ${weak.slice(0, 3).join(", ")}${more} again`;
  },
  "stale-after-bounded": ({ site }) => {
    const { health, staleAfterAskedMs } = site.intent.desired;
    if (staleAfterAskedMs === undefined) return undefined;
    const [asked, used] = [staleAfterAskedMs, health.staleAfterMs].map((ms) => `${ms / 1_000}s`);
    const text = `health.staleAfter is ${asked} in the config in force, and ${used} is used`;
    return `${text}: no older reading supports a verdict`;
  },
} satisfies Finders<Subject>;
