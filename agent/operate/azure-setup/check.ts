// Asks Azure which parts of the setup it has, with the identity of the config. Nothing is written,
// and no value of a secret is kept: a CKN is read to see that the agent may read.

import { portVersionOf } from "#drivers/azure/api-versions.ts";
import type { NeededRight } from "../../compare/azure-rights.ts";
import { grantOf, type Permission } from "../../compare/permissions.ts";
import type { ReadDocument } from "../../model/azure-document.ts";
import type { Desired } from "../../model/desired.ts";
import { readPermissions } from "../../runtime/polling/rights-reader.ts";
import { documentAt, isResourceId, listIn, textsAt } from "./check-documents.ts";
import {
  type CheckedCloud,
  type CheckRow,
  type PortRead,
  printed,
  type Unread,
  unreadFor,
} from "./check-row.ts";
import { scopeText } from "./report.ts";
import { type AzureSetup, azureSetup, roleName } from "./setup.ts";
import { vaultRows } from "./vault-check.ts";

/** The answer of `POST /v1/azure/check`. */
export interface AzureCheck {
  /** Name and version of the schema. */
  readonly schema: "linkseal.azure-check/1";
  /** The name of the site in the config. */
  readonly site: string;
  /** One row for each part of the setup. */
  readonly checks: readonly CheckRow[];
  /** How many rows have each answer. */
  readonly counts: Readonly<Record<CheckRow["found"], number>>;
}

/**
 * Asks Azure about every part of the setup of a config. An abort leaves nothing behind.
 * @throws LinksealError with `usage` for a simulated site
 */
export async function checkAzure(
  desired: Desired,
  cloud: CheckedCloud,
  signal: AbortSignal,
): Promise<AzureCheck> {
  const setup = azureSetup(desired);
  const ports = new Map<string, PortRead>();
  for (const { id } of setup.ports) ports.set(id, await readPort(cloud.document, id, signal));
  const rights = await rightRows(setup, ports, cloud.document, signal);
  const keys = desired.groups.flatMap((group) => group.links.map((link) => link.key.ckn));
  const vault = await vaultRows({ setup, ports, keys, cloud }, signal);
  const checks = [
    ...setup.ports.map(({ id }) => identityRow(id, ports.get(id))),
    ...rights,
    ...vault,
  ];
  const count = (found: CheckRow["found"]): number =>
    checks.filter((row) => row.found === found).length;
  return {
    schema: "linkseal.azure-check/1",
    ...{ site: desired.site, checks },
    counts: { has: count("has"), missing: count("missing"), unknown: count("unknown") },
  };
}

async function readPort(
  document: ReadDocument,
  id: string,
  signal: AbortSignal,
): Promise<PortRead> {
  const version = portVersionOf(id);
  try {
    const port = await document(id, { "api-version": version }, signal);
    const assigned = Object.entries(documentAt(port, "identity", "userAssignedIdentities"));
    const named = assigned.filter(([identity]) => isResourceId(identity));
    return {
      kind: "read",
      identities: named.map(([identity]) => identity),
      principals: Object.fromEntries(
        named.flatMap(([identity, details]) =>
          textsAt(details, "principalId").map((principal) => [identity, principal]),
        ),
      ),
      circuits: listIn(port, "properties", "circuits").flatMap((each) =>
        textsAt(each, "id").filter(isResourceId),
      ),
    };
  } catch (error) {
    return unreadFor(error);
  }
}

function identityRow(id: string, port: PortRead | undefined): CheckRow {
  const row = { what: "The port has a user-assigned identity", where: id };
  if (port === undefined || port.kind === "unread") {
    return { ...row, found: "unknown", why: port?.why ?? null, next: port?.next ?? null };
  }
  if (port.identities.length > 0) return { ...row, found: "has", why: null, next: null };
  const why = "without one Azure cannot read a key";
  const next = "attach one while neither link has a key: docs/azure.md, The identity of the port";
  return { ...row, found: "missing", why, next };
}

async function rightRows(
  setup: AzureSetup,
  ports: ReadonlyMap<string, PortRead>,
  document: ReadDocument,
  signal: AbortSignal,
): Promise<readonly CheckRow[]> {
  const needed = setup.rights.filter(
    ({ holder, plane }) => holder.kind === "agent" && plane === "management",
  );
  const placed = needed.map((right) => ({ right, at: idsOf(right, ports) }));
  const ids = new Set(placed.flatMap(({ at }) => (at.kind === "ids" ? at.ids : [])));
  const asked = new Map<string, readonly Permission[] | Unread>();
  await Promise.all(
    [...ids].map(async (id) => {
      const answer = readPermissions(document, id, signal).catch(unreadFor);
      asked.set(id, await answer);
    }),
  );
  return placed.flatMap(({ right, at }) =>
    at.kind === "unread"
      ? [unknownRow(right, scopeText(right.scope), at)]
      : at.ids.map((id) => rightRow(setup, right, id, asked.get(id))),
  );
}

function idsOf(
  { scope }: NeededRight,
  ports: ReadonlyMap<string, PortRead>,
): { readonly kind: "ids"; readonly ids: readonly string[] } | Unread {
  switch (scope.kind) {
    case "resource":
    case "resourceGroup":
      return { kind: "ids", ids: [scope.id] };
    case "identityOfPort":
    case "circuitsOfPort": {
      const port = ports.get(scope.port);
      if (port === undefined || port.kind === "unread") {
        return port ?? { kind: "unread", why: "the port was not read", next: printed };
      }
      return {
        kind: "ids",
        ids: scope.kind === "identityOfPort" ? port.identities : port.circuits,
      };
    }
    case "vault":
      return { kind: "ids", ids: [] };
  }
}

const whatOf = ({ action }: NeededRight): string => `the agent: ${action}`;

function unknownRow(right: NeededRight, where: string, { why, next }: Unread): CheckRow {
  return { what: whatOf(right), where, found: "unknown", why, next };
}

function rightRow(
  setup: AzureSetup,
  right: NeededRight,
  where: string,
  answer: readonly Permission[] | Unread | undefined,
): CheckRow {
  if (answer === undefined || "kind" in answer) {
    const unread = { kind: "unread", why: "it was not asked for", next: printed } as const;
    return unknownRow(right, where, answer ?? unread);
  }
  const what = whatOf(right);
  switch (grantOf(answer, right.action)) {
    case "held":
      return { what, where, found: "has", why: null, next: null };
    case "conditional": {
      const why = "a condition of the role decides, which linkseal does not evaluate";
      const next = "give the right by a role without a condition";
      return { what, where, found: "unknown", why, next };
    }
    case "missing": {
      const why = `it is needed so that ${right.purpose}`;
      return { what, where, found: "missing", why, next: remedy(setup, right) };
    }
  }
}

function remedy({ ports }: AzureSetup, { scope }: NeededRight): string {
  const port =
    scope.kind === "identityOfPort" ? ports.find(({ id }) => id === scope.port) : undefined;
  if (port !== undefined) {
    return `give the agent the role ${port.identityRole} on that identity: ${printed}`;
  }
  return `give the agent the role "${roleName}" at the resource group: ${printed}`;
}
