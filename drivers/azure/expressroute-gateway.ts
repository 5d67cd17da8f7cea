// The pre-shared key of a VPN connection: it is written whole, never read, and the operation that
// Azure starts for it is followed to its end.

import { LinksealError } from "#hal/error.ts";
import type { Secret } from "#hal/secret.ts";
import type { Clock } from "#hal/world.ts";
import type { Arm, OperationState } from "../transport/arm.ts";
import { keyPlaceOf } from "./connections.ts";
import type { Operations } from "./expressroute-operations.ts";

interface GatewayParts {
  readonly arm: Arm;
  readonly operations: Operations;
  readonly clock: Clock;
}

/** Used where Azure names no delay. */
const pollMs = 2_000;
/** A new operation may not be known everywhere at once. */
const unheardMsMax = 60_000;

/**
 * Resolves once Azure reports that the operation succeeded. An abort leaves the operation running.
 * @throws LinksealError as `PeerSecret.put` describes.
 */
export async function putSharedKey(
  { arm, operations, clock }: GatewayParts,
  resource: string,
  secret: Secret,
  signal: AbortSignal,
): Promise<void> {
  const { path, version, body } = keyPlaceOf(resource);
  const where = resource.split("/").at(-1) ?? resource;
  const begun = await arm.put(path, version, body(secret), signal);
  if (begun === undefined) return;
  operations.accepted(begun);
  const acceptedAt = clock.now();
  for (let waitMs = begun.waitMs; ; ) {
    await clock.sleep(Math.max(waitMs, pollMs), signal);
    const how = await stateOf(operations, begun.operation, where, signal);
    switch (how.kind) {
      case "succeeded":
        return;
      case "running":
        waitMs = how.waitMs;
        break;
      case "failed": {
        const code = how.code === undefined ? "" : ` (${how.code})`;
        throw unsure(where, `Azure took the key, and its operation failed${code}`);
      }
      case "lost": {
        const { refusal } = how;
        const isNew = refusal === undefined && clock.now() - acceptedAt < unheardMsMax;
        if (!isNew) throw unsure(where, "Azure took the key, and does not show its end", refusal);
        waitMs = 0;
      }
    }
  }
}

/**
 * A failure that only keeps us from asking says nothing about the operation, which goes on
 * meanwhile.
 */
async function stateOf(
  operations: Operations,
  operation: string,
  where: string,
  signal: AbortSignal,
): Promise<OperationState> {
  try {
    return await operations.state(operation, signal);
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    if (error.code === "peer.throttled" || error.code === "peer.unreachable") {
      return { kind: "running", waitMs: 0 };
    }
    throw unsure(where, "Azure took the key, and does not show its end", error);
  }
}

function unsure(where: string, what: string, cause?: LinksealError): LinksealError {
  const why = cause === undefined ? "" : ` (${cause.message})`;
  const text = `${what}${why}: the gateway may have either key`;
  const next = cause?.next ?? "linkseal psk show";
  const details = { effect: "unknown", where, next, cause } as const;
  return new LinksealError("peer.rejected", text, details);
}
