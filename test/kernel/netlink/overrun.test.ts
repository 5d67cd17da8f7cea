import { afterEach, describe, expect, it } from "vitest";
import { dumpSas, readSa, readXfrmEvent, xfrmGroups } from "#drivers/linux/netlink/xfrm.ts";
import { monitor, NetlinkChannel } from "#drivers/transport/netlink.ts";
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
  it("an overrun by 10,000 SAs asks for a resync, and the state is right afterwards", async () => {
    enterNetwork(addNetwork());
    const observed = { messages: 0, resyncs: 0 };
    using _monitor = monitor(native, netlinkFamilies.xfrm, [xfrmGroups.sa], {
      message: (message) => {
        if (readXfrmEvent(message)?.kind === "saAdded") observed.messages += 1;
      },
      resync: () => {
        observed.resyncs += 1;
      },
    });
    // The event loop does not run until all of them exist.
    ipBatch(tenThousand());
    await until(() => (observed.resyncs > 0 ? true : undefined));

    using socket = new NetlinkChannel(native, netlinkFamilies.xfrm);
    const sas = found(await socket.ask(dumpSas(), readSa, soon()));
    console.log(`${observed.messages} messages, ${observed.resyncs} resyncs, ${sas.length} SAs`);
    expect(new Set(sas.map((sa) => sa.spi)).size).toBe(count);
    expect(ip("xfrm", "state", "count")).toContain(String(count));

    // The monitor continues after the gap.
    const before = observed.messages;
    const ends = ["src", "10.100.0.1", "dst", "10.99.0.1"];
    const aead = ["aead", "rfc4106(gcm(aes))", `0x${"07".repeat(36)}`, "128"];
    ip("xfrm", "state", "add", ...ends, "proto", "esp", "spi", "0x990000", ...aead);
    await until(() => (observed.messages > before ? true : undefined));
  });
});
