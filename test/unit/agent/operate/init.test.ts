// `init`: from options, or from what a person says, to a config that its own rules accept.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseConfig } from "#agent/config/index.ts";
import { hostPorts } from "#agent/host/ports.ts";
import { answersOf, type InitOptions } from "#agent/operate/init/answers.ts";
import { checksOf } from "#agent/operate/init/checks.ts";
import { configTextOf, unconfirmedKey } from "#agent/operate/init/config-text.ts";
import { keptTextOf, readKept } from "#agent/operate/init/kept-answers.ts";
import { remainingOf } from "#agent/operate/init/remaining.ts";
import { platformsMeant } from "#drivers/index.ts";
import type { Dialer } from "#hal/world.ts";
import {
  alone,
  challenge,
  dialer,
  type Reply,
  shown,
  typing,
  unreachable,
  type World,
  whole,
} from "./init-kit.ts";

describe("what options say", () => {
  it("complete options of init give a config that the schema and its rules accept", async () => {
    const text = configTextOf(await answersOf(whole, alone));
    const parsed = parseConfig(text, "linkseal.yaml");
    expect(parsed.kind === "refused" ? parsed.complaints : []).toEqual([]);
    expect(parsed).toMatchObject({
      kind: "ok",
      desired: {
        site: "dublin",
        azure: { farEnd: "manual", identity: { kind: "arc" } },
        devices: [
          { driver: "junos", ssh: { user: "linkseal", key: "credential:edge-a", hostKey: shown } },
          { driver: "linux" },
        ],
        groups: [
          {
            drain: "prepend",
            links: [
              { port: "et-0/0/0", azureLink: "link1", settings: { suite: "gcm-aes-xpn-256" } },
              // Of a port of 10G, as the host itself tells.
              { port: "eth1", azureLink: "link2", settings: { suite: "gcm-aes-256" } },
            ],
          },
        ],
      },
    });
  });

  it.each(["arc", "managedIdentity"])(
    "a config of init with the identity %s is valid",
    async (identity) => {
      const text = configTextOf(await answersOf({ ...whole, identity }, alone));
      expect(parseConfig(text, "linkseal.yaml").kind).toBe("ok");
    },
  );

  it.each([
    ["no vault", { vault: undefined }, "--vault is missing"],
    ["no host key", { hostKey: [] }, "--host-key edge-a=SHA256:... is missing"],
    ["one link", { link: whole.link?.slice(0, 1) }, "--link is given twice"],
    ["a foreign device", { link: ["a=x,eth0", "b=edge-b,eth1"] }, "No router is named x"],
    ["no speed", { link: ["a=edge-a,et-0/0/0", "b=edge-b,eth1"] }, "PORT,SPEED is missing"],
    ["no number", { link: ["a=edge-a,et-0/0/0,fast", "b=edge-b,eth1"] }, "Give the speed"],
    ["no port name", { link: ["a=edge-a,,10G", "b=edge-b,eth1"] }, "A port name has letters"],
    ["a router nowhere", { device: ["edge-a=junos"] }, "DRIVER,ADDRESS is missing"],
    ["port 0", { device: ["edge-a=junos,192.0.2.1:0"] }, "is not an address of a router"],
    ["a vendor", { device: ["edge-a=juniper,192.0.2.1"] }, "it may be junos"],
    ["a vault's name", { vault: "kv-erd-dub" }, "it may be https://kv-erd-dub.vault.azure.net"],
    ["half a host key", { hostKey: ["edge-a=bcdefghij"] }, "it is SHA256: and the digest"],
    [
      "one address twice",
      { device: ["edge-a=junos,192.0.2.1", "edge-b=eos,192.0.2.1"] },
      "edge-a has this address",
    ],
    ["no form", { device: ["edge-a"] }, "is not of the form"],
    ["another identity", { identity: "password" }, "It is arc or managedIdentity"],
  ])(
    "an option of init that is missing or wrong is refused and named: %s",
    async (_what, change, text) => {
      const options = { ...whole, ...change } as InitOptions;
      await expect(answersOf(options, alone)).rejects.toThrow(text);
    },
  );
});

