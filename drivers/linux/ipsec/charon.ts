// Commands to charon: one client connection for each, bounded by its signal. The state of charon is
// read before a command, so that a repeated request has no further effect.

import type { RekeyWhat } from "#hal/device.ts";
import type { Transforms } from "#hal/model.ts";
import type { IkeTransforms, TunnelSpec } from "#hal/tunnel-spec.ts";
import type { Clock, Dialer } from "#hal/world.ts";
import { ViciClient } from "../../transport/vici.ts";
import type { ViciMessage } from "../../transport/vici-wire.ts";
import { causeIn, type Stage } from "./causes.ts";
import { CharonLog, failed, rejected, sendCommand, unanswered } from "./charon-log.ts";
import { type Credentials, loadTunnel } from "./credentials.ts";
import { childName, ppkSecretId, pskId } from "./messages.ts";
import { type IkeSa, readConnections, readIkeSas, readKeyIds, usesPrivateKey } from "./parsers.ts";

export interface Charon {
  /** The path of its VICI socket. */
  readonly path: string;
  readonly stream: Dialer["stream"];
  readonly clock: Clock;
}

export interface CharonObservation {
  readonly sas: readonly IkeSa[];
  /** The connections that charon has, with the names of their children. */
  readonly connections: ReadonlyMap<string, readonly string[]>;
}

/** Shorter than the longest wait for an effect, with room for the proof. */
const initiateMs = 25_000;
const proofMs = 20_000;
/** By then an exchange that charon was asked for has begun, if it begins at all. */
const begunMs = 3_000;
const pollMs = 200;
const leaveMs = 1_000;

/**
 * Opens a VICI client, passes it to `use` and closes it.
 * @throws LinksealError `transport.unreachable` if charon does not listen
 */
export async function withCharon<T>(
  charon: Charon,
  signal: AbortSignal,
  use: (client: ViciClient) => Promise<T>,
): Promise<T> {
  const client = new ViciClient(await charon.stream(charon.path, signal));
  try {
    return await use(client);
  } finally {
    await leaveCharon(charon, client);
  }
}

/**
 * Closes a client politely, within a second: a charon that hangs by now must not hold up the result
 * of an operation that is over.
 */
export async function leaveCharon(
  { clock }: Pick<Charon, "clock">,
  client: ViciClient,
): Promise<void> {
  const limit = new AbortController();
  const stop = clock.alarm(leaveMs, () => limit.abort());
  await client.leave(limit.signal).finally(stop);
}

/** Reads the connections and SAs of one tunnel, or of all if none is named. */
export async function observeCharon(
  client: ViciClient,
  signal: AbortSignal,
  tunnel?: string,
): Promise<CharonObservation> {
  const asked = tunnel === undefined ? {} : { ike: tunnel };
  const connections = new Map(
    (await client.list("list-conns", "list-conn", asked, signal)).flatMap(readConnections),
  );
  const sas = await listSas(client, asked, signal);
  const isUp = (name: string): boolean =>
    sas.some((sa) => sa.name === name && sa.state === "established");
  if ([...connections.keys()].every(isUp)) return { sas, connections };
  // Charon lists one SA after the other while it works: at the end of a rekey the list may contain
  // the old IKE SA alone, on its way out, and not the new one that carries the traffic.
  return { sas: await listSas(client, asked, signal), connections };
}

/**
 * Lists the SAs without the key `noblock`: if that is present, whatever its value, charon leaves
 * out each IKE SA that it is working on (strongSwan, vici README, list-sas).
 */
async function listSas(
  client: ViciClient,
  asked: ViciMessage,
  signal: AbortSignal,
): Promise<readonly IkeSa[]> {
  return (await client.list("list-sas", "list-sa", asked, signal)).flatMap(readIkeSas);
}

/**
 * Returns true if the tunnel is up under exactly these algorithms and charon knows its connection,
 * so that nothing is left to do.
 */
export function stands(spec: TunnelSpec, observation: CharonObservation): boolean {
  const children = observation.connections.get(spec.name);
  return children?.includes(childName(spec)) === true && hasSas(spec, observation);
}

/**
 * Returns true if the tunnel is up under exactly these algorithms and charon does not know its
 * connection any more, as after an unload by others: its SAs go on, and nothing follows them.
 */
export function isUnloaded(spec: TunnelSpec, observation: CharonObservation): boolean {
  return !observation.connections.has(spec.name) && hasSas(spec, observation);
}

function hasSas(spec: TunnelSpec, { sas }: CharonObservation): boolean {
  return sas.some(
    ({ name, state, transforms, children }) =>
      name === spec.name &&
      state === "established" &&
      sameIke(transforms, spec.ike) &&
      children.some((child) => isOf(spec, child) && sameEsp(child.transforms, spec)),
  );
}

