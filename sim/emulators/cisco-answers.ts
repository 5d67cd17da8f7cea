// The parts of answers that Cisco's platforms print alike, from the state of the simulated router.

import type { MacsecPort, MkaParticipant, MkaSession } from "#hal/model.ts";
import type { Router } from "../router/router.ts";
import { rowsOf } from "./cli-answers.ts";
import { answeredProbes, known, portWith, protectedPorts } from "./router-facts.ts";

const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** Returns `Wed Nov 25 18:00:00.250 UTC`, the stamp that precedes every answer. */
export function stamp(wall: number): string {
  const date = new Date(wall);
  const day = String(date.getUTCDate()).padStart(2, " ");
  const time = date.toISOString().slice(11, 23);
  return `${days[date.getUTCDay()]} ${months[date.getUTCMonth()]} ${day} ${time} UTC`;
}

/** Returns the same without the fraction and with the year. */
export function dated(wall: number): string {
  const [day = "", month = "", date = "", time = ""] = stamp(wall).split(/ +/);
  const year = new Date(wall).getUTCFullYear();
  return `${day} ${month} ${date.padStart(2, " ")} ${time.slice(0, 8)} ${year}`;
}

export function clock(router: Router): string {
  const [day, month, date, time, zone] = stamp(router.wall()).split(/ +/);
  return `${time} ${zone} ${day} ${month} ${date} ${new Date(router.wall()).getUTCFullYear()}`;
}

/** Returns the values of an interface that every page about it shows. */
export function linkOf(port: MacsecPort) {
  const rate = known(port.rate);
  const text = (bps = 0, pps = 0): string =>
    `${Math.round(bps)} bits/sec, ${Math.round(pps)} packets/sec`;
  return {
    isShut: known(port.admin) === "down",
    link: known(port.linkUp) === true ? "up" : "down",
    kbit: (rate?.lineBps ?? 100e9) / 1000,
    input: text(rate?.rxBps, rate?.rxPps),
    output: text(rate?.txBps, rate?.txPps),
  };
}

/** One participant of a port, from which the page of its session is made. */
export interface Participant {
  readonly port: MacsecPort;
  readonly session: MkaSession;
  readonly one: MkaParticipant;
  readonly isPrincipal: boolean;
}

/** Returns the participants of ports with MACsec; other ports have no session. */
export function participantsOf(router: Router): readonly Participant[] {
  return protectedPorts(router).flatMap((port) => {
    const session = known(port.session);
    return (session?.participants ?? []).flatMap((one) => {
      if (session === undefined) return [];
      const isPrincipal = session.principalCkn === one.ckn && one.state === "live";
      return [{ port, session, one, isPrincipal }];
    });
  });
}

type Field = Parameters<typeof rowsOf>[0];

/** What a platform prints where there is no SAK. */
export interface NoSak {
  /** As the status of the old SAK. */
  readonly status: string;
  /** As an identifier with a number. */
  readonly identifier: string;
}

/** Prints the middle of the page: the SAKs, and the policy of the session. */
export function sakLines(
  field: Field,
  { port, session, isPrincipal }: Participant,
  priority: number,
  first: NoSak,
): readonly string[] {
  const configured = known(port.settings)?.keyServerPriority ?? priority;
  const rows = rowsOf(field);
  const sakOf = (which: "Latest" | "Old", sak: MkaSession["latestSak"]): readonly string[] => {
    const both = sak?.receive && sak.transmit ? " & " : ", ";
    const none = which === "Old" ? first.status : "No Rx, No Tx";
    const status = `${sak?.receive ? "" : "No "}Rx${both}${sak?.transmit ? "" : "No "}Tx`;
    const [mi = "", number = "0"] = sak?.keyId.toUpperCase().split("/") ?? [];
    const ki = `${mi}${Number(number).toString(16).toUpperCase().padStart(8, "0")}`;
    return [
      field(`${which} SAK Status`, sak === undefined ? none : status),
      field(`${which} SAK AN`, sak?.an ?? 0),
      field(`${which} SAK KI (KN)`, sak === undefined ? first.identifier : `${ki} (${number})`),
    ];
  };
  return [
    ...sakOf("Latest", isPrincipal ? session.latestSak : undefined),
    ...sakOf("Old", isPrincipal ? session.oldSak : undefined),
    "",
    ...rows`SAK Transmit Wait Time: 0s (Not waiting for any peers to respond);
      SAK Retire Time: 0s (No Old SAK to retire);
      SAK Rekey Time: 0s (SAK Rekey interval not applicable);`,
    "",
    ...rows`MKA Policy Name: as-configured;
      Key Server Priority: ${session.keyServerPriority ?? configured};`,
  ];
}

/** Prints the suite with the identifier that IEEE 802.1AE gives it. */
export function sakSuite({ port, isPrincipal }: Participant): string {
  const suite = known(port.liveSuite) ?? known(port.settings)?.suite ?? "gcm-aes-xpn-256";
  return isPrincipal ? `0080C20001000004 (${suite.toUpperCase()})` : "(NULL)";
}

const rowMarks = 70;

/** `isThere`: whether the routing instance of the ping is the one of the router's peerings. */
export function ping(router: Router, address: string, count: number, isThere: boolean): string {
  const port = isThere ? portWith(router, address) : undefined;
  const answered = answeredProbes(router, port, count);
  const rows: string[] = [];
  for (let at = 0; at < count; at += rowMarks) {
    const length = Math.min(rowMarks, count - at);
    const good = Math.max(0, Math.min(length, answered - at));
    rows.push("!".repeat(good) + ".".repeat(length - good));
  }
  const percent = count === 0 ? 0 : Math.floor((answered / count) * 100);
  return [
    `Sending ${count}, 100-byte ICMP Echos to ${address}, timeout is 2 seconds:`,
    ...rows,
    `Success rate is ${percent} percent (${answered}/${count})`,
  ].join("\n");
}
