// The IPsec driver of this host: merges what charon and the kernel report of one tunnel, and
// carries out changes that begin with the block around the tunnel and end with a proof.

import { withDeadline } from "#hal/deadline.ts";
import {
  type Capabilities,
  type KeyResolver,
  type PortChange,
  rekeyWhats,
  type Transaction,
} from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import {
  type DeviceState,
  type IkeState,
  type IpsecSa,
  type IpsecTunnel,
  known,
  type TunnelSpec,
  unknown,
} from "#hal/model.ts";
import type { World } from "#hal/world.ts";
import type { LocalSession } from "../../local/device.ts";
import type { TunnelOperation } from "../net/tunnel-operation.ts";
import {
  bringUp,
  type Charon,
  type CharonObservation,
  endOlder,
  forget,
  isUnloaded,
  isUp,
  load,
  loadSecret,
  observeCharon,
  rekey,
  renew,
  stands,
  withCharon,
} from "./charon.ts";
import { CharonMonitor } from "./charon-monitor.ts";
import { type Credentials, fetchCredentials } from "./credentials.ts";
import { loadConnection, loadPsk } from "./messages.ts";
import { operationsAround, operationsOfBlock, prepareNet } from "./net-change.ts";
import type { IkeSa } from "./parsers.ts";

/** The capabilities of the driver for tunnels. */
export const ipsecOffer: NonNullable<Capabilities["ipsec"]> = {
  keying: ["ike"],
  authentication: ["psk", "certificate"],
  atomicReplace: false,
  rekeys: rekeyWhats,
  blocks: true,
};

/** The parts of a host's IPsec driver. */
export interface IpsecParts {
  /** The session with linkseal-net. */
  readonly session: LocalSession;
  /** How charon is reached. */
  readonly charon: Charon;
  /** The listener for charon's events. */
  readonly monitor: CharonMonitor;
}

/** Opens the IPsec driver; undefined if no charon is named. `end` ends the listener. */
export function openIpsec(
  { session, world, onChange }: { session: LocalSession; world: World; onChange: () => void },
  path: string | undefined,
  end: AbortSignal,
): IpsecParts | undefined {
  if (path === undefined) return undefined;
  const stream: Charon["stream"] = (to, signal) => world.dial.stream(to, signal);
  const charon = { path, stream, clock: world.clock };
  const monitor = new CharonMonitor();
  void monitor.follow(charon, onChange, end);
  return { session, charon, monitor };
}

/** The changes of a device that concern tunnels. */
export type TunnelChange = Extract<PortChange, { readonly kind: `ipsec.${string}` }>;

/** Returns true if the change concerns a tunnel. */
export const isTunnelChange = (operation: PortChange): operation is TunnelChange =>
  operation.kind.startsWith("ipsec.");

/**
 * Well inside the longest observation: a daemon that hangs must not hide what the kernel reports.
 */
const observeMsMax = 6_000;
/** A key that is not applied within this time is wiped. */
const keepMs = 120_000;

/**
 * Adds what charon knows of IKE to the tunnels that the kernel reported; `ike` is unknown if charon
 * does not answer.
 */
export async function observeTunnels(
  { charon, monitor }: IpsecParts,
  state: DeviceState,
  signal: AbortSignal,
): Promise<DeviceState> {
  if (state.ipsec.length === 0) return state;
  try {
    const observation = await observeInTime(charon, signal);
    const ipsec = state.ipsec.map((tunnel) => joined(tunnel, observation, state, monitor));
    return { ...state, ipsec };
  } catch (error) {
    if (!(error instanceof LinksealError) || signal.aborted) throw error;
    const why = error.code === "device.unparsed" ? "unparsed" : "queryFailed";
    const ike = unknown(why, state.at);
    const blind = (tunnel: IpsecTunnel): IpsecTunnel => ({ ...tunnel, ike });
    return { ...state, ipsec: state.ipsec.map(blind) };
  }
}

function observeInTime(charon: Charon, signal: AbortSignal): Promise<CharonObservation> {
  const limit = { ms: observeMsMax, where: "charon", effect: "none" } as const;
  return withDeadline(charon.clock, limit, signal, (bounded) =>
    withCharon(charon, bounded, (client) => observeCharon(client, bounded)),
  );
}

