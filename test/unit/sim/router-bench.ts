// Two routers, each with one link to a far end, as the router tests need them.

import {
  type Capabilities,
  type CommitMode,
  type Device,
  type KeyResolver,
  rekeyWhats,
} from "#hal/device.ts";
import type { KeyRef, WantedSettings } from "#hal/model.ts";
import { parseCkn } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import { instantAfter } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import type { EffectEvent } from "#sim/base/truth.ts";
import { Fibre } from "#sim/mka/fibre.ts";
import { PortEndpoint } from "#sim/mka/port-endpoint.ts";
import { Router } from "#sim/router/router.ts";
import { openRouter } from "#sim/site/device-hal.ts";
import { Traffic } from "#sim/site/traffic.ts";

export const port = "et-0/0/0";

export const settings: WantedSettings = {
  suite: "gcm-aes-xpn-256",
  includeSci: true,
  confidentialityOffset: 0,
  keyServerPriority: 16,
  replayWindow: 64,
  sakRekeyMs: undefined,
};

export const tunnel: TunnelSpec = {
  name: "hub-1",
  localAddress: "198.51.100.1",
  remoteAddress: "203.0.113.1",
  localPrefixes: ["10.1.0.0/16"],
  remotePrefixes: ["10.100.0.0/16"],
  ike: { encryption: "aes-256-gcm", integrity: "none", prf: "sha384", dhGroup: "ecp-384" },
  transforms: { encryption: "gcm-aes-256", integrity: "none", dhGroup: "ecp384" },
  life: { seconds: 27_000, kilobytes: 102_400_000 },
  mtu: 1400,
  ifId: 42,
  auth: { kind: "psk", secretId: "https://demo.vault.sim/secrets/hub-1-psk/1" },
};

export const confirmed = {
  kind: "confirmed",
  confirmedBy: "anySession",
  stepMs: 1_000,
  maxMs: 3_600_000,
} as const satisfies CommitMode;

export function capabilities(
  commit: CommitMode = confirmed,
  overlap: "keychain" | "fallback" | "none" = "keychain",
): Capabilities {
  return {
    commit,
    macsec: {
      suites: ["gcm-aes-xpn-256", "gcm-aes-256"],
      overlap,
      counters: "perSa",
      hitless: [],
      freshSak: true,
    },
    ipsec: { keying: ["ike"], authentication: ["psk"], atomicReplace: true, rekeys: rekeyWhats },
    drain: { means: ["prepend", "peeringShutdown"], settleMs: 4_000 },
    probe: true,
  };
}

/** Returns the n-th key of the tests; its bytes are all n. */
export function keyOf(n: number): KeyRef {
  const ckn = parseCkn(n.toString(16).padStart(64, "0"));
  if (ckn === undefined) throw new Error("no CKN");
  const id = (part: string): string => `https://demo.vault.sim/secrets/erd-1-${part}/${n}`;
  return { ckn, cakSecretId: id("cak"), cknSecretId: id("ckn") };
}

export const cakOf = (n: number): Uint8Array => new Uint8Array(32).fill(n);

export const resolver: KeyResolver = async (ref) => {
  if (ref.kind !== "cak") return Secret.take("psk", new Uint8Array(24).fill(0x70));
  return Secret.take("cak", cakOf(Number.parseInt(ref.key.ckn.slice(-4), 16)));
};

export const never = new AbortController().signal;

export interface Side {
  readonly router: Router;
  readonly device: Device;
  readonly edge: PortEndpoint;
  readonly far: PortEndpoint;
  readonly fibre: Fibre;
  readonly effects: EffectEvent[];
}

export class RouterBench {
  readonly clock = new SimClock(1_800_000_000_000);
  readonly prng = new Prng("router-bench");
  readonly a: Side;
  readonly b: Side;

  constructor(offer: Capabilities = capabilities()) {
    this.a = this.#side("edge-a", offer, "02000000000a");
    this.b = this.#side("edge-b", offer, "02000000000b");
  }

  traffic(): Traffic {
    const links = [this.a, this.b].map(({ router, fibre }) => ({ router, port, fibre }));
    return new Traffic({ links });
  }

  /** Lets virtual time pass until the promise has settled. */
  async drive<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    await this.clock.run(instantAfter(this.clock.now(), 3_600_000), () => settled);
    if (!settled) throw new Error("the promise has not settled within an hour");
    return promise;
  }

  /** Gives both ends of the link key n manually. */
  protect(side: Side, n: number): void {
    const key = { ckn: keyOf(n).ckn, cak: cakOf(n), role: "primary" } as const;
    side.router.manualEdit((config) => {
      const wanted = config.ports.get(port);
      if (wanted === undefined) throw new Error("no port");
      wanted.macsec = { ...settings, policy: "mustSecure" };
      wanted.keys = [key];
    });
    side.far.configure({ ...settings, policy: "mustSecure" });
    side.far.putKey(key);
  }

  #side(name: string, offer: Capabilities, mac: string): Side {
    const { clock } = this;
    const endpoint = (end: string, address: string): PortEndpoint =>
      new PortEndpoint({
        name: `${name}-${end}`,
        clock,
        prng: this.prng.fork(`${name}-${end}`),
        mac: address,
        lineBps: 100e9,
      });
    const edge = endpoint("edge", mac);
    const far = endpoint("far", mac.replace(/^02/, "06"));
    const fibre = new Fibre({ clock, a: edge, b: far, delayMs: 1 });
    const latency = { observeMs: 200, prepareMs: 500, commitMs: 2_000 };
    const ports = [{ name: port, endpoint: edge, fibre }];
    const prng = this.prng.fork(name);
    const router = new Router({ name, clock, prng, capabilities: offer, ports, latency });
    const effects: EffectEvent[] = [];
    router.onEffect((effect) => effects.push(effect));
    return { router, device: openRouter(router), edge, far, fibre, effects };
  }
}
