// Frames under MACsec that another station forges: the SCI and AN of the peer, E = 0, and no key.

import { FrameChannel } from "#drivers/transport/frames.ts";
import { enterNetwork, ipJson, native } from "../lab.ts";

interface End {
  readonly network: string;
  readonly port: string;
}

interface Channel {
  readonly sci: string;
  readonly sa_list: readonly { readonly an: number; readonly active: boolean }[];
  readonly InPktsNotValid: number;
}

interface Port {
  readonly ifindex: number;
  readonly address: string;
}

/** Returns the receive channel of the SecY on that port, as `ip` prints it. */
function channelOf({ network, port }: End): Channel {
  enterNetwork(network);
  const links = ipJson<readonly { readonly ifname: string; readonly link?: string }[]>(
    ...["link", "show", "type", "macsec"],
  );
  const name = links.find(({ link }) => link === port)?.ifname ?? "";
  const [secy] = ipJson<readonly { readonly rx_sc: readonly Channel[] }[]>(
    ...["-s", "macsec", "show", name],
  );
  const [channel] = secy?.rx_sc ?? [];
  if (channel === undefined) throw new Error(`${port} has no receive channel`);
  return channel;
}

/** Returns how many frames of its peer the SecY on that port refused for their ICV. */
export const refusedIn = (network: string, port: string): number =>
  channelOf({ network, port }).InPktsNotValid;

/** Sends such frames, of 1,000 octets each; this thread is in the near network afterwards. */
export function forge(near: End, far: End, count: number): void {
  const { sci, sa_list: sas } = channelOf(near);
  const an = sas.find(({ active }) => active)?.an ?? 0;
  const [to] = ipJson<readonly Port[]>("link", "show", near.port);
  enterNetwork(far.network);
  const [from] = ipJson<readonly Port[]>("link", "show", far.port);
  const addresses = `${to?.address}${from?.address}`.replaceAll(":", "");
  using channel = new FrameChannel(native, from?.ifindex ?? 0, {
    frame: () => undefined,
    trouble: () => undefined,
  });
  for (let number = 0; number < count; number += 1) {
    const pn = (0x1000_0000 + number).toString(16).padStart(8, "0");
    const tci = (0x20 | an).toString(16).padStart(2, "0");
    const octets = new Uint8Array(1000).fill(7);
    const name = sci.replace(/^0x/, "").padStart(16, "0");
    octets.set(Buffer.from(`${addresses}88e5${tci}00${pn}${name}`, "hex"));
    channel.send(octets);
  }
  enterNetwork(near.network);
}