/** Returns true if the child is installed and was made under this very connection. */
function isOf(spec: TunnelSpec, { name, phase }: IkeSa["children"][number]): boolean {
  return phase === "installed" && name === childName(spec);
}

/** Returns true if the tunnel carries traffic now, under any connection. */
export function isUp(spec: TunnelSpec, { sas }: CharonObservation): boolean {
  return sas.some(
    ({ name, state, children }) =>
      name === spec.name &&
      state === "established" &&
      children.some(({ phase }) => phase === "installed"),
  );
}

function sameIke(is: IkeTransforms, want: IkeTransforms): boolean {
  return sameCipher(is, want) && is.prf === want.prf && is.dhGroup === want.dhGroup;
}

function sameCipher(is: Transforms, want: Transforms): boolean {
  return is.encryption === want.encryption && is.integrity === want.integrity;
}

// The first child takes its keys from IKE, without a group of its own (RFC 7296, 1.2).
function sameEsp(is: Transforms, { transforms: want }: TunnelSpec): boolean {
  return sameCipher(is, want) && (is.dhGroup === want.dhGroup || is.dhGroup === "none");
}

/** Loads a secret for later authentications; existing SAs are not affected. */
export async function loadSecret(
  client: ViciClient,
  { name }: TunnelSpec,
  message: ViciMessage,
  signal: AbortSignal,
): Promise<void> {
  await sendCommand(client, "load-shared", message, { where: name, effect: "none" }, signal);
}

/**
 * Loads the new settings of a tunnel that is up and makes new SAs beside the existing ones, which
 * end afterwards: an SA keeps the connection that it was made for.
 * @throws LinksealError `device.rejected` with the cause if the gateway refuses; the old SAs remain
 * then, and the new ones end
 */
export async function renew(
  charon: Charon,
  client: ViciClient,
  spec: TunnelSpec,
  credentials: Credentials,
  signal: AbortSignal,
): Promise<void> {
  const { name } = spec;
  const log = await CharonLog.open(client, { where: name, effect: "applied" }, signal);
  const before = await observeCharon(client, signal, name);
  await load(client, spec, credentials, signal);
  const ids = new Set(idsOf(name, before));
  await initiate(client, spec, signal);
  const isBegun = async (): Promise<boolean> =>
    idsOf(name, await observeCharon(client, signal, name)).some((id) => !ids.has(id));
  // If nothing new was loaded, there is nothing to do: charon keeps the SAs that it has.
  const isSame = stands(spec, before);
  if (isSame && !(await waited(charon, begunMs, log, "initiate", isBegun, signal))) return;
  const old = new Set(childrenOf(name, before).map(({ id }) => id));
  const isNew = (child: IkeSa["children"][number]): boolean =>
    isOf(spec, child) && !old.has(child.id);
  const isMade = async (): Promise<boolean> =>
    childrenOf(name, await observeCharon(client, signal, name)).some(isNew);
  if (!(await waited(charon, initiateMs, log, "initiate", isMade, signal))) {
    throw unanswered(log, "initiate", "applied");
  }
  // If only a certificate changed, the group for rekeying has been proven already.
  if (!isSame) await prove(charon, client, spec, (child) => old.has(child.id), log, signal);
  await endOthers(client, name, (child) => isOf(spec, child) && !old.has(child.id), signal);
}

/**
 * Rekeys the new child before the old ones end: only that proves its group.
 * @throws LinksealError `device.rejected` with the cause if the ends do not share the group; the
 * old SAs remain then, and the new ones end
 */
async function prove(
  charon: Charon,
  client: ViciClient,
  spec: TunnelSpec,
  isOld: (child: IkeSa["children"][number]) => boolean,
  log: CharonLog,
  signal: AbortSignal,
): Promise<void> {
  if (!needsProof(spec)) return;
  try {
    await rekeyed(charon, client, "child", log, signal, childName(spec));
  } catch (error) {
    await endOthers(client, spec.name, isOld, signal);
    throw error;
  }
}

/**
 * Loads the connection and its credentials; existing SAs are not affected. A refusal of the first
 * command leaves charon as it was.
 */
export async function load(
  client: ViciClient,
  spec: TunnelSpec,
  credentials: Credentials,
  signal: AbortSignal,
): Promise<void> {
  for (const [count, [command, message]] of loadTunnel(spec, credentials).entries()) {
    const effect = count === 0 ? "none" : "applied";
    await sendCommand(client, command, message, { where: spec.name, effect }, signal);
  }
}

async function initiate(client: ViciClient, spec: TunnelSpec, signal: AbortSignal): Promise<void> {
  // The command does not wait for the result: charon tries again by itself, and its log shows
  // sooner why a try failed.
  const ask = { child: childName(spec), ike: spec.name, timeout: "-1" };
  await sendCommand(client, "initiate", ask, { where: spec.name, effect: "applied" }, signal);
}

