// `linkseal driver check --read-only`: sends every query of a driver to a device, changes nothing,
// and shows what was understood.

import { writeFile } from "node:fs/promises";
import { errnoOf } from "../host/folder.ts";
import { closingConnections } from "../host/host.ts";
import { visible } from "../model/text.ts";
import { driverBundle, type Read, readOf } from "../operate/driver-reads.ts";
import { readConfig } from "./config-file.ts";
import { type CheckOptions, desiredOf, labWorld, targetOf } from "#sim/lab/driver-check.ts";
import { readerOf, showReads } from "./driver-read.ts";
import { usage } from "./failure.ts";
import { Session } from "./session.ts";

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
