// Two configs, setting by setting: what differs, and what the agent may do by itself from then on.

import { describe, expect, it } from "vitest";
import { parseConfig, type SettingChange, settingChanges } from "#agent/config/index.ts";
import { siteConfig } from "../../kit/site-config.ts";

type Edit = (text: string) => string;

function changesOf(edit: Edit, before: string | undefined = siteConfig): readonly SettingChange[] {
  const after = edit(siteConfig);
  // An edit that makes no valid config would be compared with nothing.
  expect(parseConfig(after, "site.yaml")).toMatchObject({ kind: "ok" });
  const changes = settingChanges(before, after);
  if (changes === undefined) throw new Error("a config is not valid");
  return changes;
}

const put =
  (old: string, wanted: string): Edit =>
  (text) => {
    expect(text).toContain(old);
    return text.replace(old, wanted);
  };

const port = "    expressRoutePort: erd-demo\n";
const inGroup = (line: string): Edit => put(port, `${port}${line}`);

interface Row {
  readonly name: string;
  readonly edit: Edit;
  readonly change: readonly [path: string, old: string | null, wanted: string | null];
  /** Words of what the agent may do from then on; undefined = no authority changes. */
  readonly authority: RegExp | undefined;
}

const rows: readonly Row[] = [
  {
    name: "the far end by hand",
    edit: put("farEnd: agent", "farEnd: manual"),
    change: ["azure.farEnd", "agent", "manual"],
    authority: /^An operator changes the far ends/,
  },
  {
    name: "rotations by the vault",
    edit: inGroup("    rotate: { on: vaultVersion }\n"),
    change: ["groups[erd-demo].rotate.on", "hand", "vaultVersion"],
    authority: /erd-demo begins by itself when the vault has a newer key, at any time/,
  },
  {
    name: "a window",
    edit: inGroup('    rotate: { window: "Sat 02:00-06:00 Europe/Dublin" }\n'),
    change: ["groups[erd-demo].rotate.window", null, "Sat 02:00-06:00 Europe/Dublin"],
    authority: /only when an operator asks, within Sat 02:00-06:00 Europe\/Dublin/,
  },
  {
    name: "a freeze",
    edit: inGroup('    freeze: ["2026-12-20/2027-01-05"]\n'),
    change: ["groups[erd-demo].freeze", null, "2026-12-20/2027-01-05"],
    authority: /but not in 2026-12-20/,
  },
  {
    name: "repair",
    edit: put("repair: off", "repair: on"),
    change: ["repair", "off", "on"],
    authority: /^The agent itself mends drift/,
  },
  {
    name: "an accepted risk",
    edit: (text) => `${text}  - { risk: outsideWindow, until: 2027-02-01 }\n`,
    change: ["acceptRisks[outsideWindow].until", null, "2027-02-01"],
    authority: /until the end of 2027-02-01: a rotation begins outside/,
  },
  {
    name: "a risk that is no longer accepted",
    edit: put("acceptRisks:\n  - { risk: breakBeforeMake, until: 2027-01-31 }\n", ""),
    change: ["acceptRisks[breakBeforeMake].until", "2027-01-31", null],
    authority: /^The risk breakBeforeMake is no longer accepted/,
  },
  {
    name: "another drain",
    edit: put("drain: prepend", "drain: gracefulShutdown"),
    change: ["groups[erd-demo].drain", "prepend", "gracefulShutdown"],
    authority: /moves traffic off a link of erd-demo \(gracefulShutdown\)/,
  },
  {
    name: "another order of links",
    edit: put("order: [secondary, primary]", "order: [primary, secondary]"),
    change: ["groups[erd-demo].order", "secondary, primary", "primary, secondary"],
    authority: /takes the links of erd-demo as primary, secondary/,
  },
  {
    name: "old keys that stay for the soak time",
    edit: inGroup("    retire: afterSoak\n"),
    change: ["groups[erd-demo].retire", "afterProof", "afterSoak"],
    authority: /of erd-demo leaves both ends after the soak time/,
  },
  {
    name: "a setting of one link",
    edit: put("sakRekey: 8h", "sakRekey: 4h"),
    change: ["groups[erd-demo].links[primary].macsec.sakRekey", "8h", "4h"],
    authority: undefined,
  },
  {
    name: "another poll",
    edit: put("health: { poll: 5s", "health: { poll: 10s"),
    change: ["health.poll", "5s", "10s"],
    authority: undefined,
  },
];

describe("twelve changes of a config", () => {
  it.each(rows)("$name is one change, with what it allows", ({ edit, change, authority }) => {
    const changes = changesOf(edit);
    const [path, old, wanted] = change;
    expect(changes).toMatchObject([{ path, old, new: wanted }]);
    if (authority === undefined) expect(changes[0]?.authority).toBeNull();
    else expect(changes[0]?.authority).toMatch(authority);
  });

  it("all of them are twelve changes, those of authority first", () => {
    const apart = /rotations by the vault|a window|no longer accepted/;
    const all = rows.filter(({ name }) => !apart.test(name));
    const both = inGroup('    rotate: { on: age, maxAge: 90d, window: "daily 02:00-03:00 UTC" }\n');
    const changes = changesOf((text) => all.reduce((one, { edit }) => edit(one), both(text)));
    const marks = changes.map(({ authority }) => authority !== null);
    expect(marks).toEqual(marks.toSorted((a, b) => Number(b) - Number(a)));
    expect(changes.map(({ path }) => path)).toContain("groups[erd-demo].rotate.maxAge");
    expect(changes.length).toBeGreaterThan(all.length);
  });
});

