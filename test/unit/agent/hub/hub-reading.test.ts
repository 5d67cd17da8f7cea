// Heads that a hub reads from an engine, which may lie.

import { describe, expect, it } from "vitest";
import { headText } from "#agent/evidence/report/head.ts";
import type { NatsSession } from "#agent/fleet/nats-session.ts";
import { publishedHeads } from "#agent/hub/reading.ts";

const line = (seq: number): string =>
  headText({ host: "a1b2", seq, at: "2026-11-29T12:00:00.000Z", hash: "ab".repeat(32) });

/** An engine that answers the asked number with what `reply` returns for it. */
function engineWith(reply: (seq: number) => { readonly revision: number; readonly text: string }) {
  const asked: number[] = [];
  const ask: NatsSession["ask"] = async (_subject, body) => {
    const { seq } = JSON.parse(String(body)) as { readonly seq: number };
    asked.push(seq);
    const { revision, text } = reply(seq);
    const headers =
      revision === 0
        ? ["NATS/1.0 404 Message Not Found"]
        : ["NATS/1.0", `Nats-Sequence: ${revision}`];
    return { kind: "reply", headers, octets: Buffer.from(text) };
  };
  return { asked, session: { ask } as unknown as NatsSession };
}

describe("the heads that a site has published", () => {
  it("they are read in order, and what is no head is counted", async () => {
    const texts = new Map([
      [2, line(7)],
      [5, "no head"],
      [6, line(9)],
    ]);
    const { asked, session } = engineWith((from) => {
      const [found] = [...texts].filter(([seq]) => seq >= from);
      return found === undefined
        ? { revision: 0, text: "" }
        : { revision: found[0], text: found[1] };
    });
    const { heads, other } = await publishedHeads(session, "dublin");
    expect(heads.map(({ seq }) => seq)).toEqual([7, 9]);
    expect(other).toBe(1);
    expect(asked).toEqual([1, 3, 6, 7]);
  });

  it("an engine that goes back is not followed for ever", async () => {
    const { asked, session } = engineWith(() => ({ revision: 5, text: line(7) }));
    await expect(publishedHeads(session, "dublin")).rejects.toThrow("does not show");
    expect(asked).toEqual([1, 6]);
  });

  it("an engine without an end is left after as many heads as a site can have", async () => {
    const { asked, session } = engineWith((seq) => ({ revision: seq, text: "" }));
    await expect(publishedHeads(session, "dublin")).rejects.toThrow("does not show");
    expect(asked).toHaveLength(100_001);
  });
});
