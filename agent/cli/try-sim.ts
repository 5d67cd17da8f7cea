import { Command } from "commander";
import { registerSim } from "./sim-verbs.ts";
import { reportError } from "./failure.ts";
const program = new Command("linkseal").enablePositionalOptions();
registerSim(program);
for (const c of [program, ...program.commands, ...program.commands.flatMap((x) => x.commands)]) c.exitOverride();
try { await program.parseAsync(process.argv.slice(2), { from: "user" }); }
catch (e: any) { process.exitCode = e.code === "linkseal.exit" ? e.exitCode : e.exitCode === 0 ? 0 : reportError(e, false); }
