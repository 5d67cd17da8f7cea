// What a config needs in Azure, and what Azure has of it, as text. All input must be readable text.

import type { AzureCheck } from "../operate/azure-setup/check.ts";
import type { SetupReport } from "../operate/azure-setup/report.ts";

/** Returns the overview: rights, identities, vault and network, and the formats. */
export function overviewText(report: SetupReport, file: string): string {
  const { site, cloud, identity, vault, network, role } = report;
  return [
    `${site} in the cloud ${cloud}: rights, identities, vault and network`,
    "",
    identity.text,
    ...identity.onHost.map((line) => `  on its host: ${line}`),
    "",
    `Role "${role.Name}" for the agent, at`,
    ...role.AssignableScopes.map((scope) => `  ${scope}`),
    "",
    ...rightLines(report),
    "",
    `Vault ${vault.name}: access by roles (RBAC), soft delete, purge protection; a firewall that`,
    "  denies by default and lets trusted services pass (docs/keys.md, The vault's firewall)",
    "",
    "The agent's host reaches by HTTPS:",
    ...network.hosts.map((host) => `  ${host}`),
    ...privateLines(report),
    "",
    "The ExpressRoute port and its links are only read: nothing that these print changes them.",
    ...["role", "az", "terraform"].map(
      (format) => `  linkseal azure setup ${file} --format ${format}`,
    ),
    `next: apply one of them, then linkseal azure setup ${file} --check`,
  ].join("\n");
}

function rightLines({ rights }: SetupReport): readonly string[] {
  const places = [...new Set(rights.map(({ holder, scope }) => `${holder} at ${scope}`))];
  return places.flatMap((place) => {
    const here = rights.filter(({ holder, scope }) => `${holder} at ${scope}` === place);
    return [
      `${place}:`,
      ...here.flatMap(({ action, purpose, waits }) => [
        `  ${action}`,
        `      ${purpose}${waits === null ? "" : `; without it ${waits}`}`,
      ]),
    ];
  });
}

function privateLines({ network }: SetupReport): readonly string[] {
  const { dnsZone, forwarded, privateEndpoints } = network;
  if (privateEndpoints.length === 0) return [];
  return [
    `A private endpoint of the vault is in ${privateEndpoints.join(", ")}; its private DNS zone is`,
    `  ${dnsZone}; the host's resolver forwards ${forwarded.join(" and ")} to one in Azure.`,
  ];
}

const words = { has: "has", missing: "MISSING", unknown: "unknown" } as const;

/** Returns what Azure has of the setup, a line for each part, with the next act. */
export function checkText({ checks, counts }: AzureCheck): string {
  return [
    ...checks.flatMap(({ what, where, found, why, next }) => [
      `${words[found].padEnd(7)} ${what}`,
      `        at ${where}${why === null ? "" : `: ${why}`}`,
      ...(next === null ? [] : [`        next: ${next}`]),
    ]),
    "",
    `${counts.has} as needed, ${counts.missing} missing, ${counts.unknown} unknown`,
  ].join("\n");
}
