// The HAL contract over a simulated router, as a perfect driver of an honest device implements it.

import type {
  Device,
  DeviceChange,
  KeyResolver,
  ProbeResult,
  SecretRef,
  Transaction,
} from "#hal/device.ts";
import { type Effect, type ErrorCode, LinksealError } from "#hal/error.ts";
import type { PortName } from "#hal/model.ts";
import { authSecrets } from "#hal/tunnel-auth.ts";
import type { Prng } from "../base/prng.ts";
import type { Router, RouterPort } from "../router/router.ts";
import { deviceError, type KeyMaterial, refuseUnsupported } from "../router/router-change.ts";
import { type Prepared, revertMs, type Session } from "../router/router-commit.ts";
import type { LateSpan } from "../router/router-faults.ts";

const slowFactor = 20;
/** The limit up to which the fault `slow` prolongs a call, in milliseconds. */
const slowestMs = 60_000;
/** The time that a caller waits for a reply that was lost, in milliseconds. */
const lostReplyMs = 30_000;
const lateReplyMs = { low: 5_000, high: 40_000 };
const secondMs = { low: 1_000, high: 30_000 };
/** The delays of a late commit, in milliseconds: its client may have given up or died meanwhile. */
const lateCommitMs = { low: 5_000, high: 150_000 };
const probeFrameBytes = 100;

/**
 * Opens a management session with the router; every call takes virtual time by its latency. A call
 * that is aborted before its effect has none; one that is aborted later may have it.
 */
export function openRouter(router: Router): Device {
  const wire = new Wire(router);
  const { capabilities, latency } = router.options;
  const device: Device = {
    id: router.name,
    capabilities,
    observe: (signal) => wire.call("none", latency.observeMs, signal, () => router.state()),
    prepare: (change, keys, signal) => prepare(wire, change, keys, signal),
    recall: (token, signal) =>
      wire.call("none", latency.observeMs, signal, () => {
        const prepared = router.commits.recall(token);
        if (prepared === undefined) return { kind: "absent" };
        if (!router.commits.isBy(wire.session)) return { kind: "expiring" };
        return { kind: "pending", transaction: transaction(wire, prepared) };
      }),
    routesTo: (address, signal) =>
      wire.call("none", latency.observeMs, signal, () => routesTo(router, address)),
    [Symbol.asyncDispose]: async () => wire.close(),
  };
  if (capabilities.probe === undefined) return device;
  const probe = (port: PortName, count: number, signal: AbortSignal): Promise<ProbeResult> =>
    wire.call("none", latency.observeMs, signal, () => sendProbe(router, port, count));
  return { ...device, probe };
}

/** The management path: latency, loss, and a session that a cut ends. */
class Wire {
  readonly router: Router;
  readonly #prng: Prng;
  #session: Session;

  constructor(router: Router) {
    this.router = router;
    this.#session = router.openSession();
    this.#prng = router.options.prng.fork("replies");
  }

  get session(): Session {
    return this.#session;
  }

  /**
   * Makes one exchange: `act` happens on the router half way. `lost` is the possible effect of a
   * call whose reply is lost; a read has none.
   */
  async call<T>(lost: Effect, ms: number, signal: AbortSignal, act: () => T): Promise<T> {
    const { clock } = this.router.options;
    const slowMs = Math.max(ms, Math.min(ms * slowFactor, slowestMs));
    const halfMs = (this.router.hasFault("slow") ? slowMs : ms) / 2;
    signal.throwIfAborted();
    const sent = this.router.reachable();
    await clock.sleep(halfMs, signal);
    if (!sent) throw this.#error("transport.unreachable", "does not answer, nothing was sent");
    if (!this.router.reachable()) throw this.#cut(lost);
    const result = act();
    if (lost !== "none" && this.router.hasFault("requestTwice")) this.#repeat(act);
    await clock.sleep(halfMs, signal);
    if (this.router.hasFault("replyLate")) {
      await clock.sleep(this.#prng.between(lateReplyMs.low, lateReplyMs.high), signal);
    }
    if (!this.router.reachable()) throw this.#cut(lost);
    if (lost === "none" || !this.router.hasFault("replyLost")) return result;
    if (this.#prng.chance(0.5)) throw this.#cut(lost);
    await clock.sleep(lostReplyMs, signal);
    const text = "did not reply in time; the change may or may not be in force";
    throw this.#error("transport.timeout", text, lost);
  }

  /** Makes an exchange without an answer; the router carries it out after a delay all the same. */
  async late(by: LateSpan, ms: number, signal: AbortSignal, act: () => void): Promise<void> {
    const { clock } = this.router.options;
    await clock.sleep(ms / 2, signal);
    if (!this.router.reachable()) throw this.#cut("unknown");
    this.#later(this.#prng.between(by.low, by.high), act);
    await clock.sleep(lostReplyMs, signal);
    const text = "did not reply in time; the change may or may not be in force";
    throw this.#error("transport.timeout", text, "unknown");
  }

  close(): void {
    this.router.commits.closeSession(this.#session);
  }

  #repeat(act: () => unknown): void {
    this.#later(this.#prng.between(secondMs.low, secondMs.high), act);
  }

  #later(ms: number, act: () => unknown): void {
    this.router.options.clock.after(ms, () => {
      if (!this.router.reachable()) return;
      try {
        act();
      } catch (error) {
        // No client waits for this answer.
        if (!(error instanceof LinksealError)) throw error;
      }
    });
  }

  #cut(lost: Effect): LinksealError {
    this.close();
    this.#session = this.router.openSession();
    const text =
      lost === "none"
        ? "closed the session before its reply; nothing was changed"
        : "closed the session before its reply; the change may or may not be in force";
    return this.#error("transport.closed", text, lost);
  }

