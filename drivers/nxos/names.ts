// The names of ports and of our own objects in a configuration of NX-OS.

import { portNames } from "../platform/cisco-config.ts";

/** A port of a module, or a part of one; the management port is `mgmt0`. */
export const { isPort, ownName } = portNames(
  { Ethernet: "Eth" },
  /^([A-Za-z]+)(\d{1,3}(?:\/\d{1,3}){1,2})$/,
);

const checkpointPrefix = "linkseal-";

/** Returns the name of the checkpoint of one change, by its note. */
export const checkpointOf = (note: string): string =>
  `${checkpointPrefix}${note.split(" ").at(-1) ?? ""}`;

/** Returns whether a checkpoint is one of ours. */
export const isOwnCheckpoint = (name: string): boolean =>
  new RegExp(`^${checkpointPrefix}[0-9a-f]{16}$`).test(name);
