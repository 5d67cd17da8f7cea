// Debian's nats-server with the configuration that linkseal writes, on ports and folders of a test.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeUserKey } from "#agent/hub/host/hub-session.ts";
import { parseUsers, serverConfig } from "#agent/hub/server-config.ts";

/** Returns a TCP port that was free. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** A server with a hub, the sites `dub` and `ams`, and perhaps more. */
export class NatsStage implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "linkseal-nats-"));
  readonly keys: Readonly<Record<"hub" | "dub" | "ams", string>>;
  readonly ca: string;
  readonly port: number;
  readonly monitor: string;
  readonly configPath: string;
  readonly #more: readonly string[];
  #child: ChildProcess | undefined;
  #output = "";

  /** `more`: sites beside the two. */
  private constructor(port: number, monitorPort: number, more: readonly string[]) {
    this.#more = more;
    this.port = port;
    this.monitor = `http://127.0.0.1:${monitorPort}`;
    const at = (name: string): string => join(this.folder, name);
    this.keys = { hub: at("hub.seed"), dub: at("dub.seed"), ams: at("ams.seed") };
    this.ca = at("server-cert.pem");
    this.configPath = at("nats-server.conf");
  }

  /** `edit` changes the configuration that linkseal writes; `more`: names of further sites. */
  static async start(
    edit: (text: string) => string = (text) => text,
    more: readonly string[] = [],
  ): Promise<NatsStage> {
    const stage = new NatsStage(await freePort(), await freePort(), more);
    await stage.#configure(edit);
    await stage.run();
    return stage;
  }

  get server(): string {
    return `tls://localhost:${this.port}`;
  }

  /** The file with the seed of a site that `more` names. */
  key(site: string): string {
    return join(this.folder, `${site}.seed`);
  }

  /** What the server has logged. */
  get output(): string {
    return this.#output;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async #configure(edit: (text: string) => string): Promise<void> {
    const { folder, keys, port, monitor } = this;
    const key = join(folder, "server-key.pem");
    execFileSync(
      "openssl",
      [
        ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
        ...["-keyout", key, "-out", this.ca, "-days", "2", "-subj", "/CN=localhost"],
        ...["-addext", "subjectAltName=DNS:localhost"],
      ],
      { stdio: "ignore" },
    );
    const [hub, dub, ams] = [
      await writeUserKey(keys.hub),
      await writeUserKey(keys.dub),
      await writeUserKey(keys.ams),
    ];
    let list = `hub ${hub}\nsite dub ${dub}\nsite ams ${ams} # the second\n`;
    for (const site of this.#more) list += `site ${site} ${await writeUserKey(this.key(site))}\n`;
    const parsed = parseUsers(list);
    if (parsed.kind === "fault") throw new Error(parsed.why);
    const text = serverConfig(parsed.users)
      .replace("0.0.0.0:4222", `127.0.0.1:${port}`)
      .replace("127.0.0.1:8222", monitor.slice("http://".length))
      .replace("/etc/nats/server-cert.pem", this.ca)
      .replace("/etc/nats/server-key.pem", key)
      .replace("/var/lib/nats", join(folder, "store"));
    writeFileSync(this.configPath, edit(text));
  }

  /** Starts the server on what is in its folder, and waits until it takes clients. */
  async run(): Promise<void> {
    const child = spawn("nats-server", ["-c", this.configPath], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    this.#output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (octets: Buffer) => {
        this.#output += octets.toString();
      });
    }
    while (!this.#output.includes("Server is ready")) {
      if (child.exitCode !== null) throw new Error(this.#output);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Ends the server as a power cut does, but for what the kernel keeps. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  seed(user: keyof NatsStage["keys"]): Uint8Array {
    return readFileSync(this.keys[user]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
