// Calls the simulated cloud with Microsoft's own clients, one call after the other, and prints one
// line of JSON for each. The argument is an order: `{base, port, secret}`.

import { readFileSync } from "node:fs";

const { base, port, secret } = JSON.parse(process.argv[2] ?? "{}");
const [, subscription, group, name] =
  /^\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\/.*\/([^/]+)$/.exec(port) ?? [];
const vault = `${port.split("/providers/")[0]}/providers/Microsoft.KeyVault/vaults/kv-demo`;
const {
  AZURE_TENANT_ID: tenant,
  AZURE_CLIENT_ID: client,
  AZURE_CLIENT_CERTIFICATE_PATH: file,
} = process.env;
const authority = { authorityHost: base, disableInstanceDiscovery: true };

const { ClientCertificateCredential } = await import("@azure/identity");
const credential = new ClientCertificateCredential(
  tenant,
  client,
  { certificatePath: file },
  authority,
);
const armOptions = { endpoint: base };
const arm = (Client) => new Client(credential, subscription, armOptions);

/** Each client, by its class: its package, and how it is made. */
const clients = {
  ClientCertificateCredential: ["@azure/identity", () => credential],
  WorkloadIdentityCredential: [
    "@azure/identity",
    (Client) =>
      new Client({ ...authority, tokenFilePath: file.replace("client.pem", "federated-token") }),
  ],
  ManagedIdentityCredential: ["@azure/identity", (Client) => new Client({ clientId: client })],
  SecretClient: [
    "@azure/keyvault-secrets",
    (Client) => new Client(base, credential, { disableChallengeResourceVerification: true }),
  ],
  NetworkManagementClient: ["@azure/arm-network", arm],
  NetworkManagementClientBefore: ["arm-network-before", arm],
  MonitorClient: ["@azure/arm-monitor", arm],
  KeyVaultManagementClient: ["@azure/arm-keyvault", arm],
  AuthorizationManagementClient: ["@azure/arm-authorization", arm],
};

/** What earlier calls returned, by their path; later calls take their arguments from it. */
const seen = {};
const scope = [`${base}/.default`];
const day = 86_400_000;
const trial = "azure-sdk-trial";
const circuit = () => seen["expressRoutePorts.get"].circuits[0].id.split("/").at(-1);
const connection = () => seen["virtualNetworkGatewayConnections.list"][0].name;

