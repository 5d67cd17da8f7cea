// The IPsec driver of this host: merges what charon and the kernel report of one tunnel, and
// carries out changes that begin with the block around the tunnel and end with a proof.

import { withDeadline } from "#hal/deadline.ts";
import {
  type Capabilities,
  type KeyResolver,
  type PrefixBlock,
  rekeyWhats,
  type Transaction,
} from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import {
  type DeviceState,
  type IkeState,
  type IpsecSa,
  type IpsecTunnel,
  known,
  unknown,
} from "#hal/model.ts";
import { authSecrets } from "#hal/tunnel-auth.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import type { Instant, World } from "#hal/world.ts";
import type { LocalSession } from "../../local/device.ts";
import type { TunnelOperation } from "../net/tunnel-operation.ts";
import { causeTexts } from "./causes.ts";
import {
  type Charon,
  type CharonObservation,
  observeCharon,
  stands,
  withCharon,
} from "./charon.ts";
import { CharonMonitor } from "./charon-monitor.ts";
import { fetchCredentials } from "./credentials.ts";
import { identitiesOf, loadConnection } from "./messages.ts";
import { blocksOf, operationOfLink, operationsOfBlock, prepareNet } from "./net-change.ts";
import type { IkeSa } from "./parsers.ts";
import { type Held, type IpsecParts, TunnelAct, type TunnelChange } from "./tunnel-act.ts";

/** The capabilities of the driver for tunnels. */
export const ipsecOffer: NonNullable<Capabilities["ipsec"]> = {
  keying: ["ike"],
  authentication: ["psk", "certificate"],
  atomicReplace: false,
  rekeys: rekeyWhats,
  blocks: true,
  parallel: true,
};

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

/**
 * Well inside the longest observation: a daemon that hangs must not hide what the kernel reports.
 */
