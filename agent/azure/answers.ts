// What an HTTP reply of Azure means for the operator: one table per service, keyed by status and
// error code and never by the sentences of the server.

import { type ErrorCode, LinksealError } from "#hal/error.ts";
import type { HttpReply } from "#hal/world.ts";
import type { LibraryService } from "./guard.ts";

export interface Answer {
  readonly service: LibraryService;
  /** The secret, version or endpoint that was asked for. */
  readonly where: string;
  readonly reply: HttpReply;
  /** How long no request is sent to this service, in milliseconds; 0 = no such wait. */
  readonly waitMs: number;
}

interface Row {
  /** Matched against `STATUS CODE`. */
  readonly when: RegExp;
  readonly code: Extract<ErrorCode, `vault.${string}`>;
  readonly text: string;
  readonly next: string;
}

const rowOf =
  (code: Row["code"]) =>
  (when: RegExp, text: string, next: string): Row => ({ when, code, text, next });

const denied = rowOf("vault.denied");
const malformed = rowOf("vault.malformedKey");
const check = "linkseal keys check";

const vaultRows: readonly Row[] = [
  denied(
    /^401 /,
    "the vault does not accept the token of this identity",
    "compare the tenant of azure.identity with the vault's tenant",
  ),
  denied(
    /^403 .*ForbiddenByRbac/,
    "this identity has no role that reads secrets here",
    "give it the role Key Vault Secrets User on this vault",
  ),
  denied(
    /^403 .*(ForbiddenByPolicy|AccessDenied)/,
    "no access policy of the vault names this identity",
    "give it an access policy with get and list of secrets",
  ),
  denied(
    /^403 .*ForbiddenByFirewall/,
    "the vault's firewall does not let this host in",
    "allow this host's public address in the vault's firewall",
  ),
  denied(
    /^403 .*ForbiddenByConnection/,
    "the vault answers over its private endpoint alone",
    "resolve its name to the private endpoint here, and list it in azure.privateEndpoints",
  ),
  denied(
    /^403 .*SecretDisabled/,
    "this version is disabled",
    "enable it, or write a new pair: linkseal keys generate",
  ),
  denied(/^403 /, "the vault refuses this identity", check),
  malformed(
    /^404 /,
    "there is no such secret or version",
    "compare the names under key in the config with the vault",
  ),
  malformed(
    /^409 /,
    "a deleted secret of this name is in the way",
    "recover or purge it in the vault",
  ),
  malformed(/^400 /, "the vault does not understand the request", check),
];

/** Matched by the number of Entra's own error (AADSTS...), which its reply contains. */
const entraRows: readonly Row[] = [
  denied(
    /AADSTS(90002|900023)\b/,
    "Entra knows no such tenant",
    "correct azure.identity's tenant, or the cloud",
  ),
  denied(
    /AADSTS700016\b/,
    "Entra knows no such application in this tenant",
    "correct azure.identity's client or tenant",
  ),
  denied(
    /AADSTS(700027|7000232)\b/,
    "the certificate is not registered with the application",
    "upload the certificate to the application, or correct azure.identity's certificate",
  ),
  denied(
    /AADSTS700024\b/,
    "Entra finds the sign-in too old or too new",
    "compare this host's clock",
  ),
  denied(
    /AADSTS(70021|700213)\d*\b/,
    "no federated credential of the application matches the token",
    "compare issuer, subject and audience of the federated credential",
  ),
  denied(/^4\d\d /, "Entra refuses this identity", "look at the sign-in logs of the application"),
];

const identityRows: readonly Row[] = [
  denied(
    /^(400|404|410) /,
    "this host has no such managed identity",
    "compare azure.identity with the identities of this machine",
  ),
  denied(
    /^4\d\d /,
    "the identity endpoint of this host refuses us",
    "put the agent's user into the group himds (Arc), then restart",
  ),
];

const rows: Readonly<Record<LibraryService, readonly Row[]>> = {
  vault: vaultRows,
  authority: entraRows,
  identity: identityRows,
};

const names: Readonly<Record<LibraryService, string>> = {
  vault: "the vault",
  authority: "Entra",
  identity: "the identity endpoint of this host",
};

/** Returns the error that a reply means; undefined = the client library handles it. */
export function answerError(answer: Answer): LinksealError | undefined {
  const { service, where, reply, waitMs } = answer;
  const { status } = reply;
  if (status >= 200 && status < 300) return undefined;
  const name = names[service];
  if (status >= 300 && status < 400) {
    return problem("vault.unreachable", `${name} sends elsewhere (${status}), not followed`, where);
  }
  const code = codeOf(reply);
  // Entra sends these codes until the operator has signed in with the device code, and the library
  // asks again.
  if (service === "authority" && /^(authorization_pending|slow_down)\b/.test(code)) {
    return undefined;
  }
  const shown = `(${[String(status), code].filter((part) => part !== "").join(" ")})`;
  if (waitMs > 0) {
    const text = `${name} throttles ${shown} and is left alone for ${seconds(waitMs)}`;
    return problem("vault.unreachable", text, where);
  }
  const row = rows[service].find(({ when }) => when.test(`${status} ${code}`));
  if (row !== undefined && status !== 429) {
    return problem(row.code, `${row.text} ${shown}`, where, row.next);
  }
  return problem("vault.unreachable", `${name} fails ${shown}`, where);
}

export function seconds(ms: number): string {
  return `${Math.ceil(ms / 1_000)} s`;
}

/**
 * Makes an error with effect `none` of a service of Azure; `next` is the step that the operator
 * should take.
 */
export function problem(
  code: Row["code"],
  text: string,
  where: string,
  next = check,
  cause?: unknown,
): LinksealError {
  return new LinksealError(code, text, { effect: "none", where, next, cause });
}

// Codes are single words; nothing else of a body is repeated, because it may contain anything.
function codeOf({ body }: HttpReply): string {
  const text = new TextDecoder().decode(body.subarray(0, 4_096));
  const words = [...text.matchAll(/"(?:code|error)"\s*:\s*"([A-Za-z_]{1,64})"/g)];
  const entra = /AADSTS\d{1,9}/.exec(text)?.[0];
  const known = words.map(([, word]) => word ?? "");
  return [...new Set(entra === undefined ? known : [...known, entra])].slice(0, 3).join(" ");
}

/**
 * Turns a failed connection into an error of the vault: for the operator it is always the vault
 * that cannot be reached.
 */
export function connectionError(service: LibraryService, where: string, error: LinksealError) {
  if (error.code.startsWith("vault.")) return error;
  const next = error.next === "linkseal status" ? nextStep(service) : error.next;
  const text = `${names[service]}: ${error.message}`;
  return problem("vault.unreachable", text, where, next, error);
}

function nextStep(service: LibraryService): string {
  return service === "identity" ? "systemctl status himdsd (Arc), or azure.identity" : check;
}
