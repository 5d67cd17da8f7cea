// A small ext4 file system on a disk that the test takes away and gives back: a device-mapper table
// over a file in memory.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const megabytes = 32;
const sectors = (megabytes * 1024 * 1024) / 512;

function run(command: string, ...argv: readonly string[]): string {
  // No daemon makes device nodes in the machine: libdevmapper makes them itself.
  const env = { ...process.env, DM_DISABLE_UDEV: "1" };
  return execFileSync(command, argv, { encoding: "utf8", env, stdio: ["ignore", "pipe", "pipe"] });
}

/**
 * What ext4 promises of data that nothing synced: that it is there before the name of its file, as
 * Linux distributions mount it, or nothing.
 */
export const promises = ["ordered", "nothing"] as const;

type Promised = (typeof promises)[number];

export class FailingDisk implements Disposable {
  readonly #base = mkdtempSync("/dev/shm/linkseal-disk-");
  readonly #loop: string;
  readonly #name: string;
  readonly #options: string;
  /** Folder on the file system. */
  readonly folder: string;

  constructor(name: string, promise: Promised) {
    this.#name = name;
    this.#options = promise === "ordered" ? "defaults" : "data=writeback,noauto_da_alloc";
    const image = join(this.#base, "image");
    writeFileSync(image, "");
    truncateSync(image, megabytes * 1024 * 1024);
    this.#loop = run("losetup", "--find", "--show", image).trim();
    run("dmsetup", "create", name, "--table", this.#table("linear"));
    run("mkfs.ext4", "-q", "-F", this.#device);
    this.folder = join(this.#base, "mounted");
    mkdirSync(this.folder, { mode: 0o700 });
    this.#mount();
  }

  get #device(): string {
    return `/dev/mapper/${this.#name}`;
  }

  #table(kind: "linear" | "error"): string {
    return kind === "error" ? `0 ${sectors} error` : `0 ${sectors} linear ${this.#loop} 0`;
  }

  #mount(): void {
    run("mount", "-t", "ext4", "-o", this.#options, this.#device, this.folder);
  }

  #become(kind: "linear" | "error"): void {
    // Nothing is written first: what is in memory alone is lost, as in a power cut.
    run("dmsetup", "suspend", "--nolockfs", "--noflush", this.#name);
    run("dmsetup", "reload", this.#name, "--table", this.#table(kind));
    run("dmsetup", "resume", this.#name);
  }

  /** From now on each request to the disk fails. */
  fail(): void {
    this.#become("error");
  }

  /** Gives the disk back with what had reached it, and mounts it anew. */
  giveBack(): void {
    run("umount", this.folder);
    this.#become("linear");
    this.#mount();
  }

  [Symbol.dispose](): void {
    run("umount", this.folder);
    run("dmsetup", "remove", this.#name);
    run("losetup", "--detach", this.#loop);
    rmSync(this.#base, { recursive: true });
  }
}
