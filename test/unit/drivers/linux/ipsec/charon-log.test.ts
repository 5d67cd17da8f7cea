// What an error repeats of a refusal by charon.

import { expect, it } from "vitest";
import { sendCommand } from "#drivers/linux/ipsec/charon-log.ts";
import type { ViciClient } from "#drivers/transport/vici.ts";
import type { ViciMessage } from "#drivers/transport/vici-wire.ts";
import { Secret } from "#hal/secret.ts";
import { never, refused } from "../../../kit/site-bench.ts";

const psk = (): Secret => Secret.take("psk", Buffer.from("Azure_PSK+0123456789"));

it.each<[string, ViciMessage, string]>([
  ["load-shared", { id: "x", data: psk() }, "its log says why"],
  ["load-conn", { version: "2" }, "invalid value Azure_P"],
])("a refusal of %s is repeated only if no key was sent with it", async (name, message, why) => {
  // A key that is cut, which no search for the whole of it would find.
  const answer = new Map(Object.entries({ success: "no", errmsg: "invalid value Azure_P" }));
  const client = { ask: async () => answer } as unknown as ViciClient;
  const sent = sendCommand(client, name, message, { where: "hub-1", effect: "none" }, never);
  const { message: text } = await refused(sent);
  expect(text).toContain(why);
  expect(text.includes("Azure")).toBe(name === "load-conn");
});
