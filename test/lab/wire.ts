// What comes in over a wire, counted by a socket below everything: MACsec, and data in the clear.

import { enterNetwork, ipJson, native } from "../kernel/lab.ts";

const etherTypes = { macsec: 0x88e5, ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;
const broadcast = new Uint8Array(6).fill(0xff);

export class WireWatch implements Disposable {
  /** Frames under MACsec so far. */
  sealed = 0;
  /** Frames of data in the clear so far. */
  clear = 0;
  /** The first octets of the newest frame under MACsec. */
  newest = "";
  readonly #sockets: ReturnType<typeof native.openFrames>[] = [];
  readonly #room = new Uint8Array(16_384);

  /** Leaves the thread in that network. */
  constructor(network: string, port: string) {
    enterNetwork(network);
    const [link] = ipJson<readonly { readonly ifindex: number }[]>("link", "show", port);
    for (const type of Object.values(etherTypes)) {
      const socket = native.openFrames(link?.ifindex ?? 0, type, broadcast, () => {
        for (;;) {
          const length = native.receive(socket, this.#room);
          if (length <= 0) return;
          this.#count(type, length);
        }
      });
      this.#sockets.push(socket);
    }
  }

  #count(type: number, length: number): void {
    if (type !== etherTypes.macsec) {
      this.clear += 1;
      return;
    }
    this.sealed += 1;
    this.newest = Buffer.from(this.#room.subarray(0, Math.min(length, 48))).toString("hex");
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) native.close(socket);
  }
}
