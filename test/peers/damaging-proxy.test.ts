// A foreign SSH implementation between a driver and a router: paramiko damages what passes, at the
// octets of a channel and not at the emulator's replies.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { platforms as registry } from "#drivers/index.ts";
import { type Damager, lookOverSsh } from "../conformance/damage-looks.ts";
import { type Platform, platforms } from "../conformance/place.ts";
import { effort } from "../effort.ts";
import { python } from "./place.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "proxy";
const looks = effort(30, 1_000);
const script = join(import.meta.dirname, "damaging-proxy.py");

/** The proxy, once it is started before a router. */
class DamagingProxy implements Damager, Disposable {
  readonly #channel: string;
  readonly #seed: string;
  #child: ChildProcessWithoutNullStreams | undefined;
  #lines: AsyncIterator<string> | undefined;
  done = 0;
  readonly replies: string[] = [];
  /** It leaves configurations as they are. */
  readonly config = "whole";

  constructor(channel: string, own: string) {
    this.#channel = channel;
    this.#seed = own;
  }

  async before(routerPort: number): Promise<{ readonly port: number; readonly hostKey: string }> {
    const child = spawn(python, [script, String(routerPort), this.#channel, this.#seed]);
    this.#child = child;
    let said = "";
    child.stderr.on("data", (octets: Buffer) => {
      said += octets.toString();
    });
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const [port, hostKey = ""] = (await this.#line(() => said)).split(" ");
    return { port: Number(port), hostKey };
  }

  readonly begin = (): Promise<void> => this.#say("on");
  readonly end = (): Promise<void> => this.#say("off");

  [Symbol.dispose](): void {
    this.#child?.kill();
  }

  async #say(word: "on" | "off"): Promise<void> {
    this.#child?.stdin.write(`${word}\n`);
    this.done = Number(await this.#line(() => ""));
  }

  async #line(why: () => string): Promise<string> {
    const next = await this.#lines?.next();
    if (next === undefined || next.done === true) throw new Error(`the proxy ended: ${why()}`);
    return next.value;
  }
}

const tried = [
  ["8201-32FH 7.11.2", "protected"],
  ["8201-32FH 7.11.2", "far end with another key"],
  ["srx4600 23.4R2", "far end without a key"],
  ["srx4600 23.4R2", "a tunnel that the gateway refuses"],
] as const;

describe("a proxy of paramiko that damages answers", () => {
  it.each(tried)(
    "%s behind a proxy of paramiko that damages answers is never healthier than the truth: %s",
    async (name, scene) => {
      console.log(`LINKSEAL_SEED=${seed}`);
      const platform: Platform = platforms[name];
      const { channel } = registry[platform.vendor].access;
      using proxy = new DamagingProxy(channel, `${seed} ${name} ${scene}`);
      const front = ({ port }: { readonly port: number }) => proxy.before(port);
      const looked = await lookOverSsh(platform, scene, seed, looks, { damage: proxy, front });
      expect(looked.healthier).toEqual([]);
      expect(looked.read).toBeGreaterThan(looks / 2);
      expect(looked.damaged).toBeGreaterThan(looks / 2);
    },
  );
});
