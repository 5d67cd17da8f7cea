// Further resources of a subscription that an auditor asks about: networks, gateways, front doors,
// rules and roles, each as Azure documents it, and each property as good or as bad as a test wants
// it.

import type { Site } from "../site/site.ts";
import { applicationGateway } from "./application-gateway.ts";
import { circuitDocument, circuitsOf, connectionDocument } from "./estate.ts";
import {
  endpoint,
  frontDomain,
  frontRoute,
  origin,
  originGroup,
  profiles,
  securityPolicy,
} from "./front-door.ts";
import { type AzureReply, type JsonObject, refusal, reply } from "./http.ts";
import { identityDocument, portIdentity } from "./port-document.ts";
import { type Assigned, contributorId, secretsUserId } from "./role-documents.ts";
import { metricAlert } from "./watch.ts";

/** `absent`: there is no such resource; `denied`: the caller may not read it. */
export const postureStates = ["good", "bad", "absent", "denied"] as const;
export type PostureState = (typeof postureStates)[number];

/** The audited properties that a test can set one by one. */
export const aspects = [
  "vnetEncryption",
  "inspection",
  "frontDoorTls",
  "frontDoorWaf",
  "frontDoorOrigins",
  "gatewayTls",
  "gatewayWaf",
  "bastion",
  "publicAddresses",
  "openPorts",
  "pointToSite",
  "privateGateway",
  "backupGateway",
  "ipsecPolicies",
  "privateTunnels",
  "vaultSettings",
  "vaultRoles",
  "alerts",
  "perimeter",
  "bgpKey",
] as const;
export type Aspect = (typeof aspects)[number];

export interface PostureParts {
  readonly site: Site;
  /** The vault's URI, as its own document names it. */
  readonly vaultUri: string;
  /** The tenant id. */
  readonly tenant: string;
}

const network = "microsoft.network";
/** Azure lists these by group alone. */
const groupOnly = [`${network}/connections`, `${network}/virtualnetworkgateways`];
/** One of these has a document of its own, which shows the truth of the site. */
const truths = [`${network}/connections`, `${network}/expressroutecircuits`];

interface Answer {
  /** The aspects that a list shows; a caller who may not read one of them may not read the list. */
  readonly aspects: readonly Aspect[];
  readonly value: () => readonly JsonObject[];
}

/** The audited resources of one subscription. */
export class Posture {
  readonly #parts: PostureParts;
  readonly #states = new Map<Aspect, PostureState>();

  constructor(parts: PostureParts) {
    this.#parts = parts;
  }

  /** Sets the state of one audited property. */
  set(aspect: Aspect, state: PostureState): void {
    this.#states.set(aspect, state);
  }

  /**
   * Answers a GET of `path` (in lower case), a list or one resource of a list; undefined if there
   * is nothing of this kind.
   */
  answer(path: string): AzureReply | undefined {
    const identity = this.#parts.site.plan.groups
      .map(({ expressRoutePort }) => identityDocument(expressRoutePort))
      .find(({ id }) => String(id).toLowerCase() === path);
    if (identity !== undefined) return reply(200, identity);
    const [, group, list] =
      /^\/subscriptions\/[^/]+(\/resourcegroups\/[^/]+)?\/providers\/(.+)$/.exec(path) ?? [];
    if (list === undefined || (group === undefined && groupOnly.includes(list))) return undefined;
    const found = this.#answerOf(list);
    if (found !== undefined) return this.#shown(found, (value) => ({ value }));
    const type = list.slice(0, list.lastIndexOf("/"));
    const above = truths.includes(type) ? undefined : this.#answerOf(type);
    const isOne = ({ id }: JsonObject): boolean => String(id).toLowerCase() === path;
    return above && this.#shown(above, (value) => value.find(isOne));
  }

