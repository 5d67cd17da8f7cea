// Key Vault's secrets as its REST interface serves them, in front of the simulated vault, which has
// purge protection: what is deleted can be recovered, and nothing else.

import { LinksealError } from "#hal/error.ts";
import type { SecretVersion } from "#hal/vault.ts";
import type { WallTime } from "#hal/world.ts";
import type { Attributes, SimVault, VersionDetail } from "../site/vault.ts";
import {
  type AzureReply,
  type AzureRequest,
  bearerOf,
  cut,
  isObject,
  type JsonObject,
  objectOf,
  type Route,
  refusal,
  reply,
  textOf,
} from "./http.ts";
import type { Tokens } from "./tokens.ts";

export interface KeyVaultOptions {
  readonly vault: SimVault;
  readonly tokens: Tokens;
  readonly authority: string;
  readonly tenant: string;
  /** Client ids that may put and change secrets; all others may get and list. */
  readonly writers: readonly string[] | "everybody";
  /** The names of the secrets with CKNs, which are public. */
  readonly cknNames: ReadonlySet<string>;
}

/** The resource names of the vaults of each cloud, and that of a local one. */
export const vaultResources = [
  "https://vault.azure.net",
  "https://vault.usgovcloudapi.net",
  "https://vault.azure.cn",
  "https://vault.localhost",
] as const;

const pageMax = 25;
const valueMax = 25_600;
const tagsMax = 15;

/** The time after which a deleted secret is gone, in days. */
const recoverableDays = 90;
const dayMs = 86_400_000;

export class KeyVaultEmulator {
  readonly #options: KeyVaultOptions;
  /** The names of secrets by the text of their backup. */
  readonly #backups = new Map<string, string>();

  constructor(options: KeyVaultOptions) {
    this.#options = options;
  }

  /** Answers a request for any path under `/secrets` or `/deletedsecrets`. */
  answer(request: AzureRequest, route: Route): AzureReply {
    return (
      this.#stranger(request, route) ??
      badVersion(route) ??
      this.#struck(request) ??
      this.#answer(request, route)
    );
  }

  /** Completes a 401 as a client expects it: where to get a token, and for which resource. */
  challenged(answer: AzureReply, { host }: AzureRequest): AzureReply {
    if (answer.status !== 401) return answer;
    const { authority, tenant } = this.#options;
    const name = host.replace(/:\d+$/, "");
    const resource =
      vaultResources.find((one) => name.endsWith(`.${new URL(one).hostname}`)) ?? vaultResources[0];
    const challenge = `Bearer authorization="${authority}/${tenant}", resource="${resource}"`;
    return { ...answer, headers: { ...answer.headers, "www-authenticate": challenge } };
  }

