// The Microsoft end of an ExpressRoute Direct pair: one key per link, and hardware that follows
// late.

import type { PeerDetails, PeerState, PeerWant } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type CipherSuite, type Ckn, type MacsecSettings, parseCkn } from "#hal/model.ts";
import type { SimClock } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import type { EffectEvent, Who } from "../base/truth.ts";
import type { PortEndpoint } from "../mka/port-endpoint.ts";
import type { SimVault } from "./vault.ts";

/** A link of the port, by Azure's name. */
export type AzureLink = "link1" | "link2";

/** A fault of the management API or of its port. */
export type MseeFault =
  | "fails"
  | "half"
  | "lies"
  /** An accepted change is reported as done, and reaches the hardware once the fault is healed. */
  | "never"
  | "slow"
  | "refuses"
  /** Another client's operations run on the port, one after the other. */
  | "busy"
  | "throttled"
  | "unreadable"
  /** The management API answers 403 about operations, 403 about writes, 404 about operations. */
  | "operationRefused"
  | "rightWithheld"
  | "operationLost";

/** The methods that the Microsoft end needs of a port; a `Station` has them. */
export type FarEndpoint = Pick<PortEndpoint, "configure" | "putKey" | "removeKey" | "setAdmin">;

export interface MseeOptions {
  readonly clock: SimClock;
  readonly prng: Prng;
  readonly vault: SimVault;
  /** The id of the expressRoutePort resource. */
  readonly name: string;
  readonly links: Readonly<Record<AzureLink, FarEndpoint>>;
  /** The time from accepting a put until the hardware drops the old key, in milliseconds. */
  readonly delayMs: { readonly low: number; readonly high: number };
}

/** The part of a port's resource that is about one link. */
export type LinkDocument = Omit<PeerState, "provisioning" | "revision" | "operation" | "details">;

/** The part of a port's resource that is about the whole port. */
export type PortFacts = Pick<PeerDetails, "identity" | "bandwidthGbps" | "lag">;

/** The state of an operation; `why` is the management API's text about a failure. */
export type OperationState =
  | { readonly kind: "running" }
  | { readonly kind: "succeeded" }
  | { readonly kind: "failed"; readonly why: string };

/**
 * The settings that a manual operator can write; unlike the agent, they can also turn MACsec off.
 */
export type ManualEdit = Partial<Omit<PeerWant, "key">> & {
  readonly key?: NonNullable<PeerState["pointsAt"]> | "off";
};

interface Programmed {
  readonly ckn: Ckn;
  readonly cak: Uint8Array;
  readonly suite: CipherSuite;
  readonly sci: "on" | "off";
}

interface LinkModel {
  readonly endpoint: FarEndpoint;
  document: LinkDocument;
  provisioning: Exclude<PeerState["provisioning"], "unknown">;
  operation: string | undefined;
  /** The code of the last operation if that failed. */
  failure: string | undefined;
  /** The number of operations: the work of one that another overtook is dropped. */
  operations: number;
  hardware: Programmed | undefined;
  /**
   * The fault under which a change was reported as done without being, or being fully, carried out;
   * healing the fault completes it.
   */
  owedBy: "never" | "half" | undefined;
}

type OperationEnd = Exclude<OperationState, { readonly kind: "running" }>;

/** The data of a change besides the document. */
interface Change {
  readonly by: Who;
  readonly ckn: Ckn | undefined;
  readonly operation: string;
}

/** The states as the management API spells them. */
const words: Readonly<Record<LinkModel["provisioning"], string>> = {
  settled: "Succeeded",
  updating: "Updating",
  failed: "Failed",
};
const ciphers: Readonly<Record<CipherSuite, string>> = {
  "gcm-aes-128": "GcmAes128",
  "gcm-aes-256": "GcmAes256",
  "gcm-aes-xpn-128": "GcmAesXpn128",
  "gcm-aes-xpn-256": "GcmAesXpn256",
};

const succeeded = { kind: "succeeded" } as const;
const operationsMax = 256;
const slowFactor = 10;
/** The time without any key between dropping the old and taking the new one, in milliseconds. */
const gapMs = { low: 1000, high: 2000 };
const settleMs = { low: 200, high: 2000 };
const liesMs = { low: 120_000, high: 480_000 };
/**
 * The value is not documented by Microsoft; it is low enough that this end is the key server, as
 * seen in practice.
 */
const keyServerPriority = 8;

