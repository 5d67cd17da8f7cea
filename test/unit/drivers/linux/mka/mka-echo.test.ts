// An MKA process, or the host that passes its answer on, that quotes the CAK which it was given.

import { describe, expect, it } from "vitest";
import { MkaClient } from "#drivers/linux/mka/client.ts";
import { writeReply } from "#drivers/linux/mka/protocol.ts";
import { LinksealError } from "#hal/error.ts";
import type { Ckn } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import { never } from "../../../kit/site-bench.ts";

const canary = "deadbeefc0ffee11deadbeefc0ffee11";
const quoted = `bad key ${canary} or ${canary.toUpperCase()}`;

/** Stages a key at a process that answers so, and returns all that the caller sees. */
async function seenOf(answer: () => Promise<Uint8Array>): Promise<string> {
  using key = Secret.take("cak", Buffer.from(canary, "hex"));
  const client = new MkaClient(answer, "eth1");
  const add = { kind: "add", ckn: "aa" as Ckn, key } as const;
  try {
    return (await client.stage("token", 0, add, never)).join("\n");
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    return [error.message, error.where, error.next, error.stack].join("\n");
  }
}

const refusal = { code: "device.rejected", effect: "none" } as const;

describe("an echo of a CAK", () => {
  it.each([
    [
      "in a refusal of the MKA process",
      async () =>
        writeReply({
          kind: "refused",
          body: JSON.stringify({ ...refusal, text: quoted, where: quoted, next: quoted }),
        }),
    ],
    [
      "in a line of a preview",
      async () => writeReply({ kind: "done", body: JSON.stringify({ lines: [quoted] }) }),
    ],
    [
      "in a refusal of the host that passes the answer on",
      async () => {
        throw new LinksealError("device.rejected", quoted, {
          ...{ effect: "none", where: quoted, next: quoted },
        });
      },
    ],
  ])("%s becomes its label", async (_where, answer) => {
    const seen = await seenOf(answer);
    expect(seen.toLowerCase()).not.toContain(canary);
    expect(seen).toContain("bad key [secret cak]");
  });
});
