// A device that is driven over a Unix socket of this host by the contract's own messages: the
// simulated site, and the kernel behind linkseal-net.

import { missingCapability, missingTimer } from "#hal/capability.ts";
import { withDeadline } from "#hal/deadline.ts";
import {
  count,
  type Decoder,
  Malformed,
  name,
  object,
  optional,
  page,
  property,
  variants,
} from "#hal/decoder.ts";
import type {
  Capabilities,
  Device,
  DeviceChange,
  KeyResolver,
  PortChange,
  ProbeResult,
  SecretRef,
  Transaction,
  TransactionToken,
} from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import type { DeviceState } from "#hal/model.ts";
import type { Command, Secret } from "#hal/secret.ts";
import { SentSecrets } from "#hal/sent-secrets.ts";
import type { Target } from "#hal/target.ts";
import { authSecrets } from "#hal/tunnel-auth.ts";
import type { World } from "#hal/world.ts";
import { readCapabilities, readState } from "./state.ts";
import { ask, askJson, type LocalCall, type LocalLine } from "./wire.ts";

/** The state of 512 ports and their routes stays below this limit. */
const stateBytesMax = 4 * 1024 * 1024;
const replyBytesMax = 64 * 1024;
const answerMsMax = 20_000;
/** Longer than the slowest commit, and than the wait for a reply that was lost. */
const effectMsMax = 45_000;
const probesMax = 1_000_000;

/**
 * Opens the device at `target.address`, which is `unix:PATH`.
 * @throws LinksealError `transport.unreachable`, or `device.unparsed` for a malformed reply
 */
export async function openLocal(
  target: Target,
  world: World,
  signal: AbortSignal,
): Promise<Device> {
  const session = new LocalSession(target, world);
  return deviceOf(session, await session.capabilities(signal));
}

type Verb =
  | "observe"
  | "prepare"
  | "recall"
  | "probe"
  | "route"
  | "subnets"
  | "changes"
  | `transactions/${string}`;

/** The requests that such a device answers; each is one exchange. */
export class LocalSession {
  readonly device: string;
  readonly #world: World;
  readonly #line: LocalLine;
  readonly #path: string;

  constructor(target: Target, world: World) {
    this.device = target.device;
    this.#world = world;
    this.#line = { dial: world.dial, address: target.address };
    this.#path = `/devices/${encodeURIComponent(target.device)}`;
  }

  /** Asks what the device offers. */
  async capabilities(signal: AbortSignal): Promise<Capabilities> {
    const call: LocalCall = {
      method: "GET",
      path: this.#path,
      replyBytesMax,
      where: this.device,
      effect: "none",
    };
    return await this.#bounded(call, signal, (bounded) =>
      askJson(this.#line, call, readCapabilities, bounded),
    );
  }

  /** Sends a request that has no effect on the running device, and reads the reply. */
  async ask<T>(verb: Verb, body: Command, read: Decoder<T>, signal: AbortSignal): Promise<T> {
    const call = this.#call(verb, body, "none");
    return await this.#bounded(call, signal, (bounded) => askJson(this.#line, call, read, bounded));
  }

  /** Sends a request for an effect; a good reply means only that it was accepted. */
  async send(verb: Verb, body: object, signal: AbortSignal): Promise<void> {
    const call = this.#call(verb, [encodeJson(body)], "unknown");
    await this.#bounded(call, signal, (bounded) => ask(this.#line, call, bounded));
  }

