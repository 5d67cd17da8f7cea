import { describe, expect, it } from "vitest";
import { rootCommand, run } from "#agent/cli/command-tree.ts";
import type { ServiceLaunch } from "#agent/cli/launch.ts";
import { type MkaCommandLine, mkaOptions } from "#agent/cli/mka-options.ts";
import { registerServices } from "#agent/cli/verbs-services.ts";

/** What commander makes of the command line; undefined = it refuses it, or prints help. */
async function byCommander(argv: readonly string[]): Promise<MkaCommandLine | undefined> {
  let started: MkaCommandLine | undefined;
  const launch: Partial<ServiceLaunch> = {
    async mka(options) {
      started = options;
      return 0;
    },
  };
  const program = rootCommand().configureOutput({ writeOut: () => undefined });
  registerServices(program, launch as ServiceLaunch);
  await run(program, ["mka", ...argv]);
  return started;
}

const cache = "credential:mka-cache";

describe("the command line of an MKA process", () => {
  it.each([
    [["eth1"]],
    [["eth1", "--client", "linkseal"]],
    [["eth1", "--client", "linkseal", "--key-cache", cache]],
    [["--socket", "/run/x.sock", "eth1", "--log-level", "debug"]],
    [["--log-level", "error", "--client", "997", "e/1"]],
    [["mka", "--socket", "eth1"]],
  ])("%j is read as commander reads it", async (argv) => {
    const read = mkaOptions(argv);
    expect(read).toBeDefined();
    expect(read).toEqual(await byCommander(argv));
  });

  it.each([
    [[]],
    [["--client", "linkseal"]],
    [["eth1", "eth2"]],
    [["eth1", "--client"]],
    [["eth1", "--log-level", "loud"]],
    [["eth1", "--nothing", "x"]],
    [["eth1", "--help"]],
    [["-h"]],
    [["eth1", "--client=linkseal"]],
    [["eth1", "--client", "a", "--client", "b"]],
    [["--", "eth1"]],
    [["eth1", "--socket", "-x"]],
  ])("%j is left to commander", (argv) => {
    expect(mkaOptions(argv)).toBeUndefined();
  });
});
