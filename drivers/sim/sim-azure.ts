// The far end and the vault of a simulated site, over its socket.

import type { PeerDetails, PeerPort, PeerState } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import { Secret } from "#hal/secret.ts";
import type { KeyVault, SecretVersion } from "#hal/vault.ts";
import type { Dialer, WallTime } from "#hal/world.ts";
import {
  field,
  flag,
  type JsonObject,
  list,
  Malformed,
  name,
  names,
  number,
  oneOf,
  optional,
  record,
  recordOf,
} from "../local/shape.ts";
import { ask, askJson, type LocalLine, parsed, type Question } from "../local/wire.ts";

const replyBytesMax = 64 * 1024;
const versionListBytesMax = 1024 * 1024;
/** Key Vault's own limit for a value. */
const secretBytesMax = 25 * 1024;
const versionsMax = 500;
const tagsMax = 15;

/** One link of an expressRoutePort; every call is bounded by its signal. */
export function simPeer(
  dial: Dialer,
  address: string,
  port: string,
  link: "link1" | "link2",
): PeerPort {
  const line: LocalLine = { dial, address };
  const where = `${port} ${link}`;
  const question = (path: string, body: object, effect: Question["effect"]): Question => ({
    method: "POST",
    path,
    body: [encodeJson({ port, link, ...body })],
    replyBytesMax,
    where,
    effect,
  });
  const look = question("/peers/observe", {}, "none");
  let last: { readonly body: Uint8Array; readonly state: PeerState } | undefined;
  return {
    async observe(signal) {
      const body = await ask(line, look, signal);
      // It seldom changes, and a fleet run asks a million times.
      const isSame = last !== undefined && Buffer.compare(last.body, body) === 0;
      if (last === undefined || !isSame) last = { body, state: parsed(body, readPeer, look) };
      return last.state;
    },
    async put(want, accepted, signal) {
      const asked = question("/peers/put", { want }, "unknown");
      const operation = await askJson(
        line,
        asked,
        (value) => name(recordOf(value, "reply"), "operation"),
        signal,
      );
      await accepted(operation);
    },
  };
}

function readPeer(value: unknown): PeerState {
  const state = recordOf(value, "peer");
  return {
    pointsAt: optional(readIds, state, "pointsAt"),
    suite: optional(
      (parent, key) =>
        oneOf(parent, key, ["gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"]),
      state,
      "suite",
    ),
    sci: oneOf(state, "sci", ["on", "off"]),
    admin: oneOf(state, "admin", ["up", "down"]),
    provisioning: oneOf(state, "provisioning", ["settled", "updating", "failed"]),
    operation: optional(name, state, "operation"),
    ...(field(state, "details") === undefined ? {} : { details: readDetails(state, "details") }),
  };
}

function readIds(parent: JsonObject, key: string): NonNullable<PeerState["pointsAt"]> {
  const ids = record(parent, key);
  // One alone is empty in the other's place.
  const id = (which: string): string => (field(ids, which) === "" ? "" : name(ids, which));
  return { cakSecretId: id("cakSecretId"), cknSecretId: id("cknSecretId") };
}

const circuitsMax = 64;

function readDetails(parent: JsonObject, key: string): PeerDetails {
  const details = record(parent, key);
  const states = record(details, "provisioning");
  const lag = optional(record, details, "lag");
  return {
    identity: oneOf(details, "identity", ["present", "missing"]),
    bandwidthGbps: optional(number, details, "bandwidthGbps"),
    cipher: optional(name, details, "cipher"),
    provisioning: { port: optional(name, states, "port"), link: optional(name, states, "link") },
    failure: optional(name, details, "failure"),
    circuits: names(details, "circuits", circuitsMax),
    ...(lag === undefined
      ? {}
      : { lag: { members: number(lag, "members"), least: number(lag, "least") } }),
  };
}

/** Errors are `vault.*` with effect "none"; every call is bounded by its signal. */
export function simVault(dial: Dialer, address: string): KeyVault {
  const line: LocalLine = { dial, address };
  const question = (path: string, where: string, bytesMax: number): Question => ({
    method: "GET",
    path,
    replyBytesMax: bytesMax,
    where,
    effect: "none",
  });
  return {
    versions(secretName, signal) {
      const path = `/vault/secrets/${encodeURIComponent(secretName)}/versions`;
      const asked = question(path, secretName, versionListBytesMax);
      return asVault(askJson(line, asked, readVersions, signal));
    },
    async read(id, signal) {
      const path = /^https:\/\/[^/]+(\/secrets\/[\w-]{1,127}\/[0-9a-f]{32})$/.exec(id)?.[1];
      if (path === undefined) throw vaultError("vault.malformedKey", id, "no versioned secret id");
      const asked = question(`/vault${path}`, id, secretBytesMax);
      const value = await asVault(ask(line, asked, signal));
      if (value.length > 0) return Secret.take(labelOf(id), value);
      throw vaultError("vault.malformedKey", id, "the value is empty");
    },
  };
}

function labelOf(id: string): string {
  return id.split("/").at(-2) ?? "secret";
}

function readVersions(value: unknown): readonly SecretVersion[] {
  return list(recordOf(value, "reply"), "versions", versionsMax, (version) => ({
    id: name(version, "id"),
    enabled: flag(version, "enabled"),
    created: number(version, "created") as WallTime,
    notBefore: optional(number, version, "notBefore") as WallTime | undefined,
    expires: optional(number, version, "expires") as WallTime | undefined,
    tags: readTags(record(version, "tags")),
  }));
}

function readTags(tags: JsonObject): Readonly<Record<string, string>> {
  const keys = Object.keys(tags);
  if (keys.length > tagsMax) throw new Malformed("tags");
  return Object.fromEntries(
    keys.map((key) => {
      const value = field(tags, key);
      if (typeof value !== "string" || value.length > 512) throw new Malformed("tags");
      return [key, value];
    }),
  );
}

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
