import { describe, expect, it } from "vitest";
import { IntentStore } from "#agent/store/intent/intent.ts";
import { unifiedDiff } from "#agent/store/intent/line-diff.ts";
import { LinksealError } from "#hal/error.ts";
import type { Disk, WallTime } from "#hal/world.ts";
import { siteConfig } from "../../kit/site-config.ts";

const at = 1_764_000_000_000 as WallTime;
const second = siteConfig.replace("site: demo", "site: dublin");
const third = siteConfig.replace("repair: off", "repair: on");

type Files = Map<string, Uint8Array>;
type Fate = "works" | "diesBefore" | "diesAfter" | "failsBefore" | "failsAfter";

/** Memory with a script: which call dies (never answers) or fails, before or after its effect. */
class ScriptedDisk implements Disk {
  readonly files: Files;
  calls = 0;
  readonly #fate: (call: number, verb: "read" | "replace") => Fate;

  constructor(
    files: Files,
    fate: (call: number, verb: "read" | "replace") => Fate = () => "works",
  ) {
    this.files = files;
    this.#fate = fate;
  }

  read(name: string): Promise<Uint8Array | undefined> {
    return this.#call("read", () => this.files.get(name)?.slice());
  }

  replace(name: string, bytes: Uint8Array): Promise<void> {
    return this.#call("replace", () => void this.files.set(name, bytes.slice()));
  }

  list(): Promise<readonly string[]> {
    return Promise.reject(new Error("not needed"));
  }

  append(): Promise<void> {
    return Promise.reject(new Error("not needed"));
  }

  #call<T>(verb: "read" | "replace", effect: () => T): Promise<T> {
    this.calls += 1;
    const fate = this.#fate(this.calls, verb);
    if (fate === "diesBefore") return new Promise(() => {});
    if (fate === "failsBefore") return Promise.reject(new Error("disk"));
    const result = effect();
    if (fate === "diesAfter") return new Promise(() => {});
    return fate === "failsAfter" ? Promise.reject(new Error("disk")) : Promise.resolve(result);
  }
}

async function stored(...texts: readonly string[]): Promise<Files> {
  const disk = new ScriptedDisk(new Map());
  const store = await IntentStore.open(disk);
  for (const text of texts) await store.accept(text, "admin", at);
  return disk.files;
}

const open = (files: Files): Promise<IntentStore> => IntentStore.open(new ScriptedDisk(files));

