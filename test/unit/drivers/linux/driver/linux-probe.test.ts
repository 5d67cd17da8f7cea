// Ping: its arguments, and the parser of its output.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ping } from "#drivers/linux/driver/probe.ts";
import { LinksealError } from "#hal/error.ts";
import type { ExecReply } from "#hal/world.ts";
import { effort } from "../../../../effort.ts";
import { never, refused } from "../../../kit/site-bench.ts";
import { bytes, reply } from "../frr-kit.ts";

const to = { link: "ms0.5", address: "192.0.2.2" };

async function asked(count: number): Promise<readonly string[]> {
  let called: readonly string[] = [];
  await ping(
    async (argv, stdin) => {
      called = argv;
      expect(stdin).toHaveLength(0);
      return reply(0, "1 packets transmitted, 1 received, 0% packet loss");
    },
    to,
    count,
    never,
  );
  return called;
}

const optionOf = (argv: readonly string[], option: string) => argv[argv.indexOf(option) + 1];

const answer = (output: ExecReply, count = 5) => ping(async () => output, to, count, never);

const statistics = (line: string): string =>
  `PING 192.0.2.2 (192.0.2.2) from 192.0.2.1 ms0.5: 56(84) bytes of data.\n\n` +
  `--- 192.0.2.2 ping statistics ---\n${line}\nrtt min/avg/max/mdev = 0.0/0.1/0.2/0.1 ms\n`;

describe("ping", () => {
  it("ping is called numeric and quiet, out of one link, to one address", async () => {
    expect((await asked(20)).join(" ")).toMatch(
      /^ping -n -q -I ms0\.5 -c 20 -i 0\.100 -W 1 -w \d+ 192\.0\.2\.2$/,
    );
  });

  it.each([
    [1, "0.200"],
    [5, "0.200"],
    [10, "0.200"],
    [100, "0.020"],
    [1_000, "0.002"],
    [2_000, "0.002"],
  ])("ping sends %i packets at a rate that every user may", async (count, every) => {
    const argv = await asked(count);
    expect([optionOf(argv, "-c"), optionOf(argv, "-i")]).toEqual([String(count), every]);
  });

  // An observation may take 10 s: a proof that needs more packets gets them with the next one.
  it("ping sends no more packets than the time of one observation allows", async () => {
    expect(optionOf(await asked(1_000_000), "-c")).toBe("2000");
  });

  it("ping's deadline covers every packet and its answer", () => {
    const run = fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), async (count) => {
      const argv = await asked(count);
      const every = Number(optionOf(argv, "-i"));
      const sent = Number(optionOf(argv, "-c"));
      const seconds = Number(optionOf(argv, "-w"));
      expect(every).toBeGreaterThanOrEqual(0.002);
      expect(seconds).toBeGreaterThan(every * (sent - 1));
      expect(seconds).toBeLessThan(3 * every * sent + 10);
    });
    return fc.assert(run, { numRuns: effort(200, 5_000) });
  });
});

describe("the output of ping", () => {
  it.each<[string, { sent: number; answered: number }]>([
    ["5 packets transmitted, 5 received, 0% packet loss, time 804ms", { sent: 5, answered: 5 }],
    ["5 packets transmitted, 3 received, 40% packet loss", { sent: 5, answered: 3 }],
    ["5 packets transmitted, 0 received, 100% packet loss, time 3999ms", { sent: 5, answered: 0 }],
    ["5 packets transmitted, 0 received, +5 errors, 100% packet loss", { sent: 5, answered: 0 }],
    ["5 packets transmitted, 5 received, +2 duplicates, 0% packet loss", { sent: 5, answered: 5 }],
    ["2 packets transmitted, 3 received, -50% packet loss", { sent: 2, answered: 2 }],
    ["0 packets transmitted, 0 received,", { sent: 0, answered: 0 }],
  ])(`ping's summary "%s" is counted`, async (line, result) => {
    expect(await answer(reply(0, statistics(line)))).toEqual(result);
    // The status shows only that something was lost.
    expect(await answer(reply(1, statistics(line)))).toEqual(result);
  });

  it.each([
    "ping: connect: Network is unreachable",
    "connect: Network is unreachable",
    "ping: SO_BINDTODEVICE ms0.5: No such device",
    "ping: bind: Cannot assign requested address",
    "ping: sendmsg: Network is down",
  ])("a dark link counts as nothing sent: %s", async (output) => {
    expect(await answer(reply(2, "", `${output}\n`))).toEqual({ sent: 0, answered: 0 });
  });

  it.each<[string, string, string]>([
    ["nothing", "", ""],
    ["another ping", "5 packets transmitted, 5 packets received, 0.0% packet loss\n", ""],
    ["a number of too many digits", "1234567890 packets transmitted, 1 received, 0%\n", ""],
    ["a negative number", "-5 packets transmitted, 5 received, 0%\n", ""],
    ["a line within another", "he said 5 packets transmitted, 5 received, 0%\n", ""],
    ["half of it", "5 packets transmitted, 5 rec", ""],
    ["a right that is missing", "", "ping: socket: Operation not permitted"],
    ["an option that is not known", "", "ping: invalid option -- 'W'\u001b[2J"],
  ])("output that is not ping's is unparsed: %s", async (_name, stdout, stderr) => {
    const error = await refused(answer(reply(2, stdout, stderr)));
    expect(error).toMatchObject({ code: "device.unparsed", effect: "none", where: "ms0.5" });
    expect(error.message).toMatch(/^[ -~]+$/);
    expect(error.message).toContain(stderr.slice(0, 20));
  });

  it("no output counts more answers than packets", async () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.tuple(fc.nat(), fc.nat()).map(([a, b]) => `${a} packets transmitted, ${b} received, x`),
      fc.uint8Array({ maxLength: 4_000 }),
    );
    const octets = text.map((output) => (typeof output === "string" ? bytes(output) : output));
    const run = async (stdout: Uint8Array, stderr: Uint8Array): Promise<void> => {
      try {
        const { sent, answered } = await answer({ status: 0, stdout, stderr });
        expect(answered).toBeLessThanOrEqual(sent);
      } catch (error) {
        expect(error).toMatchObject({ code: "device.unparsed" });
      }
    };
    await fc.assert(fc.asyncProperty(octets, octets, run), { numRuns: effort(500, 20_000) });
  });

  it("a ping that times out fails with that error", async () => {
    const late = new LinksealError("transport.timeout", "late", {
      effect: "none",
      where: "ping",
      next: "look",
    });
    const error = await refused(ping(() => Promise.reject(late), to, 5, never));
    expect(error).toBe(late);
  });
});
