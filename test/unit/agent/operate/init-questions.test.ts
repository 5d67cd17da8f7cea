// Answers of `init` that were taken, or proposed, although they cannot be right.

import { expect, it } from "vitest";
import { endpointOf, siteQuestion, vaultQuestion } from "#agent/operate/init/questions.ts";

it.each(["999.1.2.3", "10.0.0", "192.0.2.256:22", "10"])(
  "%s is no address: the last label of a host name is no number",
  (text) => {
    expect(endpointOf(text)).toBe(undefined);
  },
);

it.each(["192.0.2.1", "192.0.2.1:830", "edge-a.example.net", "edge1", "[2001:db8::1]:22"])(
  "%s is an address",
  (text) => {
    expect(endpointOf(text)).toBeDefined();
  },
);

it("the answer to another question is proposed as no vault", () => {
  const { examine } = vaultQuestion("public");
  expect(JSON.stringify(examine("junos"))).not.toContain("https://junos");
  expect(JSON.stringify(examine("kv-erd-dub"))).toContain("https://kv-erd-dub.vault.azure.net");
});

it("a name with a blank is refused with the rule about blanks", () => {
  expect(JSON.stringify(siteQuestion.examine("erd dub"))).toContain("no blanks");
});