  #stranger(request: AzureRequest, { method }: Route): AzureReply | undefined {
    const { tokens, writers } = this.#options;
    const verdict = tokens.check(bearerOf(request), vaultResources);
    if (verdict.kind === "bad") {
      const message = {
        missing: "AKV10000: Request is missing a Bearer or PoP token.",
        unknown: "AKV10032: Invalid issuer.",
        expired: "Error validating token: the token has expired.",
        audience: "AKV10022: Invalid audience.",
      }[verdict.why];
      return this.challenged(refusal(401, { code: "Unauthorized", message }), request);
    }
    if (method === "GET" || writers === "everybody") return undefined;
    if (writers.includes(verdict.grant.clientId)) return undefined;
    const message = "Caller is not authorized to perform action on resource.";
    return refusal(403, { code: "Forbidden", message, inner: "ForbiddenByRbac" });
  }

  // The faults of the site's vault affect every client here, as they do over the site's protocol.
  #struck({ host }: AzureRequest): AzureReply | undefined {
    const faults = this.#options.vault.faults();
    if (faults.has("down")) throw cut(host);
    if (faults.has("throttled")) {
      const body = { code: "Throttled", message: "The request was throttled." };
      return refusal(429, body, { "retry-after": "1" });
    }
    if (!faults.has("denied")) return undefined;
    const message = "Caller is not authorized to perform action on resource.";
    return refusal(403, { code: "Forbidden", message, inner: "ForbiddenByRbac" });
  }

  #answer(request: AzureRequest, { method, segments, query }: Route): AzureReply {
    const [root = "", name, version] = segments;
    if (segments.length > 3) return badParameter("The path is not valid.");
    const isDeleted = root.toLowerCase() === "deletedsecrets";
    if (name === undefined) {
      if (method !== "GET") return notAllowed(method);
      return isDeleted ? this.#deletedNames(request, query) : this.#names(request, query);
    }
    if (!/^[0-9a-z-]{1,127}$/i.test(name)) return badParameter(`The name ${name} is not valid.`);
    if (isDeleted) return this.#deleted(name, `${method} ${version ?? ""}`);
    if (method === "GET" && version === "versions") return this.#versions(request, name, query);
    if (method === "GET") return this.#value(name, version);
    if (method === "PATCH") return this.#patch(name, version, request.body);
    if (method === "POST" && version === "backup") return this.#backup(name);
    if (version !== undefined) return notAllowed(method);
    if (method === "PUT") return this.#put(name, request.body);
    if (method === "DELETE") return this.#delete(name);
    if (method === "POST" && name === "restore") return this.#restore(request.body);
    return notAllowed(method);
  }

  #delete(name: string): AzureReply {
    const isGone = this.#options.vault.delete(name);
    return isGone ? this.#deleted(name, "GET ") : missing(name, undefined);
  }

  #deleted(name: string, asked: string): AzureReply {
    const { vault } = this.#options;
    const found = vault.deleted().get(name);
    if (found === undefined) return missing(name, undefined);
    switch (asked) {
      case "GET ":
        return reply(200, this.#deletedBundle(name, found));
      case "POST recover":
        vault.recover(name);
        return reply(200, bundle(found.newest));
      case "DELETE ": {
        const message = `Operation "purge" is not allowed because purge protection is enabled.`;
        return refusal(403, { code: "Forbidden", message });
      }
      default:
        return notAllowed(asked.trim());
    }
  }

  #deletedNames(request: AzureRequest, query: Route["query"]): AzureReply {
    const { vault } = this.#options;
    const items = [...vault.deleted()].map(([name, found]) => ({
      ...this.#deletedBundle(name, found),
      id: `${vault.base}/secrets/${name}`,
    }));
    return page(request, "/deletedsecrets", items, query);
  }

  #deletedBundle(name: string, { at, newest }: { at: WallTime; newest: VersionDetail }) {
    return {
      ...bundle(newest),
      recoveryId: `${this.#options.vault.base}/deletedsecrets/${name}`,
      deletedDate: seconds(at),
      scheduledPurgeDate: seconds(at + recoverableDays * dayMs),
    };
  }

  // The text says nothing about the secret: only this vault can read it.
  #backup(name: string): AzureReply {
    if (this.#newest(name) === undefined) return missing(name, undefined);
    const value = Buffer.from(`backup ${this.#backups.size + 1}`).toString("base64url");
    this.#backups.set(value, name);
    return reply(200, { value });
  }

  // A name is in use for ever in a vault with purge protection.
  #restore(text: string): AzureReply {
    const name = this.#backups.get(textOf(objectOf(text)?.["value"]) ?? "");
    if (name === undefined) return badParameter("The backup blob is not valid.");
    const message = `There was a conflict restoring the secret ${name}: it exists.`;
    return refusal(409, { code: "Conflict", message });
  }

  #newest(name: string): VersionDetail | undefined {
    const { vault } = this.#options;
    const id = vault.versions(name).at(-1)?.id;
    return id === undefined ? undefined : vault.detail(id);
  }

  #value(name: string, version: string | undefined): AzureReply {
    const { vault } = this.#options;
    // A real vault picks the newest version, not the newest that is enabled.
    const id =
      version === undefined
        ? vault.versions(name).at(-1)?.id
        : `${vault.base}/secrets/${name}/${version.toLowerCase()}`;
    const detail = id === undefined ? undefined : vault.detail(id);
    if (id === undefined || detail === undefined) return missing(name, version);
    try {
      return reply(200, { value: vault.value(id), ...bundle(detail) });
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      const message = "Operation get is not allowed on a disabled secret.";
      return refusal(403, { code: "Forbidden", message, inner: "SecretDisabled" });
    }
  }

  // The order is arbitrary, so that no client can depend on it.
  #versions(request: AzureRequest, name: string, query: Route["query"]): AzureReply {
    const { vault } = this.#options;
    const details = vault.versions(name).flatMap(({ id }) => vault.detail(id) ?? []);
    if (details.length === 0) return missing(name, undefined);
    const items = details
      .toSorted((a, b) => (a.version.id < b.version.id ? -1 : 1))
      .map((detail) => bundle(detail));
    return page(request, `/secrets/${name}/versions`, items, query);
  }

  #names(request: AzureRequest, query: Route["query"]): AzureReply {
    const { vault } = this.#options;
    const items = vault.names().flatMap((name) => {
      const detail = this.#newest(name);
      const id = `${vault.base}/secrets/${name}`;
      return detail === undefined ? [] : [{ ...bundle(detail), id }];
    });
    return page(request, "/secrets", items, query);
  }

  #put(name: string, text: string): AzureReply {
    const { vault, cknNames } = this.#options;
    const body = objectOf(text);
    const value = body?.["value"];
    if (body === undefined || typeof value !== "string") {
      return badParameter("Property value is not specified.");
    }
    if (value.length > valueMax) return badParameter("The value is longer than 25 KB.");
    const wanted = attributesOf(body);
    if (typeof wanted === "string") return badParameter(wanted);
    if (vault.deleted().has(name)) {
      const inner = "ObjectIsDeletedButRecoverable";
      return refusal(409, { code: "Conflict", message: `Secret ${name} is deleted.`, inner });
    }
    const holds = cknNames.has(name) ? ({ holds: "ckn" } as const) : {};
    const { notBefore, expires, ...rest } = wanted;
    const id = vault.put(name, value, {
      ...rest,
      ...(notBefore === undefined ? {} : { notBefore }),
      ...(expires === undefined ? {} : { expires }),
      ...holds,
    });
    const detail = vault.detail(id);
    return detail === undefined ? missing(name, id) : reply(200, { value, ...bundle(detail) });
  }

  #patch(name: string, version: string | undefined, text: string): AzureReply {
    const { vault } = this.#options;
    const id =
      version === undefined
        ? this.#newest(name)?.version.id
        : `${vault.base}/secrets/${name}/${version.toLowerCase()}`;
    if (id === undefined || vault.detail(id) === undefined) return missing(name, version);
    const wanted = attributesOf(objectOf(text) ?? {});
    if (typeof wanted === "string") return badParameter(wanted);
    vault.update(id, wanted);
    const detail = vault.detail(id);
    return detail === undefined ? missing(name, version) : reply(200, bundle(detail));
  }
}

