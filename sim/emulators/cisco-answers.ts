// What routers of Cisco print alike, out of the state of the simulated one.

import type { MkaSession, PortName, Reading } from "#hal/model.ts";
import type { Router } from "../router/router.ts";

export const known = <T>(reading: Reading<T> | undefined): T | undefined =>
  reading?.kind === "known" ? reading.value : undefined;

/** The far end's address on a port, as the router peers with it. */
export function peersOf(router: Router): ReadonlyMap<PortName, string> {
  const { routing } = router.state();
  const sessions = routing.kind === "known" ? routing.value.sessions : [];
  return new Map(sessions.map(({ port, peer }) => [port, peer]));
}

const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** `Wed Nov 25 18:00:00.250 UTC`, as it stands before every answer. */
export function stamp(wall: number): string {
  const date = new Date(wall);
  const day = String(date.getUTCDate()).padStart(2, " ");
  const time = date.toISOString().slice(11, 23);
  return `${days[date.getUTCDay()]} ${months[date.getUTCMonth()]} ${day} ${time} UTC`;
}

/** The same without the fraction and with the year. */
export function dated(wall: number): string {
  const [day = "", month = "", date = "", time = ""] = stamp(wall).split(/ +/);
  const year = new Date(wall).getUTCFullYear();
  return `${day} ${month} ${date.padStart(2, " ")} ${time.slice(0, 8)} ${year}`;
}

export function clock(router: Router): string {
  const [day, month, date, time, zone] = stamp(router.wall()).split(/ +/);
  return `${time} ${zone} ${day} ${month} ${date} ${new Date(router.wall()).getUTCFullYear()}`;
}

/** Of one SAK of a participant, the fields that every page of it has. */
export function sakTold(which: "Latest" | "Old", sak: MkaSession["latestSak"]) {
  const status = (): string => {
    if (sak === undefined) return which === "Old" ? "FIRST-SAK" : "No Rx, No Tx";
    const both = sak.receive && sak.transmit ? " & " : ", ";
    return `${sak.receive ? "" : "No "}Rx${both}${sak.transmit ? "" : "No "}Tx`;
  };
  const [mi = "", number = "0"] = sak?.keyId.toUpperCase().split("/") ?? [];
  const ki = `${mi}${Number(number).toString(16).toUpperCase().padStart(8, "0")}`;
  const key = sak === undefined ? "FIRST-SAK (0)" : `${ki} (${number})`;
  return { status: status(), an: sak?.an ?? 0, key };
}

const probeBytes = 100;
const rowMarks = 70;

export function ping(router: Router, address: string, count: number): string {
  const name = [...peersOf(router)].find(([, peer]) => peer === address)?.[0];
  const port = name === undefined ? undefined : router.port(name);
  const arrived = port?.fibre.inject("a", count, probeBytes).delivered ?? 0;
  const answered = arrived > 0 ? (port?.fibre.inject("b", arrived, probeBytes).delivered ?? 0) : 0;
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
