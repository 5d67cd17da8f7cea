// The frames of the NATS protocol: the same however they are cut, and never more than the limits.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NatsFault } from "#agent/fleet/nats-fault.ts";
import {
  clientFrames,
  FrameReader,
  headerBytesMax,
  headerOf,
  type NatsFrame,
  statusOf,
} from "#agent/fleet/nats-frames.ts";

const stream = [
  'INFO {"server_id":"A","max_payload":1048576}\r\n',
  "PING\r\nPONG\r\n+OK\r\n",
  "MSG linkseal.inbox.a.t.1 1 5\r\nhello\r\n",
  "MSG\tlinkseal.inbox.a.t.2\t1 reply.to 0\r\n\r\n",
  "HMSG s 1 44 49\r\nNATS/1.0 404 Not Found\r\nNats-Sequence: 7\r\n\r\nhe\r\no\r\n",
  "-ERR 'Permissions Violation for Publish to \"a.b\"'\r\n",
].join("");

function framesOf(pieces: readonly Uint8Array[], most = 1_000): readonly NatsFrame[] {
  const reader = new FrameReader(most);
  return pieces.flatMap((piece) => [...reader.push(piece)]);
}

describe("frames of the NATS protocol", () => {
  it("a stream of every kind of frame is read", () => {
    const frames = framesOf([Buffer.from(stream)]);
    expect(frames.map(({ kind }) => kind)).toEqual([
      ...["info", "ping", "pong", "ok", "message", "message", "message", "error"],
    ]);
    expect(frames[6]).toMatchObject({ octets: Uint8Array.from(Buffer.from("he\r\no")) });
    const { headers } = frames[6] as NatsFrame & { readonly kind: "message" };
    expect([statusOf(headers), headerOf(headers, "nats-sequence")]).toEqual([404, "7"]);
    expect(frames[7]).toEqual({
      ...{ kind: "error", text: 'Permissions Violation for Publish to "a.b"' },
    });
  });

  it("the frames are the same however the octets are cut", () => {
    const whole = framesOf([Buffer.from(stream)]);
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length)), (cuts) => {
        const octets = Buffer.from(stream);
        const places = [0, ...cuts.toSorted((a, b) => a - b), octets.length];
        const pieces = places.slice(1).map((end, at) => octets.subarray(places[at], end));
        expect(framesOf(pieces)).toEqual(whole);
      }),
    );
  });

  it.each([
    ["a line without an end", "X".repeat(5_000)],
    ["an INFO without an end", `INFO ${"x".repeat(40_000)}`],
    ["a message of more than the limit", "MSG a 1 1001\r\n"],
    ["a message of nine digits", "MSG a 1 999999999\r\n"],
    ["a message of ten digits", "MSG a 1 9999999999\r\n"],
    ["headers of more than the limit", `HMSG a 1 ${headerBytesMax + 1} ${headerBytesMax + 2}\r\n`],
    ["headers longer than their message", "HMSG a 1 10 5\r\n"],
    ["a negative length", "MSG a 1 -1\r\n"],
    ["no length", "MSG a 1\r\n"],
    ["a message that does not end where it should", "MSG a 1 1\r\nxyz"],
    ["a word that is none", "HELLO\r\n"],
    ["an empty line", "\r\n"],
  ])("%s is a fault", (_what, text) => {
    expect(() => framesOf([Buffer.from(text)])).toThrow(NatsFault);
  });

  it("no octets do anything but make frames or a fault", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 })), (pieces) => {
        try {
          framesOf(pieces);
        } catch (error) {
          expect(error).toBeInstanceOf(NatsFault);
        }
      }),
    );
  });

  it("a request without headers and one with them are written as the protocol wants", () => {
    const text = (parts: readonly Uint8Array[]): string => Buffer.concat(parts).toString();
    const octets = Buffer.from("hi");
    expect(text(clientFrames.publish("a.b", "r", {}, octets))).toBe("PUB a.b r 2\r\nhi\r\n");
    expect(text(clientFrames.publish("a.b", "", { N: "1" }, octets))).toBe(
      "HPUB a.b 18 20\r\nNATS/1.0\r\nN: 1\r\n\r\nhi\r\n",
    );
  });
});
