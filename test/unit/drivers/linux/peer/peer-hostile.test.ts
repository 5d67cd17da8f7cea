// Hostile octets on the session between an agent and `linkseal peer`, at both of its ends.

import { describe, expect, it } from "vitest";
import { frameLine } from "#drivers/linux/peer/frames.ts";
import { type HostDialer, peerDialer } from "#drivers/linux/peer/peer-dialer.ts";
import { peerProtocol, writeArguments } from "#drivers/linux/peer/protocol.ts";
import { servePeer } from "#drivers/linux/peer/serve.ts";
import { packets, writePacket } from "#drivers/transport/vici-wire.ts";
import { LinksealError } from "#hal/error.ts";
import type { Dialer, StreamChannel } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../../../effort.ts";
import { pipe } from "../../../../lab/peer-pipe.ts";
import { never, settled, wallStart } from "../../../kit/site-bench.ts";
import { bytesOf } from "../../../kit/vici-peer.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "peer";
console.log(`LINKSEAL_SEED=${seed}`);
const target = { device: "edge-b", address: "192.0.2.2" };

const octetsOf = (text: string | Uint8Array): Uint8Array =>
  typeof text === "string" ? Buffer.from(text) : text;

const frame = (fields: object, body: string | Uint8Array = ""): Uint8Array => {
  const octets = octetsOf(body);
  return Buffer.concat([Buffer.from(frameLine(fields, [octets])), octets]);
};

/** Values and names that a reader may take for others. */
const values = [
  "",
  "..",
  "../../etc",
  "eth1/../x",
  "a b",
  "-x",
  "\0",
  -1,
  1e99,
  null,
  true,
  {},
  [],
];
const texts = [
  ...["/devices/edge/observe", "/devices/../../x", "/devices/e/transactions/t/apply", "POST"],
  ...["eth1", "net", "run", "open", "send", "end", "from", "unknown", "GET", "DELETE"],
];
const programs: readonly (readonly string[])[] = [
  ...[["sh", "-c", "id"], ["cat", "/etc/shadow"], ["cat", "/proc/net/netstat"], ["vtysh"]],
  ["vtysh", "-c", "configure terminal", "-c", "username x"],
  ["vtysh", "-c", "show route-map json"],
  ["vtysh", "-c", "show route-map json; id"],
  ["ping", "-f", "192.0.2.1"],
];

function drawnFrame(prng: Prng): Uint8Array {
  const id = prng.pick([1, 2, 3, 3, 2 ** 53]);
  const word = (): unknown => prng.pick<unknown>([...values, ...texts, ...texts]);
  switch (prng.between(0, 8)) {
    case 0:
      return frame({ kind: "net", id, method: "POST", path: word() }, "{}");
    case 1:
      return frame({ kind: "mka", id, port: word(), effect: "unknown" }, "x");
    case 2:
      return frame({ kind: "run", id }, writeArguments(prng.pick(programs)));
    case 3:
      return frame({ kind: "open", id });
    case 4: {
      const command = prng.pick(["list-sas", "clear-creds", "reload-settings", "load-shared"]);
      const octets = bytesOf(writePacket(packets.request, command, []));
      return frame({ kind: "send", id }, octets);
    }
    case 5:
      return frame({ kind: "end", id });
    case 6:
      return frame({ kind: word(), id, [String(word())]: word() });
    case 7:
      return frame({ kind: "from", address: word(), forced: "yes", keys: word() });
    default:
      return octetsOf(prng.pick(["\n", "{}\n", "null\n", '{"length":-1}\n', "[".repeat(5_000)]));
  }
}

/** Changes some octets, or none, and cuts or repeats what is left. */
function damaged(prng: Prng, octets: Uint8Array): Uint8Array {
  const copy = Buffer.from(octets);
  if (prng.chance(0.5)) return copy;
  for (let count = prng.between(1, 4); count > 0 && copy.length > 0; count -= 1) {
    copy[prng.between(0, copy.length - 1)] = prng.between(0, 255);
  }
  if (prng.chance(0.2)) return copy.subarray(0, prng.between(0, copy.length));
  return prng.chance(0.1) ? Buffer.concat([copy, copy]) : copy;
}

/** What reached a process of the far host. */
class Reached {
  readonly all: string[] = [];

  readonly dial: Pick<Dialer, "http" | "framed" | "exec" | "stream"> = {
    http: async ({ to, method, path }) => {
      this.all.push(`${to} ${method} ${path}`);
      return { status: 200, headers: {}, body: Buffer.from("{}") };
    },
    framed: async ({ path }) => {
      this.all.push(`mka ${path}`);
      return Buffer.from("x");
    },
    exec: async (argv) => {
      this.all.push(argv.join(" "));
      return { status: 0, stdout: Buffer.from("x"), stderr: Buffer.alloc(0) };
    },
    stream: async () => {
      const end = Promise.withResolvers<undefined>();
      const stream: StreamChannel = {
        read: () => end.promise,
        write: async (octets) => {
          const sent = Buffer.from(bytesOf(octets));
          // A part of a packet waits for the rest.
          if (sent.length === 0) return;
          this.all.push(`charon ${sent.toString("latin1", 6, 6 + (sent[5] ?? 0))}`);
        },
        [Symbol.dispose]: () => end.resolve(undefined),
      };
      return stream;
    },
  };
}

