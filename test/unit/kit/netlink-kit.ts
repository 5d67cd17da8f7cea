// A simulated netlink socket: it answers dumps with octets, and keeps the changes that it receives.

import { netlinkFlags } from "#drivers/transport/netlink-wire.ts";
import type { Answer, NetlinkRequest, NetlinkSocket, Reader, Refusal } from "#hal/netlink.ts";
import { messagesIn, recordedOctets } from "./recorded.ts";

type Octets = Uint8Array<ArrayBuffer>;

export const hexOf = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");

/** Returns the body of a request, which must have no holes. */
function bodyOf({ body }: NetlinkRequest): string {
  return hexOf(Buffer.concat(body.map((part) => part as Uint8Array)));
}

/** Answers dumps with octets, and accepts or refuses each change. */
export class PretendSocket implements NetlinkSocket {
  /** Dumps by type and family; a request for one object is marked " one". */
  dump = new Map<string, readonly Octets[]>();
  refusal: Refusal | undefined;
  readonly asked: string[] = [];
  readonly written: { readonly type: number; readonly flags: number; readonly body: string }[][] =
    [];
  /** Returns the error of a change; undefined = it is done. */
  judge: (body: string) => string | undefined = () => undefined;

  async ask<T>(request: NetlinkRequest, read: Reader<T>): Promise<Answer<T>> {
    const family = Buffer.from(bodyOf(request), "hex")[0] ?? 0;
    const name = `${request.type}/${family}${request.flags === netlinkFlags.dump ? "" : " one"}`;
    this.asked.push(name);
    if (this.refusal !== undefined) return { kind: "refused", refusal: this.refusal };
    const found = (this.dump.get(name) ?? []).flatMap(messagesIn).map(read);
    return { kind: "answered", found: found.filter((one) => one !== undefined) };
  }

  async write(requests: Iterable<NetlinkRequest>): Promise<readonly (Refusal | undefined)[]> {
    const batch = [...requests].map((one) => ({
      type: one.type,
      flags: one.flags,
      body: bodyOf(one),
    }));
    this.written.push(batch);
    return batch.map(({ body }) => {
      const name = this.judge(body);
      return name === undefined ? undefined : { name, text: undefined };
    });
  }

  [Symbol.dispose](): void {}
}

/** Returns the recorded dumps: all addresses and routes of the site. */
export function recordedSite(): PretendSocket {
  const kernel = new PretendSocket();
  kernel.dump.set("18/0", recordedOctets("links"));
  kernel.dump.set("22/0", recordedOctets("addresses"));
  kernel.dump.set("26/2", recordedOctets("routes-4"));
  kernel.dump.set("26/10", recordedOctets("routes-6"));
  return kernel;
}
