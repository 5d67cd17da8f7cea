// Makes the first config of a site from a few answers, with comments for the operator. Pure.

export interface InitDevice {
  readonly name: string;
  readonly driver: string;
  /** undefined = this host. */
  readonly address: string | undefined;
  /** How linkseal logs in by SSH; undefined = it does not log in. */
  readonly login: InitLogin | undefined;
}

/** Returns true if links of this device end on this host. */
export function isThisHost(device: InitDevice | undefined): boolean {
  return device?.driver === "linux" && device.login === undefined;
}

/** The login that the package makes on a Linux host for the agent of another one. */
export const peerUser = "linkseal-peer";

/** A login by SSH. */
interface InitLogin {
  readonly user: string;
  /** undefined = the port of the driver. */
  readonly port: number | undefined;
  /** The host key that was confirmed; undefined = none was. */
  readonly hostKey: string | undefined;
}

export interface InitLink {
  readonly name: string;
  readonly device: string;
  readonly port: string;
  /** Speed of the port in Gbit/s. */
  readonly gigabits: number;
}

/** What a first config is made of. */
export interface InitAnswers {
  /** Name of the site. */
  readonly site: string;
  /** Name of the Azure cloud; `sim` = a simulated one. */
  readonly cloud: string;
  /** URL of the key vault; the socket of a simulated one. */
  readonly vault: string;
  /** undefined = the simulated cloud, which needs none. */
  readonly identity: "arc" | "managedIdentity" | undefined;
  /** The routers, in the order of their questions. */
  readonly devices: readonly InitDevice[];
  /** Name of the pair of links. */
  readonly group: string;
  /** Resource id of the port; the name of a simulated one. */
  readonly expressRoutePort: string;
  /** Sorted as Microsoft's link1 and link2. */
  readonly links: readonly InitLink[];
}

/**
 * From this speed on Azure offers suites with extended packet numbers, which a port needs because
 * it would use up 32-bit ones within minutes.
 */
const xpnGigabits = 40;

/** Stands for a host key that was not confirmed; a config that contains it is refused. */
export const unconfirmedKey = "SHA256:NOT-CONFIRMED";

/** Returns a config as it is to read for one that logs in nowhere: no host key is left open. */
export function withAnyHostKey(text: string): string {
  return text.replaceAll(unconfirmedKey, `SHA256:${"A".repeat(43)}`);
}

/** Where the package puts the JSON Schema of a config; an editor finds it by the first line. */
const schemaFile = "/usr/share/doc/linkseal/config.schema.json";

/** Returns the text of linkseal.yaml. */
export function configTextOf(answers: InitAnswers): string {
  return [
    `# yaml-language-server: $schema=${schemaFile}`,
    "# The site of this agent. Nothing happens by this file alone:",
    "#   linkseal plan     shows what it would change",
    "#   linkseal apply    makes it the accepted config",
    "# Every key: linkseal.yaml(5).",
    "version: 1",
    `site: ${answers.site}`,
    "",
    ...azureLines(answers),
    "",
    "devices:",
    ...answers.devices.flatMap(deviceLines),
    "",
    ...groupLines(answers),
    "",
    "# on: drift that cannot interrupt a port, and a tunnel whose SAs do not carry, are put right.",
    "repair: off",
    "",
    "# A risk is accepted by name and until a day, such as",
    "# acceptRisks:",
    "#   - { risk: breakBeforeMake, until: 2027-01-31, reason: agreed with the network team }",
    "",
  ].join("\n");
}

const identities = {
  arc: "{ kind: arc }",
  managedIdentity: "{ kind: managedIdentity, source: imds }",
};

function azureLines({ cloud, vault, identity }: InitAnswers): readonly string[] {
  return [
    "azure:",
    `  cloud: ${cloud}`,
    "  # Keys are read here, by name; the agent needs get and list and nothing else.",
    `  vault: ${vault}`,
    ...(identity === undefined ? [] : [`  identity: ${identities[identity]}`]),
    "  # manual: an operator sets a new key at the Microsoft end. agent: linkseal does, and needs",
    "  # the right to write the ExpressRoute port.",
    "  farEnd: manual",
  ];
}

function deviceLines({ name, driver, address, login }: InitDevice): readonly string[] {
  const ssh =
    login === undefined
      ? []
      : [
          "    # The private key: a credential of linkseal.service (docs/install.md, Secrets).",
          "    ssh:",
          `      user: ${login.user}`,
          ...(login.port === undefined ? [] : [`      port: ${login.port}`]),
          `      key: credential:${name}`,
          ...(login.hostKey === undefined
            ? ["      # Replace this by the fingerprint that its own console shows."]
            : []),
          `      hostKey: "${login.hostKey ?? unconfirmedKey}"`,
        ];
  return [
    `  - name: ${name}`,
    `    driver: ${driver}`,
    ...(address === undefined ? [] : [`    address: ${JSON.stringify(address)}`]),
    ...ssh,
  ];
}

function groupLines({ group, expressRoutePort, links }: InitAnswers): readonly string[] {
  return [
    "# One ExpressRoute Direct resource: linkseal takes at most one of its links down.",
    "groups:",
    `  - name: ${group}`,
    `    expressRoutePort: ${expressRoutePort}`,
    "    # How traffic leaves a link before the link is changed.",
    "    drain: prepend",
    "    # hand: a rotation begins when an operator asks for it.",
    "    rotate: { on: hand, maxAge: 90d }",
    "    links:",
    ...links.flatMap((link, index) => linkLines(link, index + 1, group)),
  ];
}

function linkLines(link: InitLink, number: number, group: string): readonly string[] {
  const suite = link.gigabits >= xpnGigabits ? "gcm-aes-xpn-256" : "gcm-aes-256";
  return [
    `      - name: ${link.name}`,
    `        device: ${link.device}`,
    `        port: ${JSON.stringify(link.port)}`,
    `        azureLink: link${number}`,
    `        speed: ${link.gigabits}G`,
    `        macsec: { suite: ${suite} }`,
    "        # Names of secrets in the vault; linkseal keys generate makes a pair.",
    `        key: { cak: ${group}-${number}-cak, ckn: ${group}-${number}-ckn }`,
  ];
}
