// Frames that arrive at a port, counted below everything: MACsec, ESP, and data in the clear.

import { enterNetwork, ipJson, native } from "../kernel/lab.ts";

/** ETH_P_ALL: a SecY hides its frames from a socket that asks only for their type. */
const everything = 0x0003;
const etherTypes = { macsec: 0x88e5, eapol: 0x888e, ipv4: 0x0800 } as const;
const typeAt = 12;
/** The octet of the SecTAG with TCI and AN, and its E bit (IEEE 802.1AE-2018, 9.5 and 9.9). */
const tciAt = 14;
const encryptionBit = 0x08;
/** The octet of an IPv4 header with the protocol (RFC 791, 3.1), and the number of ESP. */
const [protocolAt, esp] = [23, 50];
const broadcast = new Uint8Array(6).fill(0xff);

export class WireWatch implements Disposable {
  /** Frames under MACsec so far. */
  sealed = 0;
  /** Those of them that are authenticated and not encrypted (E = 0). */
  readable = 0;
  /** Frames of data in the clear so far. */
  clear = 0;
  /** Packets of ESP (RFC 4303) so far, which are not in the clear. */
  esp = 0;
  /** The first octets of the newest frame under MACsec. */
  newest = "";
  readonly #socket: ReturnType<typeof native.openFrames>;
  readonly #room = Buffer.alloc(16_384);
  readonly #onSealed: (frame: Buffer) => void;

  /**
   * Enters that network with this thread, which stays there. `onSealed` borrows each frame under
   * MACsec.
   */
  constructor(network: string, port: string, onSealed: (frame: Buffer) => void = () => undefined) {
    this.#onSealed = onSealed;
    enterNetwork(network);
    const [link] = ipJson<readonly { readonly ifindex: number }[]>("link", "show", port);
    this.#socket = native.openFrames(link?.ifindex ?? 0, everything, broadcast, () => {
      for (;;) {
        const length = native.receive(this.#socket, this.#room);
        if (length <= typeAt) return;
        this.#count(length);
      }
    });
  }

  #count(length: number): void {
    const type = this.#room.readUInt16BE(typeAt);
    if (type === etherTypes.eapol) return;
    if (type !== etherTypes.macsec) {
      const isEsp = type === etherTypes.ipv4 && this.#room.readUInt8(protocolAt) === esp;
      if (isEsp) this.esp += 1;
      else this.clear += 1;
      return;
    }
    this.sealed += 1;
    if ((this.#room.readUInt8(tciAt) & encryptionBit) === 0) this.readable += 1;
    this.#onSealed(this.#room.subarray(0, length));
    this.newest = this.#room.toString("hex", 0, Math.min(length, 48));
  }

  [Symbol.dispose](): void {
    native.close(this.#socket);
  }
}
