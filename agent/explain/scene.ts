// What the config knows of a name that a code is about: the values for the commands of its steps.

import type { DrainMeans, KeyRef, PortName, WantedSettings } from "#hal/model.ts";
import {
  type AzureSettings,
  type Desired,
  type DesiredDevice,
  type DesiredLink,
  linkId,
} from "../model/desired.ts";

/** The device at our end, and how a person logs in to it. */
export interface DeviceScene {
  /** Name in the config. */
  readonly name: string;
  /** Name of its driver. */
  readonly platform: string;
  /** Address in the config. */
  readonly address: string;
  /** User and TCP port of the login; undefined = it is not reached by SSH. */
  readonly login: { readonly user: string; readonly port: number } | undefined;
  /** Name of the credential that the login needs; undefined = a file, or none. */
  readonly credential: string | undefined;
  /** Path of charon's socket, where the config names one; undefined = strongSwan's own. */
  readonly charon: string | undefined;
}

/** Both ends of a link. */
export interface LinkScene {
  /** Marks a link. */
  readonly kind: "link";
  /** Name as `group/link`. */
  readonly id: string;
  /** Name of its group. */
  readonly group: string;
  /** Name of the other link, as `group/link`; undefined = the group has no other. */
  readonly sibling: string | undefined;
  /** The router. */
  readonly device: DeviceScene;
  /** The router's port. */
  readonly port: PortName;
  /** The MACsec settings of the config. */
  readonly settings: WantedSettings;
  /** How linkseal drains it; undefined = not at all. */
  readonly drain: DrainMeans | undefined;
  /** Cloud, vault, and the party that changes the far end. */
  readonly azure: Pick<AzureSettings, "cloud" | "vault" | "farEnd">;
  /** Resource id of the ExpressRoute port or LAG. */
  readonly resource: string;
  readonly azureLink: "link1" | "link2";
  /** Names of the two secrets in the vault. */
  readonly secrets: { readonly cak: string; readonly ckn: string };
  /** Ids of the accepted key's versions; undefined = not known here. */
  readonly key: Pick<KeyRef, "cakSecretId" | "cknSecretId"> | undefined;
}

/** A tunnel and its gateway. */
export interface TunnelScene {
  /** Marks a tunnel. */
  readonly kind: "tunnel";
  /** Name in the config. */
  readonly name: string;
  /** The router. */
  readonly device: DeviceScene;
  /** The gateway's outer address. */
  readonly remote: string;
  /** Resource id of the gateway's connection; undefined = the config names none. */
  readonly connection: string | undefined;
  readonly azure: Pick<AzureSettings, "cloud" | "vault">;
}

/** What a code is about; `none` = no name was given, or the config does not have it. */
export type Scene =
  | LinkScene
  | TunnelScene
  | { readonly kind: "device"; readonly device: DeviceScene }
  | { readonly kind: "group"; readonly group: string; readonly links: readonly LinkScene[] }
  | { readonly kind: "none" };

/** Returns the ids of a link's accepted key; undefined = not known. */
export type KeyOf = (link: DesiredLink) => LinkScene["key"];

const noKeys: KeyOf = () => undefined;

/** Returns what the config knows of a link (`group/link`), group, tunnel or device. */
export function sceneOf(desired: Desired, about: string, keyOf: KeyOf = noKeys): Scene {
  const links = linkScenes(desired, keyOf);
  const link = links.find(({ id }) => id === about);
  if (link !== undefined) return link;
  const own = links.filter(({ group }) => group === about);
  if (own.length > 0) return { kind: "group", group: about, links: own };
  const tunnel = tunnelScenes(desired).find(({ name }) => name === about);
  if (tunnel !== undefined) return tunnel;
  if (!desired.devices.some(({ name }) => name === about)) return { kind: "none" };
  return { kind: "device", device: deviceScene(desired, about) };
}

/** Returns all links of a config, in its order. */
export function linkScenes(desired: Desired, keyOf: KeyOf = noKeys): readonly LinkScene[] {
  return desired.groups.flatMap((group) =>
    group.links.map((link): LinkScene => {
      const sibling = group.links.find((each) => each !== link);
      return {
        kind: "link",
        id: linkId(link),
        group: group.name,
        sibling: sibling && linkId(sibling),
        device: deviceScene(desired, link.device),
        port: link.port,
        settings: link.settings,
        drain: group.drain === "none" ? undefined : group.drain,
        azure: desired.azure,
        resource: group.expressRoutePort,
        azureLink: link.azureLink,
        secrets: link.key,
        key: keyOf(link),
      };
    }),
  );
}

/** Returns all tunnels of a config, in its order. */
export function tunnelScenes(desired: Desired): readonly TunnelScene[] {
  return desired.tunnels.map((tunnel) => {
    const { name, remoteAddress: remote, azureConnection: connection } = tunnel;
    const device = deviceScene(desired, tunnel.device);
    return { kind: "tunnel", name, device, remote, connection, azure: desired.azure };
  });
}

function deviceScene({ devices }: Desired, name: string): DeviceScene {
  const device = devices.find((each) => each.name === name);
  if (device === undefined) throw new RangeError(`the config lists no device ${name}`);
  const { driver: platform, address, charon } = device;
  const credential = /^credential:(.+)$/.exec(device.ssh?.key ?? "")?.[1];
  return { name, platform, address, login: loginOf(device), credential, charon };
}

function loginOf({ ssh }: DesiredDevice): DeviceScene["login"] {
  return ssh === undefined ? undefined : { user: ssh.user, port: ssh.port };
}
