// Keys of a Linux host: one change over linkseal-net and the MKA process of the port.

import { beforeEach, describe, expect, it } from "vitest";
import { mkaFolder, withParticipant } from "#drivers/linux/driver/mka-clients.ts";
import type { MkaReply, MkaRequest } from "#drivers/linux/mka/protocol.ts";
import { withDeadline } from "#hal/deadline.ts";
import type { DeviceChange, KeyResolver } from "#hal/device.ts";
import { encodeJson } from "#hal/json.ts";
import { known, type MacsecPort, strongValue, unknown } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { Instant } from "#hal/world.ts";
import { ckn, never, refused, settled } from "../../../kit/site-bench.ts";
import { boundObservation } from "../mka-observation.ts";
import { LinuxBench, reaches } from "./linux-bench.ts";

const key = { ckn: ckn("c"), cakSecretId: "cak/1", cknSecretId: "ckn/1" };
const add = { kind: "macsec.addKey", port: "b0", key, role: "primary" } as const;
const settings = {
  ...({ suite: "gcm-aes-xpn-256", includeSci: true, confidentialityOffset: 0 } as const),
  ...{ keyServerPriority: 20, replayWindow: 64, sakRekeyMs: undefined },
};
const protect = { kind: "macsec.protect", port: "b0", settings } as const;
const cakOctets = 32;

function lending(octets = cakOctets): { readonly keys: KeyResolver; readonly lent: Secret[] } {
  const lent: Secret[] = [];
  const keys: KeyResolver = async () => {
    const secret = Secret.take("cak", new Uint8Array(octets).fill(0x5a));
    lent.push(secret);
    return secret;
  };
  return { keys, lent };
}

const done = (reported: object): MkaReply => ({ kind: "done", body: encodeJson(reported) });
const refusal = (code: string): MkaReply => ({
  kind: "refused",
  body: encodeJson({ code, effect: "none", text: "no", where: "linkseal-mka", next: "look" }),
});

/** An MKA process that agrees to everything, and records its requests. */
async function benchWithMka(
  answers: (request: MkaRequest) => MkaReply | undefined = () => undefined,
) {
  const bench = await LinuxBench.make({});
  const asked: MkaRequest[] = [];
  bench.agreements.set("b0", (request) => {
    asked.push(request);
    const reported = request.kind === "stage" ? { lines: ["+ CAK cc [secret cak]"] } : {};
    return answers(request) ?? done(reported);
  });
  const device = await bench.open();
  const since = bench.calls.length;
  const effects = (): readonly string[] =>
    bench.since(since).map((call) => call.replace(/net-[0-9a-f]+/, "T"));
  return { bench, device, asked, effects };
}

const net = (act: string): string => `POST /devices/edge/transactions/T/${act}`;

