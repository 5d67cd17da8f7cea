// The night card: what a person does at both ends when linkseal cannot. Its commands are those of
// the steps of the codes.

import { type CommandBlock, type CommandName, commandBlocks } from "./commands.ts";
import type { LinkScene, Scene, TunnelScene } from "./scene.ts";

/** What a chapter or a step is about; its commands are those of these scenes. */
type About = "links" | "tunnels";

/** One step of a chapter. */
interface NightStep {
  readonly text: string;
  readonly run?: readonly CommandName[];
  /** absent = as its chapter. */
  readonly about?: About;
  /** For which party that changes the far end the step is; absent = for both. */
  readonly farEnd?: LinkScene["azure"]["farEnd"];
}

/** One emergency and its steps in order. */
interface Chapter {
  readonly title: string;
  /** absent = about the agent, whatever the config has. */
  readonly about?: About;
  /** What to know before the first step. */
  readonly intro: string;
  readonly steps: readonly NightStep[];
}

/** The step after each change of a router by hand. */
const save: NightStep = {
  text:
    "If you changed a router by hand, and only once that is proven: save its config, or a reload " +
    "takes the change back. All else in it that is not saved is saved too.",
  run: ["router.save"],
};

/** A chapter about one link repeats its commands for each link of the card. */
const oneLink = "`linkseal night GROUP/LINK` prints the commands of one link, and of no other.";

const oneTunnel = "`linkseal night TUNNEL` prints the commands of one tunnel, and of no other.";

