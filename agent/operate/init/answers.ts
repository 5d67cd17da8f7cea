// Makes the answers from options, and from what an operator types where options are missing. Pure
// except for the terminal and the host keys, which the caller passes in.

import { accessOf, factsOf, sshPortOf } from "#drivers/index.ts";
import { LinksealError } from "#hal/error.ts";
import { hostOfPeer, peerAt } from "#hal/target.ts";
import {
  type InitAnswers,
  type InitDevice,
  type InitLink,
  isThisHost,
  peerUser,
} from "./config-text.ts";
import {
  answerTo,
  fromOption,
  type InterviewParts,
  notTaken,
  refused,
  taken,
} from "./interview.ts";
import {
  addressQuestion,
  cloudQuestion,
  deviceQuestion,
  driverQuestion,
  type Endpoint,
  endpointOf,
  groupQuestion,
  hostQuestion,
  identityQuestion,
  linkDeviceQuestion,
  linkPortQuestion,
  portIdQuestion,
  siteQuestion,
  socketQuestion,
  speedQuestion,
  thisHost,
  userQuestion,
  vaultQuestion,
} from "./questions.ts";

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
  /** Each has the form NAME=DRIVER[,ADDRESS[:PORT][,USER]]. */
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

export interface InitParts extends InterviewParts {
  /** The ports of this host. */
  readonly ports: readonly FoundPort[];
  /**
   * Returns the host key that a device presents at a TCP port, without a login; rejects with a
   * LinksealError if it presents none.
   */
  readonly hostKey: (address: string, port: number) => Promise<string>;
}

/**
 * Completes the answers.
 * @throws LinksealError with `usage` for an option that is missing or wrong
 */
export async function answersOf(options: InitOptions, parts: InitParts): Promise<InitAnswers> {
  const site = await answerTo(siteQuestion, options.site, parts);
  const cloud = await answerTo(cloudQuestion, options.cloud, parts);
  const vault = await answerTo(vaultQuestion(cloud), options.vault, parts);
  const identity =
    cloud === "sim"
      ? undefined
      : ((await answerTo(identityQuestion, options.identity, parts)) as InitAnswers["identity"]);
  const devices = await devicesOf(options, parts);
  const group = await answerTo(groupQuestion, options.group, parts);
  const { expressRoutePort: id } = options;
  const expressRoutePort = await answerTo(portIdQuestion(cloud), id, parts);
  const links = await linksOf(options, parts, devices);
  return { site, cloud, vault, identity, devices, group, expressRoutePort, links };
}

/** What an option says about a device; undefined = asked for. */
interface GivenDevice {
  readonly name: string | undefined;
  readonly driver: string | undefined;
  readonly address: string | undefined;
  readonly user: string | undefined;
}

async function devicesOf(options: InitOptions, parts: InitParts): Promise<readonly InitDevice[]> {
  const devices: InitDevice[] = [];
  const add = async (given: GivenDevice): Promise<void> => {
    devices.push(await deviceOf({ given, others: devices }, options, parts));
  };
  if (options.device !== undefined) {
    for (const text of options.device) await add(givenDevice(text));
    return devices;
  }
  const asked = { driver: undefined, address: undefined, user: undefined } as const;
  await add({ name: undefined, ...asked });
  const name = await answerTo(deviceQuestion(1, devices), undefined, parts);
  if (name !== "none") await add({ name, ...asked });
  return devices;
}

function givenDevice(text: string): GivenDevice {
  const { name, words } = pairOf(text, "--device NAME=DRIVER[,ADDRESS[:PORT][,USER]]");
  const [driver, address, user] = words;
  return { name, driver, address, user };
}

interface Place {
  readonly given: GivenDevice;
  readonly others: readonly InitDevice[];
}

