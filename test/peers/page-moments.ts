// Snapshots of sites that no simulator has to run for: calm, large, with faults, in a campaign.

import type { Because, Reason, Verdict } from "#agent/model/health.ts";
import type { LinkSample, PageDay, PageLink, PageSnapshot, PageTunnel } from "#agent/page/shape.ts";
import type { CampaignShape } from "#agent/rotation/campaign-shape.ts";
import type { LinkStatus } from "#agent/runtime/health/status.ts";

/** What a moment differs in from a calm one. */
export interface MomentOptions {
  readonly groups: number;
  readonly tunnels?: number;
  /** Verdicts that are not `protected`, by link. */
  readonly verdicts?: Readonly<Record<string, Verdict>>;
  readonly planned?: Readonly<Record<string, PageLink["planned"]>>;
  readonly campaign?: CampaignShape;
  /** The cause of each tunnel that is down. */
  readonly because?: Because;
}

const begun = Date.UTC(2026, 10, 24, 9, 0, 0);
const iso = (at: number): string => new Date(at).toISOString().replace(/\.\d+/, "");
const names = ["primary", "secondary"] as const;

/** The names of all groups of a moment. */
const groupName = (index: number, groups: number): string =>
  groups === 1 ? "erd-dub" : `erd-${String(index + 1).padStart(3, "0")}`;

const reasonOf: Readonly<Record<Verdict, Omit<Reason, "next"> | undefined>> = {
  protected: undefined,
  degraded: { code: "policy-should-secure", text: "the port also accepts clear frames" },
  unknown: { code: "reading-stale", text: "the last reading is older than the freshness limit" },
  down: { code: "mka-no-live-peer", text: "the far end answers no MKA frame, and nothing passes" },
  unprotected: {
    code: "macsec-not-configured",
    text: "the port has no MACsec: all is in the clear",
  },
};

const notConfigured = {
  code: "not-configured",
  text: "the agent is ready, and no config has been accepted yet",
  next: "linkseal apply FILE",
} as const;

/** Returns the snapshot of the second `tick`; counters grow with it. */
export function momentAt(tick: number, options: MomentOptions): PageSnapshot {
  const { groups, tunnels = 0, campaign } = options;
  const at = begun + tick * 1_000;
  const all = Array.from({ length: groups }, (_, index) => groupName(index, groups));
  const status = all.map((name) => ({
    name,
    links: names.map((link) => pageLink(`${name}/${link}`, tick, options)),
    rotation: campaign?.group === name ? campaign : null,
  }));
  const tunnelStates = Array.from({ length: tunnels }, (_, index) =>
    pageTunnel(index, { tick, insideMacsec: all[0] ?? null }, options),
  );
  const verdicts = [...status.flatMap(({ links }) => links), ...tunnelStates];
  const worst: readonly Verdict[] = ["unprotected", "down", "unknown", "degraded"];
  const worstOf = (parts: readonly { readonly verdict: Verdict }[]): Verdict =>
    worst.find((verdict) => parts.some((part) => part.verdict === verdict)) ?? "protected";
  return {
    schema: "linkseal.page/1",
    at,
    status: {
      schema: "linkseal.status/1",
      site: groups === 0 ? null : "dublin",
      at: iso(at),
      verdict: groups === 0 ? "unknown" : worstOf(verdicts),
      reasons: groups === 0 ? [notConfigured] : [],
      groups: status.map((group) => ({ ...group, verdict: worstOf(group.links) })),
      tunnels: tunnelStates,
      warnings: warningsOf(status, at),
      unmanaged: [],
    },
    devices: devicesOf(groups),
    ended: [],
    events: groups === 0 ? [] : eventsOf(at),
    eventsBefore: { kept: 0, lost: 0 },
  };
}

function devicesOf(groups: number): PageSnapshot["devices"] {
  const all = groups === 1 ? ["a", "b"] : Array.from({ length: groups * 2 }, (_, n) => `${n + 1}`);
  return all.map((name) => ({
    ...{ name: `edge-${name}`, driver: "junos", seen: true, lookAgeMs: 2_100 },
  }));
}

