// The contract between the agent and the devices and far ends of a link. Drivers are written to it,
// and the simulator implements it.

import type {
  CipherSuite,
  Ckn,
  DeviceState,
  DrainMeans,
  KeyRef,
  MacsecSettings,
  PortName,
  WantedSettings,
} from "./model.ts";
import type { Secret } from "./secret.ts";
import type { DeviceId, Target } from "./target.ts";
import type { TunnelAuth, TunnelSpec } from "./tunnel-spec.ts";
import type { WallTime, World } from "./world.ts";

/** A driver of one platform: it opens devices of that platform. */
export interface Driver {
  /** The driver's name in the config, such as `iosxe`. */
  readonly name: string;
  /** The most this driver can offer; `Device.capabilities` may offer less, never more. */
  readonly offers: Capabilities;
  /** An observation that takes longer has failed, in milliseconds; absent = 10 s. */
  readonly observeMsMax?: number;
  /**
   * Opens the device; an abort leaves nothing open. `onChange` may be called at any time; it only
   * brings the next observation forward.
   * @throws LinksealError `transport.*` or `device.*`, with effect "none".
   */
  open(target: Target, world: World, onChange: () => void, signal: AbortSignal): Promise<Device>;
}

/**
 * The capabilities of a device or driver. A capability that is absent is `undefined`; no method
 * exists that only throws "not supported".
 */
export interface Capabilities {
  /** How a change is committed and reverted. */
  readonly commit: CommitMode;
  /** Absent = the device has no MACsec. */
  readonly macsec?: MacsecCapabilities;
  /** Absent = the device has no IPsec tunnels that linkseal can manage. */
  readonly ipsec?: IpsecCapabilities;
  /** Absent = a port cannot be drained by the device. */
  readonly drain?: DrainCapabilities;
  /** Present = `Device.probe` exists. */
  readonly probe?: true;
}

/**
 * How a device commits a change and what reverts one that is not confirmed.
 */
export type CommitMode =
  /**
   * A timer of the device, whose granularity is `stepMs` and whose longest wait is `maxMs`; it goes
   * on when the session ends. `confirmedBy`: which session may confirm the commit or take it back.
   */
  | {
      readonly kind: "confirmed";
      readonly confirmedBy: "anySession" | "ownSession";
      readonly stepMs: number;
      readonly maxMs: number;
    }
  /**
   * A timer outside the session undoes the change unless it is confirmed in time; it stores no key.
   */
  | { readonly kind: "armedRevert" }
  /** Nothing reverts by itself, so this is allowed only on a drained port. */
  | { readonly kind: "immediate" };

/** The MACsec capabilities of a device's ports. */
export interface MacsecCapabilities {
  /** The cipher suites that may be set. */
  readonly suites: readonly CipherSuite[];
  /**
   * Whether a port can have the next key while the present one stays in use. `keychain`: either key
   * may go; `fallback`: one of them is the primary key, and a promotion precedes its removal.
   */
  readonly overlap: "keychain" | "fallback" | "none";
  /** Whether frame counters are kept per SA or per port. */
  readonly counters: "perSa" | "perPort" | "none";
  /** Settings that may change without interrupting the port. */
  readonly hitless: readonly (keyof MacsecSettings)[];
  /** Settings that the platform does not let be turned off; absent = none. */
  readonly always?: readonly ("includeSci" | "replayWindow")[];
  /** Present where a fresh SAK can be requested; elsewhere a port gets one when it is opened. */
  readonly freshSak?: true;
  /** Absent = a port may stay open while its key changes. */
  readonly shutForKey?: ShutForKey;
}

/**
 * A port whose key changes while its session is secured loses traffic later, so it is shut before
 * the change.
 */
export interface ShutForKey {
  /** The cipher suites under which the bug occurs. */
  readonly suites: readonly CipherSuite[];
  /** The vendor's bug id. */
  readonly bug: string;
}

