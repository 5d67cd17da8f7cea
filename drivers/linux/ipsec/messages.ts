// A tunnel as charon's configuration: every setting is explicit, so that a changed default of
// another version has no effect.

// Only `createHash` is imported: it computes, and is as pure as any other function of this file.
import { createHash } from "node:crypto";
import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import type { Secret } from "#hal/secret.ts";
import type { TunnelPpk, TunnelSpec } from "#hal/tunnel-spec.ts";
import type { ViciMessage } from "../../transport/vici-wire.ts";
import { espProposal, ikeProposal } from "./words.ts";

/** The lifetime of the gateway's IKE SA, which cannot be configured there. */
const ikeSeconds = 28_800;
/**
 * So that three requests have no answer within 10 s of the last packet: in IKEv2 charon repeats a
 * probe, in IKEv1 it sends the next one after this time again.
 */
const dpdSecondsDefault = 5;
const dpdSecondsV1 = 2;
/** How long an IKEv1 peer may leave probes unanswered: 45 s of silence in all, as with Azure. */
const probedSeconds = 43;
/** The largest window that Linux accepts (XFRMA_REPLAY_ESN_MAX): it costs 512 octets an SA. */
const replayWindow = 4_096;

/**
 * The share of the lifetime after which a rekey begins: late, with enough time to try again before
 * the hard end.
 */
const rekeyShare = 0.9;
const randomShare = 0.05;

/**
 * The certificates of our end; undefined = a pre-shared key, which is loaded beside the connection.
 */
export interface Certificates {
  /** PEM: ours first, then those between it and its root. */
  readonly own: readonly [string, ...string[]];
  readonly authorities: readonly string[];
}

/**
 * Returns the name of a tunnel's one child, which differs for every other content of its
 * connection. So charon reports by the name under which of them an SA was made, and makes a new SA
 * beside the old one instead of refusing a duplicate.
 */
export function childName(spec: TunnelSpec): string {
  const { name, localAddress, remoteAddress, ike, transforms, life, ifId, auth } = spec;
  const shown = auth.kind === "certificate" ? auth.peer : auth.kind;
  const content = [localAddress, remoteAddress, ike, transforms, life, ifId, shown];
  const { ikeVersion, localId, remoteId, dpdSeconds } = spec;
  const selectors = ikeVersion === undefined ? undefined : selectorsOf(spec);
  const chosen = { ikeVersion, localId, remoteId, dpdSeconds, ppk: auth.ppk, selectors };
  // A tunnel without these keeps the name that it had before they existed.
  const set = Object.entries(chosen).filter(([, value]) => value !== undefined);
  const whole = set.length === 0 ? content : [...content, Object.fromEntries(set)];
  const digest = createHash("sha256").update(encodeJson(whole)).digest("hex");
  return `${name}.${digest.slice(0, 8)}`;
}

/** Returns the identities of both ends in IKE, in charon's spelling. */
export function identitiesOf(spec: TunnelSpec): { readonly ours: string; readonly theirs: string } {
  const { auth, localAddress, remoteAddress, localId, remoteId } = spec;
  const theirs = auth.kind === "certificate" ? auth.peer : (remoteId ?? remoteAddress);
  return { ours: localId ?? localAddress, theirs };
}

/**
 * Returns the traffic selectors. In IKEv2 routes into the interface alone decide what is sent, so
 * its policies accept everything. A policy-based gateway takes the two prefixes alone (RFC 2409,
 * 5.5).
 */
function selectorsOf(spec: TunnelSpec): { readonly local: string; readonly remote: string } {
  if (spec.ikeVersion === undefined) {
    const any = spec.localAddress.includes(":") ? "::/0" : "0.0.0.0/0";
    return { local: any, remote: any };
  }
  const [local, ...moreLocal] = spec.localPrefixes;
  const [remote, ...moreRemote] = spec.remotePrefixes;
  const isPair = moreLocal.length === 0 && moreRemote.length === 0;
  if (local !== undefined && remote !== undefined && isPair) return { local, remote };
  const text = "IKEv1 protects one local and one remote prefix; nothing was changed";
  const next = "name one prefix each in protects.local and protects.remote, or set ike: v2";
  throw new LinksealError("device.rejected", text, { effect: "none", where: spec.name, next });
}

/**
 * Returns the connection of a tunnel with its one child.
 * @throws LinksealError `device.rejected` for algorithms that charon is not offered, or more than
 * one pair of prefixes under IKEv1; nothing was sent.
 */
