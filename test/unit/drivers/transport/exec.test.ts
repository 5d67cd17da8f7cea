import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { replyBytesMax, runProgram } from "#drivers/transport/exec.ts";
import { LinksealError } from "#hal/error.ts";
import { noPrograms } from "#hal/world.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (octets: Uint8Array): string => new TextDecoder("latin1").decode(octets);
const soon = (): AbortSignal => AbortSignal.timeout(20_000);
const sh = (script: string, stdin = "", signal = soon()) =>
  runProgram(["sh", "-c", script], bytes(stdin), signal);

async function refusal(run: Promise<unknown>): Promise<LinksealError> {
  const error = await run.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!(error instanceof LinksealError)) throw new Error(`not refused: ${String(error)}`);
  return error;
}

describe("local programs", () => {
  it("a program reads standard input, and its outputs and status are returned", async () => {
    const reply = await sh("cat; printf 'no\\377' >&2; exit 7", "one\0two");
    expect(text(reply.stdout)).toBe("one\0two");
    expect(text(reply.stderr)).toBe("no\xff");
    expect(reply.status).toBe(7);
    expect((await sh("kill -9 $$")).status).toBe(137);
  });

  it("a program gets each argument as it is, without a shell", async () => {
    const odd = ["$(id)", "a b", "", "*", "'", '"', "-n", "\n", ";"];
    const reply = await runProgram(["printf", "%s\\0", ...odd], bytes(""), soon());
    expect(text(reply.stdout).split("\0").slice(0, -1)).toEqual(odd);
  });

  it("a program knows nothing of our environment and folder", async () => {
    process.env["LINKSEAL_CANARY"] = "canary";
    const reply = await sh("env; pwd");
    delete process.env["LINKSEAL_CANARY"];
    expect(text(reply.stdout)).not.toContain("canary");
    expect(text(reply.stdout).split("\n").sort()).toEqual(
      ["", "/", "HOME=/", "LC_ALL=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "PWD=/"].sort(),
    );
  });

  it("a program may leave its input unread", async () => {
    const reply = await sh("exit 0", "x".repeat(1_000_000));
    expect(reply.status).toBe(0);
  });

  it("a program ends at the deadline with all that it started", async () => {
    const folder = mkdtempSync(join(tmpdir(), "linkseal-exec-"));
    const mark = join(folder, "pid");
    const over = new Error("over");
    const limit = new AbortController();
    const run = sh(`sleep 600 & echo $! > '${mark}'; wait`, "", limit.signal);
    const pid = await waitFor(() => Number(readFileSync(mark, "utf8")));
    limit.abort(over);
    await expect(run).rejects.toBe(over);
    await waitFor(() => (isGone(pid) ? 1 : 0));
    rmSync(folder, { recursive: true });
  });

  it("a program is not started if the wait was aborted already", async () => {
    await expect(sh("true", "", AbortSignal.abort("over"))).rejects.toBe("over");
  });

  it("a program leaves nothing behind that keeps its outputs open", async () => {
    const run = sh("sleep 600 & echo $!", "", AbortSignal.timeout(2000));
    await expect(run).rejects.toThrow("timeout");
  });

  it("a missing program or an impossible argument is refused by name", async () => {
    const none = await refusal(runProgram(["/nowhere/program"], bytes(""), soon()));
    expect(none).toMatchObject({ code: "transport.unreachable", effect: "none" });
    expect(none.where).toBe("/nowhere/program");
    const odd = await refusal(runProgram(["true", "a\0b"], bytes(""), soon()));
    expect(odd).toMatchObject({ code: "device.rejected", effect: "none" });
    const nothing = await refusal(noPrograms(["true"], bytes(""), soon()));
    expect(nothing).toMatchObject({ code: "device.unsupported", effect: "none" });
  });

  it("a program that prints too much is ended", async () => {
    const loud = await refusal(sh(`yes | head -c ${replyBytesMax + 1}; sleep 600`));
    expect(loud).toMatchObject({ code: "transport.closed", effect: "unknown" });
  });
});

async function waitFor(look: () => number): Promise<number> {
  const end = performance.now() + 20_000;
  for (;;) {
    try {
      const observed = look();
      if (observed > 0) return observed;
    } catch {
      // Not there yet.
    }
    if (performance.now() > end) throw new Error("it did not come about in 20 s");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // No parent may be there to collect one that has ended.
    return readFileSync(`/proc/${pid}/stat`, "latin1").includes(") Z ");
  } catch {
    return true;
  }
}
