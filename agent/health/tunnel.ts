// Derives the health of an IPsec tunnel from its SAs, its packets and BGP inside it.

import type { IpsecSa, IpsecTunnel, Reading, Transforms, TunnelGap } from "#hal/model.ts";
import { claims, judge, type Looks, type Sight, seen, sightOf } from "../model/claims.ts";
import {
  type CarrierLink,
  conclude,
  consequenceOf,
  type Finding,
  finding,
  isDropped,
  isSolid,
  type TunnelEvidence,
  type TunnelHealth,
  unseen,
  unusable,
  type Verdict,
} from "../model/health.ts";
import { unprovenFindings } from "./backup.ts";
import { deliveryOf, notVisible, unprovenText } from "./delivery.ts";
import { sameAddress } from "./prefix.ts";
import { hasBothSas } from "./tunnel-bundle.ts";
import { pathFindings, routesIn } from "./tunnel-paths.ts";

/**
 * Derives a tunnel's health by the rules for links: missing evidence gives `unknown`, and an absent
 * tunnel is a finding.
 */
export function deriveTunnelHealth(evidence: TunnelEvidence): TunnelHealth {
  const findings = tunnelFindings(evidence);
  const unseen = unseenFinding(evidence, conclude(findings, undefined).verdict);
  return conclude(unseen === undefined ? findings : [...findings, unseen], evidence.causes);
}

/** What the readings of its device show of the claim that the tunnel is protected. */
function tunnelLooks(evidence: TunnelEvidence): Looks<"tunnel-protected", undefined> {
  const { tunnel, observations, routing, blocked, now, settings } = evidence;
  const newest = observations.at(-1);
  const read = <T>(
    reading: Reading<T> | undefined,
    says: (value: T) => boolean,
  ): Sight<undefined> => {
    const isRead = reading !== undefined && isSolid(reading, now, settings.staleAfterMs);
    return sightOf(isRead ? says(reading.value) : undefined);
  };
  const withSas = (says: (tunnel: IpsecTunnel) => boolean) =>
    read(newest?.sas, () => newest !== undefined && says(newest));
  const isWanted = ({ transforms, phase }: IpsecSa): boolean =>
    phase !== "installed" || sameTransforms(transforms, tunnel.transforms);
  const both = ["in", "out"] as const;
  const isMute = routing?.kind === "unknown" && routing.why === "notSupported";
  const hasNoBgp = evidence.ways !== undefined && (routing === undefined || isMute);
  return {
    ike: () => read(newest?.ike, (state) => state === "established"),
    sas: () => withSas(hasBothSas),
    transforms: () => read(newest?.sas, (sas) => sas.every(isWanted)),
    moves: () =>
      withSas((one) => new Set(both.map((way) => moved(one, observations, way))).size === 1),
    outward: () => read(routesIn(evidence), () => true),
    // A device with a forwarding table and no BGP of its own advertises nothing.
    inward: () => (hasNoBgp ? seen : read(routing, () => true)),
    blocked: () => (blocked === undefined ? seen : read(blocked, () => true)),
  };
}

/** The finding where nothing is found, and a fact of the claim was not seen. */
function unseenFinding(evidence: TunnelEvidence, verdict: Verdict): Finding | undefined {
  const found = judge("tunnel-protected", tunnelLooks(evidence));
  if (verdict !== "protected" || found.kind !== "unknown") return undefined;
  const { name, device } = evidence.tunnel;
  const { says } = claims["tunnel-protected"].facts[found.fact];
  const text = `nothing shows of ${name} on ${device} that ${says}`;
  return finding("unknown", "reading-missing", name, text);
}

/**
 * Returns a finding of packets that do not get through; while a link that they take is down, or
 * every link of the group that the tunnel rides on, it is the consequence of that.
 */
function undelivered({ carriers = [] }: TunnelEvidence, found: Finding): Finding {
  const down = carriers.filter(({ verdict }) => verdict === "down");
  const isLost = down.length === carriers.length;
  const cause = down.find(({ path }) => path === "taken") ?? (isLost ? down[0] : undefined);
  return cause === undefined ? found : because(found, cause);
}

function because(found: Finding, { id, reason }: CarrierLink): Finding {
  return reason === undefined ? found : consequenceOf(found, id, reason);
}

