// The contract between the agent and whatever holds a link: drivers are written to it, the
// simulator fulfils it.

import type {
  CipherSuite,
  Ckn,
  DeviceState,
  DrainMeans,
  KeyRef,
  MacsecSettings,
  PortName,
  TunnelAuth,
  TunnelSpec,
  WantedSettings,
} from "./model.ts";
import type { Secret } from "./secret.ts";
import type { DeviceId, Target } from "./target.ts";
import type { WallTime, World } from "./world.ts";

export interface Driver {
  readonly name: string;
  /** The most this driver can offer; `Device.capabilities` may offer less, never more. */
  readonly offers: Capabilities;
  /** A look that takes longer has failed; 10 s if not said. */
  readonly lookMsMax?: number;
  /** `hint` may be called at any time; it only brings the next look forward. */
  open(target: Target, world: World, hint: () => void, signal: AbortSignal): Promise<Device>;
}

/**
 * A capability that is absent is `undefined`. No method exists that only throws "not supported".
 */
export interface Capabilities {
  readonly commit: CommitMode;
  readonly macsec?: MacsecCapabilities;
  readonly ipsec?: IpsecCapabilities;
  readonly drain?: DrainCapabilities;
  readonly probe?: true;
}

export type CommitMode =
  | {
      readonly kind: "confirmed";
      readonly survivesDisconnect: boolean;
      readonly stepMs: number;
      readonly maxMs: number;
    }
  /**
   * Something that outlives the session undoes the change unless told in time; it stores no key.
   */
  | { readonly kind: "armedRevert" }
  /** Nothing reverts by itself: only allowed on a drained port. */
  | { readonly kind: "immediate" };

export interface MacsecCapabilities {
  readonly suites: readonly CipherSuite[];
  /**
   * Can the port hold the next key while the present one stays in use? `fallback` needs a
   * promotion.
   */
  readonly overlap: "keychain" | "fallback" | "none";
  readonly counters: "perSa" | "perPort" | "none";
  /** Settings that may change without interrupting the port. */
  readonly hitless: readonly (keyof MacsecSettings)[];
  /** What the platform does not let be turned off; absent = nothing. */
  readonly always?: readonly ("includeSci" | "replayWindow")[];
  /** Present where a fresh SAK can be asked for; elsewhere a port gets one as it is opened. */
  readonly freshSak?: true;
  /** Absent = a port may stay open while its key changes. */
  readonly shutForKey?: ShutForKey;
}

/** A port whose key changes while its session is secured goes dark later: it is shut before. */
export interface ShutForKey {
  /** Under these alone. */
  readonly suites: readonly CipherSuite[];
  /** The bug of the vendor's, by its id. */
  readonly bug: string;
}

interface IpsecCapabilities {
  readonly keying: readonly "ike"[];
  /** Of IKE. */
  readonly authentication: readonly TunnelAuth["kind"][];
  readonly atomicReplace: boolean;
  /** What is renewed on demand while the old one still carries (RFC 7296, 2.8). */
  readonly rekeys: readonly RekeyWhat[];
  /** Present where `ipsec.block` keeps prefixes in tunnels, whatever the routes say. */
  readonly blocks?: true;
}

/** A prefix that leaves and enters in tunnels alone, or under the MACsec of these ports. */
export interface PrefixBlock {
  readonly prefix: string;
  readonly ports: readonly PortName[];
}

export const rekeyWhats = ["child", "ike", "reauthenticate"] as const;
export type RekeyWhat = (typeof rekeyWhats)[number];

interface DrainCapabilities {
  readonly means: readonly DrainMeans[];
  readonly settleMs: number;
}

export interface Device extends AsyncDisposable {
  readonly id: DeviceId;
  readonly capabilities: Capabilities;
  /** One consistent look. Never writes, never returns a secret, always bounded by `signal`. */
  observe(signal: AbortSignal): Promise<DeviceState>;
  /**
   * Renders and validates the change on the device's candidate; the running device is untouched.
   */
  prepare(change: DeviceChange, keys: KeyResolver, signal: AbortSignal): Promise<Transaction>;
  /** After a crash: what became of the transaction that the journal names? */
  recall(token: TransactionToken, signal: AbortSignal): Promise<Recalled>;
  /**
   * Sends packets to the far end's peering address out of this port. Present iff
   * `capabilities.probe`.
   */
  probe?(port: PortName, count: number, signal: AbortSignal): Promise<ProbeResult>;
  /** Which port carries traffic to this address, for the own-path guard; undefined = not known. */
  routeTo(address: string, signal: AbortSignal): Promise<PortName | undefined>;
}

export interface ProbeResult {
  readonly sent: number;
  readonly answered: number;
}

/** Applied in order, as one transaction. */
export type DeviceChange = readonly PortChange[];

