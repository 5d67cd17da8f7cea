// Simulated Junos routers in their own process. Clients that use NETCONF get NETCONF; the others
// get a command line that accepts the one change of this bench. `devices.ts COUNT` prints the
// addresses.

import type { AddressInfo } from "node:net";
import ssh2, { type Connection, type ServerChannel, type Session } from "ssh2";
import { JunosEmulator, junosModel } from "#sim/emulators/junos.ts";
import { paceClock } from "#sim/serve/site.ts";
import { hostKeyPair } from "#sim/serve/ssh.ts";
import { buildSite } from "#sim/site/site.ts";
import { commit, edit, hello, lock, rpcOf, unlock } from "./change.ts";

/** Waits are a twentieth of real ones: 50 ms for a commit, 1 ms for most other requests. */
const speed = 20;
const commitMs = 1_000;
const count = Number(process.argv[2]);
const pair = hostKeyPair();
const site = buildSite({
  ...{ seed: "push", name: "bench", groups: Math.ceil(count / 2), tunnels: 0, start: "clear" },
  models: () => ({ ...junosModel, commitMs }),
  wallStart: Date.now(),
});

const replyEnd = "]]>]]>";

/**
 * A NETCONF client inside this process; it ignores the hello and resolves each request to its
 * reply.
 */
class Inside {
  readonly #send: (text: string) => void;
  #text = "";
  #replied = Promise.withResolvers<string>();

  constructor(emulator: JunosEmulator) {
    const session = emulator.connect({
      send: (octets) => this.#hear(Buffer.from(octets).toString()),
      close: () => undefined,
    });
    this.#send = (text) => session?.receive(Buffer.from(text));
    this.#send(`${hello}${replyEnd}`);
  }

  async ask(text: string): Promise<string> {
    this.#replied = Promise.withResolvers();
    this.#send(`${text}${replyEnd}`);
    return await this.#replied.promise;
  }

  #hear(text: string): void {
    this.#text += text;
    const parts = this.#text.split(replyEnd);
    this.#text = parts.pop() ?? "";
    for (const part of parts) if (!part.includes("<hello")) this.#replied.resolve(part);
  }
}

/** Prints what a Junos router prints in reply to netmiko's commands. */
function commandLine(channel: ServerChannel, emulator: JunosEmulator): void {
  let line = "";
  let isEditing = false;
  let priority = 0;
  const inside = new Inside(emulator);
  const prompt = (): void => {
    channel.write(isEditing ? "\r\n[edit]\r\nlinkseal@edge# " : "\r\nlinkseal@edge> ");
  };
  const enter = async (words: string): Promise<void> => {
    priority = Number(/key-server-priority (\d+)/.exec(words)?.[1] ?? priority);
    if (words === "configure") {
      isEditing = true;
      channel.write("Entering configuration mode\r\n");
    }
    if (words.startsWith("exit") && isEditing) {
      isEditing = false;
      channel.write("Exiting configuration mode\r\n");
    }
    if (words.startsWith("set cli screen-width")) channel.write("Screen width set to 511\r\n");
    if (words.startsWith("set cli screen-length")) channel.write("Screen length set to 0\r\n");
    if (words.startsWith("set cli complete")) channel.write("Disabling complete-on-space\r\n");
    if (words === "commit") {
      for (const [index, one] of [lock, edit(priority), commit, unlock].entries()) {
        const reported = await inside.ask(rpcOf(one, index + 1));
        if (reported.includes("<rpc-error>")) channel.write(`error: ${reported}\r\n`);
      }
      channel.write("commit complete\r\n");
    }
  };
  let done = Promise.resolve();
  channel.on("data", (octets: Buffer) => {
    for (const letter of octets.toString()) {
      if (letter !== "\n" && letter !== "\r") {
        line += letter;
        channel.write(letter);
        continue;
      }
      const words = line.trim();
      line = "";
      channel.write("\r\n");
      done = done.then(() => enter(words)).then(prompt);
    }
  });
  channel.on("error", () => undefined);
  prompt();
}

function subsystem(channel: ServerChannel, emulator: JunosEmulator): void {
  const session = emulator.connect({
    send: (octets) => {
      channel.write(octets);
    },
    close: () => channel.end(),
  });
  channel.on("data", (octets: Buffer) => session?.receive(octets));
  channel.on("close", () => session?.gone()).on("error", () => undefined);
}

function meet(session: Session, emulator: JunosEmulator): void {
  session.on("pty", (accept) => accept?.());
  session.on("shell", (accept) => commandLine(accept(), emulator));
  session.on("subsystem", (accept) => subsystem(accept(), emulator));
}

async function serve(emulator: JunosEmulator): Promise<number> {
  const server = new ssh2.Server({ hostKeys: [pair.private] }, (client: Connection) => {
    client.on("error", () => undefined);
    client.on("authentication", (attempt) => {
      if (attempt.method === "publickey" || attempt.method === "password") attempt.accept();
      else attempt.reject(["publickey", "password"]);
    });
    client.on("session", (accept) => meet(accept(), emulator));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

const emulators = [...site.routers.values()]
  .slice(0, count)
  .map((router) => new JunosEmulator(router));
const ports = await Promise.all(emulators.map(serve));
paceClock(site.clock, { speed });
console.log(JSON.stringify({ ports, hostKey: pair.public }));