  #shown(
    answer: Answer,
    of: (value: readonly JsonObject[]) => JsonObject | undefined,
  ): AzureReply | undefined {
    if (answer.aspects.some((aspect) => this.#is(aspect) === "denied")) return denied();
    const shown = of(answer.value());
    return shown && reply(200, shown);
  }

  /**
   * Returns the role of the port's identity at the vault: a narrow one, or a wide one at the group;
   * `denied` if the caller may not read it.
   */
  portRoles(): readonly Assigned[] | "denied" {
    const { principalId } = portIdentity;
    switch (this.#is("vaultRoles")) {
      case "denied":
        return "denied";
      case "absent":
        return [];
      case "good": {
        const scope = `${this.#base}/providers/Microsoft.KeyVault/vaults/kv-demo`;
        return [{ scope, definition: secretsUserId, principalId }];
      }
      case "bad":
        return [{ scope: this.#base, definition: contributorId, principalId }];
    }
  }

  #answerOf(list: string): Answer | undefined {
    return this.#lists()[list];
  }

  #is(aspect: Aspect): PostureState {
    return this.#states.get(aspect) ?? "good";
  }

  #good(aspect: Aspect): boolean {
    return this.#is(aspect) === "good";
  }

  get #base(): string {
    return this.#parts.site.plan.groups[0]?.expressRoutePort.split("/providers/")[0] ?? "";
  }

  /** Returns the path of a Microsoft.Network resource of the group. */
  #network(path: string): string {
    return `${this.#base}/providers/Microsoft.Network/${path}`;
  }

  #resource(type: string, name: string, properties: JsonObject, rest: JsonObject = {}): JsonObject {
    const id = `${this.#base}/providers/${type}/${name}`;
    return { id, name, type, location: "westus", ...rest, properties };
  }

  #row(of: readonly Aspect[], value: () => readonly JsonObject[]): Answer {
    const isAbsent = (): boolean =>
      of.length > 0 && of.every((aspect) => this.#is(aspect) === "absent");
    return { aspects: of, value: () => (isAbsent() ? [] : value()) };
  }

  #lists(): Readonly<Record<string, Answer>> {
    return {
      ...this.#networkLists(),
      ...this.#vaultLists(),
      ...this.#watchLists(),
      ...this.#frontDoorLists(),
    };
  }

  #networkLists(): Readonly<Record<string, Answer>> {
    return {
      [`${network}/virtualhubs`]: this.#row([], () => []),
      [`${network}/virtualnetworks`]: this.#row(["vnetEncryption"], () => this.#networks()),
      [`${network}/azurefirewalls`]: this.#row(["inspection"], () => this.#firewalls()),
      [`${network}/routetables`]: this.#row(["inspection"], () => this.#routes()),
      [`${network}/applicationgateways`]: this.#row(["gatewayTls", "gatewayWaf"], () => [
        applicationGateway(this.#base, {
          hasTls: this.#good("gatewayTls"),
          hasFirewall: this.#good("gatewayWaf"),
        }),
      ]),
      [`${network}/applicationgatewaywebapplicationfirewallpolicies`]: this.#row(
        ["gatewayWaf"],
        () => [this.#firewallPolicy("ApplicationGateway", "app", { state: "Enabled" })],
      ),
      [`${network}/frontdoorwebapplicationfirewallpolicies`]: this.#row(["frontDoorWaf"], () => [
        this.#firewallPolicy("FrontDoor", "waf", { enabledState: "Enabled" }),
      ]),
      [`${network}/bastionhosts`]: this.#row(["bastion"], () => this.#bastions()),
      [`${network}/networkinterfaces`]: this.#row(["publicAddresses"], () => this.#interfaces()),
      [`${network}/networksecuritygroups`]: this.#row(["openPorts"], () => this.#rules()),
      [`${network}/virtualnetworkgateways`]: this.#row(
        ["pointToSite", "privateGateway", "backupGateway"],
        () => this.#vpnGateways(),
      ),
      [`${network}/connections`]: this.#row(["ipsecPolicies", "privateTunnels"], () =>
        this.#connections(),
      ),
      [`${network}/expressroutecircuits`]: {
        ...{ aspects: ["bgpKey"], value: () => this.#circuits() },
      },
    };
  }

  #vaultLists(): Readonly<Record<string, Answer>> {
    const vault = "microsoft.keyvault/vaults";
    return {
      [vault]: this.#row(["vaultSettings"], () => this.#vaults()),
      [`${vault}/kv-demo/networksecurityperimeterconfigurations`]: this.#row(["perimeter"], () =>
        this.#perimeters(),
      ),
    };
  }

  #watchLists(): Readonly<Record<string, Answer>> {
    return {
      ["microsoft.insights/metricalerts"]: this.#row(["alerts"], () => this.#alerts()),
    };
  }

  #frontDoorLists(): Readonly<Record<string, Answer>> {
    const profile = "microsoft.cdn/profiles/edge";
    const frontDoor: readonly Aspect[] = ["frontDoorTls", "frontDoorWaf", "frontDoorOrigins"];
    return {
      ["microsoft.cdn/profiles"]: this.#row(frontDoor, () => profiles(this.#base)),
      [`${profile}/afdendpoints`]: this.#row(["frontDoorTls"], () => [endpoint(this.#base)]),
      [`${profile}/afdendpoints/app/routes`]: this.#row(["frontDoorTls"], () => [
        frontRoute(this.#base, this.#good("frontDoorTls")),
      ]),
      [`${profile}/customdomains`]: this.#row(["frontDoorTls"], () => [
        frontDomain(this.#base, this.#good("frontDoorTls")),
      ]),
      [`${profile}/rulesets`]: this.#row(["frontDoorTls"], () => []),
      [`${profile}/securitypolicies`]: this.#row(["frontDoorWaf"], () =>
        this.#good("frontDoorWaf") ? [securityPolicy(this.#base)] : [],
      ),
      [`${profile}/origingroups`]: this.#row(["frontDoorOrigins"], () => [originGroup(this.#base)]),
      [`${profile}/origingroups/back/origins`]: this.#row(["frontDoorOrigins"], () => [
        origin(this.#base, this.#good("frontDoorOrigins")),
      ]),
    };
  }

  #networks(): readonly JsonObject[] {
    const enabled = this.#good("vnetEncryption");
    const encryption = { enabled, enforcement: "AllowUnencrypted" };
    const addressSpace = { addressPrefixes: ["10.100.0.0/16"] };
    const routeTable = { id: this.#network("routeTables/spokes") };
    const subnets = [
      { name: "GatewaySubnet", properties: { addressPrefix: "10.100.0.0/26" } },
      { name: "vm", properties: { addressPrefix: "10.100.2.0/24", routeTable } },
    ];
    const parts = { addressSpace, encryption, subnets, virtualNetworkPeerings: [] };
    return [this.#resource("Microsoft.Network/virtualNetworks", "hub", parts)];
  }

  #firewalls(): readonly JsonObject[] {
    const ipConfigurations = [{ properties: { privateIPAddress: "10.100.1.4" } }];
    const properties = { ipConfigurations, natRuleCollections: [] };
    return [this.#resource("Microsoft.Network/azureFirewalls", "inspect", properties)];
  }

  #routes(): readonly JsonObject[] {
    const next = this.#good("inspection")
      ? { nextHopType: "VirtualAppliance", nextHopIpAddress: "10.100.1.4" }
      : { nextHopType: "VnetLocal" };
    const subnets = [{ id: this.#network("virtualNetworks/hub/subnets/vm") }];
    const routes = [{ name: "spokes", properties: { addressPrefix: "10.0.0.0/8", ...next } }];
    return [this.#resource("Microsoft.Network/routeTables", "spokes", { routes, subnets })];
  }

  #firewallPolicy(kind: "ApplicationGateway" | "FrontDoor", name: string, state: JsonObject) {
    const type = `Microsoft.Network/${kind}WebApplicationFirewallPolicies`;
    return this.#resource(type, name, {
      policySettings: { ...state, mode: "Prevention", requestBodyCheck: true },
      provisioningState: "Succeeded",
    });
  }

  #bastions(): readonly JsonObject[] {
    const state = this.#good("bastion") ? "Succeeded" : "Failed";
    return [this.#resource("Microsoft.Network/bastionHosts", "jump", { provisioningState: state })];
  }

  #interfaces(): readonly JsonObject[] {
    const id = this.#network("publicIPAddresses/vm");
    const open = this.#good("publicAddresses") ? {} : { publicIPAddress: { id } };
    const ipConfigurations = [{ properties: { privateIPAddress: "10.100.2.4", ...open } }];
    return [this.#resource("Microsoft.Network/networkInterfaces", "vm", { ipConfigurations })];
  }

  #rules(): readonly JsonObject[] {
    const from = this.#good("openPorts") ? "10.100.3.0/26" : "Internet";
    const rule = {
      access: "Allow",
      direction: "Inbound",
      protocol: "Tcp",
      priority: 100,
      sourceAddressPrefix: from,
      destinationPortRanges: ["22", "3380-3400"],
    };
    const securityRules = [{ name: "login", properties: rule }];
    return [this.#resource("Microsoft.Network/networkSecurityGroups", "vm", { securityRules })];
  }

  #vpnGateways(): readonly JsonObject[] {
    const aad = this.#good("pointToSite");
    const subnet = this.#network("virtualNetworks/hub/subnets/GatewaySubnet");
    const ipConfigurations = [{ properties: { subnet: { id: subnet } } }];
    const tenant = "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/";
    const clients = {
      vpnClientAddressPool: { addressPrefixes: ["10.100.8.0/24"] },
      vpnClientProtocols: ["OpenVPN"],
      vpnAuthenticationTypes: aad ? ["AAD"] : ["Certificate", "AAD"],
      aadTenant: tenant,
      aadAudience: "c632b3df-fb67-4d84-bdcf-b95ad541b5c8",
      aadIssuer: "https://sts.windows.net/11111111-2222-3333-4444-555555555555/",
    };
    const type = "Microsoft.Network/virtualNetworkGateways";
    const vpn = this.#resource(type, "gw", {
      gatewayType: "Vpn",
      vpnType: "RouteBased",
      enablePrivateIpAddress: this.#good("privateGateway"),
      ipConfigurations,
      ...(this.#is("pointToSite") === "absent" ? {} : { vpnClientConfiguration: clients }),
    });
    const expressRoute = this.#resource(type, "er", {
      gatewayType: "ExpressRoute",
      ipConfigurations,
    });
    switch (this.#is("backupGateway")) {
      case "bad": {
        const other = subnet.replace("/hub/", "/other/");
        const elsewhere = [{ properties: { subnet: { id: other } } }];
        return [
          vpn,
          {
            ...expressRoute,
            properties: { gatewayType: "ExpressRoute", ipConfigurations: elsewhere },
          },
        ];
      }
      case "absent":
        return [vpn];
      case "good":
      case "denied":
        return [vpn, expressRoute];
    }
  }

  #connections(): readonly JsonObject[] {
    const { site } = this.#parts;
    const tunnels = site.plan.tunnels.map((tunnel) => {
      const document = connectionDocument(site, tunnel);
      const before = document["properties"] as JsonObject;
      const policies = before["ipsecPolicies"] as readonly JsonObject[];
      const weak = policies.map((policy) => ({
        ...policy,
        ipsecIntegrity: "SHA1",
        pfsGroup: "None",
      }));
      const properties = {
        ...before,
        useLocalAzureIpAddress: this.#good("privateTunnels"),
        ipsecPolicies: this.#good("ipsecPolicies") ? policies : weak,
      };
      return { ...document, properties };
    });
    return [...tunnels, ...tunnels.slice(0, 1).map((tunnel) => this.#backupOf(tunnel))];
  }

  /** Returns a connection over the Internet, which backs ExpressRoute up. */
  #backupOf(tunnel: JsonObject): JsonObject {
    const properties = {
      ...(tunnel["properties"] as JsonObject),
      connectionStatus: "Connected",
      tunnelConnectionStatus: [],
      useLocalAzureIpAddress: false,
    };
    return { ...tunnel, id: this.#network("connections/backup"), name: "backup", properties };
  }

  /** It is not documented what Azure returns of a shared key: it may leave it out. */
  #circuits(): readonly JsonObject[] {
    return circuitsOf(this.#parts.site).map((circuit) => {
      const document = circuitDocument(circuit);
      const properties = document["properties"] as JsonObject;
      const sharedKey = this.#good("bgpKey") ? "simulated-shared-key" : "";
      const keyPart = this.#is("bgpKey") === "absent" ? {} : { sharedKey };
      const peerings = (properties["peerings"] as readonly JsonObject[]).map((peering) => ({
        ...peering,
        properties: { ...(peering["properties"] as JsonObject), ...keyPart },
      }));
      return { ...document, properties: { ...properties, peerings } };
    });
  }

  #vaults(): readonly JsonObject[] {
    const good = this.#good("vaultSettings");
    return [
      this.#resource("Microsoft.KeyVault/vaults", "kv-demo", {
        ...{ tenantId: this.#parts.tenant, sku: { family: "A", name: "standard" } },
        accessPolicies: [],
        vaultUri: `${this.#parts.vaultUri}/`,
        enableSoftDelete: true,
        enablePurgeProtection: true,
        enableRbacAuthorization: true,
        networkAcls: { bypass: "AzureServices", defaultAction: good ? "Deny" : "Allow" },
      }),
    ];
  }

  /** A vault has no perimeter, or one that only records. */
  #perimeters(): readonly JsonObject[] {
    if (this.#good("perimeter")) return [];
    const perimeter = this.#network("networkSecurityPerimeters/around");
    return [
      this.#resource(
        "Microsoft.KeyVault/vaults/kv-demo/networkSecurityPerimeterConfigurations",
        "around",
        {
          provisioningState: "Succeeded",
          networkSecurityPerimeter: { id: perimeter },
          resourceAssociation: { name: "around", accessMode: "Learning" },
        },
      ),
    ];
  }

  #alerts(): readonly JsonObject[] {
    const { site } = this.#parts;
    const good = this.#good("alerts");
    return [
      ...site.plan.groups.map(({ expressRoutePort }) =>
        metricAlert(expressRoutePort, "LineProtocol", good),
      ),
      ...circuitsOf(site).map(({ id }) => metricAlert(id, "BgpAvailability", good)),
    ];
  }
}

function denied(): AzureReply {
  const message = "The client does not have authorization to perform action over scope.";
  return refusal(403, { code: "AuthorizationFailed", message });
}
