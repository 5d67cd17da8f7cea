// The protocol of a simulated site: clock, devices, far ends and vault as JSON over HTTP.
//
// GET  /clock                          {now, wall, speed, leash?}; speed is "max" when unpaced;
//                                      time stops `leash` ms after each such request
// GET  /devices/NAME                   {capabilities}
// POST /devices/NAME/observe           a DeviceState
// POST /devices/NAME/prepare           {change, keys: {SECRET_ID: HEX}} gives {token, preview}
// POST /devices/NAME/transactions/TOKEN/apply      {within: ms or "final"} gives {}
// POST /devices/NAME/transactions/TOKEN/confirm    gives {}; likewise rollback
// POST /devices/NAME/recall            {token} gives {kind: "pending", preview}, or another kind
// POST /devices/NAME/probe             {port, count} gives {sent, answered}
// POST /devices/NAME/route             {address} gives {port}, or {} if it is not known
// POST /peers/observe                  {port, link} gives a PeerState
// POST /peers/put                      {port, link, want} gives {operation}; `want.over` lists the
//                                      keys that it may replace, null for MACsec off
// GET  /vault/secrets/NAME/versions    {versions}
// GET  /vault/secrets/NAME/VERSION     the value as text
// POST /vault/secrets/NAME/VERSION     {tags, enabled?} gives {id}
//
// Values are written by hal/json.ts. A status other than 200 comes with {code, effect, where, text,
// next}.