function joined(
  tunnel: IpsecTunnel,
  observation: CharonObservation,
  { at }: DeviceState,
  monitor: CharonMonitor,
): IpsecTunnel {
  const own = observation.sas.filter(({ name }) => name === tunnel.name);
  const ike = ikeOf(own, observation.connections.has(tunnel.name));
  const trouble = monitor.trouble(tunnel.name);
  // While the tunnel carries, silence and a busy gateway may pass before they do harm.
  const isShown = trouble?.isRefusal === true || !hasChild(own);
  const nat = natOf(own);
  const { sas } = tunnel;
  return {
    ...tunnel,
    ike: known(ike, at),
    ...(trouble === undefined || !isShown ? {} : { trouble: trouble.text }),
    ...(nat === undefined ? {} : { nat }),
    sas:
      sas.kind === "unknown"
        ? sas
        : known(
            sas.value.map((sa) => withIke(sa, observation)),
            sas.at,
          ),
  };
}

function ikeOf(own: readonly IkeSa[], isLoaded: boolean): IkeState {
  const isUp = own.some(({ state }) => state === "established");
  if (!isLoaded) return isUp ? "unloaded" : "forgotten";
  if (isUp) return "established";
  return own.some(({ state }) => state === "connecting") ? "connecting" : "down";
}

function hasChild(own: readonly IkeSa[]): boolean {
  return own.some(
    ({ state, children }) =>
      state === "established" && children.some(({ phase }) => phase === "installed"),
  );
}

/** The newest IKE SA counts: charon lists an older one that ends beside it. */
function natOf(own: readonly IkeSa[]): IpsecTunnel["nat"] {
  return own.findLast(({ state }) => state === "established")?.nat;
}

// The kernel's data plane has the transforms and counters; charon knows the group and the phase.
function withIke(sa: IpsecSa, { sas }: CharonObservation): IpsecSa {
  const children = sas.flatMap((ike) => ike.children);
  const child = children.find(
    ({ spiIn, spiOut }) => (sa.direction === "in" ? spiIn : spiOut) === sa.spi,
  );
  if (child === undefined) return sa;
  const { dhGroup } = child.transforms;
  const phase = child.phase === "rising" ? "installed" : child.phase;
  return { ...sa, phase, transforms: { ...sa.transforms, dhGroup } };
}

interface Held {
  readonly spec: TunnelSpec;
  readonly credentials: Credentials;
}

/**
 * Prepares a change of tunnels: fetches and holds the credentials for at most two minutes, and
 * stages linkseal-net's part. Nothing takes effect yet.
 * @throws LinksealError `device.rejected` for algorithms that charon is not offered;
 * `vault.malformedKey` for a secret that cannot be used
 */
export async function prepareTunnels(
  parts: IpsecParts,
  change: readonly TunnelChange[],
  keys: KeyResolver,
  signal: AbortSignal,
): Promise<Transaction> {
  const { session, charon } = parts;
  const observation = await observeIfPresent(charon, signal);
  const lines: string[] = [];
  for (const operation of change) {
    // The call throws for a tunnel that cannot be rendered, while nothing has been sent yet.
    if (operation.kind === "ipsec.putTunnel") loadConnection(operation.tunnel);
    const isDone = operation.kind === "ipsec.putTunnel" && observation !== undefined;
    if (!isDone || !stands(operation.tunnel, observation)) lines.push(...previewOf(operation));
  }
  const wanted = change.flatMap(netOperationsOf);
  const net = await prepareNet(session, wanted, signal);
  const held: Held[] = [];
  const wipe = (): void => {
    for (const { credentials } of held.splice(0)) credentials[Symbol.dispose]();
  };
  try {
    for (const operation of change) {
      if (operation.kind !== "ipsec.putTunnel") continue;
      const { tunnel: spec } = operation;
      held.push({ spec, credentials: await fetchCredentials(spec, keys, charon.clock.wall()) });
    }
  } catch (error) {
    wipe();
    throw error;
  }
  const late = new AbortController();
  void charon.clock.sleep(keepMs, late.signal).then(wipe, () => undefined);
  const act = new TunnelAct(parts, change, net);
  return {
    token: net.token,
    preview: [...lines, net.preview].filter((line) => line !== "").join("\n"),
    async apply(within, bounded) {
      try {
        await act.apply(held, within, bounded);
      } finally {
        late.abort();
        wipe();
      }
    },
    confirm: (bounded) => act.confirm(bounded),
    rollback: (bounded) => act.rollback(bounded),
  };
}

