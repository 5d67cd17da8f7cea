import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  addPolicy,
  deletePolicy,
  deleteSa,
  dumpPolicies,
  dumpSas,
  readPolicy,
  readSa,
  readXfrmEvent,
  xfrmGroups,
} from "#drivers/linux/netlink/xfrm.ts";
import { monitor, NetlinkChannel } from "#drivers/transport/netlink.ts";
import {
  addNetwork,
  enterNetwork,
  found,
  ip,
  leaveNetworks,
  native,
  netlinkFamilies,
  soon,
  until,
} from "../lab.ts";
import { expectSame } from "./beside.ts";
import { unnamedIn } from "./plain.ts";
import { buildSite, keyPattern } from "./site.ts";
import { policyAsIp, saAsIp } from "./xfrm-as-ip.ts";

const esp = 50;

// The keys in the output of `ip` are not compared, nor are the blanks at the ends of its lines.
function linesOf(text: string): string[] {
  const plain = text.replaceAll(/ 0x(5a)+ /g, " KEY ").trimEnd();
  return plain.split("\n").map((line) => line.trimEnd());
}

beforeEach(() => enterNetwork(addNetwork()));
afterEach(leaveNetworks);

describe("what the kernel tells about IPsec is read as ip reads it", { timeout: 120_000 }, () => {
  it("SAs and policies are read as ip reads them, without their keys", async () => {
    buildSite();
    using socket = new NetlinkChannel(native, netlinkFamilies.xfrm);
    const sas = found(await socket.ask(dumpSas(), readSa, soon()));
    const policies = found(await socket.ask(dumpPolicies(), readPolicy, soon()));
    expect(unnamedIn([sas, policies])).toEqual([]);
    expect(sas).toHaveLength(5);
    expectSame("ip -s xfrm state", sas.flatMap(saAsIp), linesOf(ip("-s", "xfrm", "state")));
    const theirs = linesOf(ip("-s", "xfrm", "policy"));
    expectSame("ip -s xfrm policy", policies.flatMap(policyAsIp), theirs);
  });

  it("a decoded message no longer holds any octet of a key", async () => {
    buildSite();
    using socket = new NetlinkChannel(native, netlinkFamilies.xfrm);
    const observed = { before: 0, after: 0 };
    const keys = (view: DataView, start: number, end: number): number =>
      Buffer.from(view.buffer, start, end - start)
        .toString("hex")
        .split(keyPattern).length - 1;
    await socket.ask(
      dumpSas(),
      (message) => {
        const { view, start, end } = message;
        observed.before += keys(view, start, end);
        const sa = readSa(message);
        observed.after += keys(view, start, end);
        return sa;
      },
      soon(),
    );
    expect(observed.before).toBeGreaterThan(5);
    expect(observed.after).toBe(0);
  });
});

describe("IPsec is changed by our own messages", { timeout: 120_000 }, () => {
  it("policies are added, SAs and policies deleted, and a refusal has a reason", async () => {
    using socket = new NetlinkChannel(native, netlinkFamilies.xfrm);
    const ends = ["src", "10.0.0.1", "dst", "10.0.0.2", "proto", "esp"];
    const aead = ["aead", "rfc4106(gcm(aes))", `0x${"5a".repeat(36)}`, "128"];
    const rest = ["mode", "tunnel", "replay-window", "32", "if_id", "42"];
    const limits = ["limit", "packet-hard", "1000000", "limit", "time-hard", "3600"];
    ip("xfrm", "state", "add", ...ends, "spi", "0x1001", "reqid", "7", ...rest, ...aead, ...limits);
    const between = {
      source: "10.8.0.0/16",
      destination: "10.9.0.0/16",
      direction: "out",
    } as const;
    const template = {
      source: "10.0.0.1",
      destination: "10.0.0.2",
      reqid: 7,
      mode: "tunnel",
    } as const;
    const policy = { ...between, priority: 100, template, ifId: 42 };
    const refusals = await socket.write([addPolicy(policy), addPolicy(policy)], soon());
    expect(refusals).toEqual([undefined, { name: "EEXIST", text: undefined }]);
    const sas = found(await socket.ask(dumpSas(), readSa, soon()));
    const theirs = linesOf(ip("-s", "xfrm", "state"));
    expectSame("ip -s xfrm state", sas.flatMap(saAsIp), theirs);
    const policies = found(await socket.ask(dumpPolicies(), readPolicy, soon()));
    const other = linesOf(ip("-s", "xfrm", "policy"));
    expectSame("ip -s xfrm policy", policies.flatMap(policyAsIp), other);

    const removals = [
      deleteSa({ destination: "10.0.0.2", spi: 0x1001, ipProtocol: esp }),
      deletePolicy({ ...between, ifId: 42 }),
    ];
    expect(await socket.write(removals, soon())).toEqual([undefined, undefined]);
    expect(ip("xfrm", "state") + ip("xfrm", "policy")).toBe("");
  });

  it("changes of other programs are reported", async () => {
    const heard: string[] = [];
    const { acquire, expire, sa, policy } = xfrmGroups;
    using _monitor = monitor(native, netlinkFamilies.xfrm, [acquire, expire, sa, policy], {
      message: (message) => heard.push(JSON.stringify(readXfrmEvent(message), replaceBigint)),
      resync: () => heard.push("resync"),
    });
    const observed = (text: string): Promise<true> =>
      until(() => (heard.some((one) => one.includes(text)) ? true : undefined));
    const aead = `aead rfc4106(gcm(aes)) 0x${"5a".repeat(36)} 128`.split(" ");
    const ends = "src 10.0.0.1 dst 10.0.0.2 proto esp spi 0x1001".split(" ");
    ip("xfrm", "state", "add", ...ends, "mode", "tunnel", "limit", "time-hard", "1", ...aead);
    await observed('"kind":"saAdded"');
    await observed(
      '"kind":"saExpired","name":{"destination":"10.0.0.2","spi":4097,"ipProtocol":50}',
    );
    ip("xfrm", "state", "add", ...ends, "mode", "tunnel", ...aead);
    ip("xfrm", "state", "delete", ...ends);
    await observed('"kind":"saDeleted"');
    ip(..."xfrm policy add src 10.0.0.0/8 dst 10.9.0.0/16 dir in action block".split(" "));
    await observed('"kind":"policyChanged"');
    ip("xfrm", "state", "flush");
    ip("xfrm", "policy", "flush");
    await observed('"kind":"flushed"');
    expect(heard.join()).not.toContain(keyPattern);
    expect(heard).not.toContain("resync");
  });
});

function replaceBigint(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
