// Loaded with `node --import`: at the end of the process it writes the names of all files that were
// loaded.

import { writeFileSync } from "node:fs";
import { registerHooks } from "node:module";

export interface HookEnvironment {
  /** The file to which they are written. */
  readonly LOADED_TO: string;
}

const urls: string[] = [];

registerHooks({
  load(url, context, next) {
    urls.push(url);
    return next(url, context);
  },
});

process.once("exit", () => writeFileSync(process.env["LOADED_TO"] ?? "", urls.join("\n")));
