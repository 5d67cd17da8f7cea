// Rules for where a link's traffic is on its device: its routing instance and its aggregate.

import { type PlatformName, platforms } from "#drivers/index.ts";
import { type Path, shown } from "./complaint.ts";
import { type Finding, finding, type Rule } from "./rule.ts";
import type { Config } from "./schema.ts";

export const placementRules: readonly Rule[] = [
  {
    says: "`vrf` is a name that the platform of the device allows; a simulated router has none.",
    *find({ devices, groups }) {
      for (const [i, { driver, vrf }] of devices.entries()) {
        yield* vrfFaults(driver, vrf, ["devices", i, "vrf"]);
      }
      for (const { link, path } of linksIn(groups)) {
        const driver = devices.find(({ name }) => name === link.device)?.driver;
        if (driver !== undefined) yield* vrfFaults(driver, link.vrf, [...path, "vrf"]);
      }
    },
  },
  {
    says: "`aggregate` is named as the platform of the device names aggregates.",
    *find({ devices, groups }) {
      for (const { link, path } of linksIn(groups)) {
        const driver = devices.find(({ name }) => name === link.device)?.driver;
        if (driver === undefined || link.aggregate === undefined) continue;
        const naming = platforms[driver].facts.aggregates;
        const at = [...path, "aggregate"];
        if (naming === "none") {
          const why = `the driver ${driver} does not manage links in an aggregate`;
          yield finding(at, "is set", why, "use a link of its own");
        } else if (!naming.pattern.test(link.aggregate)) {
          const why = `the driver ${driver} names aggregates otherwise`;
          yield finding(at, `is ${shown(link.aggregate)}`, why, `aggregate: ${naming.example}`);
        }
      }
    },
  },
  {
    says: "An `aggregate` is named on one link of its device: it has one member.",
    *find({ groups }) {
      const seen = new Map<string, string>();
      for (const { link, path, id } of linksIn(groups)) {
        const { device, aggregate } = link;
        if (aggregate === undefined) continue;
        const before = seen.get(`${device} ${aggregate}`);
        if (before === undefined) seen.set(`${device} ${aggregate}`, id);
        else {
          const why = `${before} names it too, and an aggregate with two members is not drained`;
          const at = [...path, "aggregate"];
          yield finding(
            at,
            `is ${shown(aggregate)}`,
            why,
            "give each link an aggregate of its own",
          );
        }
      }
    },
  },
];

type Group = Config["groups"][number];

interface Placed {
  readonly link: Group["links"][number];
  readonly path: Path;
  readonly id: string;
}

function linksIn(groups: readonly Group[]): readonly Placed[] {
  return groups.flatMap(({ name, links }, i) =>
    links.map((link, j) => {
      return { link, path: ["groups", i, "links", j], id: `${name}/${link.name}` };
    }),
  );
}

function* vrfFaults(driver: PlatformName, vrf: string | undefined, path: Path): Generator<Finding> {
  if (vrf === undefined) return;
  const most = platforms[driver].facts.vrfLengthMax;
  if (most === "none") {
    yield finding(path, "is set", "a simulated router has no routing instances", "leave it out");
  } else if (vrf.length > most) {
    const why = `a name has at most ${most} characters there`;
    yield finding(path, `has ${vrf.length} characters`, why, "write the name of the device");
  }
}
