// Emulated routers that answer as they should, but very much of it: what a reader does with a long
// reply in the form of a true one.

import { platforms } from "#drivers/index.ts";
import type { EmulatorSession, Wire } from "#sim/emulators/netconf.ts";
import {
  demoSite,
  paceClock,
  routerPlatforms,
  type SshServed,
  serveSsh,
} from "#sim/lab/simulate.ts";

/** An emulated router of which one reply in each observation, or all, are very long. */
interface Swollen {
  readonly kind: "swollen";
  readonly platform: keyof typeof routerPlatforms;
  /** Octets of a reply, and whether each is as long or a single one, another in each session. */
  readonly octets: number;
  readonly which: "one" | "all";
}

const swollenAttacks = (["junos", "iosxe", "iosxr", "eos"] as const).flatMap((platform) => [
  [`${platform}: one very long reply`, { platform, octets: 5_000_000, which: "one" }] as const,
  [`${platform}: many long replies`, { platform, octets: 500_000, which: "all" }] as const,
]);

export const swollen: ReadonlyMap<string, Swollen> = new Map(
  swollenAttacks.map(([name, one]) => [name, { ...one, kind: "swollen" }]),
);

/** Repeats the content with other numbers of ports and other addresses in each copy. */
function swell(content: string, octets: number): string {
  const copies: string[] = [];
  // A line, or an element, costs more than its octets.
  const cost = content.length + 40 * content.split(/\n|</).length;
  for (let length = 0; length < octets; length += cost) {
    const copy = copies.length;
    const numbered = content
      .replaceAll(/(\d{1,3})\/(\d{1,3})(?=[^\d/.]|$)/gm, (_all, slot: string) => `${slot}/${copy}`)
      .replaceAll(/\b169\.254\.\d+\.\d+/g, `10.${(copy >> 8) & 255}.${copy & 255}.2`);
    copies.push(numbered);
  }
  return copies.join("");
}

function swellXml(reply: string, octets: number): string {
  const found = /^(<rpc-reply[^>]*><([\w-]+)[^>]*>)([\s\S]*)(<\/\2><\/rpc-reply>)$/.exec(reply);
  const [, head = "", , content = "", tail = ""] = found ?? [];
  return found === null ? reply : head + swell(content, octets) + tail;
}

function swollenSend(
  { octets, which }: Swollen,
  session: number,
  wire: { readonly send: Wire["send"]; readonly begun: () => void },
): Wire["send"] {
  let replies = 0;
  const send = (octets: Uint8Array, from: Uint8Array): void => {
    if (octets.length > 2 * from.length) wire.begun();
    wire.send(octets);
  };
  return (sent) => {
    const text = Buffer.from(sent).toString("utf8");
    const isDue = which === "all" || replies === session % 16;
    const marked = /^(<rpc-reply[\s\S]*)\]\]>\]\]>$/.exec(text)?.[1];
    const rows = /^([\s\S]+\r\n)([^\r\n]+[#>] ?)$/.exec(text);
    if (marked !== undefined) {
      replies += 1;
      send(isDue ? Buffer.from(`${swellXml(marked, octets)}]]>]]>`) : sent, sent);
    } else if (rows !== null) {
      replies += 1;
      send(isDue ? Buffer.from(`${swell(rows[1] ?? "", octets)}${rows[2] ?? ""}`) : sent, sent);
    } else send(sent, sent);
  };
}

/** Serves such a router on the loopback address; `begun` is called for each long reply. */
export async function servedSwollen(attack: Swollen, begun: () => void): Promise<SshServed> {
  const { model, emulator, driver } = routerPlatforms[attack.platform];
  const { site } = demoSite("swollen", "protected", { models: () => model });
  const [router] = [...site.routers.values()];
  if (router === undefined) throw new Error("a site without routers");
  const shown = emulator(router);
  let sessions = 0;
  const connect = (wire: Wire): EmulatorSession | undefined => {
    const session = sessions++;
    return shown.connect({
      send: swollenSend(attack, session, { send: (octets) => wire.send(octets), begun }),
      close: () => wire.close(),
    });
  };
  const { channel } = platforms[driver].access;
  paceClock(site.clock, { speed: 100 });
  return await serveSsh({ port: 0, channel, connect });
}