const two = ["edge-a", "eos", "192.0.2.1", "", "AAAbcdefghij", "edge-b", "linux", ""];
const links = ["edge-a", "Ethernet1", "100", "edge-b", "eth1", ""];

describe("what an operator types", () => {
  it("init asks for what no option gives, and proposes a default for the rest", async () => {
    const operator = typing([
      ...["dublin", "", "https://kv-erd-dub.vault.azure.net", "", ...two, ""],
      ...[whole.expressRoutePort ?? "", ...links],
    ]);
    const answers = await answersOf({}, operator.parts);
    expect(answers).toMatchObject({
      ...{ site: "dublin", cloud: "public", identity: "arc", group: "erd" },
      devices: [
        { address: "192.0.2.1", login: { user: "linkseal", port: undefined, hostKey: shown } },
        { login: undefined },
      ],
      links: [
        { device: "edge-a", gigabits: 100 },
        { device: "edge-b", gigabits: 10 },
      ],
    });
    expect(operator.asked.join("\n")).toContain("eth0 (1G), eth1 (10G)");
    expect(parseConfig(configTextOf(answers), "linkseal.yaml").kind).toBe("ok");
  });

  it("each mistake is asked for again at once, and what was meant is proposed", async () => {
    const operator = typing([
      ...["Dublin DC", "", "azure", "", "kv-erd-dub", "", "password", "arc"],
      ...["edge-a", "juniper", "", "nowhere at all", "192.0.2.1:2222", "net ops", "netops"],
      ...["yes", "", `SHA256:${"B".repeat(43)}`, "AAAbcdefghij", "edge-a", "none"],
      ...["ERD Dublin", "", "erd-dub", whole.expressRoutePort ?? ""],
      ...["et 0/0/0", "et-0/0/0", "fast", "400G", "et-0/0/0", "et-0/0/1", "100g"],
    ]);
    const answers = await answersOf({}, operator.parts);
    expect(answers).toEqual({
      ...{ site: "dublin-dc", cloud: "public", vault: "https://kv-erd-dub.vault.azure.net" },
      ...{ identity: "arc", group: "erd-dublin", expressRoutePort: whole.expressRoutePort },
      devices: [
        {
          ...{ name: "edge-a", driver: "junos", address: "192.0.2.1" },
          login: { user: "netops", port: 2222, hostKey: shown },
        },
      ],
      links: [
        { name: "primary", device: "edge-a", port: "et-0/0/0", gigabits: 400 },
        { name: "secondary", device: "edge-a", port: "et-0/0/1", gigabits: 100 },
      ],
    });
    const said = operator.heard.join("\n");
    expect(said).toContain("yes does not confirm it");
    expect(said).toContain("Enter does not confirm it");
    expect(said).toContain("edge-a may be another machine");
    expect(said).toContain("edge-a is the other router already");
    expect(said).toContain("az network express-route port show -g RESOURCE-GROUP -n erd-dub");
    expect(said).toContain("et-0/0/0 is the port of the other link");
    expect(operator.asked).toContainEqual(
      expect.stringMatching(/^Platform of edge-a .*\[junos\]$/),
    );
    const text = configTextOf(answers);
    expect(text).toContain("      port: 2222\n");
    expect(parseConfig(text, "linkseal.yaml").kind).toBe("ok");
  });

  it("an answer is kept as soon as it is taken, and proposed by the next run", async () => {
    const first = typing(["dublin", "", "https://kv-erd-dub.vault.azure.net", "", ...two]);
    await expect(answersOf({}, first.parts)).rejects.toThrow("hung up");
    expect(Object.fromEntries(first.kept)).toEqual({
      ...{ site: "dublin", cloud: "public", vault: "https://kv-erd-dub.vault.azure.net" },
      ...{ identity: "arc", "device0.name": "edge-a", "device0.driver": "eos" },
      ...{ "device0.address": "192.0.2.1", "device0.user": "linkseal" },
      ...{ "device0.hostKey": `192.0.2.1:22 ${shown}`, "device1.name": "edge-b" },
      ...{ "device1.driver": "linux", "device1.host": "here" },
    });
    const kept = readKept(keptTextOf(first.kept));
    expect(kept).toEqual(first.kept);
    const enter = Array.from({ length: 11 }, () => "");
    const second = typing([...enter, "", whole.expressRoutePort ?? "", ...links], kept);
    const answers = await answersOf({}, second.parts);
    expect(answers.devices.map(({ name }) => name)).toEqual(["edge-a", "edge-b"]);
    expect(second.heard.join()).toContain("shows the host key that you confirmed before");
  });

  it("a host key that was confirmed is confirmed again once the router shows another", async () => {
    const kept = new Map([["device0.hostKey", `192.0.2.1:830 SHA256:${"B".repeat(43)}`]]);
    const operator = typing(["AAAbcdefghij"], kept);
    const options = { ...whole, hostKey: [] };
    const { devices } = await answersOf(options, operator.parts);
    expect(devices[0]?.login?.hostKey).toBe(shown);
    expect(operator.asked).toHaveLength(1);
  });

  it("a router that cannot be reached leaves its host key to its console, or open", async () => {
    const silent = () => Promise.reject(unreachable);
    const ask = async (...words: readonly string[]) => {
      const operator = typing(words, new Map(), silent);
      const answers = await answersOf({ ...whole, hostKey: [] }, operator.parts);
      expect(operator.heard.join()).toContain("shows no host key: no process answers");
      return answers;
    };
    const typed = await ask("yes", shown);
    expect(typed.devices[0]?.login?.hostKey).toBe(shown);
    const text = configTextOf(await ask(""));
    expect(text).toContain(`hostKey: "${unconfirmedKey}"`);
    const parsed = parseConfig(text, "linkseal.yaml");
    expect(parsed.kind === "refused" ? parsed.complaints.map(({ path }) => path) : []).toEqual([
      "devices[0].ssh.hostKey",
    ]);
  });

  it("a host key can be left for later although the router shows one", async () => {
    const operator = typing(["later"]);
    const { devices } = await answersOf({ ...whole, hostKey: [] }, operator.parts);
    expect(devices[0]?.login?.hostKey).toBeUndefined();
  });

  it.each(["yes", "", "bcdefghi", "ij", "AAbcdefghij", `SHA256:${"B".repeat(43)}`])(
    "a host key is not confirmed by %j: twelve characters of it are needed",
    async (word) => {
      const operator = typing([word]);
      const answers = answersOf({ ...whole, hostKey: [] }, operator.parts);
      await expect(answers).rejects.toThrow("hung up");
      expect(operator.asked).toHaveLength(2);
      expect(operator.kept.get("device0.hostKey")).toBeUndefined();
    },
  );
});

