// What routers with a command line have in their configuration after a rotation: the lines of the
// plan, and nothing that a session of the driver leaves behind.

import { describe, expect, it } from "vitest";
import type { DeviceChange } from "#hal/device.ts";
import { preview } from "#hal/secret.ts";
import type { Dialer } from "#hal/world.ts";
import type { DeviceBench } from "#sim/conformance/bench.ts";
import * as kit from "#sim/conformance/kit.ts";
import { plainLayout } from "#sim/emulators/cisco-layout.ts";
import { IosxrEmulator } from "#sim/emulators/iosxr.ts";
import type { Block } from "#sim/emulators/line-tree.ts";
import type { EmulatorSession, Wire } from "#sim/emulators/netconf.ts";
import { channelTo } from "#sim/lab/emulator-channel.ts";
import { allPlatforms, type Platform, placeOf, platforms, wayOf } from "./place.ts";
import { benchOf, drive } from "./rig.ts";
import { rotate } from "./rotation-kit.ts";

interface CliEmulator {
  connect(wire: Wire): EmulatorSession | undefined;
  readonly current: readonly Block[];
}

/** A line of a configuration, and the lines that it is inside of. */
interface Line {
  readonly above: readonly string[];
  readonly text: string;
}

type Configuration = ReadonlyMap<string, Line>;

function linesOf(blocks: readonly Block[], above: readonly string[] = []): Configuration {
  return new Map(
    blocks.flatMap(({ line: text, children }): readonly [string, Line][] => {
      const path = [...above, text];
      return [[path.join(" > "), { above, text }], ...linesOf(children, path)];
    }),
  );
}

/** Returns the changed lines that no sent line explains; a comment explains nothing. */
function strays(before: Configuration, after: Configuration, sent: readonly string[]) {
  const entered = sent.filter((text) => !text.startsWith("!"));
  const removals = entered.flatMap((text) => (text.startsWith("no ") ? [text.slice(3)] : []));
  const added = [...after].filter(([path]) => !before.has(path));
  const gone = [...before].filter(([path]) => !after.has(path));
  const isEntered = ({ text }: Line): boolean =>
    entered.some((one) => {
      const [head = "", ...secrets] = one.split("[secret ");
      // A key that is entered as type 0 is stored as another type.
      return secrets.length === 0 ? text === one : text.startsWith(head.replace(/ 0 $/, " "));
    });
  const place = ({ above, text }: Line): string => [...above, text.split(" ", 1)].join(" > ");
  const replaced = new Set(added.map(([, one]) => place(one)));
  const hasAll = (words: readonly string[], of: string): boolean => {
    const own = of.split(" ");
    return words.every((word) => own.includes(word));
  };
  const isRemoved = ({ above, text }: Line): boolean =>
    [...above, text].some((one) => removals.some((removal) => hasAll(removal.split(" "), one)));
  return [
    ...added.filter(([, one]) => !isEntered(one)).map(([path]) => `+ ${path}`),
    ...gone
      .filter(([, one]) => !isRemoved(one) && !replaced.has(place(one)))
      .map(([path]) => `- ${path}`),
  ];
}

/** Returns the lines in a form that is the same for any key, and the chain that it is in. */
function withoutKeys(configuration: Configuration): readonly string[] {
  const anonymous = [...configuration.keys()].map((path) =>
    path
      .replaceAll(/(?<=\bkey )[0-9a-fA-F]{64}(?![0-9a-fA-F])/g, "CKN")
      .replaceAll(/(?<=\bkey-(?:octet-)?string (?:0 )?|\bkey CKN [07] )\w+/g, "CAK")
      .replaceAll(/(?<=> lifetime ).*/g, "TIME")
      // One line of IOS XE names the last change.
      .replaceAll(/(?<=linkseal_commit )[0-9a-f]+/g, "TOKEN")
      .replaceAll(/(?<=\b(?:ls|linkseal)-[\w-]*\d-)[ab]\b/g, "CHAIN"),
  );
  return anonymous.toSorted();
}

/** A router, a driver that is connected to it, and all that was in the configuration unplanned. */
class Watched {
  readonly strays: string[] = [];
  readonly #read: () => Configuration;
  readonly bench: DeviceBench;
  readonly #sent: string[];

  constructor(bench: DeviceBench, read: () => Configuration, sent: string[]) {
    this.bench = bench;
    this.#read = read;
    this.#sent = sent;
  }

  get configuration(): Configuration {
    return this.#read();
  }

