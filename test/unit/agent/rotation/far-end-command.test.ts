// The command that an operator pastes: a shell passes exactly the values, and nothing else.

import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import {
  connectionShowCommand,
  type FarEndSetting,
  farEndCommand,
  farEndOffCommand,
  farEndShowCommand,
  gatewayKeyCommand,
  historyCommand,
} from "#agent/rotation/far-end-command.ts";
import { FakePrograms } from "../../kit/fake-programs.ts";

const programs = new FakePrograms();
afterAll(() => programs.remove());

const subscription = "11111111-2222-3333-4444-555555555555";
const setting: FarEndSetting = {
  resource:
    `/subscriptions/${subscription}/resourceGroups/edge (west)/providers/Microsoft.Network/` +
    "expressRoutePorts/erd-dub",
  link: "link1",
  cakSecretId: `https://kv-erd.vault.azure.net/secrets/erd-1-cak/${"a".repeat(32)}`,
  cknSecretId: `https://kv-erd.vault.azure.net/secrets/erd-1-ckn/${"b".repeat(32)}`,
  cipher: "GcmAesXpn256",
  sciState: "Enabled",
};
const port: FarEndSetting = { ...setting, resource: setting.resource.replace(" (west)", "(west)") };
const lag: FarEndSetting = { ...port, resource: port.resource.replace("Ports/", "Lags/") };

function textOf(wanted: FarEndSetting): string {
  const command = farEndCommand(wanted);
  if (command.kind === "none") throw new Error(command.why);
  return command.text;
}

describe("the command for an ExpressRoute port", () => {
  it("a shell runs az once, with each value as one word", () => {
    programs.add("az", "{}");
    expect(programs.run(textOf(port))).toEqual([
      [
        ...["az", "network", "express-route", "port", "link", "update"],
        ...["--subscription", subscription, "--resource-group", "edge(west)"],
        ...["--port-name", "erd-dub", "--name", "link1"],
        ...["--macsec-cak-secret-identifier", port.cakSecretId],
        ...["--macsec-ckn-secret-identifier", port.cknSecretId],
        ...["--macsec-cipher", "GcmAesXpn256", "--macsec-sci-state", "Enabled"],
      ],
    ]);
  });

  it("the command is one line without the body of a port, so that it cannot be outdated", () => {
    expect(textOf(port)).not.toMatch(/[\n{}]|link2|--ids/);
  });
});

describe("the command for a LAG", () => {
  const url = `${lag.resource}?api-version=2026-01-01`;
  const read = ["az", "rest", "--method", "get", "--url", url];

  it("a shell reads the document, has jq change it, and writes what jq made of it", () => {
    programs.add("az", "{}");
    programs.add("jq", "CHANGED");
    const calls = programs.run(textOf(lag));
    expect(calls).toHaveLength(3);
    expect(calls.filter(([name]) => name === "jq")).toHaveLength(1);
    // Both ends of a pipe start at once.
    expect(calls.slice(0, 2)).toContainEqual(read);
    expect(calls[2]).toEqual([
      ...["az", "rest", "--method", "put", "--url", url, "--body", "CHANGED"],
    ]);
  });

  it("nothing is written if the document could not be changed", () => {
    programs.add("az", "{}");
    programs.add("jq", "");
    expect(() => programs.run(textOf(lag))).toThrow("Command failed");
    expect(programs.calls()).toHaveLength(2);
    expect(programs.calls()).toContainEqual(read);
  });
});

