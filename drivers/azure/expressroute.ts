// The Microsoft end of a link: one expressRoutePort (or LAG) document contains both links, and one
// write changes exactly one of them.

import type { PeerPort, PeerSecret, PeerState, PeerTelemetry, PeerWant } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { Command } from "#hal/secret.ts";
import type { Clock } from "#hal/world.ts";
import { type Accepted, Arm, type ArmParts } from "../transport/arm.ts";
import { writeFaithful } from "../transport/arm-json.ts";
import { portVersionOf } from "./api-versions.ts";
import { type ConnectionReport, connectionVersionOf } from "./connections.ts";
import { connectionReport } from "./expressroute-connection.ts";
import {
  type AzureLink,
  isAtRest,
  OddDocument,
  pictureOf,
  revisionOf,
  stateOf,
  withLink,
} from "./expressroute-document.ts";
import { putSharedKey } from "./expressroute-gateway.ts";
import { type DocumentRead, Operations } from "./expressroute-operations.ts";
import { telemetryOf } from "./expressroute-telemetry.ts";
import { Updates } from "./expressroute-updates.ts";

/** The operations on a port or LAG that the journal names last. */
export interface LastOperations {
  /** The one that changed this link; undefined = none. */
  readonly own: string | undefined;
  /** Those that changed the other link of the same document. */
  readonly others: readonly string[];
}

/** One link of an ExpressRoute port or LAG. */
export interface ExpressRouteLink {
  /** Resource id of the port or LAG. */
  readonly resource: string;
  /** Which of the two links it is. */
  readonly link: AzureLink;
  /** Returns the operations that the journal names last: each of them wrote both links. */
  readonly operations: () => LastOperations;
  /**
   * Least time, in milliseconds, for which a write whose operation Azure does not show counts as
   * running.
   */
  readonly putGraceMs: number;
}

interface Observation {
  readonly document: unknown;
  readonly state: PeerState;
}

interface OperationRead extends Observation, DocumentRead {
  readonly graceMs: number;
  readonly operation: string;
  /** False if it changed the other link. */
  readonly isOwn: boolean;
}

/** The far ends behind one management API; writes to one document wait for each other. */
export class ExpressRoute {
  readonly #arm: Arm;
  readonly #clock: Clock;
  readonly #operations: Operations;
  /** For each resource, the end of the last write. */
  readonly #lines = new Map<string, Promise<void>>();
  /** For each operation of this process, the resource that it changes. */
  readonly #begun = new Map<string, string>();
  /** For each failed operation, a fingerprint of the document at that time. */
  readonly #failed = new Map<string, string>();
  readonly #updates: Updates;

  constructor(parts: ArmParts) {
    this.#arm = new Arm(parts);
    this.#clock = parts.clock;
    this.#operations = new Operations(this.#arm, parts.clock);
    this.#updates = new Updates(parts.clock);
  }

