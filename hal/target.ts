// The address of a device, and how to log in to it.

/** A device's id in the config. */
export type DeviceId = string;

/** The HMACs of RFC 7860. */
export const snmpAuths = ["sha224", "sha256", "sha384", "sha512"] as const;

/** AES of RFC 3826; a 256-bit key is lengthened after Blumenthal or Reeder. */
export const snmpPrivacies = ["aes128", "aes256b", "aes256r"] as const;

/** Returns the host of `ssh://HOST`; undefined = the address has another form. */
export function hostOfPeer(address: string): string | undefined {
  return address.startsWith("ssh://") ? address.slice("ssh://".length) : undefined;
}

/** Returns the address of a Linux host that is reached by SSH. */
export const peerAt = (host: string): string => `ssh://${host}`;

/** The address and logins of one device. */
export interface Target {
  /** The device's id in the config. */
  readonly device: DeviceId;
  /**
   * The address in the config: `unix:PATH` for a daemon behind a socket of this host, `ssh://HOST`
   * for a Linux host with `linkseal peer`.
   */
  readonly address: string;
  /** FRR pathspace of this host (option `-N`); absent = the default instance. */
  readonly pathspace?: string;
  /** Path of charon's socket on this host; absent = charon makes no tunnels here. */
  readonly charon?: string;
  /** How to log in; present for drivers that do. */
  readonly ssh?: SshLogin;
  /** How its SNMP agent is read; absent = SNMP is not used. */
  readonly snmp?: SnmpLogin;
}

/** How to log in to a device by SSH. */
export interface SshLogin {
  /** The user name. */
  readonly user: string;
  /** The TCP port. */
  readonly port: number;
  /** `credential:NAME`, `file:PATH`, or `agent` for the keys of an ssh-agent. */
  readonly key: string;
  /** `SHA256:` and its digest, or `file:PATH` of known hosts; no other host key is accepted. */
  readonly hostKey: string;
}

/**
 * How an SNMP agent is read. Passphrases and communities are named like a login's key:
 * `credential:NAME`, `file:PATH`.
 */
export type SnmpLogin =
  /** Authenticated and encrypted; a reply with less is discarded. */
  | {
      readonly access: "v3";
      readonly port: number;
      readonly user: string;
      readonly auth: SnmpAuth;
      readonly authPassphrase: string;
      readonly privacy: SnmpPrivacy;
      readonly privacyPassphrase: string;
    }
  /** Any host on the way can read and forge it, so its values are weak evidence. */
  | { readonly access: "v2cReadonly"; readonly port: number; readonly community: string };

/** The HMAC of an SNMPv3 user. */
export type SnmpAuth = (typeof snmpAuths)[number];

/** The cipher of an SNMPv3 user. */
export type SnmpPrivacy = (typeof snmpPrivacies)[number];
