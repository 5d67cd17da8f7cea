// The verb `fleet propose`: a person signs a config for a site, and the engine carries it there.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { LinksealError } from "#hal/error.ts";
import { type WallTime, wallAfter } from "#hal/world.ts";
import { invalidConfig, readConfig, thenValidate } from "../../cli/config-file.ts";
import { usage } from "../../cli/failure.ts";
import { configText } from "../../cli/plan-text.ts";
import { declined, refuseWithoutTerminal, saysYes } from "../../cli/question.ts";
import { Session } from "../../cli/session.ts";
import { needsPerson, parseConfig, type SettingChange } from "../../config/index.ts";
import { durationMs } from "../../config/units.ts";
import { valueBytesMax } from "../../fleet/engine.ts";
import {
  type Proposed,
  parsePayload,
  proposalNamespace,
  proposalOctets,
  proposalPayload,
  readProposal,
  type SignedProposal,
  withdrawnProposal,
} from "../../fleet/proposal.ts";
import type { Desired } from "../../model/desired.ts";
import { isoTime } from "../../model/iso-time.ts";
import { readable, visible } from "../../model/text.ts";
import { configPart } from "../../runtime/planner.ts";
import { refusedText } from "../../runtime/proposal-state.ts";
import type { PublishedConfig } from "../propose.ts";
import { type EngineOptions, loginOf, withEngineOptions } from "./engine-option.ts";

interface ProposeOptions extends EngineOptions {
  readonly config?: string;
  readonly basedOn?: string;
  readonly sign?: string;
  readonly signed?: string;
  readonly for: string;
  readonly withdraw?: true;
  readonly yes?: true;
}

const help = "linkseal fleet propose --help";
const validMs = { least: 600_000, most: 31 * 86_400_000 };

/** Adds `propose` to the verbs of many sites. */
export function registerPropose(fleet: Command): void {
  withEngineOptions(
    fleet
      .command("propose <site>")
      .description(
        "sign a config for a site and give it to the engine; the site applies it if the key is " +
          "one of its fleet.signers and nothing was accepted meanwhile",
      )
      .option("--config <file>", "the new config")
      .option("--based-on <file>", "the config that the site has accepted, which it replaces")
      .option("--sign <key>", "sign by ssh-keygen with this key; - prints what is to be signed")
      .option("--signed <file>", "what was printed, signed elsewhere; FILE.sig is its signature")
      .option("--for <duration>", "the site may apply it for so long, from 10m to 31d", "7d")
      .option("--withdraw", "take back what was proposed and not applied")
      .option("--yes", "do not ask"),
    "linkseal fleet propose dublin --config new.yaml --based-on now.yaml --sign id_ed25519.pub " +
      "--server tls://hub-1.example.net:4222 --key hub.seed",
  ).action(propose);
}

async function propose(site: string, options: ProposeOptions): Promise<void> {
  const { withEngine } = await import("../host/hub-session.ts");
  const hub = await import("../propose.ts");
  const login = await loginOf(options);
  const session = new Session(options);
  if (options.withdraw === true) {
    await withEngine(login, (engine) => hub.putProposal(engine, site, withdrawnProposal));
    const shown = { schema: "linkseal.proposed/1", site, proposal: null };
    return await session.show(shown, () => `Nothing is proposed to ${visible(site)} any more.`);
  }
  const published = await withEngine(login, (engine) => hub.publishedConfig(engine, site));
  const ready = await preparedFor(site, published, options);
  if (options.sign === "-") {
    process.stdout.write(proposalPayload(ready.proposed));
    return;
  }
  session.note(differenceText(ready));
  if (options.yes !== true) {
    refuseWithoutTerminal("linkseal fleet propose SITE --yes");
    if (!(await saysYes(`Propose it to ${visible(site)}?`))) return declined();
  }
  const signed = await signedOf(ready, options);
  const { octets, sha256, by } = checked(site, ready, signed);
  await withEngine(login, (engine) => hub.putProposal(engine, site, octets));
  const notAfter = isoTime(ready.proposed.notAfter);
  const shown = { schema: "linkseal.proposed/1", site, proposal: { sha256, by, notAfter } };
  await session.show(shown, () =>
    [`Proposed to ${site}, signed by ${by}, until ${notAfter}.`, `proposal ${sha256}`].join("\n"),
  );
}

/** What is to be signed, and how it differs from what the site has. */
interface Prepared {
  readonly proposed: Proposed;
  readonly signed: string | undefined;
  readonly before: { readonly text: string; readonly desired: Desired };
}

