// Seeded defects at the edge: in what is written, read or answered between the campaign and the
// World.

import { LinksealError } from "#hal/error.ts";
import { decodeJson, encodeJson } from "#hal/json.ts";
import type { DeviceState, MacsecPort, Reading } from "#hal/model.ts";
import type { Disk, HttpReply, World } from "#hal/world.ts";
import { noDefect, type SeededDefect } from "./seeded-defect.ts";

type Http = World["dial"]["http"];
type Around = (http: Http, world: World) => Http;

const decoder = new TextDecoder();
const encoder = new TextEncoder();
const observes = /^\/devices\/[^/]+\/observe$/;

const surrounded = (
  name: string,
  breaks: SeededDefect["breaks"],
  title: string,
  surround: (world: World) => World,
): SeededDefect => ({
  name,
  breaks,
  title,
  where: "rotations",
  activate: () => ({ ...noDefect, surround: ({ world }) => surround(world) }),
});

const dials = (
  name: string,
  breaks: SeededDefect["breaks"],
  title: string,
  around: Around,
): SeededDefect =>
  surrounded(name, breaks, title, (world) => ({
    ...world,
    dial: {
      ...world.dial,
      http: around((request, signal) => world.dial.http(request, signal), world),
    },
  }));

const writes = (
  name: string,
  breaks: SeededDefect["breaks"],
  title: string,
  append: (disk: Disk) => Disk["append"],
): SeededDefect =>
  surrounded(name, breaks, title, (world) => {
    const { disk } = world;
    return { ...world, disk: { ...diskOf(disk), append: append(disk) } };
  });

function diskOf(disk: Disk): Disk {
  return {
    read: (name) => disk.read(name),
    list: (prefix) => disk.list(prefix),
    append: (name, bytes) => disk.append(name, bytes),
    replace: (name, bytes) => disk.replace(name, bytes),
  };
}

/** Returns an old reply with the present time, so that it looks new. */
function restamped({ body, ...reply }: HttpReply, world: World): HttpReply {
  const text = decoder.decode(body).replaceAll(/"at":\d+(?:\.\d+)?/g, `"at":${world.clock.now()}`);
  return { ...reply, body: encoder.encode(text) };
}

const cachedMs = 300_000;

/** Does not ask a device again if it was not written to recently. */
const caching: Around = (http, world) => {
  const kept = new Map<string, { readonly reply: HttpReply; readonly at: number }>();
  let written = "";
  return async (request, signal) => {
    if (request.path.endsWith("/prepare")) written = request.path.replace("prepare", "observe");
    if (!observes.test(request.path)) return await http(request, signal);
    const known = kept.get(request.path);
    const isOld = known === undefined || world.clock.now() - known.at > cachedMs;
    if (!isOld && request.path !== written) return restamped(known.reply, world);
    const reply = await http(request, signal);
    if (reply.status === 200) kept.set(request.path, { reply, at: world.clock.now() });
    return reply;
  };
};

/** Answers with the last observation while a device does not answer. */
const asItWas: Around = (http, world) => {
  const kept = new Map<string, HttpReply>();
  return async (request, signal) => {
    const reply = await http(request, signal);
    if (!observes.test(request.path)) return reply;
    if (reply.status === 200) kept.set(request.path, reply);
    const known = kept.get(request.path);
    return reply.status === 200 || known === undefined ? reply : restamped(known, world);
  };
};

/** Fills a reading that was not understood with the last known one. */
const lastKnown: Around = (http) => {
  const kept = new Map<string, Reading<unknown>>();
  const fill = (port: MacsecPort, at: Reading<unknown>["at"]): MacsecPort => {
    const filled = Object.entries(port).map(([leaf, reading]) => {
      if (leaf === "port") return [leaf, reading];
      const key = `${port.port} ${leaf}`;
      if (reading.kind === "known") kept.set(key, reading);
      const known = kept.get(key);
      return [leaf, known === undefined ? reading : { ...known, at }];
    });
    return Object.fromEntries(filled) as MacsecPort;
  };
  return async (request, signal) => {
    const reply = await http(request, signal);
    if (!observes.test(request.path) || reply.status !== 200) return reply;
    const state = decodeJson(decoder.decode(reply.body)) as DeviceState;
    const macsec = state.macsec.map((port) => fill(port, state.at));
    return { ...reply, body: encoder.encode(encodeJson({ ...state, macsec })) };
  };
};

const applies = /\/transactions\/[^/]+\/apply$/;

/** Forgets a request that got no answer, as if it could not be carried out any more. */
const forgetful: Around = (http) => async (request, signal) => {
  const reply = await http(request, signal);
  if (!applies.test(request.path) || reply.status === 200) return reply;
  const text = decoder.decode(reply.body).replace('"effect":"unknown"', '"effect":"none"');
  return { ...reply, body: encoder.encode(text) };
};

/** A number that every run of this process shares, from which a defect draws. */
let shared = 0;

const clockDefects: readonly SeededDefect[] = [
  surrounded("wall-clock", "P7", "measures waiting times by the wall clock", (world) => {
    const { clock } = world;
    const offset = clock.wall() - clock.now();
    const now = (): ReturnType<typeof clock.now> =>
      (clock.wall() - offset) as unknown as ReturnType<typeof clock.now>;
    return {
      ...world,
      clock: {
        now,
        wall: () => clock.wall(),
        sleep: (ms, signal) => clock.sleep(ms, signal),
        alarm: (ms, ring) => clock.alarm(ms, ring),
      },
    };
  }),
  surrounded(
    "shared-draws",
    "repeat",
    "draws its jitter from what another run left behind",
    (world) => {
      const { clock } = world;
      const sleep: typeof clock.sleep = (ms, signal) => {
        shared = (shared * 31 + 7) % 101;
        return clock.sleep(ms + shared, signal);
      };
      const [now, wall] = [() => clock.now(), () => clock.wall()];
      return { ...world, clock: { now, wall, sleep, alarm: (ms, ring) => clock.alarm(ms, ring) } };
    },
  ),
];

const diskDefects: readonly SeededDefect[] = [
  writes(
    "journal-later",
    "P4",
    "acts before its journal is on the disk",
    (disk) => async (name, bytes) => {
      disk.append(name, bytes).catch(() => undefined);
    },
  ),
  writes(
    "journal-lost",
    "P4",
    "acts although its journal could not be written",
    (disk) => async (name, bytes) => {
      try {
        await disk.append(name, bytes);
      } catch (error) {
        if (!(error instanceof LinksealError)) throw error;
      }
    },
  ),
];

const replyDefects: readonly SeededDefect[] = [
  dials(
    "cached-look",
    "P7",
    "uses an old observation of a device that it did not write to",
    caching,
  ),
  dials("as-it-was", "P7", "takes a silent device to be unchanged", asItWas),
  dials(
    "late-forgotten",
    "P2",
    "forgets its own change that got no answer and may still come",
    forgetful,
  ),
  dials("last-known", "P7", "takes an unparsed reading to be unchanged", lastKnown),
];

export const worldDefects: readonly SeededDefect[] = [
  ...replyDefects,
  ...diskDefects,
  ...clockDefects,
];
