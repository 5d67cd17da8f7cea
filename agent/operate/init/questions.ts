// The questions of `init`, each with the rule that its answer must fit and what was probably meant
// by one that does not. Pure.

import { isIP } from "node:net";
import { checkVaultUrl, realClouds, vaultUrlOf } from "#drivers/azure/azure-url.ts";
import { accessOf, platformNames, platformsMeant } from "#drivers/index.ts";
import { hostOfPeer, peerAt } from "#hal/target.ts";
import { portIdPattern } from "../../config/azure-rules.ts";
import { name as nameSchema } from "../../config/schema-words.ts";
import { nearest } from "../../model/nearest.ts";
import { type InitDevice, isThisHost } from "./config-text.ts";
import { type Examined, notTaken, type Question, taken } from "./interview.ts";

const namePattern = nameSchema("edge");
const nameRule = "A name has lower-case letters, digits and hyphens, no blanks, 63 at most.";

function examineName(reply: string): Examined {
  if (namePattern.safeParse(reply).success) return taken(reply);
  const slug = reply
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  return notTaken(nameRule, namePattern.safeParse(slug).success ? slug : undefined);
}

/** Asks for the name of the site. */
export const siteQuestion: Question = {
  ...{ id: "site", option: "--site", text: "A name for this site", proposal: "edge" },
  examine: examineName,
};

/** Asks for the name of the group. */
export const groupQuestion: Question = {
  ...{ id: "group", option: "--group", text: "A name for the pair of links", proposal: "erd" },
  examine: examineName,
};

const clouds = ["public", "usgovernment", "china", "sim"] as const;
/** Other names of the clouds. */
const cloudWords: readonly (readonly [string, RegExp])[] = [
  ["public", /^(?:azure|azurecloud|global|commercial|azurepubliccloud)$/],
  ["usgovernment", /^(?:gov|usgov|azuregov|government|azureusgovernment|fairfax)$/],
  ["china", /^(?:cn|azurechina|azurechinacloud|mooncake)$/],
];

/** Asks for the cloud. */
export const cloudQuestion: Question = {
  ...{ id: "cloud", option: "--cloud", text: `The Azure cloud (${clouds.join(", ")})` },
  proposal: "public",
  examine(reply) {
    const word = reply.toLowerCase();
    if (clouds.some((cloud) => cloud === word)) return taken(word);
    const named = cloudWords.find(([, words]) => words.test(word))?.[0];
    return notTaken(`The cloud is one of ${clouds.join(", ")}.`, named ?? nearest(word, clouds));
  },
};

/** Asks for the vault of a cloud. */
export function vaultQuestion(cloud: string): Question {
  const real = realClouds.find((each) => each === cloud);
  const form = real === undefined ? "unix:/PATH of the simulated site" : vaultUrlOf("name", real);
  return {
    ...{ id: "vault", option: "--vault", text: `The key vault (${form ?? "its URL"})` },
    examine(reply) {
      if (real === undefined) {
        if (isSocket(reply)) return taken(reply);
        return notTaken("A simulated site has a socket: unix:/PATH.");
      }
      const why = checkVaultUrl(reply, real);
      if (why === undefined) return taken(reply);
      // The answer to another question is the name of no vault.
      const isPlatform = platformsMeant(reply).length > 0 || accessOf(reply) !== undefined;
      const meant = isPlatform ? undefined : vaultUrlOf(reply, real);
      return notTaken(`This is not the URL of a vault: ${why}.`, meant);
    },
  };
}

/** Asks for the identity of this host. */
export const identityQuestion: Question = {
  ...{ id: "identity", option: "--identity", proposal: "arc" },
  text: "How this host proves itself to Azure (arc, managedIdentity)",
  examine(reply) {
    const word = reply.toLowerCase().replaceAll(/[^a-z]/g, "");
    if (word === "arc") return taken("arc");
    if (reply === "managedIdentity") return taken(reply);
    const meant = /^(?:managed|msi|imds|vm)/.test(word) ? "managedIdentity" : undefined;
    const why = "It is arc or managedIdentity; others are in the config alone (docs/azure.md).";
    return notTaken(why, /^azurearc|^himds/.test(word) ? "arc" : meant);
  },
};