/** Returns undefined if charon does not answer now; the apply finds out. */
async function observeIfPresent(
  charon: Charon,
  signal: AbortSignal,
): Promise<CharonObservation | undefined> {
  try {
    return await observeInTime(charon, signal);
  } catch (error) {
    if (!(error instanceof LinksealError) || signal.aborted) throw error;
    return undefined;
  }
}

function netOperationsOf(operation: TunnelChange): readonly TunnelOperation[] {
  switch (operation.kind) {
    case "ipsec.block":
      return operationsOfBlock(operation.blocks);
    case "ipsec.putTunnel":
      return operationsAround(operation.tunnel);
    case "ipsec.removeTunnel":
      return [{ kind: "ipsec.drop", name: operation.name }];
    case "ipsec.rekey":
      return [];
  }
}

function previewOf(operation: TunnelChange): readonly string[] {
  switch (operation.kind) {
    case "ipsec.block":
      // The preview of linkseal-net lists the block policies.
      return [];
    case "ipsec.putTunnel": {
      const { name, localAddress, remoteAddress, ike, transforms, life, auth } = operation.tunnel;
      const words = [ike.encryption, ike.prf, ike.dhGroup].join("/");
      const esp = [transforms.encryption, transforms.integrity, transforms.dhGroup].join("/");
      return [
        `+ IKEv2 ${name} ${localAddress} to ${remoteAddress}, ${words} [secret ${auth.kind}]`,
        `+ ESP ${esp}, ${life.seconds} s or ${life.kilobytes} kB`,
      ];
    }
    case "ipsec.removeTunnel":
      return [`- IKEv2 ${operation.name}`];
    case "ipsec.rekey":
      return [`! ${operation.what} rekey of ${operation.name}`];
  }
}

interface Spi {
  readonly spi: number;
}

class TunnelAct {
  readonly #parts: IpsecParts;
  readonly #change: readonly TunnelChange[];
  readonly #net: Transaction;
  /** Tunnels that charon did not know before, and that had no SA. */
  readonly #fresh = new Set<string>();
  readonly #stale = new Map<TunnelSpec, readonly Spi[]>();

  constructor(parts: IpsecParts, change: readonly TunnelChange[], net: Transaction) {
    this.#parts = parts;
    this.#change = change;
    this.#net = net;
  }

