import { describe, expect, it } from "vitest";
import { terminal } from "#drivers/iosxr/terminal.ts";
import { isToken, line } from "#drivers/transport/cli.ts";
import { LinksealError } from "#hal/error.ts";
import { preview, Secret } from "#hal/secret.ts";
import { host, never, openOn, puppetOf } from "./cli-kit.ts";

async function refusalOf(promise: Promise<unknown>): Promise<LinksealError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof LinksealError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

const show = [["show version"]];

describe("a command line", () => {
  it("a session learns its prompt, turns the pager off, and returns only the output", async () => {
    const puppet = puppetOf((command) =>
      command === "show version" ? "Wed Nov 25 18:00:00.123 UTC\r\nCisco IOS XR\r\n 7.9.2\r\n" : "",
    );
    const cli = await openOn(puppet);
    expect(await cli.run(show, "none", never)).toBe("Cisco IOS XR\n 7.9.2");
    expect(puppet.lines).toEqual(["terminal length 0", "terminal width 0", "show version"]);
    expect(cli.mode).toBe("#");
  });

  it("a session does not mistake a prompt in the greeting for its own", async () => {
    const puppet = puppetOf(() => "");
    puppet.greeting = `\r\nthe prompt here is\r\nRP/0/RP0/CPU0:other#\r\n`;
    const cli = await openOn(puppet);
    expect(await cli.run(show, "none", never)).toBe("");
    expect(cli.isOver).toBe(false);
  });

  it("a session returns what looks like its prompt as output, wherever a piece ends", async () => {
    const look = `a\r\n${host}#\r\nb\r\n${host}(config)#\r\nc\r\n`;
    for (let piece = 1; piece < 80; piece += 1) {
      const puppet = puppetOf((command) => (command === "show version" ? look : ""));
      puppet.piece = () => piece;
      const cli = await openOn(puppet);
      const shown = await cli.run(show, "none", never);
      expect(shown).toBe(`a\n${host}#\nb\n${host}(config)#\nc`);
    }
  });

  it("a session presses a key for a pager that comes all the same", async () => {
    const puppet = puppetOf((command) => (command === "show version" ? undefined : ""));
    const cli = await openOn(puppet);
    const { pipe } = puppet;
    const { heard } = pipe;
    let pages = 0;
    pipe.heard = (sent) => {
      heard(sent);
      if (sent.endsWith("show version\n")) pipe.deliver("show version\r\none\r\n --More-- ");
      else if (sent.endsWith(" ")) {
        pages += 1;
        const erase = "\b".repeat(10) + " ".repeat(10) + "\b".repeat(10);
        pipe.deliver(`${erase}two\r\n${pages < 2 ? " --More-- " : `${host}#`}`);
      }
    };
    expect(await cli.run(show, "none", never)).toBe("one\ntwo\ntwo");
    expect(pages).toBe(2);
  });

  it("a session shows no escape sequence, NUL or backspace", async () => {
    const noisy = "\x1b[2J\x1b[1;31mon\0e\x1b]0;title\x07\r\nx\b\btwo\x1b[K\r\nabc\rd\r\n";
    const cli = await openOn(puppetOf((command) => (command === "show version" ? noisy : "")));
    expect(await cli.run(show, "none", never)).toBe("one\ntwo\ndbc");
  });

  it("a session finds a refusal in an apparent success and enters nothing after it", async () => {
    const puppet = puppetOf((command) =>
      command === "commit" ? "done\r\n% Failed to commit\r\nthe commit succeeded\r\n" : "",
    );
    const cli = await openOn(puppet);
    const error = await refusalOf(cli.run([["commit"], ["exit"]], "unknown", never));
    expect(error).toMatchObject({ code: "device.rejected", effect: "none" });
    expect(error.message).toContain("% Failed to commit");
    expect(puppet.lines).not.toContain("exit");
    expect(await cli.run(show, "none", never)).toBe("");
  });

  it("a refusal quotes at most 300 characters of the line that refuses", async () => {
    const text = `% Failed to commit ${"x".repeat(5_000)}\r\n`;
    const cli = await openOn(puppetOf((command) => (command === "commit" ? text : "")));
    const { message } = await refusalOf(cli.run([["commit"]], "unknown", never));
    expect(message).toMatch(/^the device refuses: % Failed to commit x{200,}…$/);
    expect(message.length).toBeLessThan(350);
  });

  it("a session distinguishes a lock from other refusals", async () => {
    const text = "!!% configuration is locked by another session\r\n";
    const cli = await openOn(puppetOf((command) => (command === "configure" ? text : "")));
    const error = await refusalOf(cli.run([["configure"]], "none", never));
    expect(error).toMatchObject({ code: "device.locked", effect: "none" });
  });

  it("a session follows the prompt into a mode", async () => {
    const puppet = puppetOf((command) => {
      puppet.mode = command === "configure" ? "(config)" : "";
      return "";
    });
    const cli = await openOn(puppet);
    await cli.run([["configure"]], "none", never);
    expect(cli.mode).toBe("(config)#");
  });

  it("a session answers no question", async () => {
    const puppet = puppetOf((command) => (command === "commit" ? undefined : ""));
    const cli = await openOn(puppet);
    puppet.pipe.heard = () => puppet.pipe.deliver("commit\r\nproceed anyway? [no]: ");
    const error = await refusalOf(cli.run([["commit"]], "unknown", never));
    expect(error).toMatchObject({ code: "transport.closed", effect: "unknown" });
    expect(cli.isOver).toBe(true);
    expect(puppet.pipe.isClosed).toBe(true);
  });

  const large = "This could be a few minutes if your config is large. Confirm? [y/n][confirm]";

  it("IOS XR: the question of each large commit is answered with y, once", async () => {
    const puppet = puppetOf((command) => (command === "commit" ? undefined : ""));
    const cli = await openOn(puppet, "cli", terminal);
    const { pipe } = puppet;
    const { heard } = pipe;
    pipe.heard = (sent) => {
      if (sent.endsWith("\ny\n")) {
        puppet.taken = sent.length;
        pipe.deliver(`y\r\n${host}#`);
        return;
      }
      heard(sent);
      if (!sent.endsWith("commit\n")) return;
      pipe.deliver(`commit\r\n${large}`);
      pipe.deliver(" ");
    };
    // The second one confirms the first, in the same session.
    for (const _ of ["trial", "confirm"]) await cli.run([["commit"]], "unknown", never);
    expect(cli.isOver).toBe(false);
    expect(await cli.run(show, "none", never)).toBe("");
    expect(puppet.lines).not.toContain("y");
  });

  it.each([
    ["another command asks it", "show version", large],
    ["a commit asks another question", "commit", "Uncommitted changes found. Proceed? [confirm]"],
    ["text precedes it on its line", "commit", `x ${large}`],
  ])("IOS XR: the session ends where %s", async (_case, command, question) => {
    const puppet = puppetOf((asked) => (asked === command ? undefined : ""));
    const cli = await openOn(puppet, "cli", terminal);
    puppet.pipe.heard = () => puppet.pipe.deliver(`${command}\r\n${question}`);
    const error = await refusalOf(cli.run([[command]], "unknown", never));
    expect(error).toMatchObject({ code: "transport.closed", effect: "unknown" });
  });

  it("a message of the log before the echo of a command does not end the session", async () => {
    const puppet = puppetOf((command) => (command === "show version" ? "7.9.2\r\n" : ""));
    const cli = await openOn(puppet);
    const message = "Wed Nov 25 18:00:00.123 UTC";
    puppet.echo = (command) =>
      command === "show version" ? `\r\n${message}\r\n${host}#${command}` : command;
    expect(await cli.run(show, "none", never)).toBe("7.9.2");
    // The prompt is shown again before the echo has come.
    puppet.piece = () => 1;
    expect(await cli.run(show, "none", never)).toBe("7.9.2");
    puppet.echo = (command) => (command === "show version" ? `another\r\n${command}` : command);
    const error = await refusalOf(cli.run(show, "unknown", never));
    expect(error.message).toContain("out of step");
  });

  it("a session ends once a command was aborted", async () => {
    const puppet = puppetOf(() => "");
    const cli = await openOn(puppet);
    const stop = new AbortController();
    const reason = new Error("given up");
    puppet.pipe.heard = () => stop.abort(reason);
    const asked = cli.run([["commit"]], "unknown", stop.signal);
    await expect(asked).rejects.toBe(reason);
    const error = await refusalOf(cli.run(show, "unknown", never));
    expect(error).toMatchObject({ code: "transport.closed", effect: "none" });
  });

  it("a session enters one command after another, without an aborted one", async () => {
    const puppet = puppetOf((command) => `${command}!\r\n`);
    const cli = await openOn(puppet);
    const stop = new AbortController();
    const [first, , third] = [
      cli.run([["one"]], "none", never),
      cli.run([["two"]], "none", stop.signal).catch(() => "dropped"),
      cli.run([["three"]], "none", never),
    ];
    stop.abort(new Error("not any more"));
    expect([await first, await third]).toEqual(["one!", "three!"]);
    expect(puppet.lines).not.toContain("two");
  });

  it("a session ends when the device hangs up, with the effect of the command", async () => {
    const puppet = puppetOf(() => "");
    const cli = await openOn(puppet);
    puppet.pipe.heard = () => puppet.pipe.hangUp();
    const error = await refusalOf(cli.run([["commit"]], "unknown", never));
    expect(error).toMatchObject({ code: "transport.closed", effect: "unknown" });
  });

  it("a session leaves no line in a configuration and has a fresh nonce in each echo", async () => {
    const puppet = puppetOf((command) => {
      if (command === "configure") puppet.mode = "(config)";
      if (command === "commit") puppet.mode = "";
      return "";
    });
    const cli = await openOn(puppet);
    puppet.marks.length = 0;
    for (const command of ["configure", "interface x", "show this", "commit"]) {
      await cli.run([[command]], "unknown", never);
    }
    const kinds = puppet.marks.map((one) => one.replace(/[0-9a-f]{16}$/, ""));
    expect(kinds).toEqual([...Array(3).fill("do show clock | include "), "! "]);
    expect(new Set(puppet.marks).size).toBe(4);
  });

  describe.each(["", "(config)"])("whose device answers late, in mode %j", (mode) => {
    const prompt = `${host}${mode}#`;

    /** `late`: what comes once the mark of `show one` was written, with what the mark gives. */
    async function asked(late: (mark: string) => string) {
      const puppet = puppetOf((command) =>
        command === "show one" ? undefined : `${command}!\r\n`,
      );
      const cli = await openOn(puppet);
      puppet.mode = mode;
      await cli.run([["show zero"]], "none", never);
      const { pipe } = puppet;
      const { heard } = pipe;
      const before = puppet.marks.length;
      pipe.heard = (sent) => {
        const isLate = puppet.lines.at(-1) === "show one" && puppet.marks.length === before;
        // A prompt, though the answer is still to come.
        if (sent.endsWith("show one\n")) {
          heard(sent);
          pipe.deliver(`show one\r\n${prompt}`);
        } else if (isLate) {
          const mark = sent.slice(sent.lastIndexOf("\n", sent.length - 2) + 1).trim();
          puppet.marks.push(mark);
          pipe.heard = heard;
          puppet.taken = sent.length;
          pipe.deliver(late(mark));
        } else heard(sent);
      };
      return { cli, puppet };
    }

    it("a session takes output before its mark for the reply", async () => {
      const { cli } = await asked((mark) => `one!\r\n${prompt}${mark}\r\n${prompt}`);
      expect(await cli.run([["show one"]], "none", never)).toContain("one!");
      expect(await cli.run([["show two"]], "none", never)).toBe("show two!");
    });

    it("a session ends if output comes after its mark", async () => {
      const { cli, puppet } = await asked((mark) => `${mark}\r\none!\r\n${prompt}`);
      const error = await refusalOf(cli.run([["show one"]], "unknown", never));
      expect(error).toMatchObject({ code: "transport.closed", effect: "unknown" });
      expect(error.message).toContain("out of step");
      const next = await refusalOf(cli.run([["show two"]], "none", never));
      expect(next).toMatchObject({ code: "transport.closed", effect: "none" });
      expect(puppet.lines).not.toContain("show two");
    });

    it("a session ends if output comes with the next command", async () => {
      const late = (mark: string): string => `${mark}\r\n${prompt}`;
      const { cli, puppet } = await asked(late);
      expect(await cli.run([["show one"]], "none", never)).toBe("");
      puppet.pipe.deliver(`one!\r\n${prompt}`);
      const error = await refusalOf(cli.run([["show two"]], "none", never));
      expect(error.message).toContain("out of step");
    });
  });

  it("a session ends when the echo is not what was entered", async () => {
    const puppet = puppetOf(() => "");
    const cli = await openOn(puppet);
    puppet.echo = () => "show something else";
    const error = await refusalOf(cli.run(show, "none", never));
    expect(error.message).toContain("out of step");
  });

  it("a session ends a line without an end in bounded memory", async () => {
    const puppet = puppetOf((command) => (command === "show version" ? undefined : ""));
    const cli = await openOn(puppet);
    puppet.pipe.heard = () => {
      puppet.pipe.deliver("show version\r\n");
      puppet.pipe.deliver(new Uint8Array(100 * 1024 * 1024).fill(0x41), 256 * 1024);
    };
    const error = await refusalOf(cli.run(show, "none", never));
    expect(error).toMatchObject({ code: "transport.closed" });
    expect(error.message).toContain("a line is longer");
  });

  it("a session ends an output without an end", async () => {
    const puppet = puppetOf((command) => (command === "show version" ? undefined : ""));
    const cli = await openOn(puppet);
    puppet.pipe.heard = () => puppet.pipe.deliver("x\n".repeat(1024 * 1024), 64 * 1024);
    const error = await refusalOf(cli.run(show, "none", never));
    expect(error.message).toContain("the output is longer");
  });
});

describe("a key on a command line", () => {
  const key = (): Secret => Secret.take("cak", new Uint8Array(32).fill(0xa5));
  const digits = "a5".repeat(32);

  it("a key goes out as digits and is in no output", async () => {
    using secret = key();
    const puppet = puppetOf((command) => (command.startsWith("key-string") ? `${digits}\r\n` : ""));
    puppet.piece = () => 7;
    const cli = await openOn(puppet);
    const command = line`key-string ${{ secret, as: "hex" }} cryptographic-algorithm aes-256-cmac`;
    expect(preview(command)).not.toContain("a5a5");
    expect(await cli.run([command], "none", never)).toBe("");
    expect(puppet.lines.at(-1)).toContain(digits);
  });

  it("a key is in no error, however the refusal quotes it", async () => {
    using secret = key();
    for (const quoted of [digits, digits.toUpperCase(), `${digits.slice(0, 40)}\r\n${digits}`]) {
      const cli = await openOn(
        puppetOf((command) => (command.startsWith("key") ? `% Invalid input ${quoted}\r\n` : "")),
      );
      const command = line`key-string ${{ secret, as: "hex" }}`;
      const error = await refusalOf(cli.run([command], "none", never));
      expect(error.code).toBe("device.rejected");
      expect(`${error.message} ${error.stack}`.toLowerCase()).not.toContain("a5a5");
    }
  });
});

describe("what is said", () => {
  it.each(["a b", "a\nb", "a\r", "?", "a?", "a|b", '"a"', "a;b", "", "!a", "-a", "é", "a\0", "\t"])(
    "%j is not one word of a command line",
    (word) => {
      expect(isToken(word)).toBe(false);
      expect(() => line`interface ${word}`).toThrow(LinksealError);
    },
  );

  it.each(["HundredGigE0/0/0/0", "10.0.0.1/30", "2001:db8::1", "a_b", "7.9.2", "x".repeat(128)])(
    "%j is one word of a command line",
    (word) => {
      expect(preview(line`interface ${word}`)).toBe(`interface ${word}`);
    },
  );

  it("a command is one line of printable text, or nothing is sent", async () => {
    const puppet = puppetOf(() => "");
    const cli = await openOn(puppet);
    const { sent } = puppet.pipe;
    for (const text of ["show a\nreload", "show \x03", "show\tversion", "show é"]) {
      const error = await refusalOf(cli.run([[text]], "none", never));
      expect(error).toMatchObject({ code: "device.rejected", effect: "none" });
    }
    expect(puppet.pipe.sent).toBe(sent);
    expect(await cli.run(show, "none", never)).toBe("");
  });
});
