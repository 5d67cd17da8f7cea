// Changes that a router carries out by half or late: the machine keeps its promises, and one that
// reads them wrongly is caught.

import { describe, expect, it } from "vitest";
import type { PortFacts } from "#agent/model/campaign.ts";
import { table } from "#agent/rotation/campaign.ts";
import { configNamed } from "../../model/campaign-configs.ts";
import type { Machine } from "../../model/campaign-observation.ts";
import { explore, realMachine } from "../../model/campaign-space.ts";
import { reading, without } from "../../model/lesser-machine.ts";

describe("a replacement that the router carries out late", () => {
  const config = configNamed("rotate, none, agent");
  const cuts = "LATE: it cuts the link in reverting";
  const onPaper = [
    ...["a turn: queued.free", "a turn: gated.open", "long quiet", "a turn: draining.breaks"],
    ...["a turn: switching.prepareFirst", "a turn: switching.putAgain", "the fibre is cut"],
    ...["the far end settles on paper alone"],
    ...["a turn whose effect comes late: switching.replace", "the fibre heals"],
  ];

  it("a far end that changed on paper alone behind a cut fibre is not the machine's fault", () => {
    const limits = { faults: 3, words: 0, links: 1, after: onPaper } as const;
    const { broken, states, reached } = explore(config, limits);
    console.log(`${states} states`);
    const known = [...broken.keys()].filter((what) => !/^(?:STUCK|LIVE)/.test(what));
    expect(known).toEqual([]);
    expect([...reached]).toContain("held");
  });

  it("a machine that points the far end back while it may come is caught", () => {
    const guarded = without({ action: "putOld", name: "no late change of ours takes the old key" });
    const machine = { ...realMachine, guards: guarded };
    const limits = { faults: 1, words: 0, links: 1 } as const;
    expect([...explore(config, limits, machine).broken.keys()]).toContain(cuts);
  });

  it("a machine that sends it while the link uses the old key is caught as it is sent", () => {
    const switching = table.switching.filter(({ name }) => !/\.(?:half|stillOld)$/.test(name));
    const guarded = without({
      action: "replace",
      name: "the far end is on new and the link has left its other state",
    });
    const machine = { ...realMachine, table: { ...table, switching }, guards: guarded };
    const limits = { faults: 1, words: 0, links: 1 } as const;
    const { broken } = explore(config, limits, machine);
    expect([...broken.keys()]).toContain("P3: the old key still carries (replace)");
  });
});

describe("half of a change of settings", () => {
  const limits = { faults: 1, words: 1, links: 1 } as const;
  const old = configNamed("change, half fits old");
  const brokenBy = (machine: Machine): readonly string[] => [
    ...explore(old, limits, machine).broken.keys(),
  ];
  const as =
    (keys: PortFacts["keys"]) =>
    (port: PortFacts): PortFacts =>
      port.keys === "half" ? { ...port, keys } : port;

  it("a machine that takes it for foreign settings is caught", () => {
    const broken = brokenBy(reading(as("else"), "rows and guards"));
    expect(broken).toContain("HALF: a change that a repeat would finish is given up (switching)");
    expect(broken).toContain("HALF: a change that a repeat would finish waits in gated");
  });

  it("a machine that takes it for the old settings is caught", () => {
    const broken = brokenBy(reading(as("old"), "rows and guards"));
    expect(broken).toContain("DONE: called reverted and is not");
  });

  const dark = (port: PortFacts): PortFacts =>
    port.keys === "half" ? { ...port, carriedBy: "nothing" } : port;

  it.each([
    ["change, half fits new", 0, "replace"],
    ["change, half fits old", 1, "replaceBack"],
  ] as const)(
    "a machine that finishes it where it carries is caught: %s",
    (name, words, action) => {
      const limits = { faults: 2, words, links: 1, stopEarly: true } as const;
      const { broken } = explore(configNamed(name), limits, reading(dark, "guards"));
      expect([...broken.keys()]).toContain(
        `P2: it is not known whether the sibling carries (${action})`,
      );
    },
  );
});