import type { Device, KeyResolver, PeerWant, Transaction, TransactionToken } from "#hal/device.ts";
import { type ErrorCode, LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import { Secret } from "#hal/secret.ts";
import type { SimClock } from "../base/clock.ts";
import type { AzureLink, Msee } from "./msee.ts";
import {
  BadRequest,
  bodyOf,
  changeOf,
  choice,
  type Fields,
  materialOf,
  tagsOf,
  text,
  wantOf,
  whole,
} from "./request.ts";
import type { SimVault } from "./vault.ts";

export interface SiteBackend {
  readonly clock: SimClock;
  readonly vault: SimVault;
  device(name: string): Device | undefined;
  /** Returns the far end by the id of the expressRoutePort. */
  msee(port: string): Msee | undefined;
  /** Returns the virtual ms per real ms; Infinity when unpaced. */
  speed(): number;
}

interface SiteRequest {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

/** A reply of the protocol. */
export interface SiteReply {
  /** The HTTP status. */
  readonly status: number;
  /** The body: JSON, or the text of a secret. */
  readonly body: string;
}

/** Answers one request. An abort ends it as it ends the call that it makes. */
export type SiteHandler = (request: SiteRequest, signal: AbortSignal) => Promise<SiteReply>;

const vaultMs = 30;
const peerMs = 120;
/**
 * The number of remembered candidates; a commit pending on its device is found again by `recall`.
 */
const preparedMax = 256;

const statuses: Partial<Record<ErrorCode, number>> = {
  "vault.denied": 403,
  "device.locked": 409,
  "peer.rejected": 409,
  "peer.throttled": 429,
  "vault.unreachable": 503,
  "transport.unreachable": 503,
  "transport.timeout": 504,
  "transport.closed": 504,
};

/**
 * Returns the handler of the protocol. It rejects only with the signal's reason, or when the
 * simulator itself is broken.
 */
export function siteHandler(site: SiteBackend): SiteHandler {
  const prepared = new Map<string, Transaction>();
  return async ({ method, path, body }, signal) => {
    try {
      const [root, ...rest] = path.slice(1).split("/").map(decoded);
      const route = `${method} ${root}`;
      if (route === "GET vault") return { status: 200, body: await vault(site, rest, signal) };
      if (route === "POST vault") {
        return { status: 200, body: encodeJson(await mark(site, rest, bodyOf(body), signal)) };
      }
      const answer =
        route === "POST devices"
          ? deviceAnswer({ site, prepared, name: rest[0] ?? "", signal }, rest, bodyOf(body))
          : otherAnswer(site, route, rest, bodyOf(body), signal);
      return { status: 200, body: encodeJson(await answer) };
    } catch (error) {
      return refusal(error);
    }
  };
}

async function otherAnswer(
  site: SiteBackend,
  route: string,
  rest: readonly string[],
  body: Fields,
  signal: AbortSignal,
): Promise<unknown> {
  if (route === "GET clock" && rest.length === 0) {
    const speed = site.speed();
    const pace = Number.isFinite(speed) ? speed : "max";
    return { now: site.clock.now(), wall: site.clock.wall(), speed: pace };
  }
  if (route === "GET devices" && rest.length === 1) {
    return { capabilities: deviceOf(site, rest[0] ?? "").capabilities };
  }
  if (route === "POST peers" && rest.length === 1) {
    return await peer(site, rest[0] ?? "", body, signal);
  }
  throw new BadRequest("path");
}

interface RequestContext {
  readonly site: SiteBackend;
  readonly prepared: Map<string, Transaction>;
  readonly name: string;
  readonly signal: AbortSignal;
}

async function deviceAnswer(
  context: RequestContext,
  rest: readonly string[],
  body: Fields,
): Promise<unknown> {
  const { signal } = context;
  const device = deviceOf(context.site, context.name);
  const verb = rest[1] ?? "";
  if (rest.length === 4 && verb === "transactions") {
    return await transaction(context, device, rest[2] ?? "", rest[3] ?? "", body);
  }
  if (rest.length !== 2) throw new BadRequest("path");
  switch (verb) {
    case "observe":
      return await device.observe(signal);
    case "prepare":
      return await prepare(context, device, body);
    case "recall":
      return await recall(device, text(body, "token"), signal);
    case "probe":
      return await probe(device, body, signal);
    case "route": {
      const ports = await device.routesTo(text(body, "address"), signal);
      return { port: ports?.[0] };
    }
    default:
      throw new BadRequest("path");
  }
}

async function prepare(context: RequestContext, device: Device, body: Fields): Promise<unknown> {
  const material = materialOf(body);
  const keys: KeyResolver = async (ref) => {
    const id = ref.kind === "cak" ? ref.key.cakSecretId : ref.secretId;
    const bytes = material.get(id);
    if (bytes === undefined) throw new BadRequest("keys");
    return Secret.take(ref.kind, bytes.slice());
  };
  const { prepared } = context;
  const candidate = await device.prepare(changeOf(body), keys, context.signal);
  prepared.set(`${context.name} ${candidate.token}`, candidate);
  for (const oldest of prepared.keys()) {
    if (prepared.size <= preparedMax) break;
    prepared.delete(oldest);
  }
  return { token: candidate.token, preview: candidate.preview };
}

async function recall(device: Device, token: string, signal: AbortSignal): Promise<unknown> {
  const recalled = await device.recall(token as TransactionToken, signal);
  if (recalled.kind !== "pending") return recalled;
  return { kind: "pending", preview: recalled.transaction.preview };
}

async function transaction(
  context: RequestContext,
  device: Device,
  token: string,
  verb: string,
  body: Fields,
): Promise<unknown> {
  const found =
    context.prepared.get(`${context.name} ${token}`) ??
    (await pending(device, token, context.signal));
  switch (verb) {
    case "apply":
      await found.apply(
        body["within"] === "final" ? "final" : whole(body, "within"),
        context.signal,
      );
      return {};
    case "confirm":
      await found.confirm(context.signal);
      return {};
    case "rollback":
      await found.rollback(context.signal);
      return {};
    default:
      throw new BadRequest("path");
  }
}

async function pending(device: Device, token: string, signal: AbortSignal): Promise<Transaction> {
  const recalled = await device.recall(token as TransactionToken, signal);
  if (recalled.kind === "pending") return recalled.transaction;
  throw new LinksealError("device.commitExpired", "no such transaction is pending or prepared", {
    effect: "none",
    where: device.id,
    next: "linkseal status",
  });
}

async function probe(device: Device, body: Fields, signal: AbortSignal): Promise<unknown> {
  if (device.probe !== undefined) {
    return await device.probe(text(body, "port"), whole(body, "count"), signal);
  }
  throw new LinksealError("device.unsupported", "the device cannot send probes", {
    effect: "none",
    where: device.id,
    next: "linkseal driver list",
  });
}

function deviceOf(site: SiteBackend, name: string): Device {
  const device = site.device(name);
  if (device !== undefined) return device;
  throw new LinksealError("transport.unreachable", "the simulated site has no such device", {
    effect: "none",
    where: name,
    next: "check the device's name in the config",
  });
}

async function peer(
  site: SiteBackend,
  verb: string,
  body: Fields,
  signal: AbortSignal,
): Promise<unknown> {
  const port = text(body, "port");
  const link = choice(body, "link", ["link1", "link2"]);
  const msee = site.msee(port);
  if (msee === undefined) {
    throw new LinksealError("peer.rejected", "the simulated site has no such port (404)", {
      effect: "none",
      where: port,
      next: "check expressRoutePort in the config",
    });
  }
  switch (verb) {
    case "observe":
      await site.clock.sleep(peerMs, signal);
      return msee.observe(link);
    case "put": {
      const want = wantOf(body);
      await site.clock.sleep(peerMs, signal);
      refuseOver(msee, link, want);
      return { operation: msee.put(link, want) };
    }
    default:
      throw new BadRequest("path");
  }
}

/** Azure itself has no such condition: a real client reads first, which is one step here. */
function refuseOver(msee: Msee, link: AzureLink, { over }: PeerWant): void {
  const { pointsAt } = msee.resource(link);
  const isKnown = over?.some(
    (ids) =>
      ids?.cakSecretId === pointsAt?.cakSecretId && ids?.cknSecretId === pointsAt?.cknSecretId,
  );
  if (isKnown !== false) return;
  throw new LinksealError("peer.rejected", "the far end was given another key meanwhile", {
    effect: "none",
    where: msee.name,
    next: "linkseal doctor",
  });
}

async function vault(
  site: SiteBackend,
  rest: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const [root, name, version] = rest;
  if (rest.length !== 3 || root !== "secrets") throw new BadRequest("path");
  await site.clock.sleep(vaultMs, signal);
  if (version === "versions") return encodeJson({ versions: site.vault.versions(name ?? "") });
  return site.vault.value(`${site.vault.base}/secrets/${name}/${version}`);
}

async function mark(
  site: SiteBackend,
  [root, name = "", version = "", ...more]: readonly string[],
  fields: Fields,
  signal: AbortSignal,
): Promise<{ readonly id: string }> {
  if (root !== "secrets" || more.length > 0) throw new BadRequest("path");
  const { enabled } = fields;
  if (enabled !== undefined && enabled !== false) throw new BadRequest("enabled");
  const marks = { tags: tagsOf(fields), ...(enabled === false && { enabled: false as const }) };
  const id = `${site.vault.base}/secrets/${name}/${version}`;
  await site.clock.sleep(vaultMs, signal);
  site.vault.mark(id, marks);
  return { id };
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new BadRequest("path");
  }
}

function refusal(error: unknown): SiteReply {
  if (error instanceof BadRequest) {
    const text = `the request is malformed at: ${error.message}`;
    const next = "run agent and simulated site in the same version";
    const body = { code: "device.rejected", effect: "none", where: "simulated site", text, next };
    return { status: error.message === "path" ? 404 : 400, body: encodeJson(body) };
  }
  if (!(error instanceof LinksealError)) throw error;
  return refusalReply(error);
}

/** Returns the reply that reports an error, with its code and effect. */
export function refusalReply(error: LinksealError): SiteReply {
  const { code, effect, where, message, next } = error;
  return {
    status: statuses[code] ?? 422,
    body: encodeJson({ code, effect, where, text: message, next }),
  };
}
