// `linkseal driver read` and `linkseal driver check --read-only`, as an operator runs them: on
// files, and on simulated routers behind SSH.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { hostKeyPair } from "#sim/serve/ssh.ts";
import { Program } from "./program.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");
const folder = realpathSync(mkdtempSync(join(tmpdir(), "linkseal-read-")));
const env = { ...process.env, LINKSEAL_HOME: folder };
afterAll(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

async function linkseal(words: readonly string[], input = ""): Promise<Ended> {
  const child = spawn(process.execPath, [command, ...words], { env });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  child.stdin.end(input);
  await new Program(child).ended;
  return { status: child.exitCode, out, err };
}

const read = (...words: readonly string[]): Promise<Ended> =>
  linkseal(["driver", "read", ...words]);

const clock = join(folder, "clock.txt");
writeFileSync(clock, "edge-a#show clock\r\n18:00:00.000 UTC Wed Nov 25 2026\r\nedge-a#");

describe("linkseal driver edits", () => {
  it("every text for a platform is printed, with words in the place of keys", async () => {
    const about = ["--driver", "junos", "--model", "ptx10008", "--release", "24.4R1-EVO"];
    const { status, out, err } = await linkseal(["driver", "edits", ...about, "--json"]);
    const list = JSON.parse(out);
    expect([status, err, list.schema]).toEqual([0, "", "linkseal.edits/1"]);
    expect(list.platform).toEqual({ driver: "junos", model: "ptx10008", release: "24.4R1-EVO" });
    const words = new Set(list.edits.map(({ change }: { change: string }) => change.split(" ")[0]));
    expect([...words]).toEqual(expect.arrayContaining(["macsec.addKey", "port.drain"]));
    expect(out).toContain("<secret>KEY-OF-erd-next-cak</secret>");
    const text = await linkseal(["driver", "edits", ...about]);
    expect(text.out).toMatch(/^port\.shut \(netconf\)\n<edit-config>/m);
  });

  it("a platform that no source has MACsec for is named, and its other changes shown", async () => {
    const about = ["--driver", "iosxe", "--model", "C8000V", "--release", "17.12.1"];
    const { status, out, err } = await linkseal(["driver", "edits", ...about]);
    expect([status, err]).toEqual([0, expect.stringContaining("no source says")]);
    expect(out).toContain("ipsec.putTunnel for the first one (cli)\n");
    expect(out).not.toContain("macsec.");
  });

  it.each([
    ["a driver without texts", "linux", "x", "17.12.1", "sends texts"],
    ["a release that the driver does not know", "iosxe", "C8500", "next", "does not understand"],
    ["a release of several lines", "iosxe", "C8500", "17\n12", "one line"],
  ])("%s has exit status 2", async (_case, driver, model, release, says) => {
    const about = ["--driver", driver, "--model", model, "--release", release];
    const { status, err } = await linkseal(["driver", "edits", ...about]);
    expect([status, err]).toEqual([2, expect.stringContaining(says)]);
  });

  it.each([
    ["linux", "sends texts to a device"],
    ["junos", "depends on the model and the release"],
  ])("%s without a model has exit status 2 and its own reason (C15)", async (driver, says) => {
    const { status, err } = await linkseal(["driver", "edits", "--driver", driver]);
    expect([status, err]).toEqual([2, expect.stringContaining(says)]);
  });
});

describe("linkseal driver read", () => {
  it("a reply that is understood is shown, with exit status 0", async () => {
    const about = ["--release", "17.12.1", "--model", "C9500"];
    const { status, out } = await read(
      ...["--driver", "iosxe", ...about, "--query", "show clock", clock, "--json"],
    );
    expect([status, JSON.parse(out)]).toEqual([
      0,
      {
        schema: "linkseal.read/1",
        ...{ driver: "iosxe", release: "17.12.1", model: "C9500", query: "show clock" },
        understood: { time: "2026-11-25T18:00:00.000Z" },
        unknown: [],
      },
    ]);
  });

  it("a reply on standard input of which something is unknown has exit status 4", async () => {
    const words = ["--driver", "iosxe", "--query", "show version", "-"];
    const text = "Cisco IOS XE Software, Version 17.12.01\n";
    const { status, out } = await linkseal(["driver", "read", ...words], text);
    expect([status, out]).toEqual([4, expect.stringMatching(/unknown: \w+: not understood/)]);
    expect(out).toContain("version: 17.12.1");
  });

  it("a query that the driver does not send has exit status 2 and a hint", async () => {
    const { status, err } = await read("--driver", "iosxe", "--query", "show clocks", clock);
    expect([status, err]).toEqual([2, expect.stringContaining('did you mean "show clock"')]);
  });

  it.each([
    ["a driver without replies", ["--driver", "sim", "--list"], "no driver"],
    ["neither query nor list", ["--driver", "eos"], "it needs either"],
    [
      "a query and the list",
      ["--driver", "eos", "--list", "--query", "x", clock],
      "it needs either",
    ],
    [
      "a file that is missing",
      ["--driver", "eos", "--query", "show clock | json", "/no"],
      "ENOENT",
    ],
    ["a folder", ["--driver", "eos", "--query", "show clock | json", folder], "EISDIR"],
    ["no bundle", ["--driver", "eos", "--bundle", clock], "is no bundle"],
    [
      "a release of two lines",
      ["--driver", "iosxe", "--release", "1\n2", "--query", "show clock", clock],
      "release or model",
    ],
  ])("%s is refused with exit status 2", async (_what, words, text) => {
    const { status, err } = await read(...words);
    expect([status, err]).toEqual([2, expect.stringContaining(text)]);
  });

  it("text of a device cannot move the cursor", async () => {
    const file = join(folder, "hostile.txt");
    const name = "TenGigabitEthernet0/0/0";
    writeFileSync(
      file,
      "BGP neighbor is 192.0.2.1,  vrf \u202e\u0085X,  remote AS 12076, external link\n" +
        "  BGP state = Idle\n" +
        `  Last reset never\n${name}`,
    );
    const { out } = await read("--driver", "iosxe", "--query", "show bgp all neighbors", file);
    expect(out).toContain(String.raw`\u202eX 192.0.2.1:`);
    expect(/[\u0080-\u009f\u202e]/.test(out)).toBe(false);
  });

  it.each(["eos", "iosxe", "iosxr", "junos", "linux", "nxos"])(
    "the list of %s has each query with its purpose, its standing and its source",
    async (driver) => {
      const { status, out } = await read("--driver", driver, "--list", "--json");
      const { schema, queries } = JSON.parse(out) as {
        schema: string;
        queries: Record<string, string>[];
      };
      expect([status, schema]).toEqual([0, "linkseal.queries/1"]);
      expect(queries.length).toBeGreaterThan(10);
      for (const { name, purpose, standing, source } of queries) {
        expect(name).not.toBe("");
        expect(purpose).toMatch(/^[A-Z].*\.$/);
        expect(["confirmed", "documented", "inferred", "unknown"]).toContain(standing);
        expect(source).not.toBe("");
      }
      const text = await read("--driver", driver, "--list");
      for (const { purpose } of queries) expect(text.out).toContain(purpose);
    },
  );
});

describe("linkseal driver check --read-only", () => {
  const key = join(folder, "key");
  writeFileSync(key, hostKeyPair().private, { mode: 0o600 });

  it.each(["eos", "iosxe", "iosxr", "junos", "junos-srx", "nxos"])(
    "a simulated router behind SSH is understood, and its bundle is read again: %s",
    async (platform) => {
      const words = ["sim", "router", "--platform", platform, "--start", "protected"];
      const sim = new Program(
        spawn(process.execPath, [command, ...words], { env, stdio: ["ignore", "pipe", "pipe"] }),
      );
      try {
        await sim.until("config for an agent: ");
        await sim.until("yaml\n");
        const config = /config for an agent: (\S+)/.exec(sim.output)?.[1] ?? "";
        const text = readFileSync(config, "utf8").replaceAll("key: agent", `key: "file:${key}"`);
        const own = join(folder, `${platform}.yaml`);
        writeFileSync(own, text);
        const device = /^ {2}- name: (\S+)/m.exec(text)?.[1] ?? "";
        const bundle = join(folder, `${platform}.json`);
        const contact = ["driver", "check", own, "--read-only", "--device", device];
        const checked = await linkseal([...contact, "--bundle", bundle, "--json"]);
        const { schema, reads } = JSON.parse(checked.out) as {
          schema: string;
          reads: { query: string; unknown: object[] }[];
        };
        expect(schema).toBe("linkseal.reads/1");
        expect(checked.err).toContain("none changes it");
        const unknown = reads.filter((one) => one.unknown.length > 0);
        expect([checked.status, unknown]).toEqual([0, []]);
        expect(statSync(bundle).mode & 0o777).toBe(0o600);
        const driver = platform.replace("-srx", "");
        const again = await read("--driver", driver, "--bundle", bundle);
        expect([again.status, again.out]).toEqual([0, expect.stringContaining("as a whole")]);
        const kept = await linkseal([...contact, "--bundle", bundle]);
        expect([kept.status, kept.err]).toEqual([2, expect.stringContaining("EEXIST")]);
        const other = driver === "eos" ? "iosxe" : "eos";
        const wrong = await read("--driver", other, "--bundle", bundle);
        expect([wrong.status, wrong.err]).toEqual([2, expect.stringContaining("another driver")]);
      } finally {
        sim.child.kill("SIGTERM");
        await sim.ended;
      }
    },
  );

  it("a bundle without --read-only is refused before anything is sent", async () => {
    const words = ["driver", "check", "--device", "r1", "--bundle", join(folder, "none.json")];
    const { status, err } = await linkseal(words);
    expect([status, err]).toEqual([2, expect.stringContaining("--read-only")]);
  });
});
