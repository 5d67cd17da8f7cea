import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReceiveBuffer } from "#drivers/transport/receive-buffer.ts";

describe("a receive buffer", () => {
  it("a receive buffer holds what was pushed and not dropped, whatever the pieces", () => {
    const step = fc.oneof(
      fc.record({ push: fc.uint8Array({ maxLength: 2_000 }) }),
      fc.record({ drop: fc.nat(2_500) }),
      fc.constant("takeAll" as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const buffer = new ReceiveBuffer();
        let model: number[] = [];
        for (const one of steps) {
          if (one === "takeAll") {
            expect([...buffer.takeAll()]).toEqual(model);
            model = [];
          } else if ("push" in one) {
            buffer.push(one.push);
            model.push(...one.push);
          } else {
            const length = Math.min(one.drop, model.length);
            buffer.drop(length);
            model = model.slice(length);
          }
          expect(buffer.length).toBe(model.length);
          expect([...buffer.octets]).toEqual(model);
        }
      }),
    );
  });

  it("a receive buffer costs what its octets cost, also in pieces of one octet", () => {
    const buffer = new ReceiveBuffer();
    const before = process.memoryUsage();
    for (let count = 0; count < 1_000_000; count += 1) buffer.push(Uint8Array.of(count));
    const after = process.memoryUsage();
    expect(buffer.length).toBe(1_000_000);
    // An array of a million pieces would take a hundred megabytes and more.
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(16 * 1024 * 1024);
  });

  it("a receive buffer gives the room of a long message back", () => {
    const buffer = new ReceiveBuffer();
    buffer.push(Buffer.alloc(5_000_000));
    buffer.drop(5_000_000);
    buffer.push(Uint8Array.of(1));
    expect(buffer.octets.buffer.byteLength).toBeLessThanOrEqual(64 * 1024);
  });

  it("a receive buffer leaves no octet behind when it grows", () => {
    const buffer = new ReceiveBuffer();
    buffer.push(Buffer.alloc(500, "k"));
    const room = buffer.octets.buffer;
    buffer.push(Buffer.alloc(5_000, "k"));
    expect(Buffer.from(room).includes("kk")).toBe(false);
  });
});