async function deviceOf(
  { given, others }: Place,
  options: InitOptions,
  parts: InitParts,
): Promise<InitDevice> {
  const index = others.length;
  const name = await answerTo(deviceQuestion(index, others), given.name, parts);
  const driver = await answerTo(driverQuestion(index, name), given.driver, parts);
  const access = accessOf(driver);
  if (access?.kind === "local") {
    const address = await placeOf({ given, others }, name, access, parts);
    const host = address === undefined ? undefined : hostOfPeer(address);
    const endpoint = host === undefined ? undefined : endpointOf(host);
    if (endpoint === undefined) return { name, driver, address, login: undefined };
    const user = fromOption(userQuestion(index, name), given.user ?? peerUser);
    const hostKey = await hostKeyOf({ index, name, driver, endpoint }, options, parts);
    const login = { user, port: endpoint.port, hostKey };
    return { name, driver, address: peerAt(endpoint.address), login };
  }
  const about = addressQuestion(index, name, sshPortOf(driver), others);
  const reply = await answerTo(about, given.address, parts);
  const endpoint = endpointOf(reply) ?? { address: reply, port: undefined };
  // An option without a user means the user that every example has.
  const isAsked = given.address === undefined && given.user === undefined;
  const user = await answerTo(
    userQuestion(index, name),
    given.user ?? (isAsked ? undefined : "linkseal"),
    parts,
  );
  const hostKey = await hostKeyOf({ index, name, driver, endpoint }, options, parts);
  return { name, driver, address: endpoint.address, login: { user, port: endpoint.port, hostKey } };
}

type LocalAccess = Extract<NonNullable<ReturnType<typeof accessOf>>, { readonly kind: "local" }>;

/** Returns the address of a device at sockets; undefined = it is this host. */
async function placeOf(
  { given, others }: Place,
  name: string,
  { address, peer }: LocalAccess,
  parts: InitParts,
): Promise<string | undefined> {
  const index = others.length;
  if (address === "required") {
    return await answerTo(socketQuestion(index, name), given.address, parts);
  }
  if (!peer) return given.address;
  // An option that names the driver and no address means this host.
  const said = given.address ?? (given.driver === undefined ? undefined : thisHost);
  const reply = await answerTo(hostQuestion(index, name, others), said, parts);
  return reply === thisHost ? undefined : reply;
}

async function hostKeyOf(
  router: Router,
  { hostKey: options = [] }: InitOptions,
  parts: InitParts,
): Promise<string | undefined> {
  const confirmed = options.find((one) => one.startsWith(`${router.name}=`));
  if (confirmed !== undefined) return givenKey(confirmed, router.name);
  return await confirmedKey(router, parts);
}

const keyPattern = /^SHA256:[A-Za-z0-9+/]{43}=?$/;

function givenKey(text: string, name: string): string {
  const key = text.slice(name.length + 1);
  if (keyPattern.test(key)) return key;
  throw refused(`--host-key ${text}: it is SHA256: and the digest that ssh-keygen -lf prints`);
}

interface Router {
  readonly index: number;
  readonly name: string;
  readonly driver: string;
  readonly endpoint: Endpoint;
}

/** Characters of base64 that an operator types: 72 bits, more than a farm of computers searches. */
const typedMin = 12;

/**
 * Asks for the confirmation of a host key: only an operator who compared it on another path can
 * give it. undefined = it is filled in later.
 */
async function confirmedKey(
  { index, name, driver, endpoint }: Router,
  parts: InitParts,
): Promise<string | undefined> {
  const { terminal } = parts;
  if (terminal === undefined) {
    throw refused(
      `--host-key ${name}=SHA256:... is missing, and there is no terminal to confirm it on`,
    );
  }
  const id = `device${index}.hostKey`;
  const port = endpoint.port ?? sshPortOf(driver);
  const place = `${name} (${endpoint.address} port ${port})`;
  const shown = await parts.hostKey(endpoint.address, port).catch((error: unknown) => {
    if (!(error instanceof LinksealError)) throw error;
    terminal.say(`${place} shows no host key: ${error.message}. It is not checked now.`);
    return undefined;
  });
  if (shown === undefined) return await typedKey(id, name, parts);
  const at = `${endpoint.address}:${port}`;
  if (parts.kept.get(id) === `${at} ${shown}`) {
    terminal.say(`${place} shows the host key that you confirmed before.`);
    return shown;
  }
  const where = factsOf(driver)?.hostKeyLine;
  const compare = where === undefined ? "the router's console" : `its own console: ${where}`;
  terminal.say(`${place} shows this host key:\n  ${shown}\nCompare it on ${compare}.`);
  for (;;) {
    const reply = (await terminal.ask(confirmText, undefined)).trim();
    if (reply === "later") return undefined;
    const typed = reply.replace(/=+$/, "");
    const plain = shown.replace(/=+$/, "");
    if (typed.length >= typedMin && plain.endsWith(typed)) {
      await parts.keep(id, `${at} ${shown}`);
      return shown;
    }
    terminal.say(
      keyPattern.test(reply)
        ? `This is another key: ${name} may be another machine. Find out why before you go on.`
        : `${reply === "" ? "Enter" : reply} does not confirm it: type what the console shows.`,
    );
  }
}

