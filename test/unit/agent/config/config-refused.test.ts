import { describe, expect, it } from "vitest";
import { formatComplaint, parseConfig } from "#agent/config/index.ts";
import { siteConfig } from "../../kit/site-config.ts";

type Row = readonly [written: string, instead: string, says: readonly string[]];

// One more line in the group.
function within(line: string, says: readonly string[]): readonly Row[] {
  return [["    drain: prepend", `    drain: prepend\n    ${line}`, says]];
}

function weekly(span: string, says: string): readonly Row[] {
  return within(`rotate: { window: ${span} }`, [`18:23 groups[0].rotate.window: ${says}`]);
}

function frozen(days: string, says: string): readonly Row[] {
  return within(`freeze: ["${days}"]`, [`18:14 groups[0].freeze[0]: ${says}`]);
}

const simulated = "driver: sim\n    address: unix:/run/site.sock";
const junos =
  "driver: junos\n    address: 192.0.2.1\n    ssh: { user: ann, key: agent, hostKey: file:/k }";

// What stands in the good config, what stands there instead, and the complaints.
const edits: readonly Row[] = [
  ["version: 1", "version: 2", ["1:10 version: is 2"]],
  ["site: demo", "site: Demo Site", ['2:7 site: is "Demo Site"']],
  ["site: demo", "site: 007", ["2:7 site: is not quoted"]],
  ["site: demo\n", "", ["1:1 site: is missing"]],
  ["site: demo", "site:", ["2:6 site: has no value"]],
  [
    "  cloud: sim",
    "  cloud: public",
    [
      "4:3 azure.identity: is missing",
      '5:10 azure.vault: is "unix:/run/site.sock"',
      '16:23 groups[0].expressRoutePort: is "erd-demo"',
    ],
  ],
  [
    "unix:/run/site.sock\n  farEnd",
    "https://kv-erd.vault.azure.net\n  farEnd",
    ['5:10 azure.vault: is "https://kv-erd.vault.azure.net"'],
  ],
  ["farEnd: agent", "farEnd: agnt", ['6:11 azure.farEnd: is "agnt"']],
  ["  cloud: sim", "  cloud: sim\n  identity: { kind: arc }", ["5:13 azure.identity: is given"]],
  [
    "drain: prepend",
    "drain: adminDown",
    ['17:12 groups[0].drain: "adminDown" is not available in this version'],
  ],
  ["driver: sim", "driver: sym", ['9:13 devices[0].driver: is "sym"']],
  [
    "driver: sim",
    "driver: junos",
    ["8:5 devices[0]: has no ssh", '10:14 devices[0].address: is "unix:/run/site.sock"'],
  ],
  [
    "driver: sim",
    "driver: sim\n    ssh: { user: linkseal }",
    ["10:10 devices[0].ssh.key: is missing", "10:10 devices[0].ssh.hostKey: is missing"],
  ],
  ["driver: sim", "driver: sim\n    snmp: { user: ann }", ["10:11 devices[0].snmp: is set"]],
  [
    simulated,
    `${junos}\n    snmp: { auth: sha1, community: credential:c }`,
    ["12:19 devices[0].snmp.auth: is 4 characters"],
  ],
  [
    simulated,
    `${junos}\n    snmp: { user: ann, community: credential:c, authPassphrase: credential:a }`,
    [
      "12:11 devices[0].snmp.privacyPassphrase: is missing",
      "12:35 devices[0].snmp.community: is given",
    ],
  ],
  [
    simulated,
    `${junos}\n    snmp: { access: v2c-readonly, user: ann }`,
    ["12:11 devices[0].snmp.community: is missing", "12:41 devices[0].snmp.user: is given"],
  ],
  [
    "driver: sim",
    `driver: sim\n    ssh: { user: ann, key: agent, hostKey: "SHA256:${"A".repeat(43)}" }`,
    ["10:10 devices[0].ssh: is set"],
  ],
  [
    "address: unix:/run/site.sock",
    "address: unix:site.sock",
    ['10:14 devices[0].address: is "unix:site.sock"'],
  ],
  ["address: unix:/run/site.sock\n", "quirks: []\n", ["8:5 devices[0]: has no address"]],
  [
    "address: unix:/run/site.sock",
    "address: unix:/run/site.sock\n    frr: edge",
    ["11:10 devices[0].frr: is set"],
  ],
  ["driver: sim", "driver: linux\n    frr: -N", ['10:10 devices[0].frr: is "-N"']],
  ["driver: sim", "driver: linux\n    frr: a b", ['10:10 devices[0].frr: is "a b"']],
  [
    "driver: sim",
    `driver: linux\n    frr: ${"e".repeat(33)}`,
    ["10:10 devices[0].frr: is a text of 33 characters"],
  ],
  [
    "name: edge-b",
    "name: edge-a",
    [
      '11:11 devices[1].name: "edge-a" is listed twice',
      '28:17 groups[0].links[1].device: unknown device "edge-b"',
    ],
  ],
  ["name: edge-a", 'name: "edge\\na"', ['8:11 devices[0].name: is "edge?a"']],
  [
    "name: erd-demo",
    "nam: erd-demo",
    ["15:5 groups[0].name: is missing", "15:5 groups[0].nam: is not a key of this place"],
  ],
  [
    "drain: prepend",
    "drain: peeringShutdown",
    ["17:12 groups[0].drain: peeringShutdown is not accepted"],
  ],
  [
    "drain: prepend",
    "drain: adminDown",
    ['17:12 groups[0].drain: "adminDown" is not available in this version'],
  ],
  ["drain: prepend", "drain: none", ["17:12 groups[0].drain: none is not accepted"]],
  ...within("retire: sometime", ['18:13 groups[0].retire: is "sometime"']),
  ...within("rotate: daily", ['18:13 groups[0].rotate: is "daily"']),
  ...within("rotate: { on: time }", ['18:19 groups[0].rotate.on: is "time"']),
  ...within("rotate: { on: age }", ["18:13 groups[0].rotate.maxAge: is missing"]),
  ...within("rotate: { maxAge: 90 }", ["18:23 groups[0].rotate.maxAge: is 90"]),
  ...within("rotate: { maxAge: 1m }", ['18:23 groups[0].rotate.maxAge: is "1m"']),
  ...within("rotate: { windows: [] }", [
    "18:15 groups[0].rotate.windows: is not a key of this place",
  ]),
  ...within("rotate: { window: [] }", ["18:23 groups[0].rotate.window: is a list of 0"]),
  ...within("rotate: { window: 7 }", ["18:23 groups[0].rotate.window: is 7"]),
  ...within(`rotate: { window: [${'"a",'.repeat(15)}] }`, [
    "18:23 groups[0].rotate.window: is a list of 15",
  ]),
  ...weekly("Sat", "is not a weekly span"),
  ...weekly("Sat 02:00-06:00", "is not a weekly span"),
  ...weekly("Sa 02:00-06:00 UTC", "is not a weekly span"),
  ...weekly("Sat 2:00-6:00 UTC", "is not a weekly span"),
  ...weekly("Sat 02:00-06:60 UTC", "contains no time of day"),
  ...weekly("Sat 02:00-24:01 UTC", "contains no time of day"),
  ...weekly("Sat 24:00-06:00 UTC", "contains no time of day"),
  ...weekly("Sat 02:00-02:14 UTC", "is too short"),
  ...weekly("Sat 23:50-00:04 UTC", "is too short"),
  ...weekly("Sat 02:00-02:00 UTC", "is too short"),
  ...weekly("Sat 02:00-06:00 Europe/Dubln", "names no time zone"),
  ...within('rotate: { window: ["Sat 02:00-06:00 UTC", "Sun 02:00-06:00 Mars"] }', [
    "18:47 groups[0].rotate.window[1]: names no time zone",
  ]),
  ...within("rotate: { window: [Mon,Wed 02:00-06:00 UTC] }", [
    "18:24 groups[0].rotate.window[0]: is not a weekly span",
  ]),
  ...within("freeze: 2026-12-20/2027-01-05", [
    '18:13 groups[0].freeze: is "2026-12-20/2027-01-05"',
  ]),
  ...frozen("2026-12-20", 'is "2026-12-20"'),
  ...frozen("2026-13-01/2027-01-05", 'is "2026-13-01/2027-01-05"'),
  ...frozen("2026-02-28/2026-02-29", "contains 2026-02-29"),
  ...frozen("2027-01-05/2026-12-20", "ends before it begins"),
  ...frozen("2026-12-20/2027-01-05 Europe/Dubln", "names no time zone"),
  [
    "driver: sim",
    "driver: sim\n    quirks: [shutBeforeKeyChanges]",
    ['10:14 devices[0].quirks[0]: is "shutBeforeKeyChanges"'],
  ],
  [
    "driver: sim",
    "driver: sim\n    quirks: shutBeforeKeyChange",
    ['10:13 devices[0].quirks: is "shutBeforeKeyChange"'],
  ],
  [
    "order: [secondary, primary]",
    "order: [primary, primary]",
    ["18:12 groups[0].order: does not name both links"],
  ],
  ["order: [secondary, primary]", "order: secondary", ['18:12 groups[0].order: is "secondary"']],
  ["device: edge-b", "device: c", ['28:17 groups[0].links[1].device: unknown device "c"']],
  ["port: et-0/0/0", "port: 1e3", ["22:15 groups[0].links[0].port: is not quoted"]],
  ["port: et-0/0/0", 'port: "et 0"', ['22:15 groups[0].links[0].port: is "et 0"']],
  [
    "azureLink: link2",
    "azureLink: link1",
    ['30:20 groups[0].links[1].azureLink: "link1" is listed twice'],
  ],
  [
    "device: edge-b\n        port: et-0/0/1",
    "device: edge-a\n        port: et-0/0/0",
    ['29:15 groups[0].links[1].port: "edge-a et-0/0/0" is listed twice'],
  ],
  ["speed: 100G", "speed: 100", ["24:16 groups[0].links[0].speed: is 100"]],
  ["speed: 100G", "speed: 10G", ["25:26 groups[0].links[0].macsec.suite: gcm-aes-xpn-256 at 10G"]],
  [
    "suite: gcm-aes-xpn-256 }",
    "suite: gcm-aes-256 }",
    ["32:26 groups[0].links[1].macsec.suite: gcm-aes-256 at 100G"],
  ],
  [
    "suite: gcm-aes-xpn-256 }",
    "cypher: gcm-aes-xpn-256 }",
    [
      "32:17 groups[0].links[1].macsec.suite: is missing",
      "32:19 groups[0].links[1].macsec.cypher: is not a key of this place",
    ],
  ],
  [
    "suite: gcm-aes-xpn-256 }",
    "suite: aes256 }",
    ['32:26 groups[0].links[1].macsec.suite: is "aes256"'],
  ],
  [
    "suite: gcm-aes-xpn-256 }",
    "suite: gcm-aes-xpn-256, policy: shouldSecure }",
    ['32:51 groups[0].links[1].macsec.policy: is "shouldSecure"'],
  ],
  ["offset: 0", "offset: 30", ["25:51 groups[0].links[0].macsec.offset: is 30"]],
  ["offset: 0", "offset: 31", ["25:51 groups[0].links[0].macsec.offset: is 31"]],
  [
    "replayWindow: 64",
    "replayWindow: 1073741824",
    ["25:68 groups[0].links[0].macsec.replayWindow: is 1073741824"],
  ],
  ["replayWindow: 64", "replayWindow: -1", ["25:68 groups[0].links[0].macsec.replayWindow: is -1"]],
  ["sakRekey: 8h", "sakRekey: 8", ["25:82 groups[0].links[0].macsec.sakRekey: is 8"]],
  ["sakRekey: 8h", "sakRekey: 1s", ['25:82 groups[0].links[0].macsec.sakRekey: is "1s"']],
  [
    "suite: gcm-aes-xpn-256 }",
    'suite: gcm-aes-xpn-256, includeSci: "yes" }',
    ['32:55 groups[0].links[1].macsec.includeSci: is "yes"'],
  ],
  [
    "suite: gcm-aes-xpn-256 }",
    "suite: gcm-aes-xpn-256, keyServerPriority: 256 }",
    ["32:62 groups[0].links[1].macsec.keyServerPriority: is 256"],
  ],
  [
    "cak: erd-demo-2-cak",
    "cak: erd-demo-1-cak",
    ['33:21 groups[0].links[1].key.cak: "erd-demo-1-cak" is listed twice'],
  ],
  [
    "ckn: erd-demo-2-ckn",
    "ckn: erd-demo-2-cak",
    ['33:42 groups[0].links[1].key.ckn: "erd-demo-2-cak" is listed twice'],
  ],
  [
    "auth: { psk: hub-1-psk }",
    "auth: { psk: hub-1-psk, farEnd: agent }",
    ["40:37 tunnels[0].auth.farEnd: is agent"],
  ],
  [
    "auth: { psk: hub-1-psk }",
    "auth: { certificate: hub, authorities: roots, peer: CN=hub, farEnd: manual }",
    ["40:26 tunnels[0].auth.certificate: is set", "40:73 tunnels[0].auth.farEnd: is set"],
  ],
  ["psk: hub-1-psk", "psk: erd-demo-1-cak", ["40:18 tunnels[0].auth.psk: is a link's secret"]],
  [
    "auth: { psk: hub-1-psk }",
    "auth: { certificate: hub }",
    [
      "40:11 tunnels[0].auth: has no authorities",
      "40:11 tunnels[0].auth: has no peer",
      "40:26 tunnels[0].auth.certificate: is set",
    ],
  ],
  ["auth: { psk: hub-1-psk }", "auth: {}", ["40:11 tunnels[0].auth: is empty"]],
  [
    "auth: { psk: hub-1-psk }",
    'auth: { psk: hub-1-psk, peer: "CN=hub-1" }',
    ["40:35 tunnels[0].auth.peer: is set"],
  ],
  [
    "insideMacsec: erd-demo",
    "insideMacsec: erd",
    ['41:19 tunnels[0].insideMacsec: unknown group "erd"'],
  ],
  [
    "    insideMacsec: erd-demo",
    "    bgp: { asn: 65515 }",
    ["41:10 tunnels[0].bgp.local: is missing", "41:10 tunnels[0].bgp.peer: is missing"],
  ],
  ["[10.1.0.0/16]", "[10.1.0.1/16]", ["39:25 tunnels[0].protects.local[0]: is 10.1.0.1/16"]],
  ["[10.1.0.0/16]", "10.1.0.0/16", ['39:24 tunnels[0].protects.local: is "10.1.0.0/16"']],
  ["[10.1.0.0/16]", "[10.1.0.0/33]", ['39:25 tunnels[0].protects.local[0]: is "10.1.0.0/33"']],
  ["[10.1.0.0/16]", '["fd00::/64"]', ["39:15 tunnels[0].protects: mixes or repeats prefixes"]],
  [
    "address: 203.0.113.1",
    "address: 203.0.113",
    ['38:24 tunnels[0].remote.address: is "203.0.113"'],
  ],
  [
    "address: 203.0.113.1",
    "address: 198.51.100.1",
    ["38:24 tunnels[0].remote.address: is 198.51.100.1"],
  ],
  [
    "address: 203.0.113.1",
    "address: 203.0.113.1, azureConnection: /subscriptions/s/connections/hub-1",
    ['38:54 tunnels[0].remote.azureConnection: is "/subscriptions/s/connections/hub-1"'],
  ],
  ["poll: 5s", "poll: 5", ["43:17 health.poll: is 5"]],
  ["poll: 5s", "poll: 1e3", ["43:17 health.poll: is 1e3"]],
  ["poll: 5s", "poll: 5 s", ['43:17 health.poll: is "5 s"']],
  ["staleAfter: 30s", "staleAfter: 5s", ["43:33 health.staleAfter: is 5s with poll 5s"]],
  ["evidence: 90s", "evidence: 60s", ["43:48 health.evidence: is 60s"]],
  ["settle: 18s", "settle: 5s", ["44:21 rotation.settle: is 5s"]],
  ["confirm: 5m", "confirm: 90s", ["44:48 rotation.confirm: is 90s with verify 60s"]],
  ["farEnd: 30m", "overdue: 1s", ['44:61 rotation.overdue: is "1s"']],
  ["farEnd: 30m", "farEnd: 90s", ["44:60 rotation.farEnd: is 90s with putGrace 90s"]],
  ["putGrace: 90s", "putGrace: 5s", ["44:75 rotation.putGrace: is 5s"]],
  [
    "putGrace: 90s }",
    "drained: { samples: 1, every: 2s } }",
    ["44:85 rotation.drained.samples: is 1", "44:95 rotation.drained.every: is 2s"],
  ],
  ["until: 2027-01-31", "until: 2027-02-30", ['46:37 acceptRisks[0].until: is "2027-02-30"']],
  [
    "risk: breakBeforeMake",
    "risk: brakeBeforeMake",
    ['46:13 acceptRisks[0].risk: is "brakeBeforeMake"'],
  ],
  ["risk: breakBeforeMake", "risk: asFound", ['46:13 acceptRisks[0].risk: is "asFound"']],
  [
    "  - { risk: breakBeforeMake, until: 2027-01-31 }",
    "  - { risk: hardDrain, until: 2027-01-31 }\n  - { risk: hardDrain, until: 2027-01-31 }",
    ['47:13 acceptRisks[1].risk: "hardDrain" is listed twice'],
  ],
  [
    "until: 2027-01-31",
    'until: 2027-01-31, reason: "a\\nb"',
    ['46:57 acceptRisks[0].reason: is "a?b"'],
  ],
  ["repair: off", "repair: off\nserve: { page: {} }", ["43:16 serve.page.listen: is missing"]],
  ["repair: off", "repair: off\nrepair: on", ["43:1 repair: is listed twice"]],
  [
    "repair: off",
    "repair: off\n__proto__: { repair: on }",
    ["43:1 __proto__: is not a key of this place"],
  ],
  ["repair: off", "repair: &a off", ["42:12 repair: has an anchor"]],
  ["repair: off", "repair: *a", ["42:9 repair: is an alias"]],
  ["repair: off", "repair: !!str off", ["42:15 repair: has a tag"]],
  ["repair: off", "? [repair]\n: off", ["42:3 (file): has a key that is not a word"]],
  ["repair: off", "repair: off\n---\nversion: 1", ["43:1 (file): contains a second document"]],
  ["repair: off", 'repair: "off', ["47:1 (file): is not valid YAML"]],
  ["repair: off", "\trepair: off", ["42:1 (file): is not valid YAML"]],
  ["version: 1", "%YAML 1.1\n---\nversion: 1", ["1:1 (file): has a %YAML directive"]],
];

