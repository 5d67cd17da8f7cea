// Keys that nobody uses anywhere, in the form in which the vault holds them.

import { noIke, type TunnelSpec } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import { tunnelSpec } from "./charon-kit.ts";

interface Direction {
  readonly spi: number;
  readonly encryption: string;
  readonly integrity: string;
}

export interface Pair {
  readonly in: Direction;
  readonly out: Direction;
}

/** Of AES-256 and HMAC-SHA-256; another `seed` has other SPIs and keys. */
export function pairOf(seed: number): Pair {
  const key = (octet: number): string => Buffer.alloc(32, octet + 16 * seed).toString("hex");
  return {
    in: { spi: 0x1000 + seed, encryption: key(1), integrity: key(2) },
    out: { spi: 0x2000 + seed, encryption: key(3), integrity: key(4) },
  };
}

export const secretOf = (value: unknown): Secret =>
  Secret.take(
    "static",
    new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value)),
  );

export const staticSpec: TunnelSpec = {
  ...tunnelSpec,
  ike: noIke,
  transforms: { encryption: "aes-256-cbc", integrity: "sha256", dhGroup: "none" },
  life: { seconds: 3_600, kilobytes: 1_024 },
  auth: { kind: "static", secretId: "https://v/secrets/hub-1-keys/1" },
};