/** Asks for the resource id of the port in Azure. */
export function portIdQuestion(cloud: string): Question {
  return {
    ...{ id: "expressRoutePort", option: "--express-route-port" },
    text: "Resource id of the ExpressRoute port",
    examine(reply) {
      const fits = cloud === "sim" ? /^[A-Za-z0-9/._()-]{1,400}$/ : portIdPattern;
      if (fits.test(reply)) return taken(reply);
      if (cloud === "sim") return notTaken("A simulated port has a name, or a resource id.");
      const name = /^[\w.-]{1,80}$/.test(reply) ? reply : "NAME";
      return notTaken(
        "This is not the resource id of a port. This prints it: " +
          `az network express-route port show -g RESOURCE-GROUP -n ${name} --query id -o tsv`,
      );
    },
  };
}

/** Asks for the name of a device; `others` = those that exist already. */
export function deviceQuestion(index: number, others: readonly InitDevice[]): Question {
  const [first] = others;
  const text =
    first === undefined
      ? "Name of the router that has link1"
      : `Name of the router that has link2 (none: ${first.name} has both)`;
  return {
    ...{ id: `device${index}.name`, option: "--device", text },
    proposal: first === undefined ? "edge-a" : "none",
    examine(reply) {
      const isTwice = others.some(({ name }) => name === reply);
      if (isTwice) return notTaken(`${reply} is the other router already.`, "none");
      return examineName(reply);
    },
  };
}

/** Asks for the platform of a device. */
export function driverQuestion(index: number, device: string): Question {
  return {
    ...{ id: `device${index}.driver`, option: `--device ${device}=DRIVER` },
    text: `Platform of ${device} (${platformNames.join(", ")}; linux is this host, or another)`,
    examine(reply) {
      if (accessOf(reply) !== undefined) return taken(reply);
      const meant = platformsMeant(reply);
      if (meant.length > 1) return notTaken(`${reply} has several: ${meant.join(" and ")}.`);
      return notTaken(
        `There is no driver ${reply}; there are ${platformNames.join(", ")}.`,
        meant[0] ?? nearest(reply, platformNames),
      );
    },
  };
}

/** An address with the TCP port behind it; undefined = the port of the driver. */
export interface Endpoint {
  readonly address: string;
  readonly port: number | undefined;
}

/** Reads `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`; undefined = none of them. */
export function endpointOf(text: string): Endpoint | undefined {
  if (isIP(text) !== 0) return { address: text, port: undefined };
  const [, six, plain, digits] =
    /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9A-Za-z][0-9A-Za-z.-]{0,252}))(?::(\d{1,5}))?$/.exec(text) ??
    [];
  const address = six ?? plain;
  if (address === undefined || (six !== undefined && isIP(six) !== 6)) return undefined;
  // The last label of a host name is no number (RFC 1123, 2.1): this is a wrong IPv4 address.
  if (/(?:^|\.)\d+\.?$/.test(address) && isIP(address) === 0) return undefined;
  const port = digits === undefined ? undefined : Number(digits);
  const isPort = port === undefined || (port > 0 && port <= 65_535);
  return isPort ? { address, port } : undefined;
}

/** Asks for the address of a router; `others` = devices that have theirs. */
export function addressQuestion(
  index: number,
  device: string,
  defaultPort: number,
  others: readonly InitDevice[],
): Question {
  return {
    ...{ id: `device${index}.address`, option: `--device ${device}=DRIVER,ADDRESS` },
    text: `Address of ${device} for SSH, as ADDRESS or ADDRESS:PORT (port ${defaultPort} if none)`,
    examine(reply) {
      const found = endpointOf(reply);
      if (found === undefined) return notTaken(`${reply} is not an address of a router.`);
      const twin = others.find(
        ({ address, login }) => address === found.address && login?.port === found.port,
      );
      return twin === undefined ? taken(reply) : notTaken(`${twin.name} has this address.`);
    },
  };
}

/** The answer that means the host of the agent. */
export const thisHost = "here";

