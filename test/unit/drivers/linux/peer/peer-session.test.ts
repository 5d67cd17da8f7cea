// Sessions with `linkseal peer`: many requests at once, lost sessions, and far ends that lie.

import { afterEach, describe, expect, it } from "vitest";
import { hostDialer } from "#agent/host/host.ts";
import { frameLine } from "#drivers/linux/peer/frames.ts";
import { type HostDialer, peerDialer } from "#drivers/linux/peer/peer-dialer.ts";
import { peerProtocol, replyOctetsMax } from "#drivers/linux/peer/protocol.ts";
import { packets, writePacket } from "#drivers/transport/vici-wire.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import type { Dialer, Log, StreamChannel } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { channelsTo, type OtherHost, type Pipe, pipe } from "../../../../lab/peer-pipe.ts";
import { never, settled, wallStart } from "../../../kit/site-bench.ts";
import { bytesOf } from "../../../kit/vici-peer.ts";

const target = { device: "edge-b", address: "192.0.2.2" };
const refused = (): never => {
  throw new Error("not asked for here");
};
const noHost = { http: refused, framed: refused, exec: refused, stream: refused };
const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

/** An agent's view of a host that answers as `dial` says. */
function agentOf(dial: Partial<OtherHost["dial"]>, options: Partial<OtherHost> = {}) {
  const clock = new SimClock(wallStart);
  const { open: channel, pipes } = channelsTo({ ...options, dial: { ...noHost, ...dial } }, 7);
  return { clock, pipes, host: hostOver(clock, channel) };
}

function hostOver(clock: SimClock, channel: Dialer["channel"]): HostDialer {
  const host = peerDialer({ clock, dial: { channel } as Dialer }, target);
  open.push(host);
  return host;
}

const observe = { to: "unix:/x", method: "POST", path: "/devices/edge/observe" } as const;
const asked = { ...observe, replyBytesMax: 10_000 };
const mka = (effect: "none" | "unknown") => ({
  ...{ path: "/nowhere/mka/eth1.sock", octets: [Uint8Array.of(1)], replyBytesMax: 100, effect },
});

async function refusal(run: Promise<unknown>): Promise<LinksealError> {
  const error: unknown = await run.catch((caught: unknown) => caught);
  if (error instanceof LinksealError) return error;
  throw new Error(`not refused: ${String(error)}`);
}