interface IpsecCapabilities {
  readonly keying: readonly "ike"[];
  /** How the ends of IKE may prove who they are. */
  readonly authentication: readonly TunnelAuth["kind"][];
  readonly atomicReplace: boolean;
  /** What can be renewed on demand while the old one still carries traffic (RFC 7296, 2.8). */
  readonly rekeys: readonly RekeyWhat[];
  /** Present where `ipsec.block` keeps prefixes in tunnels, whatever the routes say. */
  readonly blocks?: true;
  /**
   * Present where transactions that change one tunnel each may be applied at the same time: each of
   * them waits until the device takes it.
   */
  readonly parallel?: true;
}

/**
 * A prefix whose packets may leave and enter only in tunnels, or under the MACsec of these ports.
 */
export interface PrefixBlock {
  /** The prefix in CIDR notation. */
  readonly prefix: string;
  /** Ports under whose MACsec its packets may travel too; empty = in tunnels only. */
  readonly ports: readonly PortName[];
}

/** The kinds of renewal of a tunnel that can be requested. */
export const rekeyWhats = ["child", "ike", "reauthenticate"] as const;
/** What is renewed: the child SAs, the IKE SA, or the authentication with a new IKE SA. */
export type RekeyWhat = (typeof rekeyWhats)[number];

interface DrainCapabilities {
  readonly means: readonly DrainMeans[];
  readonly settleMs: number;
}

/** One open device. Disposing of it closes its sessions. */
export interface Device extends AsyncDisposable {
  /** The device's id in the config. */
  readonly id: DeviceId;
  /** What this device offers, read when it was opened. */
  readonly capabilities: Capabilities;
  /**
   * Reads one consistent state. It never writes and never returns a secret; an abort leaves nothing
   * behind.
   * @throws LinksealError `transport.*` or `device.*`, with effect "none".
   */
  observe(signal: AbortSignal): Promise<DeviceState>;
  /**
   * Renders and validates the change on the device's candidate; the running device is untouched. An
   * abort discards the candidate.
   * @throws LinksealError `device.unsupported` before anything is sent, `device.rejected`,
   *   `device.locked`, `vault.*` or `transport.*`.
   */
  prepare(change: DeviceChange, keys: KeyResolver, signal: AbortSignal): Promise<Transaction>;
  /**
   * Returns the texts that the device would be sent for this change as it is configured now, line
   * by line, each secret as its label; none = it already is as wanted. It reads, locks nothing and
   * changes nothing, not even a candidate. Absent = only `prepare` shows what is sent.
   * @throws LinksealError as `prepare`, with effect "none".
   */
  preview?(
    change: DeviceChange,
    keys: KeyResolver,
    signal: AbortSignal,
  ): Promise<readonly string[]>;
  /**
   * Compares the lines that are configured for ports with those that the driver would write for
   * them, and returns the ports with a difference. It reads and changes nothing. Absent = the
   * device has no lines of others beside those of its driver.
   * @throws LinksealError `transport.*` or `device.*`, with effect "none".
   */
  compareLines?(
    wanted: readonly WantedPort[],
    signal: AbortSignal,
  ): Promise<readonly LineDifferences[]>;
  /**
   * Returns what became of the transaction that the journal names, after a restart of the agent.
   * @throws LinksealError `transport.*` or `device.*`, with effect "none".
   */
  recall(token: TransactionToken, signal: AbortSignal): Promise<Recalled>;
  /**
   * Does what follows commits that are in force and whose end was not observed: exchanges the
   * routes that these moves concern, and saves what is in force. Idempotent; it changes no
   * configuration.
   * Absent = a commit does all of it by itself.
   * @throws LinksealError `device.locked` with effect "none" while a commit waits for its confirm,
   *   so that a boot cannot bring that back; else `device.*` or `transport.*`.
   */
  complete?(moves: readonly TrafficMove[], signal: AbortSignal): Promise<void>;
  /**
   * Sends `count` packets from this port to the far end's peering address. Present if and only if
   * `capabilities.probe` is.
   * @throws LinksealError `transport.*` or `device.*`, with effect "none".
   */
  probe?(port: PortName, count: number, signal: AbortSignal): Promise<ProbeResult>;
  /**
   * Returns the ports by which traffic to this address may leave, to protect the management path:
   * by each next hop, in each routing instance, and by each member of an aggregate. undefined =
   * not known.
   */
  routesTo(address: string, signal: AbortSignal): Promise<readonly PortName[] | undefined>;
  /** The way back to the agent; absent = the device does not know its agent's address. */
  readonly back?: {
    /** The address of the device in the config. */
    readonly address: string;
    /** As `routesTo`, for the agent's own address as the device sees it. */
    routes(signal: AbortSignal): Promise<readonly PortName[] | undefined>;
  };
  /**
   * Asks the host of these ports what `doctor` needs to know; it only reads. Absent = it is this
   * host, or no host.
   * @throws LinksealError `transport.*` or `device.*`, with effect "none".
   */
  examine?(ports: readonly PortName[], signal: AbortSignal): Promise<HostReport>;
}

