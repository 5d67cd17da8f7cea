import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { LinksealError } from "#hal/error.ts";
import { command, preview, Secret } from "#hal/secret.ts";
import { Prng } from "#sim/base/prng.ts";
import { leaksOf, printers } from "../../leaks.ts";

const key = new Prng("leaks").bytes(32);
const secret = (): Secret => Secret.take("cak", Uint8Array.from(key));

class PublicField {
  readonly bytes = Buffer.from(key);
}

class PublicFieldWithManners {
  readonly bytes = Buffer.from(key);
  toString(): string {
    return "[secret]";
  }
  toJSON(): string {
    return "[secret]";
  }
  [inspect.custom](): string {
    return "[secret]";
  }
}

class TypescriptPrivate {
  private readonly bytes = Uint8Array.from(key);
  get length(): number {
    return this.bytes.length;
  }
}

class HexField {
  readonly text = Buffer.from(key).toString("hex");
}

describe("no way of printing shows a Secret", () => {
  it("thirteen ways of printing are tried", () => {
    expect(Object.keys(printers)).toHaveLength(13);
  });

  it.each([
    ["itself", secret()],
    ["in an object", { key: secret(), more: { deep: [secret()] } }],
    ["in a command", command`key ${{ secret: secret(), as: "hex" }} end`],
    ["as a hole", { secret: secret(), as: "raw" }],
    ["in a map", new Map([["key", secret()]])],
    [
      "in an error",
      new LinksealError("device.rejected", "no", {
        effect: "none",
        where: "edge-a",
        next: "linkseal status",
        cause: secret(),
      }),
    ],
  ])("a Secret is not shown %s", (_name, value) => {
    expect(leaksOf(value, key)).toEqual([]);
  });
});

describe("the search for leaks catches planted classes", () => {
  it.each<[string, object, string[]]>([
    [
      "a public field",
      new PublicField(),
      [
        "json",
        "inspect",
        "inspect, hidden",
        "format",
        "spread",
        "entries",
        "structuredClone",
        "v8.serialize",
        "error cause",
        "assertion diff",
      ],
    ],
    [
      "a public field with custom printing",
      new PublicFieldWithManners(),
      ["inspect, hidden", "spread", "entries", "structuredClone", "v8.serialize", "assertion diff"],
    ],
    [
      "a plain object with a Buffer",
      { bytes: Buffer.from(key) },
      [
        "json",
        "inspect",
        "inspect, hidden",
        "format",
        "spread",
        "entries",
        "structuredClone",
        "v8.serialize",
        "error cause",
        "assertion diff",
      ],
    ],
  ])("the search finds every leak of %s", (_name, value, leaks) => {
    expect(leaksOf(value, key)).toEqual(leaks);
  });

  it.each<[string, object]>([
    ["a field that only TypeScript calls private", new TypescriptPrivate()],
    ["hexadecimal text", new HexField()],
    ["an array of numbers", { bytes: [...key] }],
    ["base64", { text: Buffer.from(key).toString("base64") }],
  ])("the search finds most leaks of %s", (_name, value) => {
    expect(leaksOf(value, key).length).toBeGreaterThan(6);
  });
});

describe("Secret", () => {
  it("a Secret takes the bytes away from its source", () => {
    const source = Uint8Array.from([1, 2, 3]);
    const taken = Secret.take("cak", source);
    expect([...source]).toEqual([0, 0, 0]);
    expect(taken.use((bytes) => [...bytes])).toEqual([1, 2, 3]);
    expect(taken.byteLength).toBe(3);
  });

  it("a Secret throws when it would become text", () => {
    const one = secret();
    expect(() => `${one}`).toThrow(TypeError);
    expect(() => `${one}`).toThrow("the secret cak cannot become text");
    expect(() => Number(one)).toThrow(TypeError);
    expect(JSON.stringify({ one })).toBe('{"one":"[secret cak]"}');
  });

  it("a Secret is wiped at the end of the block and cannot be lent after it", () => {
    let lent: Readonly<Uint8Array> = new Uint8Array();
    const keep = secret();
    {
      using one = keep;
      one.use((bytes) => {
        lent = bytes;
      });
      expect([...lent]).toEqual([...key]);
    }
    expect(lent.every((byte) => byte === 0)).toBe(true);
    expect(() => keep.use(() => 0)).toThrow("the secret cak was already wiped");
    expect(() => keep.copy()).toThrow("already wiped");
    keep[Symbol.dispose]();
  });

  it("a Secret's copy has its own lifetime", () => {
    const one = secret();
    const other = one.copy();
    one[Symbol.dispose]();
    expect(other.use((bytes) => [...bytes])).toEqual([...key]);
  });

  it.each([
    [[1, 2, 3], [1, 2, 3], true],
    [[1, 2, 3], [1, 2, 4], false],
    [[1, 2, 3], [1, 2], false],
    [[], [], true],
  ])("a Secret of %j equals one of %j: %s", (mine, theirs, equal) => {
    const one = Secret.take("a", Uint8Array.from(mine));
    expect(one.equals(Secret.take("b", Uint8Array.from(theirs)))).toBe(equal);
  });

  it("a Secret is a labelled hole in a command", () => {
    const hole = { secret: secret(), as: "hex" as const };
    const lines = command`${"set"} key ${7} ${hole}\n`;
    expect(lines).toEqual(["set", " key ", "7", " ", hole, "\n"]);
    expect(preview(lines)).toBe("set key 7 [secret cak]\n");
    expect(preview(command`${hole}`)).toBe("[secret cak]");
  });
});
