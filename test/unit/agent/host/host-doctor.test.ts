// What `doctor` says of a host: one finding for each thing that is wrong, none for what is right.

import { describe, expect, it } from "vitest";
import { explanations } from "#agent/explain/explain.ts";
import { groupsIn, hostFacts, unitsIn } from "#agent/host/host-facts.ts";
import { readSettings } from "#agent/operate/doctor/charon-rules.ts";
import { type HostFacts, hostFindings, type UnitFacts } from "#agent/operate/doctor/host-rules.ts";

const build = "0.1.0 build 0123456789ab";
const unit = (name: string, facts: Partial<UnitFacts> = {}): UnitFacts => ({
  ...{ name, build, active: "active", enabled: "enabled", restarts: 0 },
  ...facts,
});
const net = "linkseal-net.service";
const mka = "linkseal-mka@eth1.service";

const sound: HostFacts = {
  build,
  units: [unit("linkseal.service"), unit(net), unit(mka)],
  groups: {
    linkseal: [],
    "linkseal-admin": ["linkseal", "ada"],
    "linkseal-net": ["linkseal"],
    "linkseal-mka": ["linkseal"],
  },
  folders: [
    { path: "/var/lib/linkseal", owner: "linkseal", mode: 0o700 },
    { path: "/run/linkseal-net", owner: "linkseal-net", mode: 0o750 },
  ],
  hasAddon: true,
  missingModules: [],
  clock: "synchronised",
  freeMegabytes: 9000,
  charon: undefined,
  hasSwap: false,
};

/** The host serves an agent on another one. */
const serving = (agent: Partial<UnitFacts>): HostFacts => ({
  ...sound,
  units: [unit("linkseal.service", agent), unit(net), unit("linkseal-peer.service")],
});

const withUnit = (name: string, facts: Partial<UnitFacts>): HostFacts => ({
  ...sound,
  units: [...(sound.units ?? []).filter((one) => one.name !== name), unit(name, facts)],
});

interface Row {
  readonly what: string;
  readonly facts: HostFacts;
  readonly code: string;
  readonly severity: string;
  readonly next: RegExp;
}

const rows: readonly Row[] = [
  {
    ...{ what: "the agent has failed", code: "host-unit", severity: "error" },
    ...{ facts: withUnit("linkseal.service", { active: "failed" }), next: /^journalctl -u linkse/ },
  },
  {
    ...{ what: "the agent was stopped", code: "host-unit", severity: "error" },
    ...{ facts: withUnit("linkseal.service", { active: "inactive" }), next: /^journalctl/ },
  },
  {
    ...{ what: "a participant crashes all the time", code: "host-unit", severity: "error" },
    ...{ facts: withUnit(mka, { restarts: 40 }), next: /eth1/ },
  },
  {
    ...{ what: "a boot would miss one", code: "host-unit", severity: "error" },
    ...{ facts: withUnit(net, { enabled: "disabled" }), next: /^systemctl enable linkseal-net/ },
  },
  {
    ...{ what: "an enabled one was stopped", code: "host-unit", severity: "error" },
    ...{ facts: withUnit(net, { active: "inactive" }), next: /^systemctl start linkseal-net/ },
  },
  {
    ...{ what: "net is older than the package", code: "host-old-build", severity: "warning" },
    ...{ facts: withUnit(net, { build: "0.0.9 build ffffffffffff" }), next: /^systemctl restart/ },
  },
  {
    ...{ what: "a participant is older", code: "host-old-build", severity: "warning" },
    facts: withUnit(mka, { build: "0.0.9 build ffffffffffff" }),
    next: /one port at a time and only while its sibling/,
  },
  {
    ...{ what: "the agent is in no group", code: "host-user", severity: "error" },
    facts: { ...sound, groups: { ...sound.groups, "linkseal-net": ["ada"] } },
    next: /^usermod -aG linkseal-net linkseal/,
  },
  {
    ...{ what: "FRR came later", code: "host-user", severity: "error" },
    facts: { ...sound, groups: { ...sound.groups, frrvty: ["frr"] } },
    next: /^usermod -aG frrvty linkseal/,
  },
  {
    ...{ what: "Azure Arc came later", code: "host-user", severity: "error" },
    facts: { ...sound, groups: { ...sound.groups, himds: ["himds"] } },
    next: /^usermod -aG himds linkseal/,
  },
  {
    ...{ what: "state was put back as root", code: "host-folder", severity: "error" },
    facts: { ...sound, folders: [{ path: "/var/lib/linkseal", owner: "root", mode: 0o700 }] },
    next: /^chown -R linkseal:linkseal /,
  },
  {
    ...{ what: "state is open", code: "host-folder", severity: "error" },
    facts: { ...sound, folders: [{ path: "/var/lib/linkseal", owner: "linkseal", mode: 0o755 }] },
    next: /^chmod 700 /,
  },
  {
    ...{ what: "no addon", code: "host-addon", severity: "error" },
    ...{ facts: { ...sound, hasAddon: false }, next: /^dpkg --verify/ },
  },
  {
    ...{ what: "a kernel without MACsec", code: "host-module", severity: "error" },
    ...{ facts: { ...sound, missingModules: ["macsec"] }, next: /^modprobe macsec/ },
  },
  {
    ...{ what: "swap", code: "host-swap", severity: "info" },
    ...{ facts: { ...sound, hasSwap: true }, next: /^swapoff/ },
  },
  {
    ...{ what: "a clock that no service sets", code: "clock-skew", severity: "warning" },
    ...{ facts: { ...sound, clock: "drifting" }, next: /^timedatectl/ },
  },
  {
    ...{ what: "little room", code: "host-disk", severity: "warning" },
    ...{ facts: { ...sound, freeMegabytes: 120 }, next: /^df/ },
  },
  {
    ...{ what: "no room", code: "host-disk", severity: "warning" },
    ...{ facts: { ...sound, freeMegabytes: 3 }, next: /^df/ },
  },
];

