// A config that asks for a suite whose CAK has another size than the key in use.

import { describe, expect, it } from "vitest";
import { parseConfig } from "#agent/config/index.ts";
import type { CipherSuite } from "#hal/model.ts";
import { Pair } from "../../kit/rotate-kit.ts";
import { settled } from "../../kit/site-bench.ts";

const primary = "erd-demo/primary";
const held = "gcm-aes-xpn-256";
const shorter = "gcm-aes-xpn-128";
const act = `write suite: ${held} for ${primary} into the config, then linkseal apply FILE`;

/** The config with a suite of another key size on both links. */
const short = (text: string): string => text.replaceAll(held, shorter);
/** The same on the first link alone. */
const shortFirst = (text: string): string => text.replace(held, shorter);

async function adopted(): Promise<Pair> {
  return await Pair.adopted({ overlap: "keychain" });
}

/** Puts pairs into the vault as `keys generate` does by a config that has this suite. */
function generate(pair: Pair, suite: CipherSuite): void {
  for (const { key } of pair.site.links) pair.site.vault.generatePair(key, suite);
}

async function findings(pair: Pair): Promise<readonly unknown[]> {
  const report = await pair.ask("GET /v1/keys", "", "view");
  return (report as { readonly keys: readonly { readonly finding: unknown }[] }).keys.map(
    ({ finding }) => finding,
  );
}

const rotate = (pair: Pair): Promise<unknown> =>
  pair.ask("POST /v1/rotate", { target: primary, risks: [], urgency: "planned" });

describe("a suite of another key size", () => {
  it("a suite of another key size is a valid text that plan and apply refuse", async () => {
    const pair = await adopted();
    const writes = pair.oracle.agentWrites;
    const text = pair.config(short);
    expect(parseConfig(text, "demo.yaml").kind).toBe("ok");
    const refusal = await pair.ask("POST /v1/plan", { text, file: "demo.yaml" });
    expect(refusal).toMatchObject({
      complaints: [
        {
          file: "demo.yaml",
          path: "groups[0].links[0].macsec.suite",
          what: "does not fit the key in use",
          why:
            "gcm-aes-xpn-128 takes a CAK of 16 octets, and the router and the far end of " +
            `${primary} hold one of 32: no campaign changes both`,
          write: "suite: gcm-aes-xpn-256",
        },
        { path: "groups[0].links[1].macsec.suite" },
      ],
    });
    type Refusal = { readonly complaints: readonly { readonly line: number }[] };
    const { complaints } = refusal as Refusal;
    const lines = text.split("\n");
    for (const { line } of complaints) expect(lines[line - 1]).toContain(shorter);
    expect(await pair.apply(text)).toEqual({ kind: "refused", complaints });
    await pair.run(120_000);
    expect(pair.agent.intents.history()).toHaveLength(1);
    expect(pair.agent.status().verdict).toBe("protected");
    // What it says to write is the text in force, and changes nothing.
    const written = text.replaceAll(shorter, held);
    expect((await pair.apply(written)).kind).toBe("unchanged");
    expect(pair.oracle.agentWrites).toBe(writes);
  });

  it("after a suite of another key size was refused, keys check and rotate go on", async () => {
    const pair = await adopted();
    expect((await pair.apply(pair.config(short))).kind).toBe("refused");
    generate(pair, held);
    expect(await findings(pair)).toEqual([null, null]);
    expect(await rotate(pair)).toMatchObject({ kind: "rotate" });
    await pair.reach("primary done");
    expect(pair.outcomes()).toEqual(["rotated"]);
    expect(pair.violations()).toEqual([]);
  });

  it("a suite of the same key size is planned and changed as before", async () => {
    const pair = await adopted();
    const text = pair.config((config) => config.replaceAll(held, "gcm-aes-256"));
    // The rule about speed is not the matter here.
    const slow = text.replaceAll(/speed: \w+/g, "speed: 10G");
    const planned = await pair.ask("POST /v1/plan", { text: slow, file: "demo.yaml" });
    expect(planned).not.toHaveProperty("complaints");
    expect(planned).toMatchObject({ plan: { wouldChange: true } });
  });

  it("with a config of an earlier version that wants it, next ends in one act", async () => {
    const pair = await adopted();
    const { clock } = pair.site;
    await settled(clock, pair.agent.intents.accept(pair.config(short), "test", clock.wall()));
    await pair.end();
    await pair.live();
    await pair.run(60_000);
    expect(await pair.ask("POST /v1/plan", {})).toMatchObject({
      complaints: [{ write: `suite: ${held}` }, {}],
    });
    expect(await pair.ask("POST /v1/enrol", { target: primary, risks: [] })).toMatchObject({
      code: "config.conflict",
      next: act,
    });
    generate(pair, shorter);
    expect(await rotate(pair)).toMatchObject({
      code: "vault.malformedKey",
      text: "erd-demo-1-cak has 16 octets where gcm-aes-xpn-256 takes 32",
      next: "linkseal keys check",
    });
    expect(await findings(pair)).toMatchObject([
      { code: "vault.malformedKey", next: act },
      { code: "vault.malformedKey" },
    ]);
    expect((await pair.apply()).kind).toBe("accepted");
    generate(pair, held);
    expect(await findings(pair)).toEqual([null, null]);
    await pair.run(10_000);
    expect(await rotate(pair)).toMatchObject({ kind: "rotate" });
    await pair.reach("primary done");
    expect(pair.outcomes()).toEqual(["rotated"]);
  });

  it("a key of another size comes by MACsec off at both ends and an enrolment", async () => {
    const pair = await adopted();
    const link = pair.link("primary");
    expect(await pair.ask("POST /v1/retire", { name: primary })).toEqual({ retired: primary });
    link.msee.manualEdit(link.azureLink, { key: "off" });
    link.router.manualEdit((config) => {
      const port = config.ports.get(link.port);
      if (port !== undefined) Object.assign(port, { macsec: undefined, keys: [] });
    });
    pair.site.vault.generatePair(link.key, shorter);
    await pair.run(300_000);
    expect((await pair.apply(pair.config(shortFirst))).kind).toBe("accepted");
    await pair.reach("primary done");
    expect(pair.outcomes()).toEqual(["enrolled"]);
    await pair.run(60_000);
    expect(pair.agent.status().verdict).toBe("protected");
    const [row] = pair.agent.status().groups[0]?.links ?? [];
    expect(row?.suite).toBe(shorter);
  });
});

describe("adoption of a link with a key of another size", () => {
  it("an adoption is refused with the suite to write, and goes on with that", async () => {
    const pair = new Pair("protected", "key size");
    await pair.live();
    expect((await pair.apply(pair.config(short))).kind).toBe("accepted");
    await pair.run(20_000);
    const risks = ["asFound"];
    expect(await pair.ask("POST /v1/adopt", { target: primary, risks })).toMatchObject({
      code: "gate.leftoverKey",
      text: expect.stringContaining("hold one of 32"),
      next: act,
    });
    expect((await pair.apply()).kind).toBe("accepted");
    await pair.run(20_000);
    expect(await pair.ask("POST /v1/adopt", { target: primary, risks: [] })).toMatchObject({
      adopted: [{ link: primary }],
    });
  });
});
