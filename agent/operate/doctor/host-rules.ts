// Rules for a host with the package: units, users, folders, kernel, free space. Pure.

import type { Finding, FindingCode } from "../../model/finding.ts";
import { severityOf } from "../../model/severity.ts";
import { type CharonSettings, charonFindings } from "./charon-rules.ts";

/** A systemd unit of linkseal, as `systemctl show` reports it. */
export interface UnitFacts {
  readonly name: string;
  /** `active`, `inactive`, `failed`, `activating`, ... */
  readonly active: string;
  /** `enabled`, `disabled`, ...; empty = the unit has no file of its own. */
  readonly enabled: string;
  /** How often systemd restarted it. */
  readonly restarts: number;
  /** The build that the process reported; undefined = it reported none. */
  readonly build: string | undefined;
}

/** A folder of linkseal. */
export interface FolderFacts {
  readonly path: string;
  /** Name of its owner, or `uid NUMBER`. */
  readonly owner: string;
  /** Its permission bits. */
  readonly mode: number;
}

/** The facts that `doctor` checks on this host. */
export interface HostFacts {
  /** The build of this command, which is the installed one. */
  readonly build: string;
  /** undefined = the package is not on this host, or systemd does not answer. */
  readonly units: readonly UnitFacts[] | undefined;
  /** Members of each group by its name; absent = there is no such group. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
  /** The folders of linkseal that exist. */
  readonly folders: readonly FolderFacts[];
  /** True if the native addon can be loaded. */
  readonly hasAddon: boolean;
  /** Kernel modules that a Linux router needs, but which are neither loaded nor on the disk. */
  readonly missingModules: readonly string[];
  /** Whether the host's clock is synchronised by NTP. */
  readonly clock: "synchronised" | "drifting" | "unknown";
  /** Free space in the file system of the state folder, in MB; undefined = not known. */
  readonly freeMegabytes: number | undefined;
  /** Settings of this host's strongswan.conf; undefined = there is none, or it is not readable. */
  readonly charon: CharonSettings | undefined;
  /** True if swap is on, so that a memory page of any process may reach a disk. */
  readonly hasSwap: boolean;
}

const agentUnit = "linkseal.service";
const netUnit = "linkseal-net.service";
const peerUnit = "linkseal-peer.service";
const docs = "docs/install.md";

function finding(
  code: FindingCode | "clock-skew",
  details: Pick<Finding, "about" | "here" | "rule" | "next"> & { readonly there?: string },
): Finding {
  const { there, ...rest } = details;
  return { code, severity: severityOf(code), there: there ?? null, source: docs, ...rest };
}

export function hostFindings(facts: HostFacts): readonly Finding[] {
  return [
    ...clockFindings(facts),
    ...roomFindings(facts),
    ...(facts.units === undefined ? [] : packageFindings(facts, facts.units)),
  ];
}

function packageFindings(facts: HostFacts, units: readonly UnitFacts[]): readonly Finding[] {
  return [
    ...units
      .filter((unit) => !(unit.name === agentUnit && servesAnother(units)))
      .flatMap((unit) => unitFindings(unit, facts.build)),
    ...userFindings(facts),
    ...facts.folders.flatMap(folderFindings),
    ...routerFindings(facts, units),
    ...swapFindings(facts),
  ];
}

/**
 * Returns true if the host serves an agent on another one, and has none of its own: that is
 * neither enabled nor does it run.
 */
export function servesAnother(units: readonly UnitFacts[]): boolean {
  const unitOf = (wanted: string) => units.find(({ name }) => name === wanted);
  const agent = unitOf(agentUnit);
  const isOff = agent?.active === "inactive" && agent.enabled !== "enabled";
  return unitOf(peerUnit)?.active === "active" && isOff;
}

/** A service that crashes every now and then shows in no verdict. */
const restartsMax = 3;

function unitFindings(unit: UnitFacts, installed: string): readonly Finding[] {
  const { name: about, active, enabled, restarts, build } = unit;
  const next = `journalctl -u ${about} -n 50`;
  const found: Finding[] = [];
  if (active === "failed" || (active !== "active" && about === agentUnit)) {
    const rule = "Every service of linkseal that was started runs";
    const here = `${about} is ${active}`;
    found.push(finding("host-unit", { about, here, rule, next }));
  } else if (active === "inactive" && enabled === "enabled") {
    const rule = "What is enabled runs";
    const here = `${about} was stopped`;
    const start = `systemctl start ${about}`;
    found.push(finding("host-unit", { about, here, rule, next: start }));
  } else if (active === "activating" || restarts > restartsMax) {
    const rule = "No service of linkseal starts again and again";
    const here = `${about} was started again ${restarts} times`;
    found.push(finding("host-unit", { about, here, rule, next }));
  } else if (active === "active" && enabled === "disabled") {
    const rule = "What runs now runs after a boot too";
    const here = `${about} runs and is not enabled`;
    const enable = `systemctl enable ${about}`;
    found.push(finding("host-unit", { about, here, rule, next: enable }));
  }
  if (active === "active" && build !== undefined && build !== installed) {
    found.push(oldBuild(about, build, installed));
  }
  return found;
}

