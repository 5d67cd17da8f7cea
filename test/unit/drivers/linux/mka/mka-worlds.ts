// Two ends of one wire, once as stations of the simulator and once as hosts with our MKA: the acts
// on them, and their readings, in the same terms.

import type { CipherSuite, MacsecSettings, MkaSession, MkpduCounters } from "#hal/model.ts";
import type { SimClock } from "#sim/base/clock.ts";
import type { PortEndpoint } from "#sim/mka/port-endpoint.ts";
import { caOf } from "../../../kit/kay-kit.ts";
import { secretOf, type TestCa } from "../../../kit/kay-recorded.ts";
import { mustSecure, pair } from "../../../kit/mka-bench.ts";
import { type Host, hosts, signal } from "./mka-host.ts";

export const endNames = ["a", "b"] as const;
export type EndName = (typeof endNames)[number];
/** `forged`: another CAK under the CKN of `old`. */
export type KeyName = "old" | "new" | "forged";

export interface EndObservation {
  readonly session: MkaSession;
  readonly mkpdus: MkpduCounters;
  /** The suite of the SA that transmits, whatever the session reports. */
  readonly liveSuite: CipherSuite | undefined;
  /** Codes of troubles; a station of the simulator reports none. */
  readonly troubles: readonly string[];
}

export interface World {
  readonly clock: SimClock;
  /** Adds a key beside those that are there. */
  give(end: EndName, key: KeyName): Promise<void>;
  /** Replaces the keys that are there, at once. */
  replace(end: EndName, key: KeyName): Promise<void>;
  remove(end: EndName, key: KeyName): Promise<void>;
  rekey(end: EndName): Promise<void>;
  configure(end: EndName, settings: EndSettings): Promise<void>;
  /** A mute end receives, and nothing of what it sends arrives. */
  mute(end: EndName, is: "mute" | "heard"): void;
  wire(is: "cut" | "whole"): void;
  /** Kills its process without notice, and its memory with it. */
  kill(end: EndName): void;
  /** Restarts as another member with the old key. */
  revive(end: EndName): Promise<void>;
  /** Undefined for an end that was killed. */
  observe(end: EndName): Promise<EndObservation | undefined>;
  /** Whether a data frame sent now would arrive, in both directions. */
  carries(): boolean;
}

interface EndSettings {
  readonly keyServerPriority: number;
  readonly sakRekeyMs?: number;
}

type Suites = Readonly<Record<EndName, CipherSuite>>;

export const cas: Readonly<Record<KeyName, TestCa>> = {
  old: caOf("worlds old"),
  new: caOf("worlds new"),
  forged: { ...caOf("worlds old"), cak: caOf("worlds forged").cak },
};

export function simWorld(seed: string, suites: Suites): World {
  const { clock, fibre, a, b } = pair(seed, { quirks: { startRamp: true } });
  const ends = { a, b };
  const settings: Record<EndName, MacsecSettings> = {
    a: { ...mustSecure, suite: suites.a },
    b: { ...mustSecure, suite: suites.b },
  };
  for (const end of endNames) ends[end].configure(settings[end]);
  const dead = new Set<EndName>();
  const put = (endpoint: PortEndpoint, name: KeyName): void => {
    const { ckn, cak } = cas[name];
    const role = endpoint.keys().length === 0 ? "primary" : "fallback";
    endpoint.putKey({ ckn, cak: Buffer.from(cak, "hex"), role });
  };
  return {
    clock,
    give: async (end, key) => put(ends[end], key),
    replace: async (end, key) => {
      const endpoint = ends[end];
      const others = endpoint.keys().filter(({ ckn }) => ckn !== cas[key].ckn);
      if (others.length === endpoint.keys().length) put(endpoint, key);
      for (const { ckn } of others) endpoint.removeKey(ckn);
      endpoint.promoteKey(cas[key].ckn);
    },
    remove: async (end, key) => ends[end].removeKey(cas[key].ckn),
    rekey: async (end) => ends[end].rekeySak(),
    configure: async (end, wanted) => {
      settings[end] = { ...settings[end], sakRekeyMs: undefined, ...wanted };
      ends[end].configure(settings[end]);
    },
    mute: (end, is) => ends[end].setFault("silent", is === "mute"),
    wire: (is) => fibre.setUp(is === "whole"),
    kill: (end) => {
      dead.add(end);
      ends[end].setFault("silent", true);
    },
    revive: async (end) => {
      dead.delete(end);
      ends[end].restartKay();
      ends[end].setFault("silent", false);
    },
    observe: async (end) => {
      if (dead.has(end)) return undefined;
      const endpoint = ends[end];
      const shown = { session: endpoint.session(), mkpdus: endpoint.mkpdus() };
      return { ...shown, liveSuite: endpoint.liveSuite(), troubles: [] };
    },
    carries: () => fibre.carries(),
  };
}

export function ourWorld(suites: Suites): World {
  const { clock, a, b } = hosts("none");
  const ends = { a, b };
  const mutes = new Set<EndName>();
  const dead = new Set<EndName>();
  let isWhole = true;
  let changes = 0;
  const plug = (): void => {
    a.peer = isWhole && !mutes.has("a") ? b : undefined;
    b.peer = isWhole && !mutes.has("b") ? a : undefined;
  };
  const change = (end: EndName, operation: Parameters<Host["change"]>[0]): Promise<void> => {
    changes += 1;
    return ends[end].change(operation, { token: `t${changes}`, within: "final" });
  };
  const withKey = (end: EndName, kind: "add" | "replace", name: KeyName): Promise<void> => {
    const { ckn, cak } = cas[name];
    const key = secretOf(cak);
    return change(end, { kind, ckn, key }).finally(() => key[Symbol.dispose]());
  };
  a.make(suites.a);
  b.make(suites.b);
  return {
    clock,
    give: (end, key) => withKey(end, "add", key),
    replace: (end, key) => withKey(end, "replace", key),
    remove: (end, key) => change(end, { kind: "remove", ckn: cas[key].ckn }),
    rekey: (end) => change(end, { kind: "rekey" }),
    configure: (end, { keyServerPriority, sakRekeyMs }) =>
      change(end, {
        kind: "configure",
        settings: { keyServerPriority, sakRekeyMs, delayProtection: "off" },
      }),
    mute: (end, is) => {
      if (is === "mute") mutes.add(end);
      else mutes.delete(end);
      plug();
    },
    wire: (is) => {
      isWhole = is === "whole";
      plug();
    },
    kill: (end) => {
      dead.add(end);
      ends[end].kill();
    },
    revive: async (end) => {
      dead.delete(end);
      ends[end].memory = undefined;
      ends[end].start();
      await withKey(end, "add", "old");
    },
    observe: async (end) => {
      if (dead.has(end)) return undefined;
      const observation = await ends[end].client.observe(signal);
      if (observation.kind !== "bound") throw new Error(`${end} has no SecY`);
      return { ...observation, troubles: observation.troubles.map(({ code }) => code) };
    },
    carries: () => isWhole && arrives(a, b) && arrives(b, a),
  };
}

function arrives(from: Host, to: Host): boolean {
  const [sending] = from.kernel.saks;
  return sending !== undefined && to.kernel.saks.slice(1).includes(sending);
}
