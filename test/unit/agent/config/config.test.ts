import { describe, expect, it } from "vitest";
import { formatComplaint, parseConfig } from "#agent/config/index.ts";
import { durationMs, endOfDay, speedGbps } from "#agent/config/units.ts";
import type { Desired } from "#agent/model/desired.ts";
import { nearest } from "#agent/model/nearest.ts";
import type { WallTime } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import { planSite } from "#sim/site/site-plan.ts";
import { configReference } from "../../../docs/config-reference.ts";
import { effort } from "../../../effort.ts";
import { processorMs } from "../../kit/processor-time.ts";
import { siteConfig } from "../../kit/site-config.ts";

function desiredOf(text: string): Desired {
  const parsed = parseConfig(text, "site.yaml");
  if (parsed.kind === "ok") return parsed.desired;
  throw new Error(JSON.stringify(parsed.complaints));
}

describe("a good config", () => {
  const desired = desiredOf(siteConfig);

  it("a config may have an empty list of private endpoints", () => {
    const text = siteConfig.replace("azure:\n", "azure:\n  privateEndpoints: []\n");
    expect(text).not.toBe(siteConfig);
    expect(desiredOf(text).azure).toEqual(desired.azure);
  });

  it("a good config becomes the desired state, with units resolved and defaults filled in", () => {
    expect(desired.groups[0]?.links[1]).toEqual({
      name: "primary",
      group: "erd-demo",
      device: "edge-a",
      port: "et-0/0/0",
      azureLink: "link1",
      speedGbps: 100,
      settings: {
        suite: "gcm-aes-xpn-256",
        includeSci: true,
        confidentialityOffset: 0,
        keyServerPriority: 16,
        replayWindow: 64,
        sakRekeyMs: 8 * 3_600_000,
      },
      key: { cak: "erd-demo-1-cak", ckn: "erd-demo-1-ckn" },
    });
    expect(desired.tunnels[0]).toEqual({
      name: "hub-1",
      device: "edge-a",
      localAddress: "198.51.100.1",
      remoteAddress: "203.0.113.1",
      azureConnection: undefined,
      ike: { encryption: "aes-256-gcm", integrity: "none", prf: "sha384", dhGroup: "ecp-384" },
      life: { seconds: 27_000, kilobytes: 102_400_000 },
      weaknesses: [],
      mtu: 1_400,
      ifId: 2_659_476_678,
      localPrefixes: ["10.1.0.0/16"],
      remotePrefixes: ["10.100.0.0/16"],
      transforms: { encryption: "aes-256-gcm", integrity: "none", dhGroup: "ecp-384" },
      auth: { kind: "psk", secret: "hub-1-psk", farEnd: "manual" },
      insideMacsec: "erd-demo",
    });
    expect(desired.health).toEqual({ pollMs: 5_000, staleAfterMs: 30_000, evidenceMs: 90_000 });
    expect(desired.rotation).toEqual({
      settleMs: 18_000,
      proofFrames: 20,
      verifyMs: 60_000,
      confirmMs: 300_000,
      soakMs: 120_000,
      farEndMs: 1_800_000,
      putGraceMs: 90_000,
      overdueMs: 86_400_000,
      drained: { samples: 3, everyMs: 10_000 },
    });
  });

  it("a Linux host without an address is reached at linkseal-net's default socket", () => {
    const devices = (more: string) => {
      const linux = `driver: linux\n    charon: unix:/run/charon.vici${more}`;
      return desiredOf(siteConfig.replace("driver: sim\n    address: unix:/run/site.sock", linux))
        .devices;
    };
    const host = { name: "edge-a", driver: "linux", quirks: [], charon: "/run/charon.vici" };
    expect(devices("")[0]).toEqual({ ...host, address: "unix:/run/linkseal-net/net.sock" });
    expect(devices("\n    address: unix:/run/n.sock\n    frr: edge_7.a")[0]).toEqual({
      ...host,
      address: "unix:/run/n.sock",
      pathspace: "edge_7.a",
    });
    expect(devices("\n    frr: edge-a")[1]).toEqual({
      name: "edge-b",
      driver: "sim",
      address: "unix:/run/site.sock",
      quirks: [],
    });
  });

  it("takes BGP inside of a tunnel as it is written, with Azure's own AS unless it says so", () => {
    const bgp = (more: string) => {
      const linux = "driver: linux\n    charon: unix:/run/charon.vici";
      const written = `auth: { psk: hub-1-psk }\n    bgp: { local: 169.254.21.2, ${more} }`;
      return desiredOf(
        siteConfig
          .replace("driver: sim\n    address: unix:/run/site.sock", linux)
          .replace("auth: { psk: hub-1-psk }", written),
      ).tunnels[0]?.bgp;
    };
    const ends = { local: "169.254.21.2", peer: "169.254.21.1" };
    expect(bgp("peer: 169.254.21.1")).toEqual({ ...ends, asn: 65_515 });
    expect(bgp("peer: 169.254.21.1, asn: 65010")).toEqual({ ...ends, asn: 65_010 });
    expect(desired.tunnels[0]).not.toHaveProperty("bgp");
  });

  it("takes the links of a group on its device that a tunnel is the backup of", () => {
    const backs = (more: string) => {
      const linux = "driver: linux\n    charon: unix:/run/charon.vici";
      const written = `auth: { psk: hub-1-psk }\n    bgp: { local: 10.1.0.2, peer: 10.1.0.1 }\n`;
      return desiredOf(
        siteConfig
          .replace("driver: sim\n    address: unix:/run/site.sock", linux)
          .replace("auth: { psk: hub-1-psk }\n", written)
          .replace("insideMacsec: erd-demo", `backs: erd-demo${more}`),
      ).tunnels[0]?.backs;
    };
    expect(backs("")).toMatchObject({ group: "erd-demo", proveMs: 300_000 });
    expect(backs("")?.links.map(({ name, device }) => [name, device])).toEqual([
      ["primary", "edge-a"],
    ]);
    expect(backs("\n    prove: 30s")?.proveMs).toBe(30_000);
    expect(desired.tunnels[0]).not.toHaveProperty("backs");
  });

  it("a group rotates manually at any time and has no quirks by default", () => {
    expect(desired.groups[0]).toMatchObject({
      drain: "prepend",
      retire: "afterProof",
      rotate: { on: "hand", maxAgeMs: undefined, windows: [] },
      freezes: [],
    });
    expect(desired.devices[0]?.quirks).toEqual([]);
  });

  it("a config says what makes a rotation begin, and when", () => {
    const window = "Mon,Wed-Thu 22:00-02:30 Europe/Dublin";
    const text = siteConfig
      .replace("driver: sim", "driver: sim\n    quirks: [shutBeforeKeyChange]")
      .replace(
        "    drain: prepend",
        `    retire: afterSoak\n    rotate: { on: age, maxAge: 90d, window: "${window}" }\n` +
          "    freeze: [2026-12-20/2027-01-05, 2026-07-01/2026-07-01 Asia/Tokyo]",
      );
    const { devices, groups } = desiredOf(text);
    expect(devices.map(({ quirks }) => quirks)).toEqual([["shutBeforeKeyChange"], []]);
    expect(groups[0]?.retire).toBe("afterSoak");
    const days = [1, 3, 4];
    const span = {
      text: window,
      days,
      fromMinute: 1_320,
      toMinute: 150,
      timeZone: "Europe/Dublin",
    };
    expect(groups[0]?.rotate).toEqual({ on: "age", maxAgeMs: 7_776_000_000, windows: [span] });
    expect(groups[0]?.freezes).toEqual([
      {
        text: "2026-12-20/2027-01-05",
        from: Date.UTC(2026, 11, 20),
        until: Date.UTC(2027, 0, 6),
      },
      {
        text: "2026-07-01/2026-07-01 Asia/Tokyo",
        from: Date.UTC(2026, 5, 30, 15),
        until: Date.UTC(2026, 6, 1, 15),
      },
    ]);
  });

  it.each([
    ["Sat", [6]],
    ["Mon-Fri", [1, 2, 3, 4, 5]],
    ["Fri-Mon", [0, 1, 5, 6]],
    ["Sat,Sun,Sat", [0, 6]],
    ["Sun-Sat", [0, 1, 2, 3, 4, 5, 6]],
    ["daily", [0, 1, 2, 3, 4, 5, 6]],
  ])("a window on the days %s has the day numbers %j", (days, numbers) => {
    const rotate = `    rotate: { window: ["${days} 02:00-02:15 UTC"] }`;
    const { groups } = desiredOf(siteConfig.replace("    drain: prepend", rotate));
    expect(groups[0]?.rotate.windows.map((window) => window.days)).toEqual([numbers]);
  });

  it("a group has its links in the order of `order`, else as listed", () => {
    const names = (text: string): (string | undefined)[] =>
      desiredOf(text).groups[0]?.links.map((link) => link.name) ?? [];
    expect(names(siteConfig)).toEqual(["secondary", "primary"]);
    const unordered = siteConfig.replace("    order: [secondary, primary]\n", "");
    expect(names(unordered)).toEqual(["primary", "secondary"]);
  });

  it("a config without whole sections gets the same defaults", () => {
    const bare = siteConfig.replace(/^(repair|health|rotation): .*\n/gm, "");
    expect(bare).not.toContain("rotation");
    expect(desiredOf(bare)).toEqual(desired);
  });

  it.each([
    ["a short settle", "settle: 18s", "settle: 3s", "shortSettle"],
    ["a short evidence", "evidence: 90s", "evidence: 10s", "shortSettle"],
    ["a hard drain", "drain: prepend", "drain: peeringShutdown", "hardDrain"],
    ["no drain", "drain: prepend", "drain: none", "noDrain"],
    ["a start outside the window", "tunnels:", "tunnels:", "outsideWindow"],
    ["a device without probes", "tunnels:", "tunnels:", "noProbe"],
    ["a far end that linkseal does not read", "tunnels:", "tunnels:", "farEndUnseen"],
  ])("%s is accepted with its named risk", (_name, written, instead, risk) => {
    const text = siteConfig.replace(written, instead).replace("breakBeforeMake", risk);
    expect(desiredOf(text).acceptRisks.map((accepted) => accepted.risk)).toEqual([risk]);
  });

  it.each([
    ["off ends replay protection", "replayWindow: 64", "replayWindow: off"],
    ["the largest window of an XPN suite", "replayWindow: 64", "replayWindow: 1073741823"],
    ["a PSK for two tunnels of a connection", "tunnels:", "tunnels:"],
    ["quoted keys and values", "repair: off", '"repair": "off"'],
    ["Windows line ends", "site: demo\n", "site: demo\r\n"],
    ["comments", "site: demo", "site: demo # Dublin"],
    [
      "an IPv6 tunnel",
      "[10.1.0.0/16], remote: [10.100.0.0/16]",
      '["fd00::/64"], remote: ["fd01::/64"]',
    ],
  ])("a config with %s is accepted", (_name, written, instead) => {
    expect(parseConfig(siteConfig.replace(written, instead), "site.yaml").kind).toBe("ok");
  });
});

