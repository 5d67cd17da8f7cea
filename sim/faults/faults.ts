// The faults of a simulated site by name: those of the demo, and the kinds that a storm draws from.

import type { Site, SiteLink } from "../site/site.ts";
import {
  addForeignKey,
  addNewestPair,
  type Heal,
  pointAtForeignPair,
  pointAtNewestPair,
  pointAtPreviousPair,
  removeNewestKey,
  removeOldestKey,
  setUpFarEnd,
  shutPort,
  swapNewestKey,
  turnOffFarEnd,
  undrain,
  undrainBriefly,
} from "./manual-operators.ts";
import {
  bfdOff,
  clearPath,
  clearPathBack,
  farPort,
  farStrays,
  msee,
  router,
  sentLost,
  shouldSecure,
  smallMtu,
  staleSak,
  twist,
  vault,
} from "./strikes.ts";

export interface FaultKind {
  readonly name: string;
  /** One line for `--list-faults`. */
  readonly title: string;
  /**
   * The extent of its effects: `link` means that the state of the link itself may change without
   * any client's action; `router`, that of every link of its router.
   */
  readonly scope: "link" | "router" | "management";
  /** `cak`: the version of the CAK that the far end gets, where an operator gives it a pair. */
  strike(site: Site, link: SiteLink, cak?: string): Heal;
}

/** The default moment at which a demo strikes a fault. */
type FaultMoment = "beforeFirstEffect" | "afterProtected";

export interface DemoFault extends FaultKind {
  /** The moment at which the demo strikes it. */
  readonly when: FaultMoment;
}

export interface StormFault extends FaultKind {
  /** How long the fault lasts, in milliseconds; long enough to matter. */
  readonly lastsMs: { readonly low: number; readonly high: number };
}

/** Strikes a fault and notifies the observers; the returned heal does the same. */
export function strikeFault(site: Site, fault: FaultKind, link: SiteLink, cak?: string): Heal {
  const report = (what: "strikes" | "ends"): void => {
    for (const { id } of disturbedBy(fault.scope, site, link)) site.disturb(id);
    site.reportFault(`${fault.name} ${what}`, link.id);
  };
  report("strikes");
  const heal = fault.strike(site, link, cak);
  let healed = false;
  return () => {
    if (healed) return;
    healed = true;
    report("ends");
    heal();
  };
}

function disturbedBy(scope: FaultKind["scope"], site: Site, link: SiteLink): readonly SiteLink[] {
  switch (scope) {
    case "link":
      return [link];
    case "router":
      return site.links.filter(({ router }) => router === link.router);
    case "management":
      return [];
  }
}

const demo = (
  name: string,
  title: string,
  when: FaultMoment,
  scope: FaultKind["scope"],
  strike: FaultKind["strike"],
): DemoFault => ({ name, title, when, scope, strike });

const before = "beforeFirstEffect";
const after = "afterProtected";

/** The faults of `npm start`; each strikes the first link unless another one is named. */
export const demoFaults: readonly DemoFault[] = [
  demo("cak-mismatch", "the far end has another CAK under the CKN", before, "link", twist("cak")),
  demo("ckn-mismatch", "the far end uses another CKN", before, "link", twist("ckn")),
  demo("cipher-mismatch", "the far end uses another cipher suite", before, "link", twist("suite")),
  demo("sci-mismatch", "the far end sends no SCI", before, "link", twist("sci")),
  demo("peer-silent", "the far end stops MKA", after, "link", farPort("silent")),
  demo("should-secure", "an operator relaxes must-secure manually", after, "link", shouldSecure),
  demo("stale-sak", "the data plane keeps its SAK across a rekey", after, "link", staleSak),
  demo(
    "integrity-only",
    "the far end authenticates its frames and does not encrypt them",
    after,
    "link",
    farPort("integrityOnly"),
  ),
  demo("vault-denied", "the vault refuses the agent", before, "management", vault("denied")),
  demo("commit-lost", "a commit is lost soon after", before, "management", router("silentRevert")),
  demo("clear-path", "the prefix is reachable outside the tunnel", after, "link", clearPath),
  demo(
    "clear-path-back",
    "the far end may answer outside the tunnel",
    after,
    "link",
    clearPathBack,
  ),
  demo("sent-lost", "what the router sends over the link is lost", after, "link", sentLost),
  demo("mtu", "no room for the SecTAG in the layer 2 MTU", after, "link", smallMtu),
  demo(
    "far-end-changed",
    "an operator changes the key in Azure",
    after,
    "link",
    pointAtForeignPair,
  ),
];

/** Settings beside the keys that `doctor` reports and that change nothing by themselves. */
export const settingFaults: readonly FaultKind[] = [
  {
    name: "bfd-off",
    title: "the peering over the link has no BFD",
    scope: "management",
    strike: bfdOff,
  },
];

