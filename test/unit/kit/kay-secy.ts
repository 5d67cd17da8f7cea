// A SecY that carries out operations, refuses those that a kernel would refuse, and passes data:
// frames of one SA are decoded by another only if every parameter of both is the same.

import type { HeldSecy, SecyOperation } from "#drivers/linux/mka/operations.ts";

interface Parameters {
  readonly keyId: string;
  readonly sak: string;
  readonly ssci: number | undefined;
  readonly salt: string | undefined;
}

interface TransmitSa extends Parameters {
  nextPn: bigint;
}

interface ReceiveSa extends Parameters {
  enabled: boolean;
  /** Frames below are refused. */
  lowestPn: bigint;
  /** The number behind the highest that came. */
  nextPn: bigint;
}

export interface DataFrame extends Parameters {
  readonly sci: string;
  readonly an: number;
  readonly pn: bigint;
}

const hex = (octets: Readonly<Uint8Array>): string => Buffer.from(octets).toString("hex");

export class TestSecy {
  readonly sci: string;
  readonly transmit = new Map<number, TransmitSa>();
  readonly receive = new Map<string, Map<number, ReceiveSa>>();
  encodingAn: number | undefined;
  /** Every SAK of which a transmit SA was ever made. */
  readonly used: string[] = [];
  /** Errors with which the next operations of a kind end. */
  readonly faults: { kind: SecyOperation["kind"]; errno: string }[] = [];
  readonly log: string[] = [];

  constructor(sci: string) {
    this.sci = sci;
  }

  /**
   * Carries out an operation. Returns undefined if that is done, otherwise the name of the error.
   */
  carryOut(operation: SecyOperation): string | undefined {
    const fault = this.faults.findIndex(({ kind }) => kind === operation.kind);
    const errno = fault === -1 ? this.#try(operation) : this.faults.splice(fault, 1)[0]?.errno;
    this.log.push(errno === undefined ? operation.kind : `${operation.kind}: ${errno}`);
    return errno;
  }

  #try(operation: SecyOperation): string | undefined {
    switch (operation.kind) {
      case "createReceiveSc":
        if (this.receive.has(operation.sci)) return "EEXIST";
        this.receive.set(operation.sci, new Map());
        return undefined;
      case "deleteReceiveSc":
        return this.receive.delete(operation.sci) ? undefined : "ENODEV";
      case "installTransmitSa": {
        if (this.transmit.has(operation.an)) return "EBUSY";
        const sa = parametersOf(operation);
        this.used.push(sa.sak);
        this.transmit.set(operation.an, { ...sa, nextPn: operation.nextPn });
        return undefined;
      }
      case "enableTransmit":
        if (!this.transmit.has(operation.an)) return "ENODEV";
        this.encodingAn = operation.an;
        return undefined;
      case "deleteTransmitSa":
        if (!this.transmit.delete(operation.an)) return "ENODEV";
        if (this.encodingAn === operation.an) this.encodingAn = undefined;
        return undefined;
      case "installReceiveSa":
      case "enableReceive":
      case "raiseLowestPn":
      case "deleteReceiveSa":
        return this.#tryOnChannel(operation);
    }
  }

  #tryOnChannel(
    operation: SecyOperation & {
      kind: "installReceiveSa" | "enableReceive" | "raiseLowestPn" | "deleteReceiveSa";
    },
  ): string | undefined {
    const channel = this.receive.get(operation.sci);
    if (channel === undefined) return "ENODEV";
    if (operation.kind === "installReceiveSa") {
      if (channel.has(operation.an)) return "EBUSY";
      const { lowestPn } = operation;
      const sa = parametersOf(operation);
      channel.set(operation.an, { ...sa, enabled: false, lowestPn, nextPn: lowestPn });
      return undefined;
    }
    const sa = channel.get(operation.an);
    if (sa === undefined) return "ENODEV";
    if (operation.kind === "enableReceive") sa.enabled = true;
    else if (operation.kind === "raiseLowestPn") sa.lowestPn = operation.lowestPn;
    else channel.delete(operation.an);
    return undefined;
  }

  get encoding(): TransmitSa | undefined {
    return this.encodingAn === undefined ? undefined : this.transmit.get(this.encodingAn);
  }

  /** Returns undefined if no frame can leave. */
  encode(): DataFrame | undefined {
    const sa = this.encoding;
    if (sa === undefined || this.encodingAn === undefined) return undefined;
    const { keyId, sak, ssci, salt } = sa;
    const frame = { sci: this.sci, an: this.encodingAn, pn: sa.nextPn, keyId, sak, ssci, salt };
    sa.nextPn += 1n;
    return frame;
  }

  /** Returns undefined if the frame is passed on, otherwise the reason why it is not. */
  decode(frame: DataFrame): string | undefined {
    const sa = this.receive.get(frame.sci)?.get(frame.an);
    const why = this.#refusal(frame);
    if (why === undefined && sa !== undefined && frame.pn >= sa.nextPn) sa.nextPn = frame.pn + 1n;
    return why;
  }

  #refusal(frame: DataFrame): string | undefined {
    const sa = this.receive.get(frame.sci)?.get(frame.an);
    if (sa === undefined || !sa.enabled) return "no SA";
    if (sa.sak !== frame.sak || sa.ssci !== frame.ssci || sa.salt !== frame.salt)
      return "not valid";
    return frame.pn < sa.lowestPn || frame.pn < sa.nextPn ? "late" : undefined;
  }

  /** True if all frames that leave `from` are accepted here. */
  hears(from: TestSecy): boolean {
    const sa = from.encoding;
    if (sa === undefined || from.encodingAn === undefined) return true;
    const { keyId, sak, ssci, salt } = sa;
    const frame = { sci: from.sci, an: from.encodingAn, pn: sa.nextPn, keyId, sak, ssci, salt };
    return this.#refusal(frame) === undefined;
  }

  /** Makes the device anew. */
  clear(): void {
    this.transmit.clear();
    this.receive.clear();
    this.encodingAn = undefined;
  }

  /** Returns the content of a dump of the kernel. */
  observe(): HeldSecy {
    return {
      encodingAn: this.encodingAn ?? 0,
      transmitSas: [...this.transmit].map(([an, { keyId, nextPn }]) => ({
        an,
        keyId,
        active: true,
        nextPn,
      })),
      receiveScis: [...this.receive.keys()],
      receiveSas: [...this.receive].flatMap(([sci, channel]) =>
        [...channel].map(([an, { keyId, enabled, nextPn }]) => {
          return { sci, an, keyId, active: enabled, nextPn };
        }),
      ),
    };
  }
}

type Install = SecyOperation & { kind: "installReceiveSa" | "installTransmitSa" };

// Takes the octets out of the secrets and wipes them, as the edge does.
function parametersOf({ keyId, sak, extended }: Install): Parameters {
  const parameters = {
    keyId,
    sak: sak.use(hex),
    ssci: extended?.ssci,
    salt: extended?.salt.use(hex),
  };
  sak[Symbol.dispose]();
  extended?.salt[Symbol.dispose]();
  return parameters;
}
