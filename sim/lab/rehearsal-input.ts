// What a rehearsal is asked for, read from standard input.

import { usage } from "#agent/cli/failure.ts";
import type { RehearsalRequest } from "#agent/runtime/campaigns/rehearsal-shape.ts";
import { decodeJson } from "#hal/json.ts";

const requestBytesMax = 4_000_000;
const next = "linkseal rotate GROUP --dry-run --rehearse";

/**
 * Reads the request of an agent of the same version; the snapshot in it names its schema.
 * @throws LinksealError with `usage` for anything else
 */
export async function requestIn(input: AsyncIterable<Buffer>): Promise<RehearsalRequest> {
  const parts: Buffer[] = [];
  let octets = 0;
  for await (const part of input) {
    octets += part.length;
    if (octets > requestBytesMax) throw usage("the request is longer than allowed", next);
    parts.push(part);
  }
  const request = parsed(Buffer.concat(parts).toString());
  if (!isRequest(request)) throw usage("standard input is no request of a rehearsal", next);
  return request;
}

function parsed(text: string): unknown {
  try {
    return decodeJson(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw usage("standard input is no JSON", next);
    throw error;
  }
}

function isRequest(value: unknown): value is RehearsalRequest {
  if (typeof value !== "object" || value === null) return false;
  const { twin, target, urgency } = value as Partial<Record<keyof RehearsalRequest, unknown>>;
  const named = typeof twin === "object" && twin !== null && "schema" in twin ? twin.schema : "";
  const isUrgency = urgency === "planned" || urgency === "emergency";
  return named === "linkseal.twin/1" && typeof target === "string" && isUrgency;
}
