// The parts inside the package, their authors and their terms: the SBOM and the copyright file.

import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Part {
  readonly name: string;
  readonly version: string;
  /** SPDX expression from the part's own manifest. */
  readonly licence: string;
  /** The text of the licence, if the part brings it. */
  readonly text: string | undefined;
  readonly purl: string;
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
}

/** Reads a part of npm from its folder. Throws if its terms cannot be determined. */
export function npmPart(root: string, folder: string): Part {
  const place = join(root, folder);
  const { name, version, license } = JSON.parse(
    readFileSync(join(place, "package.json"), "utf8"),
  ) as Manifest;
  const files = globSync("{LICEN[CS]E,COPYING,NOTICE}*", { cwd: place }).sort();
  const words = files.map((one) => readFileSync(join(place, one), "utf8").trim());
  const text = words.length === 0 ? undefined : words.join("\n\n");
  if (typeof license !== "string" && text === undefined) {
    throw new Error(`${name} ${version} has no readable licence: it cannot go into a package`);
  }
  const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  return { name, version, licence: license ?? "see its text", text, purl };
}

/** Reads the parts that the build put into a program, from the list that it left in dist/. */
export function bundledParts(root: string, program: string): readonly Part[] {
  const list = readFileSync(join(root, "dist", program, "PACKAGES"), "utf8");
  return (JSON.parse(list) as readonly string[]).map((folder) => npmPart(root, folder));
}

/** Lists the parts that Node contains, by the versions that Node reports. */
export function nodeParts(
  folder: string,
  versions: Readonly<Record<string, string | undefined>>,
): readonly Part[] {
  const licence = join(folder, "LICENSE");
  const text = existsSync(licence) ? readFileSync(licence, "utf8").trim() : undefined;
  const { node = "", modules: _abi, napi: _napi, ...others } = versions;
  const inside = Object.entries(others)
    .flatMap(([name, version]) => (version === undefined ? [] : [{ name, version }]))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return [
    { name: "node", version: node, licence: "MIT", text, purl: `pkg:generic/node@${node}` },
    ...inside.map(({ name, version }) => ({
      ...{ name, version, licence: "see node", text: undefined },
      purl: `pkg:generic/${name}@${version}`,
    })),
  ];
}

const isSpdx = (licence: string): boolean => /^[\w.+() -]+$/.test(licence);

function component({ name, version, licence, purl }: Part): object {
  const isExpression = / (OR|AND|WITH) /.test(licence);
  const known = isSpdx(licence) && !licence.startsWith("see ");
  const licences = isExpression
    ? [{ expression: licence }]
    : [{ license: known ? { id: licence } : { name: licence } }];
  return { type: "library", "bom-ref": purl, name, version, purl, licenses: licences };
}

/** Returns a CycloneDX 1.6 document; two builds of one source give the same text. */
export function sbom(
  product: { readonly name: string; readonly version: string; readonly architecture: string },
  parts: readonly Part[],
  epochSeconds: number,
): string {
  const purl = `pkg:deb/${product.name}@${product.version}?arch=${product.architecture}`;
  const document = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      timestamp: new Date(epochSeconds * 1000).toISOString().replace(".000", ""),
      component: {
        type: "application",
        "bom-ref": purl,
        name: product.name,
        version: product.version,
        purl,
        licenses: [{ license: { id: "MIT" } }],
      },
    },
    components: parts.map(component),
    dependencies: [{ ref: purl, dependsOn: parts.map((part) => part.purl) }],
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

/** Returns Debian's copyright file: our own terms first, then the full terms of each part. */
export function copyright(own: string, parts: readonly Part[]): string {
  const sections = parts.flatMap(({ name, version, licence, text }) =>
    text === undefined && licence.startsWith("see ")
      ? []
      : [`${"=".repeat(80)}\n${name} ${version} (${licence})\n\n${text ?? ""}`.trimEnd()],
  );
  const head = "linkseal, and below it the terms of all that its package holds.";
  return `${[head, own.trim(), ...sections].join("\n\n")}\n`;
}