describe.each(reaches)("a key of a Linux host", (reach) => {
  beforeEach(() => {
    LinuxBench.reach = reach;
  });

  it("a key goes to the MKA process of its port alone, within one change", async () => {
    const { bench, device, asked, effects } = await benchWithMka();
    const { keys, lent } = lending();
    const change = await device.prepare([protect, add], keys, never);
    expect(change.preview.split("\n").slice(-2)).toEqual(["port b0", "+ CAK cc [secret cak]"]);
    expect(() => lent[0]?.copy()).toThrow("wiped");
    await change.apply(60_000, never);
    await change.confirm(never);
    expect(effects()).toEqual([
      "POST /devices/edge/prepare",
      "mka b0 stage configure",
      "mka b0 stage add",
      net("apply"),
      "mka b0 apply",
      "mka b0 confirm",
      net("confirm"),
    ]);
    expect(asked.every((one) => !("token" in one) || one.token === change.token)).toBe(true);
    expect(bench.bodies.join()).not.toMatch(/5a5a/i);
    const reported = asked.flatMap((one) => (one.kind === "stage" ? [one.operation] : []));
    expect(reported[0]).toMatchObject({
      settings: { keyServerPriority: 20, sakRekeyMs: undefined },
    });
    expect(reported[1]).toMatchObject({ kind: "add", ckn: key.ckn });
  });

  it("a key change waits under the host's one lock and is recalled with its preview", async () => {
    const { device } = await benchWithMka(({ kind }) =>
      kind === "recall" ? done({ kind: "pending", preview: "+ CAK cc" }) : undefined,
    );
    const { keys } = lending();
    const change = await device.prepare([add], keys, never);
    const other = await device.prepare([{ kind: "port.shut", port: "a0" }], keys, never);
    await change.apply(60_000, never);
    expect((await device.observe(never)).control).toMatchObject({ value: { commitPending: true } });
    expect(await refused(other.apply("final", never))).toMatchObject({ code: "device.locked" });
    const recalled = await device.recall(change.token, never);
    if (recalled.kind !== "pending") throw new Error("it is not pending");
    expect(recalled.transaction.preview).toBe("port b0\n+ CAK cc");
    await recalled.transaction.rollback(never);
    expect((await device.recall(change.token, never)).kind).toBe("absent");
    await other.apply("final", never);
  });

  it.each([1, 15, 17, 24, 31, 33])(
    "FIA_PSK_EXT.1: a key of %i octets is refused before anything is sent",
    async (octets) => {
      const { device, effects } = await benchWithMka();
      const { keys, lent } = lending(octets);
      const error = await refused(device.prepare([add], keys, never));
      expect(error).toMatchObject({ code: "device.rejected", effect: "none", where: "b0" });
      expect(effects()).toEqual([]);
      for (const secret of lent) expect(() => secret.copy()).toThrow("wiped");
    },
  );

  it("a key change without an MKA process is refused, and linkseal-net rolls back", async () => {
    const bench = await LinuxBench.make({});
    const device = await bench.open();
    const { keys } = lending();
    const error = await refused(device.prepare([protect, add], keys, never));
    expect(error).toMatchObject({ code: "transport.unreachable", effect: "none" });
    expect(error.next).toContain("linkseal-mka@b0");
    const calls = bench.calls.map((call) => call.replace(/net-[0-9a-f]+/, "T"));
    expect(calls.slice(-3)).toEqual(["mka b0 stage configure", "mka b0 rollback", net("rollback")]);
    expect(bench.kernel.written).toEqual([]);
  });

  it.each([
    [60_000, "none", ["mka b0 rollback", net("rollback")]],
    ["final", "unknown", []],
  ] as const)(
    "a key that the MKA process refuses, with the limit %s, has the effect %s",
    async (within, effect, more) => {
      const { device, effects } = await benchWithMka(({ kind }) =>
        kind === "apply" ? refusal("device.rejected") : undefined,
      );
      const change = await device.prepare([protect, add], lending().keys, never);
      const error = await refused(change.apply(within, never));
      expect(error).toMatchObject({ code: "device.rejected", effect });
      expect(effects().slice(3)).toEqual([net("apply"), "mka b0 apply", ...more]);
    },
  );

  it.each<[string, DeviceChange, string]>([
    ["removed", [{ kind: "macsec.removeKey", port: "b0", ckn: key.ckn }], "remove"],
    ["replaced", [{ kind: "macsec.replaceKey", port: "b0", key }], "replace"],
    ["left for a fresh SAK", [{ kind: "macsec.rekeySak", port: "b0" }], "rekey"],
  ])("a key is %s through the same processes", async (_name, change, operation) => {
    const { device, effects } = await benchWithMka();
    const transaction = await device.prepare(change, lending().keys, never);
    await transaction.apply("final", never);
    expect(effects().slice(1)).toEqual([`mka b0 stage ${operation}`, net("apply"), "mka b0 apply"]);
  });
});

const at = 7 as Instant;
const blind = unknown("notSupported", at);
const frames = {
  ...{ txProtected: 5n, txClear: 0n, txTooLong: 0n, rxOk: 5n, rxClear: undefined, rxBadTag: 0n },
  ...{ rxNotValid: 0n, rxLate: 0n, rxNoSci: 0n, rxUnknownSci: 0n, rxNotUsingSa: 0n },
  ...{ rxUnusedSa: 0n, nextPn: 6n },
};
const kernelPort: MacsecPort = {
  ...{ port: "a0", admin: known("up", at), linkUp: known(true, at), settings: blind },
  ...{ liveSuite: known("gcm-aes-xpn-256", at), keys: blind, session: blind, mkpdus: blind },
  ...{ frames: known(frames, at), rate: blind, failOpen: known([], at) },
};

