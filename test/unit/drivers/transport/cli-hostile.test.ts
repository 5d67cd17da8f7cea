import { describe, expect, it } from "vitest";
import { line } from "#drivers/transport/cli.ts";
import { Screen } from "#drivers/transport/cli-screen.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../../effort.ts";
import { host, openOn, puppetOf } from "./cli-kit.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "cli";
const runs = effort(5_000, 1_000_000);

const bricks = [
  "\x1b[2J",
  "\x1b[K",
  "\x1b]0;",
  "\x1b",
  "\x07",
  "\0",
  "\b",
  "\b \b",
  "\r",
  "\r\n",
  "\n",
  "\t",
  " ",
  `${host}#`,
  `${host}#\r\n`,
  `${host}(config)#`,
  "RP/0/RP0/CPU0:other#",
  "\r\n! 0123456789abcdef\r\n",
  " --More-- ",
  "% Invalid input detected at '^' marker.\r\n",
  "proceed? [no]: ",
  "Secured",
  "\u{202e}",
  "é",
  "A".repeat(300),
];

function noise(prng: Prng): string {
  let text = "";
  for (let count = prng.between(0, 8); count > 0; count -= 1) text += prng.pick(bricks);
  return text;
}

/** Cut into pieces anywhere, also inside a character. */
function pieces(prng: Prng, octets: Uint8Array): readonly Uint8Array[] {
  const cut: Uint8Array[] = [];
  for (let at = 0; at < octets.length; ) {
    const to = Math.min(octets.length, at + prng.between(1, 12));
    cut.push(octets.subarray(at, to));
    at = to;
  }
  return cut;
}

const limits = { lineBytesMax: 4_096, bytesMax: 64 * 1024 };

function shownBy(parts: readonly Uint8Array[]): string {
  const screen = new Screen(limits, "edge-a");
  for (const part of parts) screen.feed(part);
  const lines = Array.from({ length: screen.count }, (_, index) => screen.line(index).toString());
  return [...lines, screen.tail].join("\n");
}

describe("a screen", () => {
  it("a screen shows no 8-bit control, however its octets came together", () => {
    const shown = (text: string): string => shownBy([Buffer.from(text, "latin1")]);
    expect(shown("a\xc2\x9b2Jb\n\xc2\xc2\x80\x80c")).toBe("a2Jb\nc");
    expect(shown("\xc2\x41\b\x85b\n")).toBe("b\n");
    expect(shown("\xc2\xa0d")).toBe("\u00a0d");
  });

  it("a screen shows the same wherever the pieces end, and nothing but text", () => {
    console.log(`screens: LINKSEAL_SEED=${seed}, ${runs} cases`);
    const prng = new Prng(seed);
    let shown = 0;
    for (let run = 0; run < runs; run += 1) {
      const octets = new TextEncoder().encode(noise(prng));
      if (octets.length > 0 && prng.chance(0.2)) {
        octets[prng.between(0, octets.length - 1)] = prng.uint32();
      }
      const whole = shownBy([octets]);
      const apart = shownBy(pieces(prng, octets));
      if (whole !== apart) throw new Error(`it depends on the pieces: ${JSON.stringify(whole)}`);
      // Apart from what ends a line, none of them may be left.
      if (/\p{Cc}/u.test(whole.replaceAll("\n", ""))) throw new Error(JSON.stringify(whole));
      shown += whole.length;
    }
    expect(shown).toBeGreaterThan(runs);
  });
});

describe("a hostile router", () => {
  it("a hostile router's output is returned or a typed error, and has no key", async () => {
    console.log(`hostile command lines: LINKSEAL_SEED=${seed}, ${runs} sessions`);
    const prng = new Prng(seed);
    let understood = 0;
    for (let run = 0; run < runs; run += 1) {
      using secret = Secret.take("cak", new Uint8Array(16).fill(0xa5));
      const isHostile = (): boolean => puppet.lines.length > 2 && prng.chance(0.7);
      const puppet = puppetOf((command) => {
        const echoed = command.startsWith("key-string") && prng.chance(0.5) ? command : "";
        return isHostile() ? `${noise(prng)}${echoed}${noise(prng)}` : "";
      });
      puppet.piece = () => prng.between(1, 60);
      const cli = await openOn(puppet, String(run));
      puppet.echo = (command) => (isHostile() && prng.chance(0.2) ? noise(prng) : command);
      const stop = new AbortController();
      // It waits for nothing but the puppet, which has said all that it will.
      const late = setImmediate(() => stop.abort(new Error("nothing more comes")));
      const command = line`key-string ${{ secret, as: "hex" }}`;
      try {
        const shown = await cli.run([["show one"], command, ["show two"]], "none", stop.signal);
        understood += 1;
        expect(shown).not.toContain("a5a5a5a5");
      } catch (error) {
        if (!(error instanceof LinksealError) && error !== stop.signal.reason) throw error;
        const text = String((error as Error).message);
        if (text.includes("a5a5")) throw new Error("a key is in an error");
      } finally {
        clearImmediate(late);
        await cli[Symbol.asyncDispose]();
      }
      expect(puppet.pipe.isClosed).toBe(true);
    }
    // Else all of it ended early, and nothing was tried.
    expect(understood).toBeGreaterThan(runs / 50);
  });
});