/** The Microsoft end of one port pair, with its management API. */
export class Msee {
  readonly name: string;
  readonly #clock: SimClock;
  readonly #prng: Prng;
  readonly #vault: SimVault;
  readonly #delayMs: MseeOptions["delayMs"];
  readonly #links: Readonly<Record<AzureLink, LinkModel>>;
  readonly #faults = new Set<MseeFault>();
  /** How often the one document of both links was written, or its state changed. */
  #writes = 0;
  #port: PortFacts = { identity: "present", bandwidthGbps: 100 };
  readonly #operations = new Map<string, OperationState>();
  readonly #listeners: ((effect: EffectEvent) => void)[] = [];

  constructor(options: MseeOptions) {
    this.name = options.name;
    this.#clock = options.clock;
    this.#prng = options.prng;
    this.#vault = options.vault;
    this.#delayMs = options.delayMs;
    this.#links = { link1: fresh(options.links.link1), link2: fresh(options.links.link2) };
  }

  /**
   * Returns the document of one link; the hardware may differ from it.
   * @throws LinksealError `transport.unreachable`
   */
  observe(link: AzureLink): PeerState {
    if (this.#faults.has("unreadable")) {
      throw this.#refusal("transport.unreachable", "the management API does not answer reads");
    }
    return this.resource(link);
  }

  /** Returns the document of one link, even while the management API does not answer reads. */
  resource(link: AzureLink): PeerState {
    const { document, provisioning, operation, failure } = this.#links[link];
    const word = words[provisioning];
    const { suite } = document;
    const details: PeerDetails = {
      ...this.#port,
      cipher: suite === undefined ? undefined : ciphers[suite],
      provisioning: { port: word, link: word },
      failure,
      circuits: [],
    };
    const revision = String(this.#writes);
    return { ...document, provisioning, revision, operation, details };
  }

  /**
   * Changes facts of the whole port, such as its bandwidth or identity; the links stay as they are.
   */
  setPort(facts: Partial<PortFacts>): void {
    this.#writes += 1;
    this.#port = { ...this.#port, ...facts };
  }

  /** True if the last operation on this link failed, even while clients cannot read that. */
  isFailed(link: AzureLink): boolean {
    return this.#links[link].provisioning === "failed";
  }

  /** Returns the CKN that the hardware of a link uses now. */
  hardwareKey(link: AzureLink): Ckn | undefined {
    return this.#links[link].hardware?.ckn;
  }

  /**
   * Accepts a change and returns the operation's id.
   * @throws LinksealError `peer.rejected` or `peer.throttled`, with effect "none"
   */
  put(link: AzureLink, want: PeerWant): string {
    this.#refuseWrites();
    const operation = this.#operation();
    this.#begin(link, documentOf(want), { by: "agent", ckn: want.key.ckn, operation });
    return operation;
  }

  /**
   * Writes one or both links in one operation, as the management API does; it can also turn MACsec
   * off. Returns the operation's id.
   * @throws LinksealError `peer.rejected` or `peer.throttled`, with effect "none"
   */
  write(documents: ReadonlyMap<AzureLink, LinkDocument>, by: Who): string {
    this.#refuseWrites();
    const operation = this.#operation();
    for (const [link, document] of documents) {
      this.#begin(link, document, { by, ckn: this.#cknOf(document), operation });
    }
    return operation;
  }

  /** True if the fault is set. */
  hasFault(fault: MseeFault): boolean {
    return this.#faults.has(fault);
  }

  /**
   * Returns the state of an operation; undefined if it never existed or is no longer remembered.
   */
  operation(id: string): OperationState | undefined {
    return this.#operations.get(id);
  }

  #refuseWrites(): void {
    if (this.#faults.has("throttled")) {
      throw this.#refusal("peer.throttled", "too many requests (429)");
    }
    if (this.#faults.has("refuses")) {
      throw this.#refusal("peer.rejected", "the management API refuses the document (400)");
    }
    if (this.#faults.has("busy") || this.#updating()) {
      throw this.#refusal("peer.rejected", "another operation is running on this port (409)");
    }
  }