describe.each(reaches)("a port as reported by kernel and MKA process together", (reach) => {
  beforeEach(() => {
    LinuxBench.reach = reach;
  });

  const reported = { kind: "observed", observation: boundObservation({ clear: 3n }), at } as const;

  it("a port has the MKA process's keys, session and count of clear data frames", () => {
    const port = withParticipant(kernelPort, reported);
    expect(strongValue(port.settings)).toEqual(reported.observation.settings);
    expect(strongValue(port.keys)).toEqual([{ ckn: ckn("a"), role: "primary" }]);
    expect(strongValue(port.session)?.controlledPort).toBe("secured");
    expect(strongValue(port.frames)).toEqual({ ...frames, rxClear: 3n });
    expect("troubles" in port).toBe(false);
  });

  it("a port that fails open in the kernel is should-secure, whatever MKA reports", () => {
    const open = { ...kernelPort, failOpen: known(["encryptOff"] as const, at) };
    expect(strongValue(withParticipant(open, reported).settings)?.policy).toBe("shouldSecure");
    const unread = { ...kernelPort, failOpen: unknown("unparsed", at) };
    expect(withParticipant(unread, reported).settings).toEqual(unread.failOpen);
  });

  it("the troubles of the MKA process are those of the port", () => {
    const trouble = { code: "deviceLost", text: "the SecY is gone" } as const;
    const observation = boundObservation({ troubles: [trouble] });
    const port = withParticipant(kernelPort, { ...reported, observation });
    expect(port.troubles && strongValue(port.troubles)).toEqual([trouble.text]);
  });

  it.each([
    { kind: "away", at },
    { kind: "failed", at },
    {
      kind: "observed",
      at,
      observation: { kind: "waiting", because: "noSecy", pending: undefined },
    },
  ] as const)("the MKA readings of a port are unknown for %j", (observed) => {
    const { settings: whole, keys, session, mkpdus } = withParticipant(kernelPort, observed);
    for (const one of [whole, keys, session, mkpdus]) {
      expect(one).toEqual(unknown("queryFailed", at));
    }
  });

  it("a port without a SecY is as the kernel reports it", () => {
    const bare = { ...kernelPort, settings: known(undefined, at), keys: known([], at) };
    expect(withParticipant(bare, reported)).toEqual(bare);
  });
});

it("the sockets of MKA processes are in a folder beside linkseal-net's", () => {
  expect(mkaFolder("unix:/run/linkseal-net/net.sock")).toBe("/run/linkseal-mka");
  expect(mkaFolder("unix:/tmp/x/run/net.sock")).toBe("/tmp/x/run/mka");
});

it("a change that the MKA process reports brings a notification", async () => {
  let count = 0;
  const { bench, device } = await benchWithMka(({ kind }) =>
    kind === "changes"
      ? done({ count })
      : kind === "observe"
        ? done(boundObservation())
        : undefined,
  );
  await device.observe(never);
  await bench.clock.runFor(10_000);
  expect(bench.notifications).toEqual([]);
  count = 3;
  await bench.clock.runFor(5_000);
  expect(bench.notifications).toHaveLength(1);
});

it("MKA processes that hang blind their ports alone, in the time of one observation", async () => {
  const bench = await LinuxBench.make({});
  const { promise: silence } = Promise.withResolvers<MkaReply>();
  for (const port of ["a0", "b0"]) bench.agreements.set(port, () => silence);
  const device = await bench.open();
  const limit = { ms: 10_000, where: "edge", effect: "none" } as const;
  const look = withDeadline(bench.clock, limit, never, (signal) => device.observe(signal));
  const { macsec } = await settled(bench.clock, look);
  const port = macsec.find((each) => each.port === "a0");
  expect(port?.session).toMatchObject({ kind: "unknown", why: "queryFailed" });
  expect(port?.linkUp.kind).toBe("known");
});