describe("warnings", () => {
  const lines = (text: string, now?: WallTime): string[] => {
    const parsed = parseConfig(text, "site.yaml", now);
    if (parsed.kind === "refused") throw new Error("refused");
    return parsed.warnings.map(({ line, column, what }) => `${line}:${column} ${what}`);
  };
  const at = (iso: string): WallTime => Date.parse(iso) as WallTime;

  it.each([
    ["2027-01-31T23:59:59Z", []],
    ["2027-02-01T00:00:00Z", ["46:37 has passed"]],
  ])("a risk until 2027-01-31 is a warning only after its end, at %s", (now, says) => {
    expect(lines(siteConfig, at(now))).toEqual(says);
  });

  it("a config that is parsed without a clock gets no warning about dates", () => {
    expect(lines(siteConfig.replace("2027-01-31", "1999-01-31"))).toEqual([]);
  });

  it("both links of a group on one device are a warning", () => {
    expect(lines(siteConfig.replace("device: edge-b", "device: edge-a"))).toEqual([
      "20:7 end on one device",
    ]);
  });
});

describe("waits that end before a key can be proven without probes", () => {
  const blind = `${siteConfig}  - { risk: noProbe, until: 2027-01-31 }\n`;
  const warned = (text: string): readonly string[] => {
    const parsed = parseConfig(text, "site.yaml");
    if (parsed.kind === "refused") throw new Error("refused");
    return parsed.warnings.map(({ path, why, write }) => `${path}: ${why} (${write})`);
  };

  it("too short waits are warned of if the config accepts a device without probes", () => {
    const [verify, ...rest] = warned(blind);
    expect(verify).toMatch(/^rotation\.verify: proof-too-slow: without probes 20 frames of the/);
    expect(verify).toMatch(/take up to 600s, and verify gives 96s \(verify: 564s, or fewer /);
    expect(rest).toEqual([]);
    const [, farEnd] = warned(blind.replace("farEnd: 30m", "farEnd: 5m"));
    expect(farEnd).toMatch(
      /^rotation\.farEnd: proof-too-slow: .* farEnd gives 300s \(farEnd: 600s/,
    );
  });

  it("waits are not warned of if probes are sent, or if they are long enough", () => {
    expect(warned(siteConfig)).toEqual([]);
    const enough = blind.replace("verify: 60s, confirm: 5m", "verify: 564s, confirm: 15m");
    expect(warned(enough)).toEqual([]);
    expect(warned(enough.replace("564s", "563s"))).toHaveLength(1);
    expect(warned(blind.replace("verify: 60s", "verify: 60s, proofFrames: 3"))).toEqual([]);
  });
});

describe("units", () => {
  it.each([
    ["500ms", 500],
    ["5s", 5_000],
    ["30m", 1_800_000],
    ["8h", 28_800_000],
    ["90d", 7_776_000_000],
    ["5", Number.NaN],
    ["1.5h", Number.NaN],
    ["5 s", Number.NaN],
    ["-5s", Number.NaN],
    ["5toString", Number.NaN],
  ])("%s is %d ms", (text, ms) => {
    expect(durationMs(text)).toBe(ms);
  });

  it("100G is 100 gigabits per second", () => {
    expect(speedGbps("100G")).toBe(100);
  });

  it("the end of a day agrees with the platform's calendar over two centuries", () => {
    for (let day = 0; day < 73_000; day += 17) {
      const start = day * 86_400_000;
      const text = new Date(start).toISOString().slice(0, 10);
      expect(endOfDay(text)).toBe(start + 86_400_000);
    }
  });

  it.each([
    ["cypher", ["cipher", "suite"], "cipher"],
    ["NAME", ["name"], "name"],
    ["poll", ["verify"], undefined],
    ["x".repeat(41), ["x"], undefined],
  ])("the word nearest to %s is found if it is near enough", (word, words, meant) => {
    expect(nearest(word, words)).toBe(meant);
  });
});

describe("the reference", () => {
  it("the example of the reference is accepted without a warning", () => {
    const example = /```yaml\n([\s\S]*?)```/.exec(configReference())?.[1] ?? "";
    expect(parseConfig(example, "example.yaml")).toMatchObject({ kind: "ok", warnings: [] });
  });

  // Against `linkseal sim serve` the far end of the example was a port that does not exist.
  it("C: the example of the reference names the far end that the simulated site has", () => {
    const [group] = planSite("demo", 1, 2).groups;
    expect(configReference()).toContain(`    expressRoutePort: ${group?.expressRoutePort}\n`);
  });
});

describe("hostile text", () => {
  const seed = "config-fuzz";
  // Words that make YAML or a schema do something, beside plain damage.
  const sparks = [
    "__proto__: 1",
    "constructor: {}",
    "<<: *a",
    "&a ",
    "!!binary ",
    "---\n",
    "%TAG ! x\n",
    "1e999",
    ".nan",
    "0x1F",
    "null",
    "2027-02-30",
    "9".repeat(400),
    ...Array.from("[{-?:|>'\"~#\t\0\r\n\u2028\ufeff\u202e"),
    "\ud800",
  ];
  const prng = new Prng(seed);

  function mutate(text: string): string {
    const at = prng.between(0, text.length);
    const end = Math.min(text.length, at + prng.between(0, 40));
    switch (prng.between(0, 6)) {
      case 0:
        return text.slice(0, at) + prng.pick(sparks) + text.slice(at);
      case 1:
        return text.slice(0, at) + text.slice(end);
      case 2:
        return text.slice(0, end) + text.slice(at);
      case 3:
        return text.slice(0, at) + prng.pick(sparks) + text.slice(end);
      default:
        return text.slice(0, at) + text.charAt(prng.between(0, text.length)) + text.slice(at + 1);
    }
  }

  const mutations = effort(500, 20_000);

  it(`${mutations} mutations are accepted or refused, never thrown (seed ${seed})`, () => {
    const seen = { ok: 0, refused: 0 };
    const silent: string[] = [];
    let slowestMs = 0;
    for (let run = 0; run < mutations; run += 1) {
      let text = siteConfig;
      for (let times = prng.between(1, 3); times > 0; times -= 1) text = mutate(text);
      const tookMs = processorMs(() => {
        const parsed = parseConfig(text, "fuzz.yaml");
        seen[parsed.kind] += 1;
        if (parsed.kind === "refused" && parsed.complaints.length === 0) silent.push(text);
      });
      slowestMs = Math.max(slowestMs, tookMs);
    }
    expect(silent).toEqual([]);
    expect(seen.ok).toBeGreaterThan(mutations / 40);
    expect(seen.refused).toBeGreaterThan(mutations / 2);
    expect(slowestMs).toBeLessThan(1_000);
  });

  it.each([
    ["keys", Array.from({ length: 42_000 }, (_, i) => `k${i}: 1\n`).join("")],
    ["equal keys", "a: 1\n".repeat(42_000)],
    ["commas", `[${",".repeat(299_000)}`],
    ["brackets that close", "]".repeat(299_000)],
    ["tags", "!a ".repeat(149_000)],
    ["strings in an open list", `[${'""'.repeat(298_000)}`],
    ["directives", "%a\n".repeat(149_000)],
    ["block scalars", "- |\n".repeat(59_000)],
    ["a long line", `a: ${"b ".repeat(490_000)}`],
    ["devices", `devices: [${"1,".repeat(140_000)}]`],
  ])("a file full of %s takes bounded time", (_name, text) => {
    const tookMs = processorMs(() => {
      expect(parseConfig(text, "big.yaml").kind).toBe("refused");
    });
    expect(tookMs).toBeLessThan(20_000);
  });
});

it.each([
  ["version: |hunter2", "Block scalar header includes extra characters"],
  ["!!str version: 1", "has a key that is not a word"],
  ["&a version: 1", "has a key that is not a word"],
])("the complaint about %j says why, and does not quote the file", (text, says) => {
  const parsed = parseConfig(text, "site.yaml");
  const said = parsed.kind === "refused" ? parsed.complaints.map(formatComplaint).join() : "";
  expect(said).toContain(says);
  expect(said).not.toContain("hunter2");
});

describe("a config of a real cloud", () => {
  const group = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/net";
  const network = `${group}/providers/Microsoft.Network`;
  const connection = `${network}/connections/hub-1`;
  const real = (port: string, remote = connection): string =>
    siteConfig
      .replace("  cloud: sim\n", "  cloud: public\n  identity: { kind: arc }\n")
      .replace("vault: unix:/run/site.sock", "vault: https://kv-erd.vault.azure.net")
      .replace("expressRoutePort: erd-demo", `expressRoutePort: ${port}`)
      .replace("address: 203.0.113.1", `$&, azureConnection: ${remote}`);

  it.each(["expressRoutePorts", "ExpressRoutePorts", "expressRouteLags"])(
    "may have its far end written by the agent: %s",
    (kind) => {
      const desired = desiredOf(real(`${network}/${kind}/erd-demo`));
      expect([desired.azure.cloud, desired.azure.farEnd]).toEqual(["public", "agent"]);
      expect(desired.tunnels[0]?.azureConnection).toBe(connection);
    },
  );

  it.each([
    "erd-demo",
    `${network}/expressRouteCircuits/erd-demo`,
    `${network}/expressRoutePorts/erd-demo/links/link1`,
    `${network}/expressRoutePorts/..`,
    `${group}/../providers/Microsoft.Network/expressRoutePorts/erd-demo`,
  ])("a config of a real cloud that names a port by %s is refused", (port) => {
    expect(() => desiredOf(real(port))).toThrow("a real cloud knows no such port");
  });

  const giving = (text: string): string =>
    text.replace("psk: hub-1-psk", "psk: hub-1-psk, farEnd: agent");
  const port = `${network}/expressRoutePorts/erd-demo`;

  it("a config of a real cloud may let the agent set a tunnel's key at the gateway", () => {
    const desired = desiredOf(giving(real(port)));
    const auth = { kind: "psk", secret: "hub-1-psk", farEnd: "agent" };
    expect(desired.tunnels.map((tunnel) => tunnel.auth)).toEqual([auth]);
    expect(desiredOf(real(port)).tunnels[0]?.auth).toMatchObject({ farEnd: "manual" });
  });

  it("a config of a real cloud that names a connection by another path is refused", () => {
    const odd = `${group}/../x/connections/hub-1`;
    expect(() => desiredOf(real(port, odd))).toThrow("it is not a resource id");
    expect(() => desiredOf(real(port, "hub-1"))).toThrow("azureConnection");
  });
});
