// Reports the keys of every link: which versions exist, how old they are, and which end uses them;
// never a key's value.

import { LinksealError } from "#hal/error.ts";
import { type MkaSession, strongValue } from "#hal/model.ts";
import type { KeyVault, SecretVersion } from "#hal/vault.ts";
import type { WallTime } from "#hal/world.ts";
import { type DesiredLink, linkId } from "../model/desired.ts";
import { isoTime } from "../model/iso-time.ts";
import { type LinkSnapshot, portOf } from "../model/link-snapshot.ts";
import type { AgentView } from "../runtime/agent-view.ts";
import type { KeyCheck, KeyFinding } from "../runtime/polling/key-check.ts";
import { generationOf } from "../runtime/polling/vault.ts";
import { type Binding, named } from "../store/journal/memory.ts";

interface KeyRow {
  readonly link: string;
  /**
   * CKN of the accepted key, which all members below up to `keyInUse` describe; null = no key is
   * accepted.
   */
  readonly ckn: string | null;
  readonly cakVersion: string | null;
  readonly generation: number | null;
  readonly ageDays: number | null;
  readonly enabled: boolean | null;
  readonly notAfter: string | null;
  readonly usedBy: readonly ("router" | "farEnd")[];
  /** CKN that MKA's principal actor uses; null = not known. */
  readonly keyInUse: string | null;
  /** The newest pair that could be used now; null = there is none. */
  readonly newest: {
    readonly ckn: string;
    readonly cakVersion: string;
    readonly generation: number | null;
  } | null;
  /** The most severe finding about the newest pair in the vault; null = there is none. */
  readonly finding: KeyFinding | null;
}

/**
 * The JSON of `linkseal keys list` and `GET /v1/keys`; schema linkseal.keys/1 of docs/protocol.md.
 */
export interface KeyReport {
  /** Name and version of the schema. */
  readonly schema: "linkseal.keys/1";
  /**
   * When the vault was asked, an ISO 8601 time in UTC; a second request shortly after gets the same
   * survey and the same time.
   */
  readonly at: string;
  /** One row per link, in the order of the config. */
  readonly keys: readonly KeyRow[];
}

const dayMs = 86_400_000;

/**
 * Asks the vault for versions and checks the newest pair of each link; changes nothing.
 * @throws LinksealError if the key survey of all links fails; an abort leaves nothing behind
 */
export async function keyReport(
  { supervisor, memory }: AgentView,
  now: WallTime,
  signal: AbortSignal,
): Promise<KeyReport> {
  if (supervisor === undefined) return { schema: "linkseal.keys/1", at: isoTime(now), keys: [] };
  const { deviceCache } = supervisor;
  const bound = (link: DesiredLink): Binding | undefined => named(memory.bindings, linkId(link));
  const { at, checks, vault } = await supervisor.keySurvey(signal);
  const versions = await Promise.all(
    checks.map(({ link }) => versionOf(vault, link, bound(link), signal)),
  );
  // Views are read only now: the vault needs time to answer, and an observation ages meanwhile.
  const keys = checks.map((check, index) => {
    const { link } = check;
    const [version, snapshot] = [versions[index], deviceCache.snapshot(link)];
    return rowOf({ check, binding: bound(link), version, snapshot, now });
  });
  return { schema: "linkseal.keys/1", at: isoTime(at), keys };
}

/** Makes the same report from the vault alone, for an operator on a host without an agent. */
export function vaultReport(checks: readonly KeyCheck[], now: WallTime): KeyReport {
  const unseen = { binding: undefined, version: undefined, snapshot: undefined, now };
  const keys = checks.map((check) => rowOf({ check, ...unseen }));
  return { schema: "linkseal.keys/1", at: isoTime(now), keys };
}

/**
 * Finds the CAK version that the link runs on; undefined = not found, or the vault refuses. The
 * check of the newest pair reports what the vault refuses.
 */
async function versionOf(
  vault: KeyVault,
  link: DesiredLink,
  binding: Binding | undefined,
  signal: AbortSignal,
): Promise<SecretVersion | undefined> {
  if (binding === undefined) return undefined;
  try {
    const versions = await vault.versions(link.key.cak, signal);
    return versions.find((version) => version.id === binding.key.cakSecretId);
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    return undefined;
  }
}

interface RowParts {
  readonly check: KeyCheck;
  readonly binding: Binding | undefined;
  readonly version: SecretVersion | undefined;
  readonly snapshot: LinkSnapshot | undefined;
  readonly now: WallTime;
}

function rowOf({ check, binding, version, snapshot, now }: RowParts): KeyRow {
  const { link, newest, finding } = check;
  return {
    link: linkId(link),
    ckn: binding?.key.ckn ?? null,
    cakVersion: binding === undefined ? null : lastOf(binding.key.cakSecretId),
    generation: version === undefined ? null : (generationOf(version) ?? null),
    ageDays: binding === undefined ? null : Math.floor((now - binding.created) / dayMs),
    enabled: version?.enabled ?? null,
    notAfter: version?.expires === undefined ? null : isoTime(version.expires),
    usedBy: usersOf(link, binding, snapshot),
    keyInUse: sessionOf(link, snapshot)?.principalCkn ?? null,
    newest:
      newest === undefined
        ? null
        : {
            ckn: newest.key.ckn,
            cakVersion: lastOf(newest.key.cakSecretId),
            generation: newest.generation ?? null,
          },
    finding: finding ?? null,
  };
}

function sessionOf(link: DesiredLink, snapshot: LinkSnapshot | undefined): MkaSession | undefined {
  const port = portOf(snapshot?.state, link.port);
  return port === undefined ? undefined : strongValue(port.session);
}

function usersOf(
  link: DesiredLink,
  binding: Binding | undefined,
  snapshot: LinkSnapshot | undefined,
): KeyRow["usedBy"] {
  if (binding === undefined) return [];
  const port = portOf(snapshot?.state, link.port);
  const slots = port === undefined ? undefined : strongValue(port.keys);
  const onRouter = slots?.some(({ ckn }) => ckn === binding.key.ckn) === true;
  const atFarEnd = snapshot?.peer?.pointsAt?.cakSecretId === binding.key.cakSecretId;
  return [...(onRouter ? ["router" as const] : []), ...(atFarEnd ? ["farEnd" as const] : [])];
}

function lastOf(id: string): string {
  return id.split("/").at(-1) ?? id;
}
