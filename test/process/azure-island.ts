// A simulated host for one simulated cloud, in its own network and mount namespaces: the metadata
// service, the Arc agent and its folder are at the places where every client looks for them, and no
// name or address of the real host is touched.

import { type ChildProcess, execFileSync, fork, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compiled } from "./compiled.ts";
import { Program } from "./program.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");
const metadataAddress = "169.254.169.254";
const arcFolder = "/var/opt/azcmagent/tokens";
const privateAddress = "10.20.0.5";

/** The addresses of names on the island; some names have more than one. */
const names = [
  ["127.0.0.1", "localhost"],
  ["127.0.0.1", "kv-loop.vault.azure.net"],
  ["::1", "kv-loop-six.vault.azure.net"],
  [privateAddress, "kv-private.vault.azure.net"],
  ["10.99.0.5", "kv-other-private.vault.azure.net"],
  [metadataAddress, "kv-metadata.vault.azure.net"],
  ["169.254.7.7", "kv-link-local.vault.azure.net"],
  ["168.63.129.16", "kv-platform.vault.azure.net"],
  ["20.36.12.4", "kv-mixed.vault.azure.net"],
  ["127.0.0.1", "kv-mixed.vault.azure.net"],
  ["127.0.0.1", "login.microsoftonline.com"],
] as const;

/** The services at which a request can arrive. */
const doors = ["metadata", "arc", "appService", "decoy", "https"] as const;
export type Door = (typeof doors)[number];
export type Knocks = Readonly<Record<Door, number>>;

type IslandOrder = {
  readonly id: number;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
};
export type IslandNews =
  | { readonly kind: "ready"; readonly settings: Readonly<Record<string, string>> }
  | {
      readonly kind: "done";
      readonly id: number;
      readonly output: string;
      readonly exit: number | null;
      /** Connections to each service during this order. */
      readonly knocks: Knocks;
    };

const unshare = ["--net", "--mount", ...(process.getuid?.() === 0 ? [] : ["--map-root-user"])];

/** Returns why this host does not allow such namespaces; undefined = it does. */
export function hindrance(): string | undefined {
  const tried = spawnSync("unshare", [...unshare, "ip", "link", "set", "lo", "up"]);
  if (tried.status === 0) return undefined;
  const output = tried.error?.message ?? tried.stderr.toString().trim();
  return `no network and mount namespaces for this user (${output})`;
}

/** The test's side of the island. */
export class Island implements AsyncDisposable {
  readonly settings: Readonly<Record<string, string>>;
  readonly #child: ChildProcess;
  #last = 0;

  private constructor(child: ChildProcess, settings: Readonly<Record<string, string>>) {
    this.#child = child;
    this.settings = settings;
  }

  static async open(): Promise<Island> {
    const child = fork(import.meta.filename, [], {
      ...{ execPath: "unshare", execArgv: [...unshare, process.execPath] },
      serialization: "advanced",
    });
    const news = await heard(child);
    if (news.kind !== "ready") throw new Error("the island did not begin");
    return new Island(child, news.settings);
  }

  /** Runs a Node program there to its end. */
  async run(
    argv: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<Extract<IslandNews, { kind: "done" }>> {
    this.#last += 1;
    const order: IslandOrder = { id: this.#last, argv, env };
    this.#child.send(order);
    const news = await heard(this.#child);
    if (news.kind !== "done" || news.id !== order.id) throw new Error("the island is confused");
    return news;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.disconnect();
    await ended;
  }
}

async function heard(child: ChildProcess): Promise<IslandNews> {
  const ended = once(child, "exit").then(() => undefined);
  const news = await Promise.race([once(child, "message"), ended]);
  if (news === undefined) throw new Error("the island has sunk");
  return news[0] as IslandNews;
}

const knocks: Record<Door, number> = { metadata: 0, arc: 0, appService: 0, decoy: 0, https: 0 };

/** Forwards connections to an address to a port of this host; without a port it drops them. */
async function open(door: Door, address: string, port: number, to?: string): Promise<void> {
  const server = createServer((client) => {
    knocks[door] += 1;
    client.on("error", () => client.destroy());
    if (to === undefined) return void client.destroy();
    const behind = connect(Number(to), "127.0.0.1");
    behind.on("error", () => client.destroy());
    client.pipe(behind).pipe(client);
  });
  server.listen(port, address);
  await once(server, "listening");
}

/** Everything made here is gone with the namespaces. */
function settle(folder: string): void {
  const run = (line: string): unknown => execFileSync("/bin/sh", ["-ec", line]);
  const hosts = join(folder, "hosts");
  writeFileSync(hosts, names.map((each) => `${each.join(" ")}\n`).join(""));
  run("ip link set lo up");
  for (const address of [metadataAddress, privateAddress]) run(`ip addr add ${address}/32 dev lo`);
  run("mount -t tmpfs tmpfs /var/opt");
  mkdirSync(arcFolder, { recursive: true, mode: 0o755 });
  run(`mount --bind ${hosts} /etc/hosts`);
}

async function cloudIn(folder: string): Promise<[Program, Record<string, string>]> {
  const argv = [command, "sim", "azure", "--speed", "50", "--arc-folder", arcFolder];
  const env = { PATH: process.env["PATH"], TMPDIR: folder };
  const program = new Program(
    spawn(process.execPath, argv, { env, stdio: ["ignore", "pipe", "pipe"] }),
  );
  await program.until("export AZURE_FEDERATED_TOKEN_FILE=");
  const settings = program.output.matchAll(/^(?:(?!export )(\w+) |(?:# )?export (\w+)=)(\S+)$/gm);
  const pairs = [...settings].map(([, word, name, value = ""]) => [word ?? name ?? "", value]);
  return [program, Object.fromEntries(pairs)];
}

async function obey(order: IslandOrder): Promise<void> {
  const before = { ...knocks };
  const env = { PATH: process.env["PATH"], ...compiled, ...order.env };
  const stdio = ["ignore", "pipe", "pipe"] as const;
  const program = new Program(spawn(process.execPath, order.argv, { env, stdio: [...stdio] }));
  await program.ended;
  const during = doors.map((door) => [door, knocks[door] - before[door]]);
  const { id } = order;
  const news: IslandNews = {
    ...{ kind: "done", id, output: program.output, exit: program.child.exitCode },
    knocks: Object.fromEntries(during) as unknown as Knocks,
  };
  process.send?.(news);
}

if (process.argv[1] === import.meta.filename) {
  const folder = mkdtempSync(join(tmpdir(), "linkseal-island-"));
  settle(folder);
  const [cloud, settings] = await cloudIn(folder);
  const portOf = (url = ""): string => new URL(url).port;
  const arc = /IMDS_ENDPOINT=(\S+)/.exec(cloud.output)?.[1];
  const local = /AZURE_POD_IDENTITY_AUTHORITY_HOST=(\S+)/.exec(cloud.output)?.[1];
  await open("metadata", metadataAddress, 80, portOf(local));
  await open("arc", "127.0.0.1", 40_342, portOf(arc));
  await open("appService", "127.0.0.1", 41_741, portOf(local));
  await open("decoy", "127.0.0.1", 41_666);
  await open("https", "::", 443);
  process.on("message", (order) => void obey(order as IslandOrder));
  process.on("disconnect", () => {
    cloud.child.kill();
    void cloud.ended.then(() => {
      rmSync(folder, { recursive: true });
      process.exit();
    });
  });
  process.send?.({ kind: "ready", settings } satisfies IslandNews);
}
