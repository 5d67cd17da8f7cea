// Role definitions and role assignments as `Microsoft.Authorization` lists them.

import { createHash } from "node:crypto";
import {
  type AzureReply,
  type JsonObject,
  notAllowed,
  notFound,
  type Route,
  refusal,
  reply,
} from "./http.ts";
import { farEnd, identityOperator, isWithin, type Role, reader } from "./roles.ts";

interface Definition {
  /** The GUID; those of built-in roles are the same in every tenant. */
  readonly id: string;
  readonly name: string;
  readonly type: "BuiltInRole" | "CustomRole";
  readonly role: Role;
  readonly dataActions?: readonly string[];
}

/** One role assignment, before it has a document. */
export interface Assigned {
  /** A resource id, that of a resource group, or `/subscriptions/ID`. */
  readonly scope: string;
  /** The GUID of the role definition. */
  readonly definition: string;
  /** The object id of the service principal. */
  readonly principalId: string;
}

export const secretsUserId = "4633458b-17de-408a-b874-0445c86b69e6";
export const contributorId = "b24988ac-6180-42a0-ab88-20f7382dd24c";

const secrets = "Microsoft.KeyVault/vaults/secrets";
const authorization = "Microsoft.Authorization";
const definitions: readonly Definition[] = [
  {
    ...{ id: "acdd72a7-3385-48ef-bd42-f606fba81ae7", name: "Reader", type: "BuiltInRole" },
    role: reader,
  },
  {
    ...{ id: "f1a07417-d97a-45cb-824c-7a7467783830", name: "Managed Identity Operator" },
    ...{ type: "BuiltInRole", role: identityOperator },
  },
  {
    ...{ id: secretsUserId, name: "Key Vault Secrets User", type: "BuiltInRole" },
    role: { actions: [], notActions: [] },
    dataActions: [`${secrets}/getSecret/action`, `${secrets}/readMetadata/action`],
  },
  {
    ...{ id: contributorId, name: "Contributor", type: "BuiltInRole" },
    role: {
      actions: ["*"],
      notActions: [
        ...[`${authorization}/*/Delete`, `${authorization}/*/Write`],
        `${authorization}/elevateAccess/Action`,
      ],
    },
  },
  {
    ...{ id: "5eba1000-0000-4000-8000-000000000001", name: "linkseal far end" },
    ...{ type: "CustomRole", role: farEnd },
  },
];

/** Returns the assignments of roles that are defined here; a test's own roles have no document. */
export function assignedOf(
  assignments: readonly { readonly scope: string; readonly role: Role }[],
  principalId: string,
): readonly Assigned[] {
  return assignments.flatMap(({ scope, role }) => {
    const found = definitions.find((one) => one.role === role);
    return found === undefined ? [] : [{ scope, definition: found.id, principalId }];
  });
}

const lists =
  /^(.*)\/providers\/microsoft\.authorization\/role(assignments|definitions)(\/[^/]+)?$/;

/** The assignments of a tenant. */
export interface Assignments {
  readonly own: readonly Assigned[];
  /** Those of the port's identity at a vault; `denied` if the client may not read them there. */
  readonly ofPort: readonly Assigned[] | "denied";
}

/**
 * Answers a request for the role assignments or role definitions at a scope, `path` in lower case;
 * undefined if it is about something else.
 */
export function rolesReply(
  { method, query }: Route,
  path: string,
  { own, ofPort }: Assignments,
): AzureReply | undefined {
  const [, scope = "", list, below = ""] = lists.exec(path) ?? [];
  if (list === undefined) return undefined;
  if (method !== "GET") return notAllowed(method);
  if (list === "definitions") return definitionsReply(scope, below) ?? notFound(path);
  if (below !== "") return notFound(path);
  if (ofPort === "denied" && /\/vaults\/[^/]+$/.test(scope)) {
    const message = `The client may not read the role assignments at '${scope}'.`;
    return refusal(403, { code: "AuthorizationFailed", message });
  }
  const all = [...own, ...(ofPort === "denied" ? [] : ofPort)];
  return assignmentsReply(scope, query.get("$filter"), all);
}

/**
 * Lists the assignments at a scope, above and below it; `atScope()` leaves out those below, and
 * `principalId eq` or `assignedTo` all of other principals. No principal is in a group here.
 */
function assignmentsReply(
  scope: string,
  filter: string | undefined,
  all: readonly Assigned[],
): AzureReply {
  const terms = /^(?:(atscope\(\))|principalid eq '([^']*)'|assignedto\('([^']*)'\))$/i;
  const [term, above, equal, assigned] = terms.exec(filter ?? "") ?? [];
  if (filter !== undefined && term === undefined) {
    const message = `The filter '${filter}' is not supported.`;
    return refusal(400, { code: "UnsupportedQuery", message });
  }
  const principal = equal ?? assigned;
  const found = all.filter(
    (one) =>
      (isWithin(scope, one.scope) || (above === undefined && isWithin(one.scope, scope))) &&
      (principal === undefined || one.principalId === principal.toLowerCase()),
  );
  return reply(200, { value: found.map(assignmentDocument) });
}

function assignmentDocument({ scope, definition, principalId }: Assigned): JsonObject {
  const digits = createHash("md5").update(`${scope} ${definition} ${principalId}`).digest("hex");
  const name = digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  const type = `${authorization}/roleAssignments`;
  const roleDefinitionId = definitionId(scope.split("/").slice(0, 3).join("/"), definition);
  return {
    ...{ id: `${scope}/providers/${type}/${name}`, name, type },
    properties: { roleDefinitionId, principalId, principalType: "ServicePrincipal", scope },
  };
}

/**
 * Answers a GET of the definitions or of one, `below` = the path after `roledefinitions`, in lower
 * case; undefined if there is no such one.
 */
function definitionsReply(scope: string, below: string): AzureReply | undefined {
  const subscription = scope.split("/").slice(0, 3).join("/");
  if (below === "") {
    return reply(200, { value: definitions.map((one) => definitionDocument(one, subscription)) });
  }
  const found = definitions.find(({ id }) => below === `/${id}`);
  return found && reply(200, definitionDocument(found, subscription));
}

function definitionDocument(definition: Definition, subscription: string): JsonObject {
  const { id, name, type, role, dataActions = [] } = definition;
  const isBuiltIn = type === "BuiltInRole";
  return {
    id: definitionId(subscription, id),
    name: id,
    type: `${authorization}/roleDefinitions`,
    properties: {
      roleName: name,
      type,
      description: isBuiltIn ? "" : "What the agent needs at the far end of its links.",
      assignableScopes: [isBuiltIn ? "/" : subscription],
      permissions: [{ ...role, dataActions, notDataActions: [] }],
    },
  };
}

function definitionId(subscription: string, id: string): string {
  return `${subscription}/providers/${authorization}/roleDefinitions/${id}`;
}