  /**
   * Changes a link as a manual operator does; a running operation is waited for, as the API would
   * demand.
   */
  manualEdit(link: AzureLink, edit: ManualEdit): void {
    if (this.#updating()) {
      this.#clock.after(1000, () => this.manualEdit(link, edit));
      return;
    }
    const change = { by: "person", ckn: undefined, operation: this.#operation() } as const;
    this.#begin(link, edited(this.#links[link].document, edit), change);
  }

  /**
   * Sets a link as if it had been set long ago: document and hardware agree at once, and no
   * observer is notified.
   */
  preset(link: AzureLink, want: PeerWant): void {
    const model = this.#links[link];
    model.document = documentOf(want);
    const programmed = this.#fetch(model.document);
    if (typeof programmed === "string") throw new RangeError(`no usable key for ${link}`);
    drop(model);
    install(model, programmed);
  }

  /** Sets or clears a fault. */
  setFault(fault: MseeFault, on: boolean): void {
    if (on) this.#faults.add(fault);
    else this.#faults.delete(fault);
    if (on) return;
    for (const model of Object.values(this.#links)) {
      if (model.owedBy !== fault) continue;
      model.owedBy = undefined;
      this.#program(model);
    }
  }

  /** Calls `listener` when an operation is accepted; `port` of the event is the link's name. */
  onEffect(listener: (effect: EffectEvent) => void): void {
    this.#listeners.push(listener);
  }

  // The resource is one document: an operation on either link locks both (field experience: 409).
  #updating(): boolean {
    return Object.values(this.#links).some(({ provisioning }) => provisioning === "updating");
  }

  #operation(): string {
    const id = `${this.name}/operations/${this.#prng.hex(8)}`;
    for (const oldest of this.#operations.keys()) {
      if (this.#operations.size < operationsMax) break;
      this.#operations.delete(oldest);
    }
    return id;
  }

  #begin(link: AzureLink, document: LinkDocument, change: Change): void {
    const { by, ckn, operation } = change;
    const model = this.#links[link];
    this.#operations.set(operation, { kind: "running" });
    model.operations += 1;
    this.#writes += 1;
    model.owedBy = undefined;
    model.document = document;
    model.provisioning = "updating";
    model.operation = operation;
    const slow = this.#faults.has("slow") ? slowFactor : 1;
    this.#later(model, this.#prng.between(this.#delayMs.low, this.#delayMs.high) * slow, () =>
      this.#apply(model),
    );
    const named = ckn === undefined ? {} : { ckn };
    const at = this.#clock.now();
    const cakSecretId = document.pointsAt?.cakSecretId;
    const pointed = cakSecretId === undefined ? {} : { cakSecretId };
    const where = { place: this.name, link: undefined, port: link };
    for (const notify of this.#listeners) {
      notify({ at, by, ...where, what: "peer.put", ...named, ...pointed });
    }
  }

  #finish(model: LinkModel, how: OperationEnd): void {
    const { operation } = model;
    this.#writes += 1;
    model.failure = how.kind === "failed" ? "OperationFailed" : undefined;
    model.provisioning = how.kind === "succeeded" ? "settled" : "failed";
    model.operation = undefined;
    if (operation === undefined) return;
    const before = this.#operations.get(operation);
    const goesOn = Object.values(this.#links).some((one) => one.operation === operation);
    if (how.kind === "failed") this.#operations.set(operation, how);
    else if (before?.kind === "running" && !goesOn) this.#operations.set(operation, how);
  }