function oldBuild(about: string, build: string, installed: string): Finding {
  const rule = "Every process is of the build that is installed";
  const here = `it runs as ${build}`;
  const there = `installed is ${installed}`;
  const restart = `systemctl restart ${about}`;
  // The service manager keeps its memory, so the link goes on; the other link has to carry traffic
  // meanwhile.
  const next = about.startsWith("linkseal-mka@")
    ? `${restart}, one port at a time and only while its sibling is protected`
    : restart;
  return finding("host-old-build", { about, here, there, rule, next });
}

/** The socket behind each group that the agent has to be in. */
const agentGroups = [
  ["linkseal-admin", "the admin socket"],
  ["linkseal-net", "the socket of linkseal-net"],
  ["linkseal-mka", "the sockets of linkseal-mka"],
] as const;
/** Groups of other packages, if those are installed. */
const foreignGroups = [
  ["frrvty", "vtysh of FRR"],
  ["himds", "the keys of Azure Arc"],
] as const;

function userFindings({ groups }: HostFacts): readonly Finding[] {
  const wanted = [
    ...agentGroups.map(([group, why]) => ({ group, why })),
    ...foreignGroups
      .filter(([group]) => Object.hasOwn(groups, group))
      .map(([group, why]) => ({ group, why })),
  ];
  return wanted
    .filter(({ group }) => groups[group]?.includes("linkseal") !== true)
    .map(({ group, why }) => {
      const isThere = Object.hasOwn(groups, group);
      const here = isThere ? `linkseal is not in group ${group}` : `there is no group ${group}`;
      const rule = `The agent reaches ${why}`;
      const next = isThere
        ? `usermod -aG ${group} linkseal && systemctl restart ${agentUnit}`
        : "systemd-sysusers linkseal.conf";
      return finding("host-user", { about: "linkseal", here, rule, next });
    });
}

/**
 * Checks owner and mode: state is open to its owner only, and a socket's folder lets others pass at
 * most.
 */
function folderFindings({ path, owner, mode }: FolderFacts): readonly Finding[] {
  const wanted = path.slice(path.lastIndexOf("/") + 1);
  const isState = path.startsWith("/var/lib/");
  const forbidden = isState ? 0o077 : 0o022;
  const rule = isState ? "Only its owner reads state" : "No other user writes where sockets are";
  if (owner !== wanted) {
    const here = `${path} belongs to ${owner}`;
    const next = `chown -R ${wanted}:${wanted} ${path}`;
    return [finding("host-folder", { about: path, here, rule, next })];
  }
  if ((mode & forbidden) === 0) return [];
  const here = `${path} has mode ${mode.toString(8)}`;
  const next = `chmod ${isState ? "700" : "go-w"} ${path}`;
  return [finding("host-folder", { about: path, here, rule, next })];
}

function routerFindings(facts: HostFacts, units: readonly UnitFacts[]): readonly Finding[] {
  const found: Finding[] = [];
  if (!facts.hasAddon) {
    const rule = "The native addon of the package loads on this host";
    const here = "it is missing, or not for this machine";
    const next = "dpkg --verify linkseal, then install the package anew";
    found.push(finding("host-addon", { about: "host", here, rule, next }));
  }
  const isRouter = units.some(({ name, active }) => name === netUnit && active === "active");
  if (!isRouter) return found;
  if (facts.charon !== undefined) found.push(...charonFindings(facts.charon));
  for (const module of facts.missingModules) {
    const rule = "The kernel of a Linux router knows MACsec and XFRM";
    const here = `this kernel has no module ${module}`;
    const next = `modprobe ${module}; a kernel made for the cloud may lack it`;
    found.push(finding("host-module", { about: "host", here, rule, next }));
  }
  return found;
}

function swapFindings({ hasSwap }: HostFacts): readonly Finding[] {
  if (!hasSwap) return [];
  const rule = "No memory of a service that has held a key reaches a disk";
  const here = "swap is on; the units keep theirs out of it where the kernel counts memory";
  const next = "swapoff -a, or encrypt the swap with a key of each boot";
  return [finding("host-swap", { about: "host", here, rule, next })];
}

function clockFindings({ clock }: HostFacts): readonly Finding[] {
  if (clock !== "drifting") return [];
  const rule = "The clock of the host is synchronised: windows and validity of keys go by it";
  const here = "the clock of this host is not synchronised";
  const next = "timedatectl timesync-status, or chronyc tracking";
  return [finding("clock-skew", { about: "host", here, rule, next })];
}

/** A journal stays far smaller. */
const leastMegabytes = 500;

function roomFindings({ freeMegabytes: free }: HostFacts): readonly Finding[] {
  if (free === undefined || free >= leastMegabytes) return [];
  const rule = "Nothing is changed on a device that was not written down first";
  const here = `${free} MB are free where the journal is`;
  const next = "df -h /var/lib/linkseal";
  return [finding("host-disk", { about: "host", here, rule, next })];
}
