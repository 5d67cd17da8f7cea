// Memory that a service manager keeps for a process, and a process that leaves no core file.

import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { HeldMemory } from "#drivers/transport/memory.ts";
import { native } from "../lab.ts";

const octets = (fill: number, length = 100): Uint8Array => new Uint8Array(length).fill(fill);

describe("memory that a service manager keeps", { timeout: 60_000 }, () => {
  it("a process that adopts memory reads the newest record that is whole", () => {
    const memory = HeldMemory.create(native, "test");
    const { descriptor } = memory;
    expect(memory.read()).toBeUndefined();
    for (const fill of [1, 2, 3]) memory.write([octets(fill, 4), octets(fill)]);
    expect(memory.read()).toEqual(octets(3, 104));
    const adopted = HeldMemory.adopt(native, descriptor);
    expect(adopted.read()).toEqual(octets(3, 104));
    adopted.write([octets(4)]);
    expect(memory.read()).toEqual(octets(4));
    // The process ends in the middle of the next record, which replaces the older one.
    writeSync(descriptor, octets(9), 0, 100, 16 * 1024 + 60);
    expect(adopted.read()).toEqual(octets(4));
    writeSync(descriptor, octets(9), 0, 100, 60);
    expect(adopted.read()).toBeUndefined();
    closeSync(descriptor);
  });

  it("memory keeps its size, and refuses data that does not fit", () => {
    const memory = HeldMemory.create(native, "test");
    expect(() => memory.write([octets(1, 16 * 1024)])).toThrow(RangeError);
    for (const bytes of [0, 1_000_000]) {
      expect(() => ftruncateSync(memory.descriptor, bytes)).toThrow(/EPERM/);
    }
    closeSync(memory.descriptor);
  });

  it("a file, an empty size and a name that is too long are refused", () => {
    const folder = mkdtempSync(join(tmpdir(), "linkseal-memory-"));
    const file = openSync(join(folder, "file"), "w+");
    expect(() => HeldMemory.adopt(native, file)).toThrow(expect.objectContaining({ errno: 22 }));
    closeSync(file);
    rmSync(folder, { recursive: true });
    expect(() => HeldMemory.adopt(native, 4711)).toThrow(expect.objectContaining({ errno: 9 }));
    for (const bytes of [0, 2 ** 21]) {
      expect(() => native.openMemory("test", bytes)).toThrow(
        expect.objectContaining({ errno: 22 }),
      );
    }
    expect(() => native.openMemory("n".repeat(64), 10)).toThrow(/shorter text/);
  });
});

it("a process without core dumps cannot be inspected by its own user", { timeout: 60_000 }, () => {
  const file = join(import.meta.dirname, "..", "..", "..", "dist/native/linkseal.node");
  const code = `
    const native = require(${JSON.stringify(file)});
    const owner = () => require("node:fs").statSync("/proc/self/environ").uid;
    const before = owner();
    native.refuseDumps();
    console.log(before, owner());`;
  const unprivileged = { uid: 65_534, gid: 65_534, cwd: "/", encoding: "utf8" } as const;
  expect(execFileSync(process.execPath, ["-e", code], unprivileged)).toBe("65534 0\n");
});