function bundle({ version, updated, contentType }: VersionDetail): JsonObject {
  const { id, enabled, created, notBefore, expires, tags } = version;
  return {
    id,
    ...(contentType === undefined ? {} : { contentType }),
    attributes: {
      enabled,
      ...(notBefore === undefined ? {} : { nbf: seconds(notBefore) }),
      ...(expires === undefined ? {} : { exp: seconds(expires) }),
      created: seconds(created),
      updated: seconds(updated),
      recoveryLevel: "Recoverable",
      recoverableDays,
    },
    ...(Object.keys(tags).length === 0 ? {} : { tags }),
  };
}

/** Reads the attributes of a body; returns a sentence if the body asks for the impossible. */
function attributesOf(body: JsonObject): Attributes | string {
  const { tags, contentType } = body;
  const given = isObject(body["attributes"]) ? body["attributes"] : {};
  const enabled = given["enabled"];
  const wanted: { -readonly [K in keyof Attributes]: Attributes[K] } = {};
  if (typeof enabled === "boolean") wanted.enabled = enabled;
  for (const [name, field] of [
    ["nbf", "notBefore"],
    ["exp", "expires"],
  ] as const) {
    const value = given[name];
    if (typeof value === "number" && Number.isSafeInteger(value)) {
      wanted[field] = (value * 1000) as WallTime;
    } else if (value !== undefined && value !== null) {
      return `Property attributes.${name} has an invalid value.`;
    }
  }
  if (contentType !== undefined) {
    const text = textOf(contentType);
    if (text === undefined || text.length > 255) return "Property contentType is not valid.";
    wanted.contentType = text;
  }
  if (tags !== undefined && tags !== null) {
    const read = tagsOf(tags);
    if (read === undefined) return "Property tags is not valid.";
    wanted.tags = read;
  }
  return wanted;
}

function tagsOf(tags: unknown): SecretVersion["tags"] | undefined {
  if (!isObject(tags)) return undefined;
  const pairs = Object.entries(tags).map(([name, value]) => [name, textOf(value)] as const);
  const sound = pairs.every(([name, value]) => name.length <= 512 && (value ?? "").length <= 512);
  if (!sound || pairs.length > tagsMax) return undefined;
  return Object.fromEntries(pairs.map(([name, value]) => [name, value ?? ""]));
}

function page(
  { host }: AzureRequest,
  path: string,
  items: readonly JsonObject[],
  query: Route["query"],
): AzureReply {
  const asked = Number(query.get("maxresults") ?? pageMax);
  if (!Number.isInteger(asked) || asked < 1 || asked > pageMax) {
    return badParameter("maxresults must be from 1 to 25.");
  }
  const start = Number(query.get("$skiptoken") ?? 0);
  if (!Number.isInteger(start) || start < 0) return badParameter("$skiptoken is not valid.");
  const end = start + asked;
  const version = query.get("api-version") ?? "";
  const where = `https://${host}${path}?api-version=${version}`;
  const next = `${where}&$skiptoken=${end}&maxresults=${asked}`;
  return reply(200, {
    value: items.slice(start, end),
    nextLink: end < items.length ? next : null,
  });
}

function badVersion({ query }: Route): AzureReply | undefined {
  const version = query.get("api-version");
  if (version === undefined) return badParameter("api-version must be specified.");
  if (/^(7\.[0-6]|2025-07-01|2026-04-01)$/.test(version)) return undefined;
  return badParameter(`The specified version (${version}) is not recognized.`);
}

function missing(name: string, version: string | undefined): AzureReply {
  const which = version === undefined ? name : `${name}/${version}`;
  const message = `A secret with (name/id) ${which} was not found in this key vault.`;
  return refusal(404, { code: "SecretNotFound", message });
}

function badParameter(message: string): AzureReply {
  return refusal(400, { code: "BadParameter", message });
}

function notAllowed(method: string): AzureReply {
  return refusal(405, { code: "MethodNotAllowed", message: `${method} is not allowed here.` });
}

function seconds(at: number): number {
  return Math.floor(at / 1000);
}
