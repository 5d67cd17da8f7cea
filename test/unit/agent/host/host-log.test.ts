// Structured lines that no device text can break out of: threat T43.

import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hostLog } from "#agent/host/log.ts";
import type { Log, WallTime } from "#hal/world.ts";

let folder = "";
let fd = 0;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "linkseal-log-"));
  fd = openSync(join(folder, "out"), "w");
});
afterEach(() => {
  closeSync(fd);
  rmSync(folder, { recursive: true });
});

const clock = { wall: () => Date.UTC(2026, 10, 24, 10) as WallTime };
const log = (journalStream?: string): Log => hostLog({ level: "info", clock, fd, journalStream });
const output = (): string => readFileSync(join(folder, "out"), "utf8");
const streamOf = (file: number): string => `${fstatSync(file).dev}:${fstatSync(file).ino}`;

const hostile = [
  "line\nfeed",
  'quote " and \\',
  "\u001b[2Jclear",
  "\u009b2Jclear",
  "\u0007\u0000\u007f",
  "\r<3>forged",
  "\u2028\u2029",
  "\u202etxt.exe",
  "%s %d %j %%",
  "x".repeat(200),
  "lone \ud800 half",
];

describe("the log", () => {
  it("the log has one JSON line per call, with the time of the world", () => {
    log().write("warn", "device-unreachable", "no answer", { about: "edge-a", ms: 5, first: true });
    expect(JSON.parse(output())).toEqual({
      level: "warn",
      time: "2026-11-24T10:00:00.000Z",
      code: "device-unreachable",
      text: "no answer",
      about: "edge-a",
      ms: 5,
      first: true,
    });
  });

  it("the log leaves out lines below its level", () => {
    log().write("debug", "look", "nothing");
    expect(output()).toBe("");
  });

  it.each(hostile)("the log keeps the text %j whole and on its line", (text) => {
    log().write("info", "device-text", text, { seen: text });
    const written = output();
    expect(written.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
    expect(written.endsWith("}\n")).toBe(true);
    const seen = text.replace("\ud800", "\ufffd");
    const [was, is] = [[seen, seen], JSON.parse(written)];
    expect([is.text, is.seen].map((part: string) => part.replace("\ud800", "\ufffd"))).toEqual(was);
  });

  it("a field cannot replace one of the log's own fields", () => {
    log().write("error", "a-code", "a text", { level: "x", code: "y", text: "z", time: "t" });
    expect(JSON.parse(output())).toMatchObject({ level: "error", code: "a-code", text: "a text" });
    expect(output().match(/"(level|code|text|time)":/g)).toHaveLength(4);
  });

  it("the log writes priorities only when its output is journald", () => {
    const journald = log(streamOf(fd));
    for (const level of ["error", "warn", "info"] as const) journald.write(level, "c", "t");
    expect(output().match(/^<\d>(?=\{)/gm)).toEqual(["<3>", "<4>", "<6>"]);
    log("1:1").write("info", "c", "t");
    expect(output().split("\n")[3]).toMatch(/^\{/);
  });
});
