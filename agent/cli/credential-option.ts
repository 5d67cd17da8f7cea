// The options by which an operator names a vault, and the identity to use there.

import { type Command, Option } from "commander";
import type { Credential } from "./keys-azure.ts";
import type { Common } from "./session.ts";

export interface VaultOptions extends Common {
  readonly file?: string;
  readonly credential?: Credential["kind"];
  readonly tenant?: string;
  readonly client?: string;
  readonly certificate?: string;
}

/** Adds the options of a verb that uses the operator's own identity. */
export function withCredential(command: Command): Command {
  return command
    .addOption(
      new Option("--credential <kind>", "how you sign in to Azure").choices([
        "azureCli",
        "deviceCode",
        "certificate",
      ]),
    )
    .option("--tenant <id>", "tenant to sign in to")
    .option("--client <id>", "application to sign in as")
    .option("--certificate <file>", "PEM with key and certificate, mode 0600")
    .option(
      "--file <file>",
      "the config that names vault and links; the accepted one if not given",
    );
}
