// What Azure's answers mean for the operator: one table per service, read from status and code and
// never from the server's own sentences.

import { type ErrorCode, LinksealError } from "#hal/error.ts";
import type { HttpReply } from "#hal/world.ts";
import type { LibraryService } from "./guard.ts";

export interface Answer {
  readonly service: LibraryService;
  /** The secret, version or endpoint that was asked about. */
  readonly where: string;
  readonly reply: HttpReply;
  /** How long the service is left alone; 0 = no such wait. */
  readonly waitMs: number;
}

interface Row {
  /** Matched against `STATUS CODE`. */
  readonly when: RegExp;
  readonly code: Extract<ErrorCode, `vault.${string}`>;
  readonly text: string;
  readonly next: string;
}

const check = "linkseal keys check";

const vaultRows: readonly Row[] = [
  {
    when: /^401 /,
    code: "vault.denied",
    text: "the vault does not accept the token of this identity",
    next: "compare the tenant of azure.identity with the vault's tenant",
  },
  {
    when: /^403 .*ForbiddenByRbac/,
    code: "vault.denied",
    text: "this identity has no role that reads secrets here",
    next: "give it the role Key Vault Secrets User on this vault",
  },
  {
    when: /^403 .*(ForbiddenByPolicy|AccessDenied)/,
    code: "vault.denied",
    text: "no access policy of the vault names this identity",
    next: "give it an access policy with get and list of secrets",
  },
  {
    when: /^403 .*ForbiddenByFirewall/,
    code: "vault.denied",
    text: "the vault's firewall does not let this host in",
    next: "allow this host's public address in the vault's firewall",
  },
  {
    when: /^403 .*ForbiddenByConnection/,
    code: "vault.denied",
    text: "the vault answers over its private endpoint alone",
    next: "resolve its name to the private endpoint here, and list it in azure.privateEndpoints",
  },
  {
    when: /^403 .*SecretDisabled/,
    code: "vault.denied",
    text: "this version is disabled",
    next: "enable it, or write a new pair: linkseal keys generate",
  },
  { when: /^403 /, code: "vault.denied", text: "the vault refuses this identity", next: check },
  {
    when: /^404 /,
    code: "vault.malformedKey",
    text: "there is no such secret or version",
    next: "compare the names under key in the config with the vault",
  },
  {
    when: /^409 /,
    code: "vault.malformedKey",
    text: "a deleted secret of this name is in the way",
    next: "recover or purge it in the vault",
  },
  {
    when: /^400 /,
    code: "vault.malformedKey",
    text: "the vault does not understand the request",
    next: check,
  },
];

/** By the number of Entra's own error, which it puts into its answer. */
const entraRows: readonly Row[] = [
  {
    when: /AADSTS(90002|900023)\b/,
    code: "vault.denied",
    text: "Entra knows no such tenant",
    next: "correct azure.identity's tenant, or the cloud",
  },
  {
    when: /AADSTS700016\b/,
    code: "vault.denied",
    text: "Entra knows no such application in this tenant",
    next: "correct azure.identity's client or tenant",
  },
  {
    when: /AADSTS(700027|7000232)\b/,
    code: "vault.denied",
    text: "the certificate is not registered with the application",
    next: "upload the certificate to the application, or correct azure.identity's certificate",
  },
  {
    when: /AADSTS700024\b/,
    code: "vault.denied",
    text: "Entra finds the sign-in too old or too new",
    next: "compare this host's clock",
  },
  {
    when: /AADSTS(70021|700213)\d*\b/,
    code: "vault.denied",
    text: "no federated credential of the application matches the token",
    next: "compare issuer, subject and audience of the federated credential",
  },
  {
    when: /^4\d\d /,
    code: "vault.denied",
    text: "Entra refuses this identity",
    next: "look at the sign-in logs of the application",
  },
];

const identityRows: readonly Row[] = [
  {
    when: /^(400|404|410) /,
    code: "vault.denied",
    text: "this host has no such managed identity",
    next: "compare azure.identity with the identities of this machine",
  },
  {
    when: /^4\d\d /,
    code: "vault.denied",
    text: "the identity endpoint of this host refuses us",
    next: "put the agent's user into the group himds (Arc), then restart",
  },
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

/** The error that an answer is; undefined = the client library goes on with it. */
export function answerError(answer: Answer): LinksealError | undefined {
  const { service, where, reply, waitMs } = answer;
  const { status } = reply;
  if (status >= 200 && status < 300) return undefined;
  const name = names[service];
  if (status >= 300 && status < 400) {
    return problem("vault.unreachable", `${name} sends elsewhere (${status}), not followed`, where);
  }
  const code = codeOf(reply);
  // Whoever signs in with a device code is asked for again and again until they have.
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

export function problem(
  code: Row["code"],
  text: string,
  where: string,
  next = check,
  cause?: unknown,
): LinksealError {
  return new LinksealError(code, text, { effect: "none", where, next, cause });
}

// Codes are single words; whatever else a body says is not repeated, because it may hold anything.
function codeOf({ body }: HttpReply): string {
  const text = new TextDecoder().decode(body.subarray(0, 4_096));
  const words = [...text.matchAll(/"(?:code|error)"\s*:\s*"([A-Za-z_]{1,64})"/g)];
  const entra = /AADSTS\d{1,9}/.exec(text)?.[0];
  const known = words.map(([, word]) => word ?? "");
  return [...new Set(entra === undefined ? known : [...known, entra])].slice(0, 3).join(" ");
}

/** A failed connection in the vault's terms: it is always the vault that is out of reach. */
export function connectionError(service: LibraryService, where: string, error: LinksealError) {
  if (error.code.startsWith("vault.")) return error;
  const next = error.next === "linkseal status" ? nextStep(service) : error.next;
  const text = `${names[service]}: ${error.message}`;
  return problem("vault.unreachable", text, where, next, error);
}

function nextStep(service: LibraryService): string {
  return service === "identity" ? "systemctl status himdsd (Arc), or azure.identity" : check;
}
