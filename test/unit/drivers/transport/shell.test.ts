import net from "node:net";
import ssh2 from "ssh2";
import { describe, expect, it } from "vitest";
import { knownKeys, pinnedKeys } from "#drivers/transport/known-hosts.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import { hostKeyPair } from "#sim/serve/ssh.ts";
import { hostKeys, pinOf, SshBench } from "../../kit/ssh-bench.ts";

const never = new AbortController().signal;
const text = (octets: Uint8Array | undefined): string | undefined =>
  octets === undefined ? undefined : new TextDecoder().decode(octets);

async function refusal(promise: Promise<unknown>): Promise<LinksealError> {
  const error = await promise.then(
    () => "resolved",
    (caught: unknown) => caught,
  );
  if (error instanceof LinksealError) return error;
  throw new Error(`no LinksealError: ${String(error)}`);
}

describe("a login", () => {
  it("a login opens a channel both ways and fills holes on the way out", async () => {
    await using bench = await SshBench.open();
    await using channel = await bench.shells.channel(bench.target(), "netconf", never);
    using secret = Secret.take("cak", Uint8Array.of(0xab, 0xcd));
    await channel.write(["<", { secret, as: "HEX" }, ">"], never);
    expect(text(await channel.read(never))).toBe("<ABCD>");
  });

  it("a login serves all channels of a device", async () => {
    await using bench = await SshBench.open();
    const to = bench.target();
    const open = () => bench.shells.channel(to, "netconf", never);
    const channels = await Promise.all([open(), open()]);
    channels.push(await bench.shells.channel(to, "shell", never));
    expect(bench.counted).toMatchObject({ connections: 1, channels: 3 });
    for (const one of channels) await one[Symbol.asyncDispose]();
    await (await open())[Symbol.asyncDispose]();
    expect(bench.counted.connections).toBe(1);
  });

  it("a login is made again once the device has cut it", async () => {
    await using bench = await SshBench.open();
    const channel = await bench.shells.channel(bench.target(), "netconf", never);
    bench.cut();
    expect(await channel.read(never)).toBeUndefined();
    expect((await refusal(channel.write(["x"], never))).code).toBe("transport.closed");
    await using again = await bench.shells.channel(bench.target(), "netconf", never);
    await again.write(["again"], never);
    expect(text(await again.read(never))).toBe("again");
    expect(bench.counted.connections).toBe(2);
  });

  it("a login is made again if the device hangs up behind the last channel", async () => {
    await using bench = await SshBench.open();
    bench.serve = (stream) => stream.on("close", () => bench.cut()).resume();
    for (let round = 0; round < 10; round += 1) {
      const open = () => bench.shells.channel(bench.target(), "netconf", never);
      for (const one of await Promise.all([open(), open()])) await one[Symbol.asyncDispose]();
      // As far as the end of the connection has come by then.
      for (let turn = 0; turn < round; turn += 1) await new Promise(setImmediate);
    }
    expect(bench.counted.authentications).toBeGreaterThan(1);
  });

  it("every host key that a test makes can be read by the library", () => {
    for (let made = 0; made < 1_500; made += 1) {
      expect(ssh2.utils.parseKey(hostKeyPair().private)).not.toBeInstanceOf(Error);
    }
  });

  it("a login that ended a moment ago, unnoticed, is made again", async () => {
    await using bench = await SshBench.open();
    const first = await bench.shells.channel(bench.target(), "shell", never);
    bench.cut();
    const second = await bench.shells.channel(bench.target(), "shell", never);
    await second.write(["again"], never);
    expect(new TextDecoder().decode(await second.read(never))).toBe("again");
    expect(bench.counted.connections).toBe(2);
    await first[Symbol.asyncDispose]();
    await second[Symbol.asyncDispose]();
  });

  it("a login that is refused reports it", async () => {
    await using bench = await SshBench.open();
    bench.accepts = false;
    const error = await refusal(bench.shells.channel(bench.target(), "netconf", never));
    expect([error.code, error.effect]).toEqual(["transport.authentication", "none"]);
  });

  it("a login without a listening server is out of reach", async () => {
    const bench = await SshBench.open();
    const to = bench.target();
    await bench[Symbol.asyncDispose]();
    const error = await refusal(bench.shells.channel(to, "netconf", never));
    expect([error.code, error.effect]).toEqual(["transport.unreachable", "none"]);
  });

  it("a device that never identifies itself is cut off, and not read for 20 seconds", async () => {
    await using bench = await SshBench.open();
    let sent = 0;
    const lines = "x".repeat(200).concat("\r\n").repeat(100);
    const server = net.createServer((socket) => {
      const pour = (): void => {
        while (!socket.destroyed && socket.write(lines)) sent += lines.length;
        socket.once("drain", pour);
      };
      socket.on("error", () => undefined);
      pour();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as net.AddressInfo;
    const to = bench.target();
    if (to.ssh === undefined) throw new Error("no login");
    const there = { ...to, device: "babbler", ssh: { ...to.ssh, port } };
    const error = await refusal(bench.shells.channel(there, "netconf", never));
    expect([error.code, error.effect]).toEqual(["transport.unreachable", "none"]);
    expect(error.message).toContain("it does not identify itself");
    // What the sockets of both ends hold comes on top of what was read.
    expect(sent).toBeLessThan(16 * 1024 * 1024);
    await new Promise((resolve) => server.close(resolve));
  });

  it("a device without a login is refused before any connection", async () => {
    await using bench = await SshBench.open();
    const { device, address } = bench.target();
    const error = await refusal(bench.shells.channel({ device, address }, "netconf", never));
    expect(error.code).toBe("transport.authentication");
    expect(bench.counted.connections).toBe(0);
  });

  it("a login stops when it is aborted", async () => {
    await using bench = await SshBench.open();
    bench.serve = () => undefined;
    await using channel = await bench.shells.channel(bench.target(), "netconf", never);
    const stop = new AbortController();
    const reading = channel.read(stop.signal);
    stop.abort(new Error("enough"));
    await expect(reading).rejects.toThrow("enough");
    const early = bench.shells.channel(bench.target(), "netconf", stop.signal);
    await expect(early).rejects.toThrow("enough");
  });

  it("a channel pauses the sender while its octets are not read", async () => {
    await using bench = await SshBench.open();
    let sent = 0;
    bench.serve = (stream) => {
      const more = (): void => {
        while (stream.write(Buffer.alloc(32_768, "x"))) sent += 32_768;
        sent += 32_768;
        stream.once("drain", more);
      };
      more();
    };
    await using _channel = await bench.shells.channel(bench.target(), "netconf", never);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const settled = sent;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(sent).toBe(settled);
    expect(sent).toBeLessThan(16 * 1024 * 1024);
  });
});

describe("the host key", () => {
  it("a changed host key is reported, and no login reaches the server", async () => {
    await using bench = await SshBench.open({ hostKeys: [hostKeys.second.private] });
    const error = await refusal(bench.shells.channel(bench.target(), "netconf", never));
    expect([error.code, error.effect]).toEqual(["transport.hostKey", "none"]);
    expect(error.message).toContain(pinOf(hostKeys.second.public));
    expect(bench.counted).toEqual({ connections: 1, authentications: 0, channels: 0 });
  });

  it("a host key is found among known hosts", async () => {
    await using bench = await SshBench.open();
    const to = bench.target({ hostKey: "file:/known" });
    const line = (key: string): string => `[127.0.0.1]:${to.ssh?.port} ${key}\n`;
    bench.knownHosts = line(hostKeys.second.public);
    expect((await refusal(bench.shells.channel(to, "netconf", never))).code).toBe(
      "transport.hostKey",
    );
    expect(bench.counted.authentications).toBe(0);
    bench.knownHosts += line(hostKeys.first.public);
    await using channel = await bench.shells.channel(to, "netconf", never);
    await channel.write(["hi"], never);
    expect(text(await channel.read(never))).toBe("hi");
  });

  it("a host key of an unknown type is not even requested", async () => {
    const both = [hostKeys.first.private, hostKeys.rsa.private];
    await using bench = await SshBench.open({ hostKeys: both });
    const to = bench.target({ hostKey: "file:/known" });
    bench.knownHosts = `[127.0.0.1]:${to.ssh?.port} ${hostKeys.rsa.public}\n`;
    await using channel = await bench.shells.channel(to, "netconf", never);
    await channel.write(["hi"], never);
    expect(text(await channel.read(never))).toBe("hi");
  });

  const octets = (key: string): Uint8Array => Buffer.from(key.split(" ")[1] ?? "", "base64");
  const mine = hostKeys.first.public;
  // ssh-keygen -H of the name router.example
  const hashed = "|1|AAAAAAAAAAAAAAAAAAAAAAAAAAA=|WjJqqaCkd6qhdR7lJ7gK8lXOhRw=";
  it.each([
    ["its name", `router.example ${mine}`, true],
    ["one of its names", `other,router.example ${mine}`, true],
    ["another name", `other ${mine}`, false],
    ["a wildcard", `*.example ${mine}`, false],
    ["a comment", `# router.example ${mine}`, false],
    ["an authority", `@cert-authority router.example ${mine}`, false],
    ["revoked beside known", `router.example ${mine}\n@revoked router.example ${mine}`, false],
    ["another key", `router.example ${hostKeys.second.public}`, false],
    ["another port", `[router.example]:830 ${mine}`, false],
    ["a hash of another name", `${hashed} ${mine}`, false],
  ])("known hosts that list %s accept or refuse the key: %#", (_what, file, accepted) => {
    expect(knownKeys(file, "router.example", 22).accept(octets(mine))).toBe(accepted);
  });

  it("a host key is known by the hash of its host name", () => {
    const salt = Buffer.alloc(20, 7).toString("base64");
    const digest = "DcTME4HovOTCr2BTppJOGqsakjI=";
    const known = knownKeys(`|1|${salt}|${digest} ${mine}`, "router.example", 22);
    expect(known.accept(octets(mine))).toBe(true);
  });

  it.each(["", "SHA256:", "MD5:00", "SHA256:short"])("the text %j pins no host key", (pin) => {
    expect(pinnedKeys(pin).accept(octets(mine))).toBe(false);
  });
});

describe("a server that offers only what is weak", () => {
  it.each([
    ["kex", { kex: ["diffie-hellman-group1-sha1"] }, "diffie-hellman-group1-sha1"],
    ["cipher", { cipher: ["3des-cbc"] }, "3des-cbc"],
    ["hmac", { hmac: ["hmac-sha1"], cipher: ["aes128-ctr"] }, "hmac-sha1"],
  ] as const)("a server is refused by the name of its weak %s", async (_what, weak, name) => {
    const algorithms = Object.fromEntries(
      Object.entries(weak).map(([kind, list]) => [kind, [...list]]),
    );
    await using bench = await SshBench.open({ algorithms });
    const error = await refusal(bench.shells.channel(bench.target(), "netconf", never));
    expect(error.code).toBe("transport.authentication");
    expect(error.message).toContain(name);
    expect(bench.counted.authentications).toBe(0);
  });
});

describe("a device before its host key is known", () => {
  const hostile = "\x1b]0;pwned\x07\x1b[2JEVIL\nline2\u0085\u009b31m\u202e";

  function packet(payload: Buffer): Buffer {
    const padding = 16 - ((payload.length + 5) % 8);
    const octets = Buffer.alloc(5 + payload.length + padding);
    octets.writeUInt32BE(1 + payload.length + padding);
    octets[4] = padding;
    payload.copy(octets, 5);
    return octets;
  }

  function stringOf(value: string): Buffer {
    const octets = Buffer.from(value);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(octets.length);
    return Buffer.concat([length, octets]);
  }

  const disconnect = (text: string): Buffer =>
    packet(Buffer.concat([Buffer.of(1, 0, 0, 0, 2), stringOf(text), stringOf("")]));
  const methods = (kex: string, cipher: string): Buffer => {
    const lists = [kex, "ssh-ed25519", cipher, cipher, "a", "a", "none", "none", "", ""];
    const end = Buffer.alloc(5);
    return packet(Buffer.concat([Buffer.of(20), Buffer.alloc(16), ...lists.map(stringOf), end]));
  };
  const ident = "SSH-2.0-evil\r\n";

  it.each<[string, readonly (string | Buffer)[]]>([
    ["an identification", [`SSH-1.5-${hostile}${"A".repeat(200)}\r\n`]],
    ["a disconnect", [ident, disconnect(hostile + "A".repeat(20_000))]],
    ["a disconnect in Chinese", [ident, disconnect("再见".repeat(8_000))]],
    ["a list of key exchanges", [ident, methods(`${hostile},${"k".repeat(20_000)}`, "a")]],
    ["a list of ciphers", [ident, methods("curve25519-sha256", `${hostile},${"c".repeat(5_000)}`)]],
  ])("a device puts no more than one line into an error by %s", async (_what, sent) => {
    const server = net.createServer((socket) => {
      socket.on("error", () => undefined).resume();
      for (const octets of sent) socket.write(octets);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await using bench = await SshBench.open();
    const { port } = server.address() as net.AddressInfo;
    const error = await refusal(bench.shells.channel(bench.target({ port }), "netconf", never));
    expect(error.code).toMatch(/^transport\./);
    expect(error.effect).toBe("none");
    expect(error.message.length).toBeLessThan(400);
    expect(error.message).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
});

describe("a device that sends more than is read", () => {
  it("a device that ignores the window of a channel waits until the channel is read", async () => {
    await using bench = await SshBench.open();
    const total = 24 * 1024 * 1024;
    bench.serve = (stream) => {
      const own = stream as unknown as { outgoing: { window: number } };
      for (let sent = 0; sent < total; sent += 65_536) {
        own.outgoing.window = 2 ** 31;
        stream.write(Buffer.alloc(65_536, "x"));
      }
    };
    await using channel = await bench.shells.channel(bench.target(), "shell", never);
    let read = 0;
    while (read < total) {
      const octets = await channel.read(never);
      if (octets === undefined) break;
      // The library would hold all of it if the socket were read on.
      expect(octets.length).toBeLessThan(1024 * 1024);
      read += octets.length;
      await new Promise(setImmediate);
    }
    expect(read).toBe(total);
  });

  it("a device that sends to a channel that was closed here blocks no other", async () => {
    await using bench = await SshBench.open();
    let isFirst = true;
    bench.serve = (stream) => {
      if (!isFirst) {
        stream.pipe(stream);
        return;
      }
      isFirst = false;
      const pour = (): void => {
        while (!stream.destroyed && stream.write(Buffer.alloc(65_536, "x")));
        stream.once("drain", pour);
      };
      stream.on("error", () => undefined);
      pour();
    };
    const first = await bench.shells.channel(bench.target(), "shell", never);
    await first.read(never);
    await first[Symbol.asyncDispose]();
    await using second = await bench.shells.channel(bench.target(), "shell", never);
    await second.write(["hello"], never);
    expect(text(await second.read(never))).toBe("hello");
    expect(bench.counted.connections).toBe(1);
  });
});
