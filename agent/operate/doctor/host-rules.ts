// What can be wrong on a host that has the package: units, users, folders, kernel, room. Pure.

import type { Finding, FindingCode } from "../../model/finding.ts";

/** A unit of ours, as `systemctl show` tells it. */
export interface UnitFacts {
  readonly name: string;
  /** `active`, `inactive`, `failed`, `activating`, ... */
  readonly active: string;
  /** `enabled`, `disabled`, ...; empty for what has no file of its own. */
  readonly enabled: string;
  readonly restarts: number;
  /** The build that the process said it is; undefined = it said nothing. */
  readonly build: string | undefined;
}

export interface FolderFacts {
  readonly path: string;
  readonly owner: string;
  readonly mode: number;
}

export interface HostFacts {
  /** The build of this command, which is the one that is installed. */
  readonly build: string;
  /** undefined = the package is not on this host, or its service manager does not answer. */
  readonly units: readonly UnitFacts[] | undefined;
  /** Members of each group by its name; absent = there is no such group. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly folders: readonly FolderFacts[];
  readonly hasAddon: boolean;
  /** Of those that a Linux router needs: which this kernel has neither loaded nor on its disk. */
  readonly missingModules: readonly string[];
  readonly clock: "synchronised" | "drifting" | "unknown";
  /** Room below the state folder; undefined = not known. */
  readonly freeMegabytes: number | undefined;
  /** A memory page of any process may reach a disk. */
  readonly hasSwap: boolean;
}

const agentUnit = "linkseal.service";
const netUnit = "linkseal-net.service";
const docs = "docs/install.md";

function finding(
  code: FindingCode | "clock-skew",
  severity: Finding["severity"],
  told: Pick<Finding, "about" | "here" | "rule" | "next"> & { readonly there?: string },
): Finding {
  const { there, ...rest } = told;
  return { code, severity, there: there ?? null, source: docs, ...rest };
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
    ...units.flatMap((unit) => unitFindings(unit, facts.build)),
    ...userFindings(facts),
    ...facts.folders.flatMap(folderFindings),
    ...kernelFindings(facts, units),
    ...swapFindings(facts),
  ];
}

/** One that crashes every now and then shows in no verdict. */
const restartsMax = 3;

