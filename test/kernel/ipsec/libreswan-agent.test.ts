// What an operator reads, and when, of a tunnel whose libreswan gateway is harmed or configured
// otherwise: the real programs, and every packet in the clear counted where it would arrive.

import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Status } from "#agent/runtime/health/status.ts";
import { effort } from "../../effort.ts";
import { ip, until } from "../lab.ts";
import { AgentSite, patienceMs } from "./agent-site.ts";
import { wanted } from "./daemon.ts";
import { buildForeignSite, connection, type ForeignSite, middle, outer } from "./libreswan-site.ts";
import { inner, LeakWatch, pings } from "./site.ts";

let all: AgentSite<ForeignSite>;
let site: ForeignSite;
let leaks: LeakWatch;
const figures: string[] = [];

beforeAll(async () => {
  all = await AgentSite.at(await buildForeignSite(connection, wanted), outer.gateway);
  site = all.tunnels;
  await all.apply(all.config());
  leaks = new LeakWatch(site);
  await all.untilVerdict("protected");
}, 300_000);
afterAll(async () => {
  console.log(figures.join("\n"));
  leaks[Symbol.dispose]();
  await all.close();
});

const otherwise = (change: Partial<typeof connection>) => (): void =>
  site.far.load({ ...connection, ...change });
const heal = async (): Promise<void> => site.far.load(connection);
const routes = (...argv: readonly string[]): void =>
  void ip("-n", site.edge, "route", ...argv, "10.100.7.0/24", "via", middle.edge);

interface Harm {
  readonly what: string;
  readonly harm: () => void | Promise<void>;
  /** What must be reported. */
  readonly text: RegExp;
  /** How it is mended; absent: by loading what was there. */
  readonly mend?: () => Promise<void>;
}

/** Each cause is in `status` by then; in an emulated computer a program takes time. */
const causeMsMax = effort(10_000, patienceMs);
const pollMs = 100;

const silences: readonly Harm[] = [
  {
    what: "a dead gateway",
    harm: async () => {
      await site.far.stop("SIGKILL");
      ip("-n", site.gateway, "xfrm", "state", "flush");
    },
    text: /the gateway does not answer/,
    mend: () => site.far.start(),
  },
  {
    what: "a cut path",
    harm: () => void ip("-n", site.middle, "link", "set", "gateway", "down"),
    text: /the gateway does not answer/,
    mend: async () => {
      ip("-n", site.middle, "link", "set", "gateway", "up");
      // The link lost its routes as it went down.
      ip("-n", site.middle, "route", "replace", "10.100.0.0/16", "via", outer.gateway);
    },
  },
];

const harms: readonly Harm[] = [
  {
    what: "another PSK",
    harm: otherwise({ psk: "another_PSK_of_16+" }),
    text: /different pre-shared keys/,
  },
  {
    what: "another identity wanted",
    harm: otherwise({ peerId: "@edge.example" }),
    text: /knows no connection/,
  },
  {
    what: "another identity shown",
    harm: otherwise({ ownId: "@gw.partner.example" }),
    text: /shows the identity gw\.partner\.example, and 203\.0\.113\.1 is expected/,
  },
  {
    what: "no connection at the gateway",
    harm: () => void site.far.whack("--delete", "--name", "azure"),
    text: /or the gateway has no connection for our address/,
  },
  {
    what: "other IKE algorithms",
    harm: otherwise({ ike: "aes256-sha2_256;dh14" }),
    text: /no algorithms for IKE/,
  },
  {
    what: "other ESP algorithms",
    harm: otherwise({ esp: "aes128-sha2_256;dh20" }),
    text: /no algorithms for ESP/,
  },
  {
    what: "narrower selectors",
    harm: otherwise({ ownPrefix: "10.100.0.0/16" }),
    text: /traffic selectors/,
  },
  ...silences,
  {
    what: "a route past it",
    harm: () => routes("add"),
    text: /reaches 10\.100\.0\.0\/16 over wire .*it is blocked there/,
    mend: async () => routes("delete"),
  },
  {
    what: "a missing block",
    harm: () => {
      const policies = ip("-n", site.edge, "-s", "xfrm", "policy", "list", "dir", "out");
      const [, index] = /dst 10\.100\.0\.0\/16 uid \d+\s+dir out action block index (\d+)/.exec(
        policies,
      ) ?? ["", "no block"];
      ip("-n", site.edge, "xfrm", "policy", "delete", "dir", "out", "index", index);
    },
    text: /would let 10\.100\.0\.0\/16 pass in the clear/,
    mend: async () => {
      expect((await all.programs.run("guard")).status).toBe(0);
    },
  },
  {
    what: "a killed charon",
    harm: () => site.charon.stop("SIGKILL"),
    text: /did not tell IKE of hub-1/,
    mend: () => site.charon.start(),
  },
];

/** Codes that tell of no fault here: what carries nothing is no SA. */
const falseCodes = new Set(["transform-mismatch", "sa-ending", "tunnel-one-way"]);

