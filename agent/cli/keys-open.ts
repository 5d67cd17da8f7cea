// Finds out which vault a verb about keys uses, and with whose identity.

import { simKeyStore } from "#drivers/index.ts";
import type { WallTime } from "#hal/world.ts";
import { hostClock } from "../host/clock.ts";
import { hostEntropy } from "../host/entropy.ts";
import { followingClock, hostDialer } from "../host/host.ts";
import { type Desired, type DesiredLink, linkId } from "../model/desired.ts";
import type { MakeParts } from "../operate/keys/make.ts";
import { type KeyCheck, surveyKeys } from "../runtime/polling/key-check.ts";
import type { Intent } from "../store/intent/intent.ts";
import { invalidConfig, readConfig, thenPlanCopy, thenValidate } from "./config-file.ts";
import type { VaultOptions } from "./credential-option.ts";
import { usage } from "./failure.ts";
import type { Credential } from "./keys-azure.ts";
import type { Session } from "./session.ts";

export interface Opened {
  readonly desired: Desired;
  readonly parts: MakeParts;
}

/**
 * A signal that never aborts: the operator ends a verb with Ctrl-C, and every exchange has a
 * deadline of its own.
 */
export const neverStopped = new AbortController().signal;

/**
 * Reads the config and prepares the vault, to which the first call connects.
 * @throws LinksealError with `usage` or `config.invalid`
 */
export async function openVault(session: Session, options: VaultOptions): Promise<Opened> {
  const desired = await desiredOf(session, options.file);
  const { azure } = desired;
  const entropy = hostEntropy;
  if (azure.cloud === "sim") {
    if (options.credential !== undefined) {
      throw usage("a simulated site asks for no identity", "leave --credential away");
    }
    const clock = await followingClock(hostDialer, azure.vault);
    const vault = simKeyStore(hostDialer, azure.vault);
    return { desired, parts: { vault, entropy, now: () => clock.wall() } };
  }
  const credential = credentialOf(options);
  const { operatorVault } = await import("./keys-azure.ts");
  const report = (text: string): void => session.note(text);
  const vault = operatorVault({ azure, credential, clock: hostClock, dial: hostDialer, report });
  return { desired, parts: { vault, entropy, now: () => hostClock.wall() } };
}

/** Checks the keys of every link of the config with the operator's own identity. */
export async function checkVault(
  session: Session,
  options: VaultOptions,
): Promise<{ readonly checks: readonly KeyCheck[]; readonly at: WallTime }> {
  const { desired, parts } = await openVault(session, options);
  const at = parts.now();
  const links = desired.groups.flatMap((group) => group.links);
  const asked = { ...parts, bound: () => undefined, now: at };
  const { checks } = await surveyKeys(asked, links, neverStopped);
  return { checks, at };
}

async function desiredOf(session: Session, file: string | undefined): Promise<Desired> {
  const config =
    file === undefined
      ? { file: "the accepted config", text: (await session.view<Intent>("/v1/config")).text }
      : await readConfig(file);
  const { parseConfig } = await import("../config/index.ts");
  const parsed = parseConfig(config.text, config.file, Date.now() as WallTime);
  if (parsed.kind === "ok") return parsed.desired;
  const next = file === undefined ? thenPlanCopy : thenValidate(file);
  throw invalidConfig(parsed.complaints, config.file, next);
}

const idForm = /^[0-9A-Za-z.-]{1,80}$/;

function credentialOf(options: VaultOptions): Credential {
  const { credential, tenant, client, certificate } = options;
  for (const [name, value] of Object.entries({ tenant, client })) {
    if (value !== undefined && !idForm.test(value)) {
      throw usage(`--${name} is neither an id nor a domain`, "linkseal keys generate --help");
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
        throw usage("a certificate belongs to one application in one tenant", next);
      }
      return { kind: credential, tenant, client, file: certificate };
    }
  }
}

/**
 * Returns the links that a `group` or `group/link` names.
 * @throws LinksealError with `usage` if there are none
 */
export function linksNamed(desired: Desired, target: string): readonly DesiredLink[] {
  const links = desired.groups.flatMap((group) => group.links);
  const found = links.filter((link) => target === link.group || target === linkId(link));
  if (found.length > 0) return found;
  throw usage(`the config names no link or group ${JSON.stringify(target)}`, "linkseal links");
}
