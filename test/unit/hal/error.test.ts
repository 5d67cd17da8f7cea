import { describe, expect, it } from "vitest";
import { type ErrorCode, errorRows, exitStatusOf, isErrorCode, LinksealError } from "#hal/error.ts";

const details = { effect: "none", where: "edge-a", next: "linkseal status" } as const;

describe("LinksealError", () => {
  it("an error has code, effect, place and next step", () => {
    const cause = new Error("below");
    const error = new LinksealError("device.locked", "locked by bob", { ...details, cause });
    expect(error).toMatchObject({ name: "LinksealError", code: "device.locked", ...details });
    expect([error.message, error.cause]).toEqual(["locked by bob", cause]);
    expect("cause" in new LinksealError("usage", "x", details)).toBe(false);
  });

  it.each<[ErrorCode, number]>([
    ["usage", 2],
    ["config.invalid", 2],
    ["agent.unreachable", 5],
    ["agent.forbidden", 8],
    ["agent.busy", 1],
    ["gate.riskNotAccepted", 6],
    ["device.rejected", 1],
  ])("the code %s ends the command with %d", (code, status) => {
    expect(exitStatusOf(new LinksealError(code, "x", details))).toBe(status);
  });

  it("an error whose effect is unknown ends the command with 7, whatever its code", () => {
    const codes = Object.keys(errorRows).filter(isErrorCode);
    const statuses = codes.map((code) =>
      exitStatusOf(new LinksealError(code, "x", { ...details, effect: "unknown" })),
    );
    expect(new Set(statuses)).toEqual(new Set([7]));
  });

  it("a failed check ends the command with 6 and is never retried blindly", () => {
    const gates = Object.entries(errorRows).filter(([code]) => code.startsWith("gate."));
    expect(gates.length).toBeGreaterThan(5);
    expect(gates.filter(([, row]) => row.exit !== 6)).toEqual([]);
  });

  it.each<[unknown, boolean]>([
    ["device.locked", true],
    ["device.Locked", false],
    ["toString", false],
    ["__proto__", false],
    [7, false],
    [undefined, false],
  ])("isErrorCode(%j) is %s", (value, is) => {
    expect(isErrorCode(value)).toBe(is);
  });
});
