// The verb keys: which keys of every link are in the vault, and how an operator puts new pairs
// there.

import type { Command } from "commander";
import type { KeyReport } from "../api/key-report.ts";
import { keysText, shortCkn } from "../model/ckn-text.ts";
import type { MadeKey } from "../operate/keys/make.ts";
import { type VaultOptions, withCredential } from "./credential-option.ts";
import { usage } from "./failure.ts";
import { type Common, Session } from "./session.ts";
import { exit, verb } from "./shape.ts";
import { outKind, table } from "./table.ts";

export function registerKeys(program: Command): void {
  const keys = program.command("keys").description("keys in the vault and in use; never a value");
  verb(
    keys.command("list").description("the key of every link: version, age, and who uses it"),
    "linkseal keys list",
  ).action(listKeys);
  verb(
    withCredential(
      keys
        .command("check")
        .description(
          "whether the newest pair of each link could be used; the agent asks, or you do with " +
            "`--credential`",
        ),
    ),
    "linkseal keys check",
  ).action(checkThem);
  verb(
    withCredential(
      keys
        .command("generate <target>")
        .description("put a fresh key pair for a link, or for each of a group, into the vault"),
    ),
    "linkseal keys generate erd-dub/primary --credential azureCli",
  ).action(generate);
  verb(
    withCredential(
      keys
        .command("pair <link>")
        .description("declare that a CAK and a CKN version in the vault are a pair")
        .requiredOption("--cak <version>", "version of the link's CAK secret")
        .requiredOption("--ckn <version>", "version of its CKN secret"),
    ),
    "linkseal keys pair erd-dub/primary --cak VERSION --ckn VERSION --credential azureCli",
  ).action(pair);
}

async function listKeys(options: Common): Promise<void> {
  const session = new Session(options);
  const report = await session.view<KeyReport>("/v1/keys");
  await session.show(report, async ({ keys }) => {
    const head = ["link", "ckn", "version", "generation", "days", "enabled", "until", "used by"];
    const cells = keys.map((key) => [
      key.link,
      keysText(key) ?? "-",
      key.cakVersion ?? "-",
      key.generation === null ? "-" : String(key.generation),
      key.ageDays === null ? "-" : String(key.ageDays),
      key.enabled === null ? "-" : key.enabled ? "yes" : "no",
      key.notAfter ?? "-",
      key.usedBy.join(", ") || "-",
    ]);
    const findings = keys.filter(({ finding }) => finding !== null).flatMap(checkLines);
    return [await table(head, cells, outKind()), ...findings].join("\n");
  });
}

async function checkThem(options: VaultOptions): Promise<void> {
  const session = new Session(options);
  const report = await keysChecked(session, options);
  await session.show(report, ({ keys }) =>
    keys.length === 0 ? "nothing to check: no link is known" : keys.flatMap(checkLines).join("\n"),
  );
  exit(report.keys.some(({ finding }) => finding?.severity === "error") ? 1 : 0);
}

async function keysChecked(session: Session, options: VaultOptions): Promise<KeyReport> {
  if (options.credential === undefined && options.file === undefined) {
    return await session.view<KeyReport>("/v1/keys");
  }
  const { checkVault } = await import("./keys-open.ts");
  const { vaultReport } = await import("../api/key-report.ts");
  const { checks, at } = await checkVault(session, options);
  return vaultReport(checks, at);
}

function checkLines({ link, newest, finding }: KeyReport["keys"][number]): readonly string[] {
  const good = newest === null ? "" : ` (CKN ${shortCkn(newest.ckn)}, ${generationText(newest)})`;
  if (finding === null) return [`${link}: the newest pair can be used${good}`];
  const { severity, text, code, next } = finding;
  const worth = severity === "warning" ? `the newest pair can be used${good}, but ` : "";
  return [`${link}: ${worth}${text} (${code})`, `  next: ${next}`];
}

function generationText({ generation }: { readonly generation: number | null }): string {
  return generation === null ? "without a generation" : `generation ${generation}`;
}

interface MadeReport {
  readonly schema: "linkseal.made-keys/1";
  readonly keys: readonly {
    readonly link: string;
    readonly did: MadeKey["did"];
    readonly ckn: string;
    readonly generation: number;
    readonly cakSecretId: string;
    readonly cknSecretId: string;
  }[];
}

function reportOf(made: readonly MadeKey[]): MadeReport {
  const keys = made.map(({ link, did, generation, key }) => ({ link, did, generation, ...key }));
  return { schema: "linkseal.made-keys/1", keys };
}

const didText: Readonly<Record<MadeKey["did"], string>> = {
  generated: "a fresh pair is in the vault",
  paired: "these versions are a pair now",
  nothing: "these versions were a pair already",
};

function madeLines({ keys }: MadeReport): string {
  return keys
    .map(({ link, did, ckn, generation }) =>
      [`${link}: ${didText[did]}: CKN ${ckn}, generation ${generation}`].join("\n"),
    )
    .join("\n");
}

async function generate(target: string, options: VaultOptions): Promise<void> {
  const session = new Session(options);
  const { linksNamed, neverStopped, openVault } = await import("./keys-open.ts");
  const { generateKey } = await import("../operate/keys/make.ts");
  const { desired, parts } = await openVault(session, options);
  const made: MadeKey[] = [];
  try {
    for (const link of linksNamed(desired, target)) {
      made.push(await generateKey(parts, link, neverStopped));
    }
  } catch (error) {
    if (made.length > 0) session.note(madeLines(reportOf(made)));
    throw error;
  }
  await session.show(reportOf(made), madeLines);
}

interface PairOptions extends VaultOptions {
  readonly cak: string;
  readonly ckn: string;
}

async function pair(target: string, options: PairOptions): Promise<void> {
  const session = new Session(options);
  const { linksNamed, neverStopped, openVault } = await import("./keys-open.ts");
  const { desired, parts } = await openVault(session, options);
  const [link, ...more] = linksNamed(desired, target);
  if (link === undefined || more.length > 0) {
    throw usage("a pair belongs to one link", "linkseal keys pair GROUP/LINK");
  }
  const { pairKey } = await import("../operate/keys/make.ts");
  const all = desired.groups.flatMap((group) => group.links);
  const { cak, ckn } = options;
  const made = await pairKey(parts, link, { cak, ckn }, all, neverStopped);
  await session.show(reportOf([made]), madeLines);
}