describe("the command for the pre-shared key of a gateway", () => {
  const connection = port.resource.replace("expressRoutePorts/erd-dub", "connections/hub-1");
  const keyId = `https://kv-erd.vault.azure.net/secrets/hub-1-psk/${"c".repeat(32)}`;

  it("the key goes from az to az through a pipe, and is a word of no command", () => {
    programs.add("az", "not-a-real-key");
    const calls = programs.run(gatewayKeyCommand(connection, keyId) ?? "false");
    expect(calls).toHaveLength(2);
    expect(calls).toContainEqual([
      ...["az", "keyvault", "secret", "show", "--id", keyId],
      ...["--query", "value", "--output", "tsv"],
    ]);
    expect(calls).toContainEqual([
      ...["az", "network", "vpn-connection", "shared-key", "update"],
      ...["--subscription", subscription, "--resource-group", "edge(west)"],
      ...["--connection-name", "hub-1", "--value", "@-", "--output", "none"],
    ]);
    expect(JSON.stringify(calls)).not.toContain("not-a-real-key");
  });

  const link = connection.replace(
    "connections/hub-1",
    "vpnGateways/gw/vpnConnections/edge/vpnLinkConnections/first",
  );

  it("the key of a link connection goes to az as a document, through a pipe as well", () => {
    programs.add("az", "not-a-real-key");
    const calls = programs.run(gatewayKeyCommand(link, keyId) ?? "false");
    expect(calls).toHaveLength(2);
    expect(calls).toContainEqual([
      ...["az", "keyvault", "secret", "show", "--id", keyId],
      ...["--query", "{properties:{sharedKey:value}}", "--output", "json"],
    ]);
    expect(calls).toContainEqual([
      ...["az", "rest", "--method", "put"],
      ...["--url", `${link}/sharedKeys/default?api-version=2024-05-01`],
      ...["--body", "@-", "--output", "none"],
    ]);
    expect(JSON.stringify(calls)).not.toContain("not-a-real-key");
  });

  it("a link connection is shown with its state, protocol and policies", () => {
    programs.add("az", "{}");
    const [call] = programs.run(connectionShowCommand(link) ?? "false");
    expect(call?.slice(0, 6)).toEqual([
      ...["az", "rest", "--method", "get"],
      ...["--url", `${link}?api-version=2024-05-01`],
    ]);
    expect(call?.at(-1)).toMatch(/^properties\.\{state:connectionStatus,/);
  });

  it.each([
    ["a command in the link connection", link.replace("first", "$(id)"), keyId],
    ["a command in the gateway", link.replace("/gw/", "/`id`/"), keyId],
    ["a port in place of a connection", port.resource, keyId],
    ["a command in the connection", connection.replace("hub-1", "$(id)"), keyId],
    ["a command in the id", connection, keyId.replace("hub-1-psk", "$(id)")],
    ["no version", connection, keyId.replace(/\/c+$/, "")],
  ])("%s makes no command", (_name, resource, id) => {
    expect(gatewayKeyCommand(resource, id)).toBeUndefined();
  });
});

describe("a value that could mean more to a shell", () => {
  it.each<readonly [string, Partial<FarEndSetting>]>([
    ["the name of a simulated port", { resource: "erd-demo" }],
    ["a blank in a resource group", { resource: setting.resource }],
    ["a line feed after the resource", { resource: `${port.resource}\n` }],
    ["a command in a resource group", { resource: port.resource.replace("edge", "$(id)") }],
    ["an option as a port's name", { resource: port.resource.replace("erd-dub", "--ids") }],
    ["a connection", { resource: port.resource.replace("expressRoutePorts", "connections") }],
    ["another type", { resource: port.resource.replace("expressRoutePorts", "routeTables") }],
    ["a quote in an id", { cakSecretId: `${port.cakSecretId}'` }],
    ["a command in an id", { cknSecretId: port.cknSecretId.replace("erd-1-ckn", "$(id)") }],
    ["no version", { cakSecretId: port.cakSecretId.replace(/\/a+$/, "") }],
    [
      "a port with too many digits",
      { cakSecretId: port.cakSecretId.replace(".net", ".net:123456") },
    ],
    ["an id without https", { cakSecretId: port.cakSecretId.replace("https", "http") }],
    ["another cipher", { cipher: "GcmAes256; id" }],
  ])("%s makes no command", (_name, odd) => {
    expect(farEndCommand({ ...port, ...odd })).toMatchObject({ kind: "none" });
  });

  it("no text at all adds a word or a command to the line", () => {
    const words = textOf(port).split(" ").length;
    const unit = fc.constantFrom(
      ..."'\"$`;&|<>\n\r\t\\ ()*?[]{}~#!%=@:/.-aZ09\u00e9\u0000".split(""),
    );
    const more = fc.string({ unit, maxLength: 40 });
    const values = fc.record({
      cakSecretId: more.map((text) => port.cakSecretId + text),
      resource: more.map((text) => port.resource + text),
    });
    fc.assert(
      fc.property(values, (odd) => {
        const command = farEndCommand({ ...port, ...odd });
        if (command.kind === "none") return;
        // What passes is made of letters that no shell reads.
        expect(command.text.split(" ")).toHaveLength(words);
        expect(command.text).not.toMatch(/[;&|<>$`\\"\n\r]/);
      }),
    );
  });
});

describe("the commands of the night card", () => {
  const connection = port.resource.replace("expressRoutePorts", "connections");

  it("MACsec off makes both identifiers of one link null, by a document that is read then", () => {
    programs.add("az", "{}");
    programs.add("jq", "CHANGED");
    const text = farEndOffCommand(port) ?? "";
    const calls = programs.run(text);
    expect(calls.at(-1)?.slice(0, 4)).toEqual(["az", "rest", "--method", "put"]);
    const filter = calls.find(([name]) => name === "jq")?.at(-1) ?? "";
    expect(filter).toContain('{"cakSecretIdentifier":null,"cknSecretIdentifier":null}');
    expect(filter).toContain('select(.name=="link1")');
    expect(filter).not.toContain("link2");
  });

  it("the commands that show read one link, the history of a port, and a connection", () => {
    programs.add("az", "{}");
    const shown = [farEndShowCommand(port), historyCommand(port.resource)];
    const calls = [...shown, connectionShowCommand(connection)].map(
      (text) => programs.run(text ?? "")[0] ?? [],
    );
    expect(calls.map((words) => words.slice(1, 6).join(" "))).toEqual([
      "network express-route port link show",
      `monitor activity-log list --resource-id ${port.resource}`,
      `network vpn-connection show --subscription ${subscription}`,
    ]);
    expect(farEndShowCommand(lag)).toMatch(/^az rest --method get --url /);
  });

  it("a resource id that could mean more to a shell makes no command", () => {
    const bad = { ...port, resource: `${port.resource};reboot` };
    const made = [farEndOffCommand(bad), farEndShowCommand(bad), historyCommand(bad.resource)];
    expect([...made, connectionShowCommand(`${connection}'`)]).toEqual(Array(4).fill(undefined));
    expect(connectionShowCommand(port.resource)).toBe(undefined);
  });

  it("a word in place of a secret id stays one word, which az refuses", () => {
    const words = { cakSecretId: "<ID-OF-THE-CAK-OF-a-b>", cknSecretId: "<ID-OF-THE-CKN-OF-a-b>" };
    programs.add("az", "{}");
    const [call] = programs.run(textOf({ ...port, ...words }));
    expect(call).toContain("<ID-OF-THE-CAK-OF-a-b>");
    expect(farEndCommand({ ...port, ...words, cakSecretId: "<a;b>" }).kind).toBe("none");
  });
});
