// `azure setup --check` against documents in the shapes of the management API: each part of the
// setup is there, missing or unknown, with a next act, and nothing is asked twice.

import { describe, expect, it } from "vitest";
import { checkText } from "#agent/cli/azure-text.ts";
import { checkAzure } from "#agent/operate/azure-setup/check.ts";
import type { CheckRow } from "#agent/operate/azure-setup/check-row.ts";
import { azureSetup } from "#agent/operate/azure-setup/setup.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import type { KeyVault, SecretVersion } from "#hal/vault.ts";
import type { WallTime } from "#hal/world.ts";
import { never } from "../../kit/site-bench.ts";
import { arcText, desiredOf, groupId, machineText, portOf } from "./azure-setup-configs.ts";

const identity = `${groupId("net")}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/p`;
const principal = "44444444-2222-3333-4444-555555555555";
const vaultId = `${groupId("net")}/providers/Microsoft.KeyVault/vaults/kv-erd-dub`;
const circuit = `${groupId("net")}/providers/Microsoft.Network/expressRouteCircuits/erc`;
const secretsUser = "4633458b-17de-408a-b874-0445c86b69e6";

interface Answers {
  /** Actions that are granted at each scope; a scope that is left out is refused. */
  readonly grants: (scope: string) => readonly string[] | undefined;
  readonly identities: Readonly<Record<string, unknown>>;
  readonly vault: Readonly<Record<string, unknown>> | undefined;
  readonly roles: readonly string[];
  readonly list: () => readonly SecretVersion[];
}

const version = (enabled = true): SecretVersion => ({
  id: "https://kv-erd-dub.vault.azure.net/secrets/erd-dub-1-ckn/0".padEnd(90, "0"),
  ...{ enabled, created: 0 as WallTime, notBefore: undefined, expires: undefined, tags: {} },
});

const properties = {
  vaultUri: "https://kv-erd-dub.vault.azure.net/",
  ...{ enableRbacAuthorization: true, enablePurgeProtection: true, publicNetworkAccess: "Enabled" },
  networkAcls: { defaultAction: "Deny", bypass: "AzureServices" },
};

const sound: Answers = {
  grants: () => ["*"],
  identities: { [identity]: { principalId: principal } },
  vault: properties,
  roles: [secretsUser],
  list: () => [version()],
};

const refused = (code: "peer.denied" | "vault.denied" | "vault.unreachable") =>
  new LinksealError(code, "it is refused (403)", {
    ...{ effect: "none", where: "here", next: "do what the error says" },
  });

/** A cloud that gives these answers, with the paths that it was asked. */
function cloudOf(answers: Answers) {
  const asked: string[] = [];
  const document = (path: string): Promise<unknown> => {
    asked.push(path);
    const [, scope] = /^(.*)\/providers\/Microsoft\.Authorization\/permissions$/.exec(path) ?? [];
    if (scope !== undefined) {
      const actions = answers.grants(scope);
      if (actions === undefined) return Promise.reject(refused("peer.denied"));
      return Promise.resolve({ value: [{ actions, notActions: [] }] });
    }
    if (path.endsWith("/roleAssignments")) {
      const value = answers.roles.map((role) => ({
        properties: { roleDefinitionId: `/x/roleDefinitions/${role}` },
      }));
      return Promise.resolve({ value });
    }
    if (path.endsWith("/providers/Microsoft.KeyVault/vaults")) {
      const { vault } = answers;
      return Promise.resolve({ value: vault ? [{ id: vaultId, properties: vault }] : [] });
    }
    if (path === identity) return Promise.resolve({ properties: { principalId: principal } });
    return Promise.resolve({
      identity: { type: "userAssigned", userAssignedIdentities: answers.identities },
      properties: { circuits: [{ id: circuit }] },
    });
  };
  const vault: KeyVault = {
    versions: async () => answers.list(),
    read: async () => Secret.take("ckn", new TextEncoder().encode("AB".repeat(32))),
  };
  return { asked, cloud: { document, vault } };
}

async function rowsOf(change: Partial<Answers>, text = machineText): Promise<readonly CheckRow[]> {
  const { cloud } = cloudOf({ ...sound, ...change });
  return (await checkAzure(desiredOf(text), cloud, never)).checks;
}

const wrong = (rows: readonly CheckRow[]) =>
  rows.filter(({ found }) => found !== "has").map(({ what, found }) => `${found}: ${what}`);

describe("a tenant that is set up", () => {
  it("a tenant that has everything is found to have everything", async () => {
    const { cloud, asked } = cloudOf(sound);
    const check = await checkAzure(desiredOf(machineText), cloud, never);
    expect(wrong(check.checks)).toEqual([]);
    expect(check.counts).toEqual({ has: check.checks.length, missing: 0, unknown: 0 });
    // Each right of the list has a row, and no document is asked for twice.
    const { rights } = azureSetup(desiredOf(machineText));
    for (const { action, holder, plane } of rights) {
      if (holder.kind !== "agent" || plane === "data") continue;
      expect(check.checks.map(({ what }) => what)).toContain(`the agent: ${action}`);
    }
    expect(asked.filter((path, at) => asked.indexOf(path) !== at && !/roleAss/.test(path))).toEqual(
      [],
    );
  });

  it("the printed role and the roles on identity and vault leave nothing missing", async () => {
    const { role } = azureSetup(desiredOf(machineText));
    // Managed Identity Operator as Azure defines it.
    const operator = [
      "Microsoft.ManagedIdentity/userAssignedIdentities/*/read",
      "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action",
      "Microsoft.Authorization/*/read",
    ];
    const grants = (scope: string) => (scope === identity ? operator : role.Actions);
    expect(wrong(await rowsOf({ grants }))).toEqual([]);
  });
});