describe("doctor on a host", () => {
  it("doctor finds nothing on a sound host", () => {
    expect(hostFindings(sound)).toEqual([]);
  });

  it("a host that serves an agent elsewhere needs none, unless one was meant to run", () => {
    expect(hostFindings(serving({ active: "inactive", enabled: "disabled" }))).toEqual([]);
    for (const agent of [
      { active: "inactive", enabled: "enabled" },
      { active: "failed", enabled: "disabled" },
    ]) {
      expect(hostFindings(serving(agent)).map(({ code }) => code)).toEqual(["host-unit"]);
    }
    const silent = serving({ active: "inactive", enabled: "disabled" });
    const units = silent.units?.filter(({ name }) => name !== "linkseal-peer.service");
    expect(hostFindings({ ...silent, units }).map(({ code }) => code)).toEqual(["host-unit"]);
  });

  it.each(rows)("doctor finds $what, and nothing else", ({ facts, code, severity, next }) => {
    const found = hostFindings(facts);
    expect(found).toMatchObject([{ code, severity, source: "docs/install.md" }]);
    expect(found[0]?.next).toMatch(next);
    expect(explanations.has(code)).toBe(true);
  });

  it("doctor checks charon's settings where linkseal-net runs, and nowhere else", () => {
    const charon = readSettings("charon { install_routes = no\nfollow_redirects = no }", () => []);
    const found = hostFindings({ ...sound, charon });
    expect(found.map(({ code, severity }) => [code, severity])).toEqual([
      ["host-charon", "warning"],
    ]);
    expect(explanations.has("host-charon")).toBe(true);
    expect(hostFindings({ ...sound, charon, units: undefined })).toEqual([]);
  });

  it("doctor checks only clock and space of a host without the package", () => {
    const bare: HostFacts = {
      ...{ ...sound, units: undefined, groups: {}, hasAddon: false, hasSwap: true },
      missingModules: ["macsec"],
    };
    expect(hostFindings(bare)).toEqual([]);
    expect(hostFindings({ ...bare, clock: "drifting", freeMegabytes: 1 })).toHaveLength(2);
  });

  it("doctor accepts a kernel without MACsec if the routers are other devices", () => {
    const beside = withUnit(net, { active: "inactive", enabled: "disabled" });
    expect(hostFindings({ ...beside, missingModules: ["macsec"] })).toEqual([]);
  });

  it("doctor parses the output of systemctl and the group file", () => {
    const lines = [
      "Id=linkseal.service\nNRestarts=2\nActiveState=active\nStatusText=linkseal 0.1.0 build ab",
      "UnitFileState=\nId=linkseal-mka@eth1.service\nActiveState=failed\nNRestarts=0\nStatusText=",
      "",
    ].join("\n\n");
    expect(unitsIn(lines)).toEqual([
      unit("linkseal.service", { enabled: "", restarts: 2, build: "0.1.0 build ab" }),
      unit(mka, { enabled: "", active: "failed", build: undefined }),
    ]);
    expect(groupsIn("a:x:1:\nb:x:2:c,d\n")).toEqual({ a: [], b: ["c", "d"] });
  });

  it("doctor gathers the facts of this host without failing on any", async () => {
    const facts = await hostFacts();
    expect(facts.freeMegabytes).toBeGreaterThan(0);
    expect(facts.groups["root"]).toBeDefined();
    expect(facts.build).toMatch(/^\d+\.\d+\.\d+ /);
  });
});
