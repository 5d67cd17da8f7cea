// The files of the packages: path, mode and the source of the content. Pure.

import flags from "#agent/flags.json" with { type: "json" };

export interface Entry {
  /** Absolute path on the host. */
  readonly path: string;
  readonly mode: 0o644 | 0o755;
  readonly from: Source;
}

type Source =
  /** A file of this clone, by its path from the root or an absolute one. */
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "text"; readonly text: string };

const home = "/usr/lib/linkseal";
const documents = "/usr/share/doc/linkseal";

/** The files of a program's folder in dist/ that a host needs. */
export const bundlePatterns = ["*.js", "web/*"] as const;

/** A program as the build left it: paths from dist/, and the terms of what is inside. */
export interface BuiltProgram {
  readonly bundle: readonly string[];
  readonly sbom: string;
  readonly licences: string;
}

/** Names of the built parts. */
export interface Built {
  readonly agent: BuiltProgram;
  readonly hub: BuiltProgram;
  readonly lab: BuiltProgram;
  /** The addon of the package's architecture, which may have been compiled on another machine. */
  readonly addon: string;
  readonly node: string;
  readonly version: string;
  readonly completions: Readonly<Record<"bash" | "zsh" | "fish", string>>;
  readonly docs: readonly string[];
  readonly units: readonly string[];
}

const file = (path: string, from: string, mode: Entry["mode"] = 0o644): Entry => ({
  path,
  mode,
  from: { kind: "file", path: from },
});
const text = (path: string, content: string, mode: Entry["mode"] = 0o644): Entry => ({
  path,
  mode,
  from: { kind: "text", text: content },
});

const cases = Object.entries(flags).map(
  ([verb, ofVerb]) => `${verb}) flags="${ofVerb.join(" ")}" ;;`,
);

// exec keeps the process id: the program that started it knows the service by this process and
// passes descriptors to it.
const launcher = `#!/bin/sh
case "$1" in
${cases.join("\n")}
*) flags=--disable-sigusr1 ;;
esac
exec ${home}/bin/node $flags ${home}/agent/bin.js "$@"
`;

/** The package of an agent's host: the command, its Node and all documents. */
export function agentLayout(built: Built): readonly Entry[] {
  const { version, completions } = built;
  const manifest = JSON.stringify({ name: "linkseal", version, type: "module", private: true });
  const units = built.units.filter((name) => name !== hubUnit);
  return sorted([
    text("/usr/bin/linkseal", launcher, 0o755),
    file(`${home}/bin/node`, built.node, 0o755),
    text(`${home}/package.json`, `${manifest}\n`),
    file(`${home}/agent/bin.js`, "agent/bin.js", 0o755),
    file(`${home}/agent/launcher.js`, "agent/launcher.js"),
    file(`${home}/agent/flags.json`, "agent/flags.json"),
    file(`${home}/agent/programs.json`, "agent/programs.json"),
    file(`${home}/dist/STAMP`, "dist/STAMP"),
    ...programEntries("linkseal", built.agent),
    file(`${home}/dist/native/linkseal.node`, built.addon),
    ...units.map((name) => file(`/usr/lib/systemd/system/${name}`, `systemd/${name}`)),
    file("/usr/lib/sysusers.d/linkseal.conf", "systemd/linkseal.sysusers"),
    file("/usr/lib/tmpfiles.d/linkseal.conf", "systemd/linkseal.tmpfiles"),
    file(`${home}/linkseal-peer-shell`, "systemd/linkseal-peer-shell", 0o755),
    text("/usr/share/bash-completion/completions/linkseal", completions.bash),
    text("/usr/share/zsh/vendor-completions/_linkseal", completions.zsh),
    text("/usr/share/fish/vendor_completions.d/linkseal.fish", completions.fish),
    ...built.docs.map(documentEntry),
  ]);
}

const hubUnit = "linkseal-hub.service";

/** The package of a hub's host: the hub's program and its unit. */
export function hubLayout({ hub }: Pick<Built, "hub">): readonly Entry[] {
  return sorted([
    ...programEntries("linkseal-hub", hub),
    file(`/usr/lib/systemd/system/${hubUnit}`, `systemd/${hubUnit}`),
    file("/usr/lib/sysusers.d/linkseal-hub.conf", "systemd/linkseal-hub.sysusers"),
  ]);
}

/** The package of the laboratory: simulator, rehearsal and trials of drivers. */
export function labLayout({ lab }: Pick<Built, "lab">): readonly Entry[] {
  return sorted(programEntries("linkseal-lab", lab));
}

function programEntries(name: string, { bundle, sbom, licences }: BuiltProgram): readonly Entry[] {
  return [
    ...bundle.map((path) => file(`${home}/dist/${path}`, `dist/${path}`)),
    text(`/usr/share/doc/${name}/sbom.cdx.json`, sbom),
    text(`/usr/share/doc/${name}/copyright`, licences),
  ];
}

const sorted = (entries: readonly Entry[]): readonly Entry[] =>
  entries.toSorted((a, b) => (a.path < b.path ? -1 : 1));

/** `from`: a document of this clone, by its path. */
function documentEntry(from: string): Entry {
  const name = from.slice(from.lastIndexOf("/") + 1);
  const section = /\.([1-8])$/.exec(name)?.[1];
  if (section !== undefined) return file(`/usr/share/man/man${section}/${name}`, from);
  if (name.endsWith(".catalog")) return file(`/usr/lib/systemd/catalog/${name}`, from);
  if (from.startsWith("docs/examples/")) {
    return file(`${documents}/${from.slice("docs/".length)}`, from);
  }
  return file(`${documents}/${name}`, from);
}
