// The files of the status page as the build leaves them: beside the bundle, or in dist/ of a clone.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { LinksealError } from "#hal/error.ts";

const folders = [
  join(import.meta.dirname, "web"),
  join(import.meta.dirname, "..", "..", "dist", "web"),
];

/** Which page: the agent's, or the hub's of all sites. */
export type PageScript = "page" | "hub";

const names = {
  "/": ["page.html", "text/html; charset=utf-8"],
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
export async function pageFiles(script: PageScript): Promise<ReadonlyMap<string, PageFile>> {
  for (const folder of folders) {
    const files = await filesIn(folder, script);
    if (files !== undefined) return files;
  }
  throw new LinksealError("usage", "its files were not built", {
    effect: "none",
    where: "serve.page",
    next: "npm run build, and start the agent again",
  });
}

async function filesIn(
  folder: string,
  script: PageScript,
): Promise<ReadonlyMap<string, PageFile> | undefined> {
  const code = [`${script}.js`, "text/javascript; charset=utf-8"] as const;
  try {
    const rows = Object.entries({ ...names, "/page.js": code }).map(
      async ([path, [name, type]]) => {
        return [path, { type, octets: await readFile(join(folder, name)) }] as const;
      },
    );
    return new Map(await Promise.all(rows));
  } catch {
    // The other folder may have them.
    return undefined;
  }
}
