import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { firstLine } from "../../first-line.ts";

describe("the first line of a stream", () => {
  it("a first line that comes in pieces is whole", async () => {
    const stream = new PassThrough();
    const line = firstLine(stream);
    for (const piece of ["re", "ad", "y\nmore"]) stream.write(piece);
    expect(await line).toBe("ready");
  });

  it("a stream that ends before its first line does is an error", async () => {
    const stream = new PassThrough();
    const line = firstLine(stream);
    stream.end("rea");
    await expect(line).rejects.toThrow('within its first line: "rea"');
  });
});
