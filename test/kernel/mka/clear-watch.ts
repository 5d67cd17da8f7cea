// Frames that cross a wire in the clear.

import { enterNetwork, ip, native } from "../lab.ts";

/** IPv4, ARP and IPv6. */
const etherTypes = [0x0800, 0x0806, 0x86dd];

/** Frames that are neither MACsec nor EAPOL, as they arrive at the port of this network. */
export class ClearWatch implements Disposable {
  readonly observed: string[] = [];
  readonly #sockets: ReturnType<typeof native.openFrames>[] = [];
  readonly #room = new Uint8Array(16_384);

  /** Enters that network with this thread, which stays there. */
  constructor(network: string, port = "wire") {
    enterNetwork(network);
    const [link] = JSON.parse(ip("-n", network, "-j", "link", "show", port)) as [
      { ifindex: number },
    ];
    for (const type of etherTypes) {
      const broadcast = new Uint8Array(6).fill(0xff);
      const socket = native.openFrames(link.ifindex, type, broadcast, () => {
        const length = native.receive(socket, this.#room);
        if (length > 0) this.observed.push(Buffer.from(this.#room.subarray(0, 64)).toString("hex"));
      });
      this.#sockets.push(socket);
    }
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) native.close(socket);
  }
}