function childrenOf(tunnel: string, { sas }: CharonObservation): IkeSa["children"] {
  const own = sas.filter(({ name, state }) => name === tunnel && state === "established");
  return own.flatMap(({ children }) => children);
}

/** Ends each IKE SA that has no child to keep, and the other children of the remaining IKE SAs. */
async function endOthers(
  client: ViciClient,
  tunnel: string,
  isMeant: (child: IkeSa["children"][number]) => boolean,
  signal: AbortSignal,
): Promise<void> {
  const { sas } = await observeCharon(client, signal, tunnel);
  const own = sas.filter(({ name }) => name === tunnel);
  for (const { id, children } of own) {
    // A child that was rekeyed receives late packets for a while, and ends by itself.
    const others = children.filter(
      (child) => !isMeant(child) && (child.phase === "installed" || child.phase === "rekeying"),
    );
    const ends = children.some(isMeant)
      ? others.map((child) => ({ "child-id": child.id }))
      : [{ "ike-id": id }];
    for (const end of ends) {
      const message = { ...end, force: "yes", timeout: "2000" };
      await client.ask("terminate", message, "unknown", signal);
    }
  }
}

/**
 * Ends the SAs that an older connection of an established tunnel left, once a newer one replaced
 * it. The predecessor may have been killed before its proof.
 * @throws LinksealError as `prove` describes
 */
export async function endOlder(
  charon: Charon,
  client: ViciClient,
  spec: TunnelSpec,
  observation: CharonObservation,
  signal: AbortSignal,
): Promise<void> {
  const { name, transforms } = spec;
  const isOld = (child: IkeSa["children"][number]): boolean => child.name !== childName(spec);
  const children = childrenOf(name, observation).filter(({ phase }) => phase === "installed");
  if (!children.some(isOld)) return;
  const isProven = children.some(
    (child) => !isOld(child) && child.transforms.dhGroup === transforms.dhGroup,
  );
  if (!isProven) {
    const log = await CharonLog.open(client, { where: name, effect: "applied" }, signal);
    await prove(charon, client, spec, isOld, log, signal);
  }
  await endOthers(client, name, (child) => !isOld(child), signal);
}

/** Returns the ids of its IKE SAs, in any state. */
function idsOf(name: string, { sas }: CharonObservation): readonly string[] {
  return sas.filter((sa) => sa.name === name).map(({ id }) => id);
}

/**
 * Loads the connection and brings it up. A silent gateway is not a failure: charon tries it again
 * with the next packet.
 * @throws LinksealError `device.rejected` with the cause if the two ends disagree
 */
export async function bringUp(
  charon: Charon,
  client: ViciClient,
  spec: TunnelSpec,
  credentials: Credentials,
  signal: AbortSignal,
): Promise<void> {
  const { name } = spec;
  const log = await CharonLog.open(client, { where: name, effect: "applied" }, signal);
  await load(client, spec, credentials, signal);
  const observation = await observeCharon(client, signal, name);
  if (!stands(spec, observation)) {
    // An SA under other algorithms keeps them as long as it is rekeyed.
    const isHeld = observation.sas.some((sa) => sa.name === name && sa.state === "established");
    if (isHeld) await end(client, name, signal);
    await initiate(client, spec, signal);
    const isThere = async (): Promise<boolean> =>
      isUp(spec, await observeCharon(client, signal, name));
    if (!(await waited(charon, initiateMs, log, "initiate", isThere, signal))) return;
  }
  if (needsProof(spec)) await rekeyed(charon, client, "child", log, signal);
}

/**
 * In IKEv2 a group that the ends do not share shows only when they rekey (RFC 7296, 1.3.3); IKEv1
 * uses it in the first quick mode already (RFC 2409, 5.5).
 */
function needsProof({ ikeVersion }: TunnelSpec): boolean {
  return ikeVersion === undefined;
}

/**
 * Returns whether it happened in time; throws as soon as the log shows what the ends disagree on.
 */
