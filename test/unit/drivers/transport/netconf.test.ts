import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Netconf } from "#drivers/transport/netconf.ts";
import { Deframer, type Framing } from "#drivers/transport/netconf-frames.ts";
import { element, textOf } from "#drivers/transport/xml.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../../effort.ts";
import { processorMs } from "../../kit/processor-time.ts";
import { BytePipe } from "./byte-pipe.ts";

const never = new AbortController().signal;
const base = "urn:ietf:params:netconf:base";

const hello = (...versions: readonly string[]): string => {
  const list = versions.map((version) => `<capability>${base}:${version}</capability>`);
  const offers = `<capabilities>${list.join("")}</capabilities>`;
  return `<hello xmlns="urn:of:netconf">${offers}<session-id>7</session-id></hello>]]>]]>`;
};

interface Opened {
  readonly pipe: BytePipe;
  readonly session: Netconf;
  readonly notifications: () => number;
}

async function opened(greeting = hello("1.0")): Promise<Opened> {
  const pipe = new BytePipe();
  let notifications = 0;
  const onChange = (): void => {
    notifications += 1;
  };
  pipe.deliver(greeting);
  const marks = [{ pattern: /database locked/, code: "device.locked" }] as const;
  const session = await Netconf.open(pipe.channel(), { where: "edge-a", onChange, marks }, never);
  return { pipe, session, notifications: () => notifications };
}

const reply = (id: number, body: string): string =>
  `<rpc-reply message-id="${id}">${body}</rpc-reply>`;
const marked = (message: string): string => `${message}]]>]]>`;
const question = element("get-clock");

async function failure(promise: Promise<unknown>): Promise<LinksealError> {
  const error = await promise.then(
    () => "resolved",
    (caught: unknown) => caught,
  );
  if (error instanceof LinksealError) return error;
  throw new Error(`no LinksealError: ${String(error)}`);
}

function chunked(text: string, prng: Prng): string {
  let rest = Buffer.from(text);
  let framed = "";
  while (rest.length > 0) {
    const size = prng.between(1, rest.length);
    framed += `\n#${size}\n${rest.subarray(0, size).toString("latin1")}`;
    rest = rest.subarray(size);
  }
  return `${framed}\n##\n`;
}

function messagesOf(framing: Framing, octets: Uint8Array, prng: Prng): string[] {
  const deframer = new Deframer(10_000, "edge-a");
  deframer.framing = framing;
  const found: string[] = [];
  for (let at = 0; at < octets.length; ) {
    const next = Math.min(octets.length, at + prng.between(1, 40));
    deframer.push(octets.subarray(at, next));
    at = next;
    for (let one = deframer.next(); one !== undefined; one = deframer.next()) {
      found.push(Buffer.from(one).toString("utf8"));
    }
  }
  return found;
}

