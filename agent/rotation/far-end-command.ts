// The commands with which an operator changes the far end of a link or tunnel. The command for a
// link reads the port when it runs, so that it leaves the other link as it is then.

import { portVersionOf } from "#drivers/azure/api-versions.ts";

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
const secretId =
  /^https:\/\/[a-z0-9][a-z0-9.-]{0,120}(:\d{1,5})?\/secrets\/[0-9A-Za-z-]{1,127}\/[0-9a-f]{32}$/;
const cipherName = /^GcmAes(Xpn)?(128|256)$/;

/** Returns the command for one link. */
export function farEndCommand(setting: FarEndSetting): FarEndCommand {
  const parts = partsOf(setting.resource);
  const { cakSecretId, cknSecretId, cipher } = setting;
  if (parts === undefined || parts.type === "connections") {
    return { kind: "none", why: "expressRoutePort is not a resource id" };
  }
  if (![cakSecretId, cknSecretId].every((id) => secretId.test(id))) {
    return { kind: "none", why: "a secret id does not have the form of a version in a key vault" };
  }
  if (!cipherName.test(cipher)) return { kind: "none", why: "the cipher is not one of Azure's" };
  const isLag = parts.type === "expressroutelags";
  return { kind: "command", text: isLag ? lagCommand(setting) : portCommand(parts, setting) };
}

/**
 * Returns the command that gives a pre-shared key to the gateway of a VPN connection; undefined = a
 * value could mean more to a shell. The key goes from the vault to Azure through a pipe: it is
 * neither printed nor a word of a command.
 */
export function gatewayKeyCommand(connection: string, keyId: string): string | undefined {
  const parts = partsOf(connection);
  if (parts?.type !== "connections" || !secretId.test(keyId)) return undefined;
  const { subscription, group, name } = parts;
  const options = [
    ["--subscription", subscription],
    ["--resource-group", group],
    ["--connection-name", name],
    ["--value", "@-"],
    ["--output", "none"],
  ];
  const read = `az keyvault secret show --id ${quoted(keyId)} --query value --output tsv`;
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
function portCommand({ subscription, group, name }: ResourceParts, setting: FarEndSetting): string {
  // `--ids` is the id of the link inside the body, and not az's usual option.
  const options = [
    ["--subscription", subscription],
    ["--resource-group", group],
    ["--port-name", name],
    ["--name", setting.link],
    // All four: an older az clears the identifier whose option is left out.
    ["--macsec-cak-secret-identifier", setting.cakSecretId],
    ["--macsec-ckn-secret-identifier", setting.cknSecretId],
    ["--macsec-cipher", setting.cipher],
    ["--macsec-sci-state", setting.sciState],
  ];
  return `az network express-route port link update ${wordsOf(options)}`;
}

/** `az` has no command for a LAG: its document is read, changed by jq, and written. */
function lagCommand({ resource, link, ...setting }: FarEndSetting): string {
  const { cakSecretId, cknSecretId, cipher, sciState } = setting;
  const config = {
    cakSecretIdentifier: cakSecretId,
    cknSecretIdentifier: cknSecretId,
    cipher,
    sciState,
  };
  const one = `.properties.links[]|select(.name=="${link}")`;
  const filter =
    `if [${one}]|length==1 ` +
    `then (${one}|.properties.macSecConfig)|=((.//{})+${JSON.stringify(config)}) ` +
    `else error("it does not have one ${link}") end`;
  const url = quoted(`${resource}?api-version=${portVersionOf(resource)}`);
  // Without a document jq fails, and nothing is written.
  const read = `body=$(az rest --method get --url ${url} | jq -ce ${quoted(filter)})`;
  return `${read} && az rest --method put --url ${url} --body "$body"`;
}

/** Returns a word of a POSIX shell that stands for exactly this text. */
function quoted(text: string): string {
  return /^[A-Za-z0-9_./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