/** What another host that the agent reaches by SSH says of itself. */
export interface HostReport {
  /** The version of linkseal there. */
  readonly version: string;
  /**
   * Whether sshd ran the command of the key in place of the one that was asked for; undefined = the
   * host does not say.
   */
  readonly forced: "yes" | "no" | undefined;
  /**
   * Whether each key in the login's own `authorized_keys` is bound to a command and may do nothing
   * else; undefined = the file cannot be read there.
   */
  readonly keys: "bound" | "open" | undefined;
  /** How far its clock is ahead of ours, give or take `errorMs`; undefined = it was not read. */
  readonly clock: { readonly aheadMs: number; readonly errorMs: number } | undefined;
  /** What does not answer there: names of units, or of programs. */
  readonly silent: readonly string[];
}

/** A port as the configuration of its device shall have it. */
export interface WantedPort {
  /** The port. */
  readonly port: PortName;
  /** Its MACsec settings; the policy is must-secure. */
  readonly settings: WantedSettings;
  /** The CKN of its only key. */
  readonly ckn: Ckn;
  /** How its traffic is moved away; undefined = it is not. */
  readonly drain: DrainMeans | undefined;
}

/**
 * Lines of a configuration that differ from what the driver would write for a port. Each is behind
 * the lines that it is inside of; no key is in one.
 */
export interface LineDifferences {
  /** The port. */
  readonly port: PortName;
  /** Configured in the port's objects or on the port, and not written by the driver. */
  readonly foreign: readonly string[];
  /** Written by the driver, and not configured. */
  readonly missing: readonly string[];
}

/** How many packets a probe sent and how many were answered. */
export interface ProbeResult {
  /** Packets that were sent. */
  readonly sent: number;
  /** Packets that were answered. */
  readonly answered: number;
}

/** Operations that are applied in this order, as one transaction. */
export type DeviceChange = readonly PortChange[];

/** One operation of a change on a device. */
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
      /**
       * Every key that stays on the port; given for platforms that need the key again to change its
       * role.
       */
      readonly keys?: readonly KeyRef[];
    }
  | { readonly kind: "macsec.removeKey"; readonly port: PortName; readonly ckn: Ckn }
  /** Break-before-make: the only key of the port is replaced by another, in one commit. */
  | { readonly kind: "macsec.replaceKey"; readonly port: PortName; readonly key: KeyRef }
  /** Emergency: makes a fresh SAK at once. */
  | { readonly kind: "macsec.rekeySak"; readonly port: PortName }
  /**
   * Used only with `ShutForKey` or an accepted risk, and never on the only link that carries
   * traffic.
   */
  | { readonly kind: "port.shut" | "port.open"; readonly port: PortName }
  /** Always sets must-secure. */
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

