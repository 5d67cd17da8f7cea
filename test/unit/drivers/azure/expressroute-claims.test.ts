// What ends the claim that a far end holds a key and that no operation runs there: any write of its
// document, and an operation whose own end was not read.

import { describe, expect, it } from "vitest";
import type { PeerState } from "#hal/device.ts";
import type { HttpReply } from "#hal/world.ts";
import { type ArmBench, armBench, documented, text } from "../../kit/arm-bench.ts";
import { never } from "../../kit/site-bench.ts";

const minute = 60_000;

const answer = (value: unknown): HttpReply => ({
  ...{ status: 200, headers: {} },
  body: new TextEncoder().encode(JSON.stringify(value)),
});

/** Documents stay as they are now, as where Azure has accepted an operation and not begun it. */
async function freeze(bench: ArmBench, polls: (reply: HttpReply) => HttpReply = (reply) => reply) {
  let before: HttpReply | undefined;
  bench.alter = (reply, { method, path }) => {
    if (path.includes("/operations/")) return polls(reply);
    if (method !== "GET") return reply;
    before ??= reply;
    return before;
  };
  await bench.observe("link1");
}

const shown = ({ provisioning, pointsAt }: PeerState) => [provisioning, pointsAt?.cakSecretId];

describe("an operation that writes the sibling in the same document", () => {
  it("leaves this link unsettled until it has ended, whatever the document says", async () => {
    const bench = armBench({ start: "protected" });
    await freeze(bench);
    await bench.put("link1", bench.newWant("link1"));
    expect((await bench.observe("link2")).provisioning).toBe("updating");
    await bench.site.clock.runFor(5 * minute);
    expect((await bench.observe("link2")).provisioning).toBe("settled");
  });

  it("leaves this link unsettled also where a predecessor began it", async () => {
    const bench = armBench({ start: "protected" });
    await freeze(bench);
    await bench.put("link1", bench.newWant("link1"));
    const next = bench.peer("link2", bench.restarted());
    expect((await bench.run(next.observe(never))).provisioning).toBe("updating");
  });

  it("keeps a write of this link back", async () => {
    const bench = armBench({ start: "protected" });
    await freeze(bench);
    await bench.put("link1", bench.newWant("link1"));
    await expect(bench.put("link2", bench.newWant("link2"))).rejects.toThrow(
      "the port is being changed",
    );
  });

  it("is no failure of this link if it fails", async () => {
    const bench = armBench({ start: "protected" });
    await freeze(bench, () => answer({ status: "Failed", error: { code: "InternalServerError" } }));
    await bench.put("link1", bench.newWant("link1"));
    await bench.site.clock.runFor(5 * minute);
    expect((await bench.observe("link1")).provisioning).toBe("failed");
    expect((await bench.observe("link2")).provisioning).toBe("settled");
  });
});

describe("an operation whose answer names no status", () => {
  it.each<readonly [string, unknown]>([
    ["is empty", {}],
    ["is of another form", { value: [] }],
    ["is a resource without a state", { id: "/x", properties: {} }],
    ["is a resource that is being changed", { properties: { provisioningState: "Updating" } }],
  ])("has not ended by an answer that %s", async (_name, body) => {
    const bench = armBench({ start: "protected" });
    await freeze(bench, () => answer(body));
    await bench.put("link1", bench.newWant("link1"));
    await bench.site.clock.runFor(11_000);
    expect((await bench.observe("link1")).provisioning).toBe("updating");
  });

  it("has failed by a resource that failed", async () => {
    const bench = armBench({ start: "protected" });
    await freeze(bench, () => answer({ properties: { provisioningState: "Failed" } }));
    await bench.put("link1", bench.newWant("link1"));
    await bench.site.clock.runFor(11_000);
    expect((await bench.observe("link1")).provisioning).toBe("failed");
  });
});

describe("a document that does not name its state", () => {
  it.each<readonly [string, Readonly<Record<string, unknown>>]>([
    ["absent", { provisioningState: undefined }],
    ["null", { provisioningState: null }],
    ["no text", { provisioningState: 7 }],
  ])("is unknown where the state is %s, and is not written", async (_name, state) => {
    const bench = armBench({ start: "protected" });
    bench.alter = (reply, { method }) => {
      if (method !== "GET") return reply;
      const whole = JSON.parse(text(reply.body)) as { readonly properties: object };
      return answer({ ...whole, properties: { ...whole.properties, ...state } });
    };
    expect((await bench.observe("link1")).provisioning).toBe("unknown");
    await expect(bench.put("link1", bench.newWant("link1"))).rejects.toThrow(
      "does not show whether it is being changed: nothing was written",
    );
    expect(bench.calls("PUT")).toBe(0);
  });
});

describe("the revision of a far end", () => {
  it("is the same in two reads without a write between them", async () => {
    const bench = armBench({ start: "protected" });
    const { revision } = await bench.observe("link1");
    await bench.site.clock.runFor(minute);
    expect((await bench.observe("link1")).revision).toBe(revision);
  });

  it.each(["link1", "link2"] as const)(
    "is another one after a client changed %s and changed it back",
    async (link) => {
      const bench = armBench({ start: "protected" });
      const [msee] = bench.site.msees.values();
      const before = await bench.observe("link1");
      msee?.manualEdit(link, { sci: "off" });
      await bench.site.clock.runFor(5 * minute);
      msee?.manualEdit(link, { sci: "on" });
      await bench.site.clock.runFor(5 * minute);
      const after = await bench.observe("link1");
      expect(shown(after)).toEqual(shown(before));
      expect(after.revision).not.toBe(before.revision);
    },
  );

  it("is the document itself where that has no etag", async () => {
    const link = (name: string) => ({ name, properties: { adminState: "Enabled" } });
    const port = (mtu: string) =>
      JSON.stringify({
        properties: { provisioningState: "Succeeded", mtu, links: [link("link1"), link("link2")] },
      });
    const [one, same, other] = await Promise.all(
      [port("1500"), port("1500"), port("9000")].map((body) =>
        documented(body).peer.observe(never),
      ),
    );
    expect(one?.revision).toBe(same?.revision);
    expect(one?.revision).not.toBe(other?.revision);
  });
});
