// Errors name the query whose reply is missing or not understood, so that an operator can send it.

import { describe, expect, it } from "vitest";
import { Query } from "#drivers/platform/query.ts";
import { readOf } from "#drivers/platform/query-result.ts";
import { LinksealError } from "#hal/error.ts";

const details = { effect: "none", where: "edge-a", next: "linkseal status" } as const;
const refusal = new LinksealError("device.rejected", "the device refuses: % Invalid", details);

function queryOf(reply: string | LinksealError) {
  return new Query<"version", { readonly text: string }, string>({
    where: "edge-a",
    request: () => ({ text: "show version" }),
    ask: async () => {
      if (typeof reply === "string") return reply;
      throw reply;
    },
    subject: ({ text }) => `"${text}"`,
  });
}

const read = (text: string) => (text === "well" ? text : undefined);

describe("a query that a change needs", () => {
  it("a needed query with a reply that is not understood is named in the error", async () => {
    const query = queryOf("garbage");
    await expect(query.needed(query.result("version", read))).rejects.toMatchObject({
      code: "device.unparsed",
      message: expect.stringContaining('the answer to "show version" is not understood'),
      where: "edge-a",
    });
    await expect(query.value("version", read)).rejects.toThrow('"show version"');
  });

  it("a needed query that the device refuses is named in the error, with the refusal", async () => {
    const query = queryOf(refusal);
    await expect(query.needed(query.result("version", read))).rejects.toMatchObject({
      code: "device.unparsed",
      message: expect.stringMatching(/"show version" has no answer: .*% Invalid/),
    });
  });

  it("a needed query keeps its name when its value is read further", async () => {
    const query = queryOf("well");
    const one = await query.result("version", read);
    expect(readOf(one, (text) => text)).toEqual({ value: "well" });
    const none = readOf(one, () => undefined, '"show running-config"');
    await expect(query.needed(Promise.resolve(none))).rejects.toThrow('"show running-config"');
    const garbage = queryOf("garbage");
    const further = readOf(await garbage.result("version", read), (text) => text);
    await expect(garbage.needed(Promise.resolve(further))).rejects.toThrow('"show version"');
  });
});