/** The part of a change that moves the traffic of a port away, or back. */
export type TrafficMove = Extract<PortChange, { readonly kind: "port.drain" | "port.restore" }>;

/** Names a secret of the vault: the CAK of a key, or a secret of a tunnel's authentication. */
export type SecretRef =
  | { readonly kind: "cak"; readonly key: KeyRef }
  | { readonly kind: "psk" | "certificate" | "authorities" | "ppk"; readonly secretId: string };
/** Fetches a secret from the vault; the caller owns the returned Secret and wipes it. */
export type KeyResolver = (ref: SecretRef) => Promise<Secret>;

/** Identifies a transaction in the journal and on the device. */
export type TransactionToken = string & { readonly noun: "transaction" };

/** A prepared change of a device. */
export interface Transaction {
  /**
   * Stored on the device, so that another process can confirm; known before anything is applied.
   */
  readonly token: TransactionToken;
  /** The difference as the operator reads it; every secret is replaced by its label. */
  readonly preview: string;
  /**
   * Applies the change; idempotent. With a number, the device reverts by itself unless `confirm`
   * comes within that many milliseconds; "final" arms nothing. After an abort the change may have
   * been applied.
   * @throws LinksealError `device.*` or `transport.*`; `device.unsupported` for a number in
   *   `immediate` mode.
   */
  apply(within: number | "final", signal: AbortSignal): Promise<void>;
  /**
   * Makes the applied change permanent; idempotent. After an abort it may have been confirmed.
   * @throws LinksealError `device.commitExpired` when the device has reverted, else `device.*` or
   *   `transport.*`.
   */
  confirm(signal: AbortSignal): Promise<void>;
  /**
   * Takes the change back, or discards what was only prepared; idempotent. After an abort it may
   * have been taken back.
   * @throws LinksealError `device.*` or `transport.*`.
   */
  rollback(signal: AbortSignal): Promise<void>;
}

/** The fate of a transaction that the journal names. */
export type Recalled =
  | { readonly kind: "pending"; readonly transaction: Transaction }
  /** It waits, its only session has ended, and the device reverts it when its time is over. */
  | { readonly kind: "expiring" }
  /** It was confirmed, reverted or never applied; an observation shows which. */
  | { readonly kind: "absent" };