function unitFindings(unit: UnitFacts, installed: string): readonly Finding[] {
  const { name: about, active, enabled, restarts, build } = unit;
  const next = `journalctl -u ${about} -n 50`;
  const found: Finding[] = [];
  if (active === "failed" || (active !== "active" && about === agentUnit)) {
    const rule = "Every service of linkseal that was started runs";
    const here = `${about} is ${active}`;
    found.push(finding("host-unit", "error", { about, here, rule, next }));
  } else if (active === "inactive" && enabled === "enabled") {
    const rule = "What is enabled runs";
    const here = `${about} was stopped`;
    const start = `systemctl start ${about}`;
    found.push(finding("host-unit", "warning", { about, here, rule, next: start }));
  } else if (active === "activating" || restarts > restartsMax) {
    const rule = "No service of linkseal starts again and again";
    const here = `${about} was started again ${restarts} times`;
    found.push(finding("host-unit", "warning", { about, here, rule, next }));
  } else if (active === "active" && enabled === "disabled") {
    const rule = "What runs now runs after a boot too";
    const here = `${about} runs and is not enabled`;
    const enable = `systemctl enable ${about}`;
    found.push(finding("host-unit", "warning", { about, here, rule, next: enable }));
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
  // Its memory is held by the manager, so that the link goes on; beside a sibling that carries.
  const next = about.startsWith("linkseal-mka@")
    ? `${restart}, one port at a time and only while its sibling is protected`
    : restart;
  return finding("host-old-build", "warning", { about, here, there, rule, next });
}

/** Which socket is behind each group that the agent has to be in. */
const agentGroups = [
  ["linkseal-admin", "the admin socket"],
  ["linkseal-net", "the socket of linkseal-net"],
  ["linkseal-mka", "the sockets of linkseal-mka"],
] as const;
/** Of other packages, where they are installed. */
const foreignGroups = [["frrvty", "vtysh of FRR"]] as const;

function userFindings({ groups }: HostFacts): readonly Finding[] {
  const wanted = [
    ...agentGroups.map(([group, why]) => ({ group, why, severity: "error" as const })),
    ...foreignGroups
      .filter(([group]) => Object.hasOwn(groups, group))
      .map(([group, why]) => ({ group, why, severity: "warning" as const })),
  ];
  return wanted
    .filter(({ group }) => groups[group]?.includes("linkseal") !== true)
    .map(({ group, why, severity }) => {
      const isThere = Object.hasOwn(groups, group);
      const here = isThere ? `linkseal is not in group ${group}` : `there is no group ${group}`;
      const rule = `The agent reaches ${why}`;
      const next = isThere
        ? `usermod -aG ${group} linkseal && systemctl restart ${agentUnit}`
        : "systemd-sysusers linkseal.conf";
      return finding("host-user", severity, { about: "linkseal", here, rule, next });
    });
}

/** State is its owner's alone; a socket's folder lets others pass at most. */
function folderFindings({ path, owner, mode }: FolderFacts): readonly Finding[] {
  const wanted = path.slice(path.lastIndexOf("/") + 1);
  const isState = path.startsWith("/var/lib/");
  const forbidden = isState ? 0o077 : 0o022;
  const rule = isState ? "State is for its owner's eyes" : "Nobody else writes where sockets are";
  if (owner !== wanted) {
    const here = `${path} belongs to ${owner}`;
    const next = `chown -R ${wanted}:${wanted} ${path}`;
    return [finding("host-folder", "error", { about: path, here, rule, next })];
  }
  if ((mode & forbidden) === 0) return [];
  const here = `${path} has mode ${mode.toString(8)}`;
  const next = `chmod ${isState ? "700" : "go-w"} ${path}`;
  return [finding("host-folder", "error", { about: path, here, rule, next })];
}

function kernelFindings(facts: HostFacts, units: readonly UnitFacts[]): readonly Finding[] {
  const found: Finding[] = [];
  if (!facts.hasAddon) {
    const rule = "The native addon of the package loads on this host";
    const here = "it is missing, or not for this machine";
    const next = "dpkg --verify linkseal, then install the package anew";
    found.push(finding("host-addon", "error", { about: "host", here, rule, next }));
  }
  const isRouter = units.some(({ name, active }) => name === netUnit && active === "active");
  if (!isRouter) return found;
  for (const module of facts.missingModules) {
    const rule = "The kernel of a Linux router knows MACsec and XFRM";
    const here = `this kernel has no module ${module}`;
    const next = `modprobe ${module}; a kernel made for the cloud may lack it`;
    found.push(finding("host-module", "error", { about: "host", here, rule, next }));
  }
  return found;
}

function swapFindings({ hasSwap }: HostFacts): readonly Finding[] {
  if (!hasSwap) return [];
  const rule = "No memory of a service that has held a key reaches a disk";
  const here = "swap is on; the units keep theirs out of it where the kernel counts memory";
  const next = "swapoff -a, or encrypt the swap with a key of each boot";
  return [finding("host-swap", "info", { about: "host", here, rule, next })];
}

function clockFindings({ clock }: HostFacts): readonly Finding[] {
  if (clock !== "drifting") return [];
  const rule = "The clock of the host is synchronised: windows and validity of keys go by it";
  const here = "nobody has synchronised the clock of this host";
  const next = "timedatectl timesync-status, or chronyc tracking";
  return [finding("clock-skew", "warning", { about: "host", here, rule, next })];
}

/** Below the first nothing can be relied on to be written; a journal stays far below the second. */
const roomMegabytes = { error: 50, warning: 500 } as const;

function roomFindings({ freeMegabytes: free }: HostFacts): readonly Finding[] {
  if (free === undefined || free >= roomMegabytes.warning) return [];
  const severity = free < roomMegabytes.error ? "error" : "warning";
  const rule = "Nothing is changed on a device that was not written down first";
  const here = `${free} MB are free where the journal lies`;
  const next = "df -h /var/lib/linkseal";
  return [finding("host-disk", severity, { about: "host", here, rule, next })];
}
