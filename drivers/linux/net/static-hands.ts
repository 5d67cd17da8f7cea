// SAs whose keys people chose, with the policies of their tunnel: the one that receives before the
// one that sends, and none that was there before.

import { LinksealError } from "#hal/error.ts";
import type { NetlinkRequest, NetlinkSocket } from "#hal/netlink.ts";
import type { Disk } from "#hal/world.ts";
import { answered, linksNow } from "../macsec/look.ts";
import {
  addSa,
  deletePolicy,
  deleteSa,
  dumpSas,
  type NewPolicy,
  type Policy,
  putPolicy,
  readSa,
  type Sa,
} from "../netlink/xfrm.ts";
import { anyOf, policiesNow } from "./guard.ts";
import type { SaKeys } from "./key-frames.ts";
import { markUsed, readRatchet, refuseUsed, type SaName } from "./spi-ratchet.ts";
import { type StagedKeys, wipeKeys } from "./staged-keys.ts";
import { icvBitsOf, type StaticPart, type StaticSas } from "./static-part.ts";

export interface StaticHands {
  readonly routes: NetlinkSocket;
  readonly xfrm: NetlinkSocket;
  readonly disk: Disk;
  readonly staged: StagedKeys;
}

/** Joins their SAs and policies, and tells them from those of IKE: no daemon counts so far. */
const staticReqid = 0x6c73_6561;
/** Of policies that only what goes by this interface ever meets. */
const policyPriority = 1_000;
/** Packets: as wide as the kernel's for numbers of 32 bits; extended ones IKE alone agrees on. */
const replayWindow = 32;

type WantedSa = SaName & { readonly direction: "in" | "out" };

/** The one that receives first: what the far end sends by it is never lost. */
function wantedOf({ local, remote, inward, outward }: StaticSas): readonly WantedSa[] {
  return [
    { direction: "in", source: remote, destination: local, spi: inward },
    { direction: "out", source: local, destination: remote, spi: outward },
  ];
}

/** undefined = there is nothing to do. Throws `device.rejected` for SPIs that were used before. */
export async function undoOfStatic(
  part: StaticPart,
  hands: StaticHands,
  signal: AbortSignal,
): Promise<StaticPart | undefined> {
  const sas = await staticSas(hands.xfrm, signal);
  const { name } = part;
  if (part.kind === "ipsec.end") {
    const orphans = await orphansNow(hands, signal);
    const isThere = orphans.length > 0 || (await meantBy(part, sas, hands, signal)).length > 0;
    // Nobody can bring back an SA: its keys are nowhere.
    return isThere ? { kind: "ipsec.end", name, sas: [] } : undefined;
  }
  const missing = missingIn(part, sas);
  refuseUsed(await readRatchet(hands.disk), missing, name);
  const policies = await policiesNow(hands.xfrm, signal);
  if (missing.length === 0 && policiesOf(part).every((want) => has(policies, want))) {
    return undefined;
  }
  return { kind: "ipsec.end", name, sas: missing.map(({ spi }) => ({ spi })) };
}

/** Idempotent. */
export async function carryStatic(
  part: StaticPart,
  hands: StaticHands,
  signal: AbortSignal,
): Promise<void> {
  const { xfrm } = hands;
  const sas = await staticSas(xfrm, signal);
  if (part.kind === "ipsec.install") return await install(part, sas, hands, signal);
  const meant = await meantBy(part, sas, hands, signal);
  const refusals = await xfrm.write(meant.map(deleteSa), signal);
  // ESRCH: its time was over meanwhile.
  const refused = refusals.find((one) => one !== undefined && one.name !== "ESRCH");
  if (refused !== undefined) throw rejected(`the kernel refused it: ${refused.name}`, part.name);
  await dropOrphans(hands, signal);
}

/** Another tunnel may have one under the same number, with another far end. */
async function meantBy(
  { name, sas }: Extract<StaticPart, { readonly kind: "ipsec.end" }>,
  there: readonly Sa[],
  { routes }: StaticHands,
  signal: AbortSignal,
): Promise<readonly Sa[]> {
  const links = await linksNow(routes, signal);
  const own = links.find((link) => link.name === name)?.info?.xfrm?.ifId;
  const alive = new Set(links.map(({ info }) => info?.xfrm?.ifId));
  return there.filter(
    ({ spi, attributes: { ifId } }) =>
      sas.some((sa) => sa.spi === spi) && (own === undefined ? !alive.has(ifId) : ifId === own),
  );
}

async function install(
  part: StaticSas,
  there: readonly Sa[],
  hands: StaticHands,
  signal: AbortSignal,
): Promise<void> {
  const { xfrm, disk, staged } = hands;
  const { name } = part;
  const missing = missingIn(part, there);
  const held: SaKeys[] = [];
  try {
    const requests: NetlinkRequest[] = [];
    for (const sa of missing) {
      const keys = staged.take(sa);
      if (keys === undefined) throw rejected("its keys are no longer held; prepare it again", name);
      held.push(keys);
      requests.push(requestFor(part, sa, keys));
    }
    refuseUsed(await readRatchet(disk), missing, name);
    if (missing.length > 0) await markUsed(disk, missing);
    for (const request of [...policiesOf(part).map(putPolicy), ...requests]) {
      const [refused] = await xfrm.write([request], signal);
      if (refused === undefined) continue;
      const said = refused.text === undefined ? refused.name : `${refused.name}, ${refused.text}`;
      throw rejected(`the kernel refused it: ${said}`, name);
    }
  } finally {
    for (const keys of held) wipeKeys(keys);
  }
}

