// The commands with which an operator shows or changes the far end of a link or tunnel. The command
// for a link reads the port when it runs, so that it leaves the other link as it is then.

import { portVersionOf } from "#drivers/azure/api-versions.ts";
import { connectionVersionOf, keyPlaceOf } from "#drivers/azure/connections.ts";

/** The setting that one link of an ExpressRoute port or LAG shall have. */
export interface FarEndSetting {
  /** Resource id of the port or LAG. */
  readonly resource: string;
  /** Name of the link in Azure. */
  readonly link: "link1" | "link2";
  /** Versioned id of the CAK's secret. */
  readonly cakSecretId: string;
  /** Versioned id of the CKN's secret. */
  readonly cknSecretId: string;
  /** The cipher, as Azure spells it. */
  readonly cipher: string;
  /** Whether frames contain an SCI. */
  readonly sciState: "Enabled" | "Disabled";
}

/** A command for a POSIX shell, in one line; `none` = a value could mean more to a shell. */
export type FarEndCommand =
  | { readonly kind: "command"; readonly text: string }
  | { readonly kind: "none"; readonly why: string };

const resourceId = new RegExp(
  "^/subscriptions/(?<subscription>[0-9a-f-]{36})/resourceGroups/(?<group>[\\w(][\\w.()-]{0,89})" +
    "/providers/Microsoft\\.Network/(?<type>expressRoutePorts|expressRouteLags|connections)" +
    "/(?<name>[a-z0-9][\\w.-]{0,79})$",
  "i",
);
/** A link connection of a gateway in a Virtual WAN hub; az has no command for its key. */
const linkId = new RegExp(
  "^/subscriptions/[0-9a-f-]{36}/resourceGroups/[\\w(][\\w.()-]{0,89}/providers/" +
    "Microsoft\\.Network/vpnGateways/[a-z0-9][\\w.-]{0,79}/vpnConnections/[a-z0-9][\\w.-]{0,79}" +
    "/vpnLinkConnections/[a-z0-9][\\w.-]{0,79}$",
  "i",
);
const secretId =
  /^https:\/\/[a-z0-9][a-z0-9.-]{0,120}(:\d{1,5})?\/secrets\/[0-9A-Za-z-]{1,127}\/[0-9a-f]{32}$/;
/** A word that a person replaces: az refuses it as it is. */
const placeholder = /^<[A-Z][\w.-]{0,200}>$/;
const cipherName = /^GcmAes(Xpn)?(128|256)$/;

/** Returns the command for one link. */
export function farEndCommand(setting: FarEndSetting): FarEndCommand {
  const parts = partsOf(setting.resource);
  const { cakSecretId, cknSecretId, cipher } = setting;
  if (parts === undefined || parts.type === "connections") {
    return { kind: "none", why: "expressRoutePort is not a resource id" };
  }
  if (![cakSecretId, cknSecretId].every((id) => secretId.test(id) || placeholder.test(id))) {
    return { kind: "none", why: "a secret id does not have the form of a version in a key vault" };
  }
  if (!cipherName.test(cipher)) return { kind: "none", why: "the cipher is not one of Azure's" };
  return {
    kind: "command",
    text: isLag(parts) ? lagCommand(setting) : portCommand(parts, setting),
  };
}

/** One link of an ExpressRoute port or LAG. */
type FarEndPlace = Pick<FarEndSetting, "resource" | "link">;

/** Returns the command that takes MACsec off one link: both its identifiers become null. */
export function farEndOffCommand({ resource, link }: FarEndPlace): string | undefined {
  const parts = partsOf(resource);
  if (parts === undefined || parts.type === "connections") return undefined;
  return documentCommand(resource, link, { cakSecretIdentifier: null, cknSecretIdentifier: null });
}

/** Returns the command that shows one link; undefined = a value could mean more to a shell. */
export function farEndShowCommand(place: FarEndPlace): string | undefined {
  return showCommand(place, "{admin:adminState,config:macSecConfig}");
}

/** Returns the command that shows where the fibre of one link ends in Azure, and its key. */
export function fibreShowCommand(place: FarEndPlace): string | undefined {
  const fibre = "router:routerName,interface:interfaceName,panel:patchPanelId,rack:rackId";
  return showCommand(place, `{${fibre},config:macSecConfig}`);
}

function showCommand({ resource, link }: FarEndPlace, query: string): string | undefined {
  const parts = partsOf(resource);
  if (parts === undefined || parts.type === "connections") return undefined;
  if (isLag(parts)) return `az rest --method get --url ${urlOf(resource)}`;
  const options = [...placeOf(parts), ["--port-name", parts.name], ["--name", link]];
  return `az network express-route port link show ${wordsOf([...options, ["--query", query]])}`;
}

/** Returns the command that shows who changed a resource in the last six hours. */
export function historyCommand(resource: string): string | undefined {
  if (partsOf(resource) === undefined) return undefined;
  const query = "[].{at:eventTimestamp,by:caller,what:operationName.value,end:status.value}";
  const options = [
    ["--resource-id", resource],
    ["--offset", "6h"],
    ["--query", query],
  ];
  return `az monitor activity-log list ${wordsOf([...options, ["--output", "table"]])}`;
}

