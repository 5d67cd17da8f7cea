// Requests and replies of the MKA process, as octets of one frame each: a key travels raw, so that
// both ends can wipe it, and no reply has a field for one.

import { Malformed } from "#hal/decoder.ts";
import { LinksealError } from "#hal/error.ts";
import { type Ckn, parseCkn } from "#hal/model.ts";
import type { Octets } from "#hal/netlink.ts";
import { Secret } from "#hal/secret.ts";
import { counted, FrameReader, u32 } from "./framing.ts";
import type { MkaOperation } from "./staging.ts";

/**
 * The time in milliseconds after which the change is reverted unless it is confirmed; `final` =
 * never.
 */
export type Within = number | "final";

export type MkaRequest =
  /**
   * One operation of a change, by its place in it; nothing takes effect before the change is
   * applied.
   */
  | {
      readonly kind: "stage";
      readonly token: string;
      readonly place: number;
      readonly operation: RequestedOperation;
    }
  | { readonly kind: "apply"; readonly token: string; readonly within: Within }
  | { readonly kind: "confirm" | "recall" | "rollback"; readonly token: string }
  | { readonly kind: "observe" }
  | { readonly kind: "changes"; readonly after: number; readonly waitMs: number };

/** The reader of the request wipes the CAK. */
export type RequestedOperation = MkaOperation<Secret>;

type Verb = MkaRequest["kind"];

/** The size of a frame without its length. */
export const requestBytesMax = 256;
/** The size of a reply, at most. */
export const replyBytesMax = 256 * 1024;
const waitMsMax = 60_000;
const tokenBytesMax = 64;
/** A day: longer than any wait for a confirmation, shorter than a timer of 32 bits. */
const withinMsMax = 86_400_000;
const final = 0xffffffff;

const verbs: Readonly<Record<Verb, number>> = {
  stage: 1,
  apply: 2,
  confirm: 3,
  recall: 4,
  rollback: 5,
  observe: 6,
  changes: 7,
};
const operationKinds = ["add", "replace", "remove", "rekey", "configure"] as const;
const delayProtections = ["off", "on"] as const;

export function writeRequest(request: MkaRequest): Octets {
  return [Uint8Array.of(verbs[request.kind]), ...bodyOf(request)];
}

function bodyOf(request: MkaRequest): Octets {
  switch (request.kind) {
    case "stage": {
      const { token, place, operation } = request;
      const head = Uint8Array.of(place, operationKinds.indexOf(operation.kind));
      return [...textOf(token), head, ...operationOctets(operation)];
    }
    case "apply": {
      const { token, within } = request;
      return [...textOf(token), u32(within === "final" ? final : within)];
    }
    case "confirm":
    case "recall":
    case "rollback":
      return textOf(request.token);
    case "observe":
      return [];
    case "changes":
      return [u32(request.after), u32(request.waitMs)];
  }
}

function operationOctets(operation: RequestedOperation): Octets {
  switch (operation.kind) {
    case "add":
    case "replace":
      return [...named(operation.ckn), ...counted(operation.key)];
    case "remove":
      return named(operation.ckn);
    case "rekey":
      return [];
    case "configure": {
      const { keyServerPriority, delayProtection, sakRekeyMs } = operation.settings;
      const octets = Uint8Array.of(keyServerPriority, delayProtections.indexOf(delayProtection));
      return [octets, u32(sakRekeyMs ?? 0)];
    }
  }
}

function textOf(text: string): Octets {
  return counted(new TextEncoder().encode(text));
}

function named(ckn: Ckn): Octets {
  return counted(Uint8Array.from(Buffer.from(ckn, "hex")));
}

/**
 * Decodes a request; the caller wipes the octets afterwards.
 * @throws Malformed
 */
export function readRequest(octets: Uint8Array): MkaRequest {
  const reader = new FrameReader(octets);
  const number = reader.u8("verb");
  const verb = (Object.keys(verbs) as Verb[]).find((one) => verbs[one] === number);
  if (verb === undefined) throw new Malformed("verb");
  const request = readBody(verb, reader);
  return request;
}

function readBody(kind: Verb, reader: FrameReader): MkaRequest {
  switch (kind) {
    case "stage": {
      const token = readToken(reader);
      const place = reader.u8("place");
      return { kind, token, place, operation: readOperation(reader) };
    }
    case "apply": {
      const token = readToken(reader);
      const within = reader.u32("within");
      if (within !== final && within > withinMsMax) throw new Malformed("within");
      return reader.end({ kind, token, within: within === final ? "final" : within });
    }
    case "confirm":
    case "recall":
    case "rollback":
      return reader.end({ kind, token: readToken(reader) });
    case "observe":
      return reader.end({ kind });
    case "changes": {
      const after = reader.u32("after");
      const waitMs = reader.u32("waitMs");
      if (waitMs > waitMsMax) throw new Malformed("waitMs");
      return reader.end({ kind, after, waitMs });
    }
  }
}

function readOperation(reader: FrameReader): RequestedOperation {
  const kind = reader.choice("kind", operationKinds);
  switch (kind) {
    case "add":
    case "replace": {
      const ckn = readCkn(reader);
      const cak = reader.counted("cak", 16, 32);
      if (cak.length !== 16 && cak.length !== 32) throw new Malformed("cak");
      // All else is checked before, so that a refused request leaves no secret behind.
      reader.end();
      return { kind, ckn, key: Secret.take("cak", cak) };
    }
    case "remove":
      return reader.end({ kind, ckn: readCkn(reader) });
    case "rekey":
      return reader.end({ kind });
    case "configure": {
      const keyServerPriority = reader.u8("keyServerPriority");
      const delayProtection = reader.choice("delayProtection", delayProtections);
      const rekeyMs = reader.u32("sakRekeyMs");
      const sakRekeyMs = rekeyMs === 0 ? undefined : rekeyMs;
      return reader.end({ kind, settings: { keyServerPriority, delayProtection, sakRekeyMs } });
    }
  }
}

function readToken(reader: FrameReader): string {
  const text = String.fromCharCode(...reader.counted("token", 1, tokenBytesMax));
  if (!/^[!-~]+$/.test(text)) throw new Malformed("token");
  return text;
}

function readCkn(reader: FrameReader): Ckn {
  const ckn = parseCkn(Buffer.from(reader.counted("ckn", 1, 32)).toString("hex"));
  if (ckn === undefined) throw new Malformed("ckn");
  return ckn;
}

/** The first octet of a reply; JSON follows. */
const answers = { done: 0, refused: 1 } as const;

export interface MkaReply {
  readonly kind: keyof typeof answers;
  readonly body: string;
}

/** Encodes a reply. */
export function writeReply({ kind, body }: MkaReply): Uint8Array {
  const text = new TextEncoder().encode(body);
  const octets = new Uint8Array(1 + text.length);
  octets[0] = answers[kind];
  octets.set(text, 1);
  return octets;
}

/**
 * Decodes a reply.
 * @throws LinksealError `device.unparsed` for an unknown kind
 */
export function readReply(octets: Uint8Array): MkaReply {
  const body = new TextDecoder().decode(octets.subarray(1));
  if (octets[0] === answers.done) return { kind: "done", body };
  if (octets[0] === answers.refused) return { kind: "refused", body };
  throw new LinksealError("device.unparsed", "the MKA process answered something unknown", {
    effect: "unknown",
    where: "linkseal-mka",
    next: "run linkseal and linkseal-mka in the same version",
  });
}