describe("a session with another host", () => {
  it("many requests at once get their own answers, in any order", async () => {
    const { host, pipes, clock } = agentOf({
      framed: async ({ path, octets }) => {
        await clock.sleep(1_000 - (bytesOf(octets)[0] ?? 0));
        return Buffer.from(`${path} ${bytesOf(octets)[0]}`);
      },
    });
    const answers = Array.from({ length: 100 }, async (_, index) => {
      const octets = [Uint8Array.of(index)];
      const request = { ...mka("none"), path: `/x/p${index}.sock`, octets };
      return Buffer.from(await host.framed(request, never)).toString();
    });
    expect(await settled(clock, Promise.all(answers))).toEqual(
      answers.map((_, index) => `/nowhere/mka/p${index}.sock ${index}`),
    );
    expect(pipes.length).toBe(1);
  });

  it("a lost session may have had its effects, and the next request opens another", async () => {
    const { host, pipes, clock } = agentOf({ framed: () => new Promise(() => undefined) });
    const lost = (["none", "unknown"] as const).map((effect) =>
      refusal(host.framed(mka(effect), never)),
    );
    await settled(clock, clock.sleep(10));
    pipes[0]?.cut();
    const found = await settled(clock, Promise.all(lost));
    expect(found.map(({ code, effect }) => [code, effect])).toEqual([
      ["transport.closed", "none"],
      ["transport.closed", "unknown"],
    ]);
    void refusal(host.framed(mka("none"), never)).catch(() => undefined);
    await settled(clock, clock.sleep(10));
    expect(pipes.length).toBe(2);
  });

  it("a request that waits for a session gets an error when its device is closed", async () => {
    const clock = new SimClock(wallStart);
    // The path is lost: no channel opens, and none is refused.
    const host = hostOver(clock, (_to, _kind, signal) => {
      return new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    });
    const waits = refusal(host.framed(mka("unknown"), never));
    await settled(clock, clock.sleep(10));
    await host[Symbol.asyncDispose]();
    const { code, effect } = await settled(clock, waits);
    expect([code, effect]).toEqual(["transport.closed", "none"]);
  });

  it("an abort ends the request on the other host", async () => {
    let ended = false;
    const { host, clock } = agentOf({
      http: (_request, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            ended = true;
            reject(signal.reason);
          });
        }),
    });
    const end = new AbortController();
    const waits = host.http(asked, end.signal).catch((error: unknown) => error);
    await settled(clock, clock.sleep(10));
    end.abort("no longer");
    expect(await waits).toBe("no longer");
    await settled(clock, clock.sleep(10));
    expect(ended).toBe(true);
  });

  it("a path that cannot be sent is refused, and the unit goes on", async () => {
    const { host, pipes, clock } = agentOf({
      http: (request, signal) => hostDialer.http(request, signal),
    });
    for (const name of ["edge b", "edge ", " "]) {
      const request = { ...asked, path: `/devices/${name}/observe` };
      const { code, effect } = await settled(clock, refusal(host.http(request, never)));
      expect([name, code, effect]).toEqual([name, "device.rejected", "none"]);
    }
    expect(pipes.length).toBe(1);
  });

  it("a refusal is passed on, and a read has no effect whatever the other host says", async () => {
    const error = new LinksealError("device.locked", "a change waits", {
      ...{ effect: "applied", where: "linkseal-mka", next: "wait" },
    });
    const { host, clock } = agentOf({ framed: async () => Promise.reject(error) });
    for (const [effect, shown] of [
      ["none", "none"],
      ["unknown", "applied"],
    ] as const) {
      const found = await settled(clock, refusal(host.framed(mka(effect), never)));
      expect([found.code, found.effect, found.where, found.message]).toEqual([
        ...["device.locked", shown, "edge-b: linkseal-mka", "a change waits"],
      ]);
    }
  });

  it("the words of a refusal by the other host are printable", async () => {
    const error = new LinksealError("device.locked", "a change\u001b\u202e waits", {
      ...{ effect: "none", where: "linkseal\u0007mka", next: "wait\u009b here" },
    });
    const { host, clock } = agentOf({ framed: async () => Promise.reject(error) });
    const found = await settled(clock, refusal(host.framed(mka("unknown"), never)));
    expect([found.message, found.where, found.next]).toEqual([
      ...["a change waits", "edge-b: linkseal mka", "wait here"],
    ]);
  });

  it("a host whose linkseal-net does not run says so, and not only ENOENT", async () => {
    const gone = new LinksealError("transport.unreachable", "no answer (ENOENT)", {
      ...{ effect: "none", where: "unix:/run/linkseal-net/net.sock", next: "linkseal doctor" },
    });
    const { host, clock } = agentOf({ http: async () => Promise.reject(gone) });
    const found = await settled(clock, refusal(host.http(asked, never)));
    expect([found.code, found.effect, found.message, found.next]).toEqual([
      ...["transport.unreachable", "none"],
      ...["linkseal-net does not run there: no answer (ENOENT)", "systemctl status linkseal-net"],
    ]);
  });

  it("what the other host does not pass on is refused there", async () => {
    const { host, clock } = agentOf({});
    const found = await settled(
      clock,
      Promise.all([
        refusal(host.exec(["sh", "-c", "id"], new Uint8Array(), never)),
        refusal(host.http({ ...asked, path: "/devices/edge/other" }, never)),
        refusal(host.framed({ ...mka("unknown"), path: "/x/a b.sock" }, never)),
      ]),
    );
    expect(found.map(({ code, effect }) => [code, effect])).toEqual(
      found.map(() => ["device.rejected", "none"]),
    );
    expect(found[0]?.message).toBe("linkseal peer does not pass on: program");
  });

  it("the other host logs who has a session, and once what it does not pass on", async () => {
    const lines: string[] = [];
    const log: Log = {
      write: (level, code, text, { what = "" } = {}) =>
        lines.push(`${level} ${code} ${text} ${what}`.trim()),
    };
    const { host, clock } = agentOf({}, { from: "192.0.2.1", log });
    for (const command of ["id", "canary-of-a-command", "id"]) {
      await settled(clock, refusal(host.exec(["sh", "-c", command], new Uint8Array(), never)));
    }
    expect(lines).toEqual([
      "info peer-session an agent at 192.0.2.1 has a session",
      "warn peer-refused the agent at 192.0.2.1 asked for what is not passed on program",
    ]);
  });

  it("the other host knows the agent's address if sshd does", async () => {
    const known = agentOf({}, { from: "192.0.2.1" });
    expect((await settled(known.clock, known.host.hello(never))).from).toBe("192.0.2.1");
    const unknown = agentOf({}, { from: "not an address" });
    expect((await settled(unknown.clock, unknown.host.hello(never))).from).toBe(undefined);
  });

  it("the other host passes on how its login came about, and no more than is known", async () => {
    const bound = agentOf({}, { login: { forced: "yes", keys: "bound" } });
    expect(await settled(bound.clock, bound.host.hello(never))).toEqual({
      ...{ kind: "hello", protocol: peerProtocol, version: "0.0.0", from: undefined },
      ...{ forced: "yes", keys: "bound" },
    });
    const silent = agentOf({}, {});
    expect(await settled(silent.clock, silent.host.hello(never))).toMatchObject({
      ...{ forced: undefined, keys: undefined },
    });
  });
});