function eventsOf(at: number): PageSnapshot["events"] {
  return Array.from({ length: 40 }, (_, n) => ({
    schema: "linkseal.event/1" as const,
    n: n + 1,
    at: iso(at - (40 - n) * 90_000),
    code: "verdict",
    about: "erd-dub/primary",
    text: "degraded -> protected: every check passed",
    severity: "info" as const,
  }));
}

function linkStatus(id: string, { verdicts, groups }: MomentOptions): LinkStatus {
  const verdict = verdicts?.[id] ?? "protected";
  const [group = "", name = ""] = id.split("/");
  const reason = reasonOf[verdict];
  const number = Number(/\d+$/.exec(group)?.[0] ?? 1) * 2 - (name === "primary" ? 1 : 0);
  const isUp = verdict === "protected" || verdict === "degraded";
  const device = groups === 1 ? `edge-${name === "primary" ? "a" : "b"}` : `edge-${number}`;
  const ckn = number.toString(16).padStart(64, "c0ffee");
  return {
    ...{ name, device, port: "et-0/0/0", verdict },
    reasons: reason === undefined ? [] : [{ ...reason, next: `linkseal links ${id}` }],
    ages: { controlPlaneMs: 2_100, dataPlaneMs: 2_100, farEndMs: 14_000 },
    suite: isUp ? "gcm-aes-xpn-256" : null,
    ...{ ckn, keyVersion: "9ece77be210038106b385731dd623baf", keyAgeDays: 12 },
    ...{ keyInUse: isUp ? ckn : null, keyNext: null, laterSaks: null },
    confidentiality: {
      offset: 0,
      received: isUp ? "encrypted" : null,
      sent: isUp ? "encrypted" : "unproven",
    },
    mka: { livePeers: isUp ? 1 : 0, principalCkn: isUp ? ckn : null, keyServer: "self" },
    frames: { rxOk: "123456789", rxNotValid: "0", rxClear: "0", txProtected: "123400000" },
    azure: null,
  };
}

function pageTunnel(
  index: number,
  { tick, insideMacsec }: { readonly tick: number; readonly insideMacsec: string | null },
  { because }: MomentOptions,
): PageTunnel {
  const text = `no IKE SA, because of ${because?.about}`;
  const reason = { code: "ike-down", text, next: "linkseal tunnels" } as const;
  const isUp = because === undefined;
  return {
    name: `hub-${index + 1}`,
    verdict: isUp ? "protected" : "down",
    reasons: isUp ? [] : [{ ...reason, because }],
    because: because ?? null,
    ...{ azure: null, bgp: null, share: null, backup: null, ppk: null },
    sas: { pairs: 1, nat: null },
    device: index % 2 === 0 ? "edge-a" : "edge-b",
    ...{ local: "198.51.100.1", remote: `203.0.113.${index + 1}`, insideMacsec },
    ike: isUp ? "established" : "none",
    saCount: isUp ? 2 : 0,
    newest: {
      at: begun + tick * 1_000,
      received: String(tick * 900),
      sent: String(tick * 870),
      sequenceUsed: 0.02,
    },
  };
}

function warningsOf(
  groups: readonly { readonly name: string; readonly links: readonly LinkStatus[] }[],
  at: number,
): PageSnapshot["status"]["warnings"] {
  return groups.flatMap(({ name, links }) =>
    links.flatMap((link) =>
      link.reasons.map(({ code, text, next }) => ({
        ...{ code, text, next, about: `${name}/${link.name}` },
        severity: link.verdict === "degraded" ? ("warning" as const) : ("error" as const),
        ...{ since: iso(at - 130_000), absentSince: null },
      })),
    ),
  );
}

