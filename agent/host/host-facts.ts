// Gathers what `doctor` checks on this host; a fact that cannot be found out is left out and causes
// no finding.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readFile, stat, statfs } from "node:fs/promises";
import { release } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { type CharonSettings, readSettings } from "../operate/doctor/charon-rules.ts";
import type { FolderFacts, HostFacts, UnitFacts } from "../operate/doctor/host-rules.ts";
import { findAddon } from "./addon.ts";
import { buildOf } from "./build.ts";
import { hostDialer } from "./dialer.ts";

const unitFile = "/usr/lib/systemd/system/linkseal.service";
const askMsMax = 5_000;
const folders = [
  "/var/lib/linkseal",
  "/var/lib/linkseal-net",
  "/var/lib/linkseal-mka",
  "/run/linkseal",
  "/run/linkseal-net",
  "/run/linkseal-mka",
] as const;
const modules = ["macsec", "xfrm_user", "xfrm_interface", "esp4", "esp6"] as const;
/**
 * Where free space is measured: the state folder if it exists, else the folder that it would be in.
 */
const roomPaths = ["/var/lib/linkseal", "/var/lib"] as const;

/** Gathers the facts; it changes nothing, and never throws for a fact that is missing. */
export async function hostFacts(): Promise<HostFacts> {
  const isPackaged = existsSync(unitFile);
  return {
    build: buildOf(),
    units: isPackaged ? await unitFacts() : undefined,
    groups: groupsIn(await textOf("/etc/group")),
    folders: isPackaged ? await folderFacts() : [],
    hasAddon: findAddon() !== undefined,
    missingModules: await missingModules(),
    clock: await clockState(),
    freeMegabytes: await freeMegabytes(),
    charon: charonSettings(),
    hasSwap: (await textOf("/proc/swaps")).trim().split("\n").length > 1,
  };
}

const charonFile = "/etc/strongswan.conf";
const includedFilesMax = 200;

/** Reads strongswan.conf with what it includes; undefined = it cannot be read. */
function charonSettings(): CharonSettings | undefined {
  const text = textNow(charonFile);
  return text === undefined ? undefined : readSettings(text, includedTexts);
}

/** Returns the texts that an include pattern names, relative to the folder of strongswan.conf. */
function includedTexts(pattern: string): readonly string[] {
  const path = resolve(dirname(charonFile), pattern);
  const folder = dirname(path);
  const [before = "", after = ""] = basename(path).split("*", 2);
  const isMeant = (name: string): boolean => name.startsWith(before) && name.endsWith(after);
  try {
    const names = path.includes("*") ? readdirSync(folder).filter(isMeant) : [basename(path)];
    const some = names.toSorted().slice(0, includedFilesMax);
    return some.flatMap((name) => textNow(join(folder, name)) ?? []);
  } catch {
    return [];
  }
}

function textNow(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

async function textOf(path: string): Promise<string> {
  return await readFile(path, "utf8").catch(() => "");
}

/** Runs a program and returns its standard output; undefined = it failed, or does not exist. */
async function outputOf(...argv: readonly string[]): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(askMsMax);
    const { status, stdout } = await hostDialer.exec(argv, new Uint8Array(), signal);
    return status === 0 ? Buffer.from(stdout).toString("utf8") : undefined;
  } catch {
    return undefined;
  }
}

async function unitFacts(): Promise<readonly UnitFacts[] | undefined> {
  const names = [
    ...["linkseal.service", "linkseal-net.service", "linkseal-mka@*.service"],
    "linkseal-peer.service",
  ];
  const wanted = "--property=Id,ActiveState,UnitFileState,NRestarts,StatusText";
  const text = await outputOf("systemctl", "show", wanted, ...names);
  return text === undefined ? undefined : unitsIn(text);
}

/** Parses the output of `systemctl show`: a block of NAME=VALUE lines for each unit. */
export function unitsIn(text: string): readonly UnitFacts[] {
  const blocks = text.split("\n\n").map((block) => new Map(block.split("\n").flatMap(pairOf)));
  return blocks.flatMap((block) => {
    const name = block.get("Id");
    if (name === undefined) return [];
    const build = /^linkseal (.+)$/.exec(block.get("StatusText") ?? "")?.[1];
    return {
      name,
      build,
      active: block.get("ActiveState") ?? "",
      enabled: block.get("UnitFileState") ?? "",
      restarts: Number(block.get("NRestarts") ?? 0),
    };
  });
}

function pairOf(line: string): readonly (readonly [string, string])[] {
  const at = line.indexOf("=");
  return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
}

/** Parses group(5): members by group name. */
export function groupsIn(text: string): Readonly<Record<string, readonly string[]>> {
  const rows = text.split("\n").map((line) => line.split(":"));
  const named = rows.filter(([name = ""]) => name !== "");
  return Object.fromEntries(
    named.map(([name, , , members = ""]) => [name, members.split(",").filter((m) => m !== "")]),
  );
}

async function folderFacts(): Promise<readonly FolderFacts[]> {
  const users = new Map(
    (await textOf("/etc/passwd")).split("\n").map((line) => {
      const [name = "", , uid = ""] = line.split(":");
      return [Number(uid), name];
    }),
  );
  const found = await Promise.all(
    folders.map(async (path): Promise<readonly FolderFacts[]> => {
      const seen = await stat(path).catch(() => undefined);
      if (seen === undefined) return [];
      const owner = users.get(seen.uid) ?? `uid ${seen.uid}`;
      return [{ path, owner, mode: seen.mode & 0o7777 }];
    }),
  );
  return found.flat();
}

async function missingModules(): Promise<readonly string[]> {
  const folder = `/lib/modules/${release()}`;
  const [index, builtin] = await Promise.all([
    textOf(`${folder}/modules.dep`),
    textOf(`${folder}/modules.builtin`),
  ]);
  // An empty index does not say which modules exist.
  if (index === "") return [];
  return modules.filter((name) => {
    const isFile = new RegExp(`/${name.replace("_", "[-_]")}\\.ko`, "m");
    return !existsSync(`/sys/module/${name}`) && !isFile.test(index) && !isFile.test(builtin);
  });
}

async function clockState(): Promise<HostFacts["clock"]> {
  const text = await outputOf("timedatectl", "show", "--property=NTPSynchronized", "--value");
  if (text === undefined) return "unknown";
  return text.trim() === "yes" ? "synchronised" : "drifting";
}

async function freeMegabytes(): Promise<number | undefined> {
  for (const path of roomPaths) {
    try {
      const { bavail, bsize } = await statfs(path);
      return Math.floor((bavail * bsize) / 1e6);
    } catch {
      // The next path is its parent.
    }
  }
  return undefined;
}