  async apply(held: readonly Held[], within: number | "final", signal: AbortSignal): Promise<void> {
    await this.#refuseAbsent(signal);
    await this.#net.apply(within, signal);
    try {
      for (const operation of this.#change) await this.#carry(operation, held, within, signal);
      if (within === "final") await this.#endStale(signal);
    } catch (error) {
      // A change that fails halfway is rolled back here, because the caller may not do it.
      if (within === "final" || signal.aborted || !(error instanceof LinksealError)) throw error;
      await this.rollback(signal);
      const { code, message, where, next } = error;
      throw new LinksealError(code, message, { effect: "none", where, next, cause: error });
    }
  }

  /** A rekey of a tunnel that does not exist must not look done. */
  async #refuseAbsent(signal: AbortSignal): Promise<void> {
    const rekeyed = this.#change.flatMap((operation) =>
      operation.kind === "ipsec.rekey" ? operation.name : [],
    );
    if (rekeyed.length === 0) return;
    const { sas } = await this.#charon(signal, (client) => observeCharon(client, signal));
    const absent = rekeyed.find((name) => !sas.some((sa) => sa.name === name));
    if (absent === undefined) return;
    throw rejected(`there is no tunnel ${absent} that could be rekeyed`, absent);
  }

  async #carry(
    operation: TunnelChange,
    held: readonly Held[],
    within: number | "final",
    signal: AbortSignal,
  ): Promise<void> {
    switch (operation.kind) {
      case "ipsec.block":
        return;
      case "ipsec.putTunnel":
        await this.#put(operation.tunnel, held, signal);
        return;
      case "ipsec.removeTunnel":
        // Before the change is confirmed, the tunnel's SAs are all that could bring it back.
        if (within === "final") await this.#forget(operation.name, signal);
        return;
      case "ipsec.rekey":
        await this.#charon(signal, (client) =>
          rekey(this.#parts.charon, client, operation.name, operation.what, signal),
        );
    }
  }

  async #put(spec: TunnelSpec, held: readonly Held[], signal: AbortSignal): Promise<void> {
    const credentials = held.find((one) => one.spec === spec)?.credentials;
    await this.#charon(signal, async (client) => {
      const before = await observeCharon(client, signal);
      if (!before.connections.has(spec.name) && !isUp(spec, before)) this.#fresh.add(spec.name);
      if (stands(spec, before)) {
        await endOlder(client, spec, before, signal);
        // Charon does not report which version of the secret it has, and loading the same one twice
        // has no effect.
        if (credentials === undefined) return;
        if (credentials.certificates === undefined) {
          return await loadSecret(client, spec, loadPsk(spec, credentials.secret), signal);
        }
        return await renew(this.#parts.charon, client, spec, credentials, signal);
      }
      if (isUnloaded(spec, before) && credentials !== undefined) {
        // Its SAs are as wanted: only what would make their successors is missing.
        return await load(client, spec, credentials, signal);
      }
      if (credentials === undefined) {
        // A second apply: the work of the first one is there, or has failed in a way that a key
        // does not mend.
        throw rejected("its key is no longer kept; prepare it again", spec.name);
      }
      // The SAs that carry traffic go on until the new ones do, or as long as the gateway refuses
      // those.
      const make = isUp(spec, before) ? renew : bringUp;
      await make(this.#parts.charon, client, spec, credentials, signal);
    });
    this.#stale.set(spec, await this.#staleSas(spec, signal));
  }

  /**
   * Finds what a charon that died left in the kernel: SAs that no IKE SA owns and nothing rekeys.
   * The kernel is asked first, because charon knows by its later answer all SAs that the kernel has
   * by then.
   */
  async #staleSas({ name }: TunnelSpec, signal: AbortSignal): Promise<readonly Spi[]> {
    const { ipsec } = await this.#parts.session.observe(signal);
    const { sas } = await this.#charon(signal, (client) => observeCharon(client, signal));
    const children = sas.flatMap((sa) => sa.children);
    const owned = new Set(children.flatMap(({ spiIn, spiOut }) => [spiIn, spiOut]));
    // While no IKE SA is up, the stale SAs are all that carries the traffic.
    if (!sas.some((sa) => sa.name === name && sa.children.length > 0)) return [];
    const tunnel = ipsec.find((one) => one.name === name);
    const there = tunnel?.sas.kind === "known" ? tunnel.sas.value : [];
    return there.flatMap(({ spi }) => (owned.has(spi) ? [] : [{ spi }]));
  }

  async confirm(signal: AbortSignal): Promise<void> {
    await this.#net.confirm(signal);
    for (const operation of this.#change) {
      if (operation.kind === "ipsec.removeTunnel") await this.#forget(operation.name, signal);
    }
    await this.#endStale(signal);
  }

  /**
   * Ends only SAs that had no owner in two observations, because an observation may fall into the
   * middle of a rekey.
   */
  async #endStale(signal: AbortSignal): Promise<void> {
    const parts: TunnelOperation[] = [];
    for (const [spec, before] of this.#stale) {
      if (before.length === 0) continue;
      const now = await this.#staleSas(spec, signal);
      const sas = before.filter(({ spi }) => now.some((one) => one.spi === spi));
      parts.push({ kind: "ipsec.sweep", name: spec.name, ifId: spec.ifId, sas });
    }
    this.#stale.clear();
    if (parts.length === 0) return;
    const { session } = this.#parts;
    const net = await prepareNet(session, parts, signal);
    await net.apply("final", signal);
  }

  async rollback(signal: AbortSignal): Promise<void> {
    // The connection goes before the interface; otherwise it would come back without one.
    for (const name of this.#fresh) await this.#forget(name, signal);
    await this.#net.rollback(signal);
  }

  async #forget(name: string, signal: AbortSignal): Promise<void> {
    await this.#charon(signal, (client) => forget(client, name, signal));
  }

  #charon<T>(signal: AbortSignal, use: Parameters<typeof withCharon<T>>[2]): Promise<T> {
    return withCharon(this.#parts.charon, signal, use);
  }
}

function rejected(text: string, where: string): LinksealError {
  return new LinksealError("device.rejected", `${text}; nothing was changed`, {
    effect: "none",
    where,
    next: "linkseal tunnels",
  });
}
