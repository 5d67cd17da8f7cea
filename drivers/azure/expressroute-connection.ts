// Reads the document of a VPN connection.

import { isIP } from "node:net";
import { textAt, valueAt } from "../transport/arm-json.ts";
import type { ConnectionReport } from "./connections.ts";

const instancesMax = 8;

/** Reads the document of a connection; a form that is not understood is left out. */
export function connectionReport(document: unknown): ConnectionReport {
  const tunnels: unknown = valueAt(document, "properties", "tunnelConnectionStatus");
  const known: readonly unknown[] = Array.isArray(tunnels) ? tunnels.slice(0, instancesMax) : [];
  const instances = known.flatMap((tunnel) => {
    // Azure names a tunnel by the connection and the address of the instance.
    const [, address = ""] = /_([0-9a-fA-F.:]{2,45})$/.exec(textAt(tunnel, "tunnel") ?? "") ?? [];
    return isIP(address) === 0 ? [] : [{ address, status: wordOf(tunnel, "connectionStatus") }];
  });
  return { status: wordOf(document, "properties", "connectionStatus"), instances };
}

function wordOf(value: unknown, ...path: readonly string[]): string {
  const text = textAt(value, ...path) ?? "";
  return /^[A-Za-z]{1,40}$/.test(text) ? text : "Unknown";
}
