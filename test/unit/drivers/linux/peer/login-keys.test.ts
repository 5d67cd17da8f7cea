// The keys of a login: each is bound to one command, or the file counts as open.

import { describe, expect, it } from "vitest";
import { keysIn } from "#drivers/linux/peer/login-keys.ts";

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ linkseal";
const command = 'command="/usr/bin/linkseal peer"';

describe("the keys of a login", () => {
  it.each([
    ["no key at all", "", "bound"],
    ["a comment and a blank line", `# restrict\n\n`, "bound"],
    ["the line of the guide", `restrict,from="192.0.2.1",${command} ${key}`, "bound"],
    ["options in another order and case", `${command},FROM="a b",Restrict ${key}`, "bound"],
    ["a quote inside a command", `restrict,command="a \\"b\\" c" ${key}`, "bound"],
    ["no options", key, "open"],
    ["no restrict", `${command} ${key}`, "open"],
    ["no command", `restrict,from="192.0.2.1" ${key}`, "open"],
    ["restrict as a part of a command", `command="restrict,x" ${key}`, "open"],
    ["a terminal again", `restrict,pty,${command} ${key}`, "open"],
    ["forwarding again", `restrict,port-forwarding,${command} ${key}`, "open"],
    ["one key of two", `restrict,${command} ${key}\n${key}`, "open"],
    ["lines that end in CR LF", `restrict,${command} ${key}\r\n`, "bound"],
    ["a quote that does not end", `restrict,command="x ${key}`, "open"],
  ])("%s", (_what, text, keys) => {
    expect(keysIn(text)).toBe(keys);
  });
});
