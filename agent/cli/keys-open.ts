// Which vault a verb about keys asks, and with whose right.

import type { Command } from "commander";
import { Option } from "commander";
import { simKeyStore } from "#drivers/index.ts";
import { LinksealError } from "#hal/error.ts";
import type { KeyStore } from "#hal/vault.ts";
import type { WallTime } from "#hal/world.ts";
import { formatComplaint } from "../config/complaint.ts";
import { type Desired, type DesiredLink, linkId } from "../desired.ts";
import { followingClock, hostDialer } from "../host/host.ts";
import type { Intent } from "../intent/intent.ts";
import { readConfig } from "./config-file.ts";
import { usage } from "./failure.ts";
import type { Credential } from "./keys-azure.ts";
import type { Common, Session } from "./session.ts";

export interface VaultOptions extends Common {
  readonly file?: string;
  readonly credential?: Credential["kind"];
  readonly tenant?: string;
  readonly client?: string;
  readonly certificate?: string;
}

/** Options of a verb that uses the operator's own right. */
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
    .option("--file <file>", "vault and links of this config; of the accepted one if not said");
}

export interface Opened {
  readonly desired: Desired;
  readonly vault: KeyStore;
  readonly now: () => WallTime;
}

/** Reads the config; the vault is touched by the first question. */
export async function openVault(session: Session, options: VaultOptions): Promise<Opened> {
  const desired = await desiredOf(session, options.file);
  const { azure } = desired;
  if (azure.cloud === "sim") {
    if (options.credential !== undefined) {
      throw usage("a simulated site asks for no identity", "leave --credential away");
    }
    const clock = await followingClock(hostDialer, azure.vault);
    return { desired, vault: simKeyStore(hostDialer, azure.vault), now: () => clock.wall() };
  }
  const credential = credentialOf(options);
  const { operatorVault } = await import("./keys-azure.ts");
  const { hostClock } = await import("../host/clock.ts");
  const tell = (text: string): void => session.note(text);
  const vault = operatorVault({ azure, credential, clock: hostClock, dial: hostDialer, tell });
  return { desired, vault, now: () => hostClock.wall() };
}

async function desiredOf(session: Session, file: string | undefined): Promise<Desired> {
  const config =
    file === undefined
      ? { file: "the accepted config", text: (await session.view<Intent>("/v1/config")).text }
      : await readConfig(file);
  const { parseConfig } = await import("../config/index.ts");
  const parsed = parseConfig(config.text, config.file, Date.now() as WallTime);
  if (parsed.kind === "ok") return parsed.desired;
  const text = parsed.complaints.map(formatComplaint).join("\n");
  const next = "linkseal validate FILE";
  const details = { effect: "none", where: config.file, next, cause: parsed.complaints } as const;
  throw new LinksealError("config.invalid", text, details);
}

const idForm = /^[0-9A-Za-z.-]{1,80}$/;

function credentialOf(options: VaultOptions): Credential {
  const { credential, tenant, client, certificate } = options;
  for (const [name, value] of Object.entries({ tenant, client })) {
    if (value !== undefined && !idForm.test(value)) {
      throw usage(`--${name} is no id or domain`, "linkseal keys generate --help");
    }
  }
  if (credential === undefined) {
    const text = "a real vault is asked with your own right, which you choose";
    throw usage(text, "add --credential azureCli, deviceCode or certificate");
  }
  switch (credential) {
    case "azureCli":
      return { kind: credential, tenant };
    case "deviceCode":
      return { kind: credential, tenant, client };
    case "certificate": {
      if (tenant === undefined || client === undefined || certificate === undefined) {
        const next = "add --tenant ID --client ID --certificate FILE";
        throw usage("a certificate is of one application in one tenant", next);
      }
      return { kind: credential, tenant, client, file: certificate };
    }
  }
}

/** The links that a `group` or `group/link` names; throws `usage` if there are none. */
export function linksNamed(desired: Desired, target: string): readonly DesiredLink[] {
  const links = desired.groups.flatMap((group) => group.links);
  const found = links.filter((link) => target === link.group || target === linkId(link));
  if (found.length > 0) return found;
  throw usage(`the config names no link or group ${JSON.stringify(target)}`, "linkseal links");
}
