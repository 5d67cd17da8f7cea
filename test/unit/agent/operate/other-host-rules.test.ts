// What `doctor` says of a host that the agent reaches by SSH.

import { describe, expect, it } from "vitest";
import { explain } from "#agent/explain/explain.ts";
import { version } from "#agent/model/version.ts";
import { otherHostFindings } from "#agent/operate/doctor/other-host-rules.ts";
import type { HostReport } from "#hal/device.ts";

const sound: HostReport = {
  version: `${version} build 0123456789ab`,
  forced: "yes",
  keys: "bound",
  clock: { aheadMs: 59_000, errorMs: 5 },
  silent: [],
};

describe("a host behind SSH", () => {
  it("a host that is as it should be has no finding, and neither has what is not known", () => {
    expect(otherHostFindings(sound, "edge-b")).toEqual([]);
    const silent = { ...sound, forced: undefined, keys: undefined, clock: undefined };
    expect(otherHostFindings(silent, "edge-b")).toEqual([]);
  });

  it.each<[string, Partial<HostReport>, string, RegExp]>([
    [
      "another version",
      { version: "0.1.9" },
      "warning other-host-version",
      /runs linkseal 0\.1\.9/,
    ],
    ["no forced command", { forced: "no" }, "warning other-host-login", /forces no command/],
    ["a key that may do more", { keys: "open" }, "warning other-host-login", /may do more/],
    [
      "a clock that is ahead",
      { clock: { aheadMs: 61_000, errorMs: 20 } },
      "warning clock-skew",
      /61 s ahead \(give or take 20 ms\)/,
    ],
    [
      "a clock that is behind",
      { clock: { aheadMs: -400_000, errorMs: 20 } },
      "warning clock-skew",
      /400 s behind/,
    ],
    ["no MKA process", { silent: ["linkseal-mka@eth1"] }, "error other-host-silent", /mka@eth1 on/],
    ["no FRR", { silent: ["frr"] }, "error other-host-silent", /^frr on edge-b does not answer/],
    ["no charon", { silent: ["charon"] }, "error other-host-silent", /^charon on edge-b/],
  ])("%s is a finding with a rule, a next step and an explanation", (_what, over, code, here) => {
    const found = otherHostFindings({ ...sound, ...over }, "edge-b");
    expect(found.map((one) => `${one.severity} ${one.code}`)).toEqual([code]);
    const [one] = found;
    expect(one?.here).toMatch(here);
    expect([one?.about, one?.source]).toEqual(["edge-b", "docs/linux-pair.md"]);
    expect(explain(one?.code ?? "").kind).toBe("known");
    expect(one?.next).toMatch(/edge-b/);
  });

  it("a host whose FRR is silent gets all lines that mend it, and a clock a whole error", () => {
    const clock = { aheadMs: 61_000, errorMs: 12.5 };
    const [skew, silent] = otherHostFindings({ ...sound, clock, silent: ["frr"] }, "edge-b");
    expect(skew?.here).toContain("(give or take 13 ms)");
    expect(skew?.next).toBe(
      "timedatectl on edge-b and on this host: give the wrong one a time source",
    );
    expect(silent?.next).toBe(
      "on edge-b: systemctl enable --now frr; usermod -aG frrvty linkseal; " +
        "systemctl restart linkseal-peer",
    );
  });

  it("a clock that may be right within the error of the reading is none", () => {
    const clock = { aheadMs: 61_000, errorMs: 2_000 };
    expect(otherHostFindings({ ...sound, clock }, "edge-b")).toEqual([]);
  });

  it("text of the other host is made visible", () => {
    const found = otherHostFindings({ ...sound, version: "9\u001b[2J", silent: ["a\u0007"] }, "b");
    const texts = found.map(({ here, next }) => here + next).join("");
    expect(texts).not.toMatch(/\p{Cc}/u);
    expect(found.length).toBe(2);
  });
});
