// What an agent asks of `linkseal peer` on another host, and what that answers.

import {
  count,
  type Decoder,
  each,
  list,
  Malformed,
  name,
  object,
  oneOf,
  optional,
  sentence,
  variants,
} from "#hal/decoder.ts";
import type { Effect, ErrorCode } from "#hal/error.ts";
import { encodeJson, parseJson } from "#hal/json.ts";
import type { PortName } from "#hal/model.ts";
import { codeOf } from "../../local/wire.ts";

/** Both ends have the same number, or the agent does not go on. */
export const peerProtocol = 1;

/** The longest octets behind a request: a CAK, or a message for charon. */
export const requestOctetsMax = 1024 * 1024;
/** The longest octets behind a reply: a program's output. */
export const replyOctetsMax = 9 * 1024 * 1024;

const idMax = Number.MAX_SAFE_INTEGER;

/** What the process of a login knows of how it came about; undefined = not known. */
export interface LoginFacts {
  /** Whether it was run in place of what the client asked for. */
  readonly forced: "yes" | "no" | undefined;
  /** Whether each key of the login is bound to a command, and may do nothing else. */
  readonly keys: "bound" | "open" | undefined;
}

/** A request; octets may follow it. */
export type PeerRequest =
  /** The first frame, which the login sends: the agent's address, as far as sshd knows it. */
  | ({ readonly kind: "from"; readonly address: string | undefined } & LoginFacts)
  /** One exchange with linkseal-net; the octets are the body. */
  | {
      readonly kind: "net";
      readonly id: number;
      readonly method: "GET" | "POST";
      readonly path: string;
    }
  /** One exchange with the MKA process of a port; the octets are its request. */
  | {
      readonly kind: "mka";
      readonly id: number;
      readonly port: PortName;
      /** What a lost answer of the process may have caused. */
      readonly effect: "none" | "unknown";
    }
  /** Runs a program; the octets are its arguments, as JSON. */
  | { readonly kind: "run"; readonly id: number }
  /** Opens a connection to charon. */
  | { readonly kind: "open"; readonly id: number }
  /** Sends the octets over a connection. */
  | { readonly kind: "send"; readonly id: number }
  /** Closes a connection, or asks no longer for an answer. */
  | { readonly kind: "end"; readonly id: number };

const id = count(idMax);
const login = { forced: optional(oneOf(["yes", "no"])), keys: optional(oneOf(["bound", "open"])) };

/** Decodes the line of a request. */
export const readRequestLine = variants<PeerRequest>({
  from: { address: optional(name), ...login },
  net: { id, method: oneOf(["GET", "POST"]), path: name },
  mka: { id, port: name, effect: oneOf(["none", "unknown"]) },
  run: { id },
  open: { id },
  send: { id },
  end: { id },
});

/** A refusal as it crosses the wire. */
export interface PeerRefusal {
  readonly code: ErrorCode;
  readonly effect: Effect;
  readonly text: string;
  readonly where: string;
  readonly next: string;
}

/** A reply, or a part of one; octets may follow it. */
export type PeerReply =
  /** The first frame of a session. */
  | ({
      readonly kind: "hello";
      readonly protocol: number;
      readonly version: string;
      /** The agent's address, as the host sees it. */
      readonly from: string | undefined;
    } & LoginFacts)
  /**
   * `status`: of HTTP, of a program, or 0. `split`: how many of the octets are standard output; the
   * rest is standard error.
   */
  | {
      readonly kind: "answer";
      readonly id: number;
      readonly status: number;
      readonly split: number;
    }
  | { readonly kind: "opened"; readonly id: number }
  /** The octets came over a connection. */
  | { readonly kind: "data"; readonly id: number }
  /** A connection has ended. */
  | { readonly kind: "closed"; readonly id: number }
  | { readonly kind: "refused"; readonly id: number; readonly refusal: PeerRefusal };

/** Decodes the line of a reply. */
export const readReplyLine = variants<PeerReply>({
  hello: { protocol: count(idMax), version: name, from: optional(name), ...login },
  answer: { id, status: count(1_000), split: count(replyOctetsMax) },
  opened: { id },
  data: { id },
  closed: { id },
  refused: {
    id,
    refusal: object<PeerRefusal>({
      code: codeOf(/^(?:transport|device)\./),
      effect: oneOf(["none", "unknown", "applied"]),
      ...each(["text", "where", "next"], sentence),
    }),
  },
});

const wordsMax = 10_000;
const wordLengthMax = 512;

const word: Decoder<string> = (value, what) => {
  if (typeof value === "string" && value.length <= wordLengthMax) return value;
  throw new Malformed(what);
};

/** Writes the arguments of a program, the program first. */
export const writeArguments = (argv: readonly string[]): Uint8Array =>
  new TextEncoder().encode(encodeJson(argv));

/**
 * Reads the arguments of a program.
 * @throws Malformed
 */
export function readArguments(octets: Buffer): readonly string[] {
  try {
    const parsed = parseJson(octets.toString("utf8"), { values: wordsMax + 1 });
    return list(word, wordsMax)(parsed, "argv");
  } catch {
    throw new Malformed("argv");
  }
}
