// The setting `fleet`: what is accepted, and the complaint about what is not.

import { describe, expect, it } from "vitest";
import { needsPerson } from "#agent/config/authority.ts";
import { formatComplaint, parseConfig } from "#agent/config/index.ts";
import { settingChanges } from "#agent/config/setting-changes.ts";
import { siteConfig } from "../../kit/site-config.ts";
import { SshSigner } from "../../kit/ssh-kit.ts";

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

describe("the signers of proposals", () => {
  const [anna, bo] = [new SshSigner("ssh-ed25519").line, new SshSigner("ssh-ed25519").line];
  const engine = `servers: ["tls://hub-1.example.net:4222"], ${key}`;
  const fleet = (...signers: readonly (readonly [string, string])[]): string => {
    const list = signers.map(([name, line]) => `{ name: ${name}, key: ${line} }`);
    return `fleet: { ${engine}, signers: [${list.join(", ")}] }`;
  };

  it("a proposal waits for a person, unless the config says otherwise", () => {
    const parsed = parse(fleet(["anna", anna]));
    const proposals = parsed.kind === "ok" ? parsed.desired.fleet?.proposals : undefined;
    expect(proposals).toEqual({ signers: [{ name: "anna", key: anna }], apply: "propose" });
  });

  const small = new SshSigner("ssh-rsa", 1_024).line;
  it.each([
    [fleet(["anna", anna], ["anna", bo]), "fleet.signers[1].name: is anna"],
    [fleet(["anna", anna], ["bo", anna]), "fleet.signers[1].key: is there twice"],
    [fleet(["anna", small]), "fleet.signers[0].key: cannot be read"],
    [fleet(["anna", anna.replace("ssh-ed25519", "ssh-dss")]), "signers[0].key: cannot be read"],
    [fleet(["anna", `${anna} a comment`]), "fleet.signers[0].key: is"],
    [`fleet: { ${engine}, apply: auto }`, "fleet.apply: is auto"],
    [`fleet: { ${engine}, apply: force }`, 'fleet.apply: is "force"'],
  ])("%s is refused", (setting, says) => {
    const parsed = parse(setting);
    if (parsed.kind === "ok") throw new Error("it is accepted");
    expect(parsed.complaints.map(formatComplaint).join("\n")).toContain(says);
  });

  it("a signer, and what is done with a proposal, are changes of authority", () => {
    const auto = fleet(["anna", anna], ["bo", bo]).replace("signers", "apply: auto, signers");
    const changes = settingChanges(text(fleet(["anna", anna])), text(auto)) ?? [];
    expect(changes.map(({ path, authority }) => [path, authority])).toEqual([
      [
        "fleet.signers[bo].key",
        "The agent itself applies a config that anna, bo signed, if it changes no authority.",
      ],
      [
        "fleet.apply",
        "The agent itself applies a config that anna, bo signed, if it changes no authority.",
      ],
    ]);
  });

  it.each([
    ...["azure.farEnd", "azure.vault", "azure.scopes", "repair", "fleet.heads", "site", "version"],
    ...["acceptRisks[noDrain].until", "groups[g].rotate.on", "groups[g].rotate.maxAge"],
    ...["devices[a].ssh.hostKey", "devices[a].address", "devices[b].driver", "groups[g].drain"],
    ...["groups[g].expressRoutePort", "groups[g].links[l].azureLink", "tunnels[t].auth.farEnd"],
    // A signed proposal could move a link to a port that no person of the site named.
    ...["groups[g].links[l].port", "groups[g].links[l].device", "tunnels[t].device"],
    ...["tunnels[t].remote.address", "tunnels[t].insideMacsec"],
    ...["serve.page.listen", "telemetry.webhook.url", "rotation.atOnce", "aSettingThatComesLater"],
  ])("`auto` never changes %s", (path) => {
    expect(needsPerson(path)).toBe(true);
  });

  it.each([
    ...["health.poll", "rotation.soak", "groups[g].links[l].macsec.suite"],
    ...["groups[g].links[l].key.cak", "tunnels[t].protects.local", "tunnels[t].mtu"],
  ])("`auto` changes %s", (path) => {
    expect(needsPerson(path)).toBe(false);
  });
});
