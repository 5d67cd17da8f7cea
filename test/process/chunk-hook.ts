// With `node --import`: at its end the process leaves the names of all files that it loaded.

import { writeFileSync } from "node:fs";
import { registerHooks } from "node:module";

export interface HookEnvironment {
  /** The file that they are left in. */
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
