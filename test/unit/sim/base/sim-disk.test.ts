import { describe, expect, it } from "vitest";
import { LinksealError } from "#hal/error.ts";
import { instantAfter } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { Prng } from "#sim/base/prng.ts";

const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : new TextDecoder().decode(bytes);
const octets = (from: string): Uint8Array => new TextEncoder().encode(from);

function disk(writeMs = 0): { clock: SimClock; disk: SimDisk } {
  const clock = new SimClock(0);
  return { clock, disk: new SimDisk({ clock, prng: new Prng("disk"), writeMs }) };
}

describe("SimDisk", () => {
  it("a disk keeps what was appended and replaced, and lists by prefix", async () => {
    const { disk: it } = disk();
    await it.append("journal", octets("one\n"));
    await it.append("journal", octets("two\n"));
    await it.replace("intent/2", octets("b"));
    await it.replace("intent/1", octets("a"));
    expect(text(await it.read("journal"))).toBe("one\ntwo\n");
    expect(await it.list("intent/")).toEqual(["intent/1", "intent/2"]);
    expect(await it.read("nothing")).toBeUndefined();
  });

  it("a disk copies, so a caller that reuses its buffer changes nothing", async () => {
    const { disk: it } = disk();
    const buffer = octets("aa");
    await it.replace("x", buffer);
    buffer.fill(0);
    expect(text(await it.read("x"))).toBe("aa");
  });

  it("a crash during an append leaves a prefix, and the append never answers", async () => {
    const lengths = new Set<number>();
    for (let seed = 0; seed < 40; seed += 1) {
      const clock = new SimClock(0);
      const it = new SimDisk({ clock, prng: new Prng(`torn-${seed}`), writeMs: 5 });
      let answered = false;
      void it.append("journal", octets("abcdef")).then(() => {
        answered = true;
      });
      clock.after(2, () => it.crash());
      await clock.run(instantAfter(clock.now(), 20));
      const left = text(await it.read("journal")) ?? "";
      expect("abcdef".startsWith(left)).toBe(true);
      expect(answered).toBe(false);
      lengths.add(left.length);
    }
    expect(lengths.size).toBeGreaterThan(3);
  });

  it("a replace under way is old or new, never a mix", async () => {
    const { clock, disk: it } = disk(5);
    void it.replace("x", octets("old"));
    await clock.runFor(10);
    void it.replace("x", octets("new content"));
    clock.after(2, () => it.crash());
    await clock.runFor(10);
    expect(text(await it.read("x"))).toBe("old");
  });

  it("a full disk refuses a write without effect, and takes it later", async () => {
    const { disk: it } = disk();
    await it.append("journal", octets("one\n"));
    it.setFault("full", true);
    const refused = await it.append("journal", octets("two\n")).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(LinksealError);
    expect(refused).toMatchObject({ code: "journal.full", effect: "none" });
    it.setFault("full", false);
    it.crash();
    await it.append("journal", octets("three\n"));
    expect(text(await it.read("journal"))).toBe("one\nthree\n");
  });

  it("a lying disk loses in a crash the writes acknowledged since, and only those", async () => {
    const { disk: it } = disk();
    await it.append("journal", octets("one\n"));
    it.setFault("lies", true);
    await it.append("journal", octets("two\n"));
    expect(text(await it.read("journal"))).toBe("one\ntwo\n");
    it.crash();
    expect(text(await it.read("journal"))).toBe("one\n");
  });
});
