// One link or tunnel as the last judgement found it, with how old the looks are that it rests on.

import { type IpsecTunnel, type MacsecPort, strongValue } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { type DesiredLink, type DesiredTunnel, linkId } from "../../model/desired.ts";
import type { LinkHealth, TunnelHealth } from "../../model/health.ts";
import type { Found } from "../../store/audit/record.ts";

export interface Seen extends Omit<Found, "since"> {
  readonly lookAgeMs: number;
}

/** The suite and the CKN are those in use, not those that are wanted. */
export function seenLink(
  link: DesiredLink,
  { verdict, reasons, ages }: LinkHealth,
  look: MacsecPort | undefined,
): Seen {
  const known = verdict !== "unknown" && look !== undefined;
  const session = known ? strongValue(look.session) : undefined;
  const lookAgeMs = Math.max(ages.controlPlaneMs ?? 0, ages.dataPlaneMs ?? 0);
  return {
    ...{ about: linkId(link), kind: "link", verdict, codes: reasons.map(({ code }) => code) },
    suite: known ? (strongValue(look.liveSuite) ?? null) : null,
    ckn: session?.principalCkn ?? null,
    lookAgeMs,
  };
}

export function seenTunnel(
  { name }: DesiredTunnel,
  { verdict, reasons }: TunnelHealth,
  look: IpsecTunnel | undefined,
  now: Instant,
): Seen {
  const sas = look === undefined || verdict === "unknown" ? undefined : strongValue(look.sas);
  const used = sas?.find(({ phase }) => phase === "installed")?.transforms;
  return {
    ...{ about: name, kind: "tunnel", verdict, codes: reasons.map(({ code }) => code) },
    suite: used === undefined ? null : `${used.encryption} ${used.integrity} ${used.dhGroup}`,
    ckn: null,
    lookAgeMs: look === undefined ? 0 : now - look.ike.at,
  };
}
