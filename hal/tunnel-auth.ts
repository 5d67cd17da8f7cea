// Which secrets a tunnel's authentication needs.

import type { SecretRef } from "./device.ts";
import type { TunnelAuth } from "./tunnel-spec.ts";

/** Returns the secrets of this authentication, in the order in which they are fetched. */
export function authSecrets(auth: TunnelAuth): readonly SecretRef[] {
  const { ppk } = auth;
  const beside = ppk === undefined ? [] : [{ kind: "ppk" as const, secretId: ppk.secretId }];
  switch (auth.kind) {
    case "psk":
      return [{ kind: auth.kind, secretId: auth.secretId }, ...beside];
    case "certificate":
      return [
        { kind: "certificate", secretId: auth.secretId },
        { kind: "authorities", secretId: auth.authoritiesId },
        ...beside,
      ];
  }
}