export function loadConnection(spec: TunnelSpec, certificates?: Certificates): ViciMessage {
  const { name, localAddress, remoteAddress } = spec;
  const connection: ViciMessage = {
    ...versionOf(spec),
    local_addrs: [localAddress],
    remote_addrs: [remoteAddress],
    proposals: [orRefuse(ikeProposal(spec.ike), name)],
    rekey_time: seconds(ikeSeconds, rekeyShare),
    rand_time: seconds(ikeSeconds, randomShare),
    over_time: seconds(ikeSeconds, 1 - rekeyShare),
    reauth_time: "0s",
    dpd_delay: `${probeSecondsOf(spec)}s`,
    keyingtries: "0",
    unique: "replace",
    mobike: "no",
    encap: "no",
    fragmentation: "yes",
    ...ends(spec, certificates),
    ...ppkOf(spec),
    children: { [childName(spec)]: childOf(spec) },
  };
  return { [name]: connection };
}

function childOf(spec: TunnelSpec): ViciMessage {
  const { name, life, transforms, ifId } = spec;
  const { local, remote } = selectorsOf(spec);
  const bytes = life.kilobytes * 1024;
  return {
    mode: "tunnel",
    local_ts: [local],
    remote_ts: [remote],
    esp_proposals: [orRefuse(espProposal(transforms), name)],
    rekey_time: seconds(life.seconds, rekeyShare),
    rand_time: seconds(life.seconds, randomShare),
    life_time: `${life.seconds}s`,
    rekey_bytes: part(bytes, rekeyShare),
    rand_bytes: part(bytes, randomShare),
    life_bytes: String(bytes),
    if_id_in: String(ifId),
    if_id_out: String(ifId),
    replay_window: String(replayWindow),
    // Whatever ended the SA, the next packet requests another. `start` would not be safe here:
    // charon ends the SAs of a child with that action when a newer connection replaces it.
    start_action: "trap",
    dpd_action: "restart",
    // After a delete by the peer the tunnel does not wait for a packet.
    close_action: "start",
  };
}

const part = (whole: number, share: number): string => String(Math.floor(whole * share));
const seconds = (whole: number, share: number): string => `${part(whole, share)}s`;

/** Main mode encrypts the identities; in aggressive mode a PSK can be guessed from a recording. */
function versionOf(spec: TunnelSpec): ViciMessage {
  if (spec.ikeVersion === undefined) return { version: "2" };
  const seconds = probeSecondsOf(spec) + probedSeconds;
  return { version: "1", aggressive: "no", dpd_timeout: `${seconds}s` };
}

function probeSecondsOf({ dpdSeconds, ikeVersion }: TunnelSpec): number {
  return dpdSeconds ?? (ikeVersion === undefined ? dpdSecondsDefault : dpdSecondsV1);
}

function ends(spec: TunnelSpec, certificates: Certificates | undefined): ViciMessage {
  const { auth, localId } = spec;
  const { ours, theirs } = identitiesOf(spec);
  if (auth.kind !== "certificate" || certificates === undefined) {
    return { local: { auth: "psk", id: ours }, remote: { auth: "psk", id: theirs } };
  }
  // Without an identity of ours charon takes the subject of the certificate.
  const own = localId === undefined ? {} : { id: localId };
  return {
    local: { auth: "pubkey", ...own, certs: [certificates.own[0]] },
    remote: { auth: "pubkey", id: theirs, cacerts: certificates.authorities },
  };
}

function ppkOf({ auth: { ppk } }: TunnelSpec): ViciMessage {
  if (ppk === undefined) return {};
  return { ppk_id: ppk.id, ppk_required: ppk.use === "required" ? "yes" : "no" };
}

/** Loads the certificates between ours and its root, which are sent and not trusted. */
export function loadBetween({ own: [, ...between] }: Certificates): readonly ViciMessage[] {
  return between.map((data) => ({ type: "X509", flag: "NONE", data }));
}

export function loadKey(key: Secret): ViciMessage {
  return { type: "any", data: key };
}

/**
 * Loads the key under the tunnel's own id, so that a newer one replaces the older. Its owners are
 * the identities of both ends.
 */
export function loadPsk(spec: TunnelSpec, psk: Secret) {
  const { ours, theirs } = identitiesOf(spec);
  return { id: pskId(spec.name), type: "IKE", data: psk, owners: [ours, theirs] };
}

/** Loads a PPK, which charon finds by its PPK_ID alone. */
export function loadPpk({ name }: TunnelSpec, { id }: TunnelPpk, ppk: Secret) {
  return { id: ppkSecretId(name), type: "ppk", data: ppk, owners: [id] };
}

/** The name of a tunnel's PSK in charon. */
export function pskId(tunnel: string): string {
  return `linkseal-${tunnel}`;
}

/** The name of a tunnel's PPK in charon; a space is in no tunnel's name. */
export function ppkSecretId(tunnel: string): string {
  return `linkseal-${tunnel} ppk`;
}

function orRefuse(proposal: string | undefined, where: string): string {
  if (proposal !== undefined) return proposal;
  const text = "charon is never offered those algorithms; nothing was changed";
  const details = { effect: "none", where, next: "set policy: strong" } as const;
  throw new LinksealError("device.rejected", text, details);
}