async function errorOf(f: () => unknown): Promise<LinksealError> {
  try {
    await f();
  } catch (error) {
    if (error instanceof LinksealError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("an accepted intent", () => {
  it("an accepted intent is numbered, hashed, in force, and survives a restart", async () => {
    const disk = new ScriptedDisk(new Map());
    const store = await IntentStore.open(disk);
    expect(store.current()).toBeUndefined();
    await store.accept(siteConfig, "admin", at);
    const intent = await store.accept(second, "uid 1000", at);
    expect(intent).toMatchObject({ number: 2, who: "uid 1000", at, text: second });
    expect(intent.sha256).toMatch(/^[0-9a-f]{64}$/);
    const reopened = await open(disk.files);
    expect(reopened.current()).toEqual(intent);
    expect(reopened.history()).toEqual(store.history());
    expect([...disk.files.keys()].sort()).toEqual([
      "intent/0001.yaml",
      "intent/0002.yaml",
      "intent/index.json",
    ]);
  });

  it("an accepted intent is never lost to a bad text", async () => {
    const files = await stored(siteConfig);
    const before = structuredClone([...files]);
    const store = await open(files);
    const error = await errorOf(() => store.accept("site: x", "admin", at));
    expect(error).toMatchObject({ code: "config.invalid", effect: "none" });
    expect(error.message).toContain("intent/0002.yaml:1:1 version: is missing");
    expect([...files]).toEqual(before);
    expect(store.current()?.number).toBe(1);
  });

  it("two intents accepted at once get two numbers", async () => {
    const files = await stored();
    const store = await open(files);
    const both = [store.accept(siteConfig, "a", at), store.accept(second, "b", at)];
    expect((await Promise.all(both)).map(({ number }) => number)).toEqual([1, 2]);
    expect((await open(files)).current()?.text).toBe(second);
  });

  it("of two configs in the place of the same one, the second is refused", async () => {
    const store = await open(await stored(siteConfig));
    const first = store.accept(second, "a", at, 1);
    const error = await errorOf(() => store.accept(siteConfig, "b", at, 1));
    expect(error).toMatchObject({ code: "gate.planChanged", effect: "none" });
    expect((await first).number).toBe(2);
    expect(store.history()).toHaveLength(2);
  });

  it("a rollback gets a new number with the old text", async () => {
    const store = await open(await stored(siteConfig, second));
    const intent = await store.rollback(1, "admin", at);
    expect(intent).toMatchObject({ number: 3, text: siteConfig });
    expect(store.text(3)).toBe(store.text(1));
    expect(store.text(4)).toBeUndefined();
    const error = await errorOf(() => store.rollback(9, "admin", at));
    expect(error).toMatchObject({ code: "usage", effect: "none" });
  });

  it("the difference of two intents is by lines", async () => {
    const store = await open(await stored(siteConfig, second));
    expect(store.diff(1, 2)).toBe(
      [
        "--- intent/0001.yaml",
        "+++ intent/0002.yaml",
        "@@ -1,5 +1,5 @@",
        " version: 1",
        "-site: demo",
        "+site: dublin",
        " azure:",
        "   cloud: sim",
        "   vault: unix:/run/site.sock",
        "",
      ].join("\n"),
    );
    expect(store.diff(1, 1)).toBe("");
  });
});

describe("accepted configs without end", () => {
  /** A config of about 900,000 characters. */
  const long = (n: number): string => `${siteConfig}# ${n} ${"x".repeat(900_000)}\n`;
  const kept = (store: IntentStore): readonly number[] =>
    store.history().flatMap(({ number }) => {
      try {
        return store.text(number) === undefined ? [] : [number];
      } catch {
        return [];
      }
    });

  it("lose their oldest texts, but none that a link needs; they were kept for ever", async () => {
    const files: Files = new Map();
    const store = await open(files);
    const octets = (): number => [...files.values()].reduce((sum, { length }) => sum + length, 0);
    for (let n = 1; n <= 40; n += 1) {
      await store.accept(long(n), "admin", at);
      await store.dropOld(new Set([2, 3]));
      expect(octets()).toBeLessThan(17_000_000);
    }
    const all = [2, 3, ...Array.from({ length: 15 }, (_, n) => 26 + n)];
    expect(kept(store)).toEqual(all);
    const reopened = await open(files);
    expect(kept(reopened)).toEqual(all);
    expect(reopened.history()).toHaveLength(40);
    expect(reopened.current()?.number).toBe(40);
    expect(reopened.desired(1)).toBeUndefined();
    const error = await errorOf(() => reopened.rollback(1, "admin", at));
    expect(error).toMatchObject({ code: "usage", effect: "none", next: "linkseal config history" });
    expect(error.message).toContain(`its SHA-256 is ${store.history()[0]?.sha256}`);
    expect((await reopened.rollback(39, "admin", at)).number).toBe(41);
  });

  it("keep all texts of a usual site", async () => {
    const store = await open(await stored(siteConfig, second, third));
    await store.dropOld(new Set());
    expect(kept(store)).toEqual([1, 2, 3]);
  });

  it("keep a text that a failing disk does not drop", async () => {
    const files: Files = new Map();
    const store = await open(files);
    for (let n = 1; n <= 19; n += 1) await store.accept(long(n), "admin", at);
    const failing = new ScriptedDisk(files, (_, verb) =>
      verb === "replace" ? "failsBefore" : "works",
    );
    const later = await IntentStore.open(failing);
    await expect(later.dropOld(new Set())).rejects.toThrow("disk");
    expect(kept(later)).toHaveLength(19);
    await store.dropOld(new Set());
    expect(kept(await open(files))).toHaveLength(17);
  });
});

describe("a crash at any disk call leaves the old or the new intent, whole", () => {
  const calls = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  const cases = calls.flatMap((call) =>
    (["diesBefore", "diesAfter"] as const).map((f) => [call, f]),
  );

  it.each(cases)(
    "a crash in which disk call %s %s leaves the old or the new intent, whole",
    async (call, fate) => {
      const files = await stored(siteConfig);
      const disk = new ScriptedDisk(files, (n) => (n === call ? (fate as Fate) : "works"));
      const work = IntentStore.open(disk).then((store) => store.accept(second, "admin", at));
      const done = await Promise.race([work.then(() => true), settled()]);
      const after = (await open(files)).current();
      expect(done ? [second] : [siteConfig, second]).toContain(after?.text);
      // The next apply works, whatever was left behind.
      const next = await (await open(files)).accept(third, "admin", at);
      expect((await open(files)).current()).toEqual(next);
    },
  );

  it("the crash cases reach the last disk call of an accept", async () => {
    const disk = new ScriptedDisk(await stored(siteConfig));
    await (await IntentStore.open(disk)).accept(second, "admin", at);
    expect(disk.calls).toBeLessThanOrEqual(calls.length);
    expect(disk.calls).toBeGreaterThan(4);
  });
});

// Far more turns than the longest chain of a store without an obstacle.
async function settled(): Promise<false> {
  for (let turn = 0; turn < 200; turn += 1) await Promise.resolve();
  return false;
}

describe("a disk that fails while an intent is stored", () => {
  const failing = async (script: (replaces: number, verb: string) => Fate) => {
    const files = await stored(siteConfig);
    let replaces = 0;
    const disk = new ScriptedDisk(files, (_, verb) => {
      if (verb === "replace") replaces += 1;
      return script(replaces, verb);
    });
    return { files, store: await IntentStore.open(disk) };
  };

  it.each([
    ["before the index is written: the old one", "failsBefore", 1],
    ["after it was: the new one, as a restart would see", "failsAfter", 2],
  ] as const)("%s", async (_name, fate, number) => {
    const { files, store } = await failing((n, verb) =>
      verb === "replace" && n === 2 ? fate : "works",
    );
    const outcome = await store.accept(second, "admin", at).then(
      () => "stored",
      (error: LinksealError) => `${error.code} ${error.effect}`,
    );
    expect(outcome).toBe(number === 2 ? "stored" : "journal.full none");
    expect(store.current()?.number).toBe(number);
    expect((await open(files)).current()?.number).toBe(number);
  });

  it("an intent whose write fails on an unreadable disk has the effect unknown", async () => {
    const { store } = await failing((n) => (n === 2 ? "failsAfter" : "works"));
    const error = await errorOf(() => store.accept(second, "admin", at));
    expect(error).toMatchObject({ code: "journal.full", effect: "unknown" });
  });

  it("an intent whose text reads back differently is not put in force", async () => {
    const files = await stored(siteConfig);
    const lying = new ScriptedDisk(files);
    lying.replace = async (name, bytes) => {
      files.set(name, bytes.slice(0, -5));
    };
    const store = await IntentStore.open(lying);
    const error = await errorOf(() => store.accept(second, "admin", at));
    expect(error).toMatchObject({ code: "journal.corrupt", where: "intent/0002.yaml" });
    expect((await open(files)).current()?.number).toBe(1);
  });
});

describe("damage is named and nothing is acted on", () => {
  it.each(["intent/0002.yaml", "intent/index.json"])(
    "every changed octet of %s is detected, and nothing is acted on",
    async (name) => {
      const whole = await stored(siteConfig, second);
      const size = whole.get(name)?.length ?? 0;
      const seen = new Set<string>();
      for (let index = 0; index < size; index += 1) {
        const files = new Map([...whole].map(([key, bytes]) => [key, bytes.slice()]));
        const bytes = files.get(name);
        if (bytes !== undefined) bytes[index] = (bytes[index] ?? 0) ^ 1;
        const error = await errorOf(async () => (await open(files)).current());
        seen.add(`${error.code} ${error.where}`);
      }
      expect([...seen]).toEqual([`journal.corrupt ${name}`]);
      expect(size).toBeGreaterThan(100);
    },
  );

  it.each([
    [
      "the newest text is gone",
      (files: Files) => files.delete("intent/0003.yaml"),
      "intent/0003.yaml",
    ],
    ["the index is gone", (files: Files) => files.delete("intent/index.json"), "intent/index.json"],
  ])("%s", async (_name, harm, where) => {
    const files = await stored(siteConfig, second, third);
    harm(files);
    const error = await errorOf(async () => (await open(files)).current());
    expect(error).toMatchObject({ code: "journal.corrupt", effect: "none", where });
  });

  it("A3: a damaged index opens, and takes no config: its newest number is unknown", async () => {
    const files = await stored(siteConfig, second);
    const index = new TextDecoder().decode(files.get("intent/index.json"));
    const other = index.replace('"number": 2', '"number": 3');
    files.set("intent/index.json", new TextEncoder().encode(other));
    const store = await open(files);
    expect(store.damage?.message).toBe("intent/index.json is damaged; nothing is changed");
    expect(await errorOf(() => store.accept(third, "admin", at))).toBe(store.damage);
    expect(files.has("intent/0003.yaml")).toBe(false);
  });

  it("an intent index that is two steps old is detected", async () => {
    const early = await stored(siteConfig);
    const files = await stored(siteConfig, second, third);
    files.set("intent/index.json", early.get("intent/index.json") ?? new Uint8Array());
    const error = await errorOf(async () => (await open(files)).current());
    expect(error.message).toContain("lacks intent/0003.yaml");
  });

  it("a damaged older text leaves the newest in force, and cannot be rolled back to", async () => {
    const files = await stored(siteConfig, second);
    files.set("intent/0001.yaml", new TextEncoder().encode(third));
    const store = await open(files);
    expect(store.current()?.number).toBe(2);
    const error = await errorOf(() => store.rollback(1, "admin", at));
    expect(error).toMatchObject({ code: "journal.corrupt", where: "intent/0001.yaml" });
  });

  it("a new apply heals a damaged newest text", async () => {
    const files = await stored(siteConfig, second);
    files.delete("intent/0002.yaml");
    const store = await open(files);
    await store.accept(third, "admin", at);
    expect((await open(files)).current()?.number).toBe(3);
  });
});

describe("unified differences", () => {
  const numbered = Array.from({ length: 30 }, (_, i) => `line ${i + 1}`);
  const edited = (edits: Readonly<Record<number, readonly string[]>>): string =>
    numbered.flatMap((line, i) => edits[i + 1] ?? [line]).join("\n");
  const marks = (text: string): string[] => text.split("\n").filter((line) => /^[-+@]/.test(line));

  it.each([
    ["a line added at the end", { 30: ["line 30", "x"] }, ["@@ -28,3 +28,4 @@", "+x"]],
    ["a line removed at the start", { 1: [] }, ["@@ -1,4 +1,3 @@", "-line 1"]],
    [
      "far edits in two hunks",
      { 5: ["five"], 20: [] },
      ["@@ -2,7 +2,7 @@", "-line 5", "+five", "@@ -17,7 +17,6 @@", "-line 20"],
    ],
    [
      "near edits in one",
      { 5: ["five"], 9: ["nine"] },
      ["@@ -2,11 +2,11 @@", "-line 5", "+five", "-line 9", "+nine"],
    ],
  ])("%s", (_name, edits, says) => {
    const text = unifiedDiff("a", numbered.join("\n"), "b", edited(edits));
    expect(marks(text)).toEqual(["--- a", "+++ b", ...says]);
  });

  it("two large texts without a common line take no quadratic memory", () => {
    const text = (mark: string): string =>
      Array.from({ length: 20_000 }, (_, i) => mark + i).join("\n");
    const lines = marks(unifiedDiff("a", text("x"), "b", text("y")));
    expect(lines).toHaveLength(40_003);
  });
});
