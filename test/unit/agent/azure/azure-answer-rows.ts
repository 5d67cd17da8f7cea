// Every bad answer of a vault, and what the operator reads of it, to the letter.

import type { ErrorCode } from "#hal/error.ts";
import type { WireFault } from "#sim/azure/faults.ts";

export interface AnswerRow {
  readonly fault: WireFault;
  readonly code: ErrorCode;
  readonly text: string;
  readonly next: string;
}

const row = (fault: WireFault, code: ErrorCode, text: string, next?: string): AnswerRow => ({
  ...{ fault, code, text },
  next: next ?? "linkseal keys check",
});

const denied = (fault: WireFault, text: string, next: string): AnswerRow =>
  row(fault, "vault.denied", text, next);
const away = (fault: WireFault, text: string): AnswerRow => row(fault, "vault.unreachable", text);

export const vaultRows: readonly AnswerRow[] = [
  denied(
    "unauthorized",
    "the vault does not accept the token of this identity (401 Unauthorized)",
    "compare the tenant of azure.identity with the vault's tenant",
  ),
  denied(
    "forbiddenByRbac",
    "this identity has no role that reads secrets here (403 Forbidden ForbiddenByRbac)",
    "give it the role Key Vault Secrets User on this vault: linkseal azure setup",
  ),
  denied(
    "forbiddenByPolicy",
    "no access policy of the vault names this identity (403 Forbidden ForbiddenByPolicy)",
    "give it an access policy with get and list of secrets",
  ),
  denied(
    "forbiddenByFirewall",
    "the vault's firewall does not let this host in (403 Forbidden ForbiddenByFirewall)",
    "allow this host's public address in the vault's firewall",
  ),
  denied(
    "forbiddenByConnection",
    "the vault answers over its private endpoint alone (403 Forbidden ForbiddenByConnection)",
    "resolve its name to the private endpoint here, and list it in azure.privateEndpoints",
  ),
  denied(
    "secretDisabled",
    "this version is disabled (403 Forbidden SecretDisabled)",
    "enable it, or write a new pair: linkseal keys generate",
  ),
  row(
    "notFound",
    "vault.malformedKey",
    "there is no such secret or version (404 SecretNotFound)",
    "compare the names under key in the config with the vault",
  ),
  row(
    "deletedButRecoverable",
    "vault.malformedKey",
    "a deleted secret of this name is in the way (409 Conflict ObjectIsDeletedButRecoverable)",
    "recover or purge it in the vault",
  ),
  row(
    "beingDeleted",
    "vault.malformedKey",
    "a deleted secret of this name is in the way (409 Conflict ObjectIsBeingDeleted)",
    "recover or purge it in the vault",
  ),
  away("throttled", "the vault throttles (429 Throttled) and is left alone for 1 s"),
  away("throttledSeconds", "the vault throttles (429 Throttled) and is left alone for 2 s"),
  away("throttledDate", "the vault throttles (429 Throttled) and is left alone for 2 s"),
  away("throttledMs", "the vault throttles (429 Throttled) and is left alone for 2 s"),
  away("serverError", "the vault fails (500 InternalServerError)"),
  away("badGateway", "the vault fails (502)"),
  away("unavailable", "the vault fails (503 ServiceUnavailable)"),
  away("gatewayTimeout", "the vault fails (504 GatewayTimeout)"),
  away("hang", "the vault: no answer within 10000 ms"),
  away("slowBody", "the vault: no answer within 10000 ms"),
  away("reset", "the vault: the connection was reset"),
  away("garbage", "the answer cannot be understood"),
  away("emptyObject", "the answer cannot be understood"),
  away("hugeBody", "the vault: the reply is longer than allowed"),
  away("wrongType", "the answer cannot be understood"),
  away("redirect", "the vault sends elsewhere (307), not followed"),
];

export const entraRows: readonly AnswerRow[] = [
  denied(
    "unauthorized",
    "Entra refuses this identity (401 Unauthorized)",
    "look at the sign-in logs of the application",
  ),
  away("serverError", "Entra fails (500 InternalServerError)"),
  away("throttled", "Entra throttles (429 Throttled) and is left alone for 1 s"),
  away("throttledSeconds", "Entra throttles (429 Throttled) and is left alone for 2 s"),
  away("hang", "Entra: no answer within 10000 ms"),
  away("reset", "Entra: the connection was reset"),
  away("garbage", "the answer cannot be understood"),
  away("emptyObject", "the answer cannot be understood"),
  away("hugeBody", "Entra: the reply is longer than allowed"),
  away("wrongType", "the answer cannot be understood"),
  away("redirect", "Entra sends elsewhere (307), not followed"),
];
