// A proxy that the environment names: HTTPS_PROXY=http://HOST:PORT, and NO_PROXY. User names and
// TLS to the proxy itself are not supported; inside the tunnel TLS authenticates the peer as
// without a proxy.

import { request as httpRequest } from "node:http";
import type { Socket } from "node:net";
import { LinksealError } from "#hal/error.ts";
import { errnoOf } from "./folder.ts";

export interface Proxy {
  readonly host: string;
  readonly port: number;
}

/**
 * Returns the proxy for a name; undefined = connect directly.
 * @throws LinksealError with `transport.unreachable` if HTTPS_PROXY has another form
 */
export function proxyFor(host: string, env: NodeJS.ProcessEnv = process.env): Proxy | undefined {
  const { HTTPS_PROXY: upper, https_proxy: lower, NO_PROXY: not, no_proxy: lowerNot } = env;
  const text = upper ?? lower ?? "";
  if (text === "" || isExempt(host, not ?? lowerNot ?? "")) return undefined;
  const found = /^http:\/\/([A-Za-z0-9.-]+):(\d{1,5})\/?$/.exec(text);
  if (found?.[1] === undefined) {
    throw refused("HTTPS_PROXY", "HTTPS_PROXY is not http://HOST:PORT, the only form supported");
  }
  return { host: found[1], port: Number(found[2]) };
}

// An entry is `*`, a name, or a domain with or without a leading dot, as curl reads it.
function isExempt(host: string, list: string): boolean {
  return list.split(",").some((entry) => {
    const name = entry.trim().toLowerCase().replace(/^\./, "");
    return name === "*" || (name !== "" && (host === name || host.endsWith(`.${name}`)));
  });
}

/**
 * Opens a tunnel through the proxy. The proxy resolves the name, so its address cannot be checked
 * here; the certificate is. An abort closes the connection.
 * @throws LinksealError with `transport.unreachable`
 */
export function tunnel(
  proxy: Proxy,
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const target = `${host}:${port}`;
    const call = httpRequest({
      ...proxy,
      method: "CONNECT",
      path: target,
      headers: { host: target },
      agent: false,
      signal,
    });
    call.once("connect", (reply, socket) => {
      if (reply.statusCode === 200) resolve(socket);
      else {
        socket.destroy();
        reject(refused(target, `the proxy answers ${reply.statusCode ?? 0}`));
      }
    });
    call.once("error", (error) => {
      if (signal.aborted) reject(signal.reason);
      else reject(refused(target, `the proxy does not answer (${errnoOf(error)})`));
    });
    call.end();
  });
}

function refused(where: string, text: string): LinksealError {
  return new LinksealError("transport.unreachable", text, {
    effect: "none",
    where,
    next: "HTTPS_PROXY and NO_PROXY of the agent's environment",
  });
}
