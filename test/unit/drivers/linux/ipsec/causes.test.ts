// Why a tunnel is down, as charon's log shows it: in time, and never by a try that is over.

import { describe, expect, it } from "vitest";
import { CharonMonitor } from "#drivers/linux/ipsec/charon-monitor.ts";
import { strongValue } from "#hal/model.ts";
import { tunnelSpec } from "../../../kit/charon-kit.ts";
import { settled } from "../../../kit/site-bench.ts";
import { TunnelBench } from "../../../kit/tunnel-bench.ts";

/** A line of charon 6.0's log, and when it is written, in ms after the tunnel was harmed. */
type Line = readonly [ms: number, text: string];

interface Breakage {
  readonly name: string;
  /** What is left of its SAs; absent = all of them. */
  readonly loses?: "children" | "all";
  readonly lines: readonly Line[];
  readonly text: RegExp;
}

const begins = "initiating IKE_SA hub-1[2] to 203.0.113.1";
const answers = "parsed IKE_SA_INIT response 0 [ SA KE No N(NATD_S_IP) N(NATD_D_IP) ]";
const authenticates = "generating IKE_AUTH request 1 [ IDi IDr AUTH SA TSi TSr ]";
const established =
  "IKE_SA hub-1[2] established between 198.51.100.1[198.51.100.1]...203.0.113.1[203.0.113.1]";
const carries =
  "CHILD_SA hub-1.a{3} established with SPIs c1_i c2_o and TS 0.0.0.0/0 === 0.0.0.0/0";

const init: readonly Line[] = [
  [0, begins],
  [30, answers],
];
const auth: readonly Line[] = [...init, [31, authenticates]];
const ike: readonly Line[] = [
  ...auth,
  [60, "authentication of '203.0.113.1' with pre-shared key successful"],
  [60, established],
];

const breakages: readonly Breakage[] = [
  {
    name: "another PSK",
    loses: "all",
    lines: [...auth, [60, "received AUTHENTICATION_FAILED notify error"]],
    text: /different pre-shared keys/,
  },
  {
    name: "no PSK at charon",
    loses: "all",
    lines: [...init, [31, "no shared key found for '198.51.100.1' - '203.0.113.1'"]],
    text: /charon has no pre-shared key/,
  },
  {
    name: "a gateway whose certificate has another root",
    loses: "all",
    lines: [...auth, [60, "no trusted RSA public key found for 'CN=gateway'"]],
    text: /certificate of one end/,
  },
  {
    name: "other algorithms for IKE",
    loses: "all",
    lines: [
      [0, begins],
      [30, "parsed IKE_SA_INIT response 0 [ N(NO_PROP) ]"],
      [30, "received NO_PROPOSAL_CHOSEN notify error"],
    ],
    text: /no algorithms for IKE/,
  },
  {
    name: "other algorithms for ESP, with IKE up",
    loses: "children",
    lines: [...ike, [60, "received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built"]],
    text: /no algorithms for ESP/,
  },
  {
    name: "other traffic selectors, with IKE up",
    loses: "children",
    lines: [...ike, [60, "received TS_UNACCEPTABLE notify, no CHILD_SA built"]],
    text: /traffic selectors/,
  },
  {
    name: "a gateway that refuses the child by a notify in its reply, without its identity",
    loses: "all",
    lines: [
      [30, "parsed IKE_AUTH response 1 [ N(NO_PROP) ]"],
      [31, "IDr payload missing"],
    ],
    text: /no algorithms for ESP/,
  },
  {
    name: "selectors that a gateway refuses so",
    loses: "all",
    lines: [
      [30, "parsed IKE_AUTH response 1 [ N(TS_UNACCEPT) ]"],
      [31, "IDr payload missing"],
    ],
    text: /traffic selectors/,
  },
  {
    name: "a kernel of ours that lacks an algorithm",
    loses: "children",
    lines: [...ike, [60, "unable to install inbound and outbound IPsec SA (SAD) in kernel"]],
    text: /this host's kernel refuses the SAs/,
  },
  {
    name: "TEMPORARY_FAILURE",
    loses: "children",
    lines: [
      ...ike,
      [60, "received TEMPORARY_FAILURE notify, will retry later"],
      [60, "creating CHILD_SA failed, trying again in 14 seconds"],
    ],
    text: /TEMPORARY_FAILURE/,
  },
  {
    name: "NO_ADDITIONAL_SAS",
    loses: "children",
    lines: [[0, "received NO_ADDITIONAL_SAS notify, no CHILD_SA built"]],
    text: /takes no further SAs/,
  },
  {
    name: "another group, found by a rekey of a child that carries",
    lines: [
      [0, carries],
      [9, "establishing CHILD_SA hub-1.a{4} reqid 1"],
      [40, "received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built"],
    ],
    text: /different groups for rekeying/,
  },
  {
    name: "an end that the gateway makes",
    loses: "all",
    lines: [[0, "received DELETE for IKE_SA hub-1[1]"]],
    text: /the gateway has ended the IKE SA/,
  },
];