  /** Makes the change, and compares what it did with what was sent. */
  async step(change: DeviceChange, committed: "final" | "confirmed" | "takenBack" = "final") {
    const before = this.configuration;
    this.#sent.length = 0;
    const transaction = await kit.prepare(this.bench, change);
    const isFinal = committed === "final" || !kit.timer.needs(this.bench.device.capabilities);
    await transaction.apply(isFinal ? "final" : kit.revertMs, kit.never);
    if (!isFinal && committed === "confirmed") await transaction.confirm(kit.never);
    if (committed === "takenBack") await transaction.rollback(kit.never);
    const sent = committed === "takenBack" ? [] : this.#sent.map((text) => text.trim());
    this.strays.push(...strays(before, this.configuration, sent));
  }
}

/** Makes a tunnel, gives it another life, and removes it. */
async function passTunnel(watched: Watched): Promise<void> {
  const { tunnel } = watched.bench;
  const life = { ...tunnel.life, seconds: 10_800 };
  await watched.step([{ kind: "ipsec.putTunnel", tunnel }]);
  await watched.step([{ kind: "ipsec.putTunnel", tunnel: { ...tunnel, life } }]);
  await watched.step([{ kind: "ipsec.removeTunnel", name: tunnel.name }]);
}

interface Opened {
  readonly watched: Watched;
  readonly run: <T>(part: Promise<T>) => Promise<T>;
  readonly connect: (wire: Wire) => EmulatorSession | undefined;
}

async function opened(platform: Platform<CliEmulator>): Promise<Opened> {
  const place = placeOf(platform);
  const { rig, emulator } = place;
  const sent: string[] = [];
  const connect = (wire: Wire) => emulator.connect(wire);
  const channel: Dialer["channel"] = async (to) => channelTo(to.device, connect);
  const target = { device: rig.router.name, address: "192.0.2.1" };
  const way = wayOf(place, target, channel, (text) => sent.push(preview(text)));
  const run = <T>(part: Promise<T>): Promise<T> => drive(rig.clock, part);
  const bench = await run(benchOf(rig, way));
  const read = (): Configuration => linesOf(emulator.current);
  return { watched: new Watched(bench, read, sent), run, connect };
}

/** A router that asks a question at each commit, also at the one that confirms another. */
const asking: Platform<CliEmulator> = {
  ...platforms["8201-32FH 7.11.2"],
  emulatorOf: (router) => {
    const layout = { ...plainLayout, asksAtCommit: true };
    const model = { platform: "8201-32FH", version: "7.11.2", layout, wiring: {} };
    return new IosxrEmulator(router, model);
  },
};

const cliPlatforms = allPlatforms.filter(
  (one): one is readonly [string, Platform<CliEmulator>] => one[1].vendor !== "junos",
);

describe("the configuration of a router with a command line", () => {
  it.each([...cliPlatforms, ["8201-32FH that asks at a commit", asking] as const])(
    "has only the plan in it after a rotation: %s",
    async (_, platform) => {
      const { watched, run } = await opened(platform);
      const { bench } = watched;
      if (kit.macsec.needs(bench.device.capabilities)) {
        const old = await run(kit.secure(bench, bench.ports[0]));
        const before = withoutKeys(watched.configuration);
        const next = kit.freshKey(bench);
        await run(rotate(watched, old, next));
        // Where a key stays in the place that it came to, the next rotation takes the other one.
        await run(rotate(watched, next, kit.freshKey(bench)));
        expect(withoutKeys(watched.configuration)).toEqual(before);
      }
      if (kit.ipsec.needs(bench.device.capabilities)) {
        const before = withoutKeys(watched.configuration);
        await run(passTunnel(watched));
        // The mode of EOS is a line of the emulator, and no setting.
        const after = withoutKeys(watched.configuration).filter((text) => text !== "ip security");
        expect(after).toEqual(before);
      }
      expect(watched.strays).toEqual([]);
    },
  );

  it("shows a comment that a session leaves, and a line that nothing planned", async () => {
    const { watched, connect, run } = await opened(platforms["8201-32FH 7.11.2"]);
    const before = watched.configuration;
    const channel = channelTo("edge-a", connect);
    const typed = ["configure exclusive", "! 0123456789abcdef", "hostname other", "commit", "end"];
    for (const text of typed) await run(channel.write([`${text}\n`], kit.never));
    await run(watched.bench.wait(20_000));
    const found = strays(before, watched.configuration, typed.slice(0, 2));
    expect(found.toSorted()).toEqual(["+ ! 0123456789abcdef", "+ hostname other"]);
  });
});
