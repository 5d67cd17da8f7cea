// Microsoft's libraries are separate chunks of the bundle: a process that needs no vault never
// loads them.

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { shipped } from "./azure-agent.ts";
import { libraryChunks, loadedWith } from "./azure-chunks.ts";
import { readyMark } from "./program.ts";

const home = mkdtempSync(join(tmpdir(), "linkseal-lazy-"));
afterAll(() => rmSync(home, { recursive: true }));

const chunks = libraryChunks();

async function loadedBy(argv: readonly string[], stopAt?: string): Promise<readonly string[]> {
  const to = join(home, "loaded");
  rmSync(join(home, "state"), { recursive: true, force: true });
  mkdirSync(join(home, "state"), { mode: 0o700 });
  const program = shipped(argv, { ...process.env, LINKSEAL_HOME: home, LOADED_TO: to });
  if (stopAt !== undefined) {
    await program.until(stopAt);
    program.child.kill("SIGTERM");
  }
  await program.ended;
  const loaded = readFileSync(to, "utf8").split("\n");
  expect(loaded.some((url) => url.endsWith("/dist/agent/cli.js"))).toBe(true);
  return loaded.map((url) => url.split("/").at(-1) ?? "");
}

describe("the libraries of a real cloud", () => {
  it("Microsoft's libraries are separate chunks, which the command line does not load", () => {
    expect(chunks.length).toBeGreaterThanOrEqual(2);
    const withCli = loadedWith("cli.js");
    expect(chunks.filter((name) => withCli.has(name))).toEqual([]);
  });

  it.each([
    ["an agent without a config", ["agent"], readyMark],
    ["an agent that enrols a pair of a simulated site", ["sim", "site", "--once"], undefined],
    ["the command line's help", ["--help"], undefined],
    ["a check of a file", ["validate", join(home, "none.yaml")], undefined],
  ])("Microsoft's libraries are not loaded by %s", async (_name, argv, stopAt) => {
    const speed = argv[0] === "sim" ? ["--speed", "max"] : [];
    const loaded = await loadedBy([...argv, ...speed], stopAt);
    expect(chunks.filter((name) => loaded.includes(name))).toEqual([]);
  });
});
