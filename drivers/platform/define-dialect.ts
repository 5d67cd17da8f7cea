// What a platform brings: its words for looking, staging and committing.

import type { Capabilities, DeviceChange, ProbeResult } from "#hal/device.ts";
import type { DeviceState, PortName } from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import type { DeviceId } from "#hal/target.ts";
import type { ByteChannel, ChannelKind, Clock, Entropy } from "#hal/world.ts";

/** A conversation with a device, in whatever protocol. */
export interface Session extends AsyncDisposable {
  /** The device, for errors. */
  readonly where: string;
  /** Nothing can be asked in it any more. */
  readonly isOver: boolean;
}

/** What a session is opened with. */
interface Opening {
  readonly where: string;
  readonly hint: () => void;
  readonly entropy: Entropy;
}

/** What is asked of the running device, and what of a candidate under a lock of ours. */
export interface Dialect<S extends Session> {
  readonly name: string;
  readonly offers: Capabilities;
  readonly channel: ChannelKind;
  /** Takes the channel over, whatever comes of it. */
  open(channel: ByteChannel, opening: Opening, signal: AbortSignal): Promise<S>;
  capabilities(session: S, signal: AbortSignal): Promise<Capabilities>;
  look(session: S, asked: Asked, signal: AbortSignal): Promise<DeviceState>;
  routeTo(session: S, address: string, signal: AbortSignal): Promise<PortName | undefined>;
  probe(session: S, port: PortName, count: number, signal: AbortSignal): Promise<ProbeResult>;
  /** Commits of late, the newest first. */
  commits(session: S, signal: AbortSignal): Promise<readonly CommitRecord[]>;
  /** Takes the candidate for us alone; the end of the session gives it back as it was. */
  lock(session: S, signal: AbortSignal): Promise<void>;
  /** Loads the change and returns what differs; nothing = the goal is reached. */
  stage(session: S, work: Work, signal: AbortSignal): Promise<readonly string[]>;
  /** Has the device judge the candidate. */
  check(session: S, signal: AbortSignal): Promise<void>;
  /** `withinMs`: the device takes it back by itself unless another commit comes in time. */
  commit(
    session: S,
    note: string,
    withinMs: number | undefined,
    signal: AbortSignal,
  ): Promise<void>;
  /** Puts back what was in force before the newest commit, which still waits. */
  undo(session: S, note: string, signal: AbortSignal): Promise<void>;
}

export interface Asked {
  readonly device: DeviceId;
  readonly clock: Clock;
  readonly capabilities: Capabilities;
}

export interface CommitRecord {
  readonly note: string;
  readonly isPending: boolean;
}

export interface Commit extends CommitRecord {
  /** Which one it is, among all that this device ever had. */
  readonly id: string;
}

/** A change and the secrets that it needs, by their ids. */
export interface Work {
  readonly device: DeviceId;
  /** Of the commit that it is for, and of no other. */
  readonly note: string;
  readonly capabilities: Capabilities;
  readonly change: DeviceChange;
  readonly secrets: ReadonlyMap<string, Secret>;
}
