// What an agent says each second of one part of its site, beside what a capture counts meanwhile.

import { setTimeout as rest } from "node:timers/promises";
import type { Status } from "#agent/runtime/health/status.ts";

/** What a capture counted, by its name in the line: those that end in `E=0` or `clear` are open. */
export type Counts = Readonly<Record<string, number>>;

export interface Second {
  /** Seconds since the fault; 0 and less = before it. */
  readonly at: number;
  /** Verdict, reasons and open warnings; `no answer` = none came within the second. */
  readonly said: string;
  readonly counted: Counts;
}

/** An answer that came later than the second in which it was asked for. */
interface Late {
  readonly asked: number;
  readonly said: string;
}

export interface Scene {
  readonly name: string;
  /** Names of links and tunnels; the fault strikes the first one, if any. */
  readonly about: readonly string[];
  readonly status: () => Promise<Status>;
  /** What was counted so far. */
  readonly count: () => Counts;
}

const secondMs = 1_000;
/** The next look does not wait for an answer that takes longer. */
const patienceMs = 800;
const none = "no answer";

export class Transcript {
  readonly seconds: Second[] = [];
  readonly late: Late[] = [];
  readonly #scene: Scene;
  readonly #begun = performance.now();
  readonly #before: number;
  readonly #lines: string[] = [];

  /** `before` = seconds until the fault. */
  constructor(scene: Scene, before: number) {
    this.#scene = scene;
    this.#before = before;
  }

  /** Says in the record what the test does now. */
  note(text: string): void {
    this.#lines.push(`${this.#now.toFixed(1).padStart(6)} s: ${text}`);
  }

  get #now(): number {
    return (performance.now() - this.#begun) / secondMs - this.#before;
  }

  /** Looks each second until `until`. */
  async watch(until: number): Promise<void> {
    const { count } = this.#scene;
    let last = count();
    const first = Math.max(Math.floor(this.#now), this.seconds.at(-1)?.at ?? -this.#before) + 1;
    for (let at = first; at <= until; at += 1) {
      await rest((at - this.#now) * secondMs);
      const said = await this.#ask(at);
      const now = count();
      const rose = Object.entries(now).map(([key, value]) => {
        const base = last[key] ?? 0;
        // A counter of a channel that was made anew begins again.
        return [key, value < base ? value : value - base];
      });
      const second: Second = { at, said, counted: Object.fromEntries(rose) as Counts };
      last = now;
      this.seconds.push(second);
      const counts = rose.map((words) => words.join(" ")).join(", ");
      this.#lines.push(`${String(at).padStart(4)}   s: ${said} | ${counts}`);
    }
  }

  /** Looks each second for so long. */
  async watchFor(seconds: number): Promise<void> {
    await this.watch(Math.floor(this.#now) + seconds);
  }

  async #ask(asked: number): Promise<string> {
    let said = none;
    const answer = this.#scene.status().then((status) => {
      const words = this.#scene.about.map((name) => wordsOf(status, name)).join("; ");
      if (this.#now < asked + 1) said = words;
      else this.#noteLate({ asked, said: words });
    });
    // A process that is killed answers no more.
    await Promise.race([answer.catch(() => undefined), rest(patienceMs)]);
    return said;
  }

  #noteLate(answer: Late): void {
    const { asked, said } = answer;
    if (this.late.at(-1)?.said !== said) this.note(`the answer to second ${asked} comes: ${said}`);
    this.late.push(answer);
  }

  print(): void {
    console.log([this.#scene.name, ...this.#lines].join("\n"));
  }
}

interface Part {
  readonly name: string;
  readonly verdict: string;
  readonly reasons: readonly { readonly code: string }[];
}

function wordsOf({ groups, tunnels, warnings }: Status, name: string): string {
  const parts: readonly Part[] = [...groups.flatMap(({ links }) => links), ...tunnels];
  const { verdict = "nothing", reasons = [] } = parts.find((part) => part.name === name) ?? {};
  const open = warnings.filter(
    ({ about, absentSince }) => absentSince === null && about.split("/").at(-1) === name,
  );
  const warned = open.length === 0 ? [] : ["warns", ...open.map(({ code }) => code)];
  return [name, verdict, ...reasons.map(({ code }) => code), ...warned].join(" ");
}

export const isProtected = ({ said }: { readonly said: string }): boolean =>
  /^\S+ protected\b/.test(said);

/** Whether frames or packets that can be read were on the wire in that second. */
export const isReadable = ({ counted }: Second): boolean =>
  Object.entries(counted).some(([name, count]) => count > 0 && /(?:E=0|clear)$/.test(name));
