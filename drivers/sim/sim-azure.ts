// The far end and the vault of a simulated site, reached over its socket.

import {
  absent,
  type Decoder,
  dictionary,
  each,
  flag,
  list,
  Malformed,
  name,
  number,
  object,
  oneOf,
  optional,
  property,
} from "#hal/decoder.ts";
import type { PeerDetails, PeerPort, PeerState } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import { Secret } from "#hal/secret.ts";
import type { KeyVault, SecretVersion } from "#hal/vault.ts";
import type { Dialer } from "#hal/world.ts";
import { suite, wallTime } from "../local/state.ts";
import { ask, askJson, type LocalCall, type LocalLine, parsed } from "../local/wire.ts";

const replyBytesMax = 64 * 1024;
const versionListBytesMax = 1024 * 1024;
/** Key Vault's own limit for a value. */
const secretBytesMax = 25 * 1024;
const versionsMax = 500;
const tagsMax = 15;
const circuitsMax = 64;

/** Returns the far end of one link of an expressRoutePort; its signal bounds every call. */
export function simPeer(
  dial: Dialer,
  address: string,
  port: string,
  link: "link1" | "link2",
): PeerPort {
  const line: LocalLine = { dial, address };
  const where = `${port} ${link}`;
  const call = (path: string, body: object, effect: LocalCall["effect"]): LocalCall => ({
    method: "POST",
    path,
    body: [encodeJson({ port, link, ...body })],
    replyBytesMax,
    where,
    effect,
  });
  const observeCall = call("/peers/observe", {}, "none");
  let last: { readonly body: Uint8Array; readonly state: PeerState } | undefined;
  return {
    async observe(signal) {
      const body = await ask(line, observeCall, signal);
      // It seldom changes, and a fleet run reads it a million times.
      const isSame = last !== undefined && Buffer.compare(last.body, body) === 0;
      if (last === undefined || !isSame)
        last = { body, state: parsed(body, readPeer, observeCall) };
      return last.state;
    },
    async put(want, accepted, signal) {
      const asked = call("/peers/put", { want }, "unknown");
      const operation = await askJson(line, asked, property("operation", name), signal);
      await accepted(operation);
    },
  };
}

// If only one id is set, the other one is empty.
const id: Decoder<string> = (value, what) => (value === "" ? "" : name(value, what));

const details = object<PeerDetails>({
  identity: oneOf(["present", "missing"]),
  bandwidthGbps: optional(number),
  cipher: optional(name),
  provisioning: object(each(["port", "link"], optional(name))),
  failure: optional(name),
  circuits: list(name, circuitsMax),
  lag: absent(object(each(["members", "least"], number))),
});

const peer = object<PeerState>({
  pointsAt: optional(object(each(["cakSecretId", "cknSecretId"], id))),
  suite: optional(suite),
  sci: oneOf(["on", "off"]),
  admin: oneOf(["up", "down"]),
  provisioning: oneOf(["settled", "updating", "failed", "unknown"]),
  revision: optional(name),
  operation: optional(name),
  details: absent(details),
});

const readPeer = (value: unknown): PeerState => peer(value, "peer");

/**
 * Returns the vault of a simulated site. Its errors are `vault.*` with effect "none"; its signal
 * bounds every call.
 */
export function simVault(dial: Dialer, address: string): KeyVault {
  const line: LocalLine = { dial, address };
  const call = (path: string, where: string, bytesMax: number): LocalCall => ({
    method: "GET",
    path,
    replyBytesMax: bytesMax,
    where,
    effect: "none",
  });
  return {
    versions(secretName, signal) {
      const path = `/vault/secrets/${encodeURIComponent(secretName)}/versions`;
      const asked = call(path, secretName, versionListBytesMax);
      return asVault(askJson(line, asked, readVersions, signal));
    },
    async read(id, signal) {
      const path = /^https:\/\/[^/]+(\/secrets\/[\w-]{1,127}\/[0-9a-f]{32})$/.exec(id)?.[1];
      if (path === undefined) throw vaultError("vault.malformedKey", id, "no versioned secret id");
      const asked = call(`/vault${path}`, id, secretBytesMax);
      const value = await asVault(ask(line, asked, signal));
      if (value.length > 0) return Secret.take(labelOf(id), value);
      throw vaultError("vault.malformedKey", id, "the value is empty");
    },
  };
}

function labelOf(id: string): string {
  return id.split("/").at(-2) ?? "secret";
}

const tag: Decoder<string> = (value) => {
  if (typeof value === "string" && value.length <= 512) return value;
  throw new Malformed("tags");
};

const tags: Decoder<SecretVersion["tags"]> = (value, what) => {
  const all = dictionary(tag)(value, what);
  if (Object.keys(all).length > tagsMax) throw new Malformed("tags");
  return all;
};

const readVersions = property(
  "versions",
  list(
    object<SecretVersion>({
      ...{ id: name, enabled: flag, created: wallTime },
      ...each(["notBefore", "expires"], optional(wallTime)),
      tags,
    }),
    versionsMax,
  ),
);

async function asVault<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof LinksealError) || error.code.startsWith("vault.")) throw error;
    throw vaultError("vault.unreachable", error.where, error.message);
  }
}

function vaultError(
  code: "vault.unreachable" | "vault.malformedKey",
  where: string,
  text: string,
): LinksealError {
  return new LinksealError(code, text, { effect: "none", where, next: "linkseal keys check" });
}
