// The native addon under AddressSanitizer and UndefinedBehaviorSanitizer: calls that fit and calls
// that do not must end in a result or an Error, and leave no descriptor open.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileAddon, headersOf } from "../../.ci/compile.ts";
import { run } from "./run.ts";

const root = join(import.meta.dirname, "..", "..");
const seed = process.env["LINKSEAL_SEED"] ?? "addon";
const calls = 15_000;
const sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"];

describe("the native addon under sanitizers", () => {
  const folder = mkdtempSync(join(tmpdir(), "linkseal-addon-"));
  const file = join(folder, "addon.node");
  afterAll(() => rmSync(folder, { recursive: true }));

  beforeAll(() => {
    const headers = headersOf(join(dirname(process.execPath), ".."));
    const defines = ["-DLINKSEAL_TEST_BUILD", ...sanitizers];
    compileAddon({ root, compiler: "gcc", headers, defines, file });
  });

  it.each(["a", "b", "c"])("random calls leave its memory whole, series %s", async (series) => {
    const library = execFileSync("gcc", ["-print-file-name=libasan.so"], { encoding: "utf8" });
    // Node itself leaves memory at its end.
    const env = ["env", `LD_PRELOAD=${library.trim()}`, "ASAN_OPTIONS=detect_leaks=0"];
    const script = join(import.meta.dirname, "addon-calls.ts");
    const words = [script, file, `${seed} ${series}`, String(calls)];
    const { status, stdout, stderr } = await run(
      [...env, process.execPath, "--no-warnings", ...words],
      "",
    );
    expect([status, stderr], stdout).toEqual([0, ""]);
    const [first = "", last = ""] = stdout.trim().split("\n");
    console.log(`addon, ${first}: ${last}`);
    const { returned, refused, ...rest } = JSON.parse(last);
    expect(rest).toEqual({ calls, functions: 17, left: 0 });
    expect(Math.min(returned, refused)).toBeGreaterThan(calls / 10);
  });
});