function pageLink(id: string, tick: number, options: MomentOptions): PageLink {
  const { planned } = options;
  const status = linkStatus(id, options);
  const isUp = status.verdict === "protected" || status.verdict === "degraded";
  return {
    ...status,
    azureLink: status.name === "primary" ? "link1" : "link2",
    controlledPort: isUp ? "secured" : "blocked",
    bgp: isUp ? "up" : "down",
    drained: planned?.[id] !== undefined,
    planned: planned?.[id] ?? null,
    keys: [{ ckn: status.ckn ?? "", role: "primary" }],
    keyCreatedAt: begun - 12 * 86_400_000,
    keyMaxAgeMs: 90 * 86_400_000,
    newest: sampleAt(begun + tick * 1_000, isUp),
  };
}

/** Frames up to a moment, at a rate that rises and falls with the day. */
function framesAt(at: number): number {
  const seconds = (at - begun) / 1_000 + 100_000;
  return Math.round(2_000 * seconds - 900 * 9_000 * Math.cos(seconds / 9_000));
}

function sampleAt(at: number, isUp: boolean): LinkSample {
  return {
    at,
    protected: String(isUp ? framesAt(at) : framesAt(begun)),
    ...{ clear: "0", openPps: null, failed: "0", pnUsed: 0.13, livePeers: isUp ? 1 : 0 },
  };
}

const slotMs = 120_000;
const slots = 720;

/** Returns the day before a moment, with one planned outage and one that was not. */
export function dayBefore(tick: number): PageDay<LinkSample> {
  const newest = Math.floor((begun + tick * 1_000) / slotMs);
  const from = (newest - slots + 1) * slotMs;
  const state = (n: number): string =>
    n < 60 ? "-" : n >= 300 && n < 303 ? "m" : n >= 510 && n < 521 ? "x" : "p";
  return {
    ...{ schema: "linkseal.pageDay/1", slotMs, from },
    states: Array.from({ length: slots }, (_, n) => state(n)).join(""),
    samples: Array.from({ length: slots - 60 }, (_, n) => sampleAt(from + (n + 60) * slotMs, true)),
  };
}

/** A rotation in the middle of its first link. */
export function rotationAt(tick: number): CampaignShape {
  const at = begun + tick * 1_000;
  const key = {
    ckn: "c0ffee".repeat(10).padEnd(64, "0"),
    cakSecretId: "kv/cak",
    cknSecretId: "kv/ckn",
  };
  const reason = { code: "recorded", text: "" } as const;
  const move = (secondsAgo: number, state: CampaignShape["state"], because: string) =>
    ({ at: iso(at - secondsAgo * 1_000), link: "primary", state, because, reason }) as const;
  return {
    schema: "linkseal.campaign/1",
    ...{ group: "erd-dub", kind: "rotate", goal: "forward", urgency: "planned" },
    ...{ link: "primary", state: "switching", since: iso(at - 41_000) },
    because: "drained: the far end takes the new key",
    ...{ reason, by: "admin socket: uid 1000", heldFrom: null },
    links: [
      { name: "primary", outcome: null, ...key },
      { name: "secondary", outcome: null, ...key },
    ],
    farEnd: null,
    steps: [
      move(75, "queued", "asked for"),
      move(70, "gated", "the group is free"),
      move(66, "draining", "all checks passed"),
      move(41, "switching", "drained: the far end takes the new key"),
    ],
    until: iso(at + 259_000),
    ahead: [
      { link: "primary", state: "proving", does: "proves the new key both ways", likelyMs: 8_000 },
      { link: "primary", state: "restoring", does: "gives the traffic back", likelyMs: 20_000 },
      { link: "secondary", state: "draining", does: "moves the traffic away", likelyMs: 25_000 },
      {
        link: "secondary",
        state: "switching",
        does: "the far end takes the key",
        likelyMs: 60_000,
      },
      { link: "secondary", state: "proving", does: "proves the new key", likelyMs: 8_000 },
    ],
    restMs: { low: 90_000, likely: 170_000, high: 420_000, basis: "measured" },
  };
}
