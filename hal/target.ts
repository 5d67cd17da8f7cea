// Where a device is and how to log in to it.

export type DeviceId = string;

/** The HMACs of RFC 7860. */
export const snmpAuths = ["sha224", "sha256", "sha384", "sha512"] as const;

/** AES of RFC 3826; with 256 bits the key is lengthened after Blumenthal or Reeder. */
export const snmpPrivacies = ["aes128", "aes256b", "aes256r"] as const;

export interface Target {
  readonly device: DeviceId;
  /** As the config says it; `unix:PATH` for what answers behind a socket of this host. */
  readonly address: string;
  /** Of the FRR instance on this host (its option -N); absent = FRR's only one. */
  readonly pathspace?: string;
  /** Path of charon's socket on this host; absent = no IPsec by it. */
  readonly charon?: string;
  /** How to log in; present for the drivers that do. */
  readonly ssh?: SshLogin;
  /** How its SNMP agent is read; absent = it is not asked. */
  readonly snmp?: SnmpLogin;
}

export interface SshLogin {
  readonly user: string;
  readonly port: number;
  /** `credential:NAME`, `file:PATH`, or `agent` for the keys that an ssh-agent holds. */
  readonly key: string;
  /** `SHA256:` and its digest, or `file:PATH` of known hosts; no other key is ever answered. */
  readonly hostKey: string;
}

/** Passphrases and communities are named like a key of a login: `credential:NAME`, `file:PATH`. */
export type SnmpLogin =
  /** Authenticated and encrypted; whatever comes back with less is not believed. */
  | {
      readonly access: "v3";
      readonly port: number;
      readonly user: string;
      readonly auth: SnmpAuth;
      readonly authPassphrase: string;
      readonly privacy: SnmpPrivacy;
      readonly privacyPassphrase: string;
    }
  /** Any host on the way can read and forge it: what it reports is weak evidence. */
  | { readonly access: "v2cReadonly"; readonly port: number; readonly community: string };

export type SnmpAuth = (typeof snmpAuths)[number];

export type SnmpPrivacy = (typeof snmpPrivacies)[number];