const observeMsMax = 6_000;
/** Lines of the log that are read late, and together, do not make silence shorter than this. */
const shortestMs = 2_000;
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
    const now = charon.clock.now();
    const ipsec = state.ipsec.map((tunnel) => joined(tunnel, observation, state, monitor, now));
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
  now: Instant,
): IpsecTunnel {
  const own = observation.sas.filter(({ name }) => name === tunnel.name);
  const ike = ikeOf(own, observation.connections.has(tunnel.name));
  const carrying = own.filter(carries);
  const isSilent = carrying.length > 0 && carrying.every((sa) => isDeaf(sa, monitor, now));
  const trouble = troubleOf(tunnel.name, own, isSilent, monitor, now);
  const established = own.filter(({ state }) => state === "established");
  // The newest IKE SA counts: charon lists an older one that ends beside it.
  const nat = established.at(-1)?.nat;
  const { sas } = tunnel;
  return {
    ...tunnel,
    ike: known(ike, at),
    ...(trouble === undefined ? {} : { trouble }),
    ...(isSilent ? { isSilent } : {}),
    ...(established.length === 0 ? {} : { ppk: ppkOf(established) }),
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

function carries({ state, children }: IkeSa): boolean {
  return state === "established" && children.some(({ phase }) => phase === "installed");
}

/** Returns true if the gateway answers no request under the IKE SA, and no packet came since. */
function isDeaf({ id, children }: IkeSa, monitor: CharonMonitor, now: Instant): boolean {
  const since = monitor.silentSince(id, now);
  if (since === undefined) return false;
  const elapsedMs = Math.max(now - since, shortestMs);
  // charon counts whole seconds.
  const isSince = ({ quietMs }: IkeSa["children"][number]): boolean =>
    quietMs !== undefined && quietMs + 1_000 <= elapsedMs;
  return !children.some(isSince);
}

function troubleOf(
  name: string,
  own: readonly IkeSa[],
  isSilent: boolean,
  monitor: CharonMonitor,
  now: Instant,
): string | undefined {
  const isCarrying = own.some(carries);
  // An IKE SA that ends may wait for an answer while the gateway refuses the next one.
  const tries = own.filter(({ state }) => state !== "down");
  const isUnanswered = tries.some(({ id }) => monitor.silentSince(id, now) !== undefined);
  if (isSilent) return causeTexts.peerSilent;
  if (!isCarrying && isUnanswered) return monitor.silenceText(name);
  const trouble = monitor.trouble(name);
  // While the tunnel carries, silence and a busy gateway may pass before they do harm.
  return trouble?.isRefusal === true || !isCarrying ? trouble?.text : undefined;
}

/** One SA without a PPK is enough: it may be the one whose keys the child SAs are made of. */
function ppkOf(established: CharonObservation["sas"]): "used" | "unused" {
  return established.every(({ ppk }) => ppk === "used") ? "used" : "unused";
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
  const block = change.flatMap(blocksIn);
  const guard =
    block.length === 0 ? undefined : await prepareNet(session, operationsOfBlock(block), signal);
  const net = await prepareNet(session, change.flatMap(netOperationsOf), signal);
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
  const act = new TunnelAct(parts, change, { guard, net });
  const previews = [guard?.preview ?? "", ...lines, net.preview];
  return {
    token: net.token,
    preview: previews.filter((line) => line !== "").join("\n"),
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

/** Returns the prefixes that this operation keeps from leaving outside of tunnels. */
function blocksIn(operation: TunnelChange): readonly PrefixBlock[] {
  switch (operation.kind) {
    case "ipsec.block":
      return operation.blocks;
    case "ipsec.putTunnel":
      return blocksOf(operation.tunnel);
    case "ipsec.removeTunnel":
    case "ipsec.rekey":
      return [];
  }
}

function netOperationsOf(operation: TunnelChange): readonly TunnelOperation[] {
  switch (operation.kind) {
    case "ipsec.putTunnel":
      return [operationOfLink(operation.tunnel)];
    case "ipsec.removeTunnel":
      return [{ kind: "ipsec.drop", name: operation.name }];
    case "ipsec.block":
    case "ipsec.rekey":
      return [];
  }
}

/**
 * Returns the requests of a change to linkseal-net and charon in the order in which they are made,
 * with the labels of secrets.
 * @throws LinksealError `device.rejected` for a tunnel that cannot be rendered
 */
export function tunnelRequests(change: readonly TunnelChange[]): readonly string[] {
  const blocks = change.flatMap(blocksIn);
  const toNet = (operations: readonly TunnelOperation[]): readonly string[] =>
    operations.map((operation) => `linkseal-net ${encodeJson(operation)}`);
  return [
    ...toNet(blocks.length === 0 ? [] : operationsOfBlock(blocks)),
    ...change.flatMap(charonRequests),
    ...toNet(change.flatMap(netOperationsOf)),
    // Until the change is confirmed, the SAs are all that could bring a removed tunnel back.
    ...change.flatMap(removalRequests),
  ];
}

function charonRequests(operation: TunnelChange): readonly string[] {
  switch (operation.kind) {
    case "ipsec.block":
    case "ipsec.removeTunnel":
      return [];
    case "ipsec.putTunnel": {
      const { name, auth, ikeVersion } = operation.tunnel;
      const proof = ikeVersion === undefined ? ", then rekey its child" : "";
      return [
        ...authSecrets(auth).map(({ kind }) => `charon load [secret ${kind}]`),
        `charon load-conn ${encodeJson(loadConnection(operation.tunnel))}`,
        `charon initiate ${name}${proof}, unless it is up with these settings`,
      ];
    }
    case "ipsec.rekey":
      return [`charon rekey ${operation.name} (${operation.what})`];
  }
}

function removalRequests(operation: TunnelChange): readonly string[] {
  if (operation.kind !== "ipsec.removeTunnel") return [];
  return [`charon unload-conn ${operation.name}`, `charon terminate ${operation.name}`];
}

function previewOf(operation: TunnelChange): readonly string[] {
  switch (operation.kind) {
    case "ipsec.block":
      // The preview of linkseal-net lists the block policies.
      return [];
    case "ipsec.putTunnel": {
      const { name, localAddress, remoteAddress, ike, transforms, life, auth } = operation.tunnel;
      const { ikeVersion = "v2" } = operation.tunnel;
      const ends = `${localAddress} to ${remoteAddress}`;
      const words = [ike.encryption, ike.prf, ike.dhGroup].join("/");
      const esp = [transforms.encryption, transforms.integrity, transforms.dhGroup].join("/");
      const secrets = auth.ppk === undefined ? auth.kind : `${auth.kind}, ppk ${auth.ppk.id}`;
      return [
        `+ IKE${ikeVersion} ${name} ${ends}, ${words} [secret ${secrets}]`,
        ...identityLines(operation.tunnel),
        `+ ESP ${esp}, ${life.seconds} s or ${life.kilobytes} kB`,
      ];
    }
    case "ipsec.removeTunnel":
      return [`- IKE ${operation.name}`];
    case "ipsec.rekey":
      return [`! ${operation.what} rekey of ${operation.name}`];
  }
}

function identityLines(spec: TunnelSpec): readonly string[] {
  if (spec.localId === undefined && spec.remoteId === undefined) return [];
  const { ours, theirs } = identitiesOf(spec);
  return [`+ identities ${ours} to ${theirs}`];
}
