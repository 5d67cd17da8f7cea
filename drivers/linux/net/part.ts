// The changes that linkseal-net makes: a fixed list, none of which knows a key.

import type { DeviceChange, PortChange } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";

export type NetPart = Extract<PortChange, { readonly kind: "port.shut" | "port.open" }>;
export type NetChange = readonly NetPart[];

/** Throws `device.unsupported` for what is not in the list. */
export function netChange(change: DeviceChange): NetChange {
  return change.map((part) => {
    if (part.kind === "port.shut" || part.kind === "port.open") return part;
    throw new LinksealError("device.unsupported", `linkseal-net does not do ${part.kind}`, {
      effect: "none",
      where: "linkseal-net",
      next: "linkseal driver list",
    });
  });
}

export function previewOf({ kind, port }: NetPart): readonly string[] {
  return kind === "port.shut"
    ? [`port ${port}`, "- up", "+ down: no frame leaves it"]
    : [`port ${port}`, "- down", "+ up, with the addresses and routes that it had"];
}