describe("answers of an earlier run", () => {
  it.each([
    ["no JSON", "{"],
    ["another schema", '{"schema":"linkseal.init-answers/2","answers":{}}'],
    ["no answers", '{"schema":"linkseal.init-answers/1","answers":null}'],
    ["an answer that is no text", '{"schema":"linkseal.init-answers/1","answers":{"site":7}}'],
    ["a terminal sequence", '{"schema":"linkseal.init-answers/1","answers":{"site":"\\u001b[2J"}}'],
    ["a name of another form", '{"schema":"linkseal.init-answers/1","answers":{"a b":"c"}}'],
    ["too long a text", " ".repeat(70_000)],
  ])("a file with %s is not used", (_what, text) => {
    expect(readKept(text)).toBeUndefined();
  });

  it("an earlier answer that would not be taken now is not proposed", async () => {
    const operator = typing(["dublin"], new Map([["site", "Not A Name"]]));
    await expect(answersOf({}, operator.parts)).rejects.toThrow("hung up");
    expect(operator.asked[0]).toBe("A name for this site [edge]");
  });
});

describe("the driver that a word means", () => {
  it.each([
    ["juniper", ["junos"]],
    ["Junos-Evolved", ["junos"]],
    ["MX204", ["junos"]],
    ["arista", ["eos"]],
    ["IOS-XE", ["iosxe"]],
    ["catalyst 9500", ["iosxe"]],
    ["ios xr", ["iosxr"]],
    ["NCS5501", ["iosxr"]],
    ["cisco", ["iosxe", "iosxr", "nxos"]],
    ["Nexus 9000", ["nxos"]],
    ["NX-OS", ["nxos"]],
    ["N9K-C9336C-FX2", ["nxos"]],
    ["frr", ["linux"]],
    ["nokia", []],
    ["", []],
  ])("%j means %j", (word, drivers) => {
    expect(platformsMeant(word)).toEqual(drivers);
  });
});

