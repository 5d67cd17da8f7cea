// The configuration of the engine's server, from a list of users.

import { isUserPublicKey } from "../fleet/nkey.ts";
import { siteAccount, streamsAccount } from "./server-accounts.ts";

export interface EngineUsers {
  /** Public keys of the hubs' users. */
  readonly hubs: readonly string[];
  /** Public keys of the sites' users, by site. */
  readonly sites: ReadonlyMap<string, string>;
}

/** The list, or the number of the first line that is none of it. */
export type ParsedUsers =
  | { readonly kind: "users"; readonly users: EngineUsers }
  | { readonly kind: "fault"; readonly line: number; readonly why: string };

/**
 * Parses the list of users: `hub KEY` or `site NAME KEY` a line; `#` begins a comment. A key is the
 * text that begins with U.
 */
export function parseUsers(text: string): ParsedUsers {
  const hubs: string[] = [];
  const sites = new Map<string, string>();
  const seen = new Set<string>();
  for (const [index, whole] of text.split("\n").entries()) {
    const fault = (why: string): ParsedUsers => ({ kind: "fault", line: index + 1, why });
    const words = whole
      .replace(/#.*/, "")
      .split(/\s+/)
      .filter((word) => word !== "");
    if (words.length === 0) continue;
    const key = words.at(-1) ?? "";
    if (!isUserPublicKey(key)) return fault("it does not end with the public key of a user");
    if (seen.has(key)) return fault("another line has the same key");
    seen.add(key);
    const [kind, name = ""] = words;
    if (kind === "hub" && words.length === 2) hubs.push(key);
    else if (kind === "site" && words.length === 3 && /^[a-z0-9][a-z0-9-]{0,62}$/.test(name)) {
      if (sites.has(name)) return fault(`site ${name} has a key already`);
      sites.set(name, key);
    } else return fault("it is neither `hub KEY` nor `site NAME KEY`");
  }
  return { kind: "users", users: { hubs, sites } };
}

/**
 * Returns the whole configuration file of nats-server 2.10 or newer. Certificate and key are files
 * of that host.
 */
export function serverConfig({ hubs, sites }: EngineUsers): string {
  return [
    "# Written by linkseal hub config; write it anew rather than edit it.",
    "server_name: linkseal-engine",
    'listen: "0.0.0.0:4222"',
    "# /varz, for linkseal hub doctor on this host.",
    'http: "127.0.0.1:8222"',
    "# A report is one message.",
    "max_payload: 5MB",
    "tls {",
    '  cert_file: "/etc/nats/server-cert.pem"',
    '  key_file: "/etc/nats/server-key.pem"',
    "  # TLS from the first octet: linkseal connects in no other way.",
    "  handshake_first: true",
    '  min_version: "1.3"',
    "}",
    "jetstream {",
    '  store_dir: "/var/lib/nats"',
    "  # Without it a message is acknowledged before it is on the disk.",
    "  sync_interval: always",
    "  max_mem: 64MB",
    "  max_file: 32GB",
    "}",
    "accounts {",
    streamsAccount(hubs),
    ...[...sites].map(([site, key]) => siteAccount(site, key)),
    "}",
    "",
  ].join("\n");
}
