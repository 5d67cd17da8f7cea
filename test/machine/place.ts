// The place of the machine of the kernel tier on this computer, and whether it exists.

import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

export interface MachineFiles {
  readonly kernel: string;
  readonly initrd: string;
  readonly modules: string;
  /** Name of the kernel package that the other files come from; written last. */
  readonly label: string;
  /** The kernel that is a program, and the name of its source; written last. */
  readonly userMode: string;
  readonly userModeLabel: string;
  /** Package of a wpa_supplicant that is newer than this computer's, and its version. */
  readonly supplicant: string;
  readonly supplicantLabel: string;
  /** Folder with the unpacked libreswan, and its version; written last. */
  readonly libreswan: string;
  readonly libreswanLabel: string;
  /** A fresh Debian without Node, and a description of it; written last. */
  readonly root: string;
  readonly rootLabel: string;
}

const caches = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
/** The folder is outside the clone, so that another clone need not fetch the kernel again. */
export const machineFolder = process.env["LINKSEAL_MACHINE"] ?? join(caches, "linkseal-machine");
/** Present where Debian's `ansible` is installed, which has the modules for network devices. */
export const ansibleSign =
  "/usr/lib/python3/dist-packages/ansible_collections/ansible/netcommon/MANIFEST.json";
export const emulator = "qemu-system-x86_64";

export function filesIn(folder: string): MachineFiles {
  return {
    kernel: join(folder, "vmlinuz"),
    initrd: join(folder, "initrd"),
    modules: join(folder, "modules"),
    label: join(folder, "LABEL"),
    userMode: join(folder, "user-mode"),
    userModeLabel: join(folder, "USER-MODE"),
    supplicant: join(folder, "supplicant.deb"),
    supplicantLabel: join(folder, "SUPPLICANT"),
    libreswan: join(folder, "libreswan"),
    libreswanLabel: join(folder, "LIBRESWAN"),
    root: join(folder, "root"),
    rootLabel: join(folder, "ROOT"),
  };
}

export function isCommand(name: string): boolean {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.some((folder) => existsSync(join(folder, name)));
}

/** Returns why something that needs these does not run; undefined = all of them exist. */
export function whyLacking(names: readonly string[]): string | undefined {
  const missing = names.find(
    (name) => !(name.startsWith("/") ? existsSync(name) : isCommand(name)),
  );
  return missing && `not run: there is no ${missing}; npm run test:tools installs it`;
}

const commands = [
  ...[emulator, "gcc", "ip", "vtysh", "ping", "wpa_supplicant", "charon-systemd"],
  ...["strace", "dmsetup", "mkfs.ext4", "nft"],
];

/** Returns undefined if a machine can be booted. */
export function whyNoMachine(): string | undefined {
  if (process.arch !== "x64") return `not run: the machine is an x64, this is ${process.arch}`;
  const lacking = whyLacking(commands);
  if (lacking !== undefined) return lacking;
  const remedy = "npm run test:tools installs it";
  const { label, supplicantLabel, libreswanLabel, rootLabel, userModeLabel } =
    filesIn(machineFolder);
  if (!existsSync(userModeLabel)) return `not run: there is no kernel of user mode; ${remedy}`;
  if (!existsSync(label)) return `not run: there is no kernel for the machine; ${remedy}`;
  if (!existsSync(rootLabel)) return `not run: there is no fresh root for it; ${remedy}`;
  if (!existsSync(libreswanLabel)) return `not run: there is no libreswan for it; ${remedy}`;
  if (existsSync(supplicantLabel)) return undefined;
  return `not run: there is no wpa_supplicant 2.11 for the machine; ${remedy}`;
}
