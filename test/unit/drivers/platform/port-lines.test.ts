// What is foreign and what is missing among the lines of a port, and what is shown of them.

import { expect, it } from "vitest";
import type { Block } from "#drivers/platform/block.ts";
import { differencesOf, headsIn, type PortLines } from "#drivers/platform/port-lines.ts";

const block = (line: string, ...children: readonly Block[]): Block => ({ line, children });

function compared(over: Partial<PortLines>) {
  const empty = { port: "P", configured: [], whole: [], due: [], drain: [], heads: new Set("") };
  return differencesOf({ ...empty, ...over });
}

const at = (...lines: readonly Block[]): PortLines["configured"] => [{ at: "", lines }];

it("a line that the driver writes is not foreign, nor is the mode that it is in", () => {
  const configured = at(block("policy A", block("suite X"), block("window 64")));
  const found = compared({ configured, whole: ["policy A", "suite X", "window 64", "root"] });
  expect(found).toEqual({ port: "P", foreign: [], missing: [] });
});

it("a foreign line is named with the lines that it is inside of, and so is what is in it", () => {
  const configured = at(block("chain A", block("macsec", block("key 01", block("life now")))));
  const { foreign } = compared({ configured, whole: ["chain A", "macsec"] });
  expect(foreign).toEqual(["chain A > macsec > key 01", "chain A > macsec > key 01 > life now"]);
});

it("a line that is due is missing, but not the mode that leads there nor a removal", () => {
  const blocks = [block("policy A", block("suite X"))];
  const due = ["root", "policy A", "no rekey", "window 64", "exit", "chain B"];
  const { missing } = compared({ configured: at(...blocks), due, heads: headsIn(blocks) });
  expect(missing).toEqual(["policy A > window 64", "chain B"]);
});

it("a line that is due and configured in the same object is not missing", () => {
  const configured = at(block("policy A", block("suite X"), block("suite  X")));
  const normal = (line: string): string => line.replaceAll(/ +/g, " ");
  const whole = ["policy A", "suite X"];
  expect(compared({ configured, whole, due: ["suite X"], normal })).toMatchObject({
    foreign: [],
    missing: [],
  });
});

it("a line that is ours in a foreign object does not replace the one that is missing", () => {
  const configured = at(block("chain OTHER", block("timezone gmt")));
  const { missing } = compared({
    ...{ configured, whole: ["chain A", "timezone gmt"] },
    due: ["chain A", "timezone gmt"],
  });
  expect(missing).toEqual(["chain A", "timezone gmt"]);
});

it("a drain that ends is foreign, and what it replaced is missing", () => {
  const heads = new Set(["router bgp 1"]);
  const drain = ["router bgp 1", "no neighbor N shutdown", "neighbor N route-map OWN out", "exit"];
  expect(compared({ drain, heads })).toEqual({
    port: "P",
    foreign: ["router bgp 1 > neighbor N shutdown"],
    missing: ["router bgp 1 > neighbor N route-map OWN out"],
  });
});

const cak = "0123456789abcdef0123456789abcdef";

it.each([
  [`key-string 7 ${cak}`, "key-string [withheld]"],
  ["macsec password hunter22", "macsec [withheld]"],
  [`pre-shared-key cak ${cak}`, "pre-shared-key [withheld]"],
  [`an unknown word ${cak}`, "an unknown word [withheld]"],
  [`key ${cak}`, `key ${cak}`],
  [`pre-shared-key ckn ${cak}`, `pre-shared-key ckn ${cak}`],
  ["mka pre-shared-key key-chain A fallback-key-chain B", undefined],
  ["macsec psk-keychain A fallback-psk-keychain B policy C", undefined],
  ["security authentication-key-chains key-chain A key 0 start-time now", undefined],
])("of a foreign line nothing is shown that may be a secret: %s", (line, shown = line) => {
  expect(compared({ configured: at(block(line)) }).foreign).toEqual([shown]);
});

it("a secret is not shown either in front of the lines that are inside of it", () => {
  const configured = at(block(`secret ${cak}`, block(`[secret x] password ${cak}`)));
  const { foreign } = compared({ configured });
  expect(foreign).toEqual(["secret [withheld]", "secret [withheld] > [secret [withheld]"]);
});

it("a key that would be written is shown as its label", () => {
  const due = ["key-string [secret cak] cryptographic-algorithm aes-256-cmac"];
  expect(compared({ due }).missing).toEqual(due);
});
