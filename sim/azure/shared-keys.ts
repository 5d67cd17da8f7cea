// Pre-shared keys of VPN connections, as the management API takes them: an operation of some
// seconds, one at a time, that may fail with the key given or not.

import type { Prng } from "../base/prng.ts";
import type { Site } from "../site/site.ts";
import type { PlannedTunnel } from "../site/site-plan.ts";
import { objectOf, textOf } from "./http.ts";

/**
 * What becomes of an operation: `failsGiven` fails, and the gateway has the key all the same;
 * `lies` is called succeeded, and the gateway has the old one.
 */
type SharedKeyFate = "succeeds" | "fails" | "failsGiven" | "lies";

type SharedKeyPut =
  | { readonly kind: "accepted" | "busy"; readonly operation: string }
  | { readonly kind: "malformed" };

export type SharedKeyOperation = "running" | "succeeded" | "failed";

interface Running {
  readonly tunnel: string;
  readonly fate: SharedKeyFate;
  state: SharedKeyOperation;
}

/** Printable ASCII without space, hyphen and tilde. */
const takenKey = /^[\x21-\x2c\x2e-\x7d]{1,128}$/;

export class SharedKeys {
  /** Of the operations that begin from now on. */
  fate: SharedKeyFate = "succeeds";
  lastsMs = 4_000;
  /** Told of every key that a gateway has from now on. */
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
    const busy = [...this.#operations].find(
      ([, { tunnel: other, state }]) => other === tunnel.name && state === "running",
    );
    if (busy !== undefined) return { kind: "busy", operation: busy[0] };
    const operation = this.#prng.hex(16).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    const running: Running = { tunnel: tunnel.name, fate: this.fate, state: "running" };
    this.#operations.set(operation, running);
    this.#site.clock.after(this.lastsMs, () => {
      const { fate } = running;
      running.state = fate === "succeeds" || fate === "lies" ? "succeeded" : "failed";
      if (fate === "fails" || fate === "lies") return;
      const octets = new TextEncoder().encode(key);
      this.#site.setGatewayPsk(tunnel.name, octets);
      this.given(tunnel.name, octets);
    });
    return { kind: "accepted", operation };
  }

  /** undefined = there is no such operation. */
  operation(name: string): SharedKeyOperation | undefined {
    return this.#operations.get(name)?.state;
  }
}
