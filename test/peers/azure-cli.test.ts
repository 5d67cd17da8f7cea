// Debian's Azure CLI at the simulated cloud: it learns the cloud from the cloud itself, signs in by
// certificate, and does what an operator does.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { effort } from "../effort.ts";
import { isCommand } from "../machine/place.ts";
import { Program } from "../process/program.ts";
import { cannotRun } from "../why-not.ts";
import { StartedAzure } from "./sim-azure.ts";

let cloud: StartedAzure;
const transcript: string[] = [];
beforeAll(async () => {
  cloud = await StartedAzure.begin();
});
beforeEach((context) => {
  if (isCommand("az")) return;
  cannotRun(context, "not run: there is no az; `npm run test:tools -- azure-cli` installs it");
});
afterAll(async () => {
  console.log(transcript.join("\n"));
  await cloud[Symbol.asyncDispose]();
});

/** Runs one command, with a home of its own; any host but this one is behind a dead proxy. */
async function az(...words: readonly string[]): Promise<unknown> {
  const { ca = "" } = cloud.settings;
  const env = {
    ...{ PATH: "/usr/bin:/bin", HOME: cloud.folder, AZURE_CONFIG_DIR: join(cloud.folder, "az") },
    ...{ REQUESTS_CA_BUNDLE: ca, AZURE_CORE_COLLECT_TELEMETRY: "false" },
    ...{ AZURE_CORE_INSTANCE_DISCOVERY: "false", AZURE_CORE_ONLY_SHOW_ERRORS: "true" },
    ...{ HTTPS_PROXY: "http://127.0.0.1:9", NO_PROXY: "localhost" },
  };
  const argv = [...words, "--output", "json"];
  const child = spawn("/usr/bin/az", argv, { env, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  child.stdout.on("data", (octets: Buffer) => (stdout += octets.toString()));
  const program = new Program(child);
  await program.ended;
  transcript.push(`$ az ${shown(words.join(" "))}`, `${child.exitCode}: ${shown(stdout)}`);
  if (child.exitCode !== 0) throw new Error(`az ${words[0]} ended with ${program.output}`);
  return stdout.trim() === "" ? undefined : JSON.parse(stdout);
}

/** One line, without shared keys. */
function shown(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").slice(0, 160);
  return line.replaceAll(/("value": ")[^"]*|(--value )\S+/g, "$1$2...");
}

/** A busy computer must not fail a test: a command takes two seconds of a quiet processor. */
const patience = { timeout: effort(180_000, 900_000) };

describe("the Azure CLI at the simulated cloud", patience, () => {
  it("registers the cloud by its endpoints and signs in with a certificate", async () => {
    const { arm = "", AZURE_TENANT_ID: tenant = "", AZURE_CLIENT_ID: client = "" } = cloud.settings;
    const file = cloud.settings["AZURE_CLIENT_CERTIFICATE_PATH"] ?? "";
    await az("cloud", "register", "--name", "Sim", "--endpoint-resource-manager", arm);
    await az("cloud", "set", "--name", "Sim");
    const signIn = ["login", "--service-principal", "--tenant", tenant, "--username", client];
    const accounts = await az(...signIn, "--certificate", file);
    expect(accounts).toMatchObject([{ cloudName: "Sim", state: "Enabled", tenantId: tenant }]);
  });

  it("lists and shows ports, circuits, connections and vaults", async () => {
    const { expressRoutePort: port = "" } = cloud.settings;
    const ports = (await az("network", "express-route", "port", "list")) as { id: string }[];
    expect(ports.map(({ id }) => id)).toEqual([port]);
    const one = await az("network", "express-route", "port", "show", "--ids", port);
    expect(one).toMatchObject({ id: port, identity: { type: "userAssigned" } });
    const group = ["--resource-group", port.split("/")[4] ?? ""];
    const circuits = await az("network", "express-route", "list", ...group);
    expect(circuits).toMatchObject([{ expressRoutePort: { id: port } }]);
    const vaults = await az("keyvault", "list", ...group);
    expect(vaults).toMatchObject([{ name: "kv-demo" }]);
  });

  it("updates a link, which leaves the other link as it is", async () => {
    const { expressRoutePort: port = "" } = cloud.settings;
    const [, , , , group = "", , , , name = ""] = port.split("/");
    const link = ["--resource-group", group, "--port-name", name];
    const path = ["network", "express-route", "port", "link"];
    const before = (await az(...path, "list", ...link)) as { adminState: string }[];
    await az(...path, "update", ...link, "--name", "link2", "--macsec-sci-state", "Disabled");
    const after = (await az(...path, "list", ...link)) as { macSecConfig: { sciState: string } }[];
    expect(after[1]?.macSecConfig.sciState).toBe("Disabled");
    expect(after[0]).toMatchObject({ adminState: before[0]?.adminState });
  });

  it("reads and sets a shared key, and lists IKE SAs", async () => {
    const { expressRoutePort: port = "" } = cloud.settings;
    const group = ["--resource-group", port.split("/")[4] ?? ""];
    const path = ["network", "vpn-connection"];
    const all = (await az(...path, "list", ...group)) as { name: string }[];
    const name = all[0]?.name ?? "";
    const key = [...path, "shared-key"];
    const own = [...group, "--connection-name", name];
    expect(await az(...key, "show", ...own)).toMatchObject({ value: expect.any(String) });
    const value = "Az_made_0123456789";
    await az(...key, "update", ...own, "--value", value);
    expect(await az(...key, "show", ...own)).toMatchObject({ value });
    const sas = await az(...path, "list-ike-sas", ...group, "--name", name);
    expect(JSON.stringify(sas)).toContain("localEndpoint");
  });

  it("lists roles", async () => {
    const { expressRoutePort: port = "" } = cloud.settings;
    const scope = `${port.split("/providers/")[0]}/providers/Microsoft.KeyVault/vaults/kv-demo`;
    const roles = (await az("role", "assignment", "list", "--scope", scope)) as {
      roleDefinitionName: string;
    }[];
    expect(roles.map((each) => each.roleDefinitionName)).toContain("Key Vault Secrets User");
  });
});