/** Returns the command that shows a VPN connection; undefined as for `farEndShowCommand`. */
export function connectionShowCommand(connection: string): string | undefined {
  if (linkId.test(connection)) {
    const url = quoted(`${connection}?api-version=${connectionVersionOf(connection)}`);
    const names =
      "state:connectionStatus,protocol:vpnConnectionProtocolType,policies:ipsecPolicies";
    const shown = `properties.{${names}}`;
    return `az rest --method get --url ${url} --query ${quoted(shown)}`;
  }
  const parts = partsOf(connection);
  if (parts?.type !== "connections") return undefined;
  const query = "{state:connectionStatus,protocol:connectionProtocol,policies:ipsecPolicies}";
  const options = [...placeOf(parts), ["--name", parts.name], ["--query", query]];
  return `az network vpn-connection show ${wordsOf(options)}`;
}

const isLag = ({ type }: ResourceParts): boolean => type === "expressroutelags";

const placeOf = ({ subscription, group }: ResourceParts) => [
  ["--subscription", subscription],
  ["--resource-group", group],
];

/**
 * Returns the command that gives a pre-shared key to the gateway of a VPN connection; undefined = a
 * value could mean more to a shell. The key goes from the vault to Azure through a pipe: it is
 * neither printed nor a word of a command.
 */
export function gatewayKeyCommand(connection: string, keyId: string): string | undefined {
  if (!secretId.test(keyId)) return undefined;
  const show = `az keyvault secret show --id ${quoted(keyId)} --query`;
  if (linkId.test(connection)) {
    const { path, version } = keyPlaceOf(connection);
    const url = quoted(`${path}?api-version=${version}`);
    const body = quoted("{properties:{sharedKey:value}}");
    const put = `az rest --method put --url ${url} --body @- --output none`;
    return `${show} ${body} --output json | ${put}`;
  }
  const parts = partsOf(connection);
  if (parts?.type !== "connections") return undefined;
  const options = [
    ...placeOf(parts),
    ["--connection-name", parts.name],
    ["--value", "@-"],
    ["--output", "none"],
  ];
  const read = `${show} value --output tsv`;
  return `${read} | az network vpn-connection shared-key update ${wordsOf(options)}`;
}

interface ResourceParts {
  readonly subscription: string;
  readonly group: string;
  /** In lower case. */
  readonly type: string;
  readonly name: string;
}

function partsOf(resource: string): ResourceParts | undefined {
  const parts = resourceId.exec(resource)?.groups;
  if (parts === undefined) return undefined;
  const { subscription = "", group = "", type = "", name = "" } = parts;
  return { subscription, group, type: type.toLowerCase(), name };
}

function wordsOf(options: readonly (readonly string[])[]): string {
  return options.flatMap(([option = "", value = ""]) => [option, quoted(value)]).join(" ");
}

/** `az` reads the port, changes one link and writes the port (azure-cli, `port link update`). */
function portCommand(parts: ResourceParts, setting: FarEndSetting): string {
  // `--ids` is the id of the link inside the body, and not az's usual option.
  const options = [
    ...placeOf(parts),
    ["--port-name", parts.name],
    ["--name", setting.link],
    // All four: an older az clears the identifier whose option is left out.
    ["--macsec-cak-secret-identifier", setting.cakSecretId],
    ["--macsec-ckn-secret-identifier", setting.cknSecretId],
    ["--macsec-cipher", setting.cipher],
    ["--macsec-sci-state", setting.sciState],
  ];
  return `az network express-route port link update ${wordsOf(options)}`;
}

/** `az` has no command for a LAG. */
function lagCommand({ resource, link, ...setting }: FarEndSetting): string {
  const { cakSecretId, cknSecretId, cipher, sciState } = setting;
  return documentCommand(resource, link, {
    cakSecretIdentifier: cakSecretId,
    cknSecretIdentifier: cknSecretId,
    cipher,
    sciState,
  });
}

/** The document is read, one link of it is changed by jq, and it is written. */
function documentCommand(
  resource: string,
  link: FarEndSetting["link"],
  config: Readonly<Record<string, string | null>>,
): string {
  const one = `.properties.links[]|select(.name=="${link}")`;
  const filter =
    `if [${one}]|length==1 ` +
    `then (${one}|.properties.macSecConfig)|=((.//{})+${JSON.stringify(config)}) ` +
    `else error("it does not have one ${link}") end`;
  const url = urlOf(resource);
  // Without a document jq fails, and nothing is written.
  const read = `body=$(az rest --method get --url ${url} | jq -ce ${quoted(filter)})`;
  return `${read} && az rest --method put --url ${url} --body "$body"`;
}

function urlOf(resource: string): string {
  return quoted(`${resource}?api-version=${portVersionOf(resource)}`);
}

/** Returns a word of a POSIX shell that stands for exactly this text. */
function quoted(text: string): string {
  return /^[A-Za-z0-9_./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
