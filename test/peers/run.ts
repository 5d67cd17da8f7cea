// Runs foreign programs to their end, or for as long as a test needs them.

import { spawn } from "node:child_process";

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** It has no timer of its own: the tests have one. */
export function run(argv: readonly string[], stdin: string): Promise<Ended> {
  const [program = "", ...words] = argv;
  const child = spawn(program, words, { stdio: "pipe" });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (octets: Buffer) => {
    stdout += octets.toString();
  });
  child.stderr.on("data", (octets: Buffer) => {
    stderr += octets.toString();
  });
  // A program that has finished does not read the rest of its input.
  child.stdin.on("error", () => undefined);
  child.stdin.end(stdin);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, stdout, stderr }));
  });
}
