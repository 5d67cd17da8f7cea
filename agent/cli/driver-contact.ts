// `linkseal driver check --read-only`: sends every query of a driver to a device, changes nothing,
// and shows what was understood.

import { writeFile } from "node:fs/promises";
import type { Target } from "#hal/target.ts";
import type { WallTime, World } from "#hal/world.ts";
import { hostClock } from "../host/clock.ts";
import { hostEntropy } from "../host/entropy.ts";
import { errnoOf } from "../host/folder.ts";
import { closingConnections, hostDialer } from "../host/host.ts";
import type { Desired, DesiredDevice } from "../model/desired.ts";
import { visible } from "../model/text.ts";
import { driverBundle, type Read, readOf } from "../operate/driver-reads.ts";
import { readConfig } from "./config-file.ts";
import { readerOf, showReads } from "./driver-read.ts";
import { usage } from "./failure.ts";
import type { RiskOptions } from "./risk-option.ts";
import { Session } from "./session.ts";

export interface CheckOptions extends RiskOptions {
  readonly device: string;
  readonly port?: readonly string[];
  readonly tunnel?: string;
  readonly readOnly?: true;
  readonly bundle?: string;
}

/**
 * Asks a device of the config, whether a group uses it or not: it is only read.
 * @throws LinksealError with `usage`; `transport.*` if the device cannot be asked to the end
 */
export async function contactDevice(
  file: string | undefined,
  options: CheckOptions,
): Promise<void> {
  const session = new Session(options);
  const config = await readConfig(file);
  const { devices, groups } = await desiredOf(config.text, config.file);
  const device = devices.find(({ name }) => name === options.device);
  if (device === undefined) {
    throw usage(`${config.file} names no device ${options.device}`, "list it there");
  }
  const { driver } = device;
  const reader = readerOf(driver);
  const { ask } = reader;
  if (ask === undefined) {
    throw usage(`${driver} is not asked over a session`, "linkseal doctor");
  }
  const links = groups.flatMap((group) => group.links);
  const own = links.filter((link) => link.device === device.name).map(({ port }) => port);
  const ports = [...new Set([...own, ...(options.port ?? [])])];
  const where = ports.length === 0 ? "no port" : ports.map(visible).join(", ");
  session.note(`${visible(device.name)}: queries alone are sent, about ${where}; none changes it`);
  const never = new AbortController().signal;
  const exchanges = await closingConnections(() =>
    ask(targetOf(device), labWorld(session), ports, never),
  );
  if (options.bundle !== undefined) {
    const bundle = await driverBundle(driver, reader, exchanges);
    await write(options.bundle, `${JSON.stringify(bundle)}\n`);
    session.note(`${visible(options.bundle)}: safe to send; read it before you do`);
  }
  const reads: Read[] = [];
  for (const exchange of exchanges) reads.push(await readOf(reader, exchange));
  await showReads(session, { driver, device: device.name }, reads);
}

async function write(file: string, text: string): Promise<void> {
  // An existing file is never overwritten.
  await writeFile(file, text, { flag: "wx", mode: 0o600 }).catch((error: unknown) => {
    throw usage(`${file} cannot be written (${errnoOf(error)})`, "--bundle with another name");
  });
}

/** Returns how a device is reached. */
export function targetOf({ name, address, ssh, snmp }: DesiredDevice): Target {
  return {
    ...{ device: name, address },
    ...(ssh === undefined ? {} : { ssh }),
    ...(snmp === undefined ? {} : { snmp }),
  };
}

/**
 * Reads a config.
 * @throws LinksealError with `usage` if it is not valid
 */
export async function desiredOf(text: string, file: string): Promise<Desired> {
  const { parseConfig } = await import("#agent/config/index.ts");
  const parsed = parseConfig(text, file, Date.now() as WallTime);
  if (parsed.kind === "refused") throw usage(`${file} is not valid`, "linkseal validate");
  return parsed.desired;
}

/** Makes a world in which devices can be dialled, and nothing is stored. */
export function labWorld(session: Session): World {
  const nowhere = async (): Promise<never> => {
    throw new Error("a check keeps nothing");
  };
  return {
    clock: hostClock,
    entropy: hostEntropy,
    dial: hostDialer,
    disk: { read: nowhere, list: nowhere, append: nowhere, replace: nowhere },
    log: { write: (level, code, text) => session.note(`${level} ${code} ${visible(text)}`) },
  };
}
