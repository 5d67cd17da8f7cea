// The credentials that a tunnel's ends show each other, from the vault to charon: kept no longer
// than a change takes.

import type { KeyResolver } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { Secret } from "#hal/secret.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import type { WallTime } from "#hal/world.ts";
import type { ViciMessage } from "../../transport/vici-wire.ts";
import { readAuthorities, readCertifiedKey } from "./certificate.ts";
import {
  type Certificates,
  loadBetween,
  loadConnection,
  loadKey,
  loadPpk,
  loadPsk,
} from "./messages.ts";

export interface Credentials extends Disposable {
  readonly secret: Secret;
  /** undefined = the tunnel has no PPK. */
  readonly ppk: Secret | undefined;
  /**
   * undefined = the secret is a pre-shared key; otherwise it is the private key of our first
   * certificate.
   */
  readonly certificates: Certificates | undefined;
}

/**
 * Fetches the secrets of a tunnel; the caller wipes them.
 * @throws LinksealError `vault.malformedKey` for one that cannot be used
 */
export async function fetchCredentials(
  spec: TunnelSpec,
  keys: KeyResolver,
  now: WallTime,
): Promise<Credentials> {
  const own = await fetchOwn(spec, keys, now);
  const wipe = (): void => own.secret[Symbol.dispose]();
  try {
    const { ppk: named } = spec.auth;
    const ppk =
      named === undefined ? undefined : await keys({ kind: "ppk", secretId: named.secretId });
    const wipeBoth = (): void => {
      wipe();
      ppk?.[Symbol.dispose]();
    };
    return { ...own, ppk, [Symbol.dispose]: wipeBoth };
  } catch (error) {
    wipe();
    throw error;
  }
}

async function fetchOwn(
  { name, auth, localId }: TunnelSpec,
  keys: KeyResolver,
  now: WallTime,
): Promise<Pick<Credentials, "secret" | "certificates">> {
  if (auth.kind === "psk") {
    const secret = await keys({ kind: "psk", secretId: auth.secretId });
    return { secret, certificates: undefined };
  }
  using roots = await keys({ kind: "authorities", secretId: auth.authoritiesId });
  using pem = await keys({ kind: "certificate", secretId: auth.secretId });
  const authorities = readAuthorities(roots);
  if ("why" in authorities) throw useless(name, authorities.why);
  const own = readCertifiedKey(pem, now, localId);
  if ("why" in own) throw useless(name, own.why);
  const { key: secret, certificates } = own;
  return { secret, certificates: { own: certificates, authorities } };
}

/** Returns the secrets of a tunnel that charon holds beside its connection, for `load-shared`. */
export function sharedSecrets(
  spec: TunnelSpec,
  { secret, ppk, certificates }: Credentials,
): readonly ViciMessage[] {
  const { ppk: named } = spec.auth;
  return [
    ...(certificates === undefined ? [loadPsk(spec, secret)] : []),
    ...(named === undefined || ppk === undefined ? [] : [loadPpk(spec, named, ppk)]),
  ];
}

/** Returns the commands that load a tunnel into charon, in this order. */
export function loadTunnel(
  spec: TunnelSpec,
  credentials: Credentials,
): readonly (readonly [command: string, message: ViciMessage])[] {
  const { secret, certificates } = credentials;
  const shared = sharedSecrets(spec, credentials).map((one) => ["load-shared", one] as const);
  const connection = ["load-conn", loadConnection(spec, certificates)] as const;
  if (certificates === undefined) return [...shared, connection];
  const between = loadBetween(certificates).map((one) => ["load-cert", one] as const);
  return [...between, ["load-key", loadKey(secret)], ...shared, connection];
}

function useless(where: string, why: string): LinksealError {
  return new LinksealError("vault.malformedKey", `the tunnel ${where}: ${why}`, {
    effect: "none",
    where,
    next: "put a version into the vault that fits",
  });
}