  // Only the signal bounds an observation: a fleet makes a million of them, and a deadline costs
  // more than the checks.
  /**
   * Takes one observation; instants of the device are moved into the exchange.
   * @throws LinksealError `device.unparsed` for a malformed state
   */
  observe(signal: AbortSignal): Promise<DeviceState> {
    const from = this.#world.clock.now();
    const read = (value: unknown): DeviceState =>
      readState(value, this.device, { from, to: this.#world.clock.now() });
    return askJson(this.#line, this.#call("observe", [], "none"), read, signal);
  }

  #call(verb: Verb, body: Command, effect: LocalCall["effect"]): LocalCall {
    return {
      method: "POST",
      path: `${this.#path}/${verb}`,
      body,
      replyBytesMax: verb === "observe" ? stateBytesMax : replyBytesMax,
      where: this.device,
      effect,
    };
  }

  #bounded<T>(
    { where, effect }: LocalCall,
    signal: AbortSignal,
    f: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const ms = effect === "none" ? answerMsMax : effectMsMax;
    return withDeadline(this.#world.clock, { ms, where, effect }, signal, f);
  }
}

/** A session and what the device behind it offers. */
interface Connection {
  readonly session: LocalSession;
  readonly capabilities: Capabilities;
}

/** Returns the device behind a session. */
export function deviceOf(session: LocalSession, capabilities: Capabilities): Device {
  const connection: Connection = { session, capabilities };
  const device: Device = {
    id: session.device,
    capabilities,
    observe: (signal) => session.observe(signal),
    prepare: (change, keys, signal) => prepare(connection, change, keys, signal),
    async preview(change) {
      refuse(connection, missingCapability(change, capabilities));
      return change.map(encodeJson);
    },
    async recall(token, signal) {
      const recalled = await session.ask("recall", [encodeJson({ token })], readRecalled, signal);
      if (recalled.kind !== "pending") return recalled;
      return {
        kind: recalled.kind,
        transaction: transactionOf(connection, token, recalled.preview),
      };
    },
    async routesTo(address, signal) {
      const port = await session.ask("route", [encodeJson({ address })], readRoute, signal);
      return port === undefined ? undefined : [port];
    },
    async [Symbol.asyncDispose]() {},
  };
  if (capabilities.probe === undefined) return device;
  return {
    ...device,
    probe: (port, packets, signal) =>
      session.ask("probe", [encodeJson({ port, count: packets })], readProbe, signal),
  };
}

const readRoute = property("port", optional(name));

/** The fate of a change that waited for its confirmation. */
export const readRecalled = variants<
  { readonly kind: "pending"; readonly preview: string } | { readonly kind: "absent" | "expiring" }
>({ pending: { preview: page }, absent: {}, expiring: {} });

const readProbe: Decoder<ProbeResult> = (value, what) => {
  const sent = property("sent", count(probesMax))(value, what);
  return { sent, answered: property("answered", count(sent))(value, what) };
};

/**
 * Returns the error for a change that the device does not offer; the change is refused before
 * anything is sent.
 */
export function notOffered(what: string, where: string): LinksealError {
  const text = `${where} does not offer ${what}, so nothing was sent to it`;
  return new LinksealError("device.unsupported", text, {
    effect: "none",
    where,
    next: "linkseal driver list",
  });
}

function refuse({ session }: Connection, missing: string | undefined): void {
  if (missing !== undefined) throw notOffered(missing, session.device);
}

/** Returns the prepared change with this token as a transaction. */
export function transactionOf(
  connection: Connection,
  token: TransactionToken,
  preview: string,
): Transaction {
  const { session, capabilities } = connection;
  const verb = (what: string): Verb => `transactions/${encodeURIComponent(token)}/${what}`;
  return {
    token,
    preview,
    async apply(within, signal) {
      refuse(connection, missingTimer(capabilities.commit, within));
      await session.send(verb("apply"), { within }, signal);
    },
    confirm: (signal) => session.send(verb("confirm"), {}, signal),
    rollback: (signal) => session.send(verb("rollback"), {}, signal),
  };
}

/** The reply to `prepare`. */
export const readPrepared = object<Omit<Transaction, "apply" | "confirm" | "rollback">>({
  token: name as Decoder<TransactionToken>,
  preview: page,
});

// A candidate does not touch the running device, so even a lost reply has effect "none".
async function prepare(
  connection: Connection,
  change: DeviceChange,
  keys: KeyResolver,
  signal: AbortSignal,
): Promise<Transaction> {
  refuse(connection, missingCapability(change, connection.capabilities));
  const secrets = new Map<string, Secret>();
  try {
    for (const ref of change.flatMap(secretOf)) {
      const id = ref.kind === "cak" ? ref.key.cakSecretId : ref.secretId;
      if (!secrets.has(id)) secrets.set(id, await keys(ref));
    }
    using sent = new SentSecrets();
    sent.add([...secrets.values()]);
    const read: Decoder<Transaction> = (value, what) => {
      const { token, preview } = readPrepared(value, what);
      // The token goes into the journal, which must not contain a key.
      if (sent.clean(token) !== token) throw new Malformed("token");
      return transactionOf(connection, token, sent.clean(preview));
    };
    const asked = connection.session.ask("prepare", bodyOf(change, secrets), read, signal);
    return await sent.cleaning(asked);
  } finally {
    for (const secret of secrets.values()) secret[Symbol.dispose]();
  }
}

// Ids are JSON text of ours; a key is hexadecimal and needs no escape inside its quotes.
function bodyOf(change: DeviceChange, secrets: ReadonlyMap<string, Secret>): Command {
  const body: Command[number][] = [`{"change":${encodeJson(change)},"keys":{`];
  for (const [id, secret] of secrets) {
    body.push(`${body.length === 1 ? "" : ","}${encodeJson(id)}:"`, { secret, as: "hex" }, '"');
  }
  return [...body, "}}"];
}

function secretOf(operation: PortChange): readonly SecretRef[] {
  switch (operation.kind) {
    case "macsec.addKey":
    case "macsec.replaceKey":
      return [{ kind: "cak", key: operation.key }];
    case "ipsec.putTunnel":
      return authSecrets(operation.tunnel.auth);
    case "macsec.promoteKey":
    case "macsec.removeKey":
    case "macsec.rekeySak":
    case "macsec.protect":
    case "port.shut":
    case "port.open":
    case "port.drain":
    case "port.restore":
    case "ipsec.block":
    case "ipsec.removeTunnel":
    case "ipsec.rekey":
      return [];
  }
}
