// Sends one POST of JSON to a receiver; its reply decides whether to send it again.

import { withDeadline } from "#hal/deadline.ts";
import { LinksealError } from "#hal/error.ts";
import type { Secret } from "#hal/secret.ts";
import type { HttpReply, HttpRequest, Reach, World } from "#hal/world.ts";
import type { Receiver } from "../model/desired.ts";

/**
 * Reads the value of a header from `credential:NAME` or `file:PATH`.
 * @throws LinksealError that says why it cannot be used
 */
type HeaderSecret = (reference: string) => Promise<Secret>;

export interface PostParts {
  readonly world: Pick<World, "clock" | "dial">;
  readonly headerSecret: HeaderSecret;
}

export type Posted =
  | { readonly kind: "taken" }
  /** Permanent rejection: do not send it again. */
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "later"; readonly why: string; readonly afterMs: number | undefined };

const postMsMax = 10_000;
const replyBytesMax = 64 * 1024;
/** Longest wait that a receiver may ask for, in milliseconds. */
const afterMsMax = 300_000;

export async function post(
  { world, headerSecret }: PostParts,
  receiver: Receiver,
  body: string,
  signal: AbortSignal,
): Promise<Posted> {
  const { clock, dial } = world;
  const { url, header } = receiver;
  const [, to = "", path] = /^(https?:\/\/[^/]+)(.*)$/.exec(url) ?? [];
  const limit = { ms: postMsMax, where: to, effect: "unknown" } as const;
  const reach = reachOf(receiver);
  const plain = {
    to,
    method: "POST",
    path: path === undefined || path === "" ? "/" : path,
    body: [body],
    replyBytesMax,
    ...(reach === undefined ? {} : { reach }),
  } as const satisfies HttpRequest;
  const send = (request: HttpRequest): Promise<HttpReply> =>
    withDeadline(clock, limit, signal, (bounded) => dial.http(request, bounded));
  try {
    if (header === undefined) return judged(await send(plain));
    using secret = await headerSecret(header.value);
    const headers = { [header.name]: { secret, as: "raw" } } as const;
    return judged(await send({ ...plain, headers }));
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    return { kind: "later", why: `${error.code}: ${error.message}`, afterMs: undefined };
  }
}

function reachOf({ url, privateEndpoints }: Receiver): Reach | undefined {
  if (/^https:\/\/(localhost|127\.0\.0\.1)(:|\/|$)/.test(url)) return { kind: "loopback" };
  return privateEndpoints.length === 0 ? undefined : { kind: "private", ranges: privateEndpoints };
}

// A receiver's text is never repeated, only its status.
function judged({ status, headers }: HttpReply): Posted {
  if (status >= 200 && status < 300) return { kind: "taken" };
  const why = `the receiver answers with status ${status}`;
  // RFC 9110, 15.5: the body is too large or wrong. A request that is forbidden now may be allowed
  // later.
  if ([400, 413, 415, 422].includes(status)) return { kind: "refused", why };
  const seconds = /^\d{1,6}$/.exec(headers["retry-after"] ?? "")?.[0];
  const afterMs = seconds === undefined ? undefined : Math.min(Number(seconds) * 1_000, afterMsMax);
  return { kind: "later", why, afterMs };
}