  #error(code: ErrorCode, text: string, effect: Effect = "none"): LinksealError {
    const where = this.router.name;
    return new LinksealError(code, `${where} ${text}`, { effect, where, next: "linkseal status" });
  }
}

async function prepare(
  wire: Wire,
  change: DeviceChange,
  keys: KeyResolver,
  signal: AbortSignal,
): Promise<Transaction> {
  const { router } = wire;
  refuseUnsupported(router.name, router.options.capabilities, change);
  const material = await resolve(change, keys);
  const prepared = await wire.call("none", router.options.latency.prepareMs, signal, () =>
    router.commits.prepare(wire.session, change, material),
  );
  return transaction(wire, prepared);
}

function transaction(wire: Wire, { token, preview }: Prepared): Transaction {
  const { name, options, commits } = wire.router;
  const { commitMs } = options.latency;
  return {
    token,
    preview,
    apply: async (within, signal) => {
      revertMs(name, options.capabilities.commit, within);
      const act = (): void => commits.commit(token, within);
      const [fault, by] =
        within === "final"
          ? (["finalsLate", wire.router.lateFinalMs] as const)
          : (["commitsLate", lateCommitMs] as const);
      await (wire.router.hasFault(fault)
        ? wire.late(by, commitMs, signal, act)
        : wire.call("unknown", commitMs, signal, act));
    },
    confirm: (signal) =>
      wire.call("unknown", commitMs, signal, () => commits.confirm(wire.session, token)),
    rollback: (signal) =>
      wire.call("unknown", commitMs, signal, () => commits.rollback(token, wire.session)),
  };
}

async function resolve(change: DeviceChange, keys: KeyResolver): Promise<KeyMaterial> {
  const material = new Map<string, Uint8Array>();
  const take = async (id: string, ref: SecretRef): Promise<void> => {
    using secret = await keys(ref);
    material.set(
      id,
      secret.use((bytes) => Uint8Array.from(bytes)),
    );
  };
  for (const part of change) {
    if ("key" in part) await take(part.key.cakSecretId, { kind: "cak", key: part.key });
    if ("tunnel" in part) {
      for (const ref of authSecrets(part.tunnel.auth)) {
        if (ref.kind !== "cak") await take(ref.secretId, ref);
      }
    }
  }
  return material;
}

function sendProbe(router: Router, name: PortName, count: number): ProbeResult {
  const tunnel = router.tunnels().find(({ spec }) => spec.name === name);
  if (tunnel !== undefined) return { sent: count, answered: tunnel.up() ? count : 0 };
  const { fibre } = portOf(router, name);
  const arrived = fibre.inject("a", count, probeFrameBytes).delivered;
  const answered = fibre.inject("b", arrived, probeFrameBytes).delivered;
  return { sent: count, answered };
}

function portOf(router: Router, name: PortName): RouterPort {
  const port = router.port(name);
  if (port !== undefined) return port;
  throw deviceError("device.rejected", router.name, `${router.name} has no port ${name}`);
}

function routesTo(router: Router, address: string): readonly PortName[] | undefined {
  const routes = router.managementRoutes;
  const port = routes.has(address) ? routes.get(address) : "mgmt0";
  return port === undefined ? undefined : [port];
}