  /** Returns the far end of one link. */
  peer(link: ExpressRouteLink): Required<PeerPort> {
    return {
      observe: async (signal) => (await this.#observe(link, signal)).state,
      put: (want, accepted, signal) =>
        this.#inTurn(link.resource, () => this.#write(link, want, accepted, signal)),
      telemetry: (signal) => this.#telemetry(link, signal),
    };
  }

  /**
   * Returns what a VPN connection reports of itself. An abort leaves nothing behind.
   * @throws LinksealError like `Arm.get`.
   */
  async connection(resource: string, signal: AbortSignal): Promise<ConnectionReport> {
    const version = { "api-version": connectionVersionOf(resource) };
    return connectionReport(await this.#arm.get(resource, version, signal));
  }

  /** Returns the gateway of a VPN connection, which accepts the pre-shared key of its tunnels. */
  gateway(resource: string): PeerSecret {
    const [arm, operations, clock] = [this.#arm, this.#operations, this.#clock];
    const put: PeerSecret["put"] = (secret, signal) =>
      putSharedKey({ arm, operations, clock }, resource, secret, signal);
    return { put: (secret, signal) => this.#inTurn(resource, () => put(secret, signal)) };
  }

  /**
   * Returns any document of the management API, as evidence.
   * @throws LinksealError like `Arm.get`.
   */
  async document(
    path: string,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<unknown> {
    return await this.#arm.get(path, query, signal);
  }

  async #telemetry(
    { resource, link }: ExpressRouteLink,
    signal: AbortSignal,
  ): Promise<PeerTelemetry> {
    const version = { "api-version": portVersionOf(resource) };
    const document = await this.#arm.get(resource, version, signal);
    const { details } = understood(resource, () => stateOf(document, link));
    const circuits = details?.circuits ?? [];
    const now = this.#clock.wall();
    return await telemetryOf({ arm: this.#arm, resource, link, circuits, now }, signal);
  }

  /** Reads the state, with another writer's change of this link during our write. */
  async #observe(at: ExpressRouteLink, signal: AbortSignal): Promise<Observation> {
    const { resource, link } = at;
    const number = this.#updates.reading();
    const { document, state } = await this.#read(at, signal);
    const operation = at.operations().own;
    const read = { resource, document, number, link, operation };
    this.#updates.read({ ...read, isAtRest: isAtRest(state) });
    const lostUpdate = this.#updates.of(resource, link);
    const { details } = state;
    if (lostUpdate === undefined || details === undefined) return { document, state };
    return { document, state: { ...state, details: { ...details, lostUpdate } } };
  }

  async #read(at: ExpressRouteLink, signal: AbortSignal): Promise<Observation> {
    const { resource, link } = at;
    const version = { "api-version": portVersionOf(resource) };
    const document = await this.#arm.get(resource, version, signal);
    const now = this.#clock.now();
    let state = understood(resource, () => stateOf(document, link));
    const { own, others } = at.operations();
    for (const operation of new Set([own, ...others])) {
      if (operation === undefined || this.#isElsewhere(operation, resource)) continue;
      const picture = understood(resource, () => pictureOf(document));
      const read = { document, state, picture, at: now, graceMs: at.putGraceMs };
      state = await this.#withOperation({ ...read, operation, isOwn: operation === own }, signal);
    }
    return { document, state };
  }

  #isElsewhere(operation: string, resource: string): boolean {
    const whose = this.#begun.get(operation);
    return whose !== undefined && whose !== resource.toLowerCase();
  }

  /**
   * Combines document and operation, because a document may read "Succeeded" before its operation
   * has even begun. An operation on the other link carried this one as it was then.
   */
  async #withOperation(
    { document, state, graceMs, operation, isOwn, ...read }: OperationRead,
    signal: AbortSignal,
  ): Promise<PeerState> {
    const how = await this.#operations.state(operation, signal);
    switch (how.kind) {
      case "running":
        return { ...state, provisioning: "updating", operation };
      case "succeeded":
        return state;
      case "lost": {
        const observed = unfollowed(state, how.refusal);
        if (this.#operations.isSettled(operation, read, graceMs)) return observed;
        return { ...observed, provisioning: "updating", operation };
      }
      case "failed": {
        if (!isOwn) return state;
        const now = revisionOf(document);
        const then = this.#failed.get(operation) ?? now;
        this.#failed.set(operation, then);
        const { details } = state;
        const reported =
          details === undefined ? {} : { details: { ...details, failure: how.code } };
        // A later write has repaired it. Only the process that began the operation can compare; for
        // an operation of a predecessor the document decides.
        const isMended = then !== now || !this.#begun.has(operation);
        const isOver = isMended || state.provisioning === "updating";
        return { ...state, ...reported, provisioning: isOver ? state.provisioning : "failed" };
      }
    }
  }

  async #inTurn(resource: string, work: () => Promise<void>): Promise<void> {
    const key = resource.toLowerCase();
    const turn = (this.#lines.get(key) ?? Promise.resolve()).then(work);
    this.#lines.set(
      key,
      turn.catch(() => undefined),
    );
    await turn;
  }

  /** GET, change one link, prove that the rest is equal, PUT. */
  async #write(
    at: ExpressRouteLink,
    want: PeerWant,
    accepted: (operation: string) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { resource, link } = at;
    signal.throwIfAborted();
    const { document, state } = await this.#observe(at, signal);
    if (isAsWanted(state, want)) return;
    if (!isAtRest(state)) {
      const runs = state.provisioning === "updating";
      const what = runs ? "is being changed" : "does not show whether it is being changed";
      throw refused(resource, `the port ${what}: nothing was written`);
    }
    if (want.over?.some((ids) => isSame(ids, state.pointsAt)) === false) {
      throw refused(resource, "its key was changed meanwhile: nothing was written");
    }
    const changed = understood(resource, () => withLink(document, link, want));
    const body = [writeFaithful(changed)];
    this.#updates.sending(resource, document, link);
    const begun = await this.#put(resource, body, signal);
    if (begun === undefined) return;
    this.#operations.accepted(begun);
    this.#begun.set(begun.operation, resource.toLowerCase());
    await accepted(begun.operation);
  }

  async #put(resource: string, body: Command, signal: AbortSignal): Promise<Accepted | undefined> {
    try {
      const begun = await this.#arm.put(resource, portVersionOf(resource), body, signal);
      this.#updates.sent(resource, begun?.operation);
      return begun;
    } catch (error) {
      const isRefused = error instanceof LinksealError && error.effect === "none";
      if (isRefused) this.#updates.refused(resource);
      else this.#updates.sent(resource, undefined);
      throw error;
    }
  }
}

/** Returns the same state, with the reason why Azure does not show us the end of the operation. */
function unfollowed(state: PeerState, refusal: LinksealError | undefined): PeerState {
  const { details } = state;
  if (refusal === undefined || details === undefined) return state;
  const { message: text, next } = refusal;
  return { ...state, details: { ...details, unfollowed: { text, next } } };
}

function isSame(a: PeerState["pointsAt"], b: PeerState["pointsAt"]): boolean {
  return a?.cakSecretId === b?.cakSecretId && a?.cknSecretId === b?.cknSecretId;
}

function isAsWanted(state: PeerState, { key, suite, sci, admin }: PeerWant): boolean {
  return (
    state.provisioning === "settled" &&
    isSame(state.pointsAt, key) &&
    state.suite === suite &&
    state.sci === sci &&
    state.admin === admin
  );
}

function understood<T>(resource: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof OddDocument)) throw error;
    throw refused(resource, `the document of the port makes no sense: ${error.message}`);
  }
}

function refused(resource: string, text: string): LinksealError {
  const where = resource.split("/").at(-1) ?? resource;
  const details = { effect: "none", where, next: "linkseal doctor" } as const;
  return new LinksealError("peer.rejected", text, details);
}
