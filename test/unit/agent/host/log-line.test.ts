// Lines to journald and to syslog, as their protocols have them.

import { describe, expect, it } from "vitest";
import { logLineOf } from "#agent/host/log-line.ts";
import type { WallTime } from "#hal/world.ts";
import { refused } from "../../kit/site-bench.ts";

const clock = { wall: () => new Date(2026, 10, 4, 9, 5, 7).getTime() as WallTime };

function sending() {
  const sent: (readonly [string, string])[] = [];
  const native = { notify: (path: string, text: string) => void sent.push([path, text]) };
  return { sent, logLine: logLineOf(native, clock) };
}

describe("a line to a log of this host", () => {
  it("a line to journald is one entry of its native protocol", () => {
    const { sent, logLine } = sending();
    logLine("journald", "linkseal-head record=1");
    const [[path, text] = ["", ""]] = sent;
    expect(path).toBe("/run/systemd/journal/socket");
    const fields = text.split("\n").filter(Boolean);
    expect(text.endsWith("\n")).toBe(true);
    expect(fields[0]).toBe("MESSAGE=linkseal-head record=1");
    expect(fields).toContain("PRIORITY=6");
    expect(fields).toContain("SYSLOG_IDENTIFIER=linkseal");
    for (const field of fields) expect(field).toMatch(/^[A-Z][A-Z0-9_]{0,63}=/);
    expect(fields.find((field) => field.startsWith("MESSAGE_ID="))).toMatch(/=[0-9a-f]{32}$/);
  });

  it("a line to syslog is as syslog(3) writes it", () => {
    const { sent, logLine } = sending();
    logLine("syslog", "linkseal-head record=1");
    expect(sent).toEqual([
      ["/dev/log", `<30>Nov  4 09:05:07 linkseal[${process.pid}]: linkseal-head record=1`],
    ]);
  });

  it("a log that is gone, and a host without the addon, are errors without effect", async () => {
    const gone = {
      notify: () => {
        throw Object.assign(new Error("notify"), { code: "notify", errno: 2 });
      },
    };
    const sent = async (native: typeof gone | undefined): Promise<unknown> =>
      logLineOf(native, clock)("syslog", "x");
    expect(await refused(sent(gone))).toMatchObject({
      ...{ code: "transport.unreachable", effect: "none", where: "/dev/log" },
      message: "/dev/log does not take it (errno 2)",
    });
    expect((await refused(sent(undefined))).message).toBe("there is no native addon here");
  });
});
