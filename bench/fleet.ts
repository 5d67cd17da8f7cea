// A hub's page of many sites, whose agents publish to Debian's nats-server: how old what it shows
// is, what it costs, and how it reads compared with NATS's own client.

import { Kvm } from "@nats-io/kv";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";
import { hostClock } from "#agent/host/clock.ts";
import { FleetWatch } from "#agent/hub/fleet-watch.ts";
import { withEngine } from "#agent/hub/host/hub-session.ts";
import { hubInbox } from "#agent/hub/server-accounts.ts";
import { whyLacking } from "../test/machine/place.ts";
import { Browser } from "../test/peers/browser.ts";
import { type Bench, type Figure, isShortest, sized } from "./bench.ts";
import { FleetStage, type Watched } from "./fleet/stage.ts";

const sizes = [10, 100, 1_000] as const;
type Size = (typeof sizes)[number];
const watchSeconds = sized(40, 8);
/** Updates of a browser per sample. */
const updates = sized(10, 1);

let open: { readonly size: Size; readonly stage: Promise<FleetStage> } | undefined;
const seen = new Map<Size, Promise<Watched>>();

/** Sizes are measured one after the other: only one stage is open. */
async function stageOf(size: Size): Promise<FleetStage> {
  if (open?.size !== size) {
    await close();
    open = { size, stage: FleetStage.open(size) };
  }
  return await open.stage;
}

async function close(): Promise<void> {
  const last = open;
  open = undefined;
  await (await last?.stage)?.[Symbol.asyncDispose]();
}

function watched(size: Size): Promise<Watched> {
  const found = seen.get(size) ?? stageOf(size).then((stage) => stage.watch(watchSeconds));
  seen.set(size, found);
  return found;
}

/** `least`: sites that have to be read. */
async function timed(act: () => Promise<number>, least: number): Promise<number> {
  const begun = performance.now();
  const found = await act();
  if (found < least) throw new Error(`${found} sites of ${least} were read`);
  return performance.now() - begun;
}

/** Connects, reads all statuses once, and ends. */
async function ourRead({ login }: FleetStage): Promise<number> {
  const watch = new FleetWatch(hostClock);
  await withEngine(login, (hub) => watch.readStatuses(hub));
  return watch.view().all;
}

async function theirRead({ nats }: FleetStage): Promise<number> {
  const connection = await connect({
    servers: `localhost:${nats.port}`,
    authenticator: nkeyAuthenticator(nats.seed("hub")),
    inboxPrefix: hubInbox,
    tls: { caFile: nats.ca, handshakeFirst: true },
  });
  const bucket = await new Kvm(connection).open("linkseal-status", { allow_direct: true });
  const keys = new Set<string>();
  const watch = await bucket.watch();
  for await (const { key, delta = 0 } of watch) {
    keys.add(key);
    if (delta === 0) break;
  }
  await connection.close();
  return keys.size;
}

/** Returns the processor time of a browser's main thread for one update. */
async function browserMs(size: Size): Promise<number> {
  const stage = await stageOf(size);
  await using browser = await Browser.open({ viewport: { width: 1440, height: 900 } });
  const page = await browser.context.newPage();
  const session = await browser.context.newCDPSession(page);
  let heard = (): void => undefined;
  page.on("websocket", (socket) => socket.on("framereceived", () => heard()));
  const hear = async (count: number): Promise<void> => {
    for (let left = count; left > 0; left -= 1) {
      await new Promise<void>((resolve) => {
        heard = resolve;
      });
    }
  };
  await session.send("Performance.enable");
  await page.goto(await stage.code());
  await page.locator(".row").nth(9).waitFor({ timeout: 60_000, state: "attached" });
  await hear(3);
  const spent = async (): Promise<number> => {
    const { metrics } = await session.send("Performance.getMetrics");
    return (metrics.find(({ name }) => name === "ThreadTime")?.value ?? Number.NaN) * 1_000;
  };
  const before = await spent();
  await hear(updates);
  return ((await spent()) - before) / updates;
}

/** Takes a figure that needs long once, for the warming run too. */
function kept(act: () => Promise<number>): () => Promise<number> {
  let found: Promise<number> | undefined;
  return () => {
    found ??= act();
    return found;
  };
}

function figuresOf(size: Size): readonly Figure[] {
  const of = `${size} sites`;
  const once = (name: string, unit: string, value: (found: Watched) => number, most?: number) => ({
    ...{ name: `${name}, ${of}`, unit, runs: 1, ours: async () => value(await watched(size)) },
    ...(most === undefined ? {} : { most }),
  });
  return [
    {
      name: `all statuses read once, ${of}`,
      unit: "ms",
      ours: async () => {
        const stage = await stageOf(size);
        return await timed(() => ourRead(stage), size);
      },
      peer: {
        name: "@nats-io/kv, watch",
        // It says that it is done when it has as many as there were, of which some may be the same.
        sample: async () => {
          const stage = await stageOf(size);
          return await timed(() => theirRead(stage), size * 0.9);
        },
      },
      most: 6,
    },
    once("age on the page at p99", "s", ({ ageMs }) => ageMs / 1_000, 2),
    once("hub's processor, an update", "ms", ({ hubMsPerUpdate }) => hubMsPerUpdate, 100),
    once("engine's processor", "ms a second", ({ engineMsPerSecond }) => engineMsPerSecond),
    once("hub's memory (RSS)", "MB", ({ hubMegabytes }) => hubMegabytes),
    once("engine's memory (RSS)", "MB", ({ engineMegabytes }) => engineMegabytes),
    {
      ...{ name: `browser's main thread, an update, ${of}`, unit: "ms", most: 100, runs: 1 },
      ours: kept(() => browserMs(size)),
    },
    ...(isShortest ? [] : [engineKilled(size)]),
  ];
}

function engineKilled(size: Size): Figure {
  return {
    ...{ name: `engine killed: until all are fresh, ${size} sites`, unit: "s", most: 90, runs: 1 },
    ours: kept(async () => (await stageOf(size)).killEngine()),
  };
}

export const bench: Bench = {
  title: "a hub's page of many sites over Debian's nats-server, a status of each every 30 s",
  runs: 3,
  whyNot: () => whyLacking(["chromium", "nats-server", "openssl"]),
  close,
  figures: sized<readonly Size[]>(sizes, [10]).flatMap(figuresOf),
};
