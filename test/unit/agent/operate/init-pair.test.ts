// `init` for a pair on two Linux hosts: which host is which, the key of the other, what remains.

import { describe, expect, it } from "vitest";
import { parseConfig } from "#agent/config/index.ts";
import { answersOf, type InitOptions } from "#agent/operate/init/answers.ts";
import { checksOf } from "#agent/operate/init/checks.ts";
import { configTextOf } from "#agent/operate/init/config-text.ts";
import { remainingOf } from "#agent/operate/init/remaining.ts";
import { alone, dialer, shown, typing, whole } from "./init-kit.ts";

describe("a pair on two Linux hosts", () => {
  const pair: InitOptions = {
    ...whole,
    device: ["edge-a=linux", "edge-b=linux,ssh://192.0.2.2"],
    hostKey: [`edge-b=${shown}`],
    link: ["primary=edge-a,eth1", "secondary=edge-b,eth7,10G"],
  };

  it("options make a config with the login of the package on the other host", async () => {
    const answers = await answersOf(pair, alone);
    expect(answers.devices).toEqual([
      { name: "edge-a", driver: "linux", address: undefined, login: undefined },
      {
        ...{ name: "edge-b", driver: "linux", address: "ssh://192.0.2.2" },
        login: { user: "linkseal-peer", port: undefined, hostKey: shown },
      },
    ]);
    const parsed = parseConfig(configTextOf(answers), "linkseal.yaml");
    expect(parsed).toMatchObject({
      kind: "ok",
      desired: {
        devices: [
          { driver: "linux" },
          {
            ...{ driver: "linux", address: "ssh://192.0.2.2" },
            ssh: { user: "linkseal-peer", key: "credential:edge-b", hostKey: shown },
          },
        ],
      },
    });
  });

  it("a port and a user of the option are those of the login", async () => {
    const device = ["edge-a=linux", "edge-b=linux,ssh://[2001:db8::2]:2222,netops"];
    const answers = await answersOf({ ...pair, device }, alone);
    expect(parseConfig(configTextOf(answers), "linkseal.yaml").kind).toBe("ok");
    expect(answers.devices[1]).toMatchObject({
      ...{ address: "ssh://2001:db8::2", login: { user: "netops", port: 2222 } },
    });
  });

  it.each([
    ["two devices that are this host", ["edge-a=linux", "edge-b=linux"], "edge-a is this host"],
    ["no address", ["edge-a=linux", "edge-b=linux,ssh://-x"], "is not the address of a host"],
    ["an address without ssh://", ["edge-a=linux", "edge-b=linux,192.0.2.2"], "ssh://192.0.2.2"],
    [
      "one host twice",
      ["edge-a=linux,ssh://192.0.2.2", "edge-b=linux,ssh://192.0.2.2"],
      "edge-a has this address",
    ],
    ["a user that is none", ["edge-a=linux", "edge-b=linux,ssh://192.0.2.2,a b"], "A user name"],
  ])("%s is refused with what is wrong", async (_what, device, text) => {
    const hostKey = ["edge-a", "edge-b"].map((name) => `${name}=${shown}`);
    await expect(answersOf({ ...pair, device, hostKey }, alone)).rejects.toThrow(text);
  });

  it("an operator types which host it is, and confirms its key by twelve characters", async () => {
    const asked: (string | number)[] = [];
    const operator = typing(
      [
        ...["dublin", "", "https://kv-erd-dub.vault.azure.net", ""],
        ...["edge-a", "linux", "", "edge-b", "linux", "here", "192.0.2.2", "", "AAAbcdefghij"],
        ...["", whole.expressRoutePort ?? "", "", "eth1", "", "", "eth7", "100G"],
      ],
      new Map(),
      (address, at) => {
        asked.push(address, at);
        return Promise.resolve(shown);
      },
    );
    const { devices, links: made } = await answersOf({}, operator.parts);
    expect(devices.map(({ address }) => address)).toEqual([undefined, "ssh://192.0.2.2"]);
    expect(devices[1]?.login).toEqual({ user: "linkseal-peer", port: undefined, hostKey: shown });
    expect(asked).toEqual(["192.0.2.2", 22]);
    const said = operator.heard.join("\n");
    expect(said).toContain("edge-a is this host already");
    expect(said).toContain(
      "Compare it on its own console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub.",
    );
    // The ports of this host are proposed for its own link alone.
    const ports = operator.asked.filter((question) => question.startsWith("Port of"));
    expect(ports.map((question) => question.includes("ports of this host"))).toEqual([true, false]);
    expect(made.map(({ gigabits }) => gigabits)).toEqual([10, 100]);
  });

  it("what remains there: the package without an agent, and a key that is bound", async () => {
    const rest = remainingOf(await answersOf(pair, alone), "a.yaml");
    const lines = rest.flatMap((one) => one.lines);
    expect(lines).toContain("systemctl disable --now linkseal");
    expect(lines).toContain("systemctl enable --now linkseal-net linkseal-mka@eth7 linkseal-peer");
    expect(lines).toContain(
      `echo 'restrict,from="AGENT",command="/usr/bin/linkseal peer" KEY' >> ` +
        "/var/lib/linkseal-peer/.ssh/authorized_keys",
    );
    expect(lines).toContain("# AGENT is the address behind src, here: ip route get 192.0.2.2");
    expect(lines).toContain(
      "systemctl edit linkseal      # [Service] LoadCredentialEncrypted=edge-b",
    );
    expect(lines.join("\n")).not.toContain("edge-a");
  });

  it("the ports of this host alone are those that no way may use", async () => {
    const run = async (route: string) => {
      const checks = await checksOf(await answersOf(pair, alone), {
        ...{ dial: dialer({ route }), file: "a.yaml" },
        deadline: () => new AbortController().signal,
      });
      return checks.filter(({ what }) => what === "own path").map(({ found: how }) => how);
    };
    // To the vault and to the other host.
    expect(await run("eth1")).toEqual(["wrong", "wrong"]);
    expect(await run("eth7")).toEqual(["good", "good"]);
  });
});
