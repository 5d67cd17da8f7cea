// A far end without IKE: SAs and policies typed in by hand, with plain `ip xfrm`.

import { ip } from "../lab.ts";
import { outer, type TunnelSite } from "./site.ts";

interface Direction {
  readonly spi: number;
  readonly encryption: string;
  readonly integrity: string;
}

/** As the edge sees it. */
export interface Pair {
  readonly in: Direction;
  readonly out: Direction;
}

const key = (octets: number): string =>
  Buffer.from(crypto.getRandomValues(new Uint8Array(octets))).toString("hex");

/** Of AES-256 and HMAC-SHA-256. */
export function newPair(spi: number): Pair {
  const one = (at: number): Direction => ({ spi: at, encryption: key(32), integrity: key(32) });
  return { in: one(spi), out: one(spi + 0x1000) };
}

const number = ["if_id", "7"];
const reqid = ["reqid", "7"];

export class StaticPeer {
  readonly #network: string;

  constructor({ gateway }: Pick<TunnelSite, "gateway">) {
    this.#network = gateway;
    const edge = "10.1.0.0/16";
    for (const [way, ends, [from, to]] of [
      ["out", ["src", "0.0.0.0/0", "dst", edge], [outer.gateway, outer.edge]],
      ["in", ["src", edge, "dst", "0.0.0.0/0"], [outer.edge, outer.gateway]],
      ["fwd", ["src", edge, "dst", "0.0.0.0/0"], [outer.edge, outer.gateway]],
    ] as const) {
      const template = ["tmpl", "src", from, "dst", to, "proto", "esp", ...reqid, "mode", "tunnel"];
      this.#xfrm("policy", "add", ...ends, "dir", way, ...template, ...number);
    }
  }

  /** What the edge sends by. */
  receive({ out }: Pair): void {
    this.#add([outer.edge, outer.gateway], out);
  }

  /** What the edge receives by; the newest is used. */
  send({ in: inward }: Pair): void {
    this.#add([outer.gateway, outer.edge], inward);
  }

  forget({ in: inward, out }: Pair): void {
    for (const [[from, to], { spi }] of [
      [[outer.gateway, outer.edge], inward],
      [[outer.edge, outer.gateway], out],
    ] as const) {
      const name = ["src", from, "dst", to, "proto", "esp", "spi", `${spi}`];
      this.#xfrm("state", "delete", ...name);
    }
  }

  #add([from, to]: readonly [string, string], { spi, encryption, integrity }: Direction): void {
    const name = ["src", from, "dst", to, "proto", "esp", "spi", `${spi}`, ...reqid];
    const auth = ["auth-trunc", "hmac(sha256)", `0x${integrity}`, "128"];
    const more = ["mode", "tunnel", "replay-window", "32", ...auth];
    this.#xfrm("state", "add", ...name, ...more, "enc", "cbc(aes)", `0x${encryption}`, ...number);
  }

  #xfrm(...argv: readonly string[]): void {
    ip("-n", this.#network, "xfrm", ...argv);
  }
}
