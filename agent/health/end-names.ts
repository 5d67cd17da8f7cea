// The ends of a link and their secrets, as findings name them.

import type { DesiredLink } from "../model/desired.ts";

/** The router's end of a link, as messages name it. */
export function hereOf(link: DesiredLink): string {
  return `${link.device} ${link.port}`;
}

/** The far end of a link, as messages name it. */
export function farOf(link: DesiredLink): string {
  return `the far end (${link.azureLink} of ${link.group})`;
}

/** `NAME/VERSION` from a vault id. */
export function secretOf(id: string): string {
  return id.split("/").slice(-2).join("/");
}
