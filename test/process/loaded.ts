// Runs command lines one after the other in this process, and prints the packages that were loaded.

import { registerHooks } from "node:module";

export interface Loaded {
  readonly exits: readonly number[];
  readonly packages: readonly string[];
}

const packages = new Set<string>();

registerHooks({
  load(url, context, next) {
    const name = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
    if (name !== undefined) packages.add(name);
    return next(url, context);
  },
});

const lines = JSON.parse(process.argv[2] ?? "[]") as readonly (readonly string[])[];
const { main } = await import("#agent/bin/cli.ts");
const exits: number[] = [];
for (const words of lines) exits.push(await main(words));
const reported: Loaded = { exits, packages: [...packages] };
process.stderr.write(`${JSON.stringify(reported)}\n`);
