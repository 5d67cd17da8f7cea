// linkseal-mka as a process in a network of the test, and its client.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { MkaClient, type MkaObservation } from "#drivers/linux/mka/client.ts";
import { type RequestedOperation, replyBytesMax } from "#drivers/linux/mka/protocol.ts";
import { askFramed } from "#drivers/transport/framed.ts";
import { Secret } from "#hal/secret.ts";
import { readyMark } from "../../process/program.ts";
import { change, type Step } from "../../unit/kit/mka-change.ts";
import { soon } from "../lab.ts";
import { handed, knowingItself } from "./service-manager.ts";
import type { TestKey } from "./station.ts";

const ownCommand = join(import.meta.dirname, "../../../agent/bin.js");

export interface ParticipantOptions {
  readonly network: string;
  readonly folder: string;
  readonly client?: string;
  /** Address of a service manager, and the data that it keeps for the process. */
  readonly manager?: string;
  readonly held?: number;
  /** Path of the command; absent = that of this clone. */
  readonly command?: string;
  /** Options of Node and of the command, and variables of the process, in addition. */
  readonly flags?: readonly string[];
  readonly options?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export class Participant implements Disposable {
  readonly socket: string;
  readonly client: MkaClient;
  readonly #options: ParticipantOptions;
  #child: ChildProcess | undefined;
  output = "";

  constructor(options: ParticipantOptions) {
    this.#options = options;
    this.socket = join(options.folder, `${options.network}.sock`);
    this.client = new MkaClient(
      (octets, { effect }, signal) =>
        askFramed({ path: this.socket, octets, replyBytesMax, effect }, signal),
      "wire",
    );
  }

  /** Starts the process; resolves once it reports that it is ready. */
  async start(held?: number): Promise<void> {
    const { network, folder, client, manager, environment } = this.#options;
    const { command = ownCommand, flags = [], options = [] } = this.#options;
    const more = [...(client === undefined ? [] : ["--client", client]), ...options];
    const node = [process.execPath, ...flags];
    const argv = [...node, command, "mka", "wire", "--socket", this.socket, ...more];
    const env = {
      ...process.env,
      ...environment,
      ...{ LINKSEAL_HOME: folder, TMPDIR: folder, ...handed(manager, held) },
    };
    const child = spawn("ip", ["netns", "exec", network, ...knowingItself, ...argv], {
      env,
      stdio: ["ignore", "pipe", "pipe", ...(held === undefined ? [] : [held])],
    });
    this.#child = child;
    const ready = Promise.withResolvers<void>();
    let own = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk) => {
        own += String(chunk);
        this.output += String(chunk);
        if (own.includes(readyMark)) ready.resolve();
      });
    }
    child.once("close", () => ready.reject(new Error(`it ended: ${this.output}`)));
    await ready.promise;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Waits for the end of a process that does not answer any more; false = it answers. */
  async hasEnded(): Promise<boolean> {
    const child = this.#child;
    if (child === undefined) return true;
    const isEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
    if (isEnded()) return true;
    try {
      await this.observe();
    } catch {
      if (!isEnded()) await once(child, "close");
    }
    return isEnded();
  }

  async end(signal: "SIGKILL" | "SIGTERM"): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    child.kill(signal);
    const [status] = (await once(child, "close")) as [number | null];
    this.#child = undefined;
    return status;
  }

  async add({ ckn, cak }: TestKey, step: Step): Promise<void> {
    using secret = Secret.take("cak", Uint8Array.from(Buffer.from(cak, "hex")));
    await this.change({ kind: "add", ckn, key: secret }, step);
  }

  change(operation: RequestedOperation, step: Step): Promise<void> {
    return change(this.client, operation, step, soon());
  }

  observe(): Promise<MkaObservation> {
    return this.client.observe(soon());
  }

  async secured(): Promise<string | undefined> {
    const observation = await this.observe();
    if (observation.kind !== "bound") return undefined;
    const { controlledPort, latestSak, respondedPeers } = observation.session;
    if (controlledPort !== "secured" || respondedPeers === 0) return undefined;
    return latestSak?.transmit === true && latestSak.receive ? latestSak.keyId : undefined;
  }

  [Symbol.dispose](): void {
    this.#child?.kill("SIGKILL");
  }
}
