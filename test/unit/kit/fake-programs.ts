// Programs that a line of a shell finds in place of the real ones: each records its words.

import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of programs, and what they were called with. */
export class FakePrograms {
  readonly #folder = mkdtempSync(join(tmpdir(), "linkseal-programs-"));
  readonly #record = join(this.#folder, "calls");

  /** Adds a program that prints an answer, and fails if the answer is empty. */
  add(name: string, answer: string): void {
    const path = join(this.#folder, name);
    const out = `${path}.out`;
    writeFileSync(out, answer);
    // A word has no tab and no line feed, or the test that reads them fails. One write makes one
    // line, because both ends of a pipe run at once.
    const lines = [
      "#!/bin/sh",
      `line=${name}`,
      `for word in "$@"; do line="$line\t$word"; done`,
      `printf '%s\\n' "$line" >> '${this.#record}'`,
      `/bin/cat '${out}'`,
      `test -s '${out}'`,
    ];
    writeFileSync(path, `${lines.join("\n")}\n`);
    chmodSync(path, 0o700);
  }

  /** Adds a real program by its path. */
  link(name: string, target: string): void {
    symlinkSync(target, join(this.#folder, name));
  }

  /**
   * Runs a line by a POSIX shell that finds these programs alone; returns the words of each call.
   * @throws Error if the line fails; `calls` has what was called by then.
   */
  run(line: string): readonly (readonly string[])[] {
    writeFileSync(this.#record, "");
    execFileSync("/bin/sh", ["-euc", line], {
      env: { PATH: this.#folder },
      cwd: this.#folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    return this.calls();
  }

  /** Returns the words of each call of the last run, the program's name first. */
  calls(): readonly (readonly string[])[] {
    const text = readFileSync(this.#record, "utf8");
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split("\t"));
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
