// Where Azure may be reached: the hosts of each cloud, and every rule against a URL or an address
// that would send a token elsewhere. The functions are pure; the config and the Dialer's guard both
// call them.

import { BlockList, isIP, isIPv4 } from "node:net";
import type { Reach } from "#hal/world.ts";

/** The clouds that a config may name. */
export const realClouds = ["public", "usgovernment", "china", "loopback"] as const;
/**
 * A cloud; `loopback` is a simulated Azure on this host, and nothing else can be reached with it.
 */
export type RealCloud = (typeof realClouds)[number];

interface CloudHosts {
  readonly authority: string;
  /** Other names of the authority that a vault may use; no token is requested there. */
  readonly aliases: readonly string[];
  readonly vaultSuffix: string;
  readonly arm: string;
}

const cloudHosts: Readonly<Record<Exclude<RealCloud, "loopback">, CloudHosts>> = {
  public: {
    authority: "login.microsoftonline.com",
    aliases: ["login.windows.net", "login.microsoft.com", "sts.windows.net"],
    vaultSuffix: "vault.azure.net",
    arm: "management.azure.com",
  },
  usgovernment: {
    authority: "login.microsoftonline.us",
    aliases: ["login.usgovcloudapi.net"],
    vaultSuffix: "vault.usgovcloudapi.net",
    arm: "management.usgovcloudapi.net",
  },
  china: {
    authority: "login.chinacloudapi.cn",
    aliases: ["login.partner.microsoftonline.cn"],
    vaultSuffix: "vault.azure.cn",
    arm: "management.chinacloudapi.cn",
  },
};

/** Origins without a path, and the audiences for which tokens are requested. */
export interface AzureEndpoints {
  /** Origin of the vault. */
  readonly vault: string;
  /** Origin of the authority that issues tokens. */
  readonly authority: string;
  /** Origins that a vault's challenge may name as the authority: `authority` and its aliases. */
  readonly challengers: readonly string[];
  /** Origin of the management API. */
  readonly arm: string;
  /** Audience of tokens for the vault. */
  readonly vaultResource: string;
  /** Audience of tokens for the management API. */
  readonly armResource: string;
}

export interface AzurePlace {
  readonly cloud: RealCloud;
  readonly vault: string;
  /** Only for the loopback cloud; the others have fixed ones. */
  readonly authority?: string | undefined;
  readonly arm?: string | undefined;
}

/** Returns the endpoints of settings that passed the checks below. */
export function azureEndpoints(place: AzurePlace): AzureEndpoints {
  const vault = originOf(place.vault);
  if (place.cloud === "loopback") {
    const arm = originOf(place.arm ?? "");
    const named = /^https:\/\/[a-z0-9-]+\.vault\.localhost:/.test(vault);
    const authority = originOf(place.authority ?? "");
    return {
      vault,
      authority,
      challengers: [authority],
      arm,
      vaultResource: named ? "https://vault.localhost" : "https://vault.azure.net",
      armResource: arm,
    };
  }
  const { authority, aliases, arm, vaultSuffix } = cloudHosts[place.cloud];
  return {
    vault,
    authority: `https://${authority}`,
    challengers: [authority, ...aliases].map((host) => `https://${host}`),
    arm: `https://${arm}`,
    vaultResource: `https://${vaultSuffix}`,
    armResource: `https://${arm}`,
  };
}

function originOf(url: string): string {
  return url.replace(/\/$/, "");
}

/** Longer than any real one: 24 characters of vault name and the longest suffix. */
const urlLengthMax = 100;

/**
 * Returns why a text may not be used as a URL of Azure; undefined = its parts may be examined. One
 * expression reads it, never a parser that corrects its input.
 */