const second = siteConfig.slice(siteConfig.indexOf("      - name: sec"), siteConfig.indexOf("tun"));
const root = "1:1 (file):";

const whole: readonly (readonly [name: string, text: string, says: readonly string[]])[] = [
  ["nothing", "", [`${root} has no value`]],
  ["only a comment", "# later\n", [`${root} has no value`]],
  ["a list", "- 1", [`${root} is a list of 1`]],
  ["a word", "protect me", [`${root} is "protect me"`]],
  ["one link", siteConfig.replace(second, ""), ["20:7 groups[0].links: is a list of 1"]],
  ["a hundred brackets", "[".repeat(100), ["1:33 (file): is nested too deep"]],
  ["a hundred dashes", "- ".repeat(100), ["1:64 (file): is nested too deep"]],
  ["over a megabyte", "#".repeat(1_000_001), [`${root} is too long`]],
  ["too many parts", `a: [${"1,".repeat(160_000)}]`, ["1:300001 (file): has too many parts"]],
  ["half a surrogate pair", "site: \ud800", [`${root} is not Unicode`]],
  ["a laughing bomb", "a: &a [x]\nb: &b [*a, *a]\n", ["1:7 a: has an anchor"]],
];

function complaints(text: string): string[] {
  const parsed = parseConfig(text, "site.yaml");
  if (parsed.kind === "ok") return ["accepted"];
  for (const complaint of parsed.complaints) {
    expect(complaint.why).not.toBe("");
    expect(complaint.write).not.toBe("");
    expect(formatComplaint(complaint)).toMatch(/^site\.yaml:\d+:\d+ [^\p{C}]+: [^\p{C}]+$/u);
  }
  return parsed.complaints.map(
    ({ line, column, path, what }) => `${line}:${column} ${path}: ${what}`,
  );
}