const rows: readonly (readonly [string, Partial<Answers>, string])[] = [
  [
    "a right that no role gives",
    { grants: (scope) => (scope === groupId("net") ? ["*/permissions/read"] : ["*"]) },
    "missing: the agent: Microsoft.Network/locations/operations/read",
  ],
  [
    "a scope that the agent may not ask about",
    { grants: (scope) => (scope === portOf("erd-dub") ? undefined : ["*"]) },
    "unknown: the agent: Microsoft.Network/expressRoutePorts/write",
  ],
  [
    "a port without an identity",
    { identities: {} },
    "missing: The port has a user-assigned identity",
  ],
  [
    "an identity of the port without a role on the vault",
    { roles: [] },
    "missing: the identity of the port erd-dub: Microsoft.KeyVault/vaults/secrets/getSecret/action",
  ],
  [
    "an identity of the port with a role of its own",
    { roles: ["00000000-0000-0000-0000-000000000001"] },
    "unknown: the identity of the port erd-dub: Microsoft.KeyVault/vaults/secrets/getSecret/action",
  ],
  [
    "a vault that refuses the agent",
    {
      list: () => {
        throw refused("vault.denied");
      },
    },
    "missing: the agent: Microsoft.KeyVault/vaults/secrets/getSecret/action",
  ],
  [
    "a vault that does not answer",
    {
      list: () => {
        throw refused("vault.unreachable");
      },
    },
    "unknown: the agent: Microsoft.KeyVault/vaults/secrets/getSecret/action",
  ],
  [
    "a vault without a key",
    { list: () => [version(false)] },
    "unknown: the agent: Microsoft.KeyVault/vaults/secrets/getSecret/action",
  ],
  [
    "a vault that is in no group that is read",
    { vault: undefined },
    "unknown: The vault authorises by roles (RBAC)",
  ],
  [
    "a vault with access policies",
    { vault: { ...properties, enableRbacAuthorization: false } },
    "missing: The vault authorises by roles (RBAC)",
  ],
  [
    "a vault without purge protection",
    { vault: { ...properties, enablePurgeProtection: undefined } },
    "missing: The vault has purge protection, and so soft delete",
  ],
  [
    "a vault without a firewall",
    { vault: { ...properties, networkAcls: undefined } },
    "missing: The vault's firewall denies by default and lets trusted services pass",
  ],
  [
    "a vault with rules that admit the whole Internet",
    {
      vault: {
        ...properties,
        networkAcls: { ...properties.networkAcls, ipRules: [{ value: "128.0.0.0/1" }] },
      },
    },
    "missing: The vault's firewall denies by default and lets trusted services pass",
  ],
  [
    "a vault whose firewall keeps trusted services out",
    { vault: { ...properties, networkAcls: { defaultAction: "Deny", bypass: "None" } } },
    "missing: The vault's firewall denies by default and lets trusted services pass",
  ],
  [
    "a vault behind a perimeter",
    { vault: { ...properties, publicNetworkAccess: "SecuredByPerimeter" } },
    "unknown: The vault's firewall denies by default and lets trusted services pass",
  ],
];

describe("a tenant that lacks something", () => {
  it.each(rows)("%s is found, with a next act", async (_what, change, row) => {
    const found = await rowsOf(change);
    expect(wrong(found)).toContain(row);
    for (const { found: how, why, next } of found) {
      if (how !== "has") expect([why, next]).toEqual([expect.any(String), expect.any(String)]);
    }
  });

  it("the step that closes the firewall keeps ExpressRoute and the agent in", async () => {
    const found = await rowsOf({ vault: { ...properties, networkAcls: undefined } });
    const next = found.find(({ what }) => what.startsWith("The vault's firewall"))?.next ?? "";
    const steps = [
      "docs/keys.md",
      "network-rule add",
      "--default-action Deny --bypass AzureServices",
    ];
    const places = steps.map((step) => next.indexOf(step));
    expect(places).toEqual(places.filter((place) => place >= 0).toSorted((a, b) => a - b));
  });

  it("public access that is switched off counts as closed, and trusted services pass", async () => {
    const vault = { ...properties, publicNetworkAccess: "Disabled", networkAcls: undefined };
    expect(wrong(await rowsOf({ vault }))).toEqual([]);
  });

  it("a document without the object id of the identity leads to the identity itself", async () => {
    expect(wrong(await rowsOf({ identities: { [identity]: {} } }))).toEqual([]);
  });

  it("an id of a document that is no resource id is never asked for", async () => {
    const identities = { "/subscriptions/../../evil": {}, "https://evil.example/": {} };
    const { cloud, asked } = cloudOf({ ...sound, identities });
    await checkAzure(desiredOf(arcText), cloud, never);
    expect(asked.filter((path) => /evil|\.\./.test(path))).toEqual([]);
  });

  it("the text names each part, its place, why and what to do", async () => {
    const { cloud } = cloudOf({ ...sound, roles: [] });
    const text = checkText(await checkAzure(desiredOf(arcText), cloud, never));
    expect(text).toMatch(/^MISSING the identity of the port erd-dub/m);
    expect(text).toContain("next: give the identity of the port the role Key Vault Secrets User");
    expect(text).toMatch(/1 missing, 0 unknown$/);
  });
});