  #apply(model: LinkModel): void {
    if (this.#faults.has("fails")) {
      this.#finish(model, { kind: "failed", why: "The operation failed on the device." });
    } else if (this.#faults.has("never")) {
      this.#finish(model, succeeded);
      model.owedBy = "never";
    } else if (this.#faults.has("lies")) {
      this.#finish(model, succeeded);
      this.#later(model, this.#prng.between(liesMs.low, liesMs.high), () => this.#program(model));
    } else {
      this.#program(model);
    }
  }

  #program(model: LinkModel): void {
    if (model.document.pointsAt === undefined) {
      drop(model);
      model.endpoint.configure(undefined);
      this.#finish(model, succeeded);
      return;
    }
    const wanted = this.#fetch(model.document);
    if (typeof wanted === "string") {
      this.#finish(model, { kind: "failed", why: wanted });
      return;
    }
    const half = this.#faults.has("half");
    if (half) model.owedBy = "half";
    const taken = half ? this.#half(model, wanted) : wanted;
    if (same(taken, model.hardware)) {
      model.endpoint.setAdmin(model.document.admin === "up");
      this.#later(model, this.#settling(), () => this.#finish(model, succeeded));
      return;
    }
    drop(model);
    this.#later(model, this.#prng.between(gapMs.low, gapMs.high), () => {
      install(model, taken);
      this.#later(model, this.#settling(), () => this.#finish(model, succeeded));
    });
  }

  /**
   * Reads the pair from the vault as the hardware would get it; returns a sentence if it cannot be
   * used.
   */
  #fetch(document: LinkDocument): Programmed | string {
    const { pointsAt, suite, sci } = document;
    if (pointsAt === undefined || suite === undefined) return "MACsec has no cipher or no key.";
    if (this.#port.identity === "missing") return "The port has no identity that reads secrets.";
    const ckn = this.#cknOf(document);
    if (ckn === undefined) return "The CKN secret cannot be read, or is not a CKN.";
    const text = this.#valueOf(pointsAt.cakSecretId);
    if (text === undefined) return "The CAK secret cannot be read.";
    const cak = cakOf(text, suite);
    return cak === undefined
      ? `The CAK has a wrong length or digits for ${suite}.`
      : { ckn, cak, suite, sci };
  }

  #cknOf({ pointsAt }: LinkDocument): Ckn | undefined {
    const text = pointsAt === undefined ? undefined : this.#valueOf(pointsAt.cknSecretId);
    return text === undefined ? undefined : parseCkn(text);
  }

  #valueOf(id: string): string | undefined {
    try {
      return this.#vault.valueForFarEnd(id);
    } catch (error) {
      if (error instanceof LinksealError) return undefined;
      throw error;
    }
  }

  // A half-done change has one of two forms: the new name with the old octets, or only the
  // document.
  #half(model: LinkModel, wanted: Programmed): Programmed {
    const old = model.hardware;
    if (old !== undefined && this.#prng.chance(0.5)) return old;
    const stale = old?.cak.length === wanted.cak.length ? old.cak : undefined;
    return { ...wanted, cak: stale ?? this.#prng.bytes(wanted.cak.length) };
  }

  #settling(): number {
    return this.#prng.between(settleMs.low, settleMs.high);
  }

  #later(model: LinkModel, ms: number, work: () => void): void {
    const operation = model.operations;
    this.#clock.after(ms, () => {
      if (model.operations === operation) work();
    });
  }

  #refusal(
    code: "transport.unreachable" | "peer.rejected" | "peer.throttled",
    text: string,
  ): LinksealError {
    return new LinksealError(code, text, {
      effect: "none",
      where: this.name,
      next: "linkseal status",
    });
  }
}

function fresh(endpoint: FarEndpoint): LinkModel {
  endpoint.configure(undefined);
  const document: LinkDocument = { pointsAt: undefined, suite: undefined, sci: "off", admin: "up" };
  return {
    endpoint,
    document,
    provisioning: "settled",
    operation: undefined,
    failure: undefined,
    operations: 0,
    hardware: undefined,
    owedBy: undefined,
  };
}

function idsOf(key: NonNullable<PeerState["pointsAt"]>): NonNullable<PeerState["pointsAt"]> {
  return { cakSecretId: key.cakSecretId, cknSecretId: key.cknSecretId };
}

function documentOf({ key, suite, sci, admin }: PeerWant): LinkDocument {
  return { pointsAt: idsOf(key), suite, sci, admin };
}

function edited(document: LinkDocument, edit: ManualEdit): LinkDocument {
  const { key, ...rest } = edit;
  if (key === undefined) return { ...document, ...rest };
  return { ...document, ...rest, pointsAt: key === "off" ? undefined : idsOf(key) };
}

function drop(model: LinkModel): void {
  if (model.hardware !== undefined) model.endpoint.removeKey(model.hardware.ckn);
  model.hardware = undefined;
  model.endpoint.setAdmin(model.document.admin === "up");
}

// Azure never falls back to clear: a key always comes with must-secure.
function install(model: LinkModel, programmed: Programmed): void {
  const settings: MacsecSettings = {
    suite: programmed.suite,
    policy: "mustSecure",
    includeSci: programmed.sci === "on",
    confidentialityOffset: 0,
    keyServerPriority,
    replayWindow: undefined,
    sakRekeyMs: undefined,
  };
  model.endpoint.configure(settings);
  model.endpoint.putKey({ ckn: programmed.ckn, cak: programmed.cak, role: "primary" });
  model.hardware = programmed;
}

function same(a: Programmed, b: Programmed | undefined): boolean {
  if (b === undefined || a.ckn !== b.ckn || a.suite !== b.suite || a.sci !== b.sci) return false;
  return Buffer.compare(a.cak, b.cak) === 0;
}

// The service right-pads a short CAK with zeros (ExpressRoute MACsec how-to); a value that is too
// long or not hex is refused.
function cakOf(text: string, suite: CipherSuite): Uint8Array | undefined {
  const digits = suite.endsWith("256") ? 64 : 32;
  if (!/^[0-9a-f]+$/i.test(text) || text.length > digits) return undefined;
  return Uint8Array.from(Buffer.from(text.padEnd(digits, "0"), "hex"));
}
