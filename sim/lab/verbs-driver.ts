// The verbs about drivers that need a router of a lab or an emulated one.

import type { Command } from "commander";
import type { CheckOptions } from "#agent/cli/driver-contact.ts";
import { verb } from "#agent/cli/shape.ts";
import programs from "#agent/programs.json" with { type: "json" };
import type { EditOptions } from "./show-edits.ts";

/** Adds them to the verb `driver`; its `check` may then write to the device too. */
export function registerLabDrivers(program: Command): void {
  const driver = program.commands.find((command) => command.name() === "driver");
  if (driver === undefined) throw new RangeError("the verb driver is added first");
  const read = driver.commands.find((command) => command.name() === "check");
  read?.action(check);
  verb(
    driver
      .command("edits")
      .description(programs.lab.verbs["driver edits"])
      .requiredOption("--driver <name>", "the driver")
      .option("--model <model>", "model of the device, as it prints it")
      .option("--release <release>", "release of the device, as it prints it"),
    "linkseal driver edits --driver junos --model ptx10008 --release 23.4R1-EVO",
  ).action(showEdits);
}

async function check(file: string | undefined, options: CheckOptions): Promise<void> {
  if (options.readOnly === true) {
    const { contactDevice } = await import("#agent/cli/driver-contact.ts");
    return await contactDevice(file, options);
  }
  const { checkDevice } = await import("./driver-check.ts");
  await checkDevice(file, options);
}

async function showEdits(options: EditOptions): Promise<void> {
  const verbs = await import("./show-edits.ts");
  await verbs.showEdits(options);
}
