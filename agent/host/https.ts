// TLS to a host name: addresses are checked after the name was resolved, and only these are
// connected to; errors name what is wrong with the certificate.

import { lookup } from "node:dns/promises";
import { request as httpsRequest } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { checkAddress } from "#drivers/azure/azure-url.ts";
import { LinksealError } from "#hal/error.ts";
import type { Reach } from "#hal/world.ts";
import { errnoOf } from "./folder.ts";
import type { Line } from "./line.ts";
import { proxyFor, tunnel } from "./proxy.ts";

const publicOnly: Reach = { kind: "public" };

/**
 * Prepares a TLS connection. Trusted are the roots that come with Node and NODE_EXTRA_CA_CERTS; no
 * option here can weaken that.
 * @throws LinksealError with `transport.unreachable`
 */
export async function tlsLine(
  to: string,
  reach: Reach = publicOnly,
  signal: AbortSignal,
): Promise<Line> {
  const found = /^https:\/\/([a-z0-9.-]+)(?::(\d{1,5}))?$/.exec(to);
  const [, host = "", portText = "443"] = found ?? [];
  const port = Number(portText);
  if (host === "" || port === 0 || port > 65_535) throw unreachable(to, "it names no host");
  let established = false;
  const servername = isIP(host) === 0 ? host : "";
  const secure = { host, servername, port, minVersion, rejectUnauthorized } as const;
  const proxy = reach.kind === "loopback" ? undefined : proxyFor(host);
  if (proxy !== undefined) {
    const socket = await tunnel(proxy, host, port, signal);
    return {
      kind: "tls",
      established: () => established,
      call: (options) => {
        const call = httpsRequest({ ...options, ...secure, ...{ socket } });
        return call.once("socket", (own) => own.once("secureConnect", () => (established = true)));
      },
    };
  }
  const addresses = await checkedAddresses(host, reach, signal);
  return {
    kind: "tls",
    established: () => established,
    call: (options) => {
      const call = httpsRequest({ ...options, ...secure, lookup: fixed(addresses) });
      return call.once("socket", (own) => own.once("secureConnect", () => (established = true)));
    },
  };
}

const minVersion = "TLSv1.2";
// Set explicitly, because NODE_TLS_REJECT_UNAUTHORIZED would decide it otherwise.
const rejectUnauthorized = true;

/**
 * Resolves and checks a name. One forbidden address among them refuses the name, so that a second
 * address cannot be a way in.
 */
async function checkedAddresses(
  host: string,
  reach: Reach,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const addresses = await addressesOf(host, reach, signal);
  for (const address of addresses) {
    const why = checkAddress(address, reach);
    if (why === undefined) continue;
    const text = `${host} resolves to ${address}, which is not used: ${why}`;
    throw new LinksealError("transport.unreachable", text, {
      effect: "none",
      where: host,
      next: "check this host's name service; private endpoints: privateEndpoints in the config",
    });
  }
  return addresses;
}

async function addressesOf(
  host: string,
  reach: Reach,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  // RFC 6761 6.3: such names are this host, whatever a name service answers.
  if (reach.kind === "loopback" && /(^|\.)localhost$/.test(host)) return ["127.0.0.1"];
  try {
    const found = await Promise.race([lookup(host, { all: true }), aborted(signal)]);
    return found.map(({ address }) => address);
  } catch (error) {
    signal.throwIfAborted();
    throw unreachable(host, `${host} has no address (${errnoOf(error)})`, error);
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

// The name is not resolved again: connections go to the checked addresses.
function fixed(addresses: readonly string[]): LookupFunction {
  return (_host, options, done) => {
    const entries = addresses.map((address) => ({ address, family: isIP(address) }));
    if (options.all === true) done(null, entries);
    else done(null, entries[0]?.address ?? "", entries[0]?.family);
  };
}

interface Distrust {
  readonly codes: RegExp;
  readonly text: string;
  readonly next: string;
}

const distrusts: readonly Distrust[] = [
  {
    codes: /^(CERT_HAS_EXPIRED|CERT_NOT_YET_VALID)$/,
    text: "its certificate is expired or not yet valid",
    next: "compare this host's clock, then ask the operator of that host for a new certificate",
  },
  {
    codes: /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    text: "its certificate is for another name: another host answers",
    next: "check this host's name service and what is in between: proxies, TLS inspection",
  },
  {
    codes: /SELF_SIGNED|UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)|CERT_UNTRUSTED|INVALID_CA|CERT_CHAIN/,
    text: "its certificate is from an authority that this host does not know",
    next: "if a proxy of yours inspects TLS: NODE_EXTRA_CA_CERTS=FILE with its CA, then restart",
  },
];

/**
 * Returns an error that says what is wrong with the certificate; undefined = the connection failed
 * for another reason.
 */
export function tlsFailure(
  errno: string,
  where: string,
  cause: unknown,
): LinksealError | undefined {
  const found = distrusts.find(({ codes }) => codes.test(errno));
  if (found === undefined) return undefined;
  return new LinksealError("transport.authentication", `${found.text} (${errno})`, {
    effect: "none",
    where,
    next: found.next,
    cause,
  });
}

function unreachable(where: string, text: string, cause?: unknown): LinksealError {
  const details = { effect: "none", where, next: "linkseal status", cause } as const;
  return new LinksealError("transport.unreachable", text, details);
}
