// One change of this host, spread over two kinds of processes: linkseal-net owns the SecY and the
// only lock, and the MKA process of each port owns the port's keys. Each of them reverts what is
// not confirmed in time.

import { list, name, page, variants } from "#hal/decoder.ts";
import type { KeyResolver, PortChange, Transaction, TransactionToken } from "#hal/device.ts";
import { type Effect, LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import type { KeyRef, PortName } from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import type { LocalSession } from "../../local/device.ts";
import { netTransaction, prepareNet } from "../ipsec/net-change.ts";
import type { MkaClient } from "../mka/client.ts";
import type { RequestedOperation } from "../mka/protocol.ts";
import type { NetOperation } from "../net/operation.ts";
import type { MkaClients } from "./mka-clients.ts";

export interface ChangeParts {
  readonly session: LocalSession;
  readonly mkaClients: MkaClients;
}

export type HostOperation = Extract<
  PortChange,
  { readonly kind: `macsec.${string}` | "port.shut" | "port.open" }
>;

const portsMax = 64;

/**
 * Fetches the keys, hands them over and wipes them before it resolves; nothing takes effect yet. If
 * a step fails or the signal aborts, what was staged is rolled back.
 * @throws LinksealError `device.unsupported` for a confidentiality offset; `device.rejected` for a
 * CAK that is not 16 or 32 octets long
 */
export async function prepareChange(
  { session, mkaClients }: ChangeParts,
  change: readonly HostOperation[],
  keys: KeyResolver,
  signal: AbortSignal,
): Promise<Transaction> {
  for (const operation of change) refuseOffset(operation);
  const secrets = new Map<string, Secret>();
  try {
    for (const operation of change) {
      if (!("key" in operation) || secrets.has(operation.key.cakSecretId)) continue;
      const secret = await keys({ kind: "cak", key: operation.key });
      secrets.set(operation.key.cakSecretId, secret);
      refuseLength(secret, operation.key, operation.port);
    }
    const ports = [...new Set(change.filter(isOfParticipant).map(({ port }) => port))];
    const asked: NetOperation[] = [
      ...change.flatMap(netOperation),
      ...ports.map((port) => ({ kind: "macsec.participant", port }) as const),
    ];
    const net = await prepareNet(session, asked, signal);
    const whole = new HostChange(net, mkaClients, ports);
    const lines = [net.preview];
    try {
      for (const port of ports) {
        const operations = change.filter((operation) => operation.port === port);
        lines.push(await stage(mkaClients.at(port), port, net.token, operations, secrets, signal));
      }
    } catch (error) {
      await whole.takeBack();
      throw error;
    }
    return whole.transaction(lines.filter((line) => line !== "").join("\n"));
  } finally {
    for (const secret of secrets.values()) secret[Symbol.dispose]();
  }
}

/**
 * Returns the transaction that waits for its confirmation under this token; undefined if no such
 * transaction exists.
 */
export async function recallChange(
  { session, mkaClients }: ChangeParts,
  token: TransactionToken,
  signal: AbortSignal,
): Promise<Transaction | undefined> {
  const recalled = await session.ask("recall", [encodeJson({ token })], readRecall, signal);
  if (recalled.kind === "absent") return undefined;
  const lines = [recalled.preview];
  for (const port of recalled.participants) {
    const preview = await mkaClients.at(port).recall(token, signal);
    if (preview !== undefined) lines.push(`port ${port}`, preview);
  }
  const net = netTransaction(session, token, recalled.preview);
  const whole = new HostChange(net, mkaClients, recalled.participants);
  return whole.transaction(lines.filter((line) => line !== "").join("\n"));
}

const readRecall = variants<
  | {
      readonly kind: "pending";
      readonly preview: string;
      readonly participants: readonly PortName[];
    }
  | { readonly kind: "absent" }
>({ pending: { preview: page, participants: list(name, portsMax) }, absent: {} });

class HostChange {
  readonly #net: Transaction;
  readonly #clients: readonly MkaClient[];

  constructor(net: Transaction, mkaClients: MkaClients, ports: readonly PortName[]) {
    this.#net = net;
    this.#clients = ports.map((port) => mkaClients.at(port));
  }

  transaction(preview: string): Transaction {
    const net = this.#net;
    const { token } = net;
    return {
      token,
      preview,
      apply: (within, signal) => this.#apply(within, signal),
      // If an MKA process cannot confirm its key, linkseal-net is not asked to confirm, and the
      // timers revert all of the change.
      confirm: async (signal) => {
        for (const client of this.#clients) await client.confirm(token, signal);
        await net.confirm(signal);
      },
      rollback: async (signal) => {
        for (const client of this.#clients) await client.rollback(token, signal);
        await net.rollback(signal);
      },
    };
  }

  // The SecY comes first, because a key has no place without one.
  async #apply(within: number | "final", signal: AbortSignal): Promise<void> {
    const { token } = this.#net;
    await this.#net.apply(within, signal);
    for (const [count, client] of this.#clients.entries()) {
      try {
        await client.apply(token, within, signal);
      } catch (error) {
        if (!(error instanceof LinksealError)) throw error;
        const isBack = within !== "final" && (await this.takeBack());
        throw halfDone(error, isBack ? "none" : "unknown", count);
      }
    }
  }

  /**
   * Rolls everything back and returns true if all of it succeeded. The timers of the processes
   * revert what is left, only later.
   */
  async takeBack(): Promise<boolean> {
    const { signal } = new AbortController();
    const net = this.#net;
    const backs = this.#clients.map((client) => () => client.rollback(net.token, signal));
    let isBack = true;
    for (const back of [...backs, () => net.rollback(signal)]) {
      try {
        await back();
      } catch (error) {
        if (!(error instanceof LinksealError)) throw error;
        isBack = false;
      }
    }
    return isBack;
  }
}

function halfDone(error: LinksealError, effect: Effect, ports: number): LinksealError {
  const { code, message, where, next } = error;
  const before = ports > 0 || effect === "unknown" ? "; a part of the change may remain" : "";
  return new LinksealError(code, `${message}${before}`, {
    effect: error.effect === "unknown" ? "unknown" : effect,
    where,
    next,
    cause: error,
  });
}

function netOperation(operation: HostOperation): readonly NetOperation[] {
  switch (operation.kind) {
    case "port.shut":
    case "port.open":
      return [{ kind: operation.kind, port: operation.port }];
    case "macsec.protect": {
      const { suite, includeSci, replayWindow } = operation.settings;
      return [
        {
          kind: operation.kind,
          port: operation.port,
          settings: { suite, includeSci, replayWindow },
        },
      ];
    }
    case "macsec.addKey":
    case "macsec.promoteKey":
    case "macsec.removeKey":
    case "macsec.replaceKey":
    case "macsec.rekeySak":
      return [];
  }
}

function isOfParticipant({ kind }: HostOperation): boolean {
  return kind !== "port.shut" && kind !== "port.open";
}

async function stage(
  client: MkaClient,
  port: PortName,
  token: TransactionToken,
  operations: readonly HostOperation[],
  secrets: ReadonlyMap<string, Secret>,
  signal: AbortSignal,
): Promise<string> {
  let lines: readonly string[] = [];
  for (const [place, operation] of operations
    .flatMap((one) => requestedOperation(one, secrets))
    .entries()) {
    lines = await client.stage(token, place, operation, signal);
  }
  return lines.length === 0 ? "" : [`port ${port}`, ...lines].join("\n");
}

function requestedOperation(
  operation: HostOperation,
  secrets: ReadonlyMap<string, Secret>,
): readonly RequestedOperation[] {
  switch (operation.kind) {
    case "macsec.addKey":
    case "macsec.replaceKey": {
      const key = secrets.get(operation.key.cakSecretId);
      const kind = operation.kind === "macsec.addKey" ? "add" : "replace";
      return key === undefined ? [] : [{ kind, ckn: operation.key.ckn, key }];
    }
    case "macsec.removeKey":
      return [{ kind: "remove", ckn: operation.ckn }];
    case "macsec.rekeySak":
      return [{ kind: "rekey" }];
    case "macsec.protect": {
      const { keyServerPriority, sakRekeyMs } = operation.settings;
      const settings = { keyServerPriority, sakRekeyMs, delayProtection: "off" } as const;
      return [{ kind: "configure", settings }];
    }
    // A key chain has no key that could be promoted; such a change was refused before.
    case "macsec.promoteKey":
    case "port.shut":
    case "port.open":
      return [];
  }
}

/** Returns the requests of a change to linkseal-net and to the MKA process of each port. */
export function hostRequests(change: readonly HostOperation[]): readonly string[] {
  return change.flatMap((operation) => {
    refuseOffset(operation);
    const label =
      "key" in operation ? { key: { ckn: operation.key.ckn, cak: "[secret cak]" } } : {};
    const asked = { ...operation, ...label };
    return [
      ...netOperation(operation).map((request) => `linkseal-net ${encodeJson(request)}`),
      ...(isOfParticipant(operation) ? [`linkseal-mka ${encodeJson(asked)}`] : []),
    ];
  });
}

function refuseOffset(operation: HostOperation): void {
  if (operation.kind !== "macsec.protect" || operation.settings.confidentialityOffset === 0) return;
  const text = `${operation.port} encrypts whole frames: the kernel has no confidentiality offset`;
  throw refused("device.unsupported", text, operation.port);
}

function refuseLength(secret: Secret, { ckn }: KeyRef, port: PortName): void {
  const octets = secret.byteLength;
  if (octets === 16 || octets === 32) return;
  const text = `the CAK of ${ckn} has ${octets} octets, and MACsec knows those of 16 and 32`;
  throw refused("device.rejected", text, port);
}

function refused(
  code: "device.unsupported" | "device.rejected",
  text: string,
  where: string,
): LinksealError {
  return new LinksealError(code, `${text}; nothing was changed`, {
    effect: "none",
    where,
    next: "linkseal plan --accepted",
  });
}
