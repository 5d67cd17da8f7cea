// What `doctor` finds in a strongswan.conf, and how it reads one.

import { describe, expect, it } from "vitest";
import {
  charonFindings,
  readSettings,
  retransmitSeconds,
} from "#agent/operate/doctor/charon-rules.ts";
import { Prng } from "#sim/base/prng.ts";

const good = `# a comment { with a brace
charon {
  install_routes = no
  follow_redirects = no
  retransmit_tries = 4   # a comment behind a value
  retransmit_timeout = 0.8
  retransmit_base = 2
  plugins {
    updown { load = no }
  }
}
`;
const settingsOf = (text: string, files: Readonly<Record<string, readonly string[]>> = {}) =>
  readSettings(text, (pattern) => files[pattern] ?? []);
const rulesOf = (text: string): readonly string[] =>
  charonFindings(settingsOf(text)).map(({ severity, here }) => `${severity}: ${here}`);

describe("a strongswan.conf", () => {
  it("the settings are read by their paths, the later ones first", () => {
    const text = `charon { a = 1
      plugins { kernel-netlink { install_routes_xfrmi = yes } vici { socket = unix:///run/a b } } }
      charon-systemd : charon
      {
        journal { default = "a # b" }
      }
      charon { a = 2 }`;
    expect([...settingsOf(text)]).toEqual([
      ["charon.a", "2"],
      ["charon.plugins.kernel-netlink.install_routes_xfrmi", "yes"],
      ["charon.plugins.vici.socket", "unix:///run/a b"],
      ["charon-systemd.journal.default", "a # b"],
    ]);
  });

  it("an included file is read where it is named, and a circle of files ends", () => {
    const files = { "d/*.conf": ["b = 2", "c { d = 3 }"], me: ["include me\ne = 5"] };
    const settings = settingsOf("charon {\n include d/*.conf\n}\ninclude me\n", files);
    expect(settings.get("charon.b")).toBe("2");
    expect(settings.get("charon.c.d")).toBe("3");
    expect(settings.get("e")).toBe("5");
  });

  it("text that is not a strongswan.conf is skipped, never an error (seed conf)", () => {
    const prng = new Prng("conf");
    const characters = Array.from('{}=#"\\:. \ninclude charon');
    let keys = 0;
    for (let turn = 0; turn < 500; turn += 1) {
      const length = prng.between(0, 80);
      const text = Array.from({ length }, () => prng.pick(characters)).join("");
      const settings = readSettings(text, () => ["a = 1", text]);
      keys += settings.size;
      expect(Number.isFinite(retransmitSeconds(settings))).toBe(true);
    }
    expect(keys).toBeGreaterThan(0);
  });
});

describe("the settings of charon", () => {
  it("charon's defaults are too slow to notice a dead gateway, and make routes", () => {
    expect(retransmitSeconds(settingsOf(""))).toBeCloseTo(165.06, 2);
    expect(rulesOf("")).toEqual([
      "warning: charon.install_routes is yes",
      "warning: charon.follow_redirects is yes",
      "warning: charon takes a silent gateway for dead after 170 s",
    ]);
  });

  it("the settings that doctor proposes are good", () => {
    expect(rulesOf(good)).toEqual([]);
  });

  it.each([
    ["make_before_break = no", "warning: charon.make_before_break is no"],
    [
      "i_dont_care_about_security_and_use_aggressive_mode_psk = yes",
      "error: charon.i_dont_care_about_security_and_use_aggressive_mode_psk is yes",
    ],
    [
      "plugins { kernel-netlink { install_routes_xfrmi = 1 } }",
      "warning: charon.plugins.kernel-netlink.install_routes_xfrmi is 1",
    ],
    [
      "accept_unencrypted_mainmode_messages = yes",
      "error: charon.accept_unencrypted_mainmode_messages is yes",
    ],
    ["follow_redirects = yes", "warning: charon.follow_redirects is yes"],
    ...["yes", "1", "900"].map((load): [string, string] => [
      `plugins { updown { load = ${load} } }`,
      "warning: charon has the plugin updown, which runs a command that a connection names",
    ]),
    ["retransmit_tries = 5", "warning: charon takes a silent gateway for dead after 55 s"],
    [
      "retransmit_tries = 3\nretransmit_timeout = 2.5\nretransmit_base = 1.8",
      "warning: charon repeats a request for the second time after 7.0 s",
    ],
  ])("charon's %s is found", (line, finding) => {
    expect(rulesOf(`${good}charon {\n${line}\n}\n`)).toEqual([finding]);
  });

  it("Debian's file of the plugin updown is found, and what doctor proposes ends it", () => {
    const debian =
      "charon { load_modular = yes\nplugins { include d/*.conf }\n}\ninclude own/*.conf";
    const files = {
      "d/*.conf": ["updown {\n # dns_handler = no\n load = yes\n}"],
      "own/*.conf": [good.replace("updown { load = no }", "")],
    };
    const [finding, ...others] = charonFindings(settingsOf(debian, files));
    expect([finding?.code, others]).toEqual(["host-charon", []]);
    const [, line = ""] = /section charon: (.*); then restart/.exec(finding?.next ?? "") ?? [];
    expect(line).toBe("plugins { updown { load = no } }");
    const mended = { ...files, "own/*.conf": [...files["own/*.conf"], `charon { ${line} }`] };
    expect(charonFindings(settingsOf(debian, mended))).toEqual([]);
  });

  it("each line that doctor proposes is one that charon reads, and ends its finding", () => {
    const bad =
      "charon { make_before_break = no\naccept_unencrypted_mainmode_messages = yes\n" +
      "plugins { kernel-netlink { install_routes_xfrmi = yes } updown { load = yes } } }";
    const found = charonFindings(settingsOf(bad));
    const lines = found.map(({ next }) => /section charon: (.*?); /.exec(next)?.[1] ?? "");
    const text = lines.map((line) => `charon { ${line.replaceAll(", ", "\n")} }`).join("\n");
    expect(found).toHaveLength(7);
    expect(charonFindings(settingsOf(`${bad}\n${text}`))).toEqual([]);
  });

  it("a limit of the waits counts, and the daemon's own setting before that of all", () => {
    expect(rulesOf(`${good}charon { retransmit_tries = 9 }`)).toHaveLength(1);
    expect(rulesOf(`${good}charon { retransmit_tries = 9\nretransmit_limit = 3 }`)).toEqual([]);
    expect(rulesOf(`${good}charon-systemd { install_routes = yes }`)).toHaveLength(1);
    expect(retransmitSeconds(settingsOf("charon { retransmit_tries = -1 }"))).toBeCloseTo(
      165.06,
      2,
    );
  });

  it("a value of a foreign file is shown cut and printable", () => {
    const [finding] = charonFindings(
      settingsOf(`${good}charon { install_routes = \u001b[2J${"x".repeat(99)}yes }`),
    );
    // Neither yes nor no: not a route of charon's own.
    expect(finding).toBeUndefined();
    const [other] = charonFindings(
      settingsOf(`${good}charon { make_before_break = \u001b[2J${"x".repeat(999)} }`),
    );
    expect(other?.here).toMatch(/^[ -~…]{20,340}$/);
  });
});
