// What an operator reads, and when, of a tunnel whose libreswan gateway is harmed or configured
// otherwise: the real programs, and every packet in the clear counted where it would arrive.

import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Status } from "#agent/runtime/health/status.ts";
import { ip, until } from "../lab.ts";
import { AgentSite, patienceMs } from "./agent-site.ts";
import { buildForeignSite, connection, type ForeignSite, middle, outer } from "./libreswan-site.ts";
import { LeakWatch, pings } from "./site.ts";

let all: AgentSite<ForeignSite>;
let site: ForeignSite;
let leaks: LeakWatch;
const figures: string[] = [];

beforeAll(async () => {
  all = await AgentSite.at(await buildForeignSite(), outer.gateway);
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

describe("an agent whose gateway is libreswan", { timeout: 400_000 }, () => {
  it.each(harms)("the cause of a tunnel with $what is in the status", async (row) => {
    const { what, harm, text, mend = heal } = row;
    const observed: string[] = [];
    const look = async (): Promise<Status["tunnels"][number] | undefined> => {
      await pings(site.edge, 1);
      const { tunnels, warnings } = await all.status();
      const codes = [...(tunnels[0]?.reasons ?? []), ...warnings].map(({ code }) => code);
      observed.push(...codes.filter((code) => falseCodes.has(code)));
      return tunnels[0];
    };
    const untilSeen = async (
      isSeen: (tunnel: Status["tunnels"][number]) => boolean,
    ): Promise<number> => {
      const begun = performance.now();
      for (;;) {
        const tunnel = await look();
        const ms = performance.now() - begun;
        if (tunnel !== undefined && isSeen(tunnel)) return Math.round(ms);
        if (ms > patienceMs) throw new Error(`${what}: ${JSON.stringify(tunnel)}`);
        await rest(500);
      }
    };
    await harm();
    const causeMs = await untilSeen(({ reasons }) => reasons.some((one) => text.test(one.text)));
    await mend();
    const backMs = await untilSeen(({ verdict }) => verdict === "protected");
    figures.push(`${what}: cause after ${causeMs} ms, protected ${backMs} ms after the mending`);
    expect(observed).toEqual([]);
    expect(leaks.observed).toEqual([]);
    expect(await pings(site.edge)).toBe(3);
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
