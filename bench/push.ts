// The same MACsec change to many simulated Junos routers by linkseal, ncclient, netmiko, Ansible
// and the SSH library alone. Each client has its own process, and the routers have another.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { build } from "esbuild";
import flags from "#agent/flags.json" with { type: "json" };
import { hostKeyPair } from "#sim/serve/ssh.ts";
import { ansibleSign, whyLacking } from "../test/machine/place.ts";
import { type Bench, type Figure, sized } from "./bench.ts";
import { edit, linesOf, type Order, type Report, textOf } from "./push/change.ts";

const here = join(import.meta.dirname, "push");
const python = "/usr/bin/python3";
const libraries = ["ncclient", "netmiko"].map((name) => `/usr/lib/python3/dist-packages/${name}`);
/** Placeholder for a folder that is made when the first of these clients runs. */
const bundle = "BUNDLE";
const workers = 50;
const routersMax = sized(200, 10);
const megabytesMax = 120;
const login = hostKeyPair().private;

interface Routers {
  readonly ports: readonly number[];
  readonly hostKey: string;
}

const banner = `import { createRequire as requireOfBundle } from "node:module";
const require = requireOfBundle(import.meta.url);
const __dirname = import.meta.dirname;`;

/**
 * Bundles the clients as linkseal is shipped: stripping types at run time needs a third more
 * memory.
 */
async function bundled(): Promise<string> {
  const outdir = mkdtempSync(join(tmpdir(), "linkseal-push-bench-"));
  process.on("exit", () => rmSync(outdir, { recursive: true }));
  await build({
    entryPoints: ["linkseal.ts", "bare.ts"].map((name) => join(here, name)),
    outdir,
    outExtension: { ".js": ".mjs" },
    ...{ bundle: true, splitting: true, format: "esm", platform: "node", target: "node24" },
    ...{ minifyWhitespace: true, minifySyntax: true },
    ...{ logLevel: "warning", external: ["cpu-features", "*.node"], banner: { js: banner } },
  });
  return outdir;
}

let built: Promise<string> | undefined;
let served: Promise<Routers> | undefined;
let priority = 0;

/** Serves the same routers for all figures. */
async function serve(): Promise<Routers> {
  const argv = [join(here, "devices.ts"), String(routersMax)];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"] });
  process.on("exit", () => child.kill());
  // Reads one line, which may arrive in several pieces.
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  // The child ends with this process and does not keep it alive.
  child.stdout.destroy();
  child.unref();
  const reported = JSON.parse(line) as Routers;
  const octets = Buffer.from(reported.hostKey.split(" ")[1] ?? "", "base64");
  const digest = createHash("sha256").update(octets).digest("base64").replace(/=+$/, "");
  return { ports: reported.ports, hostKey: `SHA256:${digest}` };
}

async function client(argv: readonly string[], count: number): Promise<Report> {
  served ??= serve();
  const { ports, hostKey } = await served;
  priority = (priority + 1) % 250;
  const order: Order = {
    ports: ports.slice(0, count),
    ...{ hostKey, login, workers, priority },
    lines: linesOf(priority),
    edit: textOf(edit(priority)).replace(/^<edit-config>.*?<\/target>|<\/edit-config>$/g, ""),
  };
  built ??= bundled();
  const folder = await built;
  const [program = "", ...words] = argv.map((word) => word.replace(bundle, folder));
  const child = spawn(program, words, { stdio: ["pipe", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (octets: Buffer) => {
    output += octets.toString();
  });
  child.stdin.end(JSON.stringify(order));
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) throw new Error(`${argv.join(" ")} ended with ${status}`);
  return JSON.parse(output) as Report;
}

const seconds = async (argv: readonly string[], count: number): Promise<number> =>
  (await client(argv, count)).seconds;
const node = (name: string, ...words: readonly string[]): readonly string[] => [
  process.execPath,
  ...flags.agent,
  join(bundle, `${name}.mjs`),
  ...words,
];
const ours = (mode: string): readonly string[] => node("linkseal", mode);

// Its modules take half a gigabyte, which only this bench uses; `ansible-core` has none of them.
const hasAnsible = existsSync(ansibleSign);
const without = hasAnsible ? "" : ", without Ansible: npm run test:tools -- ansible";

interface Pusher {
  readonly name: string;
  readonly argv: readonly string[];
  readonly most: number;
  /** Number of runs, if one run takes minutes. */
  readonly runs?: number;
}

const peers: readonly Pusher[] = [
  { name: "ssh2 alone", argv: node("bare"), most: 1.3 },
  { name: "ncclient", argv: [python, join(here, "peer.py"), "ncclient"], most: 1 },
  { name: "netmiko", argv: [python, join(here, "peer.py"), "netmiko"], most: 1 },
  ...(hasAnsible
    ? [{ name: "Ansible", argv: [python, join(here, "ansible.py")], most: 1, runs: 1 }]
    : []),
];

function figuresOf(count: number): readonly Figure[] {
  const title = `${count} routers, ${workers} at a time`;
  const usualRuns = count === routersMax ? 2 : 3;
  const pushed = peers.map(({ name, argv, most, runs = usualRuns }): Figure => {
    const peer = { name, sample: () => seconds(argv, count) };
    // No limit is promised for ten routers: they are done before the processes have warmed up.
    const promised = count > 10 ? { most } : {};
    const figure = { name: `${title}: push only`, unit: "s", runs, peer, ...promised };
    return { ...figure, ours: () => seconds(ours("push"), count) };
  });
  const whole = { name: `${title}: full transaction`, unit: "s", runs: usualRuns };
  return [...pushed, { ...whole, ours: () => seconds(ours("transaction"), count) }];
}

export const bench: Bench = {
  title: `a MACsec change pushed to simulated Junos routers${without}`,
  runs: 3,
  whyNot: () => whyLacking([basename(python), ...libraries]),
  figures: [
    ...sized([10, 50, routersMax], [routersMax]).flatMap(figuresOf),
    {
      name: `memory (RSS) with ${routersMax} routers, full transaction`,
      unit: "MB",
      runs: 2,
      ours: async () => (await client(ours("transaction"), routersMax)).megabytes,
      most: megabytesMax,
    },
    {
      name: `memory (RSS) with ${routersMax} routers, push only`,
      unit: "MB",
      runs: 2,
      ours: async () => (await client(ours("push"), routersMax)).megabytes,
    },
  ],
};