/** Each row: the path of the call, its arguments, and the status if it must be refused. */
const secretRows = [
  ["listPropertiesOfSecrets", () => []],
  ["getSecret", () => [secret]],
  ["listPropertiesOfSecretVersions", () => [secret]],
  [
    "setSecret",
    () => [
      trial,
      "v1",
      { tags: { a: "b" }, expiresOn: new Date(Date.now() + day), contentType: "text/plain" },
    ],
  ],
  ["updateSecretProperties", () => [trial, seen.setSecret.properties.version, { enabled: true }]],
  ["updateSecretProperties", () => [trial, "", { tags: { z: "1" } }]],
  ["getSecret", () => ["no-such-secret"], 404],
  ["backupSecret", () => [trial]],
  ["restoreSecretBackup", () => [seen.backupSecret], 409],
  ["beginDeleteSecret", () => [trial]],
  ["getDeletedSecret", () => [trial]],
  ["listDeletedSecrets", () => []],
  ["getSecret", () => [trial], 404],
  ["setSecret", () => [trial, "v2"], 409],
  ["purgeDeletedSecret", () => [trial], 403],
  ["beginRecoverDeletedSecret", () => [trial]],
  ["getSecret", () => [trial]],
];
const networkRows = [
  ["expressRoutePorts.list", () => []],
  ["expressRoutePorts.listByResourceGroup", () => [group]],
  ["expressRoutePorts.get", () => [group, name]],
  ["expressRoutePorts.updateTags", () => [group, name, { tags: { owner: "network", x: "y" } }]],
  [
    "expressRoutePorts.beginCreateOrUpdateAndWait",
    () => [group, name, { ...seen["expressRoutePorts.get"], tags: { owner: "network" } }],
  ],
  ["expressRoutePorts.generateLOA", () => [group, name, { customerName: "x" }], 501],
  ["expressRoutePorts.beginDeleteAndWait", () => [group, name], 501],
  ["expressRoutePortsLocations.list", () => []],
  ["expressRoutePortsLocations.get", () => [seen["expressRoutePorts.get"].peeringLocation]],
  ["expressRouteLinks.list", () => [group, name]],
  ["expressRouteLinks.get", () => [group, name, "link1"]],
  ["expressRouteCircuits.listAll", () => []],
  ["expressRouteCircuits.list", () => [group]],
  ["expressRouteCircuits.get", () => [group, circuit()]],
  ["expressRouteCircuitPeerings.list", () => [group, circuit()]],
  ["expressRouteCircuitPeerings.get", () => [group, circuit(), "AzurePrivatePeering"]],
  [
    "expressRouteCircuits.beginListArpTableAndWait",
    () => [group, circuit(), "AzurePrivatePeering", "primary"],
    501,
  ],
  ["expressRouteCircuits.getStats", () => [group, circuit()], 501],
  ["virtualNetworkGatewayConnections.list", () => [group]],
  ["virtualNetworkGatewayConnections.get", () => [group, connection()]],
  ["virtualNetworkGatewayConnections.getSharedKey", () => [group, connection()]],
  [
    "virtualNetworkGatewayConnections.beginSetSharedKeyAndWait",
    () => [group, connection(), { value: "Abcdefgh12345678" }],
  ],
  ["virtualNetworkGatewayConnections.beginGetIkeSasAndWait", () => [group, connection()]],
  [
    "virtualNetworkGatewayConnections.beginResetSharedKeyAndWait",
    () => [group, connection(), { keyLength: 32 }],
    501,
  ],
  [
    "virtualNetworkGatewayConnections.beginCreateOrUpdateAndWait",
    () => [group, connection(), seen["virtualNetworkGatewayConnections.get"]],
    501,
  ],
  ["virtualNetworkGateways.list", () => [group]],
  ["virtualNetworks.listAll", () => []],
  ["virtualNetworks.list", () => [group]],
  ["virtualNetworks.get", () => [group, seen["virtualNetworks.list"][0].name]],
  ["bastionHosts.listByResourceGroup", () => [group]],
  ["networkInterfaces.list", () => [group]],
  ["networkSecurityGroups.list", () => [group]],
  ["azureFirewalls.list", () => [group]],
  ["routeTables.list", () => [group]],
  ["applicationGateways.list", () => [group]],
  ["webApplicationFirewallPolicies.list", () => [group]],
];
const metrics = (metricnames, interval) => () => [
  port.slice(1),
  { metricnames, interval, aggregation: "Average,Maximum", filter: "Link eq 'link1'" },
];
const rows = {
  ClientCertificateCredential: [["getToken", () => [scope]]],
  WorkloadIdentityCredential: [["getToken", () => [scope]]],
  ManagedIdentityCredential: [["getToken", () => ["https://vault.azure.net/.default"]]],
  SecretClient: secretRows,
  NetworkManagementClient: networkRows,
  NetworkManagementClientBefore: networkRows,
  MonitorClient: [
    ["metricDefinitions.list", () => [port.slice(1)]],
    ["metrics.list", metrics("LineProtocol,RxLightLevel", "PT1M")],
    ["metrics.list", metrics("LineProtocol", "PT1H")],
    ["metrics.list", metrics("PortBitsInPerSecond", "PT1M"), 400],
    ["metricAlerts.listByResourceGroup", () => [group]],
  ],
  KeyVaultManagementClient: [
    ["vaults.listByResourceGroup", () => [group]],
    ["vaults.listBySubscription", () => []],
    ["vaults.get", () => [group, "kv-demo"]],
  ],
  AuthorizationManagementClient: [
    ["roleAssignments.listForScope", () => [vault.slice(1)]],
    ["roleAssignments.listForSubscription", () => []],
    ["roleDefinitions.list", () => [`subscriptions/${subscription}`]],
    [
      "roleDefinitions.getById",
      () => [seen["roleAssignments.listForScope"][0].roleDefinitionId.slice(1)],
    ],
    ["permissions.listForResourceGroup", () => [group]],
  ],
};

/** Waits for what a call began: a list of pages, an operation, or one answer. */
async function answerOf(begun) {
  if (typeof begun?.[Symbol.asyncIterator] === "function") {
    const items = [];
    for await (const item of begun) items.push(item);
    return items;
  }
  const value = await begun;
  return typeof value?.pollUntilDone === "function" ? await value.pollUntilDone() : value;
}

/**
 * Writes an answer as a literal of TypeScript. Azure itself writes the type of a port's identity in
 * a case that the clients do not declare (azure-rest-api-specs issue 12330).
 */
function literal(value) {
  if (value === "userAssigned") return "writtenOtherwise";
  if (value instanceof Date) return `new Date(${value.getTime()})`;
  if (value instanceof Uint8Array) return "new Uint8Array()";
  if (Array.isArray(value)) return `[${value.map(literal).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "undefined";
  const fields = Object.entries(value).filter(([, inner]) => typeof inner !== "function");
  return `{${fields.map(([key, inner]) => `${JSON.stringify(key)}:${literal(inner)}`).join(",")}}`;
}

function versionOf(pack) {
  const path = `${import.meta.dirname}/node_modules/${pack}/package.json`;
  return JSON.parse(readFileSync(path, "utf8")).version;
}

for (const [key, [pack, make]] of Object.entries(clients)) {
  const type = key.replace("Before", "");
  const library = await import(pack);
  const made = make(library[type]);
  for (const [path, args, refused] of rows[key]) {
    const row = { package: pack, version: versionOf(pack), type, call: path };
    try {
      const words = path.split(".");
      const last = words.pop();
      const owner = words.reduce((from, word) => from[word], made);
      const answer = await answerOf(owner[last](...args()));
      seen[path] = answer;
      const isWrong = refused !== undefined;
      const end = isWrong
        ? { failed: `not refused with ${refused}` }
        : { literal: literal(answer) };
      console.log(JSON.stringify({ ...row, ...end }));
    } catch (error) {
      const { statusCode, code, message } = error;
      const isRight = refused !== undefined && statusCode === refused;
      const text = `${statusCode ?? ""} ${code ?? ""} ${message}`.trim().split("\n")[0];
      console.log(JSON.stringify({ ...row, ...(isRight ? { refused: text } : { failed: text }) }));
    }
  }
}
