// The interface of a platform: its commands for observing, staging and committing.

import type { Capabilities, DeviceChange, ProbeResult, WantedPort } from "#hal/device.ts";
import type { DeviceState, PortName } from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import type { DeviceId } from "#hal/target.ts";
import type { ByteChannel, ChannelKind, Clock, Entropy } from "#hal/world.ts";
import type { PortLines } from "./port-lines.ts";

/** A session with a device, in whatever protocol. */
export interface Session extends AsyncDisposable {
  /** The device, for errors. */
  readonly where: string;
  /** The session has ended, so it takes no more requests. */
  readonly isOver: boolean;
}

/** The input for opening a session. */
interface Opening<S> {
  readonly where: string;
  readonly onChange: () => void;
  readonly entropy: Entropy;
  /** The session for observations before this one, which has ended; undefined = there was none. */
  readonly before: S | undefined;
}

/** The requests to the running device, and those to a candidate that we have locked. */
export interface Dialect<S extends Session> {
  /** The platform's name in the config. */
  readonly name: string;
  /** The most that the platform can offer. */
  readonly offers: Capabilities;
  /** The kind of channel that it needs. */
  readonly channel: ChannelKind;
  /**
   * Opens a session and takes over the channel: a failure or an abort closes it.
   * @throws LinksealError `transport.*`, with effect "none".
   */
  open(channel: ByteChannel, opening: Opening<S>, signal: AbortSignal): Promise<S>;
  /**
   * Reads what this device offers.
   * @throws LinksealError with effect "none".
   */
  capabilities(session: S, signal: AbortSignal): Promise<Capabilities>;
  /**
   * Reads one consistent state.
   * @throws LinksealError with effect "none".
   */
  observe(session: S, asked: Asked, signal: AbortSignal): Promise<DeviceState>;
  /**
   * Returns the ports by which traffic to an address may leave; undefined = not known.
   * @throws LinksealError with effect "none".
   */
  routesTo(
    session: S,
    address: string,
    signal: AbortSignal,
  ): Promise<readonly PortName[] | undefined>;
  /**
   * Sends packets from a port to the far end's peering address.
   * @throws LinksealError with effect "none".
   */
  probe(session: S, port: PortName, count: number, signal: AbortSignal): Promise<ProbeResult>;
  /** Returns recent commits, the newest first. */
  commits(session: S, signal: AbortSignal): Promise<readonly CommitRecord[]>;
  /**
   * Locks the candidate for this session; the end of the session discards its changes.
   * @throws LinksealError `device.locked`, with effect "none".
   */
  lock(session: S, signal: AbortSignal): Promise<void>;
  /**
   * Loads the change and returns the lines that differ; none = the device already is as wanted.
   * @throws LinksealError `device.*`, with effect "none".
   */
  stage(session: S, work: Work, signal: AbortSignal): Promise<readonly string[]>;
  /**
   * Reads the configuration and returns the texts that `stage` and `commit` would send for the
   * change, with the labels of secrets; nothing is locked or sent.
   * @throws LinksealError `device.*`, with effect "none".
   */
  preview(session: S, work: Work, signal: AbortSignal): Promise<readonly string[]>;
  /**
   * Reads the configuration and returns the lines of each port, and those that the driver would
   * write for it.
   * @throws LinksealError `device.*`, with effect "none".
   */
  lines(
    session: S,
    wanted: readonly WantedPort[],
    signal: AbortSignal,
  ): Promise<readonly PortLines[]>;
  /** Makes the device validate the candidate. */
  check(session: S, signal: AbortSignal): Promise<void>;
  /**
   * Commits the candidate; with `withinMs` the device reverts by itself unless another commit comes
   * in time.
   */
  commit(
    session: S,
    note: string,
    withinMs: number | undefined,
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Does what the configuration does not show, after each commit of the change and as often as it
   * is asked for: routes are exchanged again, and what is in force is saved. Absent = a commit does
   * so by itself.
   * @throws LinksealError with effect "applied" or "unknown": a boot may lose the commit.
   */
  complete?(session: S, change: DeviceChange, signal: AbortSignal): Promise<void>;
  /** Restores what was in force before the newest commit, which still waits for its confirm. */
  undo(session: S, note: string, signal: AbortSignal): Promise<void>;
}

/** The input of an observation. */
export interface Asked {
  /** The device's id in the config. */
  readonly device: DeviceId;
  /** The agent's clock. */
  readonly clock: Clock;
  /** The device's capabilities. */
  readonly capabilities: Capabilities;
}

/** A commit in the device's own list. */
export interface CommitRecord {
  /** The comment or label, from which the transaction is known. */
  readonly note: string;
  /** Whether it waits for its confirm. */
  readonly isPending: boolean;
}

/** A commit with an id. */
export interface Commit extends CommitRecord {
  /** Identifies it among all commits that this device ever had. */
  readonly id: string;
}

/** A change and the secrets that it needs, by their ids. */
export interface Work {
  /** The device's id in the config. */
  readonly device: DeviceId;
  /** Comment of the commit that this change is for. */
  readonly note: string;
  /** The device's capabilities. */
  readonly capabilities: Capabilities;
  /** The operations of the change. */
  readonly change: DeviceChange;
  /** Its secrets, by vault id. */
  readonly secrets: ReadonlyMap<string, Secret>;
}
