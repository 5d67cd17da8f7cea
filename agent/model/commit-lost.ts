// A change that its router accepted and no longer holds.

import { LinksealError } from "#hal/error.ts";

/** Returns the error of a change that the router accepted and a later observation does not show. */
export function commitLost(
  device: string,
  what: string,
  afterMs: number,
  group: string | undefined,
): LinksealError {
  const seconds = Math.round(afterMs / 1000);
  const text = `${device} accepted ${what} ${seconds} s ago and no longer holds it`;
  const next = group === undefined ? "linkseal plan --accepted" : `linkseal rotation show ${group}`;
  return new LinksealError("device.commitExpired", text, { effect: "none", where: device, next });
}
