// One failure is one alarm: what follows from it names its cause, and opens no warning.

import { describe, expect, it } from "vitest";
import type { DesiredLink } from "#agent/model/desired.ts";
import { LinksealError } from "#hal/error.ts";
import { type IpsecTunnel, known, type MacsecPort } from "#hal/model.ts";
import { at, clearPort, linkNamed } from "../../../kit/snapshot-kit.ts";
import {
  carrying,
  HealthEvaluatorBench,
  pollMs,
  type Scene,
  unplugged,
} from "../health-evaluator-bench.ts";

const cutFrom = 20;
const healedFrom = 60;
/** IKE notices a dead peer after some polls, and is up again some after its path is. */
const deadFrom = 26;
const againFrom = 63;

/** The links without light from one poll to another. */
const cut =
  (...names: readonly string[]) =>
  (link: DesiredLink, poll: number): MacsecPort => {
    const isDark = names.includes(link.name) && poll >= cutFrom && poll < healedFrom;
    return carrying(link, poll, { linkUp: known(!isDark, at(poll * pollMs)) });
  };

const noIke = (poll: number): Partial<IpsecTunnel> => {
  const now = at(poll * pollMs);
  return { ike: known("connecting", now), sas: known([], now) };
};
const dead = (poll: number): Partial<IpsecTunnel> =>
  poll < deadFrom || poll >= againFrom ? {} : noIke(poll);

const both: Scene = { port: cut("primary", "secondary"), tunnel: dead };
const cause = { code: "link-down", about: "erd-demo/primary" };

describe("a tunnel whose group carries nothing", () => {
  it("the tunnel says because of which link it is down, and what to do about that", () => {
    const [tunnel] = new HealthEvaluatorBench(both).turn().polls(40).status().tunnels;
    expect(tunnel).toMatchObject({ verdict: "down", because: cause });
    expect(tunnel?.reasons.slice(0, 2)).toEqual([
      {
        code: "ike-down",
        text: expect.stringMatching(
          /^IKE from edge-a .* is connecting, because of erd-demo\/primary: .* no link; its BGP/,
        ),
        next: "linkseal links erd-demo/primary",
        because: cause,
      },
      expect.objectContaining({ code: "sa-missing", because: cause }),
    ]);
  });

  it("the links alone have warnings, while it lasts and after it", () => {
    const bench = new HealthEvaluatorBench(both).turn().polls(40);
    const warned = (): readonly string[] => bench.status().warnings.map(({ about }) => about);
    expect(warned()).toEqual(["erd-demo/primary", "erd-demo/secondary"]);
    bench.polls(40);
    expect(warned()).toEqual([]);
    const { events } = bench.events.after(0);
    const reported = events
      .filter(({ code }) => code !== "verdict")
      .map(({ code, about, over }) => `${code} ${about} ${over === true ? "ends" : "begins"}`);
    expect(reported.toSorted()).toEqual([
      "link-down erd-demo/primary begins",
      "link-down erd-demo/primary ends",
      "link-down erd-demo/secondary begins",
      "link-down erd-demo/secondary ends",
    ]);
  });

  it("the events of its verdict name the cause, also the one that ends it", () => {
    const bench = new HealthEvaluatorBench(both).turn().polls(80);
    const { events: all } = bench.events.after(0);
    const events = all.filter(({ about, code }) => about === "hub-1" && code === "verdict");
    expect(events.map(({ verdict, because }) => [verdict, because])).toEqual([
      ["protected", undefined],
      ["down", cause],
      ["protected", cause],
    ]);
  });

  it("the tunnel alarms by itself once it stays down although its links carry again", () => {
    const stuck = (poll: number): Partial<IpsecTunnel> =>
      poll < againFrom ? dead(poll) : noIke(poll);
    const bench = new HealthEvaluatorBench({ ...both, tunnel: stuck }).turn().polls(80);
    expect(bench.warnings()).toEqual([expect.stringMatching(/^ike-down hub-1: IKE from edge-a/)]);
    expect(bench.status().tunnels).toMatchObject([{ verdict: "down", because: null }]);
  });
});

/** BGP leads traffic over the primary link until a poll, and over the secondary for ever. */
const offeredUntil =
  (until: number): NonNullable<Scene["sessions"]> =>
  (poll) =>
    ["primary", "secondary"].map((name) => ({
      port: linkNamed(name).port,
      peer: "169.254.0.1",
      up: name === "secondary" || poll < until,
    }));

const warned = (bench: HealthEvaluatorBench): readonly string[] =>
  bench.status().warnings.map(({ code, about }) => `${code} ${about}`);