const mostMs = 10_000;
const pollMs = 5_000;

describe("why a tunnel is down", () => {
  it.each(breakages)("$name is reported within 10 s, and nothing else is", async (breakage) => {
    const { loses, lines, text } = breakage;
    const bench = await TunnelBench.open();
    await bench.put();
    await bench.clock.runFor(100);
    const begun = bench.clock.now();
    if (loses !== undefined) bench.charon.lose(loses);
    const reported: string[] = [];
    let reportedMs: number | undefined;
    // An observation follows each notification, and each interval of `health.poll`.
    const observe = async (): Promise<void> => {
      const trouble = (await bench.tunnel())?.trouble;
      if (trouble === undefined) return;
      reported.push(trouble);
      reportedMs ??= bench.clock.now() - begun;
    };
    for (const [ms, line] of lines) {
      await bench.clock.runFor(Math.max(0, begun + ms - bench.clock.now()));
      const before = bench.notifications.length;
      bench.charon.log(line);
      await settled(bench.clock, Promise.resolve());
      await bench.clock.runFor(1);
      if (bench.notifications.length > before) await observe();
    }
    await bench.clock.runFor(pollMs);
    await observe();
    expect(reportedMs).toBeLessThanOrEqual(mostMs);
    expect(reported.length).toBeGreaterThan(0);
    for (const trouble of reported) expect(trouble).toMatch(text);
  });

  it("a connection that others unload is noticed beside its SAs, and loaded again", async () => {
    const bench = await TunnelBench.open();
    await bench.put();
    const before = bench.charon.children.map(({ spiIn }) => spiIn);
    bench.charon.loaded.clear();
    bench.charon.shared.clear();
    expect(await bench.tunnel()).toMatchObject({ ike: { value: "unloaded" } });
    await bench.put();
    expect(await bench.tunnel()).toMatchObject({ ike: { value: "established" } });
    expect([bench.charon.loaded.size, bench.charon.shared.size]).toEqual([1, 1]);
    // Nothing was negotiated again, and nothing ended.
    expect(bench.charon.children.map(({ spiIn }) => spiIn)).toEqual(before);
    expect(bench.charon.asked.filter((one) => one === "initiate")).toHaveLength(1);
  });

  it("a change that is rolled back keeps the SAs of an unloaded connection", async () => {
    const bench = await TunnelBench.open();
    await bench.put();
    bench.charon.loaded.clear();
    const transaction = await bench.prepare([{ kind: "ipsec.putTunnel", tunnel: tunnelSpec }]);
    const { signal } = new AbortController();
    await settled(bench.clock, transaction.apply(60_000, signal));
    await settled(bench.clock, transaction.rollback(signal));
    expect(bench.charon.children).toHaveLength(1);
  });

  it("entries of packets that wait for an SA are no SAs", async () => {
    const bench = await TunnelBench.open();
    await bench.put();
    bench.charon.lose("children");
    bench.kernel.addLarval(0, "out");
    bench.kernel.addLarval(0xc0000099, "in");
    const tunnel = await bench.tunnel();
    expect(tunnel === undefined ? undefined : strongValue(tunnel.sas)).toEqual([]);
  });

  it.each([
    [{}, "none"],
    [{ "nat-local": "yes", "nat-any": "yes" }, "local"],
    [{ "nat-remote": "yes" }, "remote"],
    [{ "nat-local": "yes", "nat-remote": "yes" }, "both"],
  ])("the ends behind a NAT are reported: %j is %s", async (more, nat) => {
    const bench = await TunnelBench.open();
    await bench.put();
    bench.charon.more = more;
    expect((await bench.tunnel())?.nat).toBe(nat);
  });
});