async function preparedFor(
  site: string,
  published: PublishedConfig | undefined,
  options: ProposeOptions,
): Promise<Prepared> {
  if (published === undefined) {
    const text = `site ${site} has published no accepted config: nothing can be based on it`;
    throw usage(text, "linkseal hub doctor --site NAME --site-key FILE");
  }
  if (options.basedOn === undefined) throw usage("--based-on is missing", help);
  const before = await validConfig(options.basedOn);
  if (sha256Of(before.text) !== published.sha256) {
    const text = `${options.basedOn} is not config ${published.number}, which ${site} has accepted`;
    throw usage(text, "linkseal config show > FILE, at the site");
  }
  if (before.desired.fleet?.proposals === undefined) {
    const text = `config ${published.number} of ${site} has no fleet.signers: it reads no proposal`;
    throw usage(text, "set fleet.signers at the site, with linkseal apply");
  }
  const found = await proposedOf(site, published, options);
  if (found.proposed.config === before.text) {
    const text = `${site} has accepted exactly this as config ${published.number}: nothing to do`;
    throw usage(text, "change the file of --config, or propose nothing");
  }
  return { ...found, before };
}

async function proposedOf(
  site: string,
  { number, sha256 }: PublishedConfig,
  { config, sign, signed: file, for: lasts }: ProposeOptions,
): Promise<Pick<Prepared, "proposed" | "signed">> {
  if (file !== undefined) {
    const signed = await textOf(file);
    const proposed = parsePayload(signed);
    const isSame = proposed?.basedOn.sha256 === sha256 && proposed.basedOn.number === number;
    if (proposed === undefined || proposed.site !== site || !isSame) {
      const text = `${file} is not a proposal to ${site} that is based on config ${number}`;
      throw usage(text, "linkseal fleet propose SITE --sign - > FILE");
    }
    return { proposed, signed };
  }
  if (config === undefined || sign === undefined) {
    throw usage("--config and --sign, or --signed alone, say what is proposed", help);
  }
  const ms = durationMs(lasts);
  if (!(ms >= validMs.least && ms <= validMs.most)) {
    throw usage("--for is a duration from 10m to 31d", help);
  }
  const { text, desired } = await validConfig(config);
  if (desired.site !== site) {
    throw usage(`${config} is a config of site ${desired.site}, and not of ${site}`, help);
  }
  const notAfter = wallAfter(Date.now() as WallTime, ms);
  const proposed = { site, basedOn: { number, sha256 }, config: text, notAfter };
  return { proposed, signed: undefined };
}

async function validConfig(file: string): Promise<Prepared["before"]> {
  const { text } = await readConfig(file);
  const parsed = parseConfig(text, file, Date.now() as WallTime);
  if (parsed.kind === "ok") return { text, desired: parsed.desired };
  throw invalidConfig(parsed.complaints, file, thenValidate(file));
}

async function textOf(file: string): Promise<string> {
  return await readFile(file, "utf8").catch(() => {
    throw usage(`${file} cannot be read`, help);
  });
}

function differenceText({ proposed, before }: Prepared): string {
  const { number } = proposed.basedOn;
  const part = configPart({ number, text: before.text }, proposed.config);
  const apply = before.desired.fleet?.proposals?.apply;
  const next = apply === "auto" ? autoText(part.settings) : "A person of the site applies it.";
  return `${configText(readable(part))}\n\n${next}`;
}

function autoText(settings: readonly SettingChange[]): string {
  const paths = settings.map(({ path }) => path).filter(needsPerson);
  if (paths.length === 0) return "The site applies it by itself (fleet.apply: auto).";
  return `A person of the site applies it, who alone may change ${visible(paths.join(", "))}.`;
}

async function signedOf(
  { proposed, signed }: Prepared,
  { sign = "", signed: file }: ProposeOptions,
): Promise<SignedProposal> {
  if (signed !== undefined) return { payload: signed, signature: await textOf(`${file}.sig`) };
  const { signWithSsh } = await import("../host/ssh-keygen.ts");
  const payload = proposalPayload(proposed);
  return { payload, signature: await signWithSsh(sign, proposalNamespace, payload) };
}

/** Reads the record as the site will, so that what the site refuses is not sent. */
function checked(site: string, { before }: Prepared, signed: SignedProposal) {
  const octets = proposalOctets(signed);
  if (octets.length > valueBytesMax) {
    const text = `the proposal has ${octets.length} octets, and the engine takes ${valueBytesMax}`;
    throw usage(text, "linkseal apply FILE, at the site");
  }
  const signers = before.desired.fleet?.proposals?.signers ?? [];
  const read = readProposal(octets, { site, signers });
  if (read.kind === "proposed") {
    const { sha256, signer } = read;
    return { octets, sha256, by: `${signer.name} (${signer.fingerprint})` };
  }
  const why = read.kind === "refused" ? refusedText(read.fault) : "it is empty";
  throw new LinksealError("usage", why, { effect: "none", where: site, next: help });
}

const sha256Of = (text: string): string => createHash("sha256").update(text, "utf8").digest("hex");
