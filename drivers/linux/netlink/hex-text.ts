// Netlink messages as text: hexadecimal octets, as `tcpdump -x` and `xxd` print them.

import type { NetlinkMessage } from "#hal/netlink.ts";
import { eachMessage } from "../../transport/netlink-wire.ts";

const octetsMax = 16 * 1024 * 1024;
const offset = /^\s*(?:0x)?([0-9a-fA-F]{4,8}):\s+/;

/**
 * Returns the messages in a text. A line without an offset, or with offset 0, begins what one
 * receive call returned; lines that begin with `#` are comments. undefined = a line is not
 * hexadecimal.
 * @throws LinksealError `device.unparsed` for octets that are not netlink messages
 */
export function messagesOfHex(text: string): readonly NetlinkMessage[] | undefined {
  const buffers: string[] = [];
  let length = 0;
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const at = offset.exec(line);
    // Characters may follow the octets behind two blanks.
    const digits = line
      .slice(at?.[0].length ?? 0)
      .replace(at === null ? /$/ : / {2}.*$/, "")
      .replaceAll(/\s/g, "");
    if (!/^(?:[0-9a-fA-F]{2})+$/.test(digits)) return undefined;
    length += digits.length / 2;
    if (length > octetsMax) return undefined;
    const begins = at === null || Number.parseInt(at[1] ?? "", 16) === 0;
    if (begins || buffers.length === 0) buffers.push(digits);
    else buffers.push(`${buffers.pop() ?? ""}${digits}`);
  }
  return buffers.flatMap((digits) => {
    const octets = new Uint8Array(Buffer.from(digits, "hex"));
    const messages: NetlinkMessage[] = [];
    eachMessage(new DataView(octets.buffer), octets.length, (one) => messages.push(one));
    return messages;
  });
}
