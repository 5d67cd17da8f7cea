// Sends a few packets out of one port to the far end's peering address, by the host's ping program,
// which needs no capability of the agent.

import type { ProbeResult } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { foreignText } from "#hal/foreign-text.ts";
import type { Dialer } from "#hal/world.ts";

/** The shortest interval that ping allows an unprivileged user. */
const everySecondsMin = 0.002;
/**
 * More packets in one run would take longer than an observation may; the result reports how many
 * were sent.
 */
const packetsMax = 2_000;
/** All packets leave in about this time, however many there are. */
const spanSeconds = 2;
const lastAnswerSeconds = 1;
/** A busy host sends later than requested. */
const graceSeconds = 3;

const nothing = new Uint8Array();

/**
 * Sends `wanted` packets from `link`, the interface that has our address; changes nothing.
 * @throws LinksealError `device.unparsed` if ping's output is not understood
 */
export async function ping(
  exec: Dialer["exec"],
  to: { readonly link: string; readonly address: string },
  wanted: number,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const count = Math.min(wanted, packetsMax);
  const every = Math.max(everySecondsMin, Math.min(0.2, spanSeconds / count));
  const argv = [
    ...["ping", "-n", "-q", "-I", to.link, "-c", String(count), "-i", every.toFixed(3)],
    ...["-W", String(lastAnswerSeconds)],
    ...["-w", String(Math.ceil(2 * every * count) + graceSeconds)],
    to.address,
  ];
  const { stdout, stderr } = await exec(argv, nothing, signal);
  const text = new TextDecoder("latin1").decode(stdout.slice(-2_000));
  const [, sent, answered] =
    /^(\d{1,9}) packets transmitted, (\d{1,9}) received,/m.exec(text) ?? [];
  if (sent !== undefined && answered !== undefined) {
    return { sent: Number(sent), answered: Math.min(Number(sent), Number(answered)) };
  }
  // A link that is down is an answer too: nothing was sent, so nothing came back.
  const errorText = foreignText(new TextDecoder("latin1").decode(stderr.slice(0, 300)));
  if (/unreachable|is down|No such device|Cannot assign/i.test(errorText))
    return { sent: 0, answered: 0 };
  throw new LinksealError("device.unparsed", `ping's answer is not understood: ${errorText}`, {
    effect: "none",
    where: to.link,
    next: "linkseal doctor",
  });
}
