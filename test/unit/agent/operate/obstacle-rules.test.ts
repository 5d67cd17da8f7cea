import { describe, expect, it } from "vitest";
import { explain } from "#agent/explain/explain.ts";
import { obstacleFindings } from "#agent/operate/doctor/obstacle-rules.ts";
import type { Obstacle } from "#hal/obstacle.ts";

const found = (...obstacles: readonly Obstacle[]) => obstacleFindings({ obstacles }, "edge-a");

describe("what keeps a change from its effect", () => {
  it("a device without obstacles, or without a state, has no finding", () => {
    expect(obstacleFindings({}, "edge-a")).toEqual([]);
    expect(obstacleFindings(undefined, "edge-a")).toEqual([]);
  });

  it("a second routing engine that gets no commits, or may exist, is reported", () => {
    const [notReady] = found({ kind: "secondEngine", state: "notReady" });
    const [unknown] = found({ kind: "secondEngine", state: "unknown" });
    expect(notReady).toMatchObject({ code: "second-engine", about: "edge-a" });
    expect(notReady?.here).toContain("cannot take a commit");
    expect(unknown?.here).toContain("does not report whether");
    expect(explain("second-engine").kind).toBe("known");
  });

  it("a zone that admits no IKE is named with the command that admits it", () => {
    const outer = { kind: "ikeNotAdmitted", tunnel: "hub-1", interface: "lo0.0" } as const;
    const [zoned] = found({ ...outer, zone: "untrust" });
    expect(zoned).toMatchObject({ code: "ike-not-admitted", about: "hub-1", severity: "error" });
    expect(zoned?.next).toBe(
      "set security zones security-zone untrust host-inbound-traffic system-services ike",
    );
    expect(found({ ...outer, zone: undefined })[0]?.here).toContain("in no security zone");
    expect(explain("ike-not-admitted").kind).toBe("known");
  });

  it("a name from a router cannot reach the terminal as control characters", () => {
    const cursor = "\u001b[2J";
    const [finding] = found({
      ...({ kind: "ikeNotAdmitted", tunnel: cursor } as const),
      ...{ interface: cursor, zone: cursor },
    });
    expect(Object.values(finding ?? {}).join()).not.toContain("\u001b");
    expect(finding?.here).toContain("[2J");
  });
});
