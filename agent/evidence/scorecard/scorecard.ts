// Microsoft's Zero Trust recommendations on encrypting network communication, each checked against
// the readings: proven, failed, or not verifiable with the reason.

import { fromOutside } from "#hal/outside.ts";
import { type Desired, linkId } from "../../model/desired.ts";
import type { Agent } from "../../runtime/agent.ts";
import type { AgentView } from "../../runtime/agent-view.ts";
import type { Status } from "../../runtime/health/status.ts";
import { named } from "../../store/journal/memory.ts";
import {
  appGatewayTls,
  bastion,
  centralInspection,
  frontDoorOrigins,
  frontDoorTls,
  networkEncryption,
  notAtEdge,
  pointToSite,
} from "./cloud-checks.ts";
import {
  bgpAuthentication,
  ipsecPolicies,
  keysInVault,
  leastPrivilege,
  macsecOnDirect,
  monitored,
  privatePeering,
  type ScorecardFacts,
  vpnBackup,
} from "./edge-checks.ts";
import { blindEstate, type Estate, readEstate } from "./estate.ts";
import { appGatewayWaf, frontDoorWaf } from "./firewall-checks.ts";
import { type Outcome, unverifiable } from "./outcome.ts";

interface Row {
  readonly id: string;
  readonly recommendation: string;
  /** Section of the article. */
  readonly clause: string;
  readonly check: (facts: ScorecardFacts) => Outcome;
}

function section(
  clause: string,
  rows: Readonly<Record<string, readonly [recommendation: string, check: Row["check"]]>>,
): readonly Row[] {
  return Object.entries(rows).map(([id, [recommendation, check]]) => {
    return { id, recommendation, clause, check };
  });
}

const scorecardRows: readonly Row[] = [
  ...section("Encryption between on-premises and Azure", {
    "macsec-on-direct": ["ExpressRoute Direct links run MACsec with static keys", macsecOnDirect],
    "macsec-keys-in-vault": [
      "CAK and CKN are kept in a Key Vault, and the vault is closed",
      keysInVault,
    ],
    "macsec-least-privilege": [
      "The port reads its keys as a managed identity with no other right",
      leastPrivilege,
    ],
    "ipsec-connections": [
      "VPN connections use IKEv2 and IPsec under strong policies",
      ipsecPolicies,
    ],
    "ipsec-over-private-peering": [
      "Where data is encrypted end to end, IPsec runs over private peering alone",
      privatePeering,
    ],
    "bgp-authentication": ["BGP of ExpressRoute peerings is authenticated", bgpAuthentication],
    "p2s-entra-authentication": [
      "Remote users of a VPN gateway sign in with Microsoft Entra ID",
      pointToSite,
    ],
    "p2s-conditional-access": [
      "Conditional Access guards the sign-in of remote users",
      notAtEdge(
        "its policies are in Microsoft Graph, which linkseal does not read",
        "look at Conditional Access in the Entra admin center",
      ),
    ],
    monitoring: ["Azure Monitor watches ports and circuits, and alerts", monitored],
    "vpn-as-backup": ["ExpressRoute carries the load, and a VPN gateway backs it up", vpnBackup],
  }),
  ...section("Encryption inside and between Azure virtual networks", {
    "inter-region": [
      "Traffic between regions is encrypted by the platform",
      notAtEdge(
        "Microsoft encrypts it on its own backbone and offers nothing to look at",
        "rely on Microsoft's statement, or encrypt the data itself",
      ),
    ],
    "vnet-encryption": ["Virtual networks encrypt traffic between machines", networkEncryption],
    "central-inspection": [
      "Traffic between networks passes one place that inspects it",
      centralInspection,
    ],
  }),
  ...section("Encryption at the application layer", {
    "front-door-tls": ["Front Door speaks TLS 1.2 or newer from client to origin", frontDoorTls],
    "front-door-waf": ["Front Door has a web application firewall", frontDoorWaf],
    "front-door-private-origins": [
      "Front Door reaches its origins over Private Link",
      frontDoorOrigins,
    ],
    "app-gateway-tls": [
      "Application Gateway speaks TLS 1.2 or newer from client to backend",
      appGatewayTls,
    ],
    "app-gateway-waf": ["Application Gateway has a web application firewall", appGatewayWaf],
    bastion: ["Machines are administered through Bastion and not over the Internet", bastion],
    "bastion-sessions": [
      "Sessions through Bastion are watched and can be ended",
      notAtEdge(
        "its sessions are listed only by an action that linkseal has no right to",
        "look at the sessions of the Bastion in the portal",
      ),
    ],
  }),
];