function formFault(url: string): string | undefined {
  if (url.length > urlLengthMax) return `it is longer than ${urlLengthMax} characters`;
  if (!/^[\x21-\x7e]*$/.test(url)) return "only printable ASCII belongs into it";
  if (!url.startsWith("https://")) return "only https:// protects a token";
  const rest = url.slice("https://".length);
  if (rest.includes("@")) return "a user name in a URL hides the host";
  if (/[?#]/.test(rest)) return "query and fragment do not belong into it";
  if (/[%\\]/.test(rest)) return "escapes do not belong into it";
  const host = rest.replace(/\/$/, "");
  if (host.includes("/")) return "a path does not belong into it";
  if (/[[\]]/.test(host) || host.split(":").length > 2) return "an address is not a host name";
  const name = host.replace(/:.*$/, "");
  if (name === "") return "it names no host";
  if (/[A-Z]/.test(name)) return "host names are written in lower case";
  if (name.endsWith(".")) return "a dot at the end changes the name";
  if (/(^|\.)xn--/.test(name)) return "encoded letters of other alphabets look like other names";
  if (!/^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(name)) return "it contains what no host name contains";
  if (/(^|\.)-|-(\.|$)/.test(name)) return "a label begins or ends with a hyphen";
  return undefined;
}

/** Returns why requests may not go to this vault; undefined = they may. */
export function checkVaultUrl(url: string, cloud: RealCloud): string | undefined {
  const fault = formFault(url);
  if (fault !== undefined) return fault;
  const host = originOf(url.slice("https://".length));
  if (cloud === "loopback") return loopbackFault(host);
  if (host.includes(":")) return "a port does not belong into it";
  const { vaultSuffix } = cloudHosts[cloud];
  // Key Vault's own rule for names: 3 to 24, a letter first, no two hyphens in a row.
  const label = host.endsWith(`.${vaultSuffix}`) ? host.slice(0, -vaultSuffix.length - 1) : "";
  if (/^[a-z](?!.*--)[a-z0-9-]{1,22}[a-z0-9]$/.test(label)) return undefined;
  if (isAddressLike(host)) return "an address is not a host name";
  return `a vault of the cloud ${cloud} is https://NAME.${vaultSuffix}`;
}

/**
 * Returns the URL of a vault that is meant by its name, its host name or a faulty URL; undefined =
 * none is meant.
 */
export function vaultUrlOf(text: string, cloud: RealCloud): string | undefined {
  if (cloud === "loopback" || text.length > urlLengthMax) return undefined;
  const { vaultSuffix } = cloudHosts[cloud];
  const host = text
    .toLowerCase()
    .replace(/^https?:\/\//, "")
    .replace(/[:/].*$/, "");
  const [label = ""] = host.split(".vault.");
  const url = `https://${label}.${vaultSuffix}`;
  return checkVaultUrl(url, cloud) === undefined ? url : undefined;
}

/** Returns why this authority may not get a credential; undefined = it may. */
export function checkAuthority(url: string, cloud: RealCloud): string | undefined {
  return checkService(url, cloud, "authority");
}

/** Returns why this management endpoint may not get a token; undefined = it may. */
export function checkArm(url: string, cloud: RealCloud): string | undefined {
  return checkService(url, cloud, "arm");
}

function checkService(
  url: string,
  cloud: RealCloud,
  service: "authority" | "arm",
): string | undefined {
  const fault = formFault(url);
  if (fault !== undefined) return fault;
  const host = originOf(url.slice("https://".length));
  if (cloud === "loopback") return loopbackFault(host);
  const wanted = cloudHosts[cloud][service];
  return host === wanted ? undefined : `the cloud ${cloud} has https://${wanted}`;
}

function loopbackFault(host: string): string | undefined {
  const found = /^(?:(?:[a-z0-9-]+\.)*localhost|127\.0\.0\.1):([1-9]\d{0,4})$/.exec(host);
  if (found !== null && Number(found[1]) <= 65_535) return undefined;
  return "an endpoint of the loopback cloud is https://localhost:PORT";
}

// A resolver reads `127.1`, `2130706433` and `0x7f000001` as addresses.
function isAddressLike(host: string): boolean {
  return /^(0x[0-9a-f]+|\d+)(\.(0x[0-9a-f]+|\d+))*$/.test(host);
}

// RFC 6890 and the IANA registries after it: addresses that are never a service of a public cloud.
const notPublic: readonly string[] = [
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"],
  ...["172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"],
  ...["198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"],
  // The address at which Azure itself serves its virtual machines, host metadata included.
  "168.63.129.16/32",
  // In IPv6 only global unicast is public, except prefixes that wrap IPv4 addresses or are for
  // documentation.
  ...["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"],
];
const globalUnicast = ["2000::/3"];
/** Prefixes that private endpoints may have. */
const privateSpace = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"];
const loopback = ["127.0.0.0/8", "::1/128"];

function listOf(prefixes: readonly string[]): BlockList {
  const list = new BlockList();
  for (const prefix of prefixes) {
    const [address = "", length = ""] = prefix.split("/");
    list.addSubnet(address, Number(length), isIPv4(address) ? "ipv4" : "ipv6");
  }
  return list;
}

const lists = {
  notPublic: listOf(notPublic),
  globalUnicast: listOf(globalUnicast),
  loopback: listOf(loopback),
};

// The list also matches IPv4 addresses written as IPv6; such an address is refused before.
function within(list: BlockList, address: string): boolean {
  return list.check(address, isIPv4(address) ? "ipv4" : "ipv6");
}

/** Returns why no connection is made to an address of a name; undefined = it may be. */
export function checkAddress(address: string, reach: Reach): string | undefined {
  if (isIP(address) === 0 || address.includes("%")) return "it is not a plain address";
  if (/^::(?!1$)/.test(shortened(address))) return "it wraps another address";
  switch (reach.kind) {
    case "loopback":
      return within(lists.loopback, address) ? undefined : "only this host may be reached";
    case "public":
      return isPublic(address) ? undefined : "it is not public";
    case "private":
      if (isPublic(address) || within(listOf(reach.ranges), address)) return undefined;
      return "it is neither public nor in privateEndpoints of the config";
  }
}

// Returns the spelling of RFC 5952; an IPv6 address has many.
function shortened(address: string): string {
  return isIPv4(address) ? address : new URL(`http://[${address}]`).hostname.slice(1, -1);
}

function isPublic(address: string): boolean {
  if (within(lists.notPublic, address)) return false;
  return isIPv4(address) || within(lists.globalUnicast, address);
}

/** Returns why a prefix cannot name private endpoints; undefined = it can. */
export function checkPrivateRange(prefix: string): string | undefined {
  const [address = "", length = ""] = prefix.split("/");
  const most = isIPv4(address) ? 32 : 128;
  const sound = isIP(address) !== 0 && /^\d{1,3}$/.test(length) && Number(length) <= most;
  const space = privateSpace.find((each) => {
    const same = isIPv4(each.split("/")[0] ?? "") === isIPv4(address);
    const inside = same && Number(length) >= Number(each.split("/")[1]);
    return sound && inside && within(listOf([each]), address);
  });
  return space === undefined ? `private endpoints are in ${privateSpace.join(", ")}` : undefined;
}

/**
 * Returns why a vault's challenge is not answered; undefined = it asks for a token of our authority
 * (by any of its names) for our cloud's vaults. The token is requested at our own name of it.
 */
export function checkChallenge(header: string, endpoints: AzureEndpoints): string | undefined {
  if (!/^Bearer\s/i.test(header)) return "it is not a Bearer challenge";
  // It is read strictly, so that no other reader finds another meaning in it.
  const pairs = [...header.slice("Bearer".length).matchAll(/([^\s=,]+)="([^"]*)"/g)];
  const rest = pairs.reduce((text, [pair]) => text.replace(pair, ""), header.slice(7));
  if (/[^\s,]/.test(rest)) return "its values are not quoted";
  const values = new Map(pairs.map(([, name = "", text = ""]) => [name.toLowerCase(), text]));
  if (values.size < pairs.length) return "it names something twice";
  const authorization = values.get("authorization") ?? values.get("authorization_uri");
  const resource = values.get("resource") ?? values.get("scope")?.replace(/\/\.default$/, "");
  if (authorization === undefined || resource === undefined) return "it names too little";
  const [, origin = ""] = /^(https:\/\/[^/]+)\/[0-9A-Za-z.-]{1,80}\/?$/.exec(authorization) ?? [];
  if (!endpoints.challengers.includes(origin)) {
    return `it sends to another authority than ${endpoints.authority}`;
  }
  return resource === endpoints.vaultResource
    ? undefined
    : `it asks for a token for something else than ${endpoints.vaultResource}`;
}
