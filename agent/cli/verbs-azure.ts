// The verb azure setup: what a config needs in Azure, to paste, and whether Azure has it.

import { type Command, Option } from "commander";
import type { LinksealError } from "#hal/error.ts";
import type { WallTime } from "#hal/world.ts";
import type { Complaint } from "../config/complaint.ts";
import { visible } from "../model/text.ts";
import type { AzureCheck } from "../operate/azure-setup/check.ts";
import { checkText, overviewText } from "./azure-text.ts";
import { type ConfigFile, invalidConfig, readConfig, thenValidate } from "./config-file.ts";
import { usage } from "./failure.ts";
import { type Common, Session } from "./session.ts";
import { exit, verb } from "./shape.ts";

const formats = ["text", "role", "az", "terraform"] as const;

interface SetupOptions extends Common {
  readonly format: (typeof formats)[number];
  readonly check?: true;
}

export function registerAzure(program: Command): void {
  const azure = program.command("azure").description("rights, identities and vault in Azure");
  verb(
    azure
      .command("setup [file]")
      .description(
        "what a config needs in Azure: the role, commands of az, Terraform; with --check: which " +
          "of it is there, exit status 4 if something is missing",
      )
      .addOption(
        new Option("--format <name>", "one of them alone, to paste")
          .choices([...formats])
          .default("text"),
      )
      .option("--check", "ask Azure with the agent's own identity; nothing is written"),
    "linkseal azure setup site.yaml --format az",
  ).action(setup);
}

async function setup(file: string | undefined, options: SetupOptions): Promise<void> {
  const config = await readConfig(file);
  const session = new Session(options);
  if (options.check === true) return await check(session, config, options);
  const { parseConfig } = await import("../config/index.ts");
  const { azureSetup } = await import("../operate/azure-setup/setup.ts");
  const { setupReport } = await import("../operate/azure-setup/report.ts");
  const parsed = parseConfig(config.text, config.file, Date.now() as WallTime);
  if (parsed.kind === "refused") throw refused(parsed.complaints, config);
  const report = setupReport(azureSetup(parsed.desired));
  await session.show(report, (shown) => {
    switch (options.format) {
      case "text":
        return overviewText(shown, visible(config.file));
      case "role":
        return JSON.stringify(shown.role, undefined, 2);
      // These have many lines, each of which the setup made from checked names.
      case "az":
        return report.az.trimEnd();
      case "terraform":
        return report.terraform.trimEnd();
    }
  });
}

type CheckAnswer = { readonly complaints: readonly Complaint[] } | AzureCheck;

async function check(
  session: Session,
  config: ConfigFile,
  { format }: SetupOptions,
): Promise<void> {
  if (format !== "text") throw usage("--check has no --format", "linkseal azure setup --help");
  const answer = await session.admin<CheckAnswer>("/v1/azure/check", config);
  if ("complaints" in answer) throw refused(answer.complaints, config);
  await session.show(answer, checkText);
  exit(answer.counts.missing > 0 ? 4 : 0);
}

const refused = (complaints: readonly Complaint[], { file }: ConfigFile): LinksealError =>
  invalidConfig(complaints, file, thenValidate(file));
