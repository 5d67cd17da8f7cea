// Who may speak to the status page: a browser that called it by a name of its own, from its own
// page. Both are forged by no page of another origin (DNS rebinding, cross-site WebSockets).

import { BlockList, isIP, isIPv4 } from "node:net";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Returns true for a loopback address, written without brackets. */
export function isLoopback(host: string): boolean {
  return isIP(host) !== 0 && loopback.check(host, isIPv4(host) ? "ipv4" : "ipv6");
}

const ownName = /^(localhost|127\.0\.0\.1|\[::1\])$/i;

/**
 * Returns true if the Host of a request is a name of this host, or one that our certificate is good
 * for. Any port counts: the operator may have forwarded one.
 */
export function isOwnHost(
  header: string | undefined,
  certifies: ((name: string) => boolean) | undefined,
): boolean {
  const [, name] =
    /^([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/.exec(header ?? "") ?? [];
  if (name === undefined) return false;
  if (certifies === undefined) return ownName.test(name);
  return certifies(name.replace(/^\[(.*)\]$/, "$1"));
}

/** Returns true if a request comes from the page itself; no browser leaves the Origin out. */
export function isOwnOrigin(
  origin: string | undefined,
  host: string | undefined,
  scheme: "http" | "https",
): boolean {
  return origin !== undefined && host !== undefined && origin === `${scheme}://${host}`;
}

/** Returns the value of a cookie (RFC 6265); undefined if that name is missing or set twice. */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  const values = (header ?? "")
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
  return values.length === 1 ? values[0] : undefined;
}
