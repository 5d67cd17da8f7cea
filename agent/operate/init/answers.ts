// Makes the answers from options, and from what an operator types where options are missing. Pure
// except for the question function, which the caller passes in.

import { accessOf } from "#drivers/index.ts";
import { LinksealError } from "#hal/error.ts";
import type { InitAnswers, InitDevice, InitLink } from "./config-text.ts";

/** Options of `linkseal init`; a missing one is asked for. */
export interface InitOptions {
  /** Name of the site. */
  readonly site?: string;
  /** Name of the Azure cloud. */
  readonly cloud?: string;
  /** URL of the key vault. */
  readonly vault?: string;
  /** arc or managedIdentity. */
  readonly identity?: string;
  /** Each has the form NAME=DRIVER[,ADDRESS[,USER]]. */
  readonly device?: readonly string[];
  /** Each has the form DEVICE=SHA256:DIGEST. */
  readonly hostKey?: readonly string[];
  /** Name of the pair of links. */
  readonly group?: string;
  /** Resource id of the ExpressRoute port. */
  readonly expressRoutePort?: string;
  /** Each has the form NAME=DEVICE,PORT,SPEED; the first is Microsoft's link1. */
  readonly link?: readonly string[];
}

/** A port of this host that a link may use. */
export interface FoundPort {
  /** Name of the network interface. */
  readonly name: string;
  /** Speed in Gbit/s; undefined = the port has no light. */
  readonly gigabits: number | undefined;
}

export interface InitParts {
  /**
   * Asks the operator; undefined = there is no terminal, and a missing option is an error that
   * names it.
   */
  readonly ask: ((question: string, proposal: string | undefined) => Promise<string>) | undefined;
  readonly ports: readonly FoundPort[];
  /** Returns the host key that a device presents, without a login. */
  readonly hostKey: (address: string, driver: string) => Promise<string>;
}

/**
 * Completes the answers.
 * @throws LinksealError with `usage` for an option that is missing or wrong
 */
export async function answersOf(options: InitOptions, parts: InitParts): Promise<InitAnswers> {
  const asked = (option: string, question: string, proposal?: string): Promise<string> =>
    wanted(parts, option, question, proposal);
  const site = options.site ?? (await asked("--site", "A name for this site", "edge"));
  const cloud = options.cloud ?? (await asked("--cloud", "The Azure cloud", "public"));
  const vault =
    options.vault ?? (await asked("--vault", "The key vault (https://NAME.vault.azure.net)"));
  const identity = cloud === "sim" ? undefined : await identityOf(options, asked);
  const devices = await devicesOf(options, parts);
  const group = options.group ?? (await asked("--group", "A name for the pair of links", "erd"));
  const expressRoutePort =
    options.expressRoutePort ??
    (await asked("--express-route-port", "Resource id of the ExpressRoute port"));
  const links = await linksOf(options, parts, devices);
  return { site, cloud, vault, identity, devices, group, expressRoutePort, links };
}

async function wanted(
  { ask }: InitParts,
  option: string,
  question: string,
  proposal?: string,
): Promise<string> {
  if (ask === undefined) throw refused(`${option} is missing, and there is no terminal to ask on`);
  const reply = (await ask(question, proposal)).trim();
  if (reply !== "") return reply;
  if (proposal !== undefined) return proposal;
  throw refused(`no value was given for ${option}`);
}

type Asked = (option: string, question: string, proposal?: string) => Promise<string>;

async function identityOf(
  { identity }: InitOptions,
  asked: Asked,
): Promise<InitAnswers["identity"]> {
  const reply =
    identity ??
    (await asked("--identity", "Who this host is to Azure (arc, managedIdentity)", "arc"));
  if (reply === "arc" || reply === "managedIdentity") return reply;
  throw refused(
    `--identity ${reply}: it is arc or managedIdentity; others are in the config alone`,
  );
}

async function devicesOf(options: InitOptions, parts: InitParts): Promise<readonly InitDevice[]> {
  const question = "Devices, as NAME=DRIVER[,ADDRESS[,USER]], with blanks between them";
  const proposal = parts.ports.length > 0 ? "edge=linux" : undefined;
  const texts =
    options.device ?? (await wanted(parts, "--device", question, proposal)).split(/\s+/);
  const devices: InitDevice[] = [];
  for (const text of texts) devices.push(await deviceOf(text, options, parts));
  return devices;
}