/** The far end of a link. It takes secret ids, never the octets of a key. */
export interface PeerPort {
  /**
   * Reads what the far end uses and whether it has settled.
   * @throws LinksealError `peer.*` or `transport.*`, with effect "none".
   */
  observe(signal: AbortSignal): Promise<PeerState>;
  /**
   * Requests the state; idempotent. Resolves when the request is accepted, not when it has taken
   * effect. `accepted` gets the operation's URL and is awaited (the journal writes it) before `put`
   * resolves; it is not called if nothing has to change. After an abort the request may have been
   * accepted.
   * @throws LinksealError `peer.*` or `transport.*`.
   */
  put(
    want: PeerWant,
    accepted: (operation: string) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;
  /** Reads the meters of that side; absent where there are none. */
  telemetry?(signal: AbortSignal): Promise<PeerTelemetry>;
}

/** A far end that needs the octets of a key. It accepts one; it is never read back. */
export interface PeerSecret {
  /**
   * Stores the secret; idempotent. Resolves once the far end reports that it has the secret, which
   * the caller wipes.
   * @throws LinksealError `peer.*` or `vault.*`: with effect "none" nothing was changed, with
   *   "unknown" the far end may have the secret.
   */
  put(secret: Secret, signal: AbortSignal): Promise<void>;
}

/**
 * Telemetry of the far end. It is weak evidence, minutes old, and contains nothing about MACsec: it
 * is displayed, and no precondition, proof or verdict depends on it.
 */
export interface PeerTelemetry {
  /**
   * End of the oldest minute that a value here belongs to; undefined = no meter reported anything.
   */
  readonly until: WallTime | undefined;
  /** Whether the line protocol is up. */
  readonly lineUp: boolean | undefined;
  /** Received optical power, in dBm. */
  readonly rxDbm: number | undefined;
  /** Transmitted optical power, in dBm. */
  readonly txDbm: number | undefined;
  /** ARP availability of the worst circuit on the port, in percent. */
  readonly arpPercent: number | undefined;
  /** BGP availability of the worst circuit on the port, in percent. */
  readonly bgpPercent: number | undefined;
  /** Peerings on the port, with type and state as Azure spells them. */
  readonly peerings: readonly { readonly type: string; readonly state: string }[];
}

/** The state that is wanted of a far end. It cannot express "MACsec off", on purpose. */
export interface PeerWant {
  /** The key that the far end shall use. */
  readonly key: KeyRef;
  /** The cipher suite that it shall use. */
  readonly suite: CipherSuite;
  /** Whether frames shall contain an SCI. */
  readonly sci: "on" | "off";
  /** Whether the link shall be enabled. */
  readonly admin: "up" | "down";
  /**
   * The keys that may be replaced (`undefined` among them: MACsec off). Any other key was
   * configured by the operator after the decision, and it stays. Absent = whatever is there may be
   * replaced.
   */
  readonly over?: readonly PeerState["pointsAt"][];
}

/** The state of a link that its far end reports. */
export interface PeerState {
  /** Ids of the key in use; undefined = MACsec off. */
  readonly pointsAt: Pick<KeyRef, "cakSecretId" | "cknSecretId"> | undefined;
  /** The cipher suite; undefined = one that linkseal does not know. */
  readonly suite: CipherSuite | undefined;
  /** Whether frames contain an SCI. */
  readonly sci: "on" | "off";
  /** Whether the link is enabled. */
  readonly admin: "up" | "down";
  /**
   * Whether the last change has taken effect; `unknown` = the far end does not show whether a
   * change runs.
   */
  readonly provisioning: "settled" | "updating" | "failed" | "unknown";
  /**
   * Another one after every write of what contains this link, by any client; undefined = the far
   * end has none. Two readings with one revision have no write between them.
   */
  readonly revision: string | undefined;
  /** URL of the running operation; undefined = none, or the far end does not report it. */
  readonly operation: string | undefined;
  /** Further values of the management API; absent where the far end has none. */
  readonly details?: PeerDetails;
}

/** The part of a far end's state that an operator or agent sets. */
export type LinkSetting = Pick<PeerState, "pointsAt" | "suite" | "sci" | "admin">;

/** Details for drift and diagnosis; no effect depends on them. */
export interface PeerDetails {
  /**
   * Whether the port has an identity with which Azure can read keys; it belongs to the whole port.
   */
  readonly identity: "present" | "missing";
  /** Resource ids of the identities that the port carries; absent = the far end names none. */
  readonly identities?: readonly string[];
  /** Speed of the whole port, in Gbit/s. */
  readonly bandwidthGbps: number | undefined;
  /** The cipher, as the API spells it. */
  readonly cipher: string | undefined;
  /** Provisioning states of port and link as the API spells them. */
  readonly provisioning: { readonly port: string | undefined; readonly link: string | undefined };
  /** Code of our last operation, if that failed. */
  readonly failure: string | undefined;
  /** Why the API does not show our last operation to us, and what to do; absent = it does. */
  readonly unfollowed?: { readonly text: string; readonly next: string };
  /**
   * Another writer's change of this link, seen while we wrote the other link of the same document;
   * our write carried this link as `ours`. Absent = none was seen in the last day.
   */
  readonly lostUpdate?: { readonly ours: LinkSetting; readonly theirs: LinkSetting };
  /** Ids of the circuits on the port. */
  readonly circuits: readonly string[];
  /**
   * For a LAG: its ports under this link, and the least number that may carry traffic; absent = a
   * plain port.
   */
  readonly lag?: { readonly members: number; readonly least: number };
}
