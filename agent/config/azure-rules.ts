// Rules between the settings under `azure`, cloud by cloud.

import {
  checkArm,
  checkAuthority,
  checkPrivateRange,
  checkVaultUrl,
  type RealCloud,
  vaultUrlOf,
} from "#drivers/azure/azure-url.ts";
import { shown } from "./complaint.ts";
import { type Finding, finding, type Rule } from "./rule.ts";
import type { Config } from "./schema.ts";

type Azure = Config["azure"];

export const azureRules: readonly Rule[] = [
  {
    says:
      "`azure.cloud: sim` has a socket as its vault, every other cloud an https URL: " +
      "NAME.vault.azure.net, NAME.vault.usgovcloudapi.net or NAME.vault.azure.cn, " +
      "with no port, path or user name.",
    *find({ azure }) {
      yield* vaultOf(azure);
    },
  },
  {
    says:
      "`azure.authority` and `azure.arm` belong to `cloud: loopback` alone, a simulated Azure on " +
      "this host; there both are needed and every URL is https://localhost:PORT or alike.",
    *find({ azure }) {
      yield* serviceOf(azure, "authority", checkAuthority);
      yield* serviceOf(azure, "arm", checkArm);
    },
  },
  {
    says:
      "A real cloud needs `azure.identity`; each kind has its own keys: clientCertificate takes " +
      "tenant, client and certificate; workloadIdentity tenant, client and tokenFile; " +
      "managedIdentity a source; arc and managedIdentity a client if it is user-assigned.",
    *find({ azure }) {
      yield* identityOf(azure);
    },
  },
  {
    says: "`azure.privateEndpoints` are in private address space, never on this host or its link.",
    *find({ azure }) {
      yield* rangesOf(azure);
    },
  },
  {
    says:
      "`groups[].expressRoutePort` is a resource id in a real cloud: of an " +
      "`expressRoutePorts` or an `expressRouteLags` resource.",
    *find({ azure, groups }) {
      if (azure.cloud !== "sim") yield* portsOf(groups);
    },
  },
  {
    says: "`tunnels[].remote.azureConnection` is for a real cloud, and contains nothing but names.",
    *find({ azure, tunnels }) {
      for (const [i, { remote }] of tunnels.entries()) {
        const id = remote.azureConnection;
        if (id === undefined || (azure.cloud !== "sim" && !/\/\.{0,2}(\/|$)/.test(id))) continue;
        const why = azure.cloud === "sim" ? "a simulated site has none" : "it is not a resource id";
        const path = ["tunnels", i, "remote", "azureConnection"];
        yield finding(path, `is ${shown(id)}`, why, "remove it");
      }
    },
  },
];

/**
 * The resource id of a port or of a LAG. The id becomes the path of requests, so it may contain
 * nothing but names.
 */
export const portIdPattern = new RegExp(
  "^/subscriptions/[0-9a-f-]{36}/resourceGroups/[\\w(][\\w.()-]{0,89}" +
    "/providers/Microsoft\\.Network/expressRoute(Ports|Lags)/[a-z0-9][\\w.-]{0,79}$",
  "i",
);

function* portsOf(groups: Config["groups"]): Generator<Finding> {
  for (const [i, { expressRoutePort }] of groups.entries()) {
    if (portIdPattern.test(expressRoutePort)) continue;
    const path = ["groups", i, "expressRoutePort"];
    const write =
      "/subscriptions/ID/resourceGroups/NAME/providers/Microsoft.Network/expressRoutePorts/NAME";
    yield finding(path, `is ${shown(expressRoutePort)}`, "a real cloud knows no such port", write);
  }
}

