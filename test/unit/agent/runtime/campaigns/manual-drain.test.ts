// Links that an operator drains: what keeps them in service, what is written when, the way back.

import { describe, expect, it } from "vitest";
import type { Desired } from "#agent/model/desired.ts";
import { known, type MacsecPort, unknown } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { failing, newKey, siblingHere, underKey } from "../../../kit/rotation-runner-bench.ts";
import { never, settled } from "../../../kit/site-bench.ts";
import { at, clearPort, linkNamed, settings } from "../../../kit/snapshot-kit.ts";

import {
  DrainBench as Bench,
  down,
  id,
  lost,
  restores,
  shutting,
  undrainable,
  unsure,
} from "./manual-drain-bench.ts";

describe("a drain by hand", () => {
  it("a drain by hand reads both routers, is written to the journal, and then made", async () => {
    const bench = new Bench();
    await bench.clock.runFor(7_000);
    await bench.drain();
    expect(bench.log).toEqual([
      "look edge-b",
      "look edge-a",
      "write handDrain",
      "prepare edge-a port.drain",
      "write effect edge-a: drain t-1",
      "apply t-1 final",
      "write settled",
      "write measured commit edge-a 0",
    ]);
    expect(bench.changes).toEqual([[{ kind: "port.drain", port: "et-0/0/0", means: "prepend" }]]);
    expect(bench.memory.drains).toEqual({ [id]: { by: "nora", since: bench.clock.wall() } });
  });

  // A disk that filled up after the effect made the reply say that nothing was changed.
  it("a drain whose end the journal does not take is reported as in force", async () => {
    const bench = new Bench();
    bench.hooks.write = async () => {
      if (bench.log.includes("apply t-1 final")) throw failing("journal.full");
    };
    const error = await bench.kept();
    expect(error).toMatchObject({ code: "journal.full", effect: "applied", where: "edge-a" });
    expect(error.message).toContain("is in force");
    expect(Object.keys(bench.memory.drains)).toEqual([id]);
  });

  it("a drain by hand reads neither the far end nor the management path", async () => {
    const bench = new Bench();
    bench.peers.primary = { ...bench.peers.primary, provisioning: "failed", sci: "off" };
    bench.ownRoute = "et-0/0/0";
    await bench.drain();
    expect(Object.keys(bench.memory.drains)).toEqual([id]);
  });

  type Spoil = (bench: Bench) => void;
  const refusals: readonly (readonly [string, Spoil, string])[] = [
    [
      "the other link is down",
      (bench) => {
        bench.port.secondary = down;
      },
      "gate.siblingUnhealthy: secondary is not carrying",
    ],
    [
      "health has a word against the other link",
      (bench) => {
        bench.alarm = lost;
      },
      "secondary is not carrying: it is degraded (link-down)",
    ],
    [
      "health does not know the other link",
      (bench) => {
        bench.alarm = unsure;
      },
      "secondary is not carrying: it has not been evaluated yet",
    ],
    ["it is drained already", (bench) => bench.drained.add("primary"), "it is drained already"],
    [
      "no router can be read",
      (bench) => {
        bench.failures.observe = failing("transport.unreachable");
      },
      "gate.siblingUnhealthy: secondary is not carrying",
    ],
    ["its BGP is down", (bench) => bench.routeless.add("primary"), "BGP is not up on the link"],
    [
      "a commit waits on its router",
      (bench) => {
        bench.commitPending = true;
      },
      "a commit is pending on the router",
    ],
  ];
  it.each(refusals)(
    "a drain by hand is refused where %s, and nothing is written",
    async (_name, spoil, text) => {
      const bench = new Bench();
      spoil(bench);
      const error = await bench.kept();
      expect(error).toMatchObject({
        ...{ code: "gate.siblingUnhealthy", effect: "none", where: id, next: "linkseal links" },
        message: expect.stringContaining(`${id} is not drained: `),
      });
      expect(error.message).toContain(text);
      expect([bench.records, bench.changes]).toEqual([[], []]);
    },
  );

  it("a drain by hand is refused before any read in a group without means", async () => {
    const bench = new Bench({ edit: undrainable });
    expect((await bench.kept()).message).toBe(
      `${id} is not drained: the group erd-demo has no means to drain (drain: none)`,
    );
    expect(bench.log).toEqual([]);
  });

  it("routes are not taken away by hand where the sibling is on this host", async () => {
    const hard = (wanted: Desired): Desired => shutting(siblingHere(wanted));
    const error = await new Bench({ edit: hard }).kept();
    expect(error).toMatchObject({ code: "gate.riskNotAccepted", effect: "none", where: id });
    expect(error.next).toBe(
      "accept agentOnSibling under acceptRisks, or let the group drain by prepend",
    );
    const until = (new Bench().clock.wall() + 1) as WallTime;
    const accepted = (wanted: Desired): Desired => ({
      ...hard(wanted),
      acceptRisks: [{ risk: "agentOnSibling", until, reason: undefined }],
    });
    const bench = new Bench({ edit: accepted });
    await bench.drain();
    expect(Object.keys(bench.memory.drains)).toEqual([id]);
  });

  it("a drain by hand is refused for a link of another group", async () => {
    const bench = new Bench();
    const stranger = { ...bench.link, name: "tertiary" };
    expect((await bench.kept(stranger)).message).toContain("the router cannot be read");
  });

  it("a drain by hand is not made where the other link is lost meanwhile", async () => {
    const bench = new Bench();
    bench.hooks.prepare = async () => {
      bench.port.secondary = down;
      await bench.deviceCache.observe("edge-b", never);
    };
    const error = await bench.kept();
    expect(error.message).toContain("secondary is not carrying");
    expect(bench.log.filter((line) => line.startsWith("apply"))).toEqual([]);
    expect(bench.log.slice(-3)).toEqual(["rollback t-1", "write settled", "write handDrain"]);
    // The status said that its traffic was moved away.
    expect(bench.memory.drains).toEqual({});
  });

  it("a drain by hand whose router fails stays in the journal for a later turn", async () => {
    const bench = new Bench();
    bench.failures.apply = failing("transport.unreachable");
    expect((await bench.kept()).code).toBe("transport.unreachable");
    expect(Object.keys(bench.memory.drains)).toEqual([id]);
  });
});