function tunnelFindings(evidence: TunnelEvidence): Finding[] {
  const { tunnel, observations, device, now, settings } = evidence;
  const { lastObservedAt } = device;
  if (lastObservedAt === undefined || now - lastObservedAt > settings.staleAfterMs) {
    return [unseen({ device: tunnel.device, part: tunnel.name }, tunnel.name, device, now)];
  }
  const findings = pathFindings(evidence);
  const newest = observations.at(-1);
  if (newest === undefined || isDropped(newest.ike.at, device, settings)) {
    const text = `${tunnel.device} has no tunnel ${tunnel.name} to ${tunnel.remoteAddress}`;
    const sentence = `${text}${waitingFor(evidence)}${lastRefusal(evidence)}`;
    findings.push(finding("down", "tunnel-configured-but-absent", tunnel.name, sentence));
    return findings;
  }
  findings.push(...(newest.gaps ?? []).map((gap) => gapFinding(evidence, gap)));
  // What its own device does not send says nothing of IKE or the gateway.
  if (findings.some(({ code }) => code === "tunnel-underlay")) return findings;
  findings.push(...ikeFindings(evidence, newest), ...saFindings(evidence, newest));
  findings.push(...ppkFindings(evidence, newest));
  findings.push(...bgpFindings(evidence));
  findings.push(...deliveryFindings(evidence, newest, findings));
  findings.push(...unprovenFindings(tunnel, evidence.backup?.proof, now));
  if (evidence.waiver === "over") {
    const text = `${tunnel.name} runs under a weak policy: ${tunnel.weaknesses.join(", ")}`;
    findings.push(finding("degraded", "weak-policy", tunnel.name, text));
  }
  const open = evidence.carriers?.find(({ verdict }) => verdict === "unprotected");
  if (open !== undefined) {
    const group = tunnel.insideMacsec ?? "its group";
    const text = `${tunnel.name} must ride inside the MACsec of ${group}, which is not protected`;
    findings.push(because(finding("degraded", "outside-macsec", tunnel.name, text), open));
  }
  return findings;
}

const lastRefusal = ({ refusal }: TunnelEvidence): string =>
  refusal === undefined ? "" : `; its last set-up failed: ${refusal}`;

/** However good the SAs are, no packet gets in or out while its own device has a gap. */
function gapFinding(evidence: TunnelEvidence, { kind, text }: TunnelGap): Finding {
  const { name, device } = evidence.tunnel;
  switch (kind) {
    case "closed":
      return finding("down", "tunnel-interface", name, text);
    case "mtu":
      return finding("degraded", "tunnel-interface", name, text);
    case "outer": {
      const sentence = `${name} has no way out of ${device}: ${text}`;
      return undelivered(evidence, finding("down", "tunnel-underlay", name, sentence));
    }
  }
}

/** The tunnel waits because its block would drop what a link still carries in the clear. */
function waitingFor({ backup }: TunnelEvidence): string {
  const clear = backup?.links.find(
    ({ verdict, reason }) =>
      reason?.code === "macsec-not-configured" ||
      (reason?.code === "key-gone" && verdict === "unprotected"),
  );
  return clear === undefined ? "" : `: it waits until ${clear.id} is under MACsec`;
}

function ikeFindings(evidence: TunnelEvidence, newest: IpsecTunnel): Finding[] {
  const { tunnel, now, settings, observations } = evidence;
  if (!isSolid(newest.ike, now, settings.staleAfterMs)) {
    return [unusable(`IKE of ${tunnel.name}`, tunnel.device, tunnel.name, newest.ike)];
  }
  // SAs outlive the IKE SA that made them, so traffic may still pass for a while.
  const moving = moved(newest, observations, "in") && moved(newest, observations, "out");
  const say = (verdict: Verdict, text: string): Finding[] => [
    finding(verdict, "ike-down", tunnel.name, text),
  ];
  const { device, name, localAddress, remoteAddress } = tunnel;
  const ends = `from ${device} (${localAddress}) to ${remoteAddress}`;
  const lost = `the IKE daemon of ${device} has no connection ${name} any more`;
  switch (newest.ike.value) {
    case "established": {
      if (newest.isSilent !== true) return [];
      const text = `IKE ${ends} has no answer, and no packet comes${troubleOf(newest)}`;
      return say("degraded", text).map((each) => undelivered(evidence, each));
    }
    case "unloaded":
      return say("degraded", `${lost}: the tunnel ends with the SAs that it has`);
    case "forgotten":
      return say(moving ? "degraded" : "down", `${lost}, and no IKE SA`);
    case "connecting":
    case "down": {
      const text = `IKE ${ends} is ${newest.ike.value}${troubleOf(newest)}`;
      const found = say(moving ? "degraded" : "down", text);
      return found.map((each) => undelivered(evidence, each));
    }
  }
}

