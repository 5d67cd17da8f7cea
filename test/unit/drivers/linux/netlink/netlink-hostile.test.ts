import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { readMacsec } from "#drivers/linux/macsec/macsec.ts";
import { readFamily } from "#drivers/linux/netlink/genetlink.ts";
import { readAddress } from "#drivers/linux/netlink/rtnetlink-address.ts";
import { readLink } from "#drivers/linux/netlink/rtnetlink-link.ts";
import { readRoute, readRule } from "#drivers/linux/netlink/rtnetlink-route.ts";
import { readPolicy, readSa, readXfrmEvent } from "#drivers/linux/netlink/xfrm.ts";
import { refusalIn } from "#drivers/transport/netlink-wire.ts";
import { LinksealError } from "#hal/error.ts";
import type { Reader } from "#hal/netlink.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../../../effort.ts";
import { macsecNumber, messagesIn, recordedOctets } from "../../../kit/recorded.ts";

const runs = effort(5_000, 1_000_000);
const seed = process.env["LINKSEAL_SEED"] ?? "netlink";
const megabyte = 1024 * 1024;

const recordings = [
  "links",
  "addresses",
  "routes-4",
  "routes-6",
  "rules-4",
  "rules-6",
  "macsec",
  "sas",
  "policies",
].flatMap(recordedOctets);

const readers: readonly Reader<unknown>[] = [
  readLink,
  readAddress,
  readRoute,
  readRule,
  readFamily,
  readMacsec(macsecNumber),
  readSa,
  readPolicy,
  readXfrmEvent,
  refusalIn,
];

/** The types that some decoder accepts: a message may arrive under any of them. */
const types = [2, 3, 16, 17, 20, 21, 24, 25, 32, 33, 19, 22, 23, 26, 27, 28, macsecNumber];

function mutated(prng: Prng): Uint8Array<ArrayBuffer> {
  const octets = Uint8Array.from(prng.pick(recordings));
  const view = new DataView(octets.buffer);
  if (prng.chance(0.3)) view.setUint16(4, prng.pick(types), true);
  if (prng.chance(0.3)) view.setUint16(6, prng.uint32() & 0x3ff, true);
  for (let change = prng.between(1, 4); change > 0; change -= 1) {
    const at = prng.between(0, octets.length - 4);
    // Lengths are at multiples of four.
    if (prng.chance(0.5)) octets[at] = prng.uint32();
    else view.setUint16(at & ~3, prng.pick([0, 1, 3, 4, 5, 8, 255, 4096, 65_535]), true);
  }
  const cut = prng.chance(0.3) ? octets.slice(0, prng.between(16, octets.length)) : octets;
  // Most messages would be refused for the length in the header otherwise.
  if (prng.chance(0.8)) new DataView(cut.buffer).setUint32(0, cut.length, true);
  return cut;
}

// Returns true if every decoder accepted it.
function isTaken(octets: Uint8Array<ArrayBuffer>): boolean {
  let taken = true;
  const attempt = (f: () => void): void => {
    try {
      f();
    } catch (error) {
      if (!(error instanceof LinksealError) || error.code !== "device.unparsed") throw error;
      taken = false;
    }
  };
  attempt(() => {
    for (const message of messagesIn(octets)) {
      for (const read of readers) attempt(() => read(message));
    }
  });
  return taken;
}

/** Octets in use once what is not used is collected: a busy machine collects late. */
function keptBytes(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

describe("damaged messages of the kernel", () => {
  it(`${runs} damaged messages of the kernel are read or refused, bounded (seed ${seed})`, () => {
    const prng = new Prng(seed);
    const before = keptBytes();
    const count = { taken: 0, refused: 0 };
    for (let run = 0; run < runs; run += 1) {
      const octets = mutated(prng);
      const shown = (): string => `run ${run}: ${Buffer.from(octets).toString("hex")}`;
      try {
        if (isTaken(octets)) count.taken += 1;
        else count.refused += 1;
      } catch (error) {
        throw new Error(`seed ${seed}, ${shown()}`, { cause: error });
      }
    }
    const grown = (keptBytes() - before) / megabyte;
    console.log(`seed ${seed}: ${count.taken} read, ${count.refused} refused, ${grown} MB more`);
    expect(count.taken).toBeGreaterThan(runs / 50);
    expect(count.refused).toBeGreaterThan(runs / 50);
    expect(grown).toBeLessThan(20);
  });
});
