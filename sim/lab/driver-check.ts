// `linkseal driver check`: runs the conformance cases against an operator's lab router, before a
// new version of its software is used.

import { isIP } from "node:net";
import { readConfig } from "#agent/cli/config-file.ts";
import { type CheckOptions, desiredOf, labWorld, targetOf } from "#agent/cli/driver-contact.ts";
import { usage } from "#agent/cli/failure.ts";
import { asNamed } from "#agent/cli/risk-option.ts";
import { Session } from "#agent/cli/session.ts";
import { exit } from "#agent/cli/shape.ts";
import { closingConnections } from "#agent/host/host.ts";
import type { Desired, DesiredDevice } from "#agent/model/desired.ts";
import { visible } from "#agent/model/text.ts";
import { drivers } from "#drivers/index.ts";
import { LinksealError } from "#hal/error.ts";
import type { PortName } from "#hal/model.ts";
import type { Verdict } from "../conformance/suite.ts";
import { checkDriver, type LabTunnel } from "./lab-bench.ts";

interface Row {
  readonly case: string;
  readonly verdict: Verdict["kind"];
  readonly text: string;
}

export async function checkDevice(file: string | undefined, options: CheckOptions): Promise<void> {
  if (options.bundle !== undefined) {
    throw usage("a bundle has replies alone", "linkseal driver check --read-only --bundle FILE");
  }
  const session = new Session(options);
  const device = await deviceOf(file, options);
  const ports = portsOf(options.port ?? []);
  const tunnel = options.tunnel === undefined ? undefined : tunnelOf(options.tunnel);
  session.note(writes(device.name, ports, tunnel));
  if (options.acceptRisk?.map(asNamed).includes("labDevice") !== true) {
    const text = "it writes to the device, which is the named risk lab-device";
    throw usage(text, "repeat it with --accept-risk=lab-device");
  }
  const driver = drivers[device.driver];
  if (driver === undefined) throw usage(`there is no driver ${device.driver}`, "driver list");
  const target = targetOf(device);
  const report = (one: string, verdict: Verdict): void => {
    session.note(`${verdict.kind.padEnd(8)} ${one}${textOf(verdict)}`);
  };
  const world = labWorld(session);
  const ends = tunnel === undefined ? {} : { tunnel };
  const verdicts = await closingConnections(() =>
    checkDriver({ driver, target, world, ports, ...ends, report }),
  );
  const rows = [...verdicts].map(
    ([one, verdict]): Row => ({ case: one, verdict: verdict.kind, text: wordsOf(verdict) }),
  );
  const result = { schema: "linkseal.driver-check/1", device: device.name, cases: rows };
  await session.show(result, summary);
  exit(rows.some(({ verdict }) => verdict === "failed") ? 4 : 0);
}

/**
 * Finds the device in the config. A device of a group or tunnel, in this file or in the accepted
 * config of the agent on this host, is refused because it is not a lab device.
 * @throws LinksealError with `usage`; with `agent.*` if an agent runs here and does not answer
 */
async function deviceOf(file: string | undefined, { device, socket }: CheckOptions) {
  const config = await readConfig(file);
  const desired = await desiredOf(config.text, config.file);
  const found = desired.devices.find(({ name }) => name === device);
  if (found === undefined) throw usage(`${config.file} names no device ${device}`, "list it there");
  const accepted = await acceptedText(socket);
  const inForce = accepted === undefined ? [] : [await desiredOf(accepted, "the accepted config")];
  if ([desired, ...inForce].some((each) => uses(each, device))) {
    throw usage(`${device} belongs to a group or a tunnel`, "check a device of a lab");
  }
  return found satisfies DesiredDevice;
}

const uses = ({ groups, tunnels }: Desired, device: string): boolean =>
  groups.some(({ links }) => links.some((link) => link.device === device)) ||
  tunnels.some((tunnel) => tunnel.device === device);

/** The accepted config; undefined = no agent runs on this host, or it has accepted none. */
async function acceptedText(socket: string | undefined): Promise<string | undefined> {
  const session = new Session(socket === undefined ? {} : { socket });
  try {
    return (await session.view<{ readonly text: string }>("/v1/config")).text;
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    const isAbsent = error.code === "agent.unreachable" && error.where === "socket";
    if (isAbsent || error.code === "usage") return undefined;
    throw error;
  }
}

function portsOf(named: readonly string[]): readonly [PortName, PortName] {
  const [first, second, more] = named;
  if (first !== undefined && second !== undefined && more === undefined && first !== second) {
    return [first, second];
  }
  throw usage("it needs two ports of the device", "--port et-0/0/10 --port et-0/0/11");
}

function tunnelOf(ends: string): LabTunnel {
  const [local = "", remote = "", more] = ends.split(",");
  const isPair = isIP(local) !== 0 && isIP(local) === isIP(remote) && local !== remote;
  if (isPair && more === undefined) return { local, remote };
  const text = "a tunnel is given by two addresses of one family";
  throw usage(text, "--tunnel 192.0.2.1,203.0.113.1");
}

function writes(device: string, ports: readonly string[], tunnel: LabTunnel | undefined): string {
  const others = tunnel === undefined ? [] : [`a tunnel to ${tunnel.remote}`];
  const where = [...ports.map(visible), ...others].join(" and ");
  return [
    `${visible(device)}: the cases write to ${where} alone:`,
    "MACsec settings and keys, the port shut and opened; commits that wait and are taken back.",
    "What they leave must be removed manually. They take about an hour.",
  ].join("\n");
}

function wordsOf(verdict: Verdict): string {
  switch (verdict.kind) {
    case "ok":
      return "";
    case "refused":
      return "not offered, and refused as it must be";
    case "untried":
      return `needs ${verdict.lacks}`;
    case "failed":
      return verdict.text;
  }
}

function textOf(verdict: Verdict): string {
  const words = wordsOf(verdict);
  return words === "" ? "" : `: ${visible(words)}`;
}

function summary({ device, cases }: { readonly device: string; readonly cases: readonly Row[] }) {
  const count = (kind: Row["verdict"]): number =>
    cases.filter(({ verdict }) => verdict === kind).length;
  const failed = cases.filter(({ verdict }) => verdict === "failed");
  const counts = `${count("ok")} pass, ${count("refused")} are not offered`;
  return [
    `${device}: ${counts}, ${count("untried")} need more than a router, ${failed.length} fail`,
    ...failed.map((one) => `  ${one.case}: ${one.text}`),
  ].join("\n");
}
