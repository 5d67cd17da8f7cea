// What the MKA process is asked and answers, as octets of one frame each: a key travels raw, so
// that both ends can wipe it, and no answer has a place for one.

import { LinksealError } from "#hal/error.ts";
import { type Ckn, parseCkn } from "#hal/model.ts";
import type { Octets } from "#hal/netlink.ts";
import { Secret } from "#hal/secret.ts";
import { Malformed } from "../../local/shape.ts";
import type { OwnSettings } from "./port.ts";

/** In milliseconds: undone by itself unless it is confirmed in time. */
export type Within = number | "final";

interface Step {
  readonly token: string;
  readonly within: Within;
}

export type MkaRequest =
  /** Whoever reads it off the wire wipes the CAK. */
  | (Step & {
      readonly kind: "add";
      readonly role: "primary" | "fallback";
      readonly ckn: Ckn;
      readonly cak: Secret;
    })
  | (Step & { readonly kind: "configure"; readonly settings: OwnSettings })
  | { readonly kind: "confirm" | "recall" | "rollback"; readonly token: string }
  | { readonly kind: "remove" | "promote"; readonly ckn: Ckn }
  | { readonly kind: "rekey" }
  | { readonly kind: "observe" }
  | { readonly kind: "changes"; readonly after: number; readonly waitMs: number };

type Verb = MkaRequest["kind"];

/** Of a frame without its length. */
export const requestBytesMax = 256;
export const replyBytesMax = 256 * 1024;
const waitMsMax = 60_000;
const tokenBytesMax = 64;
/** A day: longer than any confirm, shorter than a timer of 32 bits. */
const withinMsMax = 86_400_000;
const final = 0xffffffff;

const verbs: Readonly<Record<Verb, number>> = {
  add: 1,
  confirm: 2,
  recall: 3,
  rollback: 4,
  remove: 5,
  promote: 6,
  rekey: 7,
  configure: 8,
  observe: 9,
  changes: 10,
};
const roles = ["primary", "fallback"] as const;
const delayProtections = ["off", "on"] as const;

export function writeRequest(request: MkaRequest): Octets {
  return [Uint8Array.of(verbs[request.kind]), ...fieldsOf(request)];
}

function fieldsOf(request: MkaRequest): Octets {
  switch (request.kind) {
    case "add": {
      const { token, within, role, ckn, cak } = request;
      const length = Uint8Array.of(cak.byteLength);
      return [
        ...step(token, within),
        Uint8Array.of(roles.indexOf(role)),
        ...named(ckn),
        length,
        cak,
      ];
    }
    case "configure": {
      const { token, within, settings } = request;
      const { keyServerPriority, delayProtection, sakRekeyMs } = settings;
      const octets = Uint8Array.of(keyServerPriority, delayProtections.indexOf(delayProtection));
      return [...step(token, within), octets, u32(sakRekeyMs ?? 0)];
    }
    case "confirm":
    case "recall":
    case "rollback":
      return counted(new TextEncoder().encode(request.token));
    case "remove":
    case "promote":
      return named(request.ckn);
    case "rekey":
    case "observe":
      return [];
    case "changes":
      return [u32(request.after), u32(request.waitMs)];
  }
}

function step(token: string, within: Within): Octets {
  const wait = u32(within === "final" ? final : within);
  return [...counted(new TextEncoder().encode(token)), wait];
}

function named(ckn: Ckn): Octets {
  return counted(Uint8Array.from(Buffer.from(ckn, "hex")));
}

function counted(octets: Uint8Array): Octets {
  return [Uint8Array.of(octets.length), octets];
}

function u32(value: number): Uint8Array {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setUint32(0, value);
  return octets;
}

/** Throws Malformed; the caller wipes the octets afterwards. */
export function readRequest(octets: Uint8Array): MkaRequest {
  const fields = new Fields(octets);
  const number = fields.u8("verb");
  const verb = (Object.keys(verbs) as Verb[]).find((one) => verbs[one] === number);
  if (verb === undefined) throw new Malformed("verb");
  const request = readFields(verb, fields);
  return request;
}