describe("a bad config is refused, with line and column", () => {
  it("the config that the edits start from is accepted", () => {
    expect(complaints(siteConfig)).toEqual(["accepted"]);
  });

  it.each(edits)("%j changed to %j is refused, with line and column", (written, instead, says) => {
    const text = siteConfig.replace(written, () => instead);
    expect(text).not.toBe(siteConfig);
    expect(complaints(text)).toEqual(says);
  });

  it.each(whole)("a file that is %s is refused", (_name, text, says) => {
    expect(complaints(text).slice(0, 1)).toEqual(says);
  });
});

describe("what to write stands in the complaint", () => {
  it.each([
    ["site: demo", "site: 007", 'quote this: site: "007"'],
    ["poll: 5s", "poll: 5", "poll: 5s"],
    ["drain: prepend", "drian: prepend", "drain:"],
    ["farEnd: agent", "farEnd: agnt", "farEnd: agent"],
    ["order: [secondary, primary]", "order: [primary]", "order: [primary, secondary]"],
    ["  cloud: sim", "  cloud: public", "identity: { kind: arc }"],
    ["repair: off", "repair: off\nserve: { page: 1 }", "page: { listen: 127.0.0.1:9443 }"],
    [
      "    drain: prepend",
      "    rotate: { window: Sat }",
      'quote a span such as "Sat 02:00-06:00 Europe/Dublin"',
    ],
    ["    drain: prepend", "    rotate: { window: 7 }", 'window: "Sat 02:00-06:00 Europe/Dublin"'],
    ["    drain: prepend", "    rotate: { on: age }", "maxAge: 90d"],
    ["    drain: prepend", "    retire: afterSaok", "retire: afterSoak"],
    ["    drain: prepend", "    freeze: [soon]", '"2026-12-20/2027-01-05"'],
    ["    drain: prepend", "    freeze: soon", 'freeze: ["2026-12-20/2027-01-05"]'],
    ["drain: prepend", "drain: none", "drain: prepend, or accept noDrain under acceptRisks"],
    ["driver: sim", "driver: sim\n    quirks: [shut]", "shutBeforeKeyChange"],
    ["    address: unix:/run/site.sock\n", "", "address: unix:PATH"],
    ["driver: sim", "driver: sim\n    frr: edge", "leave it out"],
  ])("the complaint about %s changed to %s says what to write", (written, instead, write) => {
    const parsed = parseConfig(siteConfig.replace(written, instead), "site.yaml");
    expect(parsed.kind === "refused" && parsed.complaints[0]?.write).toBe(write);
  });

  it("a complaint reads as file:line:column path: what, why; to correct it: what to write", () => {
    const parsed = parseConfig(
      siteConfig.replace("drain: prepend", "drain: adminDown"),
      "site.yaml",
    );
    expect(parsed.kind === "refused" && parsed.complaints.map(formatComplaint)).toEqual([
      'site.yaml:17:12 groups[0].drain: "adminDown" is not available in this version, ' +
        "it waits for drains that shut the port; to correct it: drain: prepend",
    ]);
  });

  it("the complaint about a key cache says where it is set instead", () => {
    const parsed = parseConfig(
      siteConfig.replace("driver: sim", "driver: sim\n    keyCache: true"),
      "site.yaml",
    );
    expect(parsed.kind === "refused" && parsed.complaints.map(formatComplaint)).toEqual([
      expect.stringContaining(
        "devices[0].keyCache: is not a setting of a config, the keys of a port are sealed by its " +
          "own process, linkseal-mka@PORT.service; to correct it: remove it; linkseal mka PORT " +
          "--key-cache KEY",
      ),
    ]);
  });

  it("a config with more than fifty faults gets fifty complaints and a count", () => {
    const text = siteConfig + Array.from({ length: 60 }, (_, i) => `x${i}: 1\n`).join("");
    const messages = complaints(text);
    expect(messages).toHaveLength(51);
    expect(messages.at(-1)).toContain("10 more complaints");
  });

  it("a complaint about control characters forges no line of a terminal", () => {
    const text = siteConfig.replace("repair: off", '"re\\u001b[2Kpair\\n\\u202e": off');
    const [messages] = complaints(text);
    expect(messages).toBe('42:1 "re?[2Kpair??": is not a key of this place');
  });
});