/** Asks which Linux host a device is; `others` = devices that have their place. */
export function hostQuestion(
  index: number,
  device: string,
  others: readonly InitDevice[],
): Question {
  const here = others.find((other) => isThisHost(other) && other.address === undefined);
  return {
    ...{ id: `device${index}.host`, option: `--device ${device}=linux,ADDRESS` },
    text: `Which host is ${device} (${thisHost} = this one, ssh://HOST[:PORT] = another)`,
    ...(here === undefined ? { proposal: thisHost } : {}),
    examine(reply) {
      if (reply === thisHost) {
        return here === undefined ? taken(reply) : notTaken(`${here.name} is this host already.`);
      }
      if (isSocket(reply)) return taken(reply);
      const host = hostOfPeer(reply);
      const found = endpointOf(host ?? reply);
      if (found === undefined) return notTaken(`${reply} is not the address of a host.`);
      if (host === undefined) {
        return notTaken("The address of another host begins with ssh://.", peerAt(reply));
      }
      const twin = others.find(
        ({ address, login }) => address === peerAt(found.address) && login?.port === found.port,
      );
      return twin === undefined ? taken(reply) : notTaken(`${twin.name} has this address.`);
    },
  };
}

const isSocket = (reply: string): boolean => /^unix:\/[\w./@%+,:=~-]{1,106}$/.test(reply);

/** Asks for the socket of a device that is reached at one. */
export const socketQuestion = (index: number, device: string): Question => ({
  ...{ id: `device${index}.address`, option: `--device ${device}=DRIVER,ADDRESS` },
  text: `Socket of ${device} (unix:/PATH)`,
  examine: (reply) =>
    isSocket(reply) ? taken(reply) : notTaken("A socket is unix: and its absolute path."),
});

/** Asks for the SSH user of a router. */
export const userQuestion = (index: number, device: string): Question => ({
  ...{ id: `device${index}.user`, option: `--device ${device}=DRIVER,ADDRESS,USER` },
  ...{ text: `SSH user on ${device}`, proposal: "linkseal" },
  examine: (reply) =>
    /^[A-Za-z_][A-Za-z0-9._-]{0,31}$/.test(reply)
      ? taken(reply)
      : notTaken("A user name has letters, digits and . _ -, 32 at most."),
});

/** Asks for the router that has a link. */
export function linkDeviceQuestion(number: number, devices: readonly InitDevice[]): Question {
  const names = devices.map(({ name }) => name);
  return {
    ...{ id: `link${number}.device`, option: "--link" },
    text: `Router that has link${number} (${names.join(", ")})`,
    proposal: names[number - 1] ?? names[0],
    examine: (reply) =>
      names.includes(reply)
        ? taken(reply)
        : notTaken(
            `No router is named ${reply}; there are ${names.join(", ")}.`,
            nearest(reply, names),
          ),
  };
}

/** Asks for our port of a link; `used` = the port of the other link on the same device. */
export const linkPortQuestion = (
  number: number,
  device: string,
  hint: string,
  used: string | undefined,
): Question => ({
  ...{ id: `link${number}.port`, option: "--link" },
  text: `Port of ${device} on link${number}, as ${device} spells it${hint}`,
  examine(reply) {
    if (!/^[A-Za-z0-9/:._-]{1,64}$/.test(reply)) {
      return notTaken("A port name has letters, digits and / : . _ -, 64 at most.");
    }
    return reply === used ? notTaken(`${reply} is the port of the other link.`) : taken(reply);
  },
});

/** Asks for the speed of a port; `found` = what this host reports, in Gbit/s. */
export const speedQuestion = (
  number: number,
  port: string,
  found: number | undefined,
): Question => ({
  ...{ id: `link${number}.speed`, option: "--link NAME=DEVICE,PORT,SPEED" },
  text: `Speed of ${port} (10G, 100G, 400G)`,
  proposal: found === undefined ? undefined : `${found}G`,
  examine(reply) {
    const digits = /^([1-9]\d{0,3}) ?(?:g|gb|gbps|gbit\/s)?$/i.exec(reply)?.[1];
    return digits === undefined
      ? notTaken("Give the speed of the port, such as 100G.")
      : taken(`${digits}G`);
  },
});
