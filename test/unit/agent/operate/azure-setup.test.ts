// What `azure setup` prints for three sites: the role, commands of az that a shell runs against a
// stand-in for az, and Terraform that a published parser reads. None of it can write a port.

import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AuthorizationManagementClient } from "@azure/arm-authorization";
import { parse } from "@cdktn/hcl2json";
import { afterAll, describe, expect, it } from "vitest";
import { overviewText } from "#agent/cli/azure-text.ts";
import { rightsOf } from "#agent/compare/azure-rights.ts";
import { grantOf } from "#agent/compare/permissions.ts";
import type { AzureIdentity, RealAzure } from "#agent/model/desired.ts";
import { agentIdentity } from "#agent/operate/azure-setup/agent-identity.ts";
import { setupReport } from "#agent/operate/azure-setup/report.ts";
import { azureSetup } from "#agent/operate/azure-setup/setup.ts";
import { LinksealError } from "#hal/error.ts";
import { azOptions } from "./az-options.ts";
import {
  arcText,
  certificateText,
  desiredOf,
  groupId,
  lagOf,
  machineText,
  portOf,
} from "./azure-setup-configs.ts";

const folder = mkdtempSync(join(tmpdir(), "linkseal-setup-"));
afterAll(() => rmSync(folder, { recursive: true }));

const sites = { arcText, machineText, certificateText } as const;
const names = Object.keys(sites) as (keyof typeof sites)[];
const reportOf = (text: string) => setupReport(azureSetup(desiredOf(text)));

interface Ran {
  readonly status: number | null;
  readonly stderr: string;
  /** The words of each command of az, in order. */
  readonly commands: readonly (readonly string[])[];
}

/**
 * Runs a script with a stand-in for az that records its words and prints an id; it knows no vault.
 */
function run(script: string, env: Readonly<Record<string, string>>): Ran {
  const [az, log, file] = ["az", "log", "setup.sh"].map((name) => join(folder, name));
  if (az === undefined || log === undefined || file === undefined) throw new Error("no folder");
  writeFileSync(log, "");
  const lines = [
    ...["#!/bin/sh", 'printf \'%s\\037\' "$@" >> "$LOG"', "printf '\\036' >> \"$LOG\""],
    // The vault does not exist yet.
    ...["case \"$*\" in *'--output none') exit 3 ;; esac", "echo an-id", ""],
  ];
  writeFileSync(az, lines.join("\n"));
  chmodSync(az, 0o755);
  writeFileSync(file, script);
  const path = `${folder}:/usr/bin:/bin`;
  const { status, stderr } = spawnSync("sh", [file], {
    ...{ encoding: "utf8", env: { ...env, PATH: path, LOG: log } },
  });
  const commands = readFileSync(log, "utf8")
    .split("\u001e")
    .filter((line) => line !== "")
    .map((line) => line.split("\u001f").slice(0, -1));
  return { status, stderr, commands };
}

