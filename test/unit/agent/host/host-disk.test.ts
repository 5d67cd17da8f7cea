// The real state folder: threats T40 and T41, failures F41 and F42.

import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FsDisk } from "#agent/host/disk.ts";
import { openFolder } from "#agent/host/folder.ts";
import { openHostKey, openReportKey, readHostId } from "#agent/host/key.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (content: Uint8Array | undefined): string | undefined =>
  content === undefined ? undefined : new TextDecoder().decode(content);

let base = "";
let folder = "";
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "linkseal-disk-"));
  folder = join(base, "state");
});
afterEach(() => rm(base, { recursive: true, force: true }));

describe("the state folder", () => {
  it("the state folder and its files are created for their owner alone", async () => {
    const disk = await FsDisk.open(folder);
    await disk.append("journal", bytes("a"));
    await disk.replace("intent/1.yaml", bytes("b"));
    const modes = ["", "journal", "intent", "intent/1.yaml"].map(async (name) =>
      ((await stat(join(folder, name))).mode & 0o777).toString(8),
    );
    expect(await Promise.all(modes)).toEqual(["700", "600", "700", "600"]);
  });

  it("the state folder reads, appends, replaces and lists files", async () => {
    const disk = await FsDisk.open(folder);
    expect(await disk.read("journal")).toBeUndefined();
    expect(await disk.read("intent/1.yaml")).toBeUndefined();
    await Promise.all(["a", "b", "c"].map((part) => disk.append("journal", bytes(part))));
    await Promise.all(["x", "yy"].map((part) => disk.replace("intent/2", bytes(part))));
    await disk.replace("intent/10", bytes("z"));
    expect(text(await disk.read("journal"))).toBe("abc");
    expect(text(await disk.read("intent/2"))).toBe("yy");
    expect(await disk.list("")).toEqual(["intent/10", "intent/2", "journal"]);
    expect(await disk.list("intent/")).toEqual(["intent/10", "intent/2"]);
  });

  it("a file that a crash left aside is overwritten, and never listed", async () => {
    const disk = await FsDisk.open(folder);
    await writeFile(join(folder, "journal~"), "half");
    expect(await disk.list("")).toEqual([]);
    await disk.replace("journal", bytes("whole"));
    expect(await readdir(folder)).toEqual(["journal"]);
    expect(text(await disk.read("journal"))).toBe("whole");
  });

  it.each([
    "",
    "..",
    "../journal",
    "a/b/c",
    "/etc/passwd",
    "a/../b",
    "A",
    ".hidden",
    "a~",
    "a\n",
    "a\0",
    "a//b",
    "x".repeat(101),
  ])("the state folder refuses %j as a file name", async (name) => {
    const disk = await FsDisk.open(folder);
    await expect(disk.read(name)).rejects.toThrow(TypeError);
    expect(() => disk.append(name, bytes("a"))).toThrow(TypeError);
    expect(() => disk.replace(name, bytes("a"))).toThrow(TypeError);
  });

  it("a failed write is journal.full with effect none", async () => {
    const disk = await FsDisk.open(folder);
    await mkdir(join(folder, "journal"));
    const failure = { code: "journal.full", effect: "none", where: join(folder, "journal") };
    await expect(disk.append("journal", bytes("a"))).rejects.toMatchObject(failure);
    await expect(disk.replace("journal", bytes("a"))).rejects.toMatchObject(failure);
    await rm(join(folder, "journal"), { recursive: true });
    await disk.append("journal", bytes("b"));
    expect(text(await disk.read("journal"))).toBe("b");
  });
});

