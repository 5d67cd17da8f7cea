// Takes Debian's kernel out of its package, without installing it, and packs the files that boot
// it.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { type ArchiveEntry, archive } from "./cpio.ts";
import { filesIn } from "./place.ts";

// A machine that other code packed is made anew.
const packers = ["prepare.ts", "cpio.ts", "first.sh"];
/**
 * Debian's newest kernel package, such as linux-image-6.12.118+deb13-amd64, is a dependency of this
 * one.
 */
const family = "linux-image-amd64";

const keptModules = [
  "arch",
  "crypto",
  "lib",
  "net",
  "fs/{9p,netfs,overlayfs}",
  "drivers/char/hw_random",
  "drivers/net/*.ko.xz",
  "drivers/net/{bonding,team,vxlan,wireguard}",
];
/** Modules in the order of loading, before there is a root to load others from. */
const firstModules = ["netfs", "9pnet", "9pnet_virtio", "9p", "overlay"];

function output(command: string, ...argv: string[]): string {
  return execFileSync(command, argv, { encoding: "utf8", maxBuffer: 64_000_000 });
}

function hashOfPackers(): string {
  const hash = createHash("sha256");
  for (const file of packers) hash.update(readFileSync(join(import.meta.dirname, file)));
  return hash.digest("hex");
}

function kernelPackage(): string {
  const depends = output("apt-cache", "depends", "--no-recommends", family);
  const name = /^\s*Depends: (linux-image-[0-9][\w.+-]*)$/m.exec(depends)?.[1];
  if (name === undefined) throw new Error(`apt knows no ${family}: run apt-get update`);
  return name;
}

function unpack(name: string, folder: string): void {
  // It runs as root: apt's own user may not write into the folder.
  const options = { cwd: folder, stdio: "inherit" } as const;
  execFileSync("apt-get", ["-q", "-o", "APT::Sandbox::User=root", "download", name], options);
  const [file = ""] = globSync("*.deb", { cwd: folder });
  execFileSync("dpkg-deb", ["-x", file, "package"], options);
  rmSync(join(folder, file));
}

function keepModules(from: string, to: string, release: string): void {
  for (const path of globSync(
    keptModules.map((kept) => `kernel/${kept}`),
    { cwd: from },
  )) {
    cpSync(join(from, path), join(to, path), { recursive: true });
  }
  for (const name of readdirSync(from).filter((one) => one.startsWith("modules."))) {
    cpSync(join(from, name), join(to, name));
  }
  // Unpacking them in the emulator at each boot would take longer than everything else.
  const packed = globSync("kernel/**/*.ko.xz", { cwd: to });
  execFileSync("xz", ["-d", "-T0", ...packed], { cwd: to });
  const base = mkdtempSync(join(dirname(to), "base-"));
  mkdirSync(join(base, "lib", "modules"), { recursive: true });
  renameSync(to, join(base, "lib", "modules", release));
  execFileSync("depmod", ["-b", base, release]);
  renameSync(join(base, "lib", "modules", release), to);
  rmSync(base, { recursive: true });
}

function firstRoot(modules: string): Buffer {
  const folders = ["bin", "dev", "proc", "sys", "modules", "below", "layer", "root"];
  const loaded = firstModules.flatMap((name) => globSync(`kernel/**/${name}.ko`, { cwd: modules }));
  const order = loaded.map((path) => `${basename(path)}\n`).join("");
  const entries: ArchiveEntry[] = [
    ...folders.map((name): ArchiveEntry => ({ name, kind: "folder" })),
    { name: "bin/busybox", kind: "program", content: readFileSync("/bin/busybox") },
    {
      name: "init",
      kind: "program",
      content: readFileSync(join(import.meta.dirname, "first.sh")),
    },
    { name: "modules/ORDER", kind: "file", content: Buffer.from(order) },
    ...loaded.map(
      (path): ArchiveEntry => ({
        name: `modules/${basename(path)}`,
        kind: "file",
        content: readFileSync(join(modules, path)),
      }),
    ),
  ];
  return gzipSync(archive(entries), { level: 1 });
}

/** Makes a machine at `folder` unless the current one exists; returns its kernel's name. */
export function prepareMachine(folder: string): string {
  const name = kernelPackage();
  const label = `${name} ${hashOfPackers()}\n`;
  const old = filesIn(folder).label;
  if (existsSync(old) && readFileSync(old, "utf8") === label) return name;
  mkdirSync(dirname(folder), { recursive: true });
  const fresh = mkdtempSync(`${folder}-`);
  try {
    const files = filesIn(fresh);
    unpack(name, fresh);
    const [image = ""] = globSync("package/boot/vmlinuz-*", { cwd: fresh });
    const release = basename(image).slice("vmlinuz-".length);
    renameSync(join(fresh, image), files.kernel);
    keepModules(join(fresh, "package/usr/lib/modules", release), files.modules, release);
    rmSync(join(fresh, "package"), { recursive: true });
    writeFileSync(files.initrd, firstRoot(files.modules));
    writeFileSync(files.label, label);
    rmSync(folder, { recursive: true, force: true });
    renameSync(fresh, folder);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    throw error;
  }
  return name;
}
