// The client of one port's MKA process: each verb is one exchange, and each answer is checked field
// by field.

import {
  counter,
  type Decoder,
  each,
  list,
  Malformed,
  name,
  object,
  oneOf,
  optional,
  property,
  sentence,
  uint32,
  variants,
} from "#hal/decoder.ts";
import { type Effect, type ErrorCode, LinksealError } from "#hal/error.ts";
import { foreignText } from "#hal/foreign-text.ts";
import { parseJson } from "#hal/json.ts";
import type {
  CipherSuite,
  KeySlot,
  MacsecSettings,
  MkaSession,
  MkpduCounters,
  SecyChanges,
} from "#hal/model.ts";
import type { Octets } from "#hal/netlink.ts";
import { SentSecrets } from "#hal/sent-secrets.ts";
import { readRecalled } from "../../local/device.ts";
import { keySlots, mkpdus, session, settings, suite } from "../../local/state.ts";
import { codeOf } from "../../local/wire.ts";
import {
  type MkaRequest,
  type RequestedOperation,
  readReply,
  type Within,
  writeRequest,
} from "./protocol.ts";
import { type MkaTrouble, troubleCodes } from "./trouble-text.ts";

/**
 * One exchange with the process. `effect`: what a lost answer may have caused; `waitMs`: how long
 * the process was asked to wait before it answers.
 */
export type AskMka = (
  octets: Octets,
  how: { readonly effect: "none" | "unknown"; readonly waitMs: number },
  signal: AbortSignal,
) => Promise<Uint8Array>;

/**
 * The state of a port's MKA process. `waiting`: it has no SecY to work on, for the reason named.
 */
export type MkaObservation =
  | {
      readonly kind: "waiting";
      readonly because: "noPort" | "noSecy" | "unclear";
      /** The token of the change that waits for its confirmation. */
      readonly pending: string | undefined;
    }
  | {
      readonly kind: "bound";
      /** The name of the SecY. */
      readonly device: string;
      readonly sci: string;
      readonly settings: MacsecSettings;
      readonly liveSuite: CipherSuite | undefined;
      readonly keys: readonly KeySlot[];
      /** Why it has no key: none was given to it since a restart. */
      readonly keyLoss: "restart" | undefined;
      readonly session: MkaSession;
      readonly mkpdus: MkpduCounters;
      readonly troubles: readonly MkaTrouble[];
      /** Undefined = another program has changed nothing in the SecY. */
      readonly secyChanges: SecyChanges | undefined;
      /** Frames without MACsec since the SecY was bound; undefined = not reported. */
      readonly clear: bigint | undefined;
      readonly pending: string | undefined;
    };

const linesMax = 16;
const troublesMax = 32;

/** A client of one port's MKA process. */
export class MkaClient {
  readonly #ask: AskMka;
  readonly #where: string;

  /** `where`: the port, for errors. */
  constructor(ask: AskMka, where: string) {
    this.#ask = ask;
    this.#where = where;
  }

  /**
   * Stages one operation of a change, by its place in it; the CAK stays the caller's. Returns one
   * line for each effect; none = it is in effect already.
   * @throws LinksealError `device.rejected` or `device.unsupported` if it cannot be carried out
   */
  async stage(
    token: string,
    place: number,
    operation: RequestedOperation,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const request = { kind: "stage", token, place, operation } as const;
    const answer = await this.#exchange(request, "none", signal);
    return this.#read(answer, property("lines", list(name, linesMax)));
  }

  /**
   * Applies a staged change; a second call has no effect.
   * @throws LinksealError `device.locked` while another change waits; `device.rejected`
   */
  async apply(token: string, within: Within, signal: AbortSignal): Promise<void> {
    await this.#send({ kind: "apply", token, within }, signal);
  }

  /**
   * Confirms a change.
   * @throws LinksealError `device.commitExpired` if it was reverted in the meantime
   */
  async confirm(token: string, signal: AbortSignal): Promise<void> {
    await this.#send({ kind: "confirm", token }, signal);
  }

  /**
   * Reverts a change that waits, or drops a staged one.
   * @throws LinksealError `device.rejected` for a final change
   */
  async rollback(token: string, signal: AbortSignal): Promise<void> {
    await this.#send({ kind: "rollback", token }, signal);
  }

  /**
   * Returns the preview of the change that waits for its confirmation; undefined = none does under
   * this token.
   */
  async recall(token: string, signal: AbortSignal): Promise<string | undefined> {
    const answer = await this.#exchange({ kind: "recall", token }, "none", signal);
    const recalled = this.#read(answer, readRecalled);
    return recalled.kind === "pending" ? recalled.preview : undefined;
  }

  /**
   * Takes one observation of the port's MKA.
   * @throws LinksealError `transport.unreachable` if no process answers; `device.unparsed`
   */
  async observe(signal: AbortSignal): Promise<MkaObservation> {
    return this.#read(await this.#exchange({ kind: "observe" }, "none", signal), observation);
  }

  /**
   * Returns how many changes happened so far, as soon as there are more than `after`, or after the
   * wait.
   */
  async changes(after: number, waitMs: number, signal: AbortSignal): Promise<number> {
    const request = { kind: "changes", after, waitMs } as const;
    const answer = await this.#exchange(request, "none", signal);
    return this.#read(answer, property("count", uint32));
  }

  async #send(request: MkaRequest, signal: AbortSignal): Promise<void> {
    await this.#exchange(request, "unknown", signal);
  }

  async #exchange(
    request: MkaRequest,
    effect: "none" | "unknown",
    signal: AbortSignal,
  ): Promise<string> {
    const waitMs = request.kind === "changes" ? request.waitMs : 0;
    // The process, or the host that passes its answer on, may quote what it got.
    using sent = new SentSecrets();
    if (request.kind === "stage" && "key" in request.operation) sent.add([request.operation.key]);
    const asked = this.#ask(writeRequest(request), { effect, waitMs }, signal);
    const reply = readReply(sent.cleanOctets(await sent.cleaning(asked)));
    if (reply.kind === "done") return reply.body;
    const { code, text, next, ...rest } = this.#read(reply.body, refusal);
    throw new LinksealError(code, foreignText(text), {
      effect: rest.effect,
      where: this.#where,
      next: foreignText(next),
    });
  }

  #read<T>(text: string, read: Decoder<T>): T {
    try {
      return read(parsed(text), "answer");
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      const what = `the MKA process answered something unknown at: ${error.message}`;
      const next = "run linkseal and linkseal-mka in the same version";
      const details = { effect: "unknown", where: this.#where, next } as const;
      throw new LinksealError("device.unparsed", what, details);
    }
  }
}

// The parser's own message quotes the text, which may contain anything, so it is dropped.
function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    throw new Malformed("json");
  }
}

const refusal = object<
  Readonly<Record<"text" | "next", string>> & { readonly code: ErrorCode; readonly effect: Effect }
>({
  code: codeOf(/^(?:transport|device)\./),
  effect: oneOf(["none", "unknown", "applied"]),
  ...each(["text", "next"], sentence),
});

const pending = optional(name);
const observation = variants<MkaObservation>({
  waiting: { because: oneOf(["noPort", "noSecy", "unclear"]), pending },
  bound: {
    ...each(["device", "sci"], name),
    settings,
    liveSuite: optional(suite),
    keys: keySlots,
    keyLoss: optional(oneOf(["restart"])),
    session,
    mkpdus,
    troubles: list(object({ code: oneOf(troubleCodes), text: sentence }), troublesMax),
    secyChanges: optional(object<SecyChanges>({ count: counter, last: sentence })),
    clear: optional(counter),
    pending,
  },
});
