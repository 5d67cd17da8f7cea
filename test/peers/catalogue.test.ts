// The catalogue of our codes in systemd's own journalctl.

import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { explanations } from "#agent/explain/explain.ts";
import { messageIdOf } from "#agent/host/journald.ts";
import { run } from "./run.ts";

const root = mkdtempSync(join(tmpdir(), "linkseal-catalogue-"));
afterAll(() => rmSync(root, { recursive: true }));

describe("journalctl", () => {
  it("journalctl compiles the catalogue and finds the text of each code in it", async () => {
    const folder = join(root, "usr/lib/systemd/catalog");
    mkdirSync(folder, { recursive: true });
    mkdirSync(join(root, "var/lib/systemd/catalog"), { recursive: true });
    const source = join(import.meta.dirname, "../../docs/linkseal.catalog");
    copyFileSync(source, join(folder, "linkseal.catalog"));
    const made = await run(["journalctl", `--root=${root}`, "--update-catalog"], "");
    expect([made.status, made.stderr]).toEqual([0, ""]);
    const listed = await run(["journalctl", `--root=${root}`, "--list-catalog"], "");
    for (const { code, title, severity } of explanations.values()) {
      const line = `${messageIdOf(code)} linkseal: @LINKSEAL_ABOUT@: ${title}`;
      if (severity !== null) expect(listed.stdout).toContain(line);
    }
    const argv = ["journalctl", `--root=${root}`, "--dump-catalog", messageIdOf("link-down")];
    expect((await run(argv, "")).stdout).toContain("linkseal explain link-down @LINKSEAL_ABOUT@");
  });
});