const net = "unix:\\/net\\.sock (GET|POST) \\/devices\\/[^/?#]+";
const charon = "(list-conns|list-sas|get-keys|initiate|rekey|terminate|load-cert)";
/** Everything that an agent may reach, written here anew and not taken from the product. */
const mayReach = [
  new RegExp(`^${net}(/(observe|subnets|route|prepare|recall|changes))?$`),
  new RegExp(`^${net}/transactions/[^/?#]+/(apply|confirm|rollback)$`),
  /^mka \/mka\/[A-Za-z0-9_.@-]{1,15}\.sock$/,
  /^cat \/proc\/net\/netstat$/,
  /^vtysh -c show route-map json$/,
  new RegExp(`^charon (${charon}|(un)?load-(conn|key|shared))$`),
];

describe("hostile octets at `linkseal peer`", () => {
  it("a hostile agent reaches nothing but what is passed on, and ends no process", async () => {
    const prng = new Prng(`${seed} agent`);
    const reached = new Reached();
    const runs = effort(2_000, 200_000);
    for (let run = 0; run < runs; run += 1) {
      const made = pipe();
      const { far, channel } = made;
      const log = { write: () => undefined };
      const host = { net: "/net.sock", mka: "/mka", charon: "/charon", version: "1", log };
      const served = servePeer(far, { dial: reached.dial, ...host });
      const first = frame({ kind: "from", address: "192.0.2.1" });
      const sent = Array.from({ length: prng.between(1, 6) }, () =>
        damaged(prng, drawnFrame(prng)),
      );
      for (const octets of [first, ...sent]) {
        // A session that was ended takes nothing more.
        await channel.write([Buffer.from(octets).toString("latin1")], never).catch(() => undefined);
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      made.cut();
      // A defect would end linkseal-peer.
      await served;
    }
    const strange = reached.all.filter((one) => !mayReach.some((known) => known.test(one)));
    expect(strange).toEqual([]);
    // Else nothing of it was understood, and nothing was tried.
    expect(new Set(reached.all.map((one) => one.split(" ")[0])).size).toBe(5);
  });
});

const hello = frame({ kind: "hello", protocol: peerProtocol, version: "1" });

function drawnReply(prng: Prng): Uint8Array {
  const id = prng.pick([1, 1, 2, 3, 77]);
  const number = (): unknown => prng.pick<unknown>([0, 1, 200, 404, 999, 1_001, -1, "0", null]);
  const word = (): unknown => prng.pick<unknown>([...values, ...texts, "device.locked"]);
  switch (prng.between(0, 5)) {
    case 0:
      return frame({ kind: "answer", id, status: number(), split: number() }, "[]");
    case 1: {
      const refusal = { code: word(), effect: word(), text: word(), where: word(), next: word() };
      return frame({ kind: "refused", id, refusal });
    }
    case 2:
      return frame({ kind: prng.pick(["opened", "data", "closed"]), id }, "x");
    case 3:
      return frame({ kind: word(), id });
    default:
      return frame({ kind: "answer", id, status: 0, split: 1 }, "ok");
  }
}

describe("hostile octets at the agent", () => {
  it("a hostile far host is an answer or a typed error, and ends no process", async () => {
    const prng = new Prng(`${seed} host`);
    const ends = new Map<string, number>();
    const runs = effort(1_000, 100_000);
    for (let run = 0; run < runs; run += 1) {
      const clock = new SimClock(wallStart);
      const channel: Dialer["channel"] = async () => {
        const made = pipe();
        void made.far.write([prng.chance(0.9) ? hello : damaged(prng, hello)]);
        void made.far.read().then(async () => {
          for (let count = prng.between(1, 4); count > 0; count -= 1) {
            await made.far.write([damaged(prng, drawnReply(prng))]);
          }
          if (prng.chance(0.5)) made.cut();
        });
        return made.channel;
      };
      const host: HostDialer = peerDialer({ clock, dial: { channel } as Dialer }, target);
      const wait = AbortSignal.any([never]);
      const asked = [
        host.framed(
          {
            path: "/x/eth1.sock",
            octets: [Uint8Array.of(1)],
            replyBytesMax: 100,
            effect: "unknown",
          },
          wait,
        ),
        host.exec(["vtysh", "--help"], new Uint8Array(), wait),
        host.stream("/charon", wait),
      ];
      const found = Promise.all(
        asked.map((one) =>
          one.then(
            () => "an answer",
            (error: unknown) => (error instanceof LinksealError ? error.code : String(error)),
          ),
        ),
      );
      // An agent gives up by its own limits; here its device is closed instead.
      await settled(clock, clock.sleep(60_000));
      await host[Symbol.asyncDispose]();
      for (const end of await settled(clock, found)) ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    console.log(`${runs} hosts: ${JSON.stringify(Object.fromEntries(ends))}`);
    const known = /^(an answer|(transport|device)\.[a-zA-Z]+)$/;
    expect([...ends.keys()].filter((end) => !known.test(end))).toEqual([]);
    expect(ends.get("an answer")).toBeGreaterThan(runs / 20);
  });
});
