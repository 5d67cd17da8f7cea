// The commands that steps name, filled in with what the config knows: on the router in its own
// words, in Azure for `az`, on this host for a shell. One table for explain, links and night card.

import { byHandOf } from "#drivers/index.ts";
import type { ByHand, HandLines, KeyWords } from "#hal/by-hand.ts";
import { hostOfPeer } from "#hal/target.ts";
import { azureCipher } from "../model/azure-words.ts";
import { credentialCommands } from "../model/credential-text.ts";
import {
  connectionShowCommand,
  farEndCommand,
  farEndOffCommand,
  farEndShowCommand,
  historyCommand,
} from "../rotation/far-end-command.ts";
import type { DeviceScene, LinkScene, Scene, TunnelScene } from "./scene.ts";

/** Commands for one place. */
export interface CommandBlock {
  /** Where they are typed, such as `edge-a (junos)`, `Azure` or `this host`. */
  readonly where: string;
  /** The lines in their order. */
  readonly lines: readonly string[];
  /** What to do where there are no lines; null = there are. */
  readonly note: string | null;
}

const host = "this host";
const cloud = "Azure";

/** Returns the words for a link's keys; no device accepts one of them as hexadecimal. */
export function keyWords(id: string): KeyWords {
  const name = id.replaceAll("/", "-");
  return {
    cak: `<NEW-CAK-OF-${name}>`,
    ckn: `<NEW-CKN-OF-${name}>`,
    oldCkn: `<OLD-CKN-OF-${name}>`,
  };
}

/** Returns the words for the ids of a link's two secrets. */
function idWords(id: string): NonNullable<LinkScene["key"]> {
  const name = id.replaceAll("/", "-");
  return {
    cakSecretId: `<ID-OF-THE-CAK-OF-${name}>`,
    cknSecretId: `<ID-OF-THE-CKN-OF-${name}>`,
  };
}

const agentWord = "'<OBJECT-ID-OF-THE-AGENT>'";

function block(where: string, ...lines: readonly string[]): CommandBlock {
  return { where, lines, note: null };
}

function noted(where: string, note: string): CommandBlock {
  return { where, lines: [], note };
}

function atRouter(device: DeviceScene, pick: (hand: ByHand) => HandLines): CommandBlock {
  const where = `${device.name} (${device.platform})`;
  const hand = byHandOf(device.platform);
  if (hand === undefined) return noted(where, `This version has no driver ${device.platform}.`);
  const found = pick(hand);
  return found.kind === "lines" ? block(where, ...found.lines) : noted(where, found.why);
}

/** No line: the cloud is simulated, or a value could mean more to a shell. */
function atAzure({ cloud: name }: Pick<LinkScene["azure"], "cloud">, line: string | undefined) {
  if (name === "sim") {
    return noted(
      cloud,
      "The cloud is simulated: `linkseal sim fault --list` shows what it can do.",
    );
  }
  if (line !== undefined) return block(cloud, line);
  return noted(cloud, "The config has no resource id that can be put into a command.");
}

function login({ name, platform, address, login: ssh }: DeviceScene): CommandBlock {
  const other = hostOfPeer(address);
  // The login of the agent runs `linkseal peer` alone, so a person uses another one.
  if (other !== undefined) return block(host, `ssh ${other} systemctl status linkseal-peer`);
  if (ssh !== undefined) return block(host, `ssh -p ${ssh.port} ${ssh.user}@${address}`);
  if (platform === "linux") return block(host, "systemctl status linkseal-net");
  return block(host, `ls -l ${address.replace(/^unix:/, "")}    # the socket of ${name}`);
}

function settingOf(link: LinkScene, ids: NonNullable<LinkScene["key"]>): string | undefined {
  const command = farEndCommand({
    ...{ resource: link.resource, link: link.azureLink, ...ids },
    cipher: azureCipher(link.settings.suite),
    sciState: link.settings.includeSci ? "Enabled" : "Disabled",
  });
  return command.kind === "command" ? command.text : undefined;
}

