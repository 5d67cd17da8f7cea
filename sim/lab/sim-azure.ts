// A simulated cloud with its simulated site: for the agent, and for scripts of the operator.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { MacsecCapabilities } from "#hal/device.ts";
import { aborted, inFolder, leashMs, stopAsked, taken, verdictOf } from "./sim-run.ts";
import type { AzureServed } from "./simulate.ts";

export interface SimAzureOptions {
  readonly speed: number;
  readonly seed: string;
  readonly start: "clear" | "protected";
  readonly overlap: MacsecCapabilities["overlap"];
  readonly port: number;
  readonly socket?: string;
  readonly arcFolder?: string;
}

/** Serves until SIGTERM or SIGINT; resolves to 0, or to 1 if the oracle saw a broken promise. */
export async function serveAzureUntilStopped(options: SimAzureOptions): Promise<0 | 1> {
  return await inFolder("linkseal-azure-", (folder) => serve(options, folder));
}

async function serve(options: SimAzureOptions, folder: string): Promise<0 | 1> {
  const simulation = await import("./simulate.ts");
  const { demoSite, leashClock, paceClock, serveAzure, serveSite } = simulation;
  const { speed, seed, start, overlap, port, arcFolder } = options;
  const socket = options.socket ?? join(folder, "site.sock");
  const stop = stopAsked();
  let staff: ReturnType<typeof demoSite> | undefined;
  const cloud = await serveAzure({
    folder,
    port,
    site: (vaultBase) => {
      staff = demoSite(seed, start, { vaultBase, ...simulation.routersThatHold(overlap) });
      return staff.site;
    },
    ...(arcFolder === undefined ? {} : { arcFolder }),
  }).catch(taken("port"));
  if (staff === undefined) throw new Error("the cloud was built without its site");
  const { site, faultConsole } = staff;
  faultConsole.posture = cloud.azure.arm.posture;
  site.setSpeed(speed);
  const leash = leashClock(faultConsole.handler(), site.clock, leashMs);
  const served = await serveSite(leash.handler, socket).catch(taken("socket"));
  const pace = paceClock(site.clock, { speed, hold: leash.hold });
  const config = join(folder, "linkseal.yaml");
  await writeFile(config, configOf(cloud, `unix:${socket}`));
  process.stdout.write(opening(cloud, socket, config));
  await Promise.race([pace.done, aborted(stop)]);
  await pace.stop();
  await Promise.all([served.close(), cloud.close()]);
  return await verdictOf(staff);
}

/**
 * Returns the config for an agent whose routers are simulated and whose cloud is set up like a real
 * one.
 */
function configOf({ base, site, tenant, clientId, certificate }: AzureServed, address: string) {
  const cloud = [
    "azure:",
    "  cloud: loopback",
    `  vault: ${base}`,
    `  authority: ${base}`,
    `  arm: ${base}`,
    "  identity:",
    "    kind: clientCertificate",
    `    tenant: ${tenant}`,
    `    client: ${clientId}`,
    `    certificate: file:${certificate}`,
    "  farEnd: agent",
  ];
  return site.config(address).replace(/^azure:\n(?: .*\n)+/m, `${cloud.join("\n")}\n`);
}

function opening(cloud: AzureServed, socket: string, config: string): string {
  const { base, local, arc, ca, site, environment, federatedToken } = cloud;
  const secrets = site.links.flatMap(({ key }) => [key.cak, key.ckn]);
  const lines = [
    `vault ${base}`,
    `authority ${base}`,
    `arm ${base}`,
    `ca ${ca}`,
    `site unix:${socket}`,
    `config ${config}`,
    `secrets ${secrets.join(" ")}`,
    ...[...site.msees.keys()].map((id) => `expressRoutePort ${id}`),
    "",
    "# for an agent of this config: its own environment needs NODE_EXTRA_CA_CERTS alone",
    "# for the clients of Microsoft; credentials also need disableInstanceDiscovery: true, and",
    "# SecretClient disableChallengeResourceVerification: true, as localhost is not a vault",
    ...Object.entries(environment).map(([name, value]) => `export ${name}=${value}`),
    "",
    "# Azure Arc instead of App Service; the clients read keys in /var/opt/azcmagent/tokens alone,",
    "# so begin with --arc-folder /var/opt/azcmagent/tokens:",
    `# unset IDENTITY_HEADER; export IMDS_ENDPOINT=${arc} ` +
      `IDENTITY_ENDPOINT=${arc}/metadata/identity/oauth2/token`,
    "# the metadata service instead of both:",
    `# unset IDENTITY_HEADER IDENTITY_ENDPOINT; export AZURE_POD_IDENTITY_AUTHORITY_HOST=${local}`,
    "# workload identity federation, which managed identities give way to:",
    `# export AZURE_FEDERATED_TOKEN_FILE=${federatedToken}`,
    "",
  ];
  return `${lines.join("\n")}\n`;
}
