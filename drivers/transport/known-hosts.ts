// Which host key a device may show: one that a digest pins, or one that known hosts list.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** The keys that a server may prove to have, before anything is sent to it. */
export interface HostKeys {
  /** Returns whether this key (RFC 4253 6.6) is accepted. */
  readonly accept: (key: Uint8Array) => boolean;
  /** Types of the known keys; empty = any type may be offered. */
  readonly types: readonly string[];
}

const pinPattern = /^SHA256:[A-Za-z0-9+/]{43}=?$/;

export function isPin(text: string): boolean {
  return pinPattern.test(text);
}

/** Returns the digest as `ssh-keygen -lf` prints it. */
export function fingerprint(key: Uint8Array): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

export function pinnedKeys(pin: string): HostKeys {
  const wanted = Buffer.from(pin.replace(/=+$/, ""));
  return {
    accept: (key) => isPin(pin) && same(Buffer.from(fingerprint(key)), wanted),
    types: [],
  };
}

/** Reads the lines of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT", that name this host. */
export function knownKeys(file: string, host: string, port: number): HostKeys {
  const names = port === 22 ? [host] : [`[${host}]:${port}`];
  const keys: { readonly type: string; readonly octets: Buffer }[] = [];
  const revoked: Buffer[] = [];
  for (const line of file.split("\n")) {
    const words = line.trim().split(/\s+/);
    const marker = words[0]?.startsWith("@") === true ? words.shift() : undefined;
    const [patterns = "", type = "", base64 = ""] = words;
    if (patterns.startsWith("#") || base64 === "") continue;
    if (!names.some((name) => matches(patterns, name))) continue;
    const octets = Buffer.from(base64, "base64");
    if (marker === "@revoked") revoked.push(octets);
    else if (marker === undefined) keys.push({ type, octets });
  }
  return {
    accept: (key) => {
      const shown = Buffer.from(key);
      if (revoked.some((octets) => same(octets, shown))) return false;
      return keys.some(({ octets }) => same(octets, shown));
    },
    types: [...new Set(keys.map(({ type }) => type))],
  };
}

function matches(patterns: string, name: string): boolean {
  if (patterns.startsWith("|1|")) {
    const [, , salt = "", digest = ""] = patterns.split("|");
    const found = createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest();
    return same(found, Buffer.from(digest, "base64"));
  }
  // One line with a wildcard would vouch for devices whose keys were never checked.
  return patterns.split(",").includes(name);
}

function same(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
