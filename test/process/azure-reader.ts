// Reads a vault as the agent does, in its own process, and prints the result as JSON.

import { openAzure } from "#agent/azure/open-azure.ts";
import { hostClock } from "#agent/host/clock.ts";
import { hostCredentials } from "#agent/host/credentials.ts";
import { hostDialer } from "#agent/host/host.ts";
import type { RealAzure } from "#agent/model/desired.ts";
import { LinksealError } from "#hal/error.ts";
import { patienceMs } from "../patience.ts";

export interface ReadOrder {
  readonly azure: RealAzure;
  /** A secret that holds a CKN, which may be shown. */
  readonly name: string;
  /** A secret that holds a CAK. */
  readonly cak: string;
}

export type ReadNews =
  | {
      readonly kind: "read";
      readonly ids: readonly string[];
      readonly ckn: string;
      readonly cakLength: number;
      /** Length of a token for the management API. */
      readonly tokenLength: number;
    }
  | {
      readonly kind: "refused";
      readonly code: string;
      readonly text: string;
      readonly where: string;
      readonly next: string;
    };

async function read({ azure, name, cak: cakName }: ReadOrder): Promise<ReadNews> {
  const signal = AbortSignal.timeout(patienceMs);
  const world = { clock: hostClock, dial: hostDialer };
  try {
    const { vault, token } = openAzure(world, azure, hostCredentials);
    const ids = (await vault.versions(name, signal)).map(({ id }) => id);
    using ckn = await vault.read(ids.at(-1) ?? "", signal);
    const [newest] = await vault.versions(cakName, signal);
    using cak = await vault.read(newest?.id ?? "", signal);
    using bearer = await token(`${azure.arm ?? ""}/.default`, signal);
    const text = ckn.use((bytes) => new TextDecoder().decode(bytes));
    return {
      kind: "read",
      ids,
      ckn: text,
      cakLength: cak.byteLength,
      tokenLength: bearer.byteLength,
    };
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    const { code, message, where, next } = error;
    return { kind: "refused", code, text: message, where, next };
  }
}

if (process.argv[1] === import.meta.filename) {
  const news = await read(JSON.parse(process.argv[2] ?? "") as ReadOrder);
  process.stdout.write(`${JSON.stringify(news)}\n`);
}
