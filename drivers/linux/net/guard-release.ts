// Takes the block of one prefix back, and says what is true afterwards: a mistyped prefix must not
// look like a release.

import { LinksealError } from "#hal/error.ts";
import type { Policy } from "../netlink/xfrm.ts";
import { blockedOut, blocksOver, canonicalPrefix, policiesNow } from "./guard.ts";
import { readGuard } from "./guard-file.ts";
import { applyTunnelOperation, type TunnelContext } from "./tunnel-applier.ts";

/**
 * Lets a prefix leave in the clear from now on; resolves to what is true of it then, in a sentence.
 * @throws LinksealError `usage` if it is no prefix, or not blocked by itself; nothing is changed
 */
export async function releasePrefix(
  text: string,
  context: TunnelContext,
  signal: AbortSignal,
): Promise<string> {
  const { disk, log, xfrm } = context;
  const prefix = canonical(text);
  const stored = await readGuard(disk, log);
  const before = await policiesNow(xfrm, signal);
  const isHere = blockedOut(before).includes(prefix);
  if (!isHere && !stored.prefixes.includes(prefix)) throw notBlocked(prefix, before);
  await applyTunnelOperation({ kind: "ipsec.unblock", prefixes: [prefix] }, context, signal);
  const left = blocksOver(await policiesNow(xfrm, signal), prefix);
  const rest = left.length === 0 ? "" : `; packets of it are still blocked as ${left.join(", ")}`;
  const what = isHere
    ? "is no longer blocked"
    : "was not blocked here, and no boot blocks it again";
  return `${prefix} ${what}${rest}`;
}

function notBlocked(prefix: string, policies: readonly Policy[]): LinksealError {
  const over = blocksOver(policies, prefix);
  const instead = over.length === 0 ? "" : `; what blocks packets of it is ${over.join(", ")}`;
  return new LinksealError("usage", `no block of ${prefix} is here to be released${instead}`, {
    effect: "none",
    where: "guard",
    next: over.length === 1 ? `linkseal guard --release ${over[0]}` : "ip xfrm policy",
  });
}

function canonical(prefix: string): string {
  try {
    return canonicalPrefix(prefix);
  } catch {
    throw new LinksealError("usage", "that is not a prefix in CIDR form", {
      effect: "none",
      where: "guard",
      next: "linkseal guard --help",
    });
  }
}
