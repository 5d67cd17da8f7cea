// The state folder on a real file system: no links are followed, no file of another owner is read,
// and all writes are synced.

import { constants } from "node:fs";
import { type FileHandle, lstat, open, readdir, rename, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { LinksealError } from "#hal/error.ts";
import type { Disk } from "#hal/world.ts";
import { unwritable } from "../store/journal/unwritable.ts";
import { errnoOf, openFolder, ownUid, syncFolder, unsafe } from "./folder.ts";

const readBytesMax = 128 * 1024 * 1024;
const segment = "[a-z0-9](?:[a-z0-9.-]{0,98}[a-z0-9])?";
const legalName = new RegExp(`^${segment}(?:/${segment})?$`);

/** A Disk in a folder of this host. Only one process may use a folder (see `lockState`). */
export class FsDisk implements Disk {
  readonly #folder: string;
  /** Files and folders whose own names are on the disk for sure. */
  readonly #durable = new Set<string>();
  #turn: Promise<unknown> = Promise.resolve();
  #calls = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Opens the folder, and creates it with mode 0700 if it is missing.
   * @throws LinksealError with `usage` if it is not safe to use
   */
  static async open(folder: string): Promise<FsDisk> {
    return new FsDisk(await openFolder(folder, "private"));
  }

  /** True while a call waits for the file system: a simulated site lets no time pass meanwhile. */
  get isBusy(): boolean {
    return this.#calls > 0;
  }

  /**
   * Reads a file; undefined = it does not exist.
   * @throws LinksealError with `usage` if it cannot be read or is not safe
   */
  async read(name: string): Promise<Uint8Array | undefined> {
    return await this.#counted(this.#read(this.#path(name)));
  }

  async #read(path: string): Promise<Uint8Array | undefined> {
    try {
      const parent = dirname(path);
      if (!(await lstat(parent)).isDirectory()) throw unsafe(parent, "is a link", `rm ${parent}`);
      await using file = await openOwn(path, constants.O_RDONLY);
      const { size } = await file.stat();
      if (size > readBytesMax) throw unsafe(path, `has ${size} bytes`, `move ${path} away`);
      return Uint8Array.from(await file.readFile());
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error instanceof LinksealError ? error : unreadable(path, error);
    }
  }

  /** Lists the files whose names begin with the prefix, sorted. */
  list(prefix: string): Promise<readonly string[]> {
    return this.#counted(this.#list(prefix));
  }

  async #list(prefix: string): Promise<readonly string[]> {
    const names: string[] = [];
    for (const entry of await readdir(this.#folder, { withFileTypes: true })) {
      if (entry.isFile()) names.push(entry.name);
      if (!entry.isDirectory()) continue;
      for (const inner of await readdir(join(this.#folder, entry.name), { withFileTypes: true })) {
        if (inner.isFile()) names.push(`${entry.name}/${inner.name}`);
      }
    }
    return names.filter((name) => name.startsWith(prefix) && legalName.test(name)).sort();
  }

  /**
   * Appends to a file and syncs it; what was appended only in part is removed again.
   * @throws LinksealError with `journal.full` or another code of `unwritable`
   */
  append(name: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(name);
    return this.#inTurn(path, async () => {
      await this.#openParent(path);
      const isKnown = (await lstat(path).catch(() => undefined)) !== undefined;
      const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;
      await using file = await openOwn(path, flags);
      const { size } = await file.stat();
      try {
        await file.writeFile(bytes);
        await file.sync();
      } catch (error) {
        // Removes a half record if the file system still allows that; the caller can handle one.
        await file.truncate(size).catch(() => undefined);
        throw error;
      }
      await this.#syncName(path, isKnown);
    });
  }

  /**
   * Replaces a file as a whole: after a crash it has the old content or the new.
   * @throws LinksealError as `append`
   */
  replace(name: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(name);
    return this.#inTurn(path, async () => {
      await this.#openParent(path);
      // The name is not a legal one, so that a file that a crash left is never listed, only
      // overwritten.
      const aside = `${path}~`;
      await unlink(aside).catch(ignoreMissing);
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
      try {
        await using file = await openOwn(aside, flags);
        await file.writeFile(bytes);
        await file.sync();
      } catch (error) {
        await unlink(aside).catch(() => undefined);
        throw error;
      }
      await rename(aside, path);
      await syncFolder(dirname(path));
    });
  }

  #path(name: string): string {
    if (!legalName.test(name))
      throw new TypeError(`${JSON.stringify(name)} is not a file name here`);
    return join(this.#folder, name);
  }

  async #openParent(path: string): Promise<void> {
    const parent = dirname(path);
    if (parent === this.#folder) return;
    const isKnown = (await lstat(parent).catch(() => undefined)) !== undefined;
    await openFolder(parent, "private");
    await this.#syncName(parent, isKnown);
  }

  // A name that is there already may come from a write whose sync failed, here or in a process
  // before this one.
  async #syncName(path: string, isKnown: boolean): Promise<void> {
    if (isKnown && this.#durable.has(path)) return;
    this.#durable.delete(path);
    await syncFolder(dirname(path));
    this.#durable.add(path);
  }

  // One write at a time: two replaces of one name would share the temporary file.
  #inTurn(path: string, run: () => Promise<void>): Promise<void> {
    const mine = this.#turn.then(run).catch((error: unknown) => {
      throw error instanceof LinksealError ? error : unwritable(path, path, error);
    });
    this.#turn = mine.catch(() => undefined);
    return this.#counted(mine);
  }

  async #counted<T>(call: Promise<T>): Promise<T> {
    this.#calls += 1;
    try {
      return await call;
    } finally {
      this.#calls -= 1;
    }
  }
}

/**
 * Opens a regular file that this user owns, with one name and no other writers.
 * @throws LinksealError with `usage` for anything else
 */
export async function openOwn(path: string, flags: number, forbidden = 0o022): Promise<FileHandle> {
  // O_NONBLOCK: a planted FIFO must be refused and not waited for.
  const guarded = flags | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, guarded, 0o600).catch((error: unknown) => {
    throw errnoOf(error) === "ELOOP" ? unsafe(path, "is a link", `rm ${path}`) : error;
  });
  const stat = await file.stat();
  const bad =
    (!stat.isFile() && "is not a file") ||
    (stat.uid !== ownUid() && `belongs to uid ${stat.uid}`) ||
    (stat.nlink !== 1 && `has ${stat.nlink} names`) ||
    ((stat.mode & forbidden) !== 0 && "is open to other users");
  if (bad === false) return file;
  await file.close();
  throw unsafe(path, bad, `look at ${path}; nothing was changed`);
}

function ignoreMissing(error: unknown): void {
  if (errnoOf(error) !== "ENOENT") throw error;
}

function unreadable(path: string, cause: unknown): LinksealError {
  return new LinksealError("usage", `${path} cannot be read (${errnoOf(cause)})`, {
    effect: "none",
    where: path,
    next: `make ${path} readable for this user`,
    cause,
  });
}
