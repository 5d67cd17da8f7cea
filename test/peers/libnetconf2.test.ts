// Our NETCONF client with a server on libnetconf2, which this test compiles.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Netconf } from "#drivers/transport/netconf.ts";
import { Shells } from "#drivers/transport/shell.ts";
import { element, elementWith, everyOf, textOf, type XmlOut } from "#drivers/transport/xml.ts";
import { LinksealError } from "#hal/error.ts";
import type { Target } from "#hal/target.ts";
import type { ByteChannel } from "#hal/world.ts";
import { firstLine } from "../first-line.ts";
import { run } from "./run.ts";

const never = new AbortController().signal;
const base11 = "urn:ietf:params:netconf:base:1.1";
const candidate = element("target", element("candidate"));

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Neither end learns that the other knows the newer framing. */
function older(inner: ByteChannel): ByteChannel {
  const hide = (text: string): string => text.replaceAll(base11, "urn:example:not-this-one-at-all");
  return {
    write: (text, signal) =>
      inner.write(
        text.map((part) => (typeof part === "string" ? hide(part) : part)),
        signal,
      ),
    async read(signal) {
      const octets = await inner.read(signal);
      return octets && Buffer.from(hide(Buffer.from(octets).toString("latin1")), "latin1");
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}

const port = (...leaves: readonly XmlOut[]): XmlOut =>
  elementWith("port", { xmlns: "urn:example:peer" }, ...leaves);
const edit = (...leaves: readonly XmlOut[]): XmlOut =>
  element("edit-config", candidate, element("config", port(...leaves)));

describe("a server on libnetconf2", () => {
  let folder: string;
  let server: ChildProcess;
  let shells: Shells;
  let target: Target;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "linkseal-libnetconf2-"));
    const [program, hostKey, login] = ["server", "host", "login"].map((name) => join(folder, name));
    const source = join(import.meta.dirname, "libnetconf2-server.c");
    const flags = ["-Wall", "-Wextra", "-Werror", "-O1", "-lnetconf2", "-lyang"];
    const built = await run(["gcc", "-o", program ?? "", source, ...flags], "");
    if (built.status !== 0) throw new Error(built.stderr);
    const keygen = ["ssh-keygen", "-q", "-N", "", "-f"];
    await run([...keygen, hostKey ?? "", "-t", "ecdsa", "-m", "PEM"], "");
    await run([...keygen, login ?? "", "-t", "ed25519"], "");
    const at = await freePort();
    const argv = [String(at), hostKey ?? "", `${login}.pub`];
    server = spawn(program ?? "", argv, { stdio: ["ignore", "pipe", "inherit"] });
    if (server.stdout === null) throw new Error("it says nothing");
    await firstLine(server.stdout);
    const shown = await run(["ssh-keygen", "-l", "-f", `${hostKey}.pub`], "");
    const pin = /SHA256:\S+/.exec(shown.stdout)?.[0] ?? "";
    shells = new Shells({
      key: (path) => readFile(path),
      knownHosts: async () => "",
      agentSocket: () => undefined,
    });
    const ssh = { user: "linkseal", port: at, key: login ?? "", hostKey: pin };
    target = { device: "edge-a", address: "127.0.0.1", ssh };
  });
  afterAll(async () => {
    await shells[Symbol.asyncDispose]();
    const ended = once(server, "exit");
    server.kill("SIGKILL");
    await ended;
    await rm(folder, { recursive: true });
  });

  const open = async (over: (channel: ByteChannel) => ByteChannel = (same) => same) => {
    const channel = over(await shells.channel(target, "netconf", never));
    const options = { where: "edge-a", onChange: () => undefined, marks: [] };
    return await Netconf.open(channel, options, never);
  };
  const call = (session: Netconf, operation: XmlOut) => session.call(operation, "unknown", never);
  const noteIn = async (session: Netconf, source = "running"): Promise<string | undefined> => {
    const reply = await call(session, element("get-config", element("source", element(source))));
    const [found] = everyOf(reply, "port");
    return found && textOf(found, "note");
  };
  const refusal = async (asked: Promise<unknown>): Promise<LinksealError> => {
    const error: unknown = await asked.catch((thrown: unknown) => thrown);
    if (error instanceof LinksealError) return error;
    throw new Error("it was not refused");
  };

  it.each([
    ["chunks", (same: ByteChannel) => same],
    ["an end of message", older],
  ] as const)(
    "our client and libnetconf2 lock, edit, commit and discard, framed by %s",
    async (_name, over) => {
      await using session = await open(over);
      expect(session.capabilities.has(base11)).toBe(over !== older);
      const note = `${_name} & <äöü> ]]>`;
      await call(session, element("lock", candidate));
      await call(session, edit(element("note", note)));
      expect(await noteIn(session, "candidate")).toBe(note);
      expect(await noteIn(session)).not.toBe(note);
      await call(session, element("commit"));
      expect(await noteIn(session)).toBe(note);
      await call(session, edit(element("note", "not this")));
      await call(session, element("discard-changes"));
      expect(await noteIn(session, "candidate")).toBe(note);
      await call(session, element("unlock", candidate));
    },
  );

  it("twenty requests sent at once get one reply each", async () => {
    await using session = await open();
    const notes = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        noteIn(session, index % 2 === 0 ? "running" : "candidate"),
      ),
    );
    expect(new Set(notes).size).toBe(1);
  });

  it("a large configuration is sent in pieces, both ways", async () => {
    await using session = await open();
    const note = "x".repeat(300_000);
    await call(session, edit(element("note", note)));
    expect(await noteIn(session, "candidate")).toBe(note);
    await call(session, element("discard-changes"));
  });

  it("a lock that another session holds is refused, until that session ends", async () => {
    await using waiting = await open();
    {
      await using holder = await open();
      await call(holder, element("lock", candidate));
      const error = await refusal(call(waiting, element("lock", candidate)));
      expect([error.code, error.effect]).toEqual(["device.locked", "none"]);
      const edited = await refusal(call(waiting, edit(element("note", "mine"))));
      expect(edited.code).toBe("device.locked");
    }
    await expect
      .poll(() => call(waiting, element("lock", candidate)).then(() => "held", String), {
        timeout: 10_000,
      })
      .toBe("held");
    await call(waiting, element("unlock", candidate));
  });

  it("a refused and an unknown request have their reasons", async () => {
    await using session = await open();
    const bad = await refusal(call(session, edit(element("mtu", "17"))));
    expect([bad.code, bad.effect]).toEqual(["device.rejected", "none"]);
    const unknown = await refusal(call(session, edit(element("colour", "blue"))));
    expect(unknown.code).toBe("device.rejected");
    const kill = element("kill-session", element("session-id", "99"));
    const unsupported = await refusal(call(session, kill));
    expect([unsupported.code, unsupported.next]).toEqual([
      "device.unsupported",
      "linkseal driver list",
    ]);
    expect(await noteIn(session)).toBeDefined();
  });

  it("a confirmed commit reverts by itself, or is cancelled by its name", async () => {
    await using session = await open();
    const before = await noteIn(session);
    const commit = (...words: readonly XmlOut[]) => call(session, element("commit", ...words));
    const confirmed = (seconds: number) => [
      element("confirmed"),
      element("confirm-timeout", String(seconds)),
    ];
    await call(session, edit(element("note", "for a while")));
    await commit(...confirmed(2));
    expect(await noteIn(session)).toBe("for a while");
    await expect.poll(() => noteIn(session), { timeout: 10_000 }).toBe(before);
    const named = element("persist", "ours");
    await call(session, edit(element("note", "named")));
    await commit(...confirmed(60), named);
    {
      await using other = await open();
      const foreign = await refusal(call(other, element("commit")));
      expect(foreign.code).toBe("device.rejected");
      await call(other, element("cancel-commit", element("persist-id", "ours")));
    }
    expect(await noteIn(session)).toBe(before);
    await call(session, edit(element("note", "kept")));
    await commit(...confirmed(60), named);
    {
      await using other = await open();
      await call(other, element("commit", element("persist-id", "ours")));
    }
    expect(await noteIn(session)).toBe("kept");
  });
});
