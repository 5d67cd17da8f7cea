// Rules for package.json and the lock file: nothing runs at install, everything is pinned, no host
// is named.

import { runtimePackages } from "./packages.ts";
import { type Offence, offencesPerLine, type Rule } from "./source.ts";

interface Manifest {
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const installTime =
  /^(pre|post)?(install|prepare|pack|publish|version|dependencies)$|^prepublishOnly$/;

/** npm puts the Node that it installed into PATH or does not, depending on its version. */
const anyNode = /\bnode (?!\.ci\/node\.js |agent\/bin\.js )/;

export const manifestRule: Rule = {
  name: "manifest",
  check: ({ path, text }) => {
    if (path !== "package.json") return [];
    // The test plants broken manifests; npm checks the shape of the real one.
    const manifest = JSON.parse(text) as Manifest;
    return [...checkScripts(manifest), ...checkVersions(manifest), ...checkAllowed(manifest)].map(
      (message): Offence => ({ line: 1, text: message }),
    );
  },
};

function checkScripts({ scripts = {} }: Manifest): string[] {
  const names = Object.keys(scripts);
  const hooks = names.filter((name) => {
    const hooked = /^(?:pre|post)(.+)$/.exec(name)?.[1];
    return installTime.test(name) || (hooked !== undefined && names.includes(hooked));
  });
  return [
    ...hooks.map((name) => `script ${name} never runs under ignore-scripts`),
    ...names
      .filter((name) => anyNode.test(scripts[name] ?? ""))
      .map((name) => `script ${name} runs on any Node: node .ci/node.js FILE`),
  ];
}

function checkVersions(manifest: Manifest): string[] {
  const all = {
    ...manifest.dependencies,
    ...manifest.devDependencies,
    ...manifest.optionalDependencies,
  };
  return Object.entries(all)
    .filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
    .map(([name, version]) => `${name}@${version} is not pinned`);
}

function checkAllowed({ dependencies = {}, optionalDependencies = {} }: Manifest): string[] {
  const allowed = runtimePackages.map((row) => row.name);
  const runtime = /^node-linux-(x64|arm64)$/;
  return [
    ...Object.keys(dependencies).filter((name) => !allowed.includes(name)),
    ...Object.keys(optionalDependencies).filter((name) => !runtime.test(name)),
  ].map((name) => `${name} is no allowed run-time package`);
}

export const lockRule: Rule = {
  name: "lock file",
  check: (source) =>
    /(^|\/)package-lock\.json$/.test(source.path)
      ? offencesPerLine(source, /"resolved":/, "omit-lockfile-registry-resolved was off")
      : [],
};