describe("a connection to charon of another host", () => {
  it("octets pass both ways, a key among them, and the end is noticed at both", async () => {
    const heard: string[] = [];
    let leave: (() => void) | undefined;
    const coming: (Uint8Array | undefined)[] = [Buffer.from("from charon")];
    const stream: StreamChannel = {
      read: () =>
        new Promise((resolve) => {
          leave = () => resolve(undefined);
          const next = coming.shift();
          if (next !== undefined) resolve(next);
        }),
      write: async (octets) => void heard.push(Buffer.from(bytesOf(octets)).toString("latin1")),
      [Symbol.dispose]: () => leave?.(),
    };
    const { host, clock } = agentOf({ stream: async () => stream });
    const connection = await settled(clock, host.stream("/run/charon.vici", never));
    using key = Secret.take("psk", Buffer.from("canary of a key"));
    const packet = writePacket(packets.request, "load-shared", [key]);
    await settled(clock, connection.write(packet));
    expect(Buffer.from((await settled(clock, connection.read())) ?? []).toString()).toBe(
      "from charon",
    );
    expect(heard.join("")).toContain("canary of a key");
    leave?.();
    expect(await settled(clock, connection.read())).toBe(undefined);
  });

  it("a command that is not the driver's ends the connection before charon gets it", async () => {
    const heard: unknown[] = [];
    const ended = Promise.withResolvers<undefined>();
    const stream: StreamChannel = {
      read: () => ended.promise,
      write: async (octets) => void heard.push(octets),
      [Symbol.dispose]: () => ended.resolve(undefined),
    };
    const { host, clock } = agentOf({ stream: async () => stream });
    const connection = await settled(clock, host.stream("/run/charon.vici", never));
    await settled(clock, connection.write(writePacket(packets.request, "clear-creds", [])));
    expect(await settled(clock, connection.read())).toBe(undefined);
    expect(heard).toEqual([]);
  });
});

describe("a far end that lies", () => {
  const hello = frameLine({ kind: "hello", protocol: peerProtocol, version: "1" }, []);

  /** An agent whose far end sends this text after what the agent wrote first. */
  function agentBeside(first: string, then: string) {
    const clock = new SimClock(wallStart);
    const pipes: Pipe[] = [];
    const host = hostOver(clock, async () => {
      const made = pipe();
      pipes.push(made);
      void made.far.write([Buffer.from(first)]);
      void made.far.read().then(() => made.far.write([Buffer.from(then)]));
      return made.channel;
    });
    return { clock, host };
  }

  it.each([
    [
      "speaks another protocol",
      frameLine({ kind: "hello", protocol: 2, version: "9" }, []),
      "device.unsupported",
    ],
    ["prints a banner", "Welcome to edge-b\n", "transport.closed"],
    ["says nothing", "", "transport.timeout"],
  ])("a far end that %s gets no request", async (_what, first, code) => {
    const { clock, host } = agentBeside(first, "");
    const found = await settled(clock, refusal(host.framed(mka("unknown"), never)));
    expect([found.code, found.effect]).toEqual([code, "none"]);
  });

  it("a login that prints a banner is named as such", async () => {
    const { clock, host } = agentBeside(`Welcome to edge-b\n${hello}`, "");
    const found = await settled(clock, refusal(host.framed(mka("none"), never)));
    expect(found.message).toContain("the login prints other text first");
    expect(found.message).not.toContain("Welcome");
  });

  it.each([
    ["no frame", "nonsense\n"],
    ["a frame that is too long", `{"kind":"data","id":1,"length":${replyOctetsMax + 1}}\n`],
    ["an unknown kind", frameLine({ kind: "other", id: 1 }, [])],
    [
      "an answer that is divided beyond its end",
      frameLine({ kind: "answer", id: 1, status: 0, split: 5 }, []),
    ],
    [
      "an error code of the agent's own",
      frameLine({ kind: "refused", id: 1, refusal: { code: "journal.full" } }, []),
    ],
  ])("%s ends the session, and the effect stays unknown", async (_what, then) => {
    const { clock, host } = agentBeside(hello, then);
    const found = await settled(clock, refusal(host.framed(mka("unknown"), never)));
    expect([found.code, found.effect]).toEqual(["transport.closed", "unknown"]);
  });

  it("answers to what was not asked change nothing", async () => {
    const strange = [
      frameLine({ kind: "answer", id: 77, status: 0, split: 0 }, []),
      frameLine({ kind: "data", id: 78 }, []),
      frameLine({ kind: "closed", id: 79 }, []),
    ].join("");
    const answer = frameLine({ kind: "answer", id: 1, status: 0, split: 0 }, []);
    const { clock, host } = agentBeside(hello, strange + answer);
    expect((await settled(clock, host.framed(mka("none"), never))).length).toBe(0);
  });
});
