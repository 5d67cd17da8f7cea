// Makes the streams of the engine, and says where existing ones differ. It changes and deletes
// none: what is in them cannot be made again.

import { isObject } from "#hal/decoder.ts";
import { renewUsers } from "../fleet/engine.ts";
import type { NatsSession } from "../fleet/nats-session.ts";
import { differing, type StoreSettings, stores } from "../fleet/stores.ts";

/** What was found of a stream. */
type StoreState =
  | { readonly kind: "made" | "asWanted" | "missing" }
  /** `settings`: names of the settings that are not as wanted. */
  | { readonly kind: "other"; readonly settings: readonly string[] }
  /** `why`: JetStream's own number for the error. */
  | { readonly kind: "refused"; readonly why: string };

/** A stream and what was found of it. */
export interface StoreRow {
  /** Name of the stream. */
  readonly name: string;
  /** What was found of it. */
  readonly state: StoreState;
  /** Octets that it has and may have; absent = not known. */
  readonly space?: { readonly bytes: number; readonly bytesMax: number };
}

/** Looks at every stream. Throws LinksealError. */
export async function lookAtStores(session: NatsSession): Promise<readonly StoreRow[]> {
  const rows: StoreRow[] = [];
  for (const store of stores) rows.push({ name: store.name, ...(await lookAt(session, store)) });
  return rows;
}

/** Makes the streams that are missing. Throws LinksealError. */
export async function makeStores(session: NatsSession): Promise<readonly StoreRow[]> {
  const rows: StoreRow[] = [];
  for (const store of stores) {
    const found = await lookAt(session, store);
    const state = found.state.kind === "missing" ? await make(session, store) : found.state;
    rows.push({ name: store.name, state });
  }
  return rows;
}

/** JetStream's number for "stream not found". */
const notFound = 10_059;
/** Error numbers of JetStream (nats-server, server/errors.json), with the next act. */
const meaningOf: Readonly<Record<number, string>> = {
  [notFound]: "there is no such stream: linkseal hub setup",
  10039: `the hub's account has no JetStream: ${renewUsers}`,
  10076: `JetStream is off in this server: ${renewUsers}`,
  10047: "there is no room for its limit: max_file of the server's configuration, or its disk",
};

async function lookAt(session: NatsSession, store: StoreSettings): Promise<Omit<StoreRow, "name">> {
  const info = await session.api(`$JS.API.STREAM.INFO.${store.name}`, undefined);
  const { error, config, state: contents } = info;
  if (isObject(error)) {
    return { state: error["err_code"] === notFound ? { kind: "missing" } : refused(error) };
  }
  const found = isObject(config) ? config : {};
  const settings = differing(store, found);
  const state: StoreState =
    settings.length === 0 ? { kind: "asWanted" } : { kind: "other", settings };
  const bytes = isObject(contents) ? contents["bytes"] : undefined;
  const bytesMax = found["max_bytes"];
  const isKnown = typeof bytes === "number" && typeof bytesMax === "number";
  return isKnown ? { state, space: { bytes, bytesMax } } : { state };
}

async function make(session: NatsSession, store: StoreSettings): Promise<StoreState> {
  const { error } = await session.api(`$JS.API.STREAM.CREATE.${store.name}`, store);
  return isObject(error) ? refused(error) : { kind: "made" };
}

function refused(error: Readonly<Record<string, unknown>>): StoreState {
  return { kind: "refused", why: errorText(error) };
}

/** Returns an error of JetStream in words of linkseal, with the next act where it is known. */
export function errorText({ err_code: code }: Readonly<Record<string, unknown>>): string {
  if (typeof code !== "number") return "JetStream's error";
  const meaning = meaningOf[code];
  const number = `JetStream's error ${code}`;
  return meaning === undefined ? number : `${meaning} (${number})`;
}