/**
 * The faults of the management API that `sim azure` serves; without it, no client asks for
 * operations.
 */
export const cloudFaults: readonly FaultKind[] = [
  {
    name: "operation-refused",
    title: "the agent's identity may not read operations of Azure (403)",
    scope: "management",
    strike: msee("operationRefused"),
  },
  {
    name: "operation-lost",
    title: "Azure does not know the operations that it accepted (404)",
    scope: "management",
    strike: msee("operationLost"),
  },
  {
    name: "right-missing",
    title: "the agent's identity may not write the port in Azure (403)",
    scope: "management",
    strike: msee("rightWithheld"),
  },
];

const minutes = (low: number, high: number): StormFault["lastsMs"] => ({
  low: low * 60_000,
  high: high * 60_000,
});

const stormFault = (
  name: string,
  title: string,
  scope: FaultKind["scope"],
  lastsMs: StormFault["lastsMs"],
  strike: FaultKind["strike"],
): StormFault => ({ name, title, scope, lastsMs, strike });

const nothingToHeal: Heal = () => {};

/** The faults of a site in a storm; the host of the agent has faults of its own. */
export const stormFaults: readonly StormFault[] = [
  stormFault("reply-lost", "replies get lost", "management", minutes(1, 5), router("replyLost")),
  stormFault("reply-late", "replies take long", "management", minutes(1, 10), router("replyLate")),
  stormFault(
    "request-twice",
    "requests arrive again later",
    "management",
    minutes(2, 20),
    router("requestTwice"),
  ),
  stormFault("locked", "the candidate is locked", "management", minutes(1, 20), router("locked")),
  stormFault("commit-lost", "commits vanish", "management", minutes(1, 10), router("silentRevert")),
  stormFault(
    "false-success",
    "errors with a success code",
    "management",
    minutes(1, 10),
    router("errorWithSuccess"),
  ),
  stormFault(
    "key-refused",
    "a router refuses new keys",
    "management",
    minutes(2, 30),
    router("refusesKeys"),
  ),
  stormFault(
    "key-kept",
    "a router refuses to remove keys",
    "management",
    minutes(2, 30),
    router("keepsKeys"),
  ),
  stormFault(
    "commit-late",
    "confirmed commits come late",
    "management",
    minutes(1, 10),
    router("commitsLate"),
  ),
  stormFault(
    "final-late",
    "final changes come late",
    "management",
    minutes(1, 10),
    router("finalsLate"),
  ),
  stormFault("slow", "a slow command line", "management", minutes(2, 20), router("slow")),
  stormFault(
    "unreachable",
    "a device does not answer",
    "management",
    minutes(1, 20),
    router("unreachable"),
  ),
  stormFault(
    "unparsed",
    "output that cannot be parsed",
    "management",
    minutes(1, 10),
    router("unparsed"),
  ),
  stormFault(
    "frozen-counters",
    "counters do not change",
    "management",
    minutes(2, 10),
    router("frozenCounters"),
  ),
  stormFault(
    "session-cut",
    "management sessions are cut",
    "management",
    minutes(1, 1),
    (_site, link) => {
      link.router.disconnectSessions();
      return nothingToHeal;
    },
  ),
  stormFault("reboot", "a router boots", "router", minutes(2, 3), (_site, link) => {
    link.router.reboot();
    return nothingToHeal;
  }),
  stormFault(
    "boot-forgets",
    "a boot keeps an unconfirmed commit",
    "router",
    minutes(2, 3),
    (_, link) => {
      link.router.commits.forgetTimer();
      link.router.reboot();
      return nothingToHeal;
    },
  ),
  stormFault(
    "standby-behind",
    "a standby lacks the newest commits",
    "router",
    minutes(1, 2),
    (site, link) => {
      const behind = site.prng.fork(`standby ${site.clock.now()}`).between(1, 3);
      link.router.takeOver(behind);
      return nothingToHeal;
    },
  ),
  stormFault("fibre-cut", "a fibre is cut", "link", minutes(1, 30), (_site, link) => {
    link.fibre.setUp(false);
    return () => link.fibre.setUp(true);
  }),
  stormFault("mka-flap", "the KaY of a router restarts", "link", minutes(1, 1), (_site, link) => {
    link.edge.restartKay();
    return nothingToHeal;
  }),
  stormFault("stale-sak", "the data plane keeps an old SAK", "link", minutes(2, 10), staleSak),
  stormFault(
    "counter-reset",
    "counters start at zero",
    "management",
    minutes(1, 1),
    (_site, link) => {
      link.edge.resetCounters();
      return nothingToHeal;
    },
  ),
  stormFault("peer-silent", "the far end stops MKA", "link", minutes(1, 10), farPort("silent")),
  stormFault(
    "far-fails",
    "operations of the far end fail",
    "management",
    minutes(5, 30),
    msee("fails"),
  ),
  stormFault(
    "far-half",
    "the far end carries out half of a change",
    "management",
    minutes(5, 30),
    msee("half"),
  ),
  stormFault("far-lies", "the far end follows late", "management", minutes(5, 30), msee("lies")),
  stormFault("far-never", "the far end never follows", "management", minutes(5, 30), msee("never")),
  stormFault("far-slow", "the far end is slow", "management", minutes(5, 60), msee("slow")),
  stormFault(
    "far-refuses",
    "the far end refuses writes",
    "management",
    minutes(5, 30),
    msee("refuses"),
  ),
  stormFault(
    "far-busy",
    "other clients' operations run on the port",
    "management",
    minutes(2, 20),
    msee("busy"),
  ),
  stormFault(
    "far-throttled",
    "the far end throttles",
    "management",
    minutes(1, 10),
    msee("throttled"),
  ),
  stormFault(
    "far-person",
    "an operator changes the far end",
    "link",
    minutes(5, 60),
    pointAtForeignPair,
  ),
  stormFault(
    "far-ahead",
    "an operator anticipates a rotation at the far end",
    "link",
    minutes(5, 60),
    pointAtNewestPair,
  ),
  stormFault(
    "far-back",
    "an operator reverts the far end",
    "link",
    minutes(5, 60),
    pointAtPreviousPair,
  ),
  stormFault("key-by-hand", "an operator adds a key", "link", minutes(5, 60), addForeignKey),
  stormFault("key-ahead", "an operator enters the next key", "link", minutes(2, 30), addNewestPair),
  stormFault("key-gone", "an operator removes a key", "link", minutes(2, 30), removeNewestKey),
  stormFault(
    "key-tidied",
    "an operator removes an old key",
    "link",
    minutes(2, 30),
    removeOldestKey,
  ),
  stormFault("key-swapped", "a key is gone for a moment", "link", minutes(0.2, 4), swapNewestKey),
  stormFault("far-off", "an operator turns MACsec off", "link", minutes(5, 60), turnOffFarEnd),
  stormFault("far-set", "an operator sets up the far end", "link", minutes(5, 60), setUpFarEnd),
  stormFault(
    "far-strays",
    "the far end sends over a drained link",
    "link",
    minutes(1, 10),
    farStrays,
  ),
  stormFault("port-shut", "an operator shuts the port", "link", minutes(2, 30), shutPort),
  stormFault("undrained", "an operator restores the traffic", "link", minutes(1, 1), undrain),
  stormFault(
    "undrained-briefly",
    "an operator restores the traffic by mistake",
    "link",
    minutes(0.5, 2),
    undrainBriefly,
  ),
  stormFault(
    "commit-left",
    "an operator leaves a commit unconfirmed",
    "management",
    minutes(2, 20),
    router("foreignCommit"),
  ),
  stormFault(
    "far-unreadable",
    "the far end cannot be read",
    "management",
    minutes(1, 20),
    msee("unreadable"),
  ),
  stormFault(
    "identity-gone",
    "the port loses its identity",
    "management",
    minutes(2, 20),
    (_, link) => {
      link.msee.setPort({ identity: "missing" });
      return () => link.msee.setPort({ identity: "present" });
    },
  ),
  stormFault("vault-down", "the vault is down", "management", minutes(1, 20), vault("down")),
  stormFault(
    "vault-denied",
    "the vault refuses the agent",
    "management",
    minutes(1, 20),
    vault("denied"),
  ),
  stormFault(
    "vault-throttled",
    "the vault throttles",
    "management",
    minutes(1, 5),
    vault("throttled"),
  ),
  stormFault(
    "vault-previous",
    "the vault serves old values",
    "management",
    minutes(1, 10),
    vault("servePrevious"),
  ),
  stormFault(
    "vault-disabled",
    "an operator disables the newest key",
    "management",
    minutes(2, 20),
    (site, link) => {
      const newest = site.vault.pairs(link.key).at(-1);
      if (newest === undefined) return nothingToHeal;
      site.vault.setEnabled(newest.cakSecretId, false);
      return () => site.vault.setEnabled(newest.cakSecretId, true);
    },
  ),
  stormFault(
    "vault-unpaired",
    "a CAK without proof of its CKN",
    "management",
    minutes(5, 60),
    (site, link) => {
      const id = site.vault.put(
        link.key.cak,
        site.prng.fork(`unpaired ${site.clock.now()}`).hex(32),
      );
      return () => site.vault.setEnabled(id, false);
    },
  ),
  stormFault("clock-jump", "the host's clock jumps", "management", minutes(1, 60), (site) => {
    const ms = site.prng.fork(`jump ${site.clock.now()}`).between(-600_000, 600_000);
    site.clock.jumpWall(ms);
    return () => site.clock.jumpWall(-ms);
  }),
];