async function deviceOf(text: string, options: InitOptions, parts: InitParts): Promise<InitDevice> {
  const { name, words } = pairOf(text, "--device NAME=DRIVER[,ADDRESS[,USER]]");
  const [driver = "", address, user = "linkseal"] = words;
  if (accessOf(driver)?.kind !== "ssh") return { name, driver, address, login: undefined };
  if (address === undefined) throw refused(`--device ${text}: a router is reached at an address`);
  const confirmed = (options.hostKey ?? []).find((one) => one.startsWith(`${name}=`));
  const hostKey =
    confirmed?.slice(name.length + 1) ?? (await confirmedKey(name, { address, driver }, parts));
  return { name, driver, address, login: { user, hostKey } };
}

/** Characters of base64 that an operator types: 72 bits, more than a farm of computers searches. */
const typedMin = 12;

/**
 * Asks for the confirmation of a host key: only an operator who compared it on another path can
 * give it.
 */
async function confirmedKey(
  name: string,
  { address, driver }: { readonly address: string; readonly driver: string },
  parts: InitParts,
): Promise<string> {
  if (parts.ask === undefined) {
    throw refused(
      `--host-key ${name}=SHA256:... is missing, and there is no terminal to confirm it on`,
    );
  }
  const shown = await parts.hostKey(address, driver);
  const question =
    `${name} (${address}) shows the host key ${shown}.\n` +
    "Compare it on the router's console. If it is the same, type it or its last " +
    `${typedMin} characters`;
  const reply = (await parts.ask(question, undefined)).trim();
  const typed = reply.replace(/=+$/, "");
  const plain = shown.replace(/=+$/, "");
  if (typed.length >= typedMin && plain.endsWith(typed)) return shown;
  throw refused(`the host key of ${name} was not confirmed: nothing was written`);
}

async function linksOf(
  options: InitOptions,
  parts: InitParts,
  devices: readonly InitDevice[],
): Promise<readonly InitLink[]> {
  if (options.link !== undefined) {
    if (options.link.length !== 2) throw refused("--link is given twice: a group has two links");
    return options.link.map((text) => linkOf(text, parts, devices));
  }
  const found = parts.ports.map(({ name, gigabits }) =>
    gigabits === undefined ? name : `${name} (${gigabits}G)`,
  );
  const here = found.length === 0 ? "" : `; ports of this host: ${found.join(", ")}`;
  const links: InitLink[] = [];
  for (const [name, end] of [
    ["primary", "link1"],
    ["secondary", "link2"],
  ] as const) {
    const question = `Our port on ${end}, as DEVICE,PORT[,SPEED]${here}`;
    links.push(linkOf(`${name}=${await wanted(parts, "--link", question)}`, parts, devices));
  }
  return links;
}

function linkOf(text: string, { ports }: InitParts, devices: readonly InitDevice[]): InitLink {
  const { name, words } = pairOf(text, "--link NAME=DEVICE,PORT[,SPEED]");
  const [device = "", port = "", speed] = words;
  const driver = devices.find((one) => one.name === device)?.driver;
  if (driver === undefined) throw refused(`--link ${text}: no --device is named ${device}`);
  const own = driver === "linux" ? ports.find((one) => one.name === port)?.gigabits : undefined;
  const gigabits = speed === undefined ? own : Number(/^(\d{1,4})G$/.exec(speed)?.[1]);
  if (gigabits === undefined || !(gigabits > 0)) {
    throw refused(`--link ${text}: give the speed of the port, such as 100G`);
  }
  return { name, device, port, gigabits };
}

function pairOf(text: string, form: string): { readonly name: string; readonly words: string[] } {
  const at = text.indexOf("=");
  if (at < 1) throw refused(`${text} is not of the form ${form}`);
  return { name: text.slice(0, at), words: text.slice(at + 1).split(",") };
}

function refused(text: string): LinksealError {
  const details = { effect: "none", where: "command line", next: "linkseal init --help" } as const;
  return new LinksealError("usage", text, details);
}