/** The Zero Trust scorecard (`linkseal scorecard --json`). */
export interface Scorecard {
  /** The JSON schema's name and version. */
  readonly schema: "linkseal.scorecard/1";
  /** The site's name in the config; null = no config has been accepted. */
  readonly site: string | null;
  /** When it was made, in ISO 8601. */
  readonly at: string;
  /** The document that makes the recommendations. */
  readonly source: string;
  /** The resource groups that were read; empty = nothing of Azure was read. */
  readonly scopes: readonly string[];
  /** How many rows have each verdict. */
  readonly counts: Readonly<Record<Outcome["verdict"], number>>;
  /** One row for each recommendation. */
  readonly rows: readonly (Omit<Row, "check"> & Outcome)[];
}

const source =
  "Microsoft: Apply Zero Trust principles to encrypting Azure-based network communication (2024)";

/** An agent that can also read documents of Azure. */
type ScoredAgent = AgentView & Pick<Agent, "azureReader">;

/**
 * Makes the scorecard from the agent's last observations and a fresh read of Azure. It changes
 * nothing anywhere, so an abort leaves nothing behind.
 */
export async function makeScorecard(agent: ScoredAgent, signal: AbortSignal): Promise<Scorecard> {
  const estate = await estateOf(agent, signal);
  // The status is read last: reading Azure takes time, and observations age meanwhile.
  const status = agent.status();
  const facts = { ...edgeOf(agent, status), estate };
  const rows = scorecardRows.map(({ check, ...row }) => ({
    ...row,
    ...fromOutside(() => check(facts), unreadable),
  }));
  const count = (verdict: Outcome["verdict"]): number =>
    rows.filter((row) => row.verdict === verdict).length;
  return {
    schema: "linkseal.scorecard/1",
    site: agent.intent?.desired.site ?? null,
    at: status.at,
    source,
    scopes: facts.estate.scopes,
    counts: {
      proven: count("proven"),
      failed: count("failed"),
      notVerifiable: count("notVerifiable"),
    },
    rows,
  };
}

/** An answer of Azure that a check cannot read leaves the other rows as they are. */
function unreadable(): Outcome {
  return unverifiable("what Azure answers here is not understood", "linkseal doctor --bundle");
}

async function estateOf(agent: ScoredAgent, signal: AbortSignal): Promise<Estate> {
  const desired = agent.intent?.desired;
  if (agent.supervisor === undefined || desired === undefined) {
    return blindEstate("no config has been accepted yet");
  }
  const read = agent.azureReader(desired);
  if (read === undefined) {
    return blindEstate("the simulated cloud of this config has no management API");
  }
  const ports = portsOf(desired);
  const { vault } = desired.azure;
  const scopes = scopesOf(desired.azure.scopes, [
    ...ports,
    ...desired.tunnels.flatMap(({ azureConnection }) => azureConnection ?? []),
  ]);
  return await readEstate({ read, scopes, ports, vault }, signal);
}

const portsOf = ({ groups }: Desired): readonly string[] =>
  groups.map(({ expressRoutePort }) => expressRoutePort);

function edgeOf(
  { supervisor, memory, intent }: AgentView,
  status: Status,
): Omit<ScorecardFacts, "estate"> {
  const desired = intent?.desired;
  if (supervisor === undefined || desired === undefined) {
    return { links: [], tunnels: [], vault: "", ports: [] };
  }
  const links = desired.groups.flatMap((group) =>
    group.links.map((link) => {
      const shown = status.groups
        .find(({ name }) => name === group.name)
        ?.links.find(({ name }) => name === link.name);
      const peer = supervisor.deviceCache.peer(link);
      const { pointsAt } = peer?.state ?? {};
      const ageMs = shown?.ages.farEndMs ?? Number.POSITIVE_INFINITY;
      const ids = pointsAt === undefined ? undefined : [pointsAt.cakSecretId, pointsAt.cknSecretId];
      return {
        name: linkId(link),
        verdict: shown?.verdict ?? ("unknown" as const),
        codes: shown?.reasons.map(({ code }) => code) ?? [],
        ckn: shown?.keyInUse ?? null,
        meant: named(memory.bindings, linkId(link))?.key.ckn ?? null,
        farEnd: peer === undefined ? undefined : { ageMs, admin: peer.state.admin, ids },
      };
    }),
  );
  const tunnels = status.tunnels.map(({ name, verdict, reasons }) => ({
    ...{ name, verdict, codes: reasons.map(({ code }) => code) },
  }));
  return { links, tunnels, vault: desired.azure.vault, ports: portsOf(desired) };
}

/** The resource groups that the config names, and those of all resources in it. */
function scopesOf(named: readonly string[], resources: readonly string[]): readonly string[] {
  const found = new Map<string, string>();
  for (const id of [...named, ...resources]) {
    const [group] = /^\/subscriptions\/[^/]+\/resourceGroups\/[^/]+/i.exec(id) ?? [];
    if (group !== undefined && !found.has(group.toLowerCase()))
      found.set(group.toLowerCase(), group);
  }
  return [...found.values()];
}
