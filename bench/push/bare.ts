// The limit of the SSH library alone: the same messages, each sent after the reply to the previous
// one.

import { connect } from "node:net";
import ssh2 from "ssh2";
import { fingerprint } from "#drivers/transport/known-hosts.ts";
import { forEach, hello, type Order, orderFrom, pushes, rpcOf } from "./change.ts";

const order = await orderFrom(process.stdin);
const replyEnd = "]]>]]>";

function push(at: number, { login, hostKey, priority }: Order): Promise<void> {
  const messages = [hello, ...pushes(priority).map((one, index) => rpcOf(one, index + 1))];
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    client.on("error", reject).on("ready", () => {
      client.subsys("netconf", (error, channel) => {
        if (error !== undefined) {
          reject(error);
          return;
        }
        let heard = "";
        const next = (): void => {
          const message = messages.shift();
          if (message !== undefined) channel.write(`${message}${replyEnd}`);
          else {
            client.end();
            resolve();
          }
        };
        channel.on("data", (octets: Buffer) => {
          heard += octets.toString();
          if (!heard.endsWith(replyEnd)) return;
          if (heard.includes("<rpc-error>")) reject(new Error(heard));
          const isHello = heard.includes("<hello");
          heard = "";
          // Our hello was sent before theirs arrived.
          if (!isHello || messages.length > 0) next();
        });
        next();
      });
    });
    const sock = connect({ host: "127.0.0.1", port: at, noDelay: true });
    const hostVerifier = (octets: Buffer): boolean => fingerprint(octets) === hostKey;
    client.connect({ sock, username: "linkseal", privateKey: login, hostVerifier });
  });
}

console.log(JSON.stringify(await forEach(order, (at) => push(at, order))));
