// What an HTTP reply of Azure means for the operator: one table per service, keyed by status and
// error code and never by the sentences of the server.

import { type ErrorCode, LinksealError } from "#hal/error.ts";
import type { HttpReply } from "#hal/world.ts";
import type { AzureIdentity } from "../model/desired.ts";
import type { LibraryService } from "./guard.ts";

/**
 * How a token is got, on which the operator's next act depends: by the agent's identity in the
 * config, or by the operator's own, which the command line names.
 */
export type SignInKind =
  | "arc"
  | "imds"
  | "appService"
  | "clientCertificate"
  | "workloadIdentity"
  | "operator";

/** Returns how the agent signs in by an identity of the config. */
export function signInKindOf(identity: AzureIdentity): SignInKind {
  return identity.kind === "managedIdentity" ? identity.source : identity.kind;
}

export interface Answer {
  readonly service: LibraryService;
  readonly signIn: SignInKind;
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
  readonly next: string | ((signIn: SignInKind) => string);
}

const rowOf =
  (code: Row["code"]) =>
  (when: RegExp, text: string, next: Row["next"]): Row => ({ when, code, text, next });

const denied = rowOf("vault.denied");
const malformed = rowOf("vault.malformedKey");
const check = "linkseal keys check";

/** Names the identity itself. */
function account(signIn: SignInKind): string {
  return signIn === "operator" ? "your sign-in" : "azure.identity";
}

/** Names the setting that decides a part of the sign-in. */
const setting =
  (name: "tenant" | "client" | "certificate") =>
  (signIn: SignInKind): string =>
    signIn === "operator" ? `--${name}` : `azure.identity's ${name}`;
const [tenant, client, certificate] = [
  setting("tenant"),
  setting("client"),
  setting("certificate"),
];

const vaultRows: readonly Row[] = [
  denied(
    /^401 /,
    "the vault does not accept the token of this identity",
    (signIn) => `compare the tenant of ${account(signIn)} with the vault's tenant`,
  ),
  denied(/^403 .*ForbiddenByRbac/, "this identity has no role that reads secrets here", (signIn) =>
    signIn === "operator"
      ? "get the role Key Vault Secrets User on this vault, for yourself alone"
      : "give it the role Key Vault Secrets User on this vault: linkseal azure setup",
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
    (signIn) => `correct ${tenant(signIn)}, or the cloud`,
  ),
  denied(
    /AADSTS700016\b/,
    "Entra knows no such application in this tenant",
    (signIn) => `correct ${client(signIn)} or ${tenant(signIn)}`,
  ),
  denied(
    /AADSTS(700027|7000232)\b/,
    "the certificate is not registered with the application",
    (signIn) => `upload the certificate to the application, or correct ${certificate(signIn)}`,
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

interface EndpointTexts {
  /** It has no such identity. */
  readonly absent: string;
  /** It refuses a request of the agent. */
  readonly refused: string;
  /** Nothing answers there. */
  readonly silent: string;
}

/** The other ways to sign in use no endpoint of this host. */
const noEndpoint: EndpointTexts = { absent: check, refused: check, silent: check };

/** What an operator does about the identity endpoint of this host, by the kind of identity. */
const endpoints: Readonly<Record<SignInKind, EndpointTexts>> = {
  arc: {
    absent: "azcmagent show: connect this host to Azure Arc, or correct azure.identity",
    refused: "usermod --append --groups himds linkseal, then systemctl restart linkseal",
    silent: "systemctl status himdsd, then azcmagent show",
  },
  imds: {
    absent: "give this machine the identity that azure.identity names: az vm identity show",
    refused:
      "check that this host is a virtual machine of Azure with a managed identity, and that no " +
      "proxy answers for 169.254.169.254",
    silent: "check that this host is a virtual machine of Azure, or correct azure.identity",
  },
  appService: {
    absent: "give this App Service the identity that azure.identity names: az webapp identity show",
    refused: "compare IDENTITY_HEADER of the agent's process with that of the App Service",
    silent: "compare IDENTITY_ENDPOINT of the agent's process with that of the App Service",
  },
  clientCertificate: noEndpoint,
  workloadIdentity: noEndpoint,
  operator: noEndpoint,
};

const identityRows: readonly Row[] = [
  denied(
    /^(400|404|410) /,
    "this host has no such managed identity",
    (signIn) => endpoints[signIn].absent,
  ),
  denied(
    /^4\d\d /,
    "the identity endpoint of this host refuses us",
    (signIn) => endpoints[signIn].refused,
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
  const { service, signIn, where, reply, waitMs } = answer;
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
    const next = typeof row.next === "string" ? row.next : row.next(signIn);
    return problem(row.code, `${row.text} ${shown}`, where, next);
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
export function connectionError(
  { service, signIn, where }: Pick<Answer, "service" | "signIn" | "where">,
  error: LinksealError,
) {
  if (error.code.startsWith("vault.")) return error;
  const own = service === "identity" ? endpoints[signIn].silent : check;
  const next = error.next === "linkseal status" ? own : error.next;
  const text = `${names[service]}: ${error.message}`;
  return problem("vault.unreachable", text, where, next, error);
}
