// The command: `status` on a path of its own that loads next to nothing, all else by commander.

import { reportError } from "../cli/failure.ts";

/** Runs one command line; resolves to the exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  // A reader that has seen enough (`| head`) is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? 0 : 1);
  });
  const [verb, ...rest] = argv;
  const quick = verb === "status" ? quickOptions(rest) : undefined;
  try {
    if (quick !== undefined) return await (await import("../cli/status.ts")).showStatus(quick);
    const { linksealProgram, run } = await import("./launch.ts");
    return await run(linksealProgram(), argv);
  } catch (error) {
    return reportError(error, argv.includes("--json"));
  }
}

/** undefined = something that only the long way understands: help, `--watch`, a mistake. */
function quickOptions(argv: readonly string[]): QuickOptions | undefined {
  const quick: QuickOptions = { json: argv.includes("--json"), check: argv.includes("--check") };
  return argv.every((word) => word === "--json" || word === "--check") ? quick : undefined;
}

interface QuickOptions {
  readonly json: boolean;
  readonly check: boolean;
}
