// A tunnel as charon's configuration: every setting is explicit, so that a changed default of
// another version has no effect.

// Only `createHash` is imported: it computes, and is as pure as any other function of this file.
import { createHash } from "node:crypto";
import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import type { TunnelSpec } from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import type { ViciMessage } from "../../transport/vici-wire.ts";
import { espProposal, ikeProposal } from "./words.ts";

/** The lifetime of the gateway's IKE SA, which cannot be configured there. */
const ikeSeconds = 28_800;
/** A silent peer is probed after this time; how often is the daemon's own setting. */
const dpdSeconds = 5;
const replayWindow = 128;

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
  const digest = createHash("sha256").update(encodeJson(content)).digest("hex");
  return `${name}.${digest.slice(0, 8)}`;
}

export function loadConnection(spec: TunnelSpec, certificates?: Certificates): ViciMessage {
  const { name, localAddress, remoteAddress, life } = spec;
  const any = localAddress.includes(":") ? "::/0" : "0.0.0.0/0";
  const part = (whole: number, share: number): string => String(Math.floor(whole * share));
  const seconds = (whole: number, share: number): string => `${part(whole, share)}s`;
  const bytes = life.kilobytes * 1024;
  const child: ViciMessage = {
    mode: "tunnel",
    // Routes into the interface alone decide what is sent: its policies accept everything.
    local_ts: [any],
    remote_ts: [any],
    esp_proposals: [orRefuse(espProposal(spec.transforms), name)],
    rekey_time: seconds(life.seconds, rekeyShare),
    rand_time: seconds(life.seconds, randomShare),
    life_time: `${life.seconds}s`,
    rekey_bytes: part(bytes, rekeyShare),
    rand_bytes: part(bytes, randomShare),
    life_bytes: String(bytes),
    if_id_in: String(spec.ifId),
    if_id_out: String(spec.ifId),
    replay_window: String(replayWindow),
    // Whatever ended the SA, the next packet requests another.
    start_action: "trap",
    dpd_action: "restart",
    close_action: "trap",
  };
  const connection: ViciMessage = {
    version: "2",
    local_addrs: [localAddress],
    remote_addrs: [remoteAddress],
    proposals: [orRefuse(ikeProposal(spec.ike), name)],
    rekey_time: seconds(ikeSeconds, rekeyShare),
    rand_time: seconds(ikeSeconds, randomShare),
    over_time: seconds(ikeSeconds, 1 - rekeyShare),
    reauth_time: "0s",
    dpd_delay: `${dpdSeconds}s`,
    keyingtries: "0",
    unique: "replace",
    mobike: "no",
    encap: "no",
    ...identities(spec, certificates),
    children: { [childName(spec)]: child },
  };
  return { [name]: connection };
}

function identities(
  { auth, localAddress, remoteAddress }: TunnelSpec,
  certificates: Certificates | undefined,
): ViciMessage {
  if (auth.kind !== "certificate" || certificates === undefined) {
    return {
      local: { auth: "psk", id: localAddress },
      remote: { auth: "psk", id: remoteAddress },
    };
  }
  // Our identity is the subject of our certificate, which charon uses by itself.
  return {
    local: { auth: "pubkey", certs: [certificates.own[0]] },
    remote: { auth: "pubkey", id: auth.peer, cacerts: certificates.authorities },
  };
}

/** Loads the certificates between ours and its root, which are sent and not trusted. */
export function loadBetween({ own: [, ...between] }: Certificates): readonly ViciMessage[] {
  return between.map((data) => ({ type: "X509", flag: "NONE", data }));
}

export function loadKey(key: Secret): ViciMessage {
  return { type: "any", data: key };
}

/** Loads the key under the tunnel's own id, so that a newer one replaces the older. */
export function loadPsk({ name, localAddress, remoteAddress }: TunnelSpec, psk: Secret) {
  return { id: pskId(name), type: "IKE", data: psk, owners: [localAddress, remoteAddress] };
}

export function pskId(tunnel: string): string {
  return `linkseal-${tunnel}`;
}

function orRefuse(proposal: string | undefined, where: string): string {
  if (proposal !== undefined) return proposal;
  const text = "charon is never offered those algorithms; nothing was changed";
  const details = { effect: "none", where, next: "set policy: strong" } as const;
  throw new LinksealError("device.rejected", text, details);
}