export type PortChange =
  | {
      readonly kind: "macsec.addKey";
      readonly port: PortName;
      readonly key: KeyRef;
      readonly role: "primary" | "fallback";
    }
  | {
      readonly kind: "macsec.promoteKey";
      readonly port: PortName;
      readonly ckn: Ckn;
      /** For platforms that must be told a key again to give it another role; each that stays. */
      readonly keys?: readonly KeyRef[];
    }
  | { readonly kind: "macsec.removeKey"; readonly port: PortName; readonly ckn: Ckn }
  /** Break-before-make: the one key of the port becomes another, in one commit. */
  | { readonly kind: "macsec.replaceKey"; readonly port: PortName; readonly key: KeyRef }
  /** Emergency: a fresh SAK now. */
  | { readonly kind: "macsec.rekeySak"; readonly port: PortName }
  /** Only with that quirk or risk, never on the only carrying link. */
  | { readonly kind: "port.shut" | "port.open"; readonly port: PortName }
  /** Must-secure always. */
  | {
      readonly kind: "macsec.protect";
      readonly port: PortName;
      readonly settings: WantedSettings;
    }
  /** No timer, no rollback and no removal of a tunnel opens these prefixes again. */
  | { readonly kind: "ipsec.block"; readonly blocks: readonly PrefixBlock[] }
  | { readonly kind: "ipsec.putTunnel"; readonly tunnel: TunnelSpec }
  | { readonly kind: "ipsec.removeTunnel"; readonly name: string }
  | {
      readonly kind: "ipsec.rekey";
      readonly name: string;
      readonly what: RekeyWhat;
    }
  | {
      readonly kind: "port.drain" | "port.restore";
      readonly port: PortName;
      readonly means: DrainMeans;
    };

export type SecretRef =
  | { readonly kind: "cak"; readonly key: KeyRef }
  | { readonly kind: "psk" | "certificate" | "authorities"; readonly secretId: string };
/** The caller owns the returned Secret and wipes it. */
export type KeyResolver = (ref: SecretRef) => Promise<Secret>;

export type TransactionToken = string & { readonly noun: "transaction" };

export interface Transaction {
  /** Held by the device, so that another process can confirm. Known before anything is applied. */
  readonly token: TransactionToken;
  /** The difference as a person should see it, with every secret already replaced. */
  readonly preview: string;
  /**
   * Idempotent. With a number the device reverts by itself unless `confirm` comes within that many
   * ms; "final" arms nothing. In `immediate` mode a number is `device.unsupported`.
   */
  apply(within: number | "final", signal: AbortSignal): Promise<void>;
  confirm(signal: AbortSignal): Promise<void>;
  rollback(signal: AbortSignal): Promise<void>;
}

export type Recalled =
  | { readonly kind: "pending"; readonly transaction: Transaction }
  /** Confirmed, reverted or never applied: observe to learn which. */
  | { readonly kind: "absent" };

/** The far end of a link. It takes secret ids, never key bytes. */
export interface PeerPort {
  observe(signal: AbortSignal): Promise<PeerState>;
  /**
   * Idempotent; resolves when accepted, not when it works. `accepted` gets the operation's URL and
   * is awaited (the journal writes it) before `put` resolves; it is not called where nothing is
   * left to do.
   */
  put(
    want: PeerWant,
    accepted: (operation: string) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;
  /** What meters on that side tell; present where there are any. */
  sight?(signal: AbortSignal): Promise<PeerSight>;
}

/** A far end that needs the octets of a key. It takes one, and none is ever read back. */
export interface PeerSecret {
  /**
   * Idempotent; resolves once the far end says that it holds the secret, which the caller wipes.
   * Throws `peer.*` or `vault.*`: with effect "none" nothing was changed, with "unknown" it may
   * hold the secret.
   */
  put(secret: Secret, signal: AbortSignal): Promise<void>;
}

/**
 * Weak evidence, minutes old and silent about MACsec: it is shown, and no gate, proof or verdict
 * rests on it.
 */
export interface PeerSight {
  /** End of the oldest minute that a value in here is of; undefined = no meter told anything. */
  readonly until: WallTime | undefined;
  readonly lineUp: boolean | undefined;
  readonly rxDbm: number | undefined;
  readonly txDbm: number | undefined;
  /** The worst of the circuits on the port. */
  readonly arpPercent: number | undefined;
  readonly bgpPercent: number | undefined;
  readonly peerings: readonly { readonly type: string; readonly state: string }[];
}

/** It cannot say "MACsec off", on purpose. */
export interface PeerWant {
  readonly key: KeyRef;
  readonly suite: CipherSuite;
  readonly sci: "on" | "off";
  readonly admin: "up" | "down";
  /**
   * What it may take the place of (`undefined` in it: MACsec off): anything else was put there by
   * somebody after it was decided, and stays. Absent: whatever is there.
   */
  readonly over?: readonly PeerState["pointsAt"][];
}

export interface PeerState {
  /** undefined = MACsec off. */
  readonly pointsAt: Pick<KeyRef, "cakSecretId" | "cknSecretId"> | undefined;
  readonly suite: CipherSuite | undefined;
  readonly sci: "on" | "off";
  readonly admin: "up" | "down";
  readonly provisioning: "settled" | "updating" | "failed";
  /** The running operation, where the far end tells. */
  readonly operation: string | undefined;
  /** What the management API tells besides; absent where the far end has none. */
  readonly details?: PeerDetails;
}

/** For drift and diagnosis alone: no effect rests on any of it. */
export interface PeerDetails {
  /** Of the whole port: whether Azure could read keys for it, and how fast it is. */
  readonly identity: "present" | "missing";
  readonly bandwidthGbps: number | undefined;
  /** As the API spells them. */
  readonly cipher: string | undefined;
  readonly provisioning: { readonly port: string | undefined; readonly link: string | undefined };
  /** Code of our last operation, if that failed. */
  readonly failure: string | undefined;
  /** Why the API does not show our last operation to us, and what to do; absent = it does. */
  readonly unfollowed?: { readonly text: string; readonly next: string };
  /** Ids of the circuits on the port. */
  readonly circuits: readonly string[];
  /** Of a LAG: ports under this link, and how few of them may carry; absent = a plain port. */
  readonly lag?: { readonly members: number; readonly least: number };
}
