// The summary of a ping as systems that descend from BSD print it.

import { isIP } from "node:net";

const counts = String.raw`^(\d{1,10}) packets transmitted, (\d{1,10}) (?:packets )?received`;
const loss = String.raw`(?:, (\d{1,3}(?:\.\d{1,6})?)% packet loss)?`;
const sums = new RegExp(counts + loss, "gm");

/**
 * Reads how many packets were sent and answered; a count that is undefined, and an address that is
 * none, may be any. undefined = it is another ping, there is not one summary, or its sums disagree.
 */
export function readPing(
  text: string,
  {
    address,
    count,
  }: { readonly address?: string | undefined; readonly count?: number | undefined },
): { sent: number; answered: number } | undefined {
  const [found, ...others] = text.matchAll(sums);
  const [head, ...more] = text.matchAll(/^--- (\S{1,64}) ping6? statistics ---\r?$/gm);
  if (found === undefined || head === undefined || others.length + more.length > 0) {
    return undefined;
  }
  const [sent = 0, answered = 0, lost = Number.NaN] = found.slice(1).map(Number);
  const isLoss = Number.isNaN(lost) || Math.abs((1 - answered / sent) * 100 - lost) < 1;
  const isTo = isIP(address ?? "") === 0 || head[1] === address;
  const isWhole = answered <= sent && sent === (count ?? sent) && isLoss && isTo;
  return isWhole ? { sent, answered } : undefined;
}
