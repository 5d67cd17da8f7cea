// Words for what the engine does not do for a user that it has taken.

import { type Lack, type Outage, renewUsers } from "./engine.ts";

/** Returns what is lacking, and what a person does about it on the engine's host. */
export function lackText({ reason, stream }: Lack): Outage {
  switch (reason) {
    case "missing":
      return {
        why:
          `no responder for ${stream} at the engine: JetStream is off, the stream is missing, or ` +
          "nats-server knows this user from a reload alone",
        next: "on the engine's host: systemctl restart nats-server, then linkseal hub setup",
      };
    case "denied":
      return {
        why: `the engine gives this user no right to ${stream}`,
        next: `on the engine's host: ${renewUsers}`,
      };
  }
}