/** Returns the obstacle that the device itself reports, as the end of a sentence; empty = none. */
const troubleOf = ({ trouble }: IpsecTunnel): string =>
  trouble === undefined ? "" : `: ${trouble}`;

function saFindings(evidence: TunnelEvidence, newest: IpsecTunnel): Finding[] {
  const { tunnel, now, settings, observations } = evidence;
  if (!isSolid(newest.sas, now, settings.staleAfterMs)) {
    return [unusable(`the SAs of ${tunnel.name}`, tunnel.device, tunnel.name, newest.sas)];
  }
  const alive = newest.sas.value.filter((sa) => sa.phase !== "deleting");
  const findings: Finding[] = [];
  const say = (verdict: Verdict, code: Finding["code"], text: string): void => {
    findings.push(finding(verdict, code, tunnel.name, text));
  };
  const lose = (verdict: Verdict, code: Finding["code"], text: string): void => {
    findings.push(undelivered(evidence, finding(verdict, code, tunnel.name, text)));
  };
  for (const direction of ["in", "out"] as const) {
    const way = direction === "in" ? "from" : "to";
    const pair = `${tunnel.device} ${way} ${tunnel.remoteAddress}`;
    const mine = alive.filter((sa) => sa.direction === direction);
    const best = mine.find((sa) => sa.phase === "installed") ?? mine[0];
    if (best === undefined) {
      // With IKE up the refusal is of the child alone (RFC 7296, 1.2); else `ike-down` has it.
      const isIkeUp = newest.ike.kind === "known" && newest.ike.value === "established";
      const why = isIkeUp ? troubleOf(newest) : "";
      lose("down", "sa-missing", `no SA carries traffic of ${pair}${why}`);
    } else if (!sameTransforms(best.transforms, tunnel.transforms)) {
      const text = `the SA ${pair} uses ${spell(best.transforms)}`;
      const wanted = spell(tunnel.transforms);
      const sentence = `${text}, and ${wanted} is wanted${lastRefusal(evidence)}`;
      say("degraded", "transform-mismatch", sentence);
    }
    const endsInMs = lastEndMs(mine);
    if (endsInMs !== undefined && endsInMs < endingMs(tunnel)) {
      const seconds = Math.floor(endsInMs / 1_000);
      const text = `the SA ${pair} ends in ${seconds} s and has no successor`;
      lose("degraded", "sa-ending", `${text}${troubleOf(newest)}`);
    }
    if (best?.antiReplay === "off") {
      say("degraded", "anti-replay-off", `the SA ${pair} takes packets that it has seen before`);
    }
    if (mine.every(nearEnd) && mine.length > 0) {
      say("degraded", "sequence-number-high", `the SA ${pair} has used 3/4 of its numbers`);
    }
  }
  if (findings.length > 0) return findings;
  const spanMs = now - (observations[0]?.sas.at ?? now);
  const [received, sent] = [moved(newest, observations, "in"), moved(newest, observations, "out")];
  if (received !== sent && spanMs >= settings.evidenceMs) {
    const text = `packets only ${sent ? "leave" : "reach"} ${tunnel.device} by ${tunnel.name}`;
    lose("degraded", "tunnel-one-way", `${text}: none goes the other way`);
  }
  return findings;
}

/** What the gateway sends says nothing of what happens to our packets. */
function deliveryFindings(
  evidence: TunnelEvidence,
  newest: IpsecTunnel,
  others: readonly Finding[],
): Finding[] {
  const { tunnel, observations, trips, silence, now, settings } = evidence;
  const { name, device, remoteAddress } = tunnel;
  const isTold = ({ verdict, code }: Finding): boolean =>
    verdict === "down" || code === "tunnel-one-way" || code === "ike-down";
  if (others.some(isTold) || !moved(newest, observations, "out")) return [];
  const delivery = deliveryOf(trips, now, settings);
  switch (delivery.kind) {
    case "proven":
      return [];
    case "silent": {
      const from = `packets of ${remoteAddress} reach ${device} by ${name}`;
      const text = `${from}, and ${unprovenText(delivery, silence)}`;
      const found = finding("degraded", "arrival-not-proven", name, text);
      return [undelivered(evidence, found)];
    }
    case "notVisible": {
      if (now - (observations[0]?.sas.at ?? now) < settings.evidenceMs) return [];
      const text = `${device} reads no answer to packets of its own by ${name}: ${notVisible}`;
      return [finding("protected", "arrival-not-visible", name, text)];
    }
  }
}