/** Sends a packet through the tunnel each fifth of a second until it is disposed of. */
class Flow implements Disposable {
  readonly #child: ChildProcess;

  constructor() {
    const argv = ["ping", "-q", "-I", inner.edge, "-i", "0.2", inner.gateway];
    this.#child = spawn("ip", ["netns", "exec", site.edge, ...argv], { stdio: "ignore" });
  }

  [Symbol.dispose](): void {
    this.#child.kill();
  }
}

/** The worst moment for silence: charon probes again only a whole `dpd` later. */
async function afterProbe(): Promise<void> {
  const probes = (): number => site.charon.output().split("sending DPD request").length;
  const before = probes();
  await until(() => (probes() > before ? true : undefined), patienceMs);
}

/** Harms the tunnel and mends it. Returns when its cause was shown, and when it was protected. */
async function struck({ what, harm, text, mend = heal }: Harm) {
  const observed: string[] = [];
  const untilSeen = async (
    isSeen: (tunnel: Status["tunnels"][number]) => boolean,
  ): Promise<number> => {
    const begun = performance.now();
    for (let last = ""; ; await rest(pollMs)) {
      const { tunnels, warnings } = await all.status();
      const [tunnel] = tunnels;
      const ms = Math.round(performance.now() - begun);
      const codes = [...(tunnel?.reasons ?? []), ...warnings].map(({ code }) => code);
      observed.push(...codes.filter((code) => falseCodes.has(code)));
      const shown = `${tunnel?.verdict}: ${tunnel?.reasons.map((one) => one.text).join("; ")}`;
      if (shown !== last) console.log(`${what}, ${ms} ms: ${shown}`);
      last = shown;
      if (tunnel !== undefined && isSeen(tunnel)) return ms;
      if (ms > patienceMs) throw new Error(`${what}: ${JSON.stringify(tunnel)}`);
    }
  };
  await harm();
  const causeMs = await untilSeen(({ reasons }) => reasons.some((one) => text.test(one.text)));
  await mend();
  const backMs = await untilSeen(({ verdict }) => verdict === "protected");
  figures.push(`${what}: cause after ${causeMs} ms, protected ${backMs} ms after the mending`);
  expect(causeMs).toBeLessThanOrEqual(causeMsMax);
  expect(observed).toEqual([]);
  expect(leaks.observed).toEqual([]);
}

describe("an agent whose gateway is libreswan", { timeout: 400_000 }, () => {
  it.each(harms)("the cause of a tunnel with $what is in the status", async (row) => {
    using _ = new Flow();
    await struck(row);
    expect(await pings(site.edge)).toBe(3);
  });

  it.each(silences)("$what is named within 10 s although nothing was sent", async (row) => {
    await afterProbe();
    await struck({ ...row, what: `${row.what}, idle` });
    expect(await pings(site.edge)).toBe(3);
  });

  it("a gateway that sends packets is not silent while its answers of IKE are lost", async () => {
    const cut = (rule: string): string => ip("netns", "exec", site.middle, "nft", rule);
    cut("add table ip cut; add chain ip cut answers { type filter hook forward priority 0; }");
    const flow = pings(site.edge, 75, 0.2);
    cut(`add rule ip cut answers ip saddr ${outer.gateway} udp sport 500 drop`);
    const seen = new Set<string | undefined>();
    const count = site.charon.output().split("retransmit 3 of request").length;
    const isRepeated = (): boolean =>
      site.charon.output().split("retransmit 3 of request").length > count;
    await until(async () => {
      seen.add((await all.status()).tunnels[0]?.verdict);
      return isRepeated() ? true : undefined;
    }, patienceMs);
    cut("delete table ip cut");
    expect(await flow).toBe(75);
    expect([...seen]).toEqual(["protected"]);
    await all.untilVerdict("protected");
  });

  it("an idle tunnel whose gateway answers is protected all the time", async () => {
    const probes = (): number => site.charon.output().split("sending DPD request").length;
    const enough = probes() + 10;
    const seen = new Set<string | undefined>();
    await until(async () => {
      seen.add((await all.status()).tunnels[0]?.verdict);
      return probes() >= enough ? true : undefined;
    }, patienceMs);
    expect([...seen]).toEqual(["protected"]);
  });

  it("a connection that others unload is loaded again, and no packet is lost", async () => {
    const spis = (): readonly string[] =>
      ip("-n", site.edge, "xfrm", "state", "list").match(/spi 0x[0-9a-f]+/g) ?? [];
    // What a charon that was killed before has left ends a while after its tunnel is back.
    const before = await until(() => (spis().length === 2 ? spis() : undefined), patienceMs);
    const flow = pings(site.edge, 100, 0.1);
    await site.charon.ask("unload-conn", { name: "hub-1" });
    await until(async () => {
      const [loaded] = await site.charon.list("list-conns", "list-conn");
      return loaded?.has("hub-1") === true ? true : undefined;
    }, patienceMs);
    expect(await flow).toBe(100);
    expect(spis()).toEqual(before);
    await all.untilVerdict("protected");
  });
});