function* vaultOf({ cloud, vault }: Azure): Generator<Finding> {
  const path = ["azure", "vault"];
  if (cloud === "sim") {
    if (vault.startsWith("unix:")) return;
    const write = "vault: unix:/run/linkseal-sim/site.sock";
    yield finding(path, `is ${shown(vault)}`, "a simulated site has a socket", write);
    return;
  }
  const why = checkVaultUrl(vault, cloud);
  if (why === undefined) return;
  const write = `vault: ${vaultUrlOf(vault, cloud) ?? vaults[cloud]}`;
  yield finding(path, `is ${shown(vault)}`, why, write);
}

const vaults: Readonly<Record<RealCloud, string>> = {
  public: "https://kv-erd-demo.vault.azure.net",
  usgovernment: "https://kv-erd-demo.vault.usgovcloudapi.net",
  china: "https://kv-erd-demo.vault.azure.cn",
  loopback: "https://localhost:8443",
};

function* serviceOf(
  azure: Azure,
  key: "authority" | "arm",
  check: (url: string, cloud: RealCloud) => string | undefined,
): Generator<Finding> {
  const path = ["azure", key];
  const url = azure[key];
  const { cloud } = azure;
  if (cloud !== "loopback") {
    if (url === undefined) return;
    const why = `${cloud === "sim" ? "a simulated site has none" : "the cloud decides it"}`;
    yield finding(path, `is ${shown(url)}`, why, "remove it");
    return;
  }
  const why = url === undefined ? "the loopback cloud has no fixed one" : check(url, cloud);
  if (why === undefined) return;
  const what = url === undefined ? "is missing" : `is ${shown(url)}`;
  yield finding(path, what, why, `${key}: https://localhost:8443`);
}

type Identity = NonNullable<Azure["identity"]>;

/** The keys that each kind of identity needs, and those that it may have. */
const identityKeys: Readonly<
  Record<Identity["kind"], Readonly<Record<"needs" | "may", readonly (keyof Identity)[]>>>
> = {
  arc: { needs: [], may: ["client"] },
  managedIdentity: { needs: ["source"], may: ["client"] },
  clientCertificate: { needs: ["tenant", "client", "certificate"], may: [] },
  workloadIdentity: { needs: ["tenant", "client", "tokenFile"], may: [] },
};

const identityExamples: Readonly<Record<string, string>> = {
  source: "source: imds",
  tenant: "tenant: 11111111-2222-3333-4444-555555555555",
  client: "client: 11111111-2222-3333-4444-555555555555",
  certificate: "certificate: credential:azure-certificate",
  tokenFile: "tokenFile: /run/linkseal/token",
};

function* identityOf({ cloud, identity }: Azure): Generator<Finding> {
  const path = ["azure", "identity"];
  if (identity === undefined) {
    if (cloud === "sim") return;
    yield finding(
      path,
      "is missing",
      "no credential is found by probing",
      "identity: { kind: arc }",
    );
    return;
  }
  if (cloud === "sim") {
    yield finding(path, "is given", "a simulated site asks for no identity", "remove it");
    return;
  }
  const { needs, may } = identityKeys[identity.kind];
  for (const key of needs) {
    if (identity[key] !== undefined) continue;
    yield finding([...path, key], "is missing", `${identity.kind} needs it`, example(key));
  }
  for (const key of Object.keys(identity) as (keyof Identity)[]) {
    if (key === "kind" || identity[key] === undefined || [...needs, ...may].includes(key)) continue;
    yield finding([...path, key], "is given", `${identity.kind} takes none`, "remove it");
  }
}

function example(key: string): string {
  return identityExamples[key] ?? key;
}

function* rangesOf({ cloud, privateEndpoints }: Azure): Generator<Finding> {
  for (const [i, range] of privateEndpoints.entries()) {
    const path = ["azure", "privateEndpoints", i];
    const fixed = cloud === "sim" || cloud === "loopback";
    const why = fixed ? `the cloud ${cloud} has none` : checkPrivateRange(range);
    const write = fixed ? "remove it" : "privateEndpoints: [10.20.0.0/24]";
    if (why !== undefined) yield finding(path, `is ${range}`, why, write);
  }
}
