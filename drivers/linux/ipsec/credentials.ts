// The credentials that a tunnel's ends show each other, from the vault to charon: kept no longer
// than a change takes.

import type { KeyResolver } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { TunnelSpec } from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import type { WallTime } from "#hal/world.ts";
import type { ViciMessage } from "../../transport/vici-wire.ts";
import { readAuthorities, readCertifiedKey } from "./certificate.ts";
import { type Certificates, loadBetween, loadConnection, loadKey, loadPsk } from "./messages.ts";

export interface Credentials extends Disposable {
  readonly secret: Secret;
  /**
   * undefined = the secret is a pre-shared key; otherwise it is the private key of our first
   * certificate.
   */
  readonly certificates: Certificates | undefined;
}

export async function fetchCredentials(
  { name, auth }: TunnelSpec,
  keys: KeyResolver,
  now: WallTime,
): Promise<Credentials> {
  if (auth.kind === "psk") {
    const secret = await keys({ kind: "psk", secretId: auth.secretId });
    return { secret, certificates: undefined, [Symbol.dispose]: () => secret[Symbol.dispose]() };
  }
  using roots = await keys({ kind: "authorities", secretId: auth.authoritiesId });
  using pem = await keys({ kind: "certificate", secretId: auth.secretId });
  const authorities = readAuthorities(roots);
  if ("why" in authorities) throw useless(name, authorities.why);
  const own = readCertifiedKey(pem, now);
  if ("why" in own) throw useless(name, own.why);
  const { key: secret, certificates } = own;
  return {
    secret,
    certificates: { own: certificates, authorities },
    [Symbol.dispose]: () => secret[Symbol.dispose](),
  };
}

/** Returns the commands that load a tunnel into charon, in this order. */
export function loadTunnel(
  spec: TunnelSpec,
  { secret, certificates }: Credentials,
): readonly (readonly [command: string, message: ViciMessage])[] {
  const connection = ["load-conn", loadConnection(spec, certificates)] as const;
  if (certificates === undefined) return [["load-shared", loadPsk(spec, secret)], connection];
  const between = loadBetween(certificates).map((one) => ["load-cert", one] as const);
  return [...between, ["load-key", loadKey(secret)], connection];
}

function useless(where: string, why: string): LinksealError {
  return new LinksealError("vault.malformedKey", `the tunnel ${where}: ${why}`, {
    effect: "none",
    where,
    next: "put a version into the vault that fits",
  });
}
