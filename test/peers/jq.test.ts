// jq changes the document of a LAG by the command that an operator pastes: one link of it, alone.

import { accessSync, constants } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { farEndCommand, farEndOffCommand } from "#agent/rotation/far-end-command.ts";
import { armBench } from "../unit/kit/arm-bench.ts";
import { FakePrograms } from "../unit/kit/fake-programs.ts";

const programs = new FakePrograms();
afterAll(() => programs.remove());

const jq = ["/usr/bin/jq", "/bin/jq"].find((path) => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
});
if (jq === undefined) throw new Error("there is no jq; npm run test:tools installs it");
programs.link("jq", jq);

const lagResource =
  "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/edge/providers/" +
  "Microsoft.Network/expressRouteLags/erd";

type Json = Record<string, unknown>;
interface Lag extends Json {
  readonly properties: Json & { readonly links: readonly (Json & { properties: Json })[] };
}

/** The document of a LAG of the simulated cloud, as a GET returns it. */
async function lagDocument(): Promise<{ readonly resource: string; readonly text: string }> {
  const bench = armBench({ start: "clear", kind: "expressRouteLags" });
  let text = "";
  bench.alter = (reply, { method }) => {
    if (method === "GET") text = new TextDecoder().decode(reply.body);
    return reply;
  };
  await bench.observe("link1");
  return { resource: bench.resource, text };
}

function commandFor(resource: string, link: "link1" | "link2"): string {
  const secret = (name: string, digit: string): string =>
    `https://kv-erd.vault.azure.net/secrets/${name}/${digit.repeat(32)}`;
  const ids = { cakSecretId: secret("erd-1-cak", "a"), cknSecretId: secret("erd-1-ckn", "b") };
  const setting = { resource, link, ...ids, cipher: "GcmAesXpn256", sciState: "Enabled" } as const;
  const command = farEndCommand(setting);
  if (command.kind === "none") throw new Error(command.why);
  return command.text;
}

function bodyOf(calls: readonly (readonly string[])[]): Lag {
  const put = calls.find((words) => words.includes("put"));
  return JSON.parse(put?.at(-1) ?? "") as Lag;
}

describe("the command for a LAG, by the real jq", () => {
  it.each(["link1", "link2"] as const)("%s alone is changed", async (link) => {
    const { resource, text } = await lagDocument();
    programs.add("az", text);
    const body = bodyOf(programs.run(commandFor(resource, link)));
    const before = JSON.parse(text) as Lag;
    const index = link === "link1" ? 0 : 1;
    const changed = body.properties.links[index];
    expect(changed?.properties["macSecConfig"]).toMatchObject({
      ...{
        cakSecretIdentifier: `https://kv-erd.vault.azure.net/secrets/erd-1-cak/${"a".repeat(32)}`,
      },
      ...{
        cknSecretIdentifier: `https://kv-erd.vault.azure.net/secrets/erd-1-ckn/${"b".repeat(32)}`,
      },
      ...{ cipher: "GcmAesXpn256", sciState: "Enabled", simKeyExtension: "kept" },
    });
    const without = (lag: Lag): unknown => ({
      ...lag,
      properties: {
        ...lag.properties,
        links: lag.properties.links.map((one, at) => {
          const { macSecConfig: _config, ...rest } = one.properties;
          return at === index ? { ...one, properties: rest } : one;
        }),
      },
    });
    expect(without(body)).toEqual(without(before));
  });

  it("MACsec off: both identifiers of link1 become null, and nothing else changes", async () => {
    const { resource, text } = await lagDocument();
    programs.add("az", text);
    const command = farEndOffCommand({ resource, link: "link1" }) ?? "";
    const [first, second] = bodyOf(programs.run(command)).properties.links;
    const before = JSON.parse(text) as Lag;
    const config = Object(before.properties.links[0]?.properties["macSecConfig"]) as Json;
    const off = { cakSecretIdentifier: null, cknSecretIdentifier: null };
    expect(first?.properties["macSecConfig"]).toEqual({ ...config, ...off });
    expect(second).toEqual(before.properties.links[1]);
  });

  it.each([
    ["no document", ""],
    ["an error of Azure", '{"error":{"code":"AuthorizationFailed"}}'],
    ["no such link", '{"properties":{"links":[{"name":"link2","properties":{}}]}}'],
    ["text that is not JSON", "Please run az login"],
  ])("with %s nothing is written", (_name, text) => {
    programs.add("az", text);
    expect(() => programs.run(commandFor(lagResource, "link1"))).toThrow("Command failed");
    expect(programs.calls().some((words) => words.includes("put"))).toBe(false);
  });
});