describe("a planted trap (T40)", () => {
  const outside = (): string => join(base, "outside");
  beforeEach(async () => {
    await FsDisk.open(folder);
    await writeFile(outside(), "theirs", { mode: 0o600 });
  });

  it("a symbolic link in place of a file is not followed", async () => {
    const disk = await FsDisk.open(folder);
    await symlink(outside(), join(folder, "journal"));
    await expect(disk.read("journal")).rejects.toMatchObject({ code: "usage" });
    await expect(disk.append("journal", bytes("a"))).rejects.toMatchObject({ code: "usage" });
    await disk.replace("journal", bytes("ours"));
    expect(text(await disk.read("journal"))).toBe("ours");
    expect(await readFile(outside(), "utf8")).toBe("theirs");
  });

  it("a symbolic link in place of the temporary file is not written through", async () => {
    const disk = await FsDisk.open(folder);
    await symlink(outside(), join(folder, "journal~"));
    await disk.replace("journal", bytes("ours"));
    expect(await readFile(outside(), "utf8")).toBe("theirs");
  });

  it("a file that is a hard link, or open to others, is refused", async () => {
    const disk = await FsDisk.open(folder);
    await link(outside(), join(folder, "journal"));
    await expect(disk.append("journal", bytes("a"))).rejects.toMatchObject({ code: "usage" });
    await writeFile(join(folder, "other"), "x");
    await chmod(join(folder, "other"), 0o622);
    await expect(disk.read("other")).rejects.toMatchObject({ code: "usage" });
    expect(await readFile(outside(), "utf8")).toBe("theirs");
  });

  it("a link in place of a folder is refused", async () => {
    const disk = await FsDisk.open(folder);
    await mkdir(join(base, "elsewhere"), { mode: 0o700 });
    await writeFile(join(base, "elsewhere/1"), "theirs");
    await symlink(join(base, "elsewhere"), join(folder, "intent"));
    await expect(disk.read("intent/1")).rejects.toMatchObject({ code: "usage" });
    await expect(disk.replace("intent/1", bytes("a"))).rejects.toMatchObject({ code: "usage" });
    expect(await disk.list("intent/")).toEqual([]);
    expect(await readdir(join(base, "elsewhere"))).toEqual(["1"]);
  });

  it.each([
    ["open to others", 0o755],
    ["writable for its group", 0o770],
  ])("a state folder that is %s is refused", async (_name, mode) => {
    await chmod(folder, mode);
    await expect(FsDisk.open(folder)).rejects.toMatchObject({ code: "usage", effect: "none" });
  });

  it("a state folder below one that others can write is refused, unless it is sticky", async () => {
    await chmod(base, 0o777);
    await expect(FsDisk.open(folder)).rejects.toMatchObject({ code: "usage" });
    await chmod(base, 0o1777);
    await FsDisk.open(folder);
  });

  it("a state folder that is a link or a file is refused", async () => {
    await symlink(folder, join(base, "linked"));
    await expect(FsDisk.open(join(base, "linked"))).rejects.toMatchObject({ code: "usage" });
    await expect(FsDisk.open(outside())).rejects.toMatchObject({ code: "usage" });
  });

  it("other users may pass through a folder for sockets, and may not write to it", async () => {
    await chmod(folder, 0o755);
    await openFolder(folder, "reachable");
    await chmod(folder, 0o775);
    await expect(openFolder(folder, "reachable")).rejects.toMatchObject({ code: "usage" });
  });
});

describe("the host key", () => {
  beforeEach(() => openFolder(folder, "private"));

  it("the host key is made once, 32 bytes, for its owner alone", async () => {
    using first = await openHostKey(folder);
    using second = await openHostKey(folder);
    expect(first.byteLength).toBe(32);
    expect(first.equals(second)).toBe(true);
    expect((await stat(join(folder, "host.key"))).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(["host.key"]);
  });

  it("the host key differs from the report key, which is stored alike", async () => {
    using host = await openHostKey(folder);
    using report = await openReportKey(folder);
    using again = await openReportKey(folder);
    expect([report.equals(host), report.equals(again)]).toEqual([false, true]);
    expect((await stat(join(folder, "report.key"))).mode & 0o777).toBe(0o600);
  });

  it("the host key survives a file that a crash left aside", async () => {
    await writeFile(join(folder, "host.key~"), "half");
    using key = await openHostKey(folder);
    expect(key.byteLength).toBe(32);
  });

  it("a host key is read whose agent was killed before it had one name", async () => {
    using first = await openHostKey(folder);
    await link(join(folder, "host.key"), join(folder, "host.key~"));
    using key = await openHostKey(folder);
    expect(key.equals(first)).toBe(true);
    expect(await readdir(folder)).toEqual(["host.key"]);
  });

  it("a host key that is short or open to others is refused, never made anew", async () => {
    (await openHostKey(folder))[Symbol.dispose]();
    await chmod(join(folder, "host.key"), 0o640);
    await expect(openHostKey(folder)).rejects.toMatchObject({ code: "usage" });
    await chmod(join(folder, "host.key"), 0o600);
    await truncate(join(folder, "host.key"), 31);
    await expect(openHostKey(folder)).rejects.toMatchObject({ code: "usage", effect: "none" });
  });

  it("the host id is the same each time", async () => {
    expect(await readHostId()).toMatch(/^[0-9a-f]{16}$/);
    expect(await readHostId()).toBe(await readHostId());
  });
});
