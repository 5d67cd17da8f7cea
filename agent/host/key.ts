// Keys that bind journal and reports to this host: random keys in the state folder, and the host's
// own id.

import { createHash, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { link, readFile, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import { openOwn } from "./disk.ts";
import { errnoOf, syncFolder } from "./folder.ts";

const keyBytes = 32;

/**
 * Reads the journal's key from `host.key` in the state folder, and makes it the first time; the
 * caller wipes it.
 * @throws LinksealError with `usage`
 */
export async function openHostKey(folder: string): Promise<Secret> {
  const next = "start again, then linkseal journal accept-loss";
  return await openKey(join(folder, "host.key"), "host key", next);
}

/**
 * Reads the key that signs reports from `report.key`, made in the same way.
 * @throws LinksealError with `usage`
 */
export async function openReportKey(folder: string): Promise<Secret> {
  const next = "start again, then give auditors the new key: linkseal report key";
  return await openKey(join(folder, "report.key"), "report key", next);
}

async function openKey(path: string, label: string, next: string): Promise<Secret> {
  // Written to a temporary name and linked, so that a crash leaves a whole key or none; a whole one
  // may still have both names, and is read by one alone.
  const aside = `${path}~`;
  await unlink(aside).catch(() => undefined);
  const present = await readKey(path, label, next);
  if (present !== undefined) return present;
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
  {
    await using file = await openOwn(aside, flags);
    const fresh = randomBytes(keyBytes);
    await file.writeFile(fresh);
    fresh.fill(0);
    await file.sync();
  }
  await link(aside, path);
  await unlink(aside);
  await syncFolder(dirname(path));
  const made = await readKey(path, label, next);
  if (made === undefined) throw new Error(`${path} vanished`);
  return made;
}

async function readKey(path: string, label: string, next: string): Promise<Secret | undefined> {
  try {
    await using file = await openOwn(path, constants.O_RDONLY, 0o077);
    const { size } = await file.stat();
    if (size === keyBytes) return Secret.take(label, await file.readFile());
    throw new LinksealError("usage", `${path} has ${size} bytes instead of ${keyBytes}`, {
      effect: "none",
      where: path,
      next: `rm ${path}, ${next}`,
    });
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Returns an id that changes with the machine: a state folder that was copied to another host is
 * not that host's journal.
 */
export async function readHostId(): Promise<string> {
  const machine = await readFile("/etc/machine-id", "latin1").catch(() => "");
  // machine-id(5) asks not to show the id itself; a hash of it with our name may be shown.
  const id = machine.trim() === "" ? `name ${hostname()}` : machine.trim();
  return createHash("sha256").update(`linkseal ${id}`).digest("hex").slice(0, 16);
}