describe("a turn", () => {
  it("a turn reads nothing while no link is drained by hand", async () => {
    const bench = new Bench();
    bench.drained.add("primary");
    await bench.observe();
    expect(bench.log).toEqual([]);
  });

  it("a turn leaves a drained link alone while the other one carries", async () => {
    const bench = new Bench();
    await bench.isDrained();
    await bench.observe();
    expect(bench.log).toEqual(["look edge-b", "look edge-a"]);
    expect([bench.changes, bench.logged]).toEqual([[], []]);
  });

  it("a turn gives the traffic back where the other link is lost, and says why", async () => {
    const bench = new Bench();
    await bench.isDrained();
    bench.port.secondary = down;
    await bench.observe();
    expect(bench.changes).toEqual(restores);
    expect(bench.memory.drains).toEqual({});
    expect(bench.logged).toEqual([
      expect.stringMatching(
        /^warn hand-drain-over erd-demo\/primary gets its traffic back: secondary is not carrying/,
      ),
    ]);
    expect(bench.logged[0]).toContain('{"group":"erd-demo"}');
  });

  it("a turn gives nothing back while the other link is only in doubt", async () => {
    const bench = new Bench();
    await bench.isDrained();
    bench.alarm = unsure;
    await bench.observe();
    expect(bench.changes).toEqual([]);
    bench.alarm = lost;
    await bench.observe();
    expect(bench.changes).toEqual(restores);
  });

  const bare = clearPort();
  const mute = unknown("notSupported", at(0));
  const ports: readonly {
    readonly name: string;
    readonly port: Partial<MacsecPort>;
    readonly kind: "bound" | "free";
    readonly back: boolean;
  }[] = [
    { name: "that is down", port: down, kind: "bound", back: false },
    {
      name: "that its router does not show",
      port: { port: "et-9/9/9" },
      kind: "bound",
      back: false,
    },
    {
      name: "whose state is not known",
      port: { linkUp: mute },
      kind: "bound",
      back: false,
    },
    {
      name: "that is not secured by its key",
      port: { session: bare.session },
      kind: "bound",
      back: false,
    },
    { name: "without a key, in the clear as wanted", port: bare, kind: "free", back: true },
    { name: "without a key, and down", port: { ...bare, ...down }, kind: "free", back: false },
    {
      name: "without a key of ours, set to MACsec",
      port: { settings: known(settings, at(0)) },
      kind: "free",
      back: false,
    },
    {
      name: "without a key, of unknown settings",
      port: { settings: mute },
      kind: "free",
      back: false,
    },
  ];
  it.each(ports)(
    "a link $name, with the other one lost, is given back: $back",
    async ({ port, kind, back }) => {
      const bench = new Bench();
      await bench.isDrained();
      if (kind === "free") bench.unbind();
      bench.port.primary = { ...underKey(newKey), port: "et-0/0/0", ...port };
      bench.port.secondary = down;
      await bench.observe();
      expect(bench.changes).toEqual(back ? restores : []);
      expect(bench.memory.drains[id] === undefined).toBe(back);
    },
  );

  const back = (about: string) => expect.stringContaining(`drain-given-back ${about} `);
  const seen = async (bench: Bench): Promise<void> => {
    for (const device of ["edge-a", "edge-b"]) {
      await settled(bench.clock, bench.deviceCache.observe(device, never));
    }
    bench.log.length = 0;
  };
  const sends = async (bench: Bench, token: string, what: "drain" | "shut"): Promise<void> => {
    const late = { link: id, what, since: bench.clock.wall() };
    const effect = { kind: "effect", place: "edge-a", what, token, late } as const;
    await settled(bench.clock, bench.parts.write(effect));
  };

  it("a turn gives a late drain of ours back, whether the sibling carries or not", async () => {
    const bench = new Bench();
    await sends(bench, "t-0", "drain");
    await seen(bench);
    await bench.observe();
    expect(bench.log).toEqual([]);
    bench.drained.add("primary");
    await seen(bench);
    await bench.observe();
    expect(bench.changes).toEqual(restores);
    expect(bench.log.slice(-2)).toEqual(["write measured commit edge-a 0", "write settled"]);
    expect(bench.memory.late).toEqual({});
    expect(bench.events).toEqual([back(id)]);
    expect(bench.events[0]).toContain("linkseal sent a drain at 2026-11-24T10:00:00Z");
    // The next drain is a foreign one, which ends only by the loss of the sibling.
    bench.drained.add("primary");
    await bench.observe();
    expect(bench.changes).toHaveLength(1);
  });

  it("a turn gives a late drain back again if the first restore failed", async () => {
    const bench = new Bench();
    await sends(bench, "t-0", "drain");
    bench.drained.add("primary");
    await seen(bench);
    bench.failures.apply = failing("device.locked", "locked");
    await bench.observe();
    expect(bench.memory.late[id]).toHaveLength(1);
    expect(bench.logged).toEqual(['warn device.locked locked {"group":"erd-demo"}']);
    delete bench.failures.apply;
    await bench.observe();
    expect([bench.changes.length, bench.memory.late]).toEqual([2, {}]);
  });

  it("a turn leaves a late drain to the operator who has drained the link since", async () => {
    const bench = new Bench();
    await bench.isDrained();
    await sends(bench, "t-0", "drain");
    await seen(bench);
    await bench.observe();
    expect(bench.changes).toEqual([]);
  });

  it("a turn leaves the link under way to its campaign", async () => {
    const bench = new Bench();
    await sends(bench, "t-0", "drain");
    bench.drained.add("primary");
    await seen(bench);
    await settled(bench.clock, bench.drains.turn(never, "primary"));
    expect(bench.log).toEqual([]);
  });

  it("a turn counts a drain that was sent over 20 minutes ago as foreign", async () => {
    const bench = new Bench();
    await sends(bench, "t-0", "drain");
    await bench.clock.runFor(1_200_001);
    bench.drained.add("primary");
    await seen(bench);
    await bench.observe();
    expect(bench.changes).toEqual([]);
  });

  it("a turn opens a port that our own change shut late, and no other one", async () => {
    const bench = new Bench();
    bench.port.primary = { ...underKey(newKey), ...down, admin: known("down", at(0)) };
    await seen(bench);
    await bench.observe();
    expect(bench.changes).toEqual([]);
    await sends(bench, "t-0", "shut");
    await bench.observe();
    expect(bench.changes).toEqual([[{ kind: "port.open", port: "et-0/0/0" }]]);
    expect(bench.events).toEqual([expect.stringContaining("its port is open again")]);
  });

  it("a turn gives a drain of the router back once the sibling is lost", async () => {
    const bench = new Bench({ edit: undrainable });
    bench.drained.add("primary");
    await seen(bench);
    await bench.observe();
    expect(bench.changes).toEqual([]);
    bench.port.secondary = down;
    await bench.observe();
    expect(bench.changes).toEqual(restores);
    expect(bench.events).toEqual([
      `drain-given-back ${id} ${id} gets its traffic back, which was moved away on the router: ` +
        "secondary is not carrying: its link is down",
    ]);
  });

  it("a turn leaves a drain whose link cannot carry, or has routes over it", async () => {
    const dark = new Bench();
    dark.drained.add("primary");
    dark.port.primary = { ...underKey(newKey), ...down };
    dark.port.secondary = down;
    await seen(dark);
    await dark.observe();
    expect(dark.changes).toEqual([]);
    const partly = new Bench();
    partly.drained.add("primary");
    partly.means = "peeringShutdown";
    partly.port.secondary = down;
    await seen(partly);
    await partly.observe();
    expect(partly.changes).toEqual([]);
    partly.routeless.add("primary");
    await partly.observe();
    expect(partly.changes).toEqual([
      [{ kind: "port.restore", port: "et-0/0/0", means: "peeringShutdown" }],
    ]);
  });

  it("a turn gives back the drained link alone", async () => {
    const bench = new Bench();
    const secondary = linkNamed("secondary", bench.desired);
    await bench.drain(secondary);
    bench.drained.add("secondary");
    bench.changes.length = 0;
    bench.port.primary = { ...underKey(newKey), ...down };
    await bench.observe();
    expect(bench.changes).toEqual([[{ kind: "port.restore", port: "et-0/0/1", means: "prepend" }]]);
    expect(bench.memory.drains).toEqual({});
  });
});