describe("what remains after init", () => {
  it("each step that remains is listed with its lines, in order", async () => {
    const options = { ...whole, device: ["edge-a=junos,192.0.2.1", "edge-b=eos,192.0.2.2"] };
    const answers = await answersOf(
      { ...options, hostKey: [`edge-a=${shown}`], link: ["a=edge-a,x,10G", "b=edge-b,y,10G"] },
      typing(["later"]).parts,
    );
    const lines = remainingOf(answers, "/etc/my sites/a.yaml").flatMap((one) => one.lines);
    expect(lines).toContain("linkseal validate '/etc/my sites/a.yaml'");
    const credentials = lines.filter((line) => line.includes("LoadCredentialEncrypted="));
    expect(credentials.map((line) => line.slice(-6))).toEqual(["edge-a", "edge-b"]);
    expect(lines.join("\n")).toContain("set system login user linkseal class super-user");
    expect(lines.join("\n")).toContain("username linkseal privilege 15 role network-admin");
    const order = ["azure setup", "keys generate erd-dub", "plan", "apply", "doctor"];
    const at = order.map((word) => lines.findIndex((line) => line.startsWith(`linkseal ${word}`)));
    expect(at).toEqual(at.toSorted((a, b) => a - b));
    expect(at).not.toContain(-1);
  });

  it.each([
    ["junos", "ed25519", "set system services netconf ssh"],
    ["eos", "ed25519", "username linkseal ssh-key KEY"],
    ["iosxe", "rsa -b 4096", "ip ssh pubkey-chain"],
    ["nxos", "rsa -b 4096", "username linkseal role network-admin"],
    ["iosxr", "rsa -b 4096", "crypto key import authentication rsa username linkseal"],
  ])("the login on %s has a key of the type %s", async (driver, type, line) => {
    const options = { ...whole, device: [`edge-a=${driver},192.0.2.1`, "edge-b=linux"] };
    const answers = await answersOf(options, alone);
    const lines = remainingOf(answers, "a.yaml").flatMap((one) => one.lines);
    expect(lines).toContain(`ssh-keygen -t ${type} -N "" -C linkseal -f ./edge-a`);
    expect(lines).toContain(line);
  });

  it("a simulated site needs neither Azure nor a login", async () => {
    const sim = {
      ...{ ...whole, cloud: "sim", vault: "unix:/s.sock", expressRoutePort: "erd-demo" },
      ...{ device: ["edge-a=sim,unix:/s.sock"], link: ["a=edge-a,x,10G", "b=edge-a,y,10G"] },
    };
    const lines = remainingOf(await answersOf(sim, alone), "a.yaml").flatMap((one) => one.lines);
    expect(lines.join("\n")).not.toMatch(/azure|credential|ssh/);
  });
});