describe("messages of a stream", () => {
  it.each(["endOfMessage", "chunked"] as const)(
    "in the framing %s a message with any text is read across any borders",
    (framing) => {
      const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 200 });
      fc.assert(
        fc.property(fc.array(text, { maxLength: 6 }), fc.string(), (messages, seed) => {
          const prng = new Prng(seed);
          const sent = messages.map((one) =>
            framing === "chunked" ? one : one.replaceAll("]", ""),
          );
          const kept = sent.filter((one) => one !== "" || framing !== "chunked");
          const stream = kept.map((one) =>
            framing === "chunked"
              ? Buffer.from(chunked(one, prng), "latin1")
              : Buffer.from(marked(one)),
          );
          expect(messagesOf(framing, Buffer.concat(stream), prng)).toEqual(kept);
        }),
      );
    },
  );

  it("an end mark inside a chunk is text", () => {
    const found = messagesOf(
      "chunked",
      Buffer.from("\n#8\n<a>]]>]]\n#5\n></a>\n##\n"),
      new Prng("x"),
    );
    expect(found).toEqual(["<a>]]>]]></a>"]);
  });

  it.each(["\n#0\n", "\n#01\n", "\n#4294967296\n", "\n#99999999999", "x", "\n##\n", "\n#-1\n"])(
    "%j is not a chunk",
    (text) => {
      expect(() => messagesOf("chunked", Buffer.from(text), new Prng("x"))).toThrow("ended");
    },
  );

  it.each(["endOfMessage", "chunked"] as const)(
    "in the framing %s a message that is too long ends the stream",
    (framing) => {
      const text = framing === "chunked" ? "\n#10101\n" : "a".repeat(10_200);
      const feed = (): unknown => messagesOf(framing, Buffer.from(text), new Prng("x"));
      expect(feed).toThrow("more than 10000 octets");
    },
  );

  it("a message in very many chunks ends the stream, however short it is", () => {
    const feed = (): unknown =>
      messagesOf("chunked", Buffer.from("\n#1\nX".repeat(65_537)), new Prng("x"));
    const deframer = new Deframer(100_000, "edge-a");
    deframer.framing = "chunked";
    deframer.push(Buffer.from("\n#1\nX".repeat(65_536)));
    expect(deframer.next()).toBeUndefined();
    deframer.push(Buffer.from("\n#1\nX"));
    expect(() => deframer.next()).toThrow("more than 65536 chunks");
    expect(feed).toThrow("more than 10000 octets");
  });

  it("the chunks of one message do not count for the next, and each message has one", () => {
    const deframer = new Deframer(100_000, "edge-a");
    deframer.framing = "chunked";
    for (let message = 0; message < 3; message += 1) {
      deframer.push(Buffer.from(`${"\n#1\nX".repeat(40_000)}\n##\n`));
      expect(deframer.next()).toHaveLength(40_000);
    }
    deframer.push(Buffer.from("\n##\n"));
    expect(() => deframer.next()).toThrow("a message has no chunk");
  });

  it("a message that is too long is refused though it arrives whole", () => {
    const deframer = new Deframer(10_000, "edge-a");
    deframer.push(Buffer.from(marked("a".repeat(10_000))));
    expect(deframer.next()).toHaveLength(10_000);
    deframer.push(Buffer.from(marked("a".repeat(10_001))));
    expect(() => deframer.next()).toThrow("more than 10000 octets");
  });

  it("a long line takes no longer than its octets", () => {
    const deframer = new Deframer(200 * 1024 * 1024, "edge-a");
    const line = Buffer.alloc(64 * 1024, "a");
    const tookMs = processorMs(() => {
      for (let piece = 0; piece < 1_600; piece += 1) {
        deframer.push(line);
        expect(deframer.next()).toBeUndefined();
      }
    });
    expect(tookMs).toBeLessThan(10_000);
  });
});