describe("the far end of a tunnel", () => {
  it("a gateway whose PSK the agent sets is a change of authority, both ways", () => {
    // The rules refuse this for a simulated site, which has no gateway's connection.
    const agent = siteConfig.replace("psk: hub-1-psk }", "psk: hub-1-psk, farEnd: agent }");
    const path = "tunnels[hub-1].auth.farEnd";
    expect(settingChanges(siteConfig, agent)).toMatchObject([
      { path, old: null, new: "agent", authority: expect.stringMatching(/^The agent itself/) },
    ]);
    expect(settingChanges(agent, siteConfig)).toMatchObject([
      { path, old: "agent", new: null, authority: expect.stringMatching(/^An operator/) },
    ]);
  });
});

describe("what is no change of a setting", () => {
  it.each<[string, Edit]>([
    ["a comment", (text) => `# Monday\n${text}`],
    ["a default that is written out", (text) => `${text}serve: {}\n`],
    [
      "another order of devices",
      (text) => {
        const [a, b] = ["edge-a", "edge-b"].map(
          (name) => `  - name: ${name}\n    driver: sim\n    address: unix:/run/site.sock\n`,
        );
        return text.replace(`${a}${b}`, `${b}${a}`);
      },
    ],
  ])("%s", (_name, edit) => {
    expect(changesOf(edit)).toEqual([]);
  });

  it("a window as a list of one is the same window", () => {
    const [one, list] = ["daily 02:00-03:00 UTC", '["daily 02:00-03:00 UTC"]'].map((window) =>
      inGroup(`    rotate: { window: ${window} }\n`)(siteConfig),
    );
    expect(settingChanges(one, list ?? "")).toEqual([]);
  });

  it("the order of links counts as `order` where that is absent", () => {
    const bare = siteConfig.replace("    order: [secondary, primary]\n", "");
    expect(settingChanges(siteConfig, bare)).toMatchObject([
      { path: "groups[erd-demo].order", old: "secondary, primary", new: "primary, secondary" },
    ]);
  });
});

describe("elements of lists", () => {
  it("a new tunnel has its settings one by one, a removed one as well", () => {
    const second = siteConfig.replace(
      "repair: off",
      `  - name: hub-2
    device: edge-b
    local: { address: 198.51.100.2 }
    remote: { address: 203.0.113.2 }
    protects: { local: [10.1.0.0/16], remote: [10.101.0.0/16] }
    auth: { psk: hub-2-psk }
repair: off`,
    );
    const added = settingChanges(siteConfig, second) ?? [];
    expect(added).toContainEqual({
      ...{ path: "tunnels[hub-2].device", old: null, new: "edge-b", authority: null },
    });
    expect(added.every(({ path, old }) => path.startsWith("tunnels[hub-2].") && old === null)).toBe(
      true,
    );
    const removed = settingChanges(second, siteConfig) ?? [];
    expect(removed.map(({ path }) => path).toSorted()).toEqual(
      added.map(({ path }) => path).toSorted(),
    );
    expect(removed.every((change) => change.new === null && change.authority === null)).toBe(true);
  });

  it("a device and a link of one name are both named", () => {
    const text = siteConfig.replaceAll("edge-a", "primary");
    const paths = (settingChanges(siteConfig, text) ?? []).map(({ path }) => path);
    expect(paths).toContain("groups[erd-demo].links[primary].device");
    expect(paths).toContain("devices[primary].driver");
  });
});

describe("configs that are not compared", () => {
  it("without a config in force each setting is new, and what it allows is named", () => {
    const changes = settingChanges(undefined, siteConfig) ?? [];
    expect(changes.every(({ old }) => old === null)).toBe(true);
    expect(changes[0]?.authority).not.toBeNull();
    expect(changes.find(({ path }) => path === "repair")?.authority).toContain("reports drift");
  });

  it.each(["", "[", "version: 2", "a: 1"])("a text such as %j is no config", (text) => {
    expect(settingChanges(siteConfig, text)).toBeUndefined();
    expect(settingChanges(text, siteConfig)).toBeUndefined();
  });

  it("what may be a key is not repeated (P5)", () => {
    const key = "ab".repeat(16);
    const resource = put("expressRoutePort: erd-demo", `expressRoutePort: "${key}"`);
    expect(JSON.stringify(changesOf(resource))).not.toContain(key);
  });

  it("two texts of one length that may be keys are still a change", () => {
    const [one, two] = ["ab", "cd"].map((part) =>
      put("expressRoutePort: erd-demo", `expressRoutePort: "${part.repeat(16)}"`)(siteConfig),
    );
    const text = "a text of 32 characters";
    expect(settingChanges(one, two ?? "")).toMatchObject([
      { path: "groups[erd-demo].expressRoutePort", old: text, new: text },
    ]);
  });

  it("how many campaigns may be open at once is a change of authority", () => {
    expect(changesOf(put("putGrace: 90s", "putGrace: 90s, atOnce: 2"))).toMatchObject([
      { path: "rotation.atOnce", old: "4", new: "2", authority: expect.stringMatching(/2 campa/) },
    ]);
  });
});
