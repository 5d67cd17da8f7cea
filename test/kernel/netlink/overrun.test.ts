import { afterEach, describe, expect, it } from "vitest";
import { addSa, dumpSas, readSa, readXfrmEvent, xfrmGroups } from "#drivers/linux/netlink/xfrm.ts";
import { monitor, NetlinkChannel } from "#drivers/transport/netlink.ts";
import { Secret } from "#hal/secret.ts";
import {
  addNetwork,
  enterNetwork,
  found,
  ip,
  ipBatch,
  leaveNetworks,
  native,
  netlinkFamilies,
  soon,
  until,
} from "../lab.ts";

const count = 10_000;

function tenThousand(): string[] {
  return Array.from({ length: count }, (_, index) => {
    const [spi, host] = [0x1000 + index, `10.200.${index >> 8}.${index & 255}`];
    const key = `0x${index.toString(16).padStart(8, "0")}${"5a".repeat(32)}`;
    return (
      `xfrm state add src 10.100.0.1 dst ${host} proto esp spi ${spi} reqid ${index + 1} ` +
      `mode tunnel replay-window 32 aead rfc4106(gcm(aes)) ${key} 128`
    );
  });
}

afterEach(leaveNetworks);

describe("a receive overrun", { timeout: 240_000 }, () => {
  it("asks for a resync while 10,000 SAs come in, and the state is right afterwards", async () => {
    enterNetwork(addNetwork());
    const seen = { messages: 0, resyncs: 0 };
    using _monitor = monitor(native, netlinkFamilies.xfrm, [xfrmGroups.sa], {
      message: (message) => {
        if (readXfrmEvent(message)?.kind === "saAdded") seen.messages += 1;
      },
      resync: () => {
        seen.resyncs += 1;
      },
    });
    // Without a turn of the event loop until all of them are there.
    ipBatch(tenThousand());
    await until(() => (seen.resyncs > 0 ? true : undefined));

    using socket = new NetlinkChannel(native, netlinkFamilies.xfrm);
    const sas = found(await socket.ask(dumpSas(), readSa, soon()));
    console.log(`${seen.messages} messages, ${seen.resyncs} resyncs, ${sas.length} SAs`);
    expect(new Set(sas.map((sa) => sa.spi)).size).toBe(count);
    expect(ip("xfrm", "state", "count")).toContain(String(count));

    // The monitor goes on behind the gap.
    const before = seen.messages;
    using key = Secret.take("test key", new Uint8Array(36).fill(7));
    const aead = { name: "rfc4106(gcm(aes))", icvBits: 128, key };
    const refusals = await socket.write(
      [
        addSa({
          source: "10.100.0.1",
          destination: "10.99.0.1",
          spi: 0x99_0000,
          reqid: 1,
          mode: "tunnel",
          aead,
          replayWindow: 32,
        }),
      ],
      soon(),
    );
    expect(refusals).toEqual([undefined]);
    await until(() => (seen.messages > before ? true : undefined));
  });
});
