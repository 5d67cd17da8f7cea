// The command `linkseal`. `status` and the services have paths of their own that load few modules.

import { attempt } from "../cli/failure.ts";
import { services } from "../cli/launch.ts";
import { mkaOptions } from "../cli/mka-options.ts";

/** Runs one command line; resolves to the exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  const [verb, ...rest] = argv;
  const quick = verb === "status" ? quickOptions(rest) : undefined;
  const mka = verb === "mka" ? mkaOptions(rest) : undefined;
  return await attempt(argv, async () => {
    if (quick !== undefined) return await (await import("../cli/status.ts")).showStatus(quick);
    if (mka !== undefined) return await (await import("./mka.ts")).runMka(mka);
    if (verb !== undefined && services.includes(verb)) {
      const { run, serviceProgram } = await import("./services.ts");
      return await run(serviceProgram(), argv);
    }
    const { linksealProgram, run } = await import("./verbs.ts");
    return await run(linksealProgram(), argv);
  });
}

/**
 * Returns the options of a plain `status`; undefined = help, `--watch` or a mistake, which
 * commander handles.
 */
function quickOptions(argv: readonly string[]): QuickOptions | undefined {
  const quick: QuickOptions = { json: argv.includes("--json"), check: argv.includes("--check") };
  return argv.every((word) => word === "--json" || word === "--check") ? quick : undefined;
}

interface QuickOptions {
  readonly json: boolean;
  readonly check: boolean;
}