/** The variables that a script demands, each with a value that no script knows. */
function demanded(script: string): Readonly<Record<string, string>> {
  const found = [...script.matchAll(/^: "\$\{([A-Z_0-9]+):\?/gm)].map(([, name = ""]) => name);
  return Object.fromEntries(found.map((name) => [name, `value of ${name}`]));
}

describe("no output of azure setup can write a port", () => {
  it.each(names)("nothing for the site %s writes a port, a link or a key", async (name) => {
    const report = reportOf(sites[name]);
    const all = [JSON.stringify(report), overviewText(report, "site.yaml")].join("\n");
    expect(all).not.toMatch(/macsec/i);
    expect(all).not.toMatch(/az (network express-route|rest|resource (update|tag|create|patch))/);
    expect(all).not.toMatch(/azurerm_express_route/);
    expect(all).not.toMatch(/secret (set|show|download)/);
    const { resource } = (await parse("main.tf", report.terraform)) as {
      readonly resource: Readonly<Record<string, unknown>>;
    };
    expect(Object.keys(resource).filter((type) => /express|network_connection/.test(type))).toEqual(
      [],
    );
  });
});

describe("the role", () => {
  it.each(names)("the role of the site %s grants every right that it is for", (name) => {
    const desired = desiredOf(sites[name]);
    const { role } = azureSetup(desired);
    const entry = { actions: role.Actions, notActions: role.NotActions, isConditional: false };
    const own = rightsOf(desired).filter(
      ({ holder, plane, scope }) =>
        holder.kind === "agent" && plane === "management" && scope.kind !== "identityOfPort",
    );
    expect(own.length).toBeGreaterThan(2);
    expect(own.filter(({ action }) => grantOf([entry], action) !== "held")).toEqual([]);
    // It has no wildcard, no data action and nothing that the list of rights does not need.
    expect(role.Actions.filter((action) => action.includes("*"))).toEqual([]);
    expect(role.Actions.filter((one) => !own.some(({ action }) => action === one))).toEqual([]);
    expect([role.DataActions, role.NotActions, role.NotDataActions]).toEqual([[], [], []]);
  });

  it("a site whose far end a person changes gets a role that only reads", () => {
    const { role, ports } = azureSetup(desiredOf(arcText));
    expect(role.Actions.filter((action) => !action.endsWith("/read"))).toEqual([]);
    expect(role.AssignableScopes).toEqual([groupId("net")]);
    expect(ports).toEqual([{ id: portOf("erd-dub"), group: "erd-dub", identityRole: "Reader" }]);
  });

  it("an agent that changes ports, LAGs and gateways gets a role at each resource group", () => {
    const { role, ports } = azureSetup(desiredOf(machineText));
    expect(role.AssignableScopes).toEqual([groupId("net"), groupId("lags"), groupId("vpn")]);
    expect(role.Actions).toEqual(
      expect.arrayContaining([
        "Microsoft.Network/expressRoutePorts/write",
        "Microsoft.Network/expressRouteLags/write",
        "Microsoft.Network/connections/sharedKey/write",
        "Microsoft.Network/locations/operations/read",
      ]),
    );
    expect(ports.map(({ id, identityRole }) => [id, identityRole])).toEqual([
      [portOf("erd-dub"), "Managed Identity Operator"],
      [lagOf("erd-cork"), "Managed Identity Operator"],
    ]);
  });

  // az role definition create takes these fields for those of the API.
  it.each(names)("Microsoft's own client sends the role of the site %s as it is", async (name) => {
    const { role } = reportOf(sites[name]);
    const bodies: unknown[] = [];
    const client = new AuthorizationManagementClient(
      { getToken: async () => ({ token: "t", expiresOnTimestamp: Date.now() + 3_600_000 }) },
      "11111111-2222-3333-4444-555555555555",
      {
        httpClient: {
          async sendRequest(request) {
            bodies.push(JSON.parse(typeof request.body === "string" ? request.body : "null"));
            return { request, status: 201, headers: request.headers, bodyAsText: "{}" };
          },
        },
      },
    );
    const { Name, Description, Actions, NotActions, DataActions, NotDataActions } = role;
    const permissions = [
      {
        ...{ actions: [...Actions], notActions: [...NotActions] },
        ...{ dataActions: [...DataActions], notDataActions: [...NotDataActions] },
      },
    ];
    const definition = {
      ...{ roleName: Name, description: Description, roleType: "CustomRole", permissions },
      assignableScopes: [...role.AssignableScopes],
    };
    const scope = role.AssignableScopes[0] ?? "";
    await client.roleDefinitions.createOrUpdate(scope, "an-id", definition);
    const { roleType, ...properties } = definition;
    expect(bodies).toEqual([{ properties: { ...properties, type: roleType } }]);
  });

  it.each(names)("the role of the site %s names actions and scopes in Azure's form", (name) => {
    const { role } = reportOf(sites[name]);
    expect(Object.keys(role).toSorted()).toEqual([
      ...["Actions", "AssignableScopes", "DataActions", "Description", "IsCustom", "Name"],
      ...["NotActions", "NotDataActions"],
    ]);
    for (const action of role.Actions) {
      expect(action).toMatch(/^Microsoft\.[A-Za-z]+(\/[A-Za-z]+)+\/(read|write|action)$/);
    }
    for (const scope of role.AssignableScopes) {
      expect(scope).toMatch(/^\/subscriptions\/[0-9a-f-]{36}\/resourceGroups\/[\w.()-]+$/);
    }
  });
});

describe("the commands of az", () => {
  it.each(names)("the script of the site %s runs through once its values are known", (name) => {
    const { az, role } = reportOf(sites[name]);
    const env = demanded(az);
    expect(Object.keys(env).length).toBeGreaterThan(3);
    const { status, stderr, commands } = run(az, env);
    expect([status, stderr]).toEqual([0, ""]);
    // Every command and option is one that Microsoft documents.
    for (const words of commands) {
      const at = words.findIndex((word) => word.startsWith("--"));
      const [command, rest] = [words.slice(0, at).join(" "), words.slice(at)];
      const options = rest.filter((word) => word.startsWith("--"));
      expect(Object.keys(azOptions)).toContain(command);
      expect(options.filter((one) => !azOptions[command]?.includes(one))).toEqual([]);
    }
    const made = commands.find((words) => words.join(" ").startsWith("role definition create"));
    expect(JSON.parse(made?.at(-1) ?? "")).toEqual(role);
    const assigned = commands
      .filter((words) => words.join(" ").startsWith("role assignment create"))
      .map((words) => [words[4], words.at(-1)]);
    for (const scope of role.AssignableScopes) {
      expect(assigned).toContainEqual(["linkseal far end", scope]);
    }
  });

  it.each(names)("the script of the site %s runs no command without all its values", (name) => {
    const { az } = reportOf(sites[name]);
    const env = demanded(az);
    for (const left of Object.keys(env)) {
      const { [left]: _value, ...others } = env;
      const { status, stderr, commands } = run(az, others);
      expect([status === 0, commands]).toEqual([false, []]);
      expect(stderr).toContain(left);
    }
  });

  it("the agent and each port read the vault, and no other identity gets a role there", () => {
    const { az } = reportOf(machineText);
    const { commands } = run(az, demanded(az));
    const onVault = commands.filter((words) => words[4] === "Key Vault Secrets User");
    expect(onVault).toHaveLength(3);
  });

  it("a vault with private endpoints gets one, with the DNS zone of its cloud", () => {
    const { az } = reportOf(certificateText);
    expect(az).toContain("privatelink.vaultcore.usgovcloudapi.net");
    expect(az).toContain("az cloud set --name AzureUSGovernment");
    expect(az).toContain("#   10.20.0.0/24");
    expect(az).toContain("vault.usgovcloudapi.net, vaultcore.usgovcloudapi.net");
    expect(reportOf(arcText).az).not.toContain("private-endpoint");
  });
});

interface Parsed {
  readonly terraform: readonly { readonly required_providers: readonly unknown[] }[];
  readonly provider: { readonly azurerm: readonly Readonly<Record<string, unknown>>[] };
  readonly variable: Readonly<Record<string, readonly { readonly description: string }[]>>;
  readonly resource: Readonly<
    Record<string, Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>>
  >;
}

describe("Terraform", () => {
  const parsed = async (text: string): Promise<Parsed> =>
    (await parse("main.tf", reportOf(text).terraform)) as unknown as Parsed;

  it.each(names)("the Terraform of the site %s is read by HashiCorp's parser", async (name) => {
    const { resource, variable } = await parsed(sites[name]);
    const [vault] = resource["azurerm_key_vault"]?.["keys"] ?? [];
    expect(vault).toMatchObject({
      ...{ rbac_authorization_enabled: true, purge_protection_enabled: true },
      network_acls: [
        expect.objectContaining({
          default_action: "${var.vault_firewall}",
          bypass: "AzureServices",
        }),
      ],
    });
    // Every variable that is used is there, and says what it is.
    const used = [...reportOf(sites[name]).terraform.matchAll(/var\.([a-z_]+)/g)];
    for (const [, one = ""] of used) expect(variable[one]?.[0]?.description).toMatch(/./);
    expect(Object.keys(variable).toSorted()).toEqual(
      [...new Set(used.map(([, one = ""]) => one))].toSorted(),
    );
  });

  it.each(names)("the role in the Terraform of the site %s is that of az", async (name) => {
    const { role } = reportOf(sites[name]);
    const { resource } = await parsed(sites[name]);
    const [made] = resource["azurerm_role_definition"]?.["far_end"] ?? [];
    expect(made).toEqual({
      ...{ name: role.Name, description: role.Description, scope: role.AssignableScopes[0] },
      permissions: [{ actions: role.Actions }],
      assignable_scopes: role.AssignableScopes,
    });
    const assignments = Object.values(resource["azurerm_role_assignment"] ?? {}).flat();
    const own = assignments.filter((each) => String(each["scope"]).startsWith("/subscriptions/"));
    expect(own.map((each) => each["scope"])).toEqual(
      expect.arrayContaining([...role.AssignableScopes]),
    );
  });

  it("a group of resources has arguments that the provider documents", async () => {
    const { azurermArguments } = await import("./azurerm-arguments.ts");
    for (const name of names) {
      const { resource } = await parsed(sites[name]);
      for (const [type, all] of Object.entries(resource)) {
        const known = azurermArguments[type];
        expect(known, type).toBeDefined();
        for (const [made] of Object.values(all)) {
          const unknown = Object.keys(made ?? {}).filter((one) => known?.includes(one) !== true);
          expect([type, unknown]).toEqual([type, []]);
        }
      }
    }
  });

  it("a name that looks like a template stays a text", async () => {
    const desired = desiredOf(arcText);
    const strange = { ...desired, site: 'a${var.x}"%{if}' };
    const { terraform } = setupReport(azureSetup(strange));
    const made = (await parse("main.tf", terraform)) as unknown as Parsed;
    const [role] = made.resource["azurerm_role_definition"]?.["far_end"] ?? [];
    expect(role?.["description"]).toContain('a$${var.x}"%%{if}');
  });
});

describe("the agent's identity", () => {
  const azureOf = (identity: AzureIdentity): RealAzure => {
    const { azure } = desiredOf(arcText);
    if (azure.cloud === "sim") throw new Error("it is a real cloud");
    return { ...azure, identity };
  };
  const ids = { tenant: "t", client: "c-1" };
  const kinds: readonly (readonly [string, AzureIdentity, RegExp])[] = [
    ["Azure Arc", { kind: "arc", client: undefined }, /ARC_MACHINE.*identity\.principalId/],
    ["a client id in Arc", { kind: "arc", client: "c-1" }, /az ad sp show --id c-1/],
    [
      "a virtual machine",
      { kind: "managedIdentity", source: "imds", client: undefined },
      /az vm show.*identity\.principalId/,
    ],
    [
      "App Service",
      { kind: "managedIdentity", source: "appService", client: undefined },
      /az webapp identity show/,
    ],
    [
      "a certificate",
      { kind: "clientCertificate", ...ids, certificate: "file:/etc/a.pem" },
      /az ad sp show --id c-1/,
    ],
    [
      "a federated token",
      { kind: "workloadIdentity", ...ids, tokenFile: "/run/token" },
      /az ad sp show --id c-1/,
    ],
  ];

  it.each(kinds)("%s has lines of its own", (_name, identity, objectId) => {
    expect(agentIdentity(azureOf(identity)).objectId).toMatch(objectId);
  });

  it("only Azure Arc names the group himds, and only a certificate names a file", () => {
    const host = kinds.map(([, identity]) => agentIdentity(azureOf(identity)));
    const himds = host.map((each) => JSON.stringify(each.host).includes("himds"));
    expect(himds).toEqual([true, true, false, false, false, false]);
    const files = host.map((each) => JSON.stringify(each.unknown).includes("CERTIFICATE"));
    expect(files).toEqual([false, false, false, false, true, false]);
  });

  it("a federated token has the audience of its cloud", () => {
    const identity = { kind: "workloadIdentity", ...ids, tokenFile: "/run/token" } as const;
    const lines = (cloud: RealAzure["cloud"]) =>
      agentIdentity({ ...azureOf(identity), cloud }).commands.join("\n");
    expect(lines("public")).toContain('"api://AzureADTokenExchange"');
    expect(lines("usgovernment")).toContain('"api://AzureADTokenExchangeUSGov"');
    expect(lines("china")).toContain('"api://AzureADTokenExchangeChina"');
    const script = `SUBJECT=s\nISSUER=https://i.example\n${lines("public")}\n`;
    const { commands } = run(script, {});
    expect(JSON.parse(commands[0]?.at(-1) ?? "")).toMatchObject({
      ...{ issuer: "https://i.example", subject: "s" },
    });
  });
});

describe("the overview", () => {
  it("each right is shown once for its place, with what waits without it", () => {
    const report = reportOf(machineText);
    const text = overviewText(report, "site.yaml");
    for (const { action, purpose } of report.rights) {
      expect(text).toContain(action);
      expect(text).toContain(purpose);
    }
    expect(text).toContain("without it campaigns of erd-dub wait");
    expect(text).toContain("without it the pre-shared key of hub-1 waits");
    expect(text).toContain("management.azure.com");
  });

  it("a simulated site has nothing to set up", () => {
    const desired = desiredOf(arcText);
    const sim = { ...desired, azure: { ...desired.azure, cloud: "sim" } } as typeof desired;
    const run_ = () => azureSetup(sim);
    expect(run_).toThrow(LinksealError);
    expect(run_).toThrow("nothing to set up");
  });
});
