// Packets of protected prefixes, as they could be read on the outer side of a link.

import { enterNetwork, ipJson, native } from "../lab.ts";

/** ETH_P_ALL: frames as they are on the wire, below every SecY. */
const everything = 0x0003;
const ipv4 = 0x0800;
const vlan = 0x8100;

/** Clear packets of hosts behind the ends, in either direction on the outer side of a link. */
export class ProtectedWatch implements Disposable {
  readonly observed: string[] = [];
  readonly #socket: ReturnType<typeof native.openFrames>;
  readonly #room = Buffer.alloc(65_536);

  /** Enters that network with this thread, which stays there. */
  constructor(network: string, port: string) {
    enterNetwork(network);
    const [link] = ipJson<readonly { readonly ifindex: number }[]>("link", "show", port);
    const broadcast = new Uint8Array(6).fill(0xff);
    this.#socket = native.openFrames(link?.ifindex ?? 0, everything, broadcast, () => {
      for (;;) {
        const length = native.receive(this.#socket, this.#room);
        if (length <= 0) return;
        this.#inspect(this.#room.subarray(0, length), port);
      }
    });
  }

  #inspect(frame: Buffer, port: string): void {
    const tagged = frame.readUInt16BE(12) === vlan ? 4 : 0;
    if (frame.length < 34 + tagged || frame.readUInt16BE(12 + tagged) !== ipv4) return;
    const at = (start: number): string => [...frame.subarray(start, start + 4)].join(".");
    const [from, to] = [at(26 + tagged), at(30 + tagged)];
    const isOurs = [from, to].some((address) => /^10\.(?:1|100)\./.test(address));
    if (isOurs) this.observed.push(`${port}: ${from} > ${to}, protocol ${frame[23 + tagged]}`);
  }

  [Symbol.dispose](): void {
    native.close(this.#socket);
  }
}
