// An agent that is killed between two commands to charon: its successor asks for the same change,
// and leaves what the whole change would have left.

import { describe, expect, it } from "vitest";
import { childName } from "#drivers/linux/ipsec/messages.ts";
import { tunnelSpec } from "../../../kit/charon-kit.ts";
import { refused, settled } from "../../../kit/site-bench.ts";
import { TunnelBench } from "../../../kit/tunnel-bench.ts";

const { name } = tunnelSpec;

/**
 * Applies and confirms a change, and kills the agent before charon has carried out the command of
 * this number that changes it. Returns false if there are fewer.
 */
async function killed(
  bench: TunnelBench,
  change: Parameters<TunnelBench["prepare"]>[0],
  number: number,
): Promise<boolean> {
  const { charon, clock } = bench;
  const end = new AbortController();
  let count = 0;
  charon.onAsked = (command) => {
    if (!/^(list|get)-/.test(command)) count += 1;
    if (count < number) return;
    charon.hangs = true;
    end.abort();
  };
  const transaction = await bench.prepare(change);
  const run = async (): Promise<boolean> => {
    await transaction.apply(120_000, end.signal);
    await transaction.confirm(end.signal);
    return false;
  };
  const isKilled = await settled(
    clock,
    run().catch(() => end.signal.aborted),
  );
  charon.onAsked = () => undefined;
  charon.hangs = false;
  charon.hangUp();
  await bench.restart();
  return isKilled;
}

describe("a tunnel with a certificate that is removed", () => {
  it("no private key stays in charon, whichever command the agent was killed before", async () => {
    const remove = { kind: "ipsec.removeTunnel", name } as const;
    let kills = 0;
    for (let isKilled = true; isKilled; kills += 1) {
      const bench = await TunnelBench.open();
      await bench.put();
      const auth = new Map([["auth", "pubkey"]]);
      const shown = bench.charon.loaded.get(name) ?? [];
      bench.charon.loaded.set(name, new Map([...shown, ["local", auth]]));
      bench.charon.keys.push("a".repeat(40));
      isKilled = await killed(bench, [remove], kills + 1);
      await bench.commit(remove);
      const { keys, loaded, shared, children } = bench.charon;
      expect([kills, keys, loaded.size, shared.size, children]).toEqual([kills, [], 0, 0, []]);
    }
    expect(kills).toBeGreaterThan(4);
  });
});

describe("a tunnel that gets other settings", () => {
  // Another setting of IKE: the child of a new IKE SA has no group of its own (RFC 7296, 1.2).
  const other = { ...tunnelSpec, dpdSeconds: 7 };
  const put = { kind: "ipsec.putTunnel", tunnel: other } as const;
  const spis = ({ charon }: TunnelBench) => charon.children.map(({ spiIn }) => spiIn);

  // The successor ended the old SAs and reported success: the next rekey then ended the tunnel.
  it("old SAs stay if groups differ, whichever command the agent was killed before", async () => {
    let kills = 0;
    for (let isKilled = true; isKilled; kills += 1) {
      const bench = await TunnelBench.open();
      await bench.put();
      const before = spis(bench);
      bench.charon.disagreement = "pfsGroup";
      isKilled = await killed(bench, [put], kills + 1);
      const error = await refused(bench.commit(put));
      expect([kills, error.code, spis(bench)]).toEqual([kills, "device.rejected", before]);
      expect(error.message).toContain("different groups for rekeying");
    }
    expect(kills).toBeGreaterThan(4);
  });

  it("one proven child stays, whichever command the agent was killed before", async () => {
    let kills = 0;
    for (let isKilled = true; isKilled; kills += 1) {
      const bench = await TunnelBench.open();
      await bench.put();
      isKilled = await killed(bench, [put], kills + 1);
      await bench.commit(put);
      const children = bench.charon.children.map((one) => [one.name, one.dhGroup]);
      expect([kills, children]).toEqual([kills, [[childName(other), "ECP_384"]]]);
    }
    expect(kills).toBeGreaterThan(5);
  });
});
