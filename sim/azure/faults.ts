// The ways in which a service of the simulated cloud answers badly: documented refusals, and
// malformed or missing answers.

import type { SimClock } from "../base/clock.ts";
import { type AzureReply, type AzureRequest, cut, refusal, reply } from "./http.ts";

/** The circumstances of an answer, from which a fault makes its own. */
interface Moment {
  readonly request: AzureRequest;
  readonly clock: SimClock;
  /** The time in Unix ms, by the clock that a client's dates are compared with. */
  readonly wall: number;
  readonly signal: AbortSignal;
}

interface FaultRow {
  readonly title: string;
  readonly answer: (moment: Moment) => AzureReply | Promise<AzureReply>;
}

const throttled = (headers: (moment: Moment) => Readonly<Record<string, string>>) => ({
  answer: (moment: Moment) =>
    refusal(429, { code: "Throttled", message: "The request was throttled." }, headers(moment)),
});

const status = (number: number, code: string, message: string, inner?: string) => ({
  answer: () => refusal(number, { code, message, ...(inner === undefined ? {} : { inner }) }),
});

const forbidden = (inner: string, message: string) => status(403, "Forbidden", message, inner);

const retryS = 2;
const hugeBytes = 4 * 1024 * 1024;
const slowBodyMs = 60_000;

/** The faults of every service; their texts follow those of Key Vault and the management API. */
export const wireFaults = {
  unauthorized: {
    title: "401 with a challenge, whatever the token",
    ...status(401, "Unauthorized", "AKV10032: Invalid issuer. Expected one of the tenants."),
  },
  forbiddenByRbac: {
    title: "403, no role",
    ...forbidden("ForbiddenByRbac", "Caller is not authorized to perform action on resource."),
  },
  forbiddenByPolicy: {
    title: "403, no access policy",
    ...forbidden("ForbiddenByPolicy", "The user does not have secrets get permission."),
  },
  forbiddenByFirewall: {
    title: "403, this address is not let in",
    ...forbidden("ForbiddenByFirewall", "Client address is not authorized."),
  },
  forbiddenByConnection: {
    title: "403, only a private endpoint is let in",
    ...forbidden("ForbiddenByConnection", "Public network access is disabled."),
  },
  secretDisabled: {
    title: "403, the version is disabled",
    ...forbidden("SecretDisabled", "Operation get is not allowed on a disabled secret."),
  },
  authorizationFailed: {
    title: "403 of the management API, no role",
    ...status(403, "AuthorizationFailed", "The client does not have authorization."),
  },
  notFound: {
    title: "404, name or version",
    ...status(404, "SecretNotFound", "A secret with this name or version was not found."),
  },
  deletedButRecoverable: {
    title: "409, the name is deleted and can be recovered",
    ...status(409, "Conflict", "Secret is deleted.", "ObjectIsDeletedButRecoverable"),
  },
  beingDeleted: {
    title: "409, the name is being deleted",
    ...status(409, "Conflict", "Secret is currently being deleted.", "ObjectIsBeingDeleted"),
  },
  throttled: { title: "429 without a time", ...throttled(() => ({})) },
  throttledSeconds: {
    title: "429, Retry-After in seconds",
    ...throttled(() => ({ "retry-after": String(retryS) })),
  },
  throttledDate: {
    title: "429, Retry-After as a date",
    ...throttled(({ wall }) => ({
      "retry-after": new Date(wall + retryS * 1000).toUTCString(),
    })),
  },
  throttledMs: {
    title: "429, x-ms-retry-after-ms",
    ...throttled(() => ({ "x-ms-retry-after-ms": String(retryS * 1000) })),
  },
  serverError: { title: "500", ...status(500, "InternalServerError", "An error has occurred.") },
  badGateway: {
    title: "502 with a page of HTML",
    answer: () => page(502),
  },
  unavailable: { title: "503", ...status(503, "ServiceUnavailable", "Try again later.") },
  gatewayTimeout: { title: "504", ...status(504, "GatewayTimeout", "No answer in time.") },
  hang: {
    title: "no answer at all",
    answer: ({ signal }: Moment) => until(signal),
  },
  reset: {
    title: "the connection is torn down",
    answer: ({ request }: Moment) => Promise.reject(cut(request.host)),
  },
  garbage: {
    title: "200 with octets that mean nothing",
    answer: () => ({ ...json(200), body: "\u0000\u0001{[\ufffd" }),
  },
  emptyObject: { title: "200 with {}", answer: () => reply(200, {}) },
  hugeBody: {
    title: "200 with four megabytes",
    answer: () => ({ ...json(200), body: `{"value":"${"A".repeat(hugeBytes)}"}` }),
  },
  wrongType: {
    title: "200 with a page of HTML, as a captive portal has it",
    answer: () => page(200),
  },
  redirect: {
    title: "307 to another host",
    answer: ({ request }: Moment) => ({
      ...json(307),
      headers: { location: `https://elsewhere.invalid${request.path}` },
    }),
  },
  slowBody: {
    title: "a body that takes a minute",
    answer: () => ({ ...reply(200, { value: "0".repeat(64) }), bodyMs: slowBodyMs }),
  },
} as const satisfies Readonly<Record<string, FaultRow>>;

export type WireFault = keyof typeof wireFaults;

interface Struck {
  readonly fault: WireFault;
  /** The number of answers still to be spoilt. */
  left: number;
}

/** The faults of one service. */
export class WireFaults {
  #struck: Struck | undefined;

  /** Spoils the next `times` answers, or all of them until `heal`. */
  strike(fault: WireFault, times = Number.POSITIVE_INFINITY): void {
    this.#struck = { fault, left: times };
  }

  heal(): void {
    this.#struck = undefined;
  }

  /** Returns the answer that a fault gives instead of the service; undefined if none is struck. */
  answer(moment: Moment): AzureReply | Promise<AzureReply> | undefined {
    const struck = this.#struck;
    if (struck === undefined) return undefined;
    struck.left -= 1;
    if (struck.left <= 0) this.#struck = undefined;
    return wireFaults[struck.fault].answer(moment);
  }
}

function json(statusCode: number): AzureReply {
  return reply(statusCode, {});
}

function page(statusCode: number): AzureReply {
  const headers = { "content-type": "text/html" };
  return { status: statusCode, headers, body: "<html><body>Sign in</body></html>" };
}

function until(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const end = (): void => reject(signal.reason);
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
  });
}