describe("a session", () => {
  it("a session uses chunks only if both ends speak 1.1", async () => {
    const old = await opened(hello("1.0"));
    void old.session.call(question, "none", never).catch(() => undefined);
    expect(old.pipe.sent.split("]]>]]>")[1]).toMatch(/^<rpc .*<get-clock\/><\/rpc>$/);
    const both = await opened(hello("1.0", "1.1"));
    void both.session.call(question, "none", never).catch(() => undefined);
    const [, sent = ""] = both.pipe.sent.split("]]>]]>");
    const [, size, message] = /^\n#(\d+)\n([\s\S]*)\n##\n$/.exec(sent) ?? [];
    expect(Number(size)).toBe(message?.length);
  });

  it("a session reads Junos' own spelling of the base capability", async () => {
    const uri = "urn:ietf:params:xml:ns:netconf:base:1.0";
    const offers = `<capabilities><capability>${uri}</capability></capabilities>`;
    const greeting = `<hello>${offers}</hello>]]>]]>`;
    expect((await opened(greeting)).session.capabilities.has(`${base}:1.0`)).toBe(true);
  });

  it.each([
    ["no NETCONF", marked("<html/>")],
    ["another version", hello("2.0")],
    ["no XML", marked("Welcome to edge-a")],
  ])("a greeting with %s is refused and the channel closed", async (_what, greeting) => {
    const pipe = new BytePipe();
    pipe.deliver(greeting);
    const options = { where: "edge-a", onChange: () => undefined, marks: [] };
    const error = await failure(Netconf.open(pipe.channel(), options, never));
    expect([error.code, error.effect]).toEqual(["device.unparsed", "none"]);
    expect(pipe.isClosed).toBe(true);
  });

  it("a session gives each request its own reply, whatever their order and borders", async () => {
    const { pipe, session } = await opened(hello("1.0", "1.1"));
    const asked = [1, 2, 3].map(() => session.call(question, "none", never));
    const prng = new Prng("order");
    for (const id of [3, 1, 2]) pipe.deliver(chunked(reply(id, `<n>${id}</n>`), prng), 3);
    const reported = await Promise.all(asked);
    expect(reported.map((one) => textOf(one, "n"))).toEqual(["1", "2", "3"]);
  });

  it("a session drops an aborted request and its late reply", async () => {
    const { pipe, session } = await opened();
    const stop = new AbortController();
    const first = session.call(question, "none", stop.signal);
    stop.abort(new Error("enough"));
    await expect(first).rejects.toThrow("enough");
    const second = session.call(question, "none", never);
    pipe.deliver(marked(reply(1, "<n>late</n>")) + marked(reply(2, "<n>mine</n>")));
    expect(textOf(await second, "n")).toBe("mine");
  });

  it("a session takes a notification as news of a change and for nothing else", async () => {
    const { pipe, session, notifications } = await opened();
    const asked = session.call(question, "none", never);
    pipe.deliver(marked("<notification><eventTime/></notification>") + marked(reply(1, "<ok/>")));
    await asked;
    expect(notifications()).toBe(1);
  });

  it("a session never takes a notification for the reply to a call", async () => {
    const { pipe, session } = await opened();
    const asked = session.call(question, "none", never);
    pipe.deliver(marked('<notification message-id="1"><n>lie</n></notification>'));
    pipe.deliver(marked(reply(1, "<n>true</n>")));
    expect(textOf(await asked, "n")).toBe("true");
  });

  it.each([
    ["notifications", marked("<notification/>")],
    ["replies to nothing", marked(reply(999, "<ok/>"))],
  ])("a session that is sent endless %s ends", async (_what, text) => {
    const { pipe, session } = await opened();
    const asked = session.call(question, "unknown", never);
    pipe.deliver(text.repeat(1_100));
    const { code, effect, message } = await failure(asked);
    expect([code, effect]).toEqual(["transport.closed", "unknown"]);
    expect(message).toContain("not asked for");
    expect(pipe.isClosed).toBe(true);
  });

  it("a session ends if the replies of one observation are too long together", async () => {
    const { pipe, session } = await opened();
    const { signal } = new AbortController();
    const long = `<t>${"A".repeat(4 * 1024 * 1024)}</t>`;
    const asked = [1, 2, 3].map(() => session.call(question, "none", signal));
    const ends = Promise.allSettled(asked);
    for (const id of [1, 2, 3]) pipe.deliver(marked(reply(id, long)));
    expect((await ends).map(({ status }) => status)).toEqual([
      "fulfilled",
      "fulfilled",
      "rejected",
    ]);
    // The next observation begins anew.
    const other = await opened();
    for (const id of [1, 2, 3]) {
      const own = other.session.call(question, "none", new AbortController().signal);
      other.pipe.deliver(marked(reply(id, long)));
      await own;
    }
  });

  it("the replies of one observation share what they may have of elements", async () => {
    const { pipe, session } = await opened();
    const { signal } = new AbortController();
    const many = "<a/>".repeat(59_990);
    const asked = [1, 2, 3].map(() => session.call(question, "none", signal));
    const ends = Promise.allSettled(asked);
    for (const id of [1, 2, 3]) pipe.deliver(marked(reply(id, many)));
    const [first, second, third] = await ends;
    expect([first?.status, second?.status]).toEqual(["fulfilled", "fulfilled"]);
    expect(third).toMatchObject({
      status: "rejected",
      reason: { code: "device.unparsed", message: expect.stringContaining("too many elements") },
    });
  });

  it("a greeting without an end is refused after a megabyte", async () => {
    const pipe = new BytePipe();
    pipe.deliver("<hello><capabilities>".padEnd(1024 * 1024 + 100, "<c/>"));
    const options = { where: "edge-a", onChange: () => undefined, marks: [] };
    const error = await failure(Netconf.open(pipe.channel(), options, never));
    expect(error.message).toContain("more than 1048576 octets");
  });

  it("a session reports what a lost reply may have done, and ends", async () => {
    const { pipe, session } = await opened();
    const asked = [session.call(question, "unknown", never), session.call(question, "none", never)];
    pipe.hangUp();
    const errors = await Promise.all(asked.map(failure));
    expect(errors.map(({ code, effect }) => [code, effect])).toEqual([
      ["transport.closed", "unknown"],
      ["transport.closed", "none"],
    ]);
    const after = await failure(session.call(question, "unknown", never));
    expect([after.code, after.effect]).toEqual(["transport.closed", "none"]);
  });

  it.each([
    ["no XML at all", marked("%% busy")],
    ["a reply without a number", marked("<rpc-reply><ok/></rpc-reply>")],
    ["a document type", marked(`<!DOCTYPE r>${reply(1, "<ok/>")}`)],
  ])("a session ends on %s", async (_what, text) => {
    const { pipe, session } = await opened();
    const asked = session.call(question, "unknown", never);
    pipe.deliver(text);
    const { code, effect } = await failure(asked);
    expect(["device.unparsed", "transport.closed"]).toContain(code);
    if (code === "transport.closed") expect(effect).toBe("unknown");
    expect(pipe.isClosed).toBe(true);
  });
});

