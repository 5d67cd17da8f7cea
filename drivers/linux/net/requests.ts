// The verbs of linkseal-net, a fixed list: requests and their replies.

import {
  count,
  type Decoder,
  type JsonObject,
  list,
  Malformed,
  name,
  oneOf,
  property,
  recordOf,
} from "#hal/decoder.ts";
import type { Capabilities, TransactionToken } from "#hal/device.ts";
import type { ErrorCode } from "#hal/error.ts";
import { encodeJson, parseJson } from "#hal/json.ts";
import { refusalBody } from "../../local/wire.ts";
import type { NetControlServer } from "./control-server.ts";
import { type NetOperation, readOperation } from "./operation.ts";

export interface NetCall {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

export interface NetReply {
  readonly status: number;
  readonly body: string;
}

const capabilities: Capabilities = { commit: { kind: "armedRevert" } };
const operationsMax = 64;
const waitMsMax = 60_000;
const kinds: readonly NetOperation["kind"][] = [
  ...(["port.shut", "port.open", "macsec.protect", "macsec.participant"] as const),
  ...(["ipsec.block", "ipsec.back", "ipsec.carry", "ipsec.drop", "ipsec.sweep"] as const),
];

/** Answers a request. It never throws a LinksealError: a refusal is a reply. */
export async function answerNet(
  server: NetControlServer,
  call: NetCall,
  signal: AbortSignal,
): Promise<NetReply> {
  try {
    return { status: 200, body: encodeJson(await answer(server, call, signal)) };
  } catch (error) {
    // The client of a device accepts only device codes: a full disk of ours is a refusal of the
    // device.
    const codeFor = (code: ErrorCode): ErrorCode =>
      /^(?:transport|device)\./.test(code) ? code : "device.rejected";
    const body = refusalBody(error, "linkseal-net", codeFor);
    return { status: error instanceof Malformed ? 400 : 409, body };
  }
}

async function answer(
  server: NetControlServer,
  call: NetCall,
  signal: AbortSignal,
): Promise<object> {
  const { method, path, body } = call;
  const [start, root, device = "", verb, token, act, ...more] = path.split("/").map(decoded);
  const isOurs = start === "" && root === "devices" && device !== "";
  if (!isOurs || more.length > 0) throw new Malformed("path");
  if (method === "GET" && verb === undefined) return { capabilities };
  if (method !== "POST") throw new Malformed("method");
  const asked = bodyOf(body);
  if (verb === "transactions" && token !== undefined) {
    return await transact(server, token as TransactionToken, act, asked, signal);
  }
  if (token !== undefined) throw new Malformed("path");
  const of = <T>(key: string, decode: Decoder<T>): T => property(key, decode)(asked, "body");
  switch (verb ?? "") {
    case "observe":
      return await server.state(device, signal);
    case "subnets":
      return { subnets: await server.subnets(signal) };
    case "route":
      return { port: await server.routeTo(of("address", name), signal) };
    case "prepare":
      return await server.prepare(of("change", list(requestedOperation, operationsMax)), signal);
    case "recall": {
      const pending = server.recall(of("token", name) as TransactionToken);
      if (pending === undefined) return { kind: "absent" };
      const { preview, undo } = pending;
      const ports = undo.flatMap((one) => (one.kind === "macsec.participant" ? one.port : []));
      return { kind: "pending", preview, participants: ports };
    }
    case "changes": {
      const after = of("after", count(Number.MAX_SAFE_INTEGER));
      return { count: await server.changes(after, of("waitMs", count(waitMsMax)), signal) };
    }
    default:
      throw new Malformed("verb");
  }
}

async function transact(
  server: NetControlServer,
  token: TransactionToken,
  act: string | undefined,
  asked: JsonObject,
  signal: AbortSignal,
): Promise<object> {
  switch (act ?? "") {
    case "apply": {
      await server.apply(token, property("within", withinAt)(asked, "body"), signal);
      return {};
    }
    case "confirm":
      await server.confirm(token);
      return {};
    case "rollback":
      await server.rollback(token, signal);
      return {};
    default:
      throw new Malformed("act");
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Malformed("path");
  }
}

function bodyOf(body: string): JsonObject {
  if (body === "") return {};
  try {
    return recordOf(parseJson(body), "body");
  } catch {
    throw new Malformed("body");
  }
}

const withinAt: Decoder<number | "final"> = (value, what) =>
  value === "final" ? value : count(2 ** 53)(value, what);

const requestedOperation: Decoder<NetOperation> = (value, what) => {
  property("kind", oneOf(kinds))(value, what);
  return readOperation(value);
};
