// The files of the status page as the build leaves them: beside the bundle, or in dist/ of a clone.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { LinksealError } from "#hal/error.ts";

/** Where the build leaves a program's page: seen from a bundle, and from the sources. */
const foldersOf = (program: PageProgram): readonly string[] => {
  const above = join(import.meta.dirname, "..");
  return [join(above, program, "web"), join(above, "..", "dist", program, "web")];
};

/** Which page: the agent's, or the hub's of all sites. */
export type PageProgram = "agent" | "hub";

const names = {
  "/": ["page.html", "text/html; charset=utf-8"],
  "/page.js": ["page.js", "text/javascript; charset=utf-8"],
  "/page.css": ["page.css", "text/css; charset=utf-8"],
  "/icon.svg": ["icon.svg", "image/svg+xml"],
} as const;

export interface PageFile {
  readonly type: string;
  readonly octets: Uint8Array;
}

/**
 * Reads the files, by path of a request.
 * @throws LinksealError with `usage` if they were not built
 */
export async function pageFiles(program: PageProgram): Promise<ReadonlyMap<string, PageFile>> {
  for (const folder of foldersOf(program)) {
    const files = await filesIn(folder);
    if (files !== undefined) return files;
  }
  throw new LinksealError("usage", "its files were not built", {
    effect: "none",
    where: "serve.page",
    next: "npm run build, and start the agent again",
  });
}

async function filesIn(folder: string): Promise<ReadonlyMap<string, PageFile> | undefined> {
  try {
    const rows = Object.entries(names).map(async ([path, [name, type]]) => {
      return [path, { type, octets: await readFile(join(folder, name)) }] as const;
    });
    return new Map(await Promise.all(rows));
  } catch {
    // The other folder may have them.
    return undefined;
  }
}
