// IPsec of this kernel by its xfrm interfaces and the SAs of each. Facts that only IKE knows are
// unknown here.

import { type IpsecSa, type IpsecTunnel, known, type Transforms, unknown } from "#hal/model.ts";
import type { Instant, WallTime } from "#hal/world.ts";
import type { Address } from "../netlink/rtnetlink-address.ts";
import type { Link } from "../netlink/rtnetlink-link.ts";
import type { Sa } from "../netlink/xfrm.ts";

/** The decoder of an observation accepts no more. */
const tunnelsMax = 512;
const sasMax = 64;
/** RFC 4106 8.1: the salt is part of the key as the kernel has it. */
const saltBits = 32;

export function hasTunnels(links: readonly Link[]): boolean {
  return links.some(({ info }) => info?.kind === "xfrm");
}

export interface Moment {
  readonly at: Instant;
  readonly wall: WallTime;
}

/** Returns the tunnels of this host; `sas`: undefined = the kernel does not report them. */
export function tunnelsOf(
  links: readonly Link[],
  addresses: readonly Address[],
  sas: readonly Sa[] | undefined,
  { at, wall }: Moment,
): readonly IpsecTunnel[] {
  const own = new Set(addresses.map(({ local, address }) => local ?? address));
  return links
    .flatMap(({ name, info }) => {
      const ifId = info?.xfrm?.ifId;
      return info?.kind === "xfrm" && ifId !== undefined && name !== undefined
        ? [{ name, ifId }]
        : [];
    })
    .slice(0, tunnelsMax)
    .map(({ name, ifId }) => ({
      name,
      ike: unknown("notSupported", at),
      sas: sas === undefined ? unknown("queryFailed", at) : known(sasIn(sas, ifId, own, wall), at),
    }));
}

function sasIn(
  sas: readonly Sa[],
  ifId: number,
  own: ReadonlySet<string | undefined>,
  wall: WallTime,
): readonly IpsecSa[] {
  return sas
    .filter((sa) => sa.attributes.ifId === ifId && hasAlgorithm(sa))
    .toSorted((a, b) => Number(b.usage.addedAt - a.usage.addedAt))
    .slice(0, sasMax)
    .map((sa) => {
      const direction = directionOf(sa, own);
      const { extendedReplay, replay } = sa.attributes;
      const plain = replay?.[direction];
      return {
        spi: sa.spi,
        direction,
        phase: "installed",
        transforms: transformsOf(sa),
        packets: sa.usage.packets,
        sequence: extendedReplay?.[direction] ?? (plain === undefined ? undefined : BigInt(plain)),
        ...(direction === "in" ? { antiReplay: antiReplayOf(sa) } : {}),
        ...endOf(sa, wall),
      };
    });
}

/**
 * An entry without an algorithm carries nothing: the kernel made it for a packet that waits for an
 * SA, or charon reserved its SPI for an exchange that is under way (XFRM_STATE_ACQ).
 */
function hasAlgorithm({ attributes: { aead, crypt, auth, cutAuth } }: Sa): boolean {
  return [aead, crypt, auth, cutAuth].some((algorithm) => algorithm !== undefined);
}

// The kernel's own timer follows the wall clock, including its jumps.
function endOf({ limits, usage }: Sa, wall: WallTime): Pick<IpsecSa, "endsInMs"> {
  const { hardAddSeconds: seconds } = limits;
  const endsAt = seconds === undefined ? undefined : Number(usage.addedAt + seconds) * 1_000;
  return endsAt === undefined ? {} : { endsInMs: Math.max(0, endsAt - wall) };
}

// A window of more than 32 bits is given with the extended numbers.
function antiReplayOf({ replayWindow, attributes }: Sa): "on" | "off" {
  return (attributes.extendedReplay?.replayWindow ?? replayWindow) > 0 ? "on" : "off";
}

// Kernels before 6.10 do not report the direction of an SA.
function directionOf({ destination, attributes }: Sa, own: ReadonlySet<string | undefined>) {
  const { direction } = attributes;
  if (direction === "in" || direction === "out") return direction;
  return own.has(destination) ? "in" : "out";
}

function cipherOf({ name, keyBits }: NonNullable<Sa["attributes"]["crypt"]>): string {
  switch (name) {
    case "cbc(aes)":
      return `aes-${keyBits}-cbc`;
    case "cbc(des3_ede)":
      return "3des-cbc";
    default:
      return name;
  }
}

function transformsOf({ attributes }: Sa): Transforms {
  const { aead, crypt, cutAuth, auth } = attributes;
  const dhGroup = "unknown";
  if (aead !== undefined) {
    const gcm = aead.name === "rfc4106(gcm(aes))";
    const encryption = gcm ? `aes-${aead.keyBits - saltBits}-gcm` : aead.name;
    return { encryption, integrity: "none", dhGroup };
  }
  const integrity = (cutAuth ?? auth)?.name ?? "none";
  return {
    encryption: crypt === undefined ? "none" : cipherOf(crypt),
    integrity: /^hmac\((\w+)\)$/.exec(integrity)?.[1] ?? integrity,
    dhGroup,
  };
}
