// Structured lines that no device text can break out of: threat T43.

import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { messageIdOf } from "#agent/host/journald.ts";
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

describe("the log at journald", () => {
  const sent: (readonly [path: string, text: string])[] = [];
  const native = { notify: (path: string, text: string) => void sent.push([path, text]) };
  const deaf = {
    notify: () => {
      throw Object.assign(new Error("notify"), { errno: 111 });
    },
  };
  const journald = (sender: typeof native | typeof deaf): Log =>
    hostLog({ level: "info", clock, fd, journalStream: streamOf(fd), native: sender });

  it("an entry has the line, its priority, the code with its MESSAGE_ID, and the subject", () => {
    journald(native).write("error", "link-down", "no link", { about: "erd-dub/primary" });
    const [[path, text] = ["", ""]] = sent;
    expect([path, output()]).toEqual(["/run/systemd/journal/socket", ""]);
    const fields = text.trimEnd().split("\n");
    expect(JSON.parse((fields[0] ?? "").slice("MESSAGE=".length))).toMatchObject({
      ...{ code: "link-down", text: "no link", about: "erd-dub/primary" },
    });
    expect(fields.slice(1)).toEqual([
      ...["PRIORITY=3", `MESSAGE_ID=${messageIdOf("link-down")}`],
      ...["LINKSEAL_CODE=link-down", "LINKSEAL_ABOUT=erd-dub/primary"],
      "SYSLOG_IDENTIFIER=linkseal",
    ]);
  });

  it("the MESSAGE_ID of a code never changes", () => {
    expect(messageIdOf("link-down")).toBe("528f88ce366cda46ea401dc25d8ade8b");
  });

  it.each(hostile)("no text forges a field: %j", (text) => {
    sent.length = 0;
    journald(native).write("info", "device-text", text, { about: text });
    const fields = (sent[0]?.[1] ?? "").trimEnd().split("\n");
    const names = fields.map((field) => field.split("=")[0] ?? "");
    expect(names.filter((name) => name !== "LINKSEAL_ABOUT")).toEqual([
      ...["MESSAGE", "PRIORITY", "MESSAGE_ID", "LINKSEAL_CODE", "SYSLOG_IDENTIFIER"],
    ]);
  });

  it("a line that journald does not take goes to standard output", () => {
    journald(deaf).write("warn", "c", "t");
    expect(output()).toMatch(/^<4>\{/);
  });
});