/** Without the required PPK its traffic is open to a later quantum computer (RFC 8784, 1). */
function ppkFindings({ tunnel }: TunnelEvidence, { ppk }: IpsecTunnel): Finding[] {
  const { name, auth } = tunnel;
  if (auth.ppk?.use !== "required" || ppk !== "unused") return [];
  const text = `IKE of ${name} was made without the PPK ${auth.ppk.id}, which is required`;
  return [finding("degraded", "ppk-unused", name, text)];
}

/** If the routes come by BGP, no traffic uses the tunnel while its session is down. */
function bgpFindings(evidence: TunnelEvidence): Finding[] {
  const { tunnel, routing, now, settings } = evidence;
  const { name, device, bgp } = tunnel;
  if (bgp === undefined) return [];
  const reported = routing ?? { kind: "unknown", why: "queryFailed", at: now };
  if (!isSolid(reported, now, settings.staleAfterMs)) {
    return [unusable(`BGP over ${name}`, device, name, reported)];
  }
  const session = reported.value.tunnelSessions?.find(
    (each) => each.tunnel === name && sameAddress(each.peer, bgp.peer),
  );
  const down = (why: string): Finding[] => [
    finding("down", "tunnel-bgp-down", name, `BGP with ${bgp.peer} over ${name} ${why}`),
  ];
  if (session === undefined) return down(`is not configured on ${device}`);
  const { asn, up, trouble } = session;
  if (asn !== bgp.asn) return down(`expects AS ${asn} there, and ${bgp.asn} is wanted`);
  if (up) return [];
  const found = down(`is down${trouble === undefined ? "" : `: ${trouble}`}`);
  return found.map((each) => undelivered(evidence, each));
}

/** A sequence number beyond 2^32 belongs to an SA with extended numbers (RFC 4304). */
export const sequenceLimit = 2n ** 32n;

/**
 * Milliseconds until the last of the installed SAs ends; undefined = at least one reports no end.
 */
export function lastEndMs(sas: readonly IpsecSa[]): number | undefined {
  const ends = sas.flatMap(({ phase, endsInMs }) => (phase === "installed" ? [endsInMs] : []));
  const reported = ends.filter((end) => end !== undefined);
  return reported.length === ends.length && reported.length > 0 ? Math.max(...reported) : undefined;
}

/**
 * How long before its end an SA without successor is reported, in milliseconds; IKE should have
 * renewed it long before.
 */
function endingMs({ life }: TunnelEvidence["tunnel"]): number {
  return Math.min(30_000, life.seconds * 50);
}

function nearEnd({ sequence }: IpsecSa): boolean {
  if (sequence === undefined) return false;
  return sequence * 4n >= sequenceLimit * 3n && sequence < sequenceLimit;
}

// The first child SA takes its keys from IKE_AUTH without a group of its own (RFC 7296, 1.2).
export function sameTransforms(observed: Transforms, wanted: Transforms): boolean {
  const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
  if (!same(observed.encryption, wanted.encryption)) return false;
  if (!same(observed.integrity, wanted.integrity)) return false;
  // A kernel does not keep the group; only IKE knows whether it was agreed on.
  return [wanted.dhGroup, "none", "unknown"].some((group) => same(observed.dhGroup, group));
}

function spell({ encryption, integrity, dhGroup }: Transforms): string {
  return [encryption, integrity, dhGroup].join("/");
}

/** SAs are compared by SPI: a rekey starts the packet counter of a new one at 0. */
function moved(
  newest: IpsecTunnel,
  observations: readonly IpsecTunnel[],
  way: "in" | "out",
): boolean {
  const oldest = observations.find((observation) => observation.sas.kind === "known");
  const now = newest.sas.kind === "known" ? newest.sas.value : [];
  const before = oldest?.sas.kind === "known" ? oldest.sas.value : [];
  return now.some((sa) => {
    if (sa.direction !== way) return false;
    const earlier = before.find((each) => each.spi === sa.spi && each.direction === way);
    return sa.packets > (earlier?.packets ?? 0n);
  });
}
