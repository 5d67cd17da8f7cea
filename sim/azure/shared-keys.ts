// Pre-shared keys of VPN connections, as the management API takes them: an operation of some
// seconds, one at a time per connection. An operation that fails may or may not have set the key. A
// connection has one key for all of its tunnels.

import type { Prng } from "../base/prng.ts";
import type { Site } from "../site/site.ts";
import type { PlannedTunnel } from "../site/site-plan.ts";
import { sharing } from "./estate.ts";
import { objectOf, textOf } from "./http.ts";

/**
 * The outcome of an operation: `failsGiven` fails although the gateway has the new key, and `lies`
 * reports success although the gateway has the old one.
 */
type SharedKeyFate = "succeeds" | "fails" | "failsGiven" | "lies";

type SharedKeyPut =
  | { readonly kind: "accepted" | "busy"; readonly operation: string }
  | { readonly kind: "malformed" };

export type SharedKeyOperation = "running" | "succeeded" | "failed";

interface Running {
  /** The first tunnel of the connection. */
  readonly tunnel: string;
  readonly fate: SharedKeyFate;
  state: SharedKeyOperation;
}

/** The accepted keys: printable ASCII without space, hyphen and tilde. */
const takenKey = /^[\x21-\x2c\x2e-\x7d]{1,128}$/;

export class SharedKeys {
  /** The outcome of the operations that begin from now on. */
  fate: SharedKeyFate = "succeeds";
  lastsMs = 4_000;
  /** The tunnels whose instance of the gateway keeps the key that it has. */
  readonly deaf = new Set<string>();
  /** Called with every key that a gateway gets from now on. */
  given: (tunnel: string, key: Uint8Array) => void = () => undefined;
  readonly #site: Site;
  readonly #prng: Prng;
  readonly #operations = new Map<string, Running>();

  constructor(site: Site, prng: Prng) {
    this.#site = site;
    this.#prng = prng;
  }

  put(tunnel: PlannedTunnel, body: string): SharedKeyPut {
    const key = textOf(objectOf(body)?.["value"]);
    if (key === undefined || !takenKey.test(key)) return { kind: "malformed" };
    const tunnels = sharing(this.#site, tunnel);
    const first = tunnels[0]?.name ?? tunnel.name;
    const busy = [...this.#operations].find(
      ([, { tunnel: other, state }]) => other === first && state === "running",
    );
    if (busy !== undefined) return { kind: "busy", operation: busy[0] };
    const operation = this.#prng.hex(16).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    const running: Running = { tunnel: first, fate: this.fate, state: "running" };
    this.#operations.set(operation, running);
    this.#site.clock.after(this.lastsMs, () => {
      const { fate } = running;
      running.state = fate === "succeeds" || fate === "lies" ? "succeeded" : "failed";
      if (fate === "fails" || fate === "lies") return;
      const octets = new TextEncoder().encode(key);
      for (const { name } of tunnels) {
        if (this.deaf.has(name)) continue;
        this.#site.setGatewayPsk(name, octets);
        this.given(name, octets);
      }
    });
    return { kind: "accepted", operation };
  }

  /** Returns the state of an operation; undefined if there is no such operation. */
  operation(name: string): SharedKeyOperation | undefined {
    return this.#operations.get(name)?.state;
  }
}
