// The machine loses its power and boots again, without any source of keys.

import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sightOf } from "#sim/conformance/canary.ts";
import { runInMachine } from "../machine/machine.ts";
import { machineFolder } from "../machine/place.ts";

interface Found {
  readonly keys: readonly { readonly ckn: string }[];
  readonly answered: number;
  readonly tookMs: number;
  readonly keyServer: string;
  readonly below: string;
  readonly above: string;
  readonly secy: string;
}

async function boot(results: string, life: "first" | "second") {
  const output = join(results, `${life}.said`);
  const out = openSync(output, "a");
  const end = await runInMachine({
    argv: [process.execPath, join(import.meta.dirname, "reboot.ts"), life],
    cwd: join(import.meta.dirname, "..", ".."),
    env: { LINKSEAL_MACHINE: machineFolder },
    ...{ kernel: "emulated", patienceMs: 400_000, out, err: out, results },
  });
  closeSync(out);
  const file = join(results, `${life}.json`);
  const words = readFileSync(output, "utf8");
  if (!readdirSync(results).includes(`${life}.json`)) throw new Error(`${end.kind}: ${words}`);
  return { end, found: JSON.parse(readFileSync(file, "utf8")) as Found };
}

describe("a router host whose power is cut", { timeout: 900_000 }, () => {
  it("a router host is must-secure after its boot, secured without agent and vault", async () => {
    const results = mkdtempSync(join(tmpdir(), "linkseal-reboot-"));
    try {
      const first = await boot(results, "first");
      expect(first.end.kind).toBe("died");
      expect(first.found.answered).toBe(5);
      const { end, found } = await boot(results, "second");
      expect(end).toEqual({ kind: "ended", status: 0 });
      expect(found).toMatchObject({ keys: first.found.keys, answered: 5, keyServer: "self" });
      expect(found.above).toContain("10.0.0.1/24");
      expect(found.below).not.toContain("10.0.0.1");
      expect(found.secy).toMatch(/cipher GCM-AES-256 .*validate strict/);
      console.log(`secured ${found.tookMs} ms after linkseal-net began, enrolment included before:
  ${first.found.tookMs} ms`);
      const kept = readdirSync(results, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name !== "seal")
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));
      expect(kept.length).toBeGreaterThan(4);
      const cak = Buffer.from("ee0ffc".repeat(32).slice(0, 64), "hex");
      expect(sightOf([cak], kept)).toBeUndefined();
    } finally {
      rmSync(results, { recursive: true });
    }
  });
});
