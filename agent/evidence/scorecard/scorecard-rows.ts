// The rows of the scorecard: Microsoft's Zero Trust recommendations on encrypting network
// communication.

import { monitored } from "./alert-checks.ts";
import { appGatewayTls } from "./app-gateway-checks.ts";
import {
  bgpAuthentication,
  ipsecPolicies,
  pointToSite,
  privatePeering,
  vpnBackup,
} from "./connection-checks.ts";
import type { ScorecardFacts } from "./facts.ts";
import { appGatewayWaf, frontDoorWaf } from "./firewall-checks.ts";
import { frontDoorOrigins, frontDoorTls } from "./front-door-checks.ts";
import { keysInVault, leastPrivilege, macsecOnDirect, vaultPerimeter } from "./macsec-checks.ts";
import { bastion, centralInspection, networkEncryption } from "./network-checks.ts";
import { type Outcome, unverifiable } from "./outcome.ts";

export interface ScorecardRow {
  readonly id: string;
  readonly recommendation: string;
  /** Section of the article. */
  readonly clause: string;
  readonly check: (facts: ScorecardFacts) => Outcome;
}

function section(
  clause: string,
  rows: Readonly<Record<string, readonly [recommendation: string, check: ScorecardRow["check"]]>>,
): readonly ScorecardRow[] {
  return Object.entries(rows).map(([id, [recommendation, check]]) => {
    return { id, recommendation, clause, check };
  });
}

/** The rows in the order in which they are shown. */
export const scorecardRows: readonly ScorecardRow[] = [
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
      neverShown(
        "its policies are in Microsoft Graph, which linkseal does not read",
        "look at Conditional Access in the Entra admin center",
      ),
    ],
    "vault-perimeter": [
      "A network security perimeter of the vault, where there is one, is in force",
      vaultPerimeter,
    ],
    monitoring: ["Azure Monitor watches ports and circuits, and alerts", monitored],
    "vpn-as-backup": ["ExpressRoute carries the load, and a VPN gateway backs it up", vpnBackup],
  }),
  ...section("Encryption inside and between Azure virtual networks", {
    "inter-region": [
      "Traffic between regions is encrypted by the platform",
      neverShown(
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
      neverShown(
        "its sessions are listed only by an action that linkseal has no right to",
        "look at the sessions of the Bastion in the portal",
      ),
    ],
  }),
];

/** Makes the check of a recommendation of which no source here shows anything. */
function neverShown(why: string, next: string): ScorecardRow["check"] {
  return () => unverifiable(why, next);
}
