// Hostile answers and hostile names, tried alike on the readers and writers of each vendor.

import fc from "fast-check";
import { expect, it } from "vitest";
import type { QueryResult } from "#drivers/platform/query-result.ts";
import { LinksealError } from "#hal/error.ts";
import type { IpsecTunnel } from "#hal/model.ts";
import { type Command, preview } from "#hal/secret.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../effort.ts";

export const runs = effort(5_000, 1_000_000);

/** Pieces of a text cut out, and bricks put in their places. */
export function mutated(prng: Prng, answer: string, bricks: readonly string[]): string {
  let text = answer;
  for (let change = prng.between(1, 5); change > 0; change -= 1) {
    const at = prng.between(0, text.length);
    const to = Math.min(text.length, at + prng.between(0, 30));
    text = text.slice(0, at) + (prng.chance(0.6) ? prng.pick(bricks) : "") + text.slice(to);
  }
  return text;
}

export const answered = <T>(value: T | undefined): QueryResult<T> =>
  value === undefined ? { why: "unparsed" } : { value };

/** Whether one of them came up. Throws for an SPI that no SA can have. */
export function isAnyUp(tunnels: readonly IpsecTunnel[]): boolean {
  return tunnels.some(({ ike, sas }) => {
    for (const sa of sas.kind === "known" ? sas.value : []) {
      if (!(sa.spi >= 0 && sa.spi < 2 ** 32)) throw new Error(`the SPI ${sa.spi}`);
    }
    return ike.kind === "known" && ike.value === "established";
  });
}

interface Readers {
  /** For the log. */
  readonly vendor: string;
  readonly seed: string;
  /** What else is tried, in the title. */
  readonly also?: string;
  readonly next: (prng: Prng) => string;
  readonly read: (text: string) => { readonly understood: number; readonly secured: boolean };
  /** Of so many runs one at least is understood, on average. */
  readonly oneOf: number;
}

export function tryReaders({ vendor, seed, also = "", next, read, oneOf }: Readers): void {
  it(`are an answer or not understood; never healthy${also}`, { timeout: 3_600_000 }, () => {
    console.log(`hostile ${vendor}: LINKSEAL_SEED=${seed}, ${runs} cases`);
    const prng = new Prng(seed);
    let understood = 0;
    for (let run = 0; run < runs; run += 1) {
      const text = next(prng);
      const reported = read(text);
      understood += reported.understood;
      if (reported.secured) throw new Error(`healthy: ${JSON.stringify(text)}`);
    }
    // Else all of it ended in the first reader, and nothing was tried.
    expect(understood).toBeGreaterThan(runs / oneOf);
  });
}

export function tryLongOnes(
  read: Readers["read"],
  bricks: readonly string[],
  answers: readonly string[],
): void {
  it("are read in time that grows with their length alone", { timeout: 120_000 }, () => {
    for (const brick of bricks) read(brick.repeat(Math.ceil(300_000 / brick.length)));
    for (const answer of answers)
      read(answer.repeat(Math.ceil(100_000 / Math.max(1, answer.length))));
    expect(read(" ".repeat(300_000)).secured).toBe(false);
  });
}

function expectRefused(error: unknown): void {
  if (!(error instanceof LinksealError)) throw error;
  expect(error).toMatchObject({ code: "device.rejected", effect: "none" });
}

/** `shut`: what shuts a port of a name; `at`: the line that enters it, `shape`: words of all. */
export function tryPortNames(
  shut: (port: string) => readonly Command[],
  at: number,
  shape: string,
): void {
  it("is one word to the device, or is refused before anything is said", () => {
    const expected = new Set<string>();
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9/:._-]{1,64}$/), (name) => {
        try {
          const words = shut(name).map((one) => preview(one).split(" "));
          expect(words[at]).toEqual(["interface", name]);
          expected.add(words.map((one) => one.length).join());
        } catch (error) {
          expectRefused(error);
          expect(name).toMatch(/^[/:.-]/);
        }
      }),
      { numRuns: 1_000 },
    );
    expect([...expected]).toEqual([shape]);
  });
}

/** `said`: for each port, with the policy named as told; `heading`: how the line begins. */
export function tryToldNames(
  commandsFor: (reported: string) => readonly (readonly Command[])[],
  heading: string,
): void {
  it("is one word where the device itself told the name, or the port is left alone", () => {
    const name = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(name, (reported) => {
        try {
          for (const commands of commandsFor(reported)) {
            const named = commands.map(preview).find((one) => one.startsWith(heading));
            expect(named?.split(" ")).toHaveLength(heading.split(" ").length);
          }
        } catch (error) {
          expectRefused(error);
        }
      }),
      { numRuns: 1_000 },
    );
  });
}
