// One POST of JSON to a receiver outside: what it answers decides whether to send it again.

import { withDeadline } from "#hal/deadline.ts";
import { LinksealError } from "#hal/error.ts";
import type { Secret } from "#hal/secret.ts";
import type { HttpReply, HttpRequest, Reach, World } from "#hal/world.ts";
import type { Receiver } from "../model/desired.ts";

/** The value of a header from `credential:NAME` or `file:PATH`; throws why it is not used. */
type HeaderSecret = (reference: string) => Promise<Secret>;

export interface PostParts {
  readonly world: Pick<World, "clock" | "dial">;
  readonly headerSecret: HeaderSecret;
}

export type Posted =
  | { readonly kind: "taken" }
  /** As it is it will never be taken. */
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "later"; readonly why: string; readonly afterMs: number | undefined };

const postMsMax = 10_000;
const replyBytesMax = 64 * 1024;
/** A receiver that asks for more patience is asked again by then all the same. */
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

// What a receiver writes in its answer is never repeated: only its number is.
function judged({ status, headers }: HttpReply): Posted {
  if (status >= 200 && status < 300) return { kind: "taken" };
  const why = `the receiver answers with status ${status}`;
  // RFC 9110, 15.5: a body that is too large or wrong; what is not allowed now may be tomorrow.
  if ([400, 413, 415, 422].includes(status)) return { kind: "refused", why };
  const seconds = /^\d{1,6}$/.exec(headers["retry-after"] ?? "")?.[0];
  const afterMs = seconds === undefined ? undefined : Math.min(Number(seconds) * 1_000, afterMsMax);
  return { kind: "later", why, afterMs };
}
