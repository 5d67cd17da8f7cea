// What another host says of itself: the login, the clock between two readings, what is silent.

import { describe, expect, it } from "vitest";
import { examineHost } from "#drivers/linux/driver/examine.ts";
import { LinksealError } from "#hal/error.ts";
import { known, unknown } from "#hal/model.ts";
import type { Instant, WallTime } from "#hal/world.ts";
import { never } from "../../../../unit/kit/site-bench.ts";
import { LinuxBench } from "./linux-bench.ts";

const at = 0 as Instant;
const away = new LinksealError("transport.unreachable", "it does not run", {
  ...{ effect: "none", where: "there", next: "start it" },
});

/** A host whose clock is so far ahead, and whose observation takes as long. */
function hostWith(options: {
  readonly aheadMs?: number | undefined;
  readonly tookMs?: number;
  readonly mka?: "observed" | "away" | "failed";
  readonly frr?: "absent" | "silent" | "answers";
  readonly charon?: "absent" | "silent" | "answers";
}) {
  const { aheadMs = 0, tookMs = 0, mka = "observed", frr = "answers", charon = "absent" } = options;
  let wall = 1_000_000;
  const disposed: string[] = [];
  const control = () => {
    wall += tookMs / 2;
    const seen = { wall: wall + aheadMs };
    wall += tookMs / 2;
    return "aheadMs" in options && options.aheadMs === undefined
      ? unknown("queryFailed", at)
      : known(seen, at);
  };
  const exec = async () => ({
    status: frr === "answers" ? 0 : 1,
    stdout: new Uint8Array(),
    stderr: new Uint8Array(),
  });
  const stream = async (path: string) => {
    if (charon === "silent") throw away;
    return { [Symbol.dispose]: () => disposed.push(path) };
  };
  const host = {
    target: charon === "absent" ? {} : { charon: "/run/charon.vici" },
    world: { clock: { wall: () => wall as WallTime }, dial: { stream } },
    kernel: { observe: async () => ({ control: control() }) },
    mkaClients: { observe: async () => ({ kind: mka, at }) },
    frr: frr === "absent" ? undefined : { exec, shell: ["vtysh"] },
    hello: async () => ({
      ...{ kind: "hello", protocol: 1, version: "0.2.0 build 0", from: "192.0.2.1" },
      ...{ forced: "yes", keys: "bound" },
    }),
  } as unknown as Parameters<typeof examineHost>[0];
  return { host, disposed };
}

describe("another host, examined", () => {
  it("a host where all answers is bound, on time, and nothing is silent", async () => {
    const { host, disposed } = hostWith({ charon: "answers" });
    expect(await examineHost(host, ["eth1"], never)).toEqual({
      ...{ version: "0.2.0 build 0", forced: "yes", keys: "bound" },
      ...{ clock: { aheadMs: 0, errorMs: 0 }, silent: [] },
    });
    expect(disposed).toEqual(["/run/charon.vici"]);
  });

  it("the clock is read between two of ours, give or take half of the time between", async () => {
    const { host } = hostWith({ aheadMs: 90_000, tookMs: 400 });
    const { clock } = await examineHost(host, [], never);
    expect(clock).toEqual({ aheadMs: 90_000, errorMs: 200 });
  });

  it("a clock that cannot be read is not known, nor one across a step of ours", async () => {
    const unread = hostWith({ aheadMs: undefined });
    expect((await examineHost(unread.host, [], never)).clock).toBeUndefined();
    const stepped = hostWith({ tookMs: -5_000 });
    expect((await examineHost(stepped.host, [], never)).clock).toBeUndefined();
  });

  it.each([
    ["the process of a port", { mka: "away" }, ["linkseal-mka@eth1"]],
    ["a process that answers nonsense", { mka: "failed" }, ["linkseal-mka@eth1"]],
    ["FRR that is not installed", { frr: "absent" }, ["frr"]],
    ["FRR that refuses", { frr: "silent" }, ["frr"]],
    ["charon", { charon: "silent" }, ["charon"]],
  ] as const)("%s is silent", async (_what, options, silent) => {
    expect((await examineHost(hostWith(options).host, ["eth1"], never)).silent).toEqual(silent);
  });
});

describe("the driver's way to another host", () => {
  it("only a host behind SSH is examined, by the session that is there", async () => {
    const before = LinuxBench.reach;
    try {
      LinuxBench.reach = "peer";
      const far = await (await LinuxBench.make()).open();
      const report = await far.examine?.(["a0"], never);
      expect(report).toMatchObject({ version: "0.0.0", silent: ["linkseal-mka@a0"] });
      LinuxBench.reach = "here";
      expect("examine" in (await (await LinuxBench.make()).open())).toBe(false);
    } finally {
      LinuxBench.reach = before;
    }
  });
});