/** The chapters of the card; docs/night.md is made from them. */
export const nightChapters: readonly Chapter[] = [
  {
    title: "Both links are down",
    about: "links",
    intro:
      "linkseal takes one link at a time, beside a carrying sibling. If both are down, the " +
      "sibling failed by itself, a person works on the other end, or the reading is wrong: " +
      "`unknown` is not `down`. Do not spend time on restarting the agent.",
    steps: [
      { text: "See which link is nearer to working; begin with it.", run: ["linkseal.links"] },
      {
        text: "On the routers: check light and state of each port, then the MKA session.",
        run: ["router.showPort", "router.showMacsec"],
      },
      {
        text: "At the far end: check that each link is Enabled and has its two secrets.",
        run: ["farEnd.show"],
      },
      { text: "Find out who changed the port in Azure.", run: ["farEnd.history"] },
      { text: "If a port is shut and no team works on it: open it.", run: ["router.openPort"] },
      {
        text:
          "If a campaign runs, let it run: for a link that waits for its far end it prints the " +
          "command, and to go on needs no sibling.",
        run: ["linkseal.rotation"],
      },
      {
        text:
          "If a dark link's ends hold different keys: run the first command, which reads both. " +
          "Without an agent: find the versions of the key that the router shows by its CKN, and " +
          "point the far end at them, with both ends read as above. No person handles a key.",
        run: ["linkseal.ends", "vault.versions", "farEnd.setWords"],
      },
      {
        text: "If no light arrives at open ports, call the provider of the cross-connect.",
      },
      save,
    ],
  },
  {
    title: "A key is compromised",
    about: "links",
    intro:
      "The links go on meanwhile. Traffic that was recorded under the old key can be read by the " +
      "person who has it: a rotation protects only what comes after it. Maintenance windows do " +
      "not apply.",
    steps: [
      {
        text: "Put a fresh pair for each link into the vault. The old versions stay enabled.",
        run: ["linkseal.generate"],
      },
      { text: "Check that the agent can read the new pairs.", run: ["linkseal.checkKeys"] },
      {
        text:
          "Begin. If it names a risk, repeat it with that risk accepted. If a campaign runs " +
          "already with the compromised pair: `linkseal rotation revert` first, when it is " +
          "parked. One that waits for a hub's permit is ended by this command itself.",
        run: ["linkseal.emergency"],
      },
      {
        text:
          "Once for each link: when it waits for an operator (see the next step), let it go on. " +
          "The link is drained.",
        run: ["linkseal.proceed"],
        farEnd: "manual",
      },
      {
        text:
          "Once for each link: look until it prints `far end: give ... now`, and run the command " +
          "that is below that. Then go back one step for the next link, until both are `rotated`.",
        run: ["linkseal.rotation"],
        farEnd: "manual",
      },
      {
        text: "Follow it: the agent changes the far ends, until both links are `rotated`.",
        run: ["linkseal.rotation"],
        farEnd: "agent",
      },
      { text: "Check that each link uses its new key.", run: ["linkseal.links"] },
      {
        text: "Only then disable the old versions.",
        run: ["vault.versions", "vault.disable"],
      },
    ],
  },
  {
    title: "The agent is dead",
    intro:
      "Its death changes nothing on any device: links and tunnels keep their state and their " +
      "keys. Only what it had begun stays as it is until it comes back.",
    steps: [
      { text: "See why it ended.", run: ["host.agent"] },
      { text: "See whether there is room for its journal.", run: ["host.space"] },
      {
        text:
          "Start it: it observes both ends and goes on after a minute and a half. A start alone " +
          "changes nothing on any device.",
        run: ["host.restart"],
      },
      {
        text:
          "If it cannot come back for hours, and a link works and is drained: take the drain " +
          "away at its router.",
        run: ["router.showBgp", "router.undrain"],
        about: "links",
      },
      { ...save, about: "links" },
      {
        text:
          "Once the agent is back, for each link that `linkseal drain` had drained and that you " +
          "gave back on its router: take the drain from the record, too.",
        run: ["linkseal.undrain"],
        about: "links",
      },
      {
        text:
          "If a link is down because its far end has a key that the router lacks: put that key " +
          "on by hand, as in the chapter about that.",
        about: "links",
      },
      {
        text:
          "Tunnels renew their SAs without it. Do not restart the charon of a Linux host before " +
          "the agent is back: only the agent gives it its tunnels again.",
        about: "tunnels",
      },
    ],
  },
  {
    title: "A tunnel is down",
    about: "tunnels",
    intro:
      "On a Linux host what it protects stays blocked meanwhile: nothing leaves in the clear. " +
      "The agent tries again by itself. " +
      oneTunnel,
    steps: [
      {
        text: "See the reason. If it names a link or a device (`because of`), repair that first.",
        run: ["linkseal.tunnels"],
      },
      {
        text: "Without an agent: see the SAs and the newest try on its router.",
        run: ["tunnel.show"],
      },
      {
        text:
          "If the gateway does not answer: see whether packets of IKE (UDP 500 and 4500) and ESP " +
          "leave, and whether any come back.",
        run: ["tunnel.path"],
      },
      {
        text: "In Azure: see the state of the connection and its policy, and who changed it.",
        run: ["tunnel.connection", "tunnel.history"],
      },
      {
        text:
          "If the ends have different pre-shared keys: give the gateway the version that the " +
          "router has, as the first command prints it; if it knows none, that is the newest one " +
          "of the vault. Only if the gateway must keep its own: put that one into the vault, and " +
          "run the second.",
        run: ["linkseal.psk"],
      },
      {
        text:
          "If the ends differ in algorithms, prefixes or identities: correct the end that was " +
          "changed. With an older config at hand: `linkseal config rollback`.",
      },
      {
        text:
          "If charon does not run: start it. The agent gives it its tunnels again within a poll, " +
          "also while a campaign is held.",
        run: ["tunnel.daemon"],
      },
      {
        text:
          "Only if what it protects may travel IN THE CLEAR until it is repaired: apply a config " +
          "without the tunnel, then release each prefix that `linkseal apply` names " +
          "(`linkseal guard --release PREFIX` on its router, as root).",
      },
    ],
  },
  {
    title: "A tunnel is up and carries nothing",
    about: "tunnels",
    intro:
      "Both ends have SAs and packets are lost: a firewall drops ESP, a route leads past the " +
      "tunnel, or the gateway lost its policy, as some do after both ends renewed an SA at once. " +
      oneTunnel,
    steps: [
      {
        text: "See which direction is missing, and whether a route or an interface is named.",
        run: ["linkseal.tunnels"],
      },
      {
        text: "If another tunnel to the same prefixes carries: drain this one.",
        run: ["linkseal.drainTunnel"],
      },
      {
        text: "See on its router whether ESP leaves and comes back, and which counters rise.",
        run: ["tunnel.path", "tunnel.show"],
      },
      {
        text: "If ESP leaves and none comes back: make new SAs. The tunnel is down for a moment.",
        run: ["tunnel.renew"],
      },
      {
        text:
          "If that changes nothing, the path drops ESP, or the gateway has no route back: call " +
          "the provider, or the owner of the gateway.",
      },
      { text: "Once it carries, take the drain away.", run: ["linkseal.undrainTunnel"] },
    ],
  },
  {
    title: "MACsec off by hand",
    about: "links",
    intro:
      "Whatever the link carries then travels IN THE CLEAR: everyone with access to the fibre " +
      "can read and change it. " +
      "Only on a link that is dark, or drained beside a carrying sibling. " +
      "The far end comes first: until the router follows, nothing leaves it in the clear. " +
      oneLink,
    steps: [
      {
        text:
          "Unless the link is dark: drain it, and go on only once that has succeeded. It is " +
          "refused while the sibling does not carry.",
        run: ["linkseal.drain"],
      },
      { text: "Stop the agent, so that it puts nothing back.", run: ["host.stop"] },
      {
        text: "At the far end: take MACsec off that one link, and no other.",
        run: ["farEnd.macsecOff"],
      },
      { text: "See that it is off there before you go on.", run: ["farEnd.show"] },
      { text: "On its router: take MACsec off the port.", run: ["router.macsecOff"] },
      {
        text: "Wait for BGP. If the link was drained, take the drain away.",
        run: ["router.showBgp", "router.undrain"],
      },
      save,
      {
        text:
          "When it may be protected again: start the agent. If the link was drained, take the " +
          "drain from the record, too: else `status` says `drain-not-in-force`. If the agent " +
          "knew a key of the link, let it forget that (`linkseal retire link GROUP/LINK`). Then " +
          "enrol the group: `status` says `unprotected` until then.",
        run: ["host.restart", "linkseal.undrain", "linkseal.enrol"],
      },
    ],
  },
  {
    title: "A key put on by hand",
    about: "links",
    intro:
      "For a link that is dark, or drained beside a carrying sibling, when no agent can tell the " +
      "step (`linkseal ends GROUP/LINK`). A person sees this key, so " +
      "rotate it as soon as the agent is back. Type it at the router's own prompt: put it into " +
      "no file, chat or ticket. " +
      oneLink,
    steps: [
      { text: "See which versions the far end points at.", run: ["farEnd.show"] },
      {
        text: "See which keys the router holds. If one end cannot be read, write to neither.",
        run: ["router.showMacsec"],
      },
      {
        text:
          "See which CKN belongs to which CAK. If the router holds the key of the far end, " +
          "write to neither: the cause is another one.",
        run: ["vault.versions"],
      },
      {
        text: "Read CKN and CAK of the version that the far end points at.",
        run: ["vault.read"],
      },
      {
        text:
          "On the router: put the pair on in place of the words. If the port has a policy or " +
          "profile of another name already, use that name.",
        run: ["router.putKey"],
      },
      { text: "See that the session is secured.", run: ["router.showMacsec"] },
      save,
      {
        text:
          "Start the agent. A campaign goes on from what it observes; a link that the agent does " +
          "not know is adopted. Then rotate: the key is compromised.",
        run: ["host.restart", "linkseal.adopt"],
      },
    ],
  },
];

