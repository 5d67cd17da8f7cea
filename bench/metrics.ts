// The cost of a scrape of an agent for its collector, compared with node_exporter's on the same
// host.

import { type ChildProcess, spawn } from "node:child_process";
import { get } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as rest } from "node:timers/promises";
import { whyLacking } from "../test/machine/place.ts";
import { Watcher } from "./agent/watcher.ts";
import { type Bench, sized } from "./bench.ts";

const exporterName = "prometheus-node-exporter";
const links = 20;
const speed = 20;
const seriesLeast = 1_000;
const warmPolls = sized(20, 1);
/** This is longer, at that speed, than the second during which scrapes share their text. */
const apartMs = 100;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function scrape(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path: "/metrics", agent: false }, (reply) => {
      const chunks: Buffer[] = [];
      reply.on("data", (chunk: Buffer) => chunks.push(chunk));
      reply.on("end", () => resolve(Buffer.concat(chunks).toString()));
      reply.on("error", reject);
    }).on("error", reject);
  });
}

async function answering(port: number): Promise<number> {
  for (let tries = 0; tries < 200; tries += 1) {
    const text = await scrape(port).catch(() => "");
    if (text !== "") return port;
    await rest(50);
  }
  throw new Error("no metrics are served");
}

function seriesIn(text: string): number {
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
}

let watcher: Watcher | undefined;
let exporter: ChildProcess | undefined;

async function close(): Promise<void> {
  exporter?.kill("SIGKILL");
  await watcher?.[Symbol.asyncDispose]();
}

async function startOurs(): Promise<number> {
  const port = await freePort();
  const health = "health: { poll: 30s, staleAfter: 90s, evidence: 90s }";
  const config = `serve: { metrics: { listen: 127.0.0.1:${port} } }\n${health}\n`;
  watcher = await Watcher.open({ links, speed, warm: warmPolls, config });
  const found = seriesIn(await scrape(await answering(port)));
  if (found < seriesLeast) throw new Error(`only ${found} series`);
  return port;
}

async function startTheirs(): Promise<number> {
  const port = await freePort();
  const argv = [`--web.listen-address=127.0.0.1:${port}`, "--log.level=error"];
  exporter = spawn(exporterName, argv, { stdio: "ignore" });
  return await answering(port);
}

const started = new Map<"ours" | "theirs", Promise<number>>();

function portOf(side: "ours" | "theirs"): Promise<number> {
  const port = started.get(side) ?? (side === "ours" ? startOurs() : startTheirs());
  started.set(side, port);
  return port;
}

async function milliseconds(side: "ours" | "theirs"): Promise<number> {
  const port = await portOf(side);
  await rest(apartMs);
  const begun = performance.now();
  await scrape(port);
  return performance.now() - begun;
}

const series = async (side: "ours" | "theirs"): Promise<number> =>
  seriesIn(await scrape(await portOf(side)));

export const bench: Bench = {
  close,
  whyNot: () => whyLacking([exporterName]),
  title: `a scrape of /metrics, ${links} links`,
  runs: 50,
  figures: [
    {
      name: "from the question to the last octet",
      unit: "ms",
      ours: () => milliseconds("ours"),
      peer: { name: "node_exporter", sample: () => milliseconds("theirs") },
    },
    {
      name: "series in it",
      unit: "series",
      runs: 1,
      ours: () => series("ours"),
      peer: { name: "node_exporter", sample: () => series("theirs") },
    },
  ],
};
