// A device that repeats a key later in the session in which it was typed: on each transport, in
// each form, no text that leaves the transport contains a piece of it.

import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { MkaClient } from "#drivers/linux/mka/client.ts";
import { writeReply } from "#drivers/linux/mka/protocol.ts";
import { line } from "#drivers/transport/cli.ts";
import { Netconf } from "#drivers/transport/netconf.ts";
import { ViciClient } from "#drivers/transport/vici.ts";
import { element, textOf } from "#drivers/transport/xml.ts";
import { LinksealError } from "#hal/error.ts";
import type { Ckn } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import { Prng } from "#sim/base/prng.ts";
import { drawFrom, echoForms, leakOf } from "../../kit/echo-forms.ts";
import { TestCharon } from "../../kit/vici-peer.ts";
import { BytePipe } from "./byte-pipe.ts";
import { never, openOn, puppetOf } from "./cli-kit.ts";

/** Returns all that the caller of a transport sees of an answer. */
async function seenOf(answer: Promise<unknown>): Promise<string> {
  const seen = await answer.catch((error: unknown) => error);
  const cause = seen instanceof Error ? inspect(seen.cause) : "";
  return `${inspect(seen, { depth: 9, maxStringLength: null })} ${cause}`;
}

/** Types the key, then does something else that the device answers with `quoted`. */
type Talk = (key: Secret, quoted: string) => Promise<string>;

/** The end of a line on a router's terminal is CR LF. */
const lines = (text: string): string => text.replaceAll(/\r?\n/g, "\r\n");

/** `mode`: what the prompt says behind the host's name from the command on. */
const overCli =
  (answer: (quoted: string) => string, mode: (quoted: string) => string = () => ""): Talk =>
  async (key, quoted) => {
    const puppet = puppetOf((typed) => {
      if (typed !== "commit") return "";
      puppet.mode = mode(quoted);
      return lines(answer(quoted));
    });
    const cli = await openOn(puppet);
    const typed = line`key-string ${{ secret: key, as: "hex" }}`;
    await cli.run([typed, ["exit"]], "none", never);
    key[Symbol.dispose]();
    // The puppet has said all that it will by then.
    const stop = new AbortController();
    const late = setImmediate(() => stop.abort(new Error("nothing more comes")));
    const seen = await seenOf(cli.run([["commit"], ["show next"]], "unknown", stop.signal));
    clearImmediate(late);
    const after = await seenOf(cli.run([["show next"]], "none", AbortSignal.abort()));
    await cli[Symbol.asyncDispose]();
    return `${seen} ${cli.mode} ${after}`;
  };

const netconfHello =
  '<hello xmlns="urn:a"><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability>' +
  "</capabilities><session-id>7</session-id></hello>]]>]]>";

const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("\0", "");

const overNetconf =
  (body: (quoted: string) => string, isEscaped = true): Talk =>
  async (key, quoted) => {
    const pipe = new BytePipe();
    pipe.deliver(netconfHello);
    const options = { where: "edge-a", onChange: () => undefined, marks: [] };
    const session = await Netconf.open(pipe.channel(), options, never);
    const load = session.call(element("load", { secret: key, as: "hex" }), "none", never);
    pipe.deliver('<rpc-reply message-id="1"><ok/></rpc-reply>]]>]]>');
    await load;
    key[Symbol.dispose]();
    const committed = session.call(element("commit"), "unknown", never);
    const shown = isEscaped ? escapeXml(quoted) : quoted.replaceAll("\0", "");
    pipe.deliver(`<rpc-reply message-id="2">${body(shown)}</rpc-reply>]]>]]>`);
    const seen = await seenOf(committed.then((reply) => textOf(reply, "output")));
    await session[Symbol.asyncDispose]();
    return seen;
  };

const overVici: Talk = async (key, quoted) => {
  const charon = new TestCharon((asked) =>
    asked.command === "load-conn"
      ? { events: [{ name: "log", message: { msg: quoted } }], answer: { errmsg: quoted } }
      : { answer: { success: "yes" } },
  );
  const client = new ViciClient(charon.channel);
  const heard: unknown[] = [];
  await client.hear("log", (event) => heard.push(event), never);
  await client.ask("load-shared", { type: "ike", data: key }, "none", never);
  key[Symbol.dispose]();
  const seen = await seenOf(client.ask("load-conn", { a: "b" }, "none", never));
  client[Symbol.dispose]();
  expect(heard).toHaveLength(1);
  return `${seen} ${inspect(heard, { depth: 9, maxStringLength: null })}`;
};

const overMka =
  (answer: (text: string) => Promise<Uint8Array>): Talk =>
  async (key, quoted) => {
    const client = new MkaClient(() => answer(quoted), "eth1");
    const operation = { kind: "add", ckn: "aa" as Ckn, key } as const;
    return await seenOf(client.stage("token", 0, operation, never));
  };

const talks: Readonly<Record<string, Talk>> = {
  "a refusal of a later command": overCli((text) => `% Failed to commit: ${text}\n`),
  "the output of a later command": overCli((text) => `first\n${text}\nlast\n`),
  "a question": overCli((text) => `${text} proceed? [no]: `),
  "a prompt": overCli(
    () => "",
    (text) => (text.length > 70 ? "" : `(config-${text})`),
  ),
  "an rpc-error": overNetconf(
    (text) => `<rpc-error><error-message>bad ${text}</error-message></rpc-error>`,
  ),
  "an rpc-error with references": overNetconf(
    (text) => `<rpc-error><error-message>bad ${text}</error-message></rpc-error>`,
    false,
  ),
  "a reply of NETCONF": overNetconf((text) => `<output>${text}</output>`),
  "charon's reply and log": overVici,
  "a refusal of the MKA process": overMka(async (text) =>
    writeReply({
      kind: "refused",
      body: JSON.stringify({
        ...{ code: "device.rejected", effect: "none", text, where: text, next: text },
      }),
    }),
  ),
  "an error on the way to the MKA process": overMka((text) => {
    const details = { effect: "none", where: text, next: text } as const;
    return Promise.reject(new LinksealError("transport.closed", text, details));
  }),
};

describe.each(Object.entries(talks))("a key that comes back in %s", (where, talk) => {
  it.each(Object.entries(echoForms))("does not leave the transport as %s", async (form, write) => {
    const prng = new Prng(`${where} ${form}`);
    for (const length of [16, 32]) {
      const octets = prng.bytes(length);
      const written = write(octets, drawFrom(prng));
      using key = Secret.take("cak", Uint8Array.from(octets));
      const seen = await talk(key, written);
      expect(leakOf(seen, written)).toBeUndefined();
      expect(leakOf(seen, Buffer.from(octets).toString("hex"))).toBeUndefined();
    }
  });
});