function requestFor(
  { ifId, integrity, life }: StaticSas,
  { source, destination, spi, direction }: WantedSa,
  keys: SaKeys,
): NetlinkRequest {
  return addSa({
    ...{ source, destination, spi, ifId, reqid: staticReqid, mode: "tunnel", inner: "anyFamily" },
    crypt: { name: "cbc(aes)", key: keys.encryption },
    auth: { name: `hmac(${integrity})`, icvBits: icvBitsOf(integrity), key: keys.integrity },
    replayWindow: direction === "in" ? replayWindow : 0,
    limits: { hardAddSeconds: BigInt(life.seconds), hardBytes: BigInt(life.kilobytes) * 1_024n },
  });
}

async function staticSas(xfrm: NetlinkSocket, signal: AbortSignal): Promise<readonly Sa[]> {
  const sas = answered(await xfrm.ask(dumpSas(), readSa, signal));
  return sas.filter(({ reqid }) => reqid === staticReqid);
}

// What a key is nobody can ask; what else makes an SA the wanted one is compared.
function missingIn(part: StaticSas, there: readonly Sa[]): readonly WantedSa[] {
  return wantedOf(part).filter(
    ({ source, destination, spi }) =>
      !there.some(
        (sa) =>
          sa.spi === spi &&
          sa.source === source &&
          sa.destination === destination &&
          sa.attributes.ifId === part.ifId,
      ),
  );
}

function policiesOf({ prefixes, local, remote, ifId }: StaticSas): readonly NewPolicy[] {
  const common = { priority: policyPriority, ifId };
  const template = (source: string, destination: string) =>
    ({ source, destination, reqid: staticReqid, mode: "tunnel" }) as const;
  const inward = template(remote, local);
  return prefixes.flatMap((prefix): readonly NewPolicy[] => {
    const any = anyOf(prefix);
    const to = { source: any, destination: prefix, template: template(local, remote) };
    const from = { source: prefix, destination: any, template: inward };
    return [
      { ...common, ...from, direction: "in" },
      { ...common, ...from, direction: "forward" },
      { ...common, ...to, direction: "out" },
    ];
  });
}

function isStatic({ attributes }: Policy): boolean {
  return attributes.templates?.some(({ reqid }) => reqid === staticReqid) === true;
}

function has(policies: readonly Policy[], want: NewPolicy): boolean {
  return policies.some((policy) => {
    const { selector, attributes, direction } = policy;
    return (
      isStatic(policy) &&
      direction === want.direction &&
      attributes.ifId === want.ifId &&
      `${selector.source}/${selector.sourceLength}` === want.source &&
      `${selector.destination}/${selector.destinationLength}` === want.destination
    );
  });
}

/** Numbers of the interfaces whose tunnels have static keys, or had them and lost their SAs. */
export function staticIfIds(
  policies: readonly Policy[],
  sas: readonly Sa[],
): ReadonlySet<number | undefined> {
  const kept = policies.filter(isStatic).map(({ attributes }) => attributes.ifId);
  const own = sas.filter(({ reqid }) => reqid === staticReqid);
  return new Set([...kept, ...own.map(({ attributes }) => attributes.ifId)]);
}

type Sockets = Pick<StaticHands, "routes" | "xfrm">;

/** Takes away policies whose interface is gone. */
export async function dropOrphans(sockets: Sockets, signal: AbortSignal): Promise<void> {
  const orphans = await orphansNow(sockets, signal);
  await sockets.xfrm.write(orphans.map(deletePolicy), signal);
}

async function orphansNow(
  { routes, xfrm }: Sockets,
  signal: AbortSignal,
): Promise<readonly NewPolicy[]> {
  const alive = new Set((await linksNow(routes, signal)).map(({ info }) => info?.xfrm?.ifId));
  return (await policiesNow(xfrm, signal)).flatMap((policy): readonly NewPolicy[] => {
    const { selector, attributes, direction, priority } = policy;
    const { ifId } = attributes;
    if (!isStatic(policy) || ifId === undefined || alive.has(ifId)) return [];
    if (direction !== "in" && direction !== "out" && direction !== "forward") return [];
    const source = `${selector.source}/${selector.sourceLength}`;
    const destination = `${selector.destination}/${selector.destinationLength}`;
    return [{ source, destination, direction, priority, ifId }];
  });
}

function rejected(text: string, where: string): LinksealError {
  return new LinksealError("device.rejected", `${where}: ${text}`, {
    effect: "none",
    where,
    next: "linkseal tunnels",
  });
}
