// `npm run equality -- FILE`: the program's behaviour as digests: the event log of each seed and
// all octets of each conformance case on each platform. It writes FILE, or compares with one that
// exists. A change that only moves code leaves every digest unchanged.

import { createHash, type Hash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { readXml } from "#drivers/transport/xml.ts";
import { deviceCases, runDeviceCase } from "#sim/conformance/suite.ts";
import type { EmulatorSession, Wire } from "#sim/emulators/netconf.ts";
import { channelTo } from "#sim/lab/emulator-channel.ts";
import { type Platform, placeOf, platforms, wayOf } from "./conformance/place.ts";
import { benchOf, drive } from "./conformance/rig.ts";
import { playRotations } from "./storm/rotations.ts";

const seeds = 200;
/**
 * Rotations of each seed; the first seeds have enrolment, storm, restarts and a mending operator.
 */
const rotations = 2;

type Digests = Record<string, string>;

async function logsOfSeeds(digests: Digests): Promise<number> {
  let lines = 0;
  for (let index = 0; index < seeds; index += 1) {
    const seed = `equal-${index}`;
    const hash = createHash("sha256");
    const writeLine = (line: string): void => {
      lines += 1;
      hash.update(`${line}\n`);
    };
    const counters = await playRotations({ seed, rotations, writeLine });
    if (counters.violations.length > 0) throw new Error(counters.violations.join("\n"));
    digests[`seed ${seed}`] = hash.digest("hex");
  }
  return lines;
}

/** Records both directions of one channel, each message after its direction and length. */
function recorded(
  connect: (wire: Wire) => EmulatorSession | undefined,
  record: (direction: "to" | "from", octets: Uint8Array) => void,
): (wire: Wire) => EmulatorSession | undefined {
  return (wire) => {
    const session = connect({
      ...wire,
      send: (octets) => {
        record("from", octets);
        wire.send(octets);
      },
    });
    if (session === undefined) return undefined;
    return {
      receive: (octets) => {
        record("to", octets);
        session.receive(octets);
      },
      gone: () => session.gone(),
    };
  };
}

function put(hash: Hash, direction: string, octets: Uint8Array): void {
  hash.update(`${direction} ${octets.length}\n`);
  hash.update(octets);
}

async function transcriptOf(
  platform: Platform,
  one: (typeof deviceCases)[number],
): Promise<{ readonly digest: string; readonly messages: number }> {
  const hash = createHash("sha256");
  let messages = 0;
  const place = placeOf(platform);
  const { rig, emulator } = place;
  const target = { device: rig.router.name, address: "192.0.2.1" };
  const way = wayOf(place, target, async (to) =>
    channelTo(
      to.device,
      recorded(
        (wire) => emulator.connect(wire),
        (direction, octets) => {
          messages += 1;
          put(hash, direction, octets);
        },
      ),
    ),
  );
  const run = async () => runDeviceCase(one, await benchOf(rig, way));
  const verdict = await drive(rig.clock, run());
  hash.update(JSON.stringify(verdict));
  return { digest: hash.digest("hex"), messages };
}

async function transcripts(digests: Digests): Promise<number> {
  // The parser is loaded from a file, and virtual time does not wait for that.
  await readXml(new TextEncoder().encode("<warm/>"), "nowhere");
  let messages = 0;
  for (const [name, platform] of Object.entries(platforms)) {
    for (const one of deviceCases) {
      const transcript = await transcriptOf(platform, one);
      messages += transcript.messages;
      digests[`${name}: ${one.name}`] = transcript.digest;
    }
  }
  return messages;
}

function differences(before: Digests, after: Digests): readonly string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => before[name] !== after[name]);
}

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("npm run equality -- FILE");
const digests: Digests = {};
const messages = await transcripts(digests);
const lines = await logsOfSeeds(digests);
const cases = Object.keys(digests).length - seeds;
console.log(`${seeds} seeds, ${lines} lines; ${cases} transcripts, ${messages} messages`);
if (existsSync(file)) {
  const others = differences(JSON.parse(readFileSync(file, "utf8")) as Digests, digests);
  for (const name of others) console.log(`differs: ${name}`);
  console.log(others.length === 0 ? "equal" : `${others.length} differ`);
  process.exitCode = others.length === 0 ? 0 : 1;
} else {
  writeFileSync(file, `${JSON.stringify(digests, undefined, 2)}\n`);
  console.log(`written: ${file}`);
}