/** The night card as scripts read it (linkseal.night/1). */
export interface NightCard {
  /** Name and version of the schema. */
  readonly schema: "linkseal.night/1";
  /** Name of the site. */
  readonly site: string;
  /** The emergencies, each with its steps in order. */
  readonly chapters: readonly {
    readonly title: string;
    readonly intro: string;
    readonly steps: readonly {
      readonly text: string;
      readonly commands: readonly CommandBlock[];
    }[];
  }[];
}

/** What the card has commands for. */
export interface NightScenes {
  readonly links: readonly LinkScene[];
  readonly tunnels: readonly TunnelScene[];
}

/** Returns the night card of a site for these links and tunnels. */
export function nightCard(site: string, scenes: NightScenes): NightCard {
  const { links } = scenes;
  const parties = new Set(links.map(({ azure }) => azure.farEnd));
  return {
    schema: "linkseal.night/1",
    site,
    chapters: nightChapters
      .filter(({ about }) => scenesOf(scenes, about).length > 0)
      .map(({ title, intro, about: usual, steps }) => ({
        title,
        intro,
        steps: steps
          .filter(({ farEnd }) => farEnd === undefined || parties.has(farEnd))
          .filter(({ about = usual }) => scenesOf(scenes, about).length > 0)
          .map(({ text, run = [], about = usual }) => ({
            text,
            commands: blocksOf(run, scenesOf(scenes, about)),
          })),
      })),
  };
}

function scenesOf({ links, tunnels }: NightScenes, about: About | undefined): readonly Scene[] {
  switch (about) {
    case "links":
      // Blocks that are equal for several links appear once.
      return links.length === 0 ? [] : [{ kind: "group", group: "", links }];
    case "tunnels":
      return tunnels;
    case undefined:
      return [{ kind: "none" }];
  }
}

/** A block that is the same for several tunnels appears once. */
function blocksOf(run: readonly CommandName[], scenes: readonly Scene[]): readonly CommandBlock[] {
  const blocks = scenes.flatMap((scene) => commandBlocks(run, scene));
  return [...new Map(blocks.map((one) => [JSON.stringify(one), one])).values()];
}
