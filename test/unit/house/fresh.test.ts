import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { commandsOf } from "../../../.ci/fresh/commands.ts";
import { quoted, script } from "../../../.ci/fresh/enter.ts";
import { npmNeeds } from "../../../.ci/fresh/npm.ts";
import { formatCosts, readCosts } from "../../costs.ts";
import { commandLines } from "../../readme-commands.ts";

describe("README's own commands", () => {
  it("README's commands are the two that a new clone is promised to run", () => {
    const readme = readFileSync(join(import.meta.dirname, "../../../README.md"), "utf8");
    expect(commandsOf(readme)).toEqual([
      { line: "npm ci && npm start", runs: "until interrupted" },
      { line: "npm ci && npm test", runs: "to its end" },
    ]);
  });

  it.each([
    ["comments and blank lines", "a 'b#c'   # d\n\n# e\n", ["a 'b#c'"]],
    ["a command after a comment", "# first\nnpm test\n", ["npm test"]],
  ])("README's commands are read without %s", (_what, block, lines) => {
    const readme = `# x\n\n## Try it\n\nWords.\n\n\`\`\`sh\n${block}\`\`\`\n\n## Next\n`;
    expect(commandsOf(readme).map(({ line }) => line)).toEqual(lines);
  });

  it.each([
    ["no such section", "# x\n\n```sh\nnpm test\n```\n"],
    ["a block in the next section only", "# x\n\n## Try it\n\n## Next\n\n```sh\nnpm test\n```\n"],
  ])("a README where there is %s is an error", (_what, readme) => {
    expect(() => commandsOf(readme)).toThrow('README shows no command below "## Try it"');
  });
});

describe("the commands of a document", () => {
  it("a document's commands come from blocks and sentences, each once, without comments", () => {
    const text = [
      "Type `npm start`, `npx --no -- x --json` or `linkseal status`; `linkseal size --sku A`.",
      "```sh\nnpm start -- --once   # to its end\n# words\nlinkseal links\n```",
      "```console\n$ linkseal links\nnothing\n$ cat /tmp/linkseal-demo-aB3/x\n```",
      "```yaml\nversion: 1\n```",
    ].join("\n\n");
    expect(commandLines(text)).toEqual([
      ...["npm start -- --once", "linkseal links", "cat FOLDER/x"],
      ...["npx --no -- x --json", "linkseal size --sku A"],
    ]);
  });
});

describe("what npm needs to reach its registry", () => {
  it.each([
    {
      ...{ name: "npm 11", printed: "cafile=null\nnoproxy=\nhttps-proxy=undefined\n" },
      ...{ environment: {}, certificates: undefined },
    },
    {
      name: "a registry of one's own",
      printed: "registry=https://r.example/npm/\ncafile=/etc/own ca.pem\nstrict-ssl=true\n",
      environment: { npm_config_registry: "https://r.example/npm/", npm_config_strict_ssl: "true" },
      certificates: "/etc/own ca.pem",
    },
    {
      ...{ name: "a proxy", printed: "https-proxy=http://p:1/\n" },
      ...{ environment: { npm_config_https_proxy: "http://p:1/" }, certificates: undefined },
    },
    {
      ...{ name: "a setting that is none of these", printed: "prefix=/usr\nnpm warn x=y\n" },
      ...{ environment: {}, certificates: undefined },
    },
  ])("npm's settings for another root: $name", ({ printed, environment, certificates }) => {
    expect(npmNeeds(printed)).toEqual({ environment, certificates });
  });
});

describe("a visit to a fresh root", () => {
  const visit = {
    ...{ root: "/cache/it's root", user: { uid: 7, gid: 8 } },
    ...{ umask: "0002", cwd: "/srv/a clone" },
    mounts: [
      { from: "/x/clone", at: "/srv/a clone", access: "write" },
      { from: "/etc/hosts", at: "/etc/hosts", access: "read" },
    ],
    environment: { HOME: "/srv/reader", npm_config_proxy: "http://user:word@proxy" },
    argv: ["node", "x.js", "a && b"],
  } as const;
  const lines = script(visit).split("\n");

  it("a visit has a read-only root, and writes where it may", () => {
    const root = String.raw`'/cache/it'\''s root'`;
    expect(lines).toContain(`mount -o remount,bind,ro ${root}`);
    const own = lines.filter((line) => line.includes("clone'") || line.includes("/hosts'"));
    expect(own.slice(0, 3).map((line) => line.split(" ").slice(0, 3).join(" "))).toEqual([
      "mount --bind '/x/clone'",
      "mount --bind '/etc/hosts'",
      "mount -o remount,bind,ro",
    ]);
  });

  it("a visit has that user and no other group, and `ps` shows no value of a variable", () => {
    const text = script(visit);
    expect(text).toContain("--userspec=7:8 --groups= ");
    expect(text).not.toContain("proxy");
    const [, program] = lines.find((line) => line.includes(" sh -c "))?.split(" sh -c ") ?? [];
    const inner = execFileSync("sh", ["-c", `printf %s ${program}`], { encoding: "utf8" });
    expect(inner).toBe("umask 0002 && cd '/srv/a clone' && exec 'node' 'x.js' 'a && b'");
  });

  it("a visit is a script that a shell accepts", () => {
    execFileSync("sh", ["-n"], { input: script(visit) });
    const odd = 'it\'s "$HOME" `x`\n';
    expect(execFileSync("sh", ["-c", `printf %s ${quoted(odd)}`], { encoding: "utf8" })).toBe(odd);
  });
});

describe("npm test -- --slowest", () => {
  it("--slowest prints tiers and files, the most expensive first", () => {
    const text = [
      '{"file":"test/unit/a.test.ts","wallMs":9000,"processorMs":500}',
      '{"file":"test/fleet/b.test.ts","wallMs":2000,"processorMs":1500}',
      '{"file":"test/unit/c.test.ts","wallMs":1000,"processorMs":1240}',
      "",
    ].join("\n");
    const tierOf = (file: string): string => file.split("/")[1] ?? "";
    expect(formatCosts(readCosts(text), tierOf).split("\n")).toEqual([
      "processor s   wall s  tier",
      "        1.7     10.0  unit",
      "        1.5      2.0  fleet",
      "",
      "processor s   wall s  file",
      "        1.5      2.0  test/fleet/b.test.ts",
      "        1.2      1.0  test/unit/c.test.ts",
      "        0.5      9.0  test/unit/a.test.ts",
    ]);
  });
});
