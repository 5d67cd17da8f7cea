// What a look brings home of tunnels, whatever the vendor.

import { LinksealError } from "#hal/error.ts";
import {
  type IpsecTunnel,
  known,
  type Reading,
  type Route,
  type Routing,
  unknown,
} from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import type { Answer } from "./answer.ts";

export interface TunnelsTold {
  readonly ipsec: readonly IpsecTunnel[];
  /** Those that lead into tunnels. */
  readonly routes: Answer<readonly Route[]>;
}

export const noTunnels: TunnelsTold = { ipsec: [], routes: { value: [] } };

// Without those into its tunnels the routes of a router look like a way around them.
export function withRoutes(
  told: Reading<Routing>,
  routes: TunnelsTold["routes"],
  at: Instant,
): Reading<Routing> {
  if (told.kind === "unknown") return told;
  if ("why" in routes) return unknown(routes.why, at);
  return known({ ...told.value, routes: [...told.value.routes, ...routes.value] }, at);
}

export function notUnderstood(what: string, where: string): LinksealError {
  const details = { effect: "none", where, next: "linkseal doctor" } as const;
  return new LinksealError("device.unparsed", `${what} is not understood`, details);
}