/** Returns the command that sets a link's far end to its accepted pair, or to words for one. */
function farEndSet(link: LinkScene): CommandBlock {
  const line = settingOf(link, link.key ?? idWords(link.id));
  if (link.azure.cloud !== "sim") return atAzure(link.azure, line);
  const cak = link.key === undefined ? "" : ` --cak ${link.key.cakSecretId.replace(/^.*\//, "")}`;
  return block(host, `linkseal sim fault far-ahead --link ${link.id}${cak}`);
}

function vaultName({ cloud: name, vault }: LinkScene["azure"]): string | undefined {
  if (name === "sim") return undefined;
  return /^https:\/\/([0-9A-Za-z-]{1,80})\./.exec(vault)?.[1];
}

function versions(link: LinkScene): CommandBlock {
  const name = vaultName(link.azure);
  if (name === undefined) return atAzure(link.azure, undefined);
  const members = "id:id,made:attributes.created,enabled:attributes.enabled";
  const query = `'[].{${members},ckn:tags."linkseal-ckn"}'`;
  return block(
    cloud,
    ...[link.secrets.cak, link.secrets.ckn].map(
      (secret) =>
        `az keyvault secret list-versions --vault-name ${name} --name ${secret} ` +
        `--query ${query} --output table`,
    ),
  );
}

/** Returns the command that puts a fresh pair for each link of a group into the vault. */
function generate({ group, azure }: LinkScene): CommandBlock {
  const credential = azure.cloud === "sim" ? "" : " --credential azureCli";
  return block(host, `linkseal keys generate ${group}${credential}`);
}

/** Reads the two values of a pair; the CAK is then on the screen of the person. */
function readPair(link: LinkScene): CommandBlock {
  const name = vaultName(link.azure);
  if (name === undefined) return atAzure(link.azure, undefined);
  const ids = [link.key?.cknSecretId ?? "", link.key?.cakSecretId ?? ""];
  const versionOf = (secret: string): string => {
    const found = ids.map((id) => /\/secrets\/([^/]+)\/([0-9a-f]{32})$/.exec(id));
    return found.find((one) => one?.[1] === secret)?.[2] ?? "'<VERSION>'";
  };
  return block(
    cloud,
    ...[link.secrets.ckn, link.secrets.cak].map(
      (secret) =>
        `az keyvault secret show --vault-name ${name} --name ${secret} ` +
        `--version ${versionOf(secret)} --query value --output tsv`,
    ),
  );
}

type OfLink = (link: LinkScene) => CommandBlock;
type OfAll = (scene: Scene) => readonly CommandBlock[];

/** A command for a link; a group has it for each of its links, with the name of the link. */
const each =
  (make: OfLink): OfAll =>
  (scene) => {
    if (scene.kind === "link") return [make(scene)];
    if (scene.kind !== "group") return [];
    return scene.links.map((link) => {
      const made = make(link);
      return { ...made, where: `${made.where}, ${link.id}` };
    });
  };

/**
 * A command that may make a link dark: a group has it for none of its links, so that both are never
 * on one page.
 */
const one =
  (make: OfLink): OfAll =>
  (scene) => {
    if (scene.kind !== "group" || scene.links.length < 2) return each(make)(scene);
    return [noted(host, "One link at a time: ask again with its name, GROUP/LINK.")];
  };

/** A command that is the same for all links of a group. */
const once =
  (make: OfLink): OfAll =>
  (scene) => {
    if (scene.kind === "link") return [make(scene)];
    return scene.kind === "group" ? scene.links.map(make) : [];
  };

const ofTunnel =
  (make: (tunnel: TunnelScene) => CommandBlock): OfAll =>
  (scene) =>
    scene.kind === "tunnel" ? [atItsCharon(make(scene), scene.device)] : [];

/** swanctl asks strongSwan's own socket unless it is given another one. */
function atItsCharon(made: CommandBlock, { charon }: DeviceScene): CommandBlock {
  if (charon === undefined) return made;
  const lines = made.lines.map((line) =>
    line.startsWith("swanctl ") ? `${line} --uri unix://${charon}` : line,
  );
  return { ...made, lines };
}

