// The files of the package: path, mode and the source of the content. Pure.

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

/** The files of dist/ that a host needs. */
export const bundlePatterns = ["*.js", "web/*"] as const;

/** Names of the built parts in dist/. */
export interface Built {
  readonly bundle: readonly string[];
  /** The addon of the package's architecture, which may have been compiled on another machine. */
  readonly addon: string;
  readonly node: string;
  readonly version: string;
  readonly completions: Readonly<Record<"bash" | "zsh" | "fish", string>>;
  readonly docs: readonly string[];
  readonly units: readonly string[];
  readonly sbom: string;
  readonly licences: string;
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

export function layout(built: Built): readonly Entry[] {
  const { version, completions } = built;
  const manifest = JSON.stringify({ name: "linkseal", version, type: "module", private: true });
  const entries = [
    text("/usr/bin/linkseal", launcher, 0o755),
    file(`${home}/bin/node`, built.node, 0o755),
    text(`${home}/package.json`, `${manifest}\n`),
    file(`${home}/agent/bin.js`, "agent/bin.js", 0o755),
    file(`${home}/agent/launcher.js`, "agent/launcher.js"),
    file(`${home}/agent/flags.json`, "agent/flags.json"),
    ...built.bundle.map((name) => file(`${home}/dist/${name}`, `dist/${name}`)),
    file(`${home}/dist/native/linkseal.node`, built.addon),
    ...built.units.map((name) => file(`/usr/lib/systemd/system/${name}`, `systemd/${name}`)),
    file("/usr/lib/sysusers.d/linkseal.conf", "systemd/linkseal.sysusers"),
    file("/usr/lib/tmpfiles.d/linkseal.conf", "systemd/linkseal.tmpfiles"),
    file(`${home}/linkseal-peer-shell`, "systemd/linkseal-peer-shell", 0o755),
    text("/usr/share/bash-completion/completions/linkseal", completions.bash),
    text("/usr/share/zsh/vendor-completions/_linkseal", completions.zsh),
    text("/usr/share/fish/vendor_completions.d/linkseal.fish", completions.fish),
    ...built.docs.map(documentEntry),
    text(`${documents}/sbom.cdx.json`, built.sbom),
    text(`${documents}/copyright`, built.licences),
  ];
  return entries.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** `from`: a document of this clone, by its path. */
function documentEntry(from: string): Entry {
  const name = from.slice(from.lastIndexOf("/") + 1);
  const section = /\.([1-8])$/.exec(name)?.[1];
  if (section !== undefined) return file(`/usr/share/man/man${section}/${name}`, from);
  if (from.startsWith("docs/examples/")) return file(`${documents}/examples/${name}`, from);
  return file(`${documents}/${name}`, from);
}
