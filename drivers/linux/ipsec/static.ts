// A tunnel whose keys people chose, for a peer without IKE: they go from the vault to linkseal-net
// by a socket of their own, and no longer than a change takes.

import { withDeadline } from "#hal/deadline.ts";
import type { KeyResolver, Transaction } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type IpsecTunnel, strongValue, type TunnelSpec } from "#hal/model.ts";
import type { World } from "#hal/world.ts";
import type { LocalSession } from "../../local/device.ts";
import {
  keyAnswerBytesMax,
  keySocket,
  readKeyAnswer,
  type StagedSa,
  writeKeys,
} from "../net/key-frames.ts";
import { newSpis } from "../net/spi-ratchet.ts";
import { type StaticSas, staticTransforms } from "../net/static-part.ts";
import { canonicalAddress } from "../netlink/address.ts";
import { carriedPrefixes, partsAround, prepareNet } from "./net-change.ts";
import { readStaticKeys, type StaticKeys } from "./static-keys.ts";

export interface StaticParts {
  readonly session: LocalSession;
  readonly world: Pick<World, "clock" | "dial">;
  /** Of linkseal-net: `unix:PATH`. */
  readonly address: string;
}

/** A key that nobody came to apply is nobody's any more. */
const keepMs = 120_000;
const stageMsMax = 10_000;

export async function prepareStatic(
  parts: StaticParts,
  tunnel: TunnelSpec,
  keys: KeyResolver,
  signal: AbortSignal,
): Promise<Transaction> {
  const { session, world } = parts;
  const held = await fetchKeys(tunnel, keys);
  let isHeld = true;
  const wipe = (): void => {
    isHeld = false;
    held.keys[Symbol.dispose]();
  };
  const own = new Set([held.sas.inward, held.sas.outward]);
  try {
    const change = [...partsAround(tunnel), { kind: "ipsec.install", ...held.sas } as const];
    const net = await prepareNet(session, change, signal);
    const late = new AbortController();
    void world.clock.sleep(keepMs, late.signal).then(wipe, () => undefined);
    // Once the new ones are there for good nobody sends by what was there before.
    const endOthers = async (bounded: AbortSignal): Promise<void> => {
      const seen = await seenTunnel(session, tunnel.name, bounded);
      const others = spisOf(seen).filter((spi) => !own.has(spi));
      if (others.length > 0) await endSas(session, tunnel.name, others, bounded);
    };
    return {
      token: net.token,
      preview: net.preview,
      async apply(within, bounded) {
        try {
          // A second apply, or a late one, finds what there is.
          if (isHeld) await stage(parts, held, bounded);
          await net.apply(within, bounded);
        } finally {
          late.abort();
          wipe();
        }
        if (within === "final") await endOthers(bounded);
      },
      async confirm(bounded) {
        await net.confirm(bounded);
        await endOthers(bounded);
      },
      rollback: (bounded) => net.rollback(bounded),
    };
  } catch (error) {
    wipe();
    throw error;
  }
}

interface Held {
  readonly sas: StaticSas;
  readonly keys: StaticKeys;
}

async function fetchKeys(tunnel: TunnelSpec, resolve: KeyResolver): Promise<Held> {
  const { name, ifId, localAddress, remoteAddress, transforms, life, auth } = tunnel;
  if (auth.kind !== "static") throw new Error(`${name} has no static keys`);
  const algorithms = staticTransforms(transforms);
  if (algorithms === undefined) {
    const { encryption, integrity } = transforms;
    const text = `${name}: ${encryption}/${integrity} is not for static keys (RFC 8221, 3)`;
    const details = { effect: "none", where: name, next: "linkseal config show" } as const;
    throw new LinksealError("device.unsupported", `${text}; nothing was changed`, details);
  }
  using secret = await resolve({ kind: "static", secretId: auth.secretId });
  const keys = readStaticKeys(secret, algorithms);
  if ("why" in keys) {
    throw new LinksealError("vault.malformedKey", `the static keys of ${name}: ${keys.why}`, {
      effect: "none",
      where: name,
      next: newSpis,
    });
  }
  const sas = {
    ...{ name, ifId, life },
    ...{ local: canonicalAddress(localAddress), remote: canonicalAddress(remoteAddress) },
    ...{ prefixes: carriedPrefixes(tunnel), inward: keys.in.spi, outward: keys.out.spi },
    ...algorithms,
  };
  return { sas, keys };
}

async function stage(parts: StaticParts, { sas, keys }: Held, signal: AbortSignal): Promise<void> {
  const { local, remote, name } = sas;
  await stageOne(parts, name, { ...keys.in, destination: local }, signal);
  await stageOne(parts, name, { ...keys.out, destination: remote }, signal);
}

/** Nothing has an effect yet: linkseal-net forgets what nobody applies. */
async function stageOne(
  { world, address }: StaticParts,
  where: string,
  sa: StagedSa,
  signal: AbortSignal,
): Promise<void> {
  const path = keySocket(address.replace(/^unix:/, ""));
  const question = { path, octets: writeKeys(sa), replyBytesMax: keyAnswerBytesMax } as const;
  const limit = { ms: stageMsMax, where, effect: "none" } as const;
  const answer = await withDeadline(world.clock, limit, signal, (bounded) =>
    world.dial.framed({ ...question, effect: "none" }, bounded),
  );
  readKeyAnswer(answer, where);
}

async function endSas(
  session: LocalSession,
  name: string,
  spis: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  const sas = spis.map((spi) => ({ spi }));
  const net = await prepareNet(session, [{ kind: "ipsec.end", name, sas }], signal);
  await net.apply("final", signal);
}

async function seenTunnel(
  session: LocalSession,
  name: string,
  signal: AbortSignal,
): Promise<IpsecTunnel | undefined> {
  return (await session.observe(signal)).ipsec.find((one) => one.name === name);
}

function spisOf(tunnel: IpsecTunnel | undefined): readonly number[] {
  const sas = tunnel === undefined ? undefined : strongValue(tunnel.sas);
  return (sas ?? []).map(({ spi }) => spi);
}

/** The removal of a tunnel with static keys; undefined = it has none of ours. */
export async function prepareStaticRemoval(
  { session }: Pick<StaticParts, "session">,
  name: string,
  signal: AbortSignal,
): Promise<Transaction | undefined> {
  const seen = await seenTunnel(session, name, signal);
  if (seen === undefined || strongValue(seen.ike) !== "static") return undefined;
  const net = await prepareNet(session, [{ kind: "ipsec.drop", name }], signal);
  // Until it is confirmed its SAs are all that could bring it back.
  const end = (bounded: AbortSignal) => endSas(session, name, spisOf(seen), bounded);
  return {
    token: net.token,
    preview: [`- SAs of ${name} with static keys`, net.preview].join("\n"),
    async apply(within, bounded) {
      await net.apply(within, bounded);
      if (within === "final") await end(bounded);
    },
    async confirm(bounded) {
      await net.confirm(bounded);
      await end(bounded);
    },
    rollback: (bounded) => net.rollback(bounded),
  };
}
