// Writes the archive: a tree with fixed owners, modes and times, packed by dpkg-deb.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Entry } from "./layout.ts";

export type Architecture = "amd64" | "arm64";

export interface Deb {
  readonly root: string;
  readonly entries: readonly Entry[];
  /** The fields of the control file that differ between the packages. */
  readonly control: Control;
  /** The folder of its maintainer scripts; absent = it has none. */
  readonly scripts?: string;
  readonly version: string;
  readonly epochSeconds: number;
  readonly compression: "zstd" | "xz";
  readonly file: string;
}

/** Returns the names of the maintainer scripts in a folder. */
const namesIn = (folder: string): readonly string[] =>
  ["preinst", "postinst", "prerm", "postrm"].filter((name) => existsSync(join(folder, name)));

/**
 * Writes the package. The same entries and the same epoch give the same octets on every machine at
 * every time.
 */
export function writeDeb(deb: Deb, stage: string): void {
  rmSync(stage, { recursive: true, force: true });
  const folders = new Set<string>();
  for (const entry of deb.entries) {
    const path = join(stage, entry.path);
    for (let at = dirname(path); at.startsWith(stage); at = dirname(at)) folders.add(at);
    mkdirSync(dirname(path), { recursive: true });
    put(deb.root, entry, path);
  }
  const control = join(stage, "DEBIAN");
  mkdirSync(control, { recursive: true });
  const kilobytes = sizeKilobytes(deb, stage);
  writeFileSync(join(control, "control"), controlFile(deb.control, deb.version, kilobytes));
  writeFileSync(join(control, "md5sums"), md5sums(deb.entries, stage));
  const { scripts: folder = control } = deb;
  const scripts = namesIn(folder);
  for (const name of scripts) {
    const text = readFileSync(join(folder, name), "utf8");
    writeFileSync(join(control, name), text.replaceAll("@VERSION@", deb.version));
    chmodSync(join(control, name), 0o755);
  }
  for (const name of ["control", "md5sums"]) chmodSync(join(control, name), 0o644);
  for (const folder of [...folders, control]) chmodSync(folder, 0o755);
  const paths = deb.entries.map(({ path }) => join(stage, path));
  const named = ["control", "md5sums", ...scripts].map((name) => join(control, name));
  // The deepest paths come first, because writing into a folder changes its time.
  const all = [...paths, ...named, ...folders, control].sort((a, b) => b.length - a.length);
  for (const path of all) lutimesSync(path, deb.epochSeconds, deb.epochSeconds);
  execFileSync(
    "dpkg-deb",
    // Threads change where xz splits its blocks, and so the octets.
    ["--root-owner-group", "--threads-max=1", `-Z${deb.compression}`, "-b", stage, deb.file],
    { env: { ...process.env, SOURCE_DATE_EPOCH: String(deb.epochSeconds) }, stdio: "pipe" },
  );
  rmSync(stage, { recursive: true });
}

function put(root: string, { from, mode }: Entry, path: string): void {
  if (from.kind === "text") writeFileSync(path, from.text);
  else cpSync(from.path.startsWith("/") ? from.path : join(root, from.path), path);
  chmodSync(path, mode);
}

function sizeKilobytes({ entries }: Deb, stage: string): number {
  const octets = entries.map(({ path }) => statSync(join(stage, path)).size);
  return octets.reduce((sum, size) => sum + Math.ceil(size / 1024), 0);
}

function md5sums(entries: readonly Entry[], stage: string): string {
  return entries
    .map(({ path }) => {
      const sum = createHash("md5")
        .update(readFileSync(join(stage, path)))
        .digest("hex");
      return `${sum}  ${path.slice(1)}\n`;
    })
    .join("");
}

/** What a package says of itself to dpkg; `relations`: its dependencies, one field a line. */
export interface Control {
  readonly name: string;
  readonly architecture: Architecture | "all";
  readonly relations: readonly string[];
  /** The short description, then lines of the long one. */
  readonly description: readonly string[];
}

export function controlFile(control: Control, version: string, kilobytes: number): string {
  const { name, architecture, relations, description } = control;
  const [short, ...long] = description;
  return `Package: ${name}
Version: ${version}
Architecture: ${architecture}
Maintainer: linkseal maintainers <maintainers@linkseal.invalid>
Installed-Size: ${kilobytes}
${relations.join("\n")}
Section: net
Priority: optional
Description: ${short}
${long.map((line) => ` ${line}\n`).join("")}`;
}

/** `libc`: the oldest version of glibc on which everything inside runs. */
export function agentControl(architecture: Architecture, libc: string): Control {
  const libraries = `libc6 (>= ${libc}), libgcc-s1, libstdc++6 (>= 8)`;
  return {
    ...{ name: "linkseal", architecture },
    relations: [
      `Depends: ${libraries}, systemd (>= 252), passwd, util-linux`,
      "Recommends: iputils-ping",
      "Suggests: charon-systemd (>= 6.0), frr, linkseal-lab",
    ],
    description: [
      "MACsec and IPsec of ExpressRoute Direct links",
      "An agent on or beside an edge router that protects the links of an Azure",
      "ExpressRoute Direct resource with MACsec and IPsec, takes their keys from",
      "Azure Key Vault, rotates them without losing traffic and reports what it can",
      "prove about each link.",
      ".",
      "The package brings its own Node.js, under /usr/lib/linkseal.",
    ],
  };
}

export function hubControl(version: string): Control {
  return {
    ...{ name: "linkseal-hub", architecture: "all" },
    relations: [
      `Depends: linkseal (= ${version})`,
      // It had the unit before.
      "Breaks: linkseal (<< 0.2.0)",
      "Replaces: linkseal (<< 0.2.0)",
      "Suggests: nats-server",
    ],
    description: [
      "hub of linkseal: many sites in one view, and their rotations in waves",
      "The verbs fleet and hub of the command linkseal, and the service that gives",
      "the permits of a wave. An edge host does not need it.",
    ],
  };
}

export function labControl(version: string): Control {
  return {
    ...{ name: "linkseal-lab", architecture: "all" },
    relations: [`Depends: linkseal (= ${version})`],
    description: [
      "laboratory of linkseal: simulated sites and rehearsals",
      "A simulated site, routers and cloud for trials, the rehearsal of a rotation,",
      "and the conformance cases for a router of a lab. An edge host needs it only",
      "for linkseal rotate --rehearse.",
    ],
  };
}

/** Highest version of a symbol of glibc that one of the files asks for. */
export function libcOf(files: readonly string[]): string {
  const found = files.flatMap((path) => {
    const text = execFileSync("readelf", ["--wide", "--version-info", path], {
      encoding: "utf8",
      maxBuffer: 64_000_000,
    });
    return [...text.matchAll(/GLIBC_(\d+)\.(\d+)/g)].map(
      ([, major, minor]) => [Number(major), Number(minor)] as const,
    );
  });
  const [highest] = found.toSorted((a, b) => b[0] - a[0] || b[1] - a[1]);
  if (highest === undefined) throw new Error("no file asks for a glibc");
  return highest.join(".");
}