describe("the log of one tunnel", () => {
  const monitorOf = (...lines: readonly string[]): CharonMonitor => {
    const monitor = new CharonMonitor();
    for (const text of lines) monitor.take({ name: "hub-1", text });
    return monitor;
  };
  const refusedPsk = [
    begins,
    answers,
    authenticates,
    "received AUTHENTICATION_FAILED notify error",
  ];

  it.each<readonly [string, readonly string[], RegExp | undefined]>([
    ["a try that has only begun", [], /pre-shared/],
    ["an answer to its first message", [answers], /pre-shared/],
    ["silence", ["giving up after 4 retransmits"], /does not answer/],
    ["an IKE SA", [answers, authenticates, established], undefined],
    [
      "a refusal of ESP",
      [
        answers,
        authenticates,
        established,
        "received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built",
      ],
      /algorithms for ESP/,
    ],
    ["a refusal of IKE", ["received NO_PROPOSAL_CHOSEN notify error"], /algorithms for IKE/],
    ["a tunnel that carries", [answers, established, carries], undefined],
  ])("the trouble after a refused PSK and %s is the newest", (_name, lines, text) => {
    const trouble = monitorOf(...refusedPsk, begins, ...lines).trouble("hub-1")?.text;
    if (text === undefined) expect(trouble).toBeUndefined();
    else expect(trouble).toMatch(text);
  });

  it("a refusal of algorithms for IKE ends with the first answer that has some", () => {
    const monitor = monitorOf(begins, "received NO_PROPOSAL_CHOSEN notify error", begins, answers);
    expect(monitor.trouble("hub-1")?.text).toMatch(/algorithms for IKE/);
    monitor.take({ name: "hub-1", text: authenticates });
    expect(monitor.trouble("hub-1")).toBeUndefined();
  });

  it("a further child under the same IKE SA has a cause of its own", () => {
    const monitor = monitorOf(
      ...[begins, established, "received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built"],
      ...["establishing CHILD_SA hub-1.a{4}", "received TS_UNACCEPTABLE notify, no CHILD_SA built"],
    );
    expect(monitor.trouble("hub-1")?.text).toMatch(/traffic selectors/);
  });

  it("a busy gateway is the cause only until it refuses", () => {
    const busy = "received TEMPORARY_FAILURE notify, will retry later";
    const monitor = monitorOf(begins, established, busy);
    expect(monitor.trouble("hub-1")).toMatchObject({ isRefusal: false });
    monitor.take({ name: "hub-1", text: "received TS_UNACCEPTABLE notify, no CHILD_SA built" });
    expect(monitor.trouble("hub-1")).toMatchObject({ isRefusal: true });
  });

  it("a refusal is found however many lines came before it", () => {
    const probes = Array.from({ length: 500 }, (_, id) => `generating INFORMATIONAL request ${id}`);
    const refusal = "received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built";
    expect(monitorOf(carries, ...probes, refusal).trouble("hub-1")?.text).toMatch(
      /different groups/,
    );
  });

  it("a notification follows each new trouble, and none follows one that is known", () => {
    const monitor = new CharonMonitor();
    const changes = [...refusedPsk, ...refusedPsk, carries].map((text) =>
      monitor.take({ name: "hub-1", text }),
    );
    expect(
      changes.map((isNew, index) => (isNew ? index : -1)).filter((index) => index >= 0),
    ).toEqual([refusedPsk.length - 1, 2 * refusedPsk.length]);
  });

  it("a line that belongs to no tunnel changes nothing", () => {
    const monitor = new CharonMonitor();
    const text = "received NO_PROPOSAL_CHOSEN notify error";
    expect([undefined, "(unnamed)"].map((name) => monitor.take({ name, text }))).toEqual([
      false,
      true,
    ]);
    expect(monitor.trouble("hub-1")).toBeUndefined();
  });
});
