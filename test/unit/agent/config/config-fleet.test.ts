// The setting `fleet`: what is accepted, and the complaint about what is not.

import { describe, expect, it } from "vitest";
import { formatComplaint, parseConfig } from "#agent/config/index.ts";
import { settingChanges } from "#agent/config/setting-changes.ts";
import { siteConfig } from "../../kit/site-config.ts";

const text = (line: string): string => siteConfig.replace("repair: off", `repair: off\n${line}`);
const parse = (line: string) => parseConfig(text(line), "site.yaml");
const key = "key: credential:fleet-key";

describe("the engine of many sites", () => {
  it("a config without it has none", () => {
    const parsed = parse("");
    expect(parsed.kind === "ok" && "fleet" in parsed.desired).toBe(false);
  });

  it("servers and key are enough; heads are published every ten minutes", () => {
    const parsed = parse(`fleet: { servers: ["tls://hub-1.example.net:4222"], ${key} }`);
    expect(parsed.kind === "ok" && parsed.desired.fleet).toEqual({
      ...{ servers: ["tls://hub-1.example.net:4222"], key: "credential:fleet-key" },
      headsMs: 600_000,
    });
  });

  it.each([["tls://10.1.2.3:4222"], ["tls://[2001:db8::1]:4222"], ["nats://127.0.0.1:4222"]])(
    "%s is a server",
    (server) => {
      expect(parse(`fleet: { servers: ["${server}"], ${key} }`).kind).toBe("ok");
    },
  );

  it.each([
    ["{}", "fleet.servers: is missing"],
    [`{ servers: [], ${key} }`, "fleet.servers: is a list of 0"],
    [`{ servers: ["tls://h:1"] }`, "fleet.key: is missing"],
    [`{ servers: ["nats://hub:4222"], ${key} }`, 'fleet.servers[0]: is "nats://hub:4222"'],
    [`{ servers: ["tls://hub"], ${key} }`, 'fleet.servers[0]: is "tls://hub"'],
    [`{ servers: ["tls://u:p@hub:1"], ${key} }`, 'fleet.servers[0]: is "tls://u:p@hub:1"'],
    [`{ servers: ["tls://hub:70000"], ${key} }`, "fleet.servers[0]: is tls://hub:70000"],
    [`{ servers: ["tls://h:1", "tls://h:1"], ${key} }`, "fleet.servers[1]: is tls://h:1"],
    [`{ servers: ["tls://h:1"], ca: hub.pem, ${key} }`, 'fleet.ca: is "hub.pem"'],
    [`{ servers: ["tls://h:1"], permits: yes, ${key} }`, "fleet.permits: is"],
    [`{ servers: ["tls://h:1"], heads: 1s, ${key} }`, 'fleet.heads: is "1s"'],
  ])("%s is refused", (fleet, says) => {
    const parsed = parse(`fleet: ${fleet}`);
    if (parsed.kind === "ok") throw new Error("it is accepted");
    expect(parsed.complaints.map(formatComplaint).join("\n")).toContain(says);
  });

  it("a seed that was put into the file is refused, and not repeated", () => {
    const seed = "SUALQEFMBEXHAHXTMZ2AOTLVEMSUKWN4MAUIRYHCQNVO22H4QSOCOYLHCY";
    const parsed = parse(`fleet: { servers: ["tls://h:1"], key: ${seed} }`);
    expect(parsed.kind).toBe("refused");
    expect(JSON.stringify(parsed)).not.toContain(seed.slice(0, 20));
  });

  it("permits that are required, or not any more, are a change of authority", () => {
    const config = (more: string) => text(`fleet: { servers: ["tls://h:1"], ${key}${more} }`);
    const required = config(", permits: required");
    const parsed = parseConfig(required, "site.yaml");
    expect(parsed.kind === "ok" && parsed.desired.fleet?.permits).toBe("required");
    const allows = (from: string, to: string) =>
      settingChanges(from, to)?.map(({ path, authority }) => [path, authority]);
    expect(allows(config(""), required)).toEqual([
      ["fleet.permits", "A campaign waits for a permit of the hub before it takes a link."],
    ]);
    expect(allows(required, config(""))).toEqual([
      ["fleet.permits", "Campaigns take links without a permit of the hub."],
    ]);
  });

  it("another engine is a change of authority", () => {
    const changes = settingChanges(text(""), text(`fleet: { servers: ["tls://h:1"], ${key} }`));
    expect(changes?.filter(({ authority }) => authority !== null).map(({ path }) => path)).toEqual([
      ...["fleet.servers", "fleet.key"],
    ]);
  });
});