async function waited(
  { clock }: Charon,
  ms: number,
  log: CharonLog,
  stage: Stage,
  isDone: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<boolean> {
  for (let over = 0; over < ms; over += pollMs) {
    if (await isDone()) return true;
    const cause = causeIn(log.lines, stage);
    if (cause === "peerSilent") return false;
    if (cause !== undefined && cause !== "gatewayBusy") throw failed(log, cause);
    await clock.sleep(pollMs, signal);
  }
  return false;
}

/**
 * Ends the SAs of a tunnel and unloads its connection and keys; what is missing is not a failure.
 */
export async function forget(client: ViciClient, name: string, signal: AbortSignal): Promise<void> {
  // The connection alone shows a successor that there may be a private key, so keys go before it.
  await forgetKeys(client, name, signal);
  // It goes before the SAs; otherwise a packet would bring them back.
  await client.ask("unload-conn", { name }, "unknown", signal);
  for (const id of [pskId(name), ppkSecretId(name)]) {
    await client.ask("unload-shared", { id }, "unknown", signal);
  }
  const { sas } = await observeCharon(client, signal, name);
  if (sas.some((sa) => sa.name === name)) await end(client, name, signal);
}

/**
 * Charon does not report which connection a private key is for, so all keys are unloaded if this
 * connection is the only one that could use one. SAs that stand need none.
 */
async function forgetKeys(client: ViciClient, name: string, signal: AbortSignal): Promise<void> {
  const events = await client.list("list-conns", "list-conn", {}, signal);
  const users = events.filter(usesPrivateKey).flatMap(readConnections);
  if (users.length === 0 || users.some(([user]) => user !== name)) return;
  for (const id of readKeyIds(await client.ask("get-keys", {}, "unknown", signal))) {
    await client.ask("unload-key", { id }, "unknown", signal);
  }
}

async function end(client: ViciClient, name: string, signal: AbortSignal): Promise<void> {
  await client.ask("terminate", { ike: name, force: "yes", timeout: "2000" }, "unknown", signal);
}

/**
 * Rekeys and resolves once the new SAs carry the traffic. A rekey of the child leaves one pair of
 * SAs: charon keeps each duplicate and rekeys it on its own. The others end after the rekey: a
 * gateway such as libreswan lets its policy go with the SA that was made last, never with an older
 * one.
 * @throws LinksealError `device.rejected` with the cause: with effect "none" if the gateway refused
 * and the old SAs remain, with "unknown" if it did not answer in time
 */
export async function rekey(
  charon: Charon,
  client: ViciClient,
  name: string,
  what: RekeyWhat,
  signal: AbortSignal,
): Promise<void> {
  const log = await CharonLog.open(client, { where: name, effect: "none" }, signal);
  const before = carrying(name, await observeCharon(client, signal, name));
  await rekeyed(charon, client, what, log, signal);
  if (what !== "child" || before.length < 2) return;
  const old = new Set(before.map(({ id }) => id));
  await endOthers(client, name, ({ id }) => !old.has(id), signal);
}

async function rekeyed(
  charon: Charon,
  client: ViciClient,
  what: RekeyWhat,
  log: CharonLog,
  signal: AbortSignal,
  only?: string,
): Promise<void> {
  const { where: name, effect } = log.at;
  const observation = await observeCharon(client, signal, name);
  const before = idsInUse(name, what, observation);
  const isMeant = (child: IkeSa["children"][number]): boolean =>
    only === undefined || child.name === only;
  const newest = carrying(name, observation).find(isMeant);
  const child = newest === undefined ? undefined : { "child-id": newest.id };
  const message = what === "child" ? child : { ike: name, ...reauthOf(what) };
  if (before.size === 0 || message === undefined) {
    throw rejected(log.at, "there is no SA of it that could be rekeyed");
  }
  await sendCommand(client, "rekey", message, log.at, signal);
  const isNew = async (): Promise<boolean> => {
    const now = idsInUse(name, what, await observeCharon(client, signal, name));
    return [...now].some((id) => !before.has(id));
  };
  const done = await waited(charon, proofMs, log, stageOf(what), isNew, signal);
  // charon tries on, and the gateway may still answer.
  const late = effect === "none" ? "unknown" : effect;
  if (!done) throw unanswered(log, stageOf(what), late);
}

function reauthOf(what: RekeyWhat): { readonly reauth?: string } {
  return what === "reauthenticate" ? { reauth: "yes" } : {};
}

function stageOf(what: RekeyWhat): Stage {
  return what === "child" ? "rekey" : "initiate";
}

/** Returns the ids of the SAs that carry traffic, which a rekey replaces. */
function idsInUse(
  name: string,
  what: RekeyWhat,
  observation: CharonObservation,
): ReadonlySet<string> {
  if (what === "child") {
    return new Set(carrying(name, observation).map(({ spiIn }) => String(spiIn)));
  }
  const { sas } = observation;
  const own = sas.filter((sa) => sa.name === name && sa.state === "established");
  return new Set(own.map(({ id }) => id));
}

/** Returns the children of a tunnel that carry traffic, the newest first. */
function carrying(name: string, observation: CharonObservation): IkeSa["children"] {
  return childrenOf(name, observation)
    .filter(({ phase }) => phase === "installed" || phase === "rekeying")
    .toSorted((one, other) => Number(other.id) - Number(one.id));
}