describe("a refusal", () => {
  const error = (fields: string): string => `<rpc-error>${fields}</rpc-error>`;
  it.each([
    [
      "error",
      error("<error-severity>error</error-severity><error-message>no</error-message>"),
      "device.rejected",
    ],
    ["beside an ok", `<ok/>${error("<error-message>no</error-message>")}`, "device.rejected"],
    ["a lock", error("<error-tag>lock-denied</error-tag>"), "device.locked"],
    [
      "a mark of the platform",
      error("<error-message>configuration database locked by: ann</error-message>"),
      "device.locked",
    ],
    [
      "an operation that is none",
      error("<error-tag>operation-not-supported</error-tag>"),
      "device.unsupported",
    ],
    [
      "inside results",
      "<commit-results><x><error><message>bad</message></error></x></commit-results>",
      "device.rejected",
    ],
  ])("a refusal that is %s has its code", async (_what, body, code) => {
    const { pipe, session } = await opened();
    const asked = session.call(question, "unknown", never);
    pipe.deliver(marked(reply(1, body)));
    const refusal = await failure(asked);
    expect([refusal.code, refusal.effect]).toEqual([code, "none"]);
  });

  it("a reply that only warns is not a refusal", async () => {
    const { pipe, session } = await opened();
    const asked = session.call(question, "none", never);
    const warning = error(
      "<error-severity>warning</error-severity><error-message>hm</error-message>",
    );
    pipe.deliver(marked(reply(1, `${warning}<ok/>`)));
    await expect(asked).resolves.toMatchObject({ name: "rpc-reply" });
  });

  it("a refusal contains no key, not even half of one, and no control character", async () => {
    const { pipe, session } = await opened();
    using secret = Secret.take("cak", new Uint8Array(32).fill(0xa7));
    const key = "a7".repeat(32);
    const reported = session.call(element("load", { secret, as: "hex" }), "none", never);
    pipe.deliver(marked(reply(1, "<ok/>")));
    await reported;
    expect(pipe.sent).toContain(key);
    const asked = session.call(question, "none", never);
    const quoted = `${"x".repeat(280)} ${key.toUpperCase()} &#10;line two`;
    pipe.deliver(marked(reply(2, error(`<error-message>${quoted}</error-message>`))));
    const { message } = await failure(asked);
    expect(message.toLowerCase()).not.toContain("a7a7");
    expect(message).not.toMatch(/\p{C}/u);
  });
});

describe("hostile output", () => {
  const seed = process.env["LINKSEAL_SEED"] ?? "netconf";
  const runs = effort(5_000, 1_000_000);
  const bricks = [
    '<rpc-reply message-id="1">',
    "</rpc-reply>",
    "<ok/>",
    "<data>",
    "</data>",
    "]]>]]>",
    "]]>",
    "\n#5\n",
    "\n##\n",
    "\x1b[2J",
    "\0",
    "edge-a> ",
    "<!DOCTYPE a>",
    "&lol;",
    "<![CDATA[",
    "<a>".repeat(80),
    "\u{1f512}",
    "9".repeat(40),
  ];

  it("hostile output ends in a reply or in a typed error, in bounded time", async () => {
    console.log(`hostile NETCONF: LINKSEAL_SEED=${seed}, ${runs} cases`);
    const prng = new Prng(seed);
    const outcomes = new Map<string, number>();
    for (let run = 0; run < runs; run += 1) {
      const { pipe, session } = await opened(prng.chance(0.5) ? hello("1.0") : hello("1.0", "1.1"));
      const asked = session.call(question, "unknown", never).then(
        () => "reply",
        (caught: unknown) => (caught instanceof LinksealError ? caught.code : String(caught)),
      );
      let text = "";
      for (let part = prng.between(1, 8); part > 0; part -= 1) text += prng.pick(bricks);
      pipe.deliver(text, prng.between(1, 30));
      pipe.hangUp();
      const outcome = await asked;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    const known = ["reply", "transport.closed", "device.unparsed"];
    expect([...outcomes.keys()].filter((one) => !known.includes(one))).toEqual([]);
    expect(outcomes.get("transport.closed")).toBeGreaterThan(0);
  });
});