describe("what is checked before", () => {
  const found = async (world: World) => {
    const checks = await checksOf(await answersOf(whole, alone), {
      dial: dialer(world),
      file: "a.yaml",
      deadline: () => new AbortController().signal,
    });
    return checks.map(({ what, found: how }) => `${what} ${how}`);
  };

  it("init calls good only what it saw: a vault that asks for a token, and paths", async () => {
    expect(await found({})).toEqual([
      ...["vault good", "identity unknown", "router unknown", "port unknown"],
      ...["own path good", "own path good"],
    ]);
  });

  // Before, any answer of 169.254.169.254 counted as an identity that "gives tokens".
  const denied = { status: 403, body: { error: "Forbidden" } };
  const token = { status: 200, body: { access_token: "eyJ0", token_type: "Bearer" } };
  const none = {
    status: 400,
    body: { error: "invalid_request", error_description: "Identity not found" },
  };
  const odd = { status: 400, body: { error: "invalid_resource", error_description: "no" } };
  const html = { status: 200, body: "<html>it works</html>" };
  const foreign = { status: 401, headers: { "www-authenticate": "Basic realm=/etc/shadow" } };
  const verdicts: readonly (readonly [string, string, Reply, string, string])[] = [
    ["a token", "managedIdentity", token, "good", "gives tokens"],
    ["a machine without an identity", "managedIdentity", none, "wrong", "no managed identity"],
    ["another refusal of the endpoint", "managedIdentity", odd, "unknown", "an endpoint answers"],
    ["a refusal of a stranger", "managedIdentity", denied, "wrong", "no identity endpoint"],
    ["a page of a stranger", "managedIdentity", html, "wrong", "no identity endpoint"],
    ["the challenge of Azure Arc", "managedIdentity", challenge, "wrong", "no identity endpoint"],
    ["its challenge", "arc", challenge, "unknown", "the Arc agent"],
    ["a challenge that names another file", "arc", foreign, "wrong", "no identity endpoint"],
    ["a token without a challenge", "arc", token, "wrong", "no identity endpoint"],
    ["a page of a stranger", "arc", html, "wrong", "no identity endpoint"],
  ];
  it.each(verdicts)(
    "init calls %s at the endpoint of %s what it is",
    async (_what, identity, reply, verdict, text) => {
      const asked: { readonly headers?: unknown; readonly path?: string }[] = [];
      const checks = await checksOf(await answersOf({ ...whole, identity }, alone), {
        dial: dialer({ identity: reply }, asked),
        file: "a.yaml",
        deadline: () => new AbortController().signal,
      });
      const found = checks.find(({ what }) => what === "identity");
      expect([found?.found, found?.text]).toEqual([verdict, expect.stringContaining(text)]);
      expect(found?.next === null).toBe(verdict === "good");
      // It asks as the agent does, and never shows what it got.
      expect(asked.map(({ headers }) => headers)).toEqual([{ metadata: "true" }]);
      expect(asked[0]?.path).toContain("resource=https%3A%2F%2Fvault.azure.net");
      expect(JSON.stringify(checks)).not.toContain("eyJ0");
    },
  );

  it("a computer that reaches nothing calls nothing wrong, and says how to check it", async () => {
    const nowhere = () => Promise.reject(unreachable);
    const dial = { http: nowhere, resolve: nowhere, routeTo: nowhere } as unknown as Dialer;
    const deadline = () => new AbortController().signal;
    const checks = await checksOf(await answersOf(whole, alone), {
      dial,
      deadline,
      file: "a.yaml",
    });
    expect(new Set(checks.map((one) => one.found))).toEqual(new Set(["unknown"]));
    for (const { text, next } of checks) {
      expect(text).toMatch(/^not checked: /);
      expect(next).toMatch(/./);
    }
    const vault = checks.find(({ what }) => what === "vault");
    expect(vault?.next).toBe("linkseal azure setup a.yaml --check, on the agent's host");
  });

  it("init reports a missing identity, a wrong vault, and an endangered path", async () => {
    expect(await found({ identity: "absent" })).toContain("identity unknown");
    expect(await found({ status: 404 })).toContain("vault wrong");
    expect(await found({ route: "eth1" })).toContain("own path wrong");
  });
});

describe("the ports of a host", () => {
  it("the ports of a host are the interfaces with hardware", async () => {
    const folder = mkdtempSync(join(tmpdir(), "linkseal-ports-"));
    try {
      for (const name of ["eth1", "lo", "eth0"]) {
        mkdirSync(join(folder, name));
        if (name !== "lo") mkdirSync(join(folder, name, "device"));
      }
      writeFileSync(join(folder, "eth0", "speed"), "100000\n");
      writeFileSync(join(folder, "eth1", "speed"), "-1\n");
      expect(await hostPorts(folder)).toEqual([
        { name: "eth0", gigabits: 100 },
        { name: "eth1", gigabits: undefined },
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
