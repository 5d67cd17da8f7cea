// docs/night.md: the night card for any site, with the commands of every platform.

import { commandBlocks, keyWords } from "#agent/explain/commands.ts";
import { nightChapters } from "#agent/explain/night.ts";
import type { LinkScene, Scene, TunnelScene } from "#agent/explain/scene.ts";
import { platforms } from "#drivers/index.ts";
import type { ByHand, HandLines } from "#hal/by-hand.ts";
import type { WantedSettings } from "#hal/model.ts";

const settings: WantedSettings = {
  suite: "gcm-aes-xpn-256",
  includeSci: true,
  confidentialityOffset: 0,
  keyServerPriority: 16,
  replayWindow: 0,
  sakRekeyMs: undefined,
};

const id = "GROUP/LINK";

/** A link whose names are words. */
const link: LinkScene = {
  kind: "link",
  id,
  group: "GROUP",
  sibling: "GROUP/SIBLING",
  device: {
    name: "ROUTER",
    platform: "",
    address: "",
    login: undefined,
    credential: undefined,
    charon: undefined,
  },
  port: "PORT",
  settings,
  drain: "prepend",
  azure: { cloud: "public", vault: "https://VAULT.vault.azure.net", farEnd: "manual" },
  resource:
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/RG" +
    "/providers/Microsoft.Network/expressRoutePorts/PORT",
  azureLink: "link1",
  secrets: { cak: "CAK-SECRET", ckn: "CKN-SECRET" },
  key: undefined,
};

const tunnel: TunnelScene = {
  ...{ kind: "tunnel", name: "TUNNEL", remote: "GATEWAY" },
  device: { ...link.device, platform: "linux" },
  connection:
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/RG" +
    "/providers/Microsoft.Network/connections/CONNECTION",
  azure: link.azure,
};

/** A port of each platform, as it spells them. */
const ports = {
  junos: "et-0/0/0",
  iosxr: "HundredGigE0/0/0/0",
  nxos: "Ethernet1/1",
  iosxe: "HundredGigE1/0/1",
  eos: "Ethernet1/1",
  linux: "eth1",
} as const;

type Shown = (hand: ByHand, port: string) => HandLines;

/** What a chapter asks of a router, by the name of the command. */
const routerParts: Readonly<Record<string, readonly [string, Shown]>> = {
  "router.showPort": ["Show port and light", (hand, port) => hand.showPort(port)],
  "router.showMacsec": ["Show MKA and counters", (hand, port) => hand.showMacsec(port)],
  "router.showBgp": ["Show BGP", (hand) => hand.showBgp()],
  "tunnel.show": ["Show a tunnel", (hand) => hand.showTunnel("TUNNEL", "GATEWAY")],
  "router.openPort": ["Open a port that is shut", (hand, port) => hand.openPort(port)],
  "router.putKey": ["Put a key on", (hand, port) => hand.putKey(port, keyWords(id), settings)],
  "router.macsecOff": ["Take MACsec off", (hand, port) => hand.macsecOff(port)],
  "router.undrain": ["Take a drain away (`prepend`)", (hand) => hand.undrain("prepend")],
  "router.save": ["Save it, once it is proven", (hand) => hand.save()],
};

const shutPeer: Shown = (hand) => hand.undrain("peeringShutdown");

/** Returns the text of docs/night.md. */
export function nightPage(): string {
  return [
    head,
    ...nightChapters.map(({ title, intro, about, steps }) => {
      const scene = about === "tunnels" ? tunnel : link;
      const lines = steps.flatMap((step, at) => stepLines(step, at, scene));
      return [`## ${title}`, "", intro, "", ...lines].join("\n");
    }),
    `## On the router\n\n${routerIntro}`,
    ...Object.entries(ports).map(([name, port]) => platformPart(name as keyof typeof ports, port)),
  ].join("\n\n");
}

const head = `# Night card

<!-- Generated from the program by \`npm run docs\`. -->

This page is for the engineer who is called at night. \`linkseal night\` prints it with the names,
ports and resource ids of the accepted config. It needs no agent: as root it reads the state folder,
and \`linkseal night --config FILE\` reads a file. Print it while all is well.

A word in \`<...>\` is replaced by its value; no device and no \`az\` accepts it as it is.
\`az\` uses the cloud that \`az cloud show\` names.`;

const routerIntro = `The lines are typed in this order. A port that linkseal did not set up may have
a policy, profile or association of another name: use that name.`;

function stepLines(
  step: (typeof nightChapters)[number]["steps"][number],
  at: number,
  scene: Scene,
): string[] {
  const { text, run = [], farEnd } = step;
  const when = farEnd === undefined ? "" : ` (\`farEnd: ${farEnd}\`)`;
  return [`${at + 1}. ${text}${when}`, ...run.flatMap((name) => partLines(name, scene))];
}

function partLines(
  name: NonNullable<(typeof nightChapters)[number]["steps"][number]["run"]>[number],
  scene: Scene,
) {
  const part = routerParts[name];
  if (part !== undefined) return [`   - on the router: [${part[0]}](#on-the-router)`];
  return commandBlocks([name], scene).flatMap(({ where, lines, note }) =>
    note === null ? lines.map((line) => `   - ${where}: \`${line}\``) : [`   - ${where}: ${note}`],
  );
}

function platformPart(name: keyof typeof ports, port: string): string {
  const hand = platforms[name].byHand;
  const parts = [
    ...Object.values(routerParts),
    ["Take a drain away (`peeringShutdown`)", shutPeer] as const,
  ];
  const lines = parts.flatMap(([title, shown]) => {
    const found = shown(hand, port);
    return [`# ${title}`, ...(found.kind === "none" ? [`# ${found.why}`] : found.lines)];
  });
  return [`### ${name}, port \`${port}\``, "", "```text", ...lines, "```"].join("\n");
}
