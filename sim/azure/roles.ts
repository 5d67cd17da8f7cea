// The role assignments of the simulated subscription: which request they allow, what
// `Microsoft.Authorization/permissions` reports of them, and the rights that a test takes away. All
// clients count as one identity.

import { type AzureReply, refusal, reply } from "./http.ts";
import { typeOf } from "./versions.ts";

interface Role {
  readonly actions: readonly string[];
  readonly notActions: readonly string[];
}

/** A role at a scope: it reaches everything below. */
export interface RoleAssignment {
  /** A resource id, that of a resource group, or `/subscriptions/ID`. */
  readonly scope: string;
  readonly role: Role;
}

/** A right that no role gives any more, at one scope and below it; "" = everywhere. */
export interface Withheld {
  readonly action: string;
  readonly scope: string;
}

/** What a request needs. */
interface Asked {
  readonly action: string;
  readonly scope: string;
}

const permissions = "/providers/microsoft.authorization/permissions";
const metrics = "/providers/microsoft.insights/metrics";
const network = "Microsoft.Network";
const identities = "Microsoft.ManagedIdentity/userAssignedIdentities";

const reader: Role = { actions: ["*/read"], notActions: [] };
const farEnd: Role = {
  actions: [
    `${network}/expressRoutePorts/write`,
    `${network}/expressRouteLags/write`,
    `${network}/connections/sharedKey/write`,
    `${network}/vpnGateways/vpnConnections/vpnLinkConnections/sharedKeys/write`,
  ],
  notActions: [],
};
/** As the built-in role Managed Identity Operator has them. */
const identityOperator: Role = {
  actions: [
    `${identities}/*/read`,
    `${identities}/*/assign/action`,
    "Microsoft.Authorization/*/read",
  ],
  notActions: [],
};

export class Roles {
  /** Who may do what; a test may replace them. */
  assignments: readonly RoleAssignment[];
  readonly #withheld: Withheld[] = [];
  readonly #struck: () => readonly Withheld[];

  /**
   * Gives the roles that an operator of this subscription would give, for these ports; `struck`
   * returns what faults take away.
   */
  constructor(
    ports: readonly { readonly id: string; readonly identities: readonly string[] }[],
    struck: () => readonly Withheld[],
  ) {
    this.#struck = struck;
    const subscriptions = new Set(ports.map(({ id }) => id.split("/").slice(0, 3).join("/")));
    const groups = new Set(ports.map(({ id }) => groupOf(id)));
    this.assignments = [
      ...[...subscriptions].map((scope) => ({ scope, role: reader })),
      ...[...groups].map((scope) => ({ scope, role: farEnd })),
      ...ports.flatMap((port) =>
        port.identities.map((scope) => ({ scope, role: identityOperator })),
      ),
    ];
  }

  /** Takes one right away, from every role, at a scope and below it; absent = everywhere. */
  withhold(action: string, scope = ""): void {
    this.#withheld.push({ action, scope });
  }

  /** Gives back what was taken away. */
  restore(): void {
    this.#withheld.length = 0;
  }

  /** Returns whether the identity may do it. */
  allows({ action, scope }: Asked): boolean {
    return this.#rolesAt(scope).some(
      ({ actions, notActions }) =>
        actions.some((pattern) => matches(pattern, action)) &&
        !notActions.some((pattern) => matches(pattern, action)),
    );
  }

  /** Refuses a request that no role allows; undefined = one does. */
  refuse(asked: Asked): AzureReply | undefined {
    if (this.allows(asked)) return undefined;
    const message =
      `The client does not have authorization to perform action '${asked.action}' over scope ` +
      `'${asked.scope}' or the scope is invalid.`;
    return refusal(403, { code: "AuthorizationFailed", message });
  }

  /** Refuses a write whose document names an identity that the client may not assign. */
  refuseLinked(scope: string, assigned: readonly string[]): AzureReply | undefined {
    const action = `${identities}/assign/action`;
    const unassignable = assigned.find((id) => !this.allows({ action, scope: id }));
    if (unassignable === undefined) return undefined;
    const message =
      `The client has permission to perform the write on scope '${scope}'; however, it does not ` +
      `have permission to perform action '${action}' on the linked scope '${unassignable}'.`;
    return refusal(403, { code: "LinkedAuthorizationFailed", message });
  }

  /** Returns the roles at a scope as Azure lists them: two of a page. */
  permissionsAt(scope: string, base: string, page: number): AzureReply {
    const all = this.#rolesAt(scope).map((role) => ({
      ...role,
      ...{ dataActions: [], notDataActions: [] },
    }));
    const end = (page + 1) * pageSize;
    const next = `${base}${scope}${permissions}?api-version=2022-04-01&%24skiptoken=${page + 1}`;
    const more = end < all.length ? { nextLink: next } : {};
    return reply(200, { value: all.slice(page * pageSize, end), ...more });
  }

  #rolesAt(scope: string): readonly Role[] {
    const all = [...this.#withheld, ...this.#struck()];
    const taken = all.filter((each) => isWithin(scope, each.scope));
    return this.assignments
      .filter((each) => isWithin(scope, each.scope))
      .map(({ role }) => ({
        actions: role.actions,
        notActions: [...role.notActions, ...taken.map(({ action }) => action)],
      }));
  }
}

const pageSize = 2;

/** Returns what a request needs that is no poll of an operation; `path` is in lower case. */
export function neededFor(method: string, path: string): Asked {
  const verb = method === "GET" ? "read" : "write";
  for (const [below, action] of [
    [permissions, "Microsoft.Authorization/permissions/read"],
    [metrics, "Microsoft.Insights/metrics/read"],
  ] as const) {
    if (path.endsWith(below)) return { action, scope: path.slice(0, -below.length) };
  }
  const [, connection] = /^(.*\/connections\/[^/]+)\/sharedkey$/.exec(path) ?? [];
  if (connection !== undefined) {
    return { action: `${network}/connections/sharedKey/${verb}`, scope: connection };
  }
  const { scope, last } = scopeOf(path);
  return { action: `${typeOf(last)}/${verb}`, scope };
}

/** Returns the scope of a path: a list has that of the resource or group above it. */
function scopeOf(path: string): { readonly scope: string; readonly last: string } {
  const at = path.lastIndexOf("/providers/");
  const words = path.slice(at).split("/").slice(3);
  const isList = words.length % 2 === 1;
  if (!isList) return { scope: path, last: path };
  const above = words.length === 1 ? path.slice(0, at) : path.slice(0, path.lastIndexOf("/"));
  return { scope: above, last: path };
}

/**
 * Returns what following an operation needs: a role at the resource group reaches it, one on the
 * resource does not.
 */
export function neededToFollow(resource: string, path: string): Asked {
  const type = path.includes("/operationresults/") ? "operationResults" : "operations";
  return { action: `${network}/locations/${type}/read`, scope: groupOf(resource) };
}

function groupOf(id: string): string {
  return id.split("/").slice(0, 5).join("/");
}

function isWithin(scope: string, above: string): boolean {
  return `${scope.toLowerCase()}/`.startsWith(`${above.toLowerCase()}/`) || above === "";
}

/** A star stands for any text; with the slash after it also for nothing, after another slash. */
function matches(pattern: string, action: string): boolean {
  const source = pattern
    .replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll(/(?<=\/)\*\/|\*/g, (star) => (star === "*" ? ".*" : "(?:.*/)?"));
  return new RegExp(`^${source}$`, "i").test(action);
}
