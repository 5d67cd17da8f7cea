// A station at the far end of a wire whose every MKPDU a test writes. It has no SecY: what it says
// about its SAKs is true or not, as the test wants.

import { setTimeout as rest } from "node:timers/promises";
import { locate, type Mkpdu, parse } from "#drivers/linux/mka/mkpdu.ts";
import { FrameChannel } from "#drivers/transport/frames.ts";
import { MkpduWriter, type Rest } from "../../unit/kit/kay-writer.ts";
import { enterNetwork, ipJson, native, until } from "../lab.ts";
import type { TestKey } from "./station.ts";

/** The SCI of the far end of a wire: the address that `wire` gives it, and port 1. */
const sci = "02000000000b0001";
const answerEveryMs = 500;

const newMi = (): string => Buffer.from(crypto.getRandomValues(new Uint8Array(12))).toString("hex");

export class FakePeer extends MkpduWriter implements Disposable {
  /** The MKPDUs of the near end in its own CA. */
  readonly heard: Mkpdu[] = [];
  readonly #channel: FrameChannel;

  constructor(network: string, key: TestKey) {
    super(key, sci, newMi());
    enterNetwork(network);
    const [link] = ipJson<{ ifindex: number }[]>("link", "show", "wire");
    this.#channel = new FrameChannel(native, link?.ifindex ?? 0, {
      frame: (octets) => this.#hear(octets),
      trouble: () => undefined,
    });
  }

  #hear(octets: Uint8Array): void {
    const located = locate(Uint8Array.from(octets));
    if (located.kind !== "located" || located.ckn !== this.ca.ckn) return;
    const mkpdu = parse(located);
    if (!("kind" in mkpdu)) this.heard.push(mkpdu);
  }

  send(more: Rest = {}): void {
    this.#channel.send(this.frame(more));
  }

  /** Reports that the near end is live. */
  answer(more: Rest = {}): void {
    const last = this.heard.at(-1)?.basic;
    this.send({ livePeers: last === undefined ? [] : [{ mi: last.mi, mn: last.mn }], ...more });
  }

  /** Says hello, and answers once the near end has heard it. */
  async meet(more: Rest = {}): Promise<void> {
    this.send();
    await until(() => {
      const peers = this.heard.flatMap((one) => [...one.potentialPeers, ...one.livePeers]);
      return peers.some(({ mi }) => mi === this.mi) || undefined;
    });
    this.answer(more);
  }

  /** Answers twice a second for so long. */
  async keepOn(ms: number, more: () => Rest = () => ({})): Promise<void> {
    const end = performance.now() + ms;
    while (performance.now() < end) {
      this.answer(more());
      await rest(answerEveryMs);
    }
  }

  /** The SAK that the near end distributes; undefined = it distributes none. */
  get distributed(): { readonly mi: string; readonly kn: number; readonly an: number } | undefined {
    const last = this.heard.findLast(({ distributedSak }) => distributedSak !== undefined);
    const sak = last?.distributedSak;
    if (last === undefined || sak?.kind !== "wrapped") return undefined;
    return { mi: last.basic.mi, kn: sak.kn, an: sak.an };
  }

  /** Its report on the SAK that the near end distributes. */
  report(how: "receive" | "transmit"): Rest {
    const sak = this.distributed;
    return sak === undefined ? {} : this.use(sak.kn, sak.an, how, 1, sak.mi);
  }

  [Symbol.dispose](): void {
    this.#channel[Symbol.dispose]();
  }
}
