// A program of somebody else, run to its end.

import { spawn } from "node:child_process";

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Without a timer of ours: the tests have one. */
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
  child.stdin.end(stdin);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, stdout, stderr }));
  });
}