const confirmText =
  `If it is the same, type it or its last ${typedMin} characters; ` +
  "later = leave it out of the config for now";

/** Asks for a fingerprint that no connection has shown. */
async function typedKey(id: string, name: string, parts: InitParts): Promise<string | undefined> {
  const answer = await answerTo(
    {
      ...{ id, option: `--host-key ${name}=SHA256:DIGEST`, proposal: "later" },
      text: `Host key of ${name} as its console shows it (SHA256:...), or later`,
      examine: (reply) =>
        reply === "later" || keyPattern.test(reply)
          ? taken(reply)
          : notTaken("It is SHA256: and 43 characters, as ssh-keygen -lf prints it."),
    },
    undefined,
    parts,
  );
  return answer === "later" ? undefined : answer;
}

async function linksOf(
  options: InitOptions,
  parts: InitParts,
  devices: readonly InitDevice[],
): Promise<readonly InitLink[]> {
  if (options.link !== undefined) {
    if (options.link.length !== 2) throw refused("--link is given twice: a group has two links");
    const given = options.link.map((text) => {
      const { name, words } = pairOf(text, "--link NAME=DEVICE,PORT[,SPEED]");
      const [device = "", port = "", speed] = words;
      return { name, device, port, speed };
    });
    return await linksFrom(given, parts, devices);
  }
  const asked = { device: undefined, port: undefined, speed: undefined } as const;
  const names = ["primary", "secondary"].map((name) => ({ name, ...asked }));
  return await linksFrom(names, parts, devices);
}

interface GivenLink {
  readonly name: string;
  readonly device: string | undefined;
  readonly port: string | undefined;
  readonly speed: string | undefined;
}

async function linksFrom(
  given: readonly GivenLink[],
  parts: InitParts,
  devices: readonly InitDevice[],
): Promise<readonly InitLink[]> {
  const links: InitLink[] = [];
  for (const one of given) {
    const number = links.length + 1;
    const [first] = devices;
    const only = devices.length === 1 && one.device === undefined ? first?.name : one.device;
    const device = await answerTo(linkDeviceQuestion(number, devices), only, parts);
    const isHere = isThisHost(devices.find(({ name }) => name === device));
    const used = links.find((other) => other.device === device)?.port;
    const asked = linkPortQuestion(number, device, isHere ? hintOf(parts.ports) : "", used);
    const port = await answerTo(asked, one.port, parts);
    const found = isHere ? parts.ports.find(({ name }) => name === port)?.gigabits : undefined;
    const seen = one.port === undefined || found === undefined ? undefined : `${found}G`;
    const speed = await answerTo(speedQuestion(number, port, found), one.speed ?? seen, parts);
    links.push({ name: one.name, device, port, gigabits: Number.parseInt(speed, 10) });
  }
  return links;
}

function hintOf(ports: readonly FoundPort[]): string {
  const found = ports.map(({ name, gigabits }) =>
    gigabits === undefined ? name : `${name} (${gigabits}G)`,
  );
  return found.length === 0 ? "" : `; ports of this host: ${found.join(", ")}`;
}

function pairOf(text: string, form: string): { readonly name: string; readonly words: string[] } {
  const at = text.indexOf("=");
  if (at < 1) throw refused(`${text} is not of the form ${form}`);
  return { name: text.slice(0, at), words: text.slice(at + 1).split(",") };
}