describe("a key pasted in place of a secret's name is refused and never repeated", () => {
  const cak = "c0ffee00".repeat(8);
  it.each([
    ["as cak", "cak: erd-demo-1-cak", `cak: ${cak}`],
    ["as short cak", "cak: erd-demo-1-cak", `cak: ${cak.slice(32)}`],
    ["as digits", "cak: erd-demo-1-cak", `cak: ${"12345678".repeat(4)}`],
    ["as key", "{ cak: erd-demo-1-cak, ckn: erd-demo-1-ckn }", cak],
    ["as a name of a key", "repair: off", `repair: off\n${cak}: 1`],
    ["as driver", "driver: sim", `driver: ${cak}`],
    ["as device", "device: edge-b", `device: ${cak.slice(0, 60)}`],
    ["as port", "port: et-0/0/0", `port: "${cak} "`],
    ["in broken YAML", "repair: off", `repair: "${cak}" "${cak}"`],
    ["as an alias", "repair: off", `repair: *${cak}`],
    ["as a time zone", "drain: prepend", `rotate: { window: Sat 02:00-06:00 ${cak.slice(0, 48)} }`],
    ["as a window", "drain: prepend", `rotate: { window: [${cak}] }`],
    ["as a freeze", "drain: prepend", `freeze: [2026-12-20/2027-01-05 ${cak.slice(0, 48)}]`],
    ["as a tag", "repair: off", `repair: !${cak} off`],
  ])("a pasted key, %s, is refused and not repeated", (_name, written, instead) => {
    const parsed = parseConfig(siteConfig.replace(written, instead), "site.yaml");
    expect(parsed.kind).toBe("refused");
    const messages = JSON.stringify(parsed).toLowerCase();
    expect(messages).not.toContain("c0ffee");
    expect(messages).not.toContain("12345678");
  });

  it("a PSK that is no name is not repeated", () => {
    const text = siteConfig.replace("psk: hub-1-psk", 'psk: "correct horse"');
    expect(JSON.stringify(parseConfig(text, "site.yaml"))).not.toContain("horse");
  });
});