describe("a tunnel beside one dark link (a consequence used to alarm by itself)", () => {
  const port = cut("primary");
  const verdictsOf = (bench: HealthEvaluatorBench): readonly unknown[] =>
    bench.events
      .after(0)
      .events.filter(({ about, code }) => about === "hub-1" && code === "verdict")
      .map(({ verdict, because }) => [verdict, because]);

  it("its fall is the consequence of the link that BGP still leads its packets over", () => {
    const bench = new HealthEvaluatorBench({ port, tunnel: dead }).turn().polls(50);
    const { tunnels } = bench.status();
    expect(tunnels).toMatchObject([{ verdict: "down", because: cause }]);
    expect(tunnels[0]?.reasons[0]).toMatchObject({
      code: "ike-down",
      next: "linkseal links erd-demo/primary",
    });
    expect(warned(bench)).toEqual(["link-down erd-demo/primary"]);
    bench.polls(30);
    expect(warned(bench)).toEqual([]);
    expect(verdictsOf(bench)).toEqual([
      ["protected", undefined],
      ["down", cause],
      ["protected", cause],
    ]);
  });

  it("so it is just after BGP has led them away, and the tunnel is back over the sibling", () => {
    const back = (poll: number): Partial<IpsecTunnel> =>
      poll < deadFrom || poll >= deadFrom + 5 ? {} : noIke(poll);
    const scene = { port, tunnel: back, sessions: offeredUntil(cutFrom) };
    const bench = new HealthEvaluatorBench(scene).turn().polls(deadFrom);
    expect(bench.status().tunnels).toMatchObject([{ verdict: "down", because: cause }]);
    bench.polls(20);
    expect(verdictsOf(bench)).toEqual([
      ["protected", undefined],
      ["down", cause],
      ["protected", cause],
    ]);
    expect(bench.reported().filter((text) => text.startsWith("ike-down"))).toEqual([]);
  });

  it("a tunnel that stays down alarms by itself although its packets go over the sibling", () => {
    const scene = { port, tunnel: dead, sessions: offeredUntil(cutFrom) };
    const bench = new HealthEvaluatorBench(scene).turn().polls(50);
    expect(bench.status().tunnels).toMatchObject([{ verdict: "down", because: null }]);
    expect(warned(bench)).toEqual(["link-down erd-demo/primary", "ike-down hub-1"]);
  });

  it("the tunnel alarms by itself when the dark link is not the one that its packets take", () => {
    const other = new HealthEvaluatorBench({ port: cut("secondary"), tunnel: dead });
    const { tunnels } = other.turn().polls(40).status();
    expect(tunnels).toMatchObject([{ verdict: "down", because: null }]);
    expect(tunnels[0]?.reasons.map(({ because }) => because)).toEqual([undefined, undefined]);
    expect(warned(other)).toEqual(["link-down erd-demo/secondary", "ike-down hub-1"]);
  });

  it("its fall is that of the sibling's link while BGP leads its packets there", () => {
    const sessions = offeredUntil(0);
    const scene = { port: cut("secondary"), tunnel: dead, sessions };
    const [tunnel] = new HealthEvaluatorBench(scene).turn().polls(40).status().tunnels;
    expect(tunnel?.because).toEqual({ code: "link-down", about: "erd-demo/secondary" });
  });

  it("an alarm that it had before the link went dark stays its own", () => {
    const long = (poll: number): Partial<IpsecTunnel> => (poll < 5 ? {} : noIke(poll));
    const bench = new HealthEvaluatorBench({ port, tunnel: long }).turn().polls(18);
    expect(warned(bench)).toEqual(["ike-down hub-1"]);
    bench.polls(20);
    expect(warned(bench)).toEqual(["link-down erd-demo/primary", "ike-down hub-1"]);
  });
});

describe("a tunnel whose own daemon fails", () => {
  it("a connection that its own daemon lost is no consequence of a link", () => {
    const forgotten = (poll: number): Partial<IpsecTunnel> => ({
      ike: known("forgotten", at(poll * pollMs)),
    });
    const bench = new HealthEvaluatorBench({ ...both, tunnel: forgotten }).turn().polls(40);
    expect(bench.warnings()).toContainEqual(
      expect.stringMatching(/^ike-down hub-1: the IKE daemon/),
    );
  });
});

describe("a tunnel inside a group that is in the clear", () => {
  const port = (link: DesiredLink, poll: number): MacsecPort =>
    link.name === "primary"
      ? clearPort({ port: link.port }, at(poll * pollMs))
      : carrying(link, poll);

  it("the link alone has the warning, which is an error", () => {
    const { tunnels, warnings } = new HealthEvaluatorBench({ port }).turn().polls(14).status();
    expect(tunnels).toMatchObject([
      {
        verdict: "degraded",
        because: { code: "key-gone", about: "erd-demo/primary" },
      },
    ]);
    const own = warnings.find(({ code }) => code === "key-gone");
    expect(own).toMatchObject({ about: "erd-demo/primary", severity: "error" });
    expect(warnings.filter(({ about }) => about === "hub-1")).toEqual([]);
  });
});

describe("a change that its router accepted and lost", () => {
  const lost = new LinksealError("device.commitExpired", "edge-a no longer holds it", {
    ...{ effect: "none", where: "edge-a", next: "linkseal plan --accepted" },
  });
  const reasons = (scene: Scene): readonly string[] => {
    const { groups, tunnels } = new HealthEvaluatorBench(scene).turn().polls(40).status();
    const links = groups.flatMap(({ links: own }) => own);
    return [...links, ...tunnels].flatMap(({ name, reasons: own }) =>
      own.filter(({ code }) => code === "commit-lost").map(({ next }) => `${name}: ${next}`),
    );
  };
  const warned = (scene: Scene): readonly string[] =>
    new HealthEvaluatorBench(scene)
      .turn()
      .polls(40)
      .warnings()
      .filter((text) => text.startsWith("commit"));

  it("a lost change is reported at its own link, although its sibling is down too", () => {
    const troubles = (link: DesiredLink) => (link.name === "primary" ? [lost] : []);
    const port = cut("primary", "secondary");
    expect(reasons({ port, troubles })).toEqual([
      "primary: linkseal explain commit-lost erd-demo/primary",
    ]);
    const text = "commit-lost erd-demo/primary: edge-a no longer holds it";
    expect(warned({ port, troubles })).toEqual([text]);
    // A link that still works under its old key has lost it too.
    expect(warned({ troubles })).toEqual([text]);
  });

  it("a lost set-up is reported at its own tunnel, and not at the links of its device", () => {
    const scene: Scene = { port: unplugged(0), tunnelTrouble: lost, tunnel: dead };
    expect(reasons(scene)).toEqual(["hub-1: linkseal explain commit-lost hub-1"]);
    expect(warned(scene)).toEqual(["commit-lost hub-1: edge-a no longer holds it"]);
  });
});