/** Commands on a Linux router; `or` is the sentence for a router of another platform. */
function onLinux({ device }: TunnelScene, lines: readonly string[], or: string): CommandBlock {
  const where = `${device.name} (${device.platform})`;
  return device.platform === "linux" ? block(where, ...lines) : noted(where, or);
}

const everywhere =
  (...lines: readonly string[]): OfAll =>
  () => [block(host, ...lines)];

const deviceOf = (scene: Scene): DeviceScene | undefined =>
  "device" in scene ? scene.device : undefined;

function atDevice(make: (device: DeviceScene) => CommandBlock): OfAll {
  return (scene) => {
    const device = deviceOf(scene);
    if (device !== undefined) return [make(device)];
    return scene.kind === "group" ? scene.links.map((link) => make(link.device)) : [];
  };
}

const table = {
  "router.login": atDevice(login),
  "router.showMacsec": each(({ device, port }) =>
    atRouter(device, (hand) => hand.showMacsec(port)),
  ),
  "router.showPort": each(({ device, port }) => atRouter(device, (hand) => hand.showPort(port))),
  "router.showBgp": atDevice((device) => atRouter(device, (hand) => hand.showBgp())),
  "router.openPort": each(({ device, port }) => atRouter(device, (hand) => hand.openPort(port))),
  "router.restartMka": one(({ device, port }) => atRouter(device, (hand) => hand.restartMka(port))),
  "router.putKey": one(({ id, device, port, settings }) =>
    atRouter(device, (hand) => hand.putKey(port, keyWords(id), settings)),
  ),
  "router.macsecOff": one(({ device, port }) => atRouter(device, (hand) => hand.macsecOff(port))),
  "router.undrain": each(({ device, drain }) =>
    drain === undefined
      ? noted(device.name, "The config drains no link of this group.")
      : atRouter(device, (hand) => hand.undrain(drain)),
  ),
  "router.save": atDevice((device) => atRouter(device, (hand) => hand.save())),
  "farEnd.show": each((link) =>
    atAzure(link.azure, farEndShowCommand({ resource: link.resource, link: link.azureLink })),
  ),
  "farEnd.history": once((link) => atAzure(link.azure, historyCommand(link.resource))),
  "farEnd.set": one(farEndSet),
  "farEnd.setWords": one((link) => atAzure(link.azure, settingOf(link, idWords(link.id)))),
  "farEnd.macsecOff": one((link) =>
    atAzure(link.azure, farEndOffCommand({ resource: link.resource, link: link.azureLink })),
  ),
  "farEnd.readRole": once(({ azure, resource }) =>
    atAzure(
      azure,
      historyCommand(resource) &&
        `az role assignment create --role Reader --assignee ${agentWord} --scope ${resource}`,
    ),
  ),
  "vault.versions": each(versions),
  "vault.read": each(readPair),
  "vault.disable": each((link) => {
    const name = vaultName(link.azure);
    if (name === undefined) return atAzure(link.azure, undefined);
    const set = "az keyvault secret set-attributes --enabled false";
    const of = `--vault-name ${name} --version '<OLD-VERSION>'`;
    const { cak, ckn } = link.secrets;
    return block(cloud, `${set} ${of} --name ${cak}`, `${set} ${of} --name ${ckn}`);
  }),
  "vault.reach": once(({ azure }) =>
    azure.cloud === "sim"
      ? block(host, `ls -l ${azure.vault.replace(/^unix:/, "")}`)
      : block(
          host,
          `curl --silent --output /dev/null --write-out '%{http_code}\\n' ` +
            `'${azure.vault}/secrets?api-version=7.4'    # 401 = it answers`,
        ),
  ),
  "vault.role": once(({ azure }) => {
    const name = vaultName(azure);
    if (name === undefined) return atAzure(azure, undefined);
    const role = "az role assignment create --role 'Key Vault Secrets User'";
    const scope = `"$(az keyvault show --name ${name} --query id --output tsv)"`;
    return atAzure(azure, `${role} --assignee ${agentWord} --scope ${scope}`);
  }),
  "tunnel.show": ofTunnel(({ device, name, remote }) =>
    atRouter(device, (hand) => hand.showTunnel(name, remote)),
  ),
  "tunnel.path": ofTunnel((tunnel) =>
    onLinux(
      tunnel,
      [
        `ip route get ${tunnel.remote}`,
        `timeout 20 tcpdump -c 20 -ni any host ${tunnel.remote} and not port 22`,
      ],
      `Look up its route to ${tunnel.remote}, and what its counters of that port say.`,
    ),
  ),
  "tunnel.daemon": ofTunnel((tunnel) =>
    onLinux(
      tunnel,
      ["systemctl status strongswan", "systemctl start strongswan"],
      "This router has no IKE daemon of its own.",
    ),
  ),
  "tunnel.renew": ofTunnel((tunnel) =>
    onLinux(
      tunnel,
      // The next packet sets it up again.
      [`swanctl --terminate --ike ${tunnel.name}`, `ping -c 3 -I ${tunnel.name} ADDRESS`],
      "Shut the interface of the tunnel and open it again, as its vendor writes it.",
    ),
  ),
  "tunnel.connection": ofTunnel(({ azure, connection }) =>
    atAzure(azure, connection && connectionShowCommand(connection)),
  ),
  "tunnel.history": ofTunnel(({ azure, connection }) =>
    atAzure(azure, connection && historyCommand(connection)),
  ),
  "linkseal.generate": once(generate),
  "linkseal.checkKeys": everywhere("linkseal keys check"),
  "linkseal.emergency": once(({ group }) => block(host, `linkseal rotate ${group} --emergency`)),
  "linkseal.proceed": once(({ group }) => block(host, `linkseal rotation proceed ${group}`)),
  "linkseal.rotation": once(({ group }) => block(host, `linkseal rotation show ${group}`)),
  "linkseal.links": once(({ group }) => block(host, `linkseal links ${group}`)),
  "linkseal.enrol": once(({ group }) => block(host, `linkseal enrol ${group}`)),
  "linkseal.adopt": once(({ group }) => block(host, `linkseal adopt ${group}`)),
  "linkseal.ends": each(({ id }) => block(host, `linkseal ends ${id}`)),
  "linkseal.drain": each(({ id }) => block(host, `linkseal drain ${id}`)),
  "linkseal.undrain": each(({ id }) => block(host, `linkseal undrain ${id}`)),
  "linkseal.tunnels": ofTunnel(({ name }) => block(host, `linkseal tunnels ${name}`)),
  "linkseal.psk": ofTunnel(({ name }) =>
    block(host, `linkseal psk show ${name}`, `linkseal psk proceed ${name}`),
  ),
  "linkseal.drainTunnel": ofTunnel(({ name }) => block(host, `linkseal drain ${name}`)),
  "linkseal.undrainTunnel": ofTunnel(({ name }) => block(host, `linkseal undrain ${name}`)),
  "host.agent": everywhere("systemctl status linkseal", "journalctl -u linkseal -n 50"),
  "host.restart": everywhere("systemctl restart linkseal"),
  "host.stop": everywhere("systemctl stop linkseal"),
  "host.space": everywhere("df -h /var/lib/linkseal", "findmnt --target /var/lib/linkseal"),
  "host.credential": (scene) => {
    const known = deviceOf(scene)?.credential;
    return [block(host, ...credentialCommands(known ?? "<NAME>"))];
  },
} as const satisfies Readonly<Record<string, OfAll>>;

/** A command of the table, by the end that it is typed at. */
export type CommandName = keyof typeof table;

/** Returns true for a name of the table. */
export function isCommandName(name: string): name is CommandName {
  return Object.hasOwn(table, name);
}

/**
 * Returns the commands of these names for what the scene names; empty = it has no such place. Equal
 * blocks of several links or commands appear once; a name that is not of the table has none.
 */
export function commandBlocks(names: readonly string[], scene: Scene): readonly CommandBlock[] {
  const blocks = names.filter(isCommandName).flatMap((name) => {
    const make: OfAll = table[name];
    return make(scene);
  });
  return [...new Map(blocks.map((one) => [JSON.stringify(one), one])).values()];
}