function readFields(kind: Verb, fields: Fields): MkaRequest {
  switch (kind) {
    case "add": {
      const told = { kind, ...readStep(fields), role: fields.choice("role", roles) };
      const ckn = readCkn(fields);
      const cak = fields.counted("cak", 16, 32);
      if (cak.length !== 16 && cak.length !== 32) throw new Malformed("cak");
      // Last: what is refused leaves no secret behind.
      fields.end();
      return { ...told, ckn, cak: Secret.take("cak", cak) };
    }
    case "configure": {
      const told = { kind, ...readStep(fields) };
      const keyServerPriority = fields.u8("keyServerPriority");
      const delayProtection = fields.choice("delayProtection", delayProtections);
      const rekeyMs = fields.u32("sakRekeyMs");
      const sakRekeyMs = rekeyMs === 0 ? undefined : rekeyMs;
      return fields.end({ ...told, settings: { keyServerPriority, delayProtection, sakRekeyMs } });
    }
    case "confirm":
    case "recall":
    case "rollback":
      return fields.end({ kind, token: readToken(fields) });
    case "remove":
    case "promote":
      return fields.end({ kind, ckn: readCkn(fields) });
    case "rekey":
    case "observe":
      return fields.end({ kind });
    case "changes": {
      const after = fields.u32("after");
      const waitMs = fields.u32("waitMs");
      if (waitMs > waitMsMax) throw new Malformed("waitMs");
      return fields.end({ kind, after, waitMs });
    }
  }
}

function readStep(fields: Fields): Step {
  const token = readToken(fields);
  const within = fields.u32("within");
  if (within === final) return { token, within: "final" };
  if (within > withinMsMax) throw new Malformed("within");
  return { token, within };
}

function readToken(fields: Fields): string {
  const text = String.fromCharCode(...fields.counted("token", 1, tokenBytesMax));
  if (!/^[!-~]+$/.test(text)) throw new Malformed("token");
  return text;
}

function readCkn(fields: Fields): Ckn {
  const ckn = parseCkn(Buffer.from(fields.counted("ckn", 1, 32)).toString("hex"));
  if (ckn === undefined) throw new Malformed("ckn");
  return ckn;
}

/** Reads from the front; nothing is read beyond the end. */
class Fields {
  readonly #octets: Uint8Array;
  #at = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  #take(what: string, length: number): Uint8Array {
    if (length > this.#octets.length - this.#at) throw new Malformed(what);
    this.#at += length;
    return this.#octets.subarray(this.#at - length, this.#at);
  }

  u8(what: string): number {
    return this.#take(what, 1)[0] ?? 0;
  }

  u32(what: string): number {
    const { buffer, byteOffset } = this.#take(what, 4);
    return new DataView(buffer, byteOffset).getUint32(0);
  }

  choice<T>(what: string, of: readonly T[]): T {
    const chosen = of[this.u8(what)];
    if (chosen === undefined) throw new Malformed(what);
    return chosen;
  }

  counted(what: string, min: number, max: number): Uint8Array {
    const length = this.u8(what);
    if (length < min || length > max) throw new Malformed(what);
    return this.#take(what, length);
  }

  end(): void;
  end<T>(read: T): T;
  end<T>(read?: T): T | undefined {
    if (this.#at !== this.#octets.length) throw new Malformed("length");
    return read;
  }
}

/** The first octet of an answer; JSON stands behind it. */
const answers = { done: 0, refused: 1 } as const;

export interface MkaReply {
  readonly kind: keyof typeof answers;
  readonly body: string;
}

export function writeReply({ kind, body }: MkaReply): Uint8Array {
  const text = new TextEncoder().encode(body);
  const octets = new Uint8Array(1 + text.length);
  octets[0] = answers[kind];
  octets.set(text, 1);
  return octets;
}

/** Throws `device.unparsed`. */
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
