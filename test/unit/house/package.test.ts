// The package without building it: the places of files, the terms of its parts, the same octets
// each time.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, matchesGlob } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import flags from "#agent/flags.json" with { type: "json" };
import {
  agentControl,
  controlFile,
  hubControl,
  labControl,
  writeDeb,
} from "../../../.ci/package/debian.ts";
import {
  agentLayout,
  type Built,
  bundlePatterns,
  type Entry,
  hubLayout,
  labLayout,
} from "../../../.ci/package/layout.ts";
import { copyright, nodeParts, npmPart, sbom } from "../../../.ci/package/licences.ts";

const root = join(import.meta.dirname, "../../..");
const folder = mkdtempSync(join(tmpdir(), "linkseal-package-"));
afterAll(() => rmSync(folder, { recursive: true }));

const units = readdirSync(join(root, "systemd")).filter((name) => name.endsWith(".service"));
const programOf = (name: string) => ({
  bundle: [`${name}/cli.js`, `${name}/web/page.html`],
  ...{ sbom: "{}", licences: "MIT" },
});
const built: Built = {
  ...{ agent: programOf("agent"), hub: programOf("hub"), lab: programOf("lab") },
  ...{ addon: "/x/linkseal.node", node: "/x/node", version: "0.1.0", units },
  completions: { bash: "b", zsh: "z", fish: "f" },
  docs: [
    ...["docs/linkseal.1", "docs/linkseal.yaml.5", "docs/install.md", "docs/linkseal.catalog"],
    ...["docs/examples/a.yaml", "docs/examples/ansible/roles/linkseal/tasks/main.yaml"],
  ],
};
const entries = agentLayout(built);
const [ofHub, ofLab] = [hubLayout(built), labLayout(built)];
const agentUnits = units.filter((name) => name !== "linkseal-hub.service");
const at = (path: string): Entry | undefined => entries.find((entry) => entry.path === path);

describe("the files of the package", () => {
  it("only command, launcher, Node and a login's shell are programs, Node outside PATH", () => {
    const programs = entries.filter(({ mode }) => mode === 0o755).map(({ path }) => path);
    expect(programs).toEqual([
      "/usr/bin/linkseal",
      "/usr/lib/linkseal/agent/bin.js",
      "/usr/lib/linkseal/bin/node",
      "/usr/lib/linkseal/linkseal-peer-shell",
    ]);
  });

  it("no file is placed outside /usr, where an operator's own files are", () => {
    const outside = [...entries, ...ofHub, ...ofLab].filter(
      ({ path }) => !path.startsWith("/usr/"),
    );
    expect(outside).toEqual([]);
  });

  it.each([
    ...agentUnits.map((name) => `/usr/lib/systemd/system/${name}`),
    "/usr/lib/sysusers.d/linkseal.conf",
    "/usr/lib/tmpfiles.d/linkseal.conf",
    "/usr/lib/linkseal/dist/STAMP",
    "/usr/lib/linkseal/dist/agent/web/page.html",
    "/usr/lib/linkseal/agent/programs.json",
    "/usr/share/man/man1/linkseal.1",
    "/usr/share/man/man5/linkseal.yaml.5",
    "/usr/share/doc/linkseal/install.md",
    "/usr/share/doc/linkseal/examples/a.yaml",
    "/usr/share/doc/linkseal/examples/ansible/roles/linkseal/tasks/main.yaml",
    "/usr/lib/systemd/catalog/linkseal.catalog",
    "/usr/share/doc/linkseal/copyright",
    "/usr/share/doc/linkseal/sbom.cdx.json",
    "/usr/share/bash-completion/completions/linkseal",
    "/usr/share/zsh/vendor-completions/_linkseal",
    "/usr/share/fish/vendor_completions.d/linkseal.fish",
  ])("%s is in the package", (path) => {
    expect(at(path)?.mode).toBe(0o644);
  });

  it("no file is in two packages, and the agent's has nothing of hub and laboratory", () => {
    const paths = [entries, ofHub, ofLab].flat().map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
    expect(entries.filter(({ path }) => /dist\/(hub|lab)\/|linkseal-hub/.test(path))).toEqual([]);
  });

  it("the hub's package has program, unit and account, the laboratory's its program", () => {
    expect(ofHub.map(({ path }) => path)).toEqual([
      "/usr/lib/linkseal/dist/hub/cli.js",
      "/usr/lib/linkseal/dist/hub/web/page.html",
      "/usr/lib/systemd/system/linkseal-hub.service",
      "/usr/lib/sysusers.d/linkseal-hub.conf",
      "/usr/share/doc/linkseal-hub/copyright",
      "/usr/share/doc/linkseal-hub/sbom.cdx.json",
    ]);
    expect(ofLab.map(({ path }) => path)).toContain("/usr/lib/linkseal/dist/lab/cli.js");
  });

  it.each([hubControl("1.2.3"), labControl("1.2.3")])(
    "$name has no binaries of its own, and goes with the agent's package of its version",
    (control) => {
      const text = controlFile(control, "1.2.3", 1000);
      expect(text).toContain("Architecture: all\n");
      expect(text).toContain("Depends: linkseal (= 1.2.3)\n");
    },
  );

  it("the package has each file that its command imports before the bundle", () => {
    const command = readFileSync(join(root, "agent/bin.js"), "utf8");
    const imported = [...command.matchAll(/ from "\.\/([^"]+)"/g)].map(([, name = ""]) => name);
    expect(imported).toContain("launcher.js");
    for (const name of [...imported, "flags.json"]) {
      expect(at(`/usr/lib/linkseal/agent/${name}`)?.mode).toBe(0o644);
    }
  });

  it("the package has the files that a browser gets", () => {
    for (const name of ["page.html", "page.js", "page.css", "icon.svg"]) {
      const matches = bundlePatterns.filter((pattern) => matchesGlob(`web/${name}`, pattern));
      expect(matches, name).toEqual(["web/*"]);
    }
  });

  it.each([...Object.entries(flags), ["links", ["--disable-sigusr1"]] as const])(
    "the launcher becomes the Node of its verb: %s",
    (verb, expected) => {
      const from = at("/usr/bin/linkseal")?.from;
      const launcher = from?.kind === "text" ? from.text : "";
      const shown = launcher.replace(/^exec \S+\/bin\/node/m, "exec echo");
      const argv = ["-c", shown, "linkseal", verb, "two words", "--json"];
      const words = [...expected, "/usr/lib/linkseal/agent/bin.js", verb, "two words", "--json"];
      expect(execFileSync("sh", argv, { encoding: "utf8" })).toBe(`${words.join(" ")}\n`);
      expect(launcher.split("\n").at(-2)).toMatch(/^exec \/usr\/lib\/linkseal\/bin\/node /);
    },
  );
});

describe("the archive", () => {
  const deb = (name: string) => ({
    ...{ root, version: "1.2.3", compression: "zstd" as const },
    ...{ control: agentControl("amd64", "2.28"), scripts: join(root, ".ci", "package") },
    ...{ epochSeconds: 1_700_000_000, file: join(folder, name) },
    entries: [
      { path: "/usr/bin/linkseal", mode: 0o755, from: { kind: "text", text: "#!/bin/sh\n" } },
      { path: "/usr/share/doc/linkseal/LICENSE", mode: 0o644, from: licence },
    ] as const,
  });
  const licence = { kind: "file", path: "LICENSE" } as const;

  it("a package has the same octets twice, whatever the umask and the time", () => {
    const before = process.umask(0o077);
    writeDeb(deb("first.deb"), stage("one"));
    process.umask(0o022);
    writeDeb(deb("second.deb"), stage("two"));
    process.umask(before);
    const [first, second] = ["first.deb", "second.deb"].map((name) =>
      readFileSync(join(folder, name)),
    );
    expect(first?.equals(second ?? Buffer.alloc(0))).toBe(true);
    const listed = execFileSync("dpkg-deb", ["-c", join(folder, "first.deb")], {
      encoding: "utf8",
    });
    for (const line of listed.trim().split("\n")) {
      expect(line).toMatch(/^[-d]rw\S{7} root\/root +\d+ 2023-11-14 /);
    }
  });

  it("the preinst that may refuse a downgrade has the package's version", () => {
    writeDeb(deb("third.deb"), stage("three"));
    const argv = ["-I", join(folder, "third.deb"), "preinst"];
    const text = execFileSync("dpkg-deb", argv, { encoding: "utf8" });
    expect(text).toContain('gt "1.2.3"');
    expect(text).not.toContain("@VERSION@");
  });

  it("a package depends on the C library that its binaries were linked with", () => {
    const text = controlFile(agentControl("arm64", "2.28"), "1.2.3", 1000);
    expect(text).toContain("Architecture: arm64\n");
    expect(text).toContain("libc6 (>= 2.28)");
    expect(text).not.toContain("nodejs");
  });
});

const stage = (name: string): string => join(folder, name);

describe("the maintainer scripts", () => {
  const scripts = [
    ...["preinst", "postinst", "prerm", "postrm"],
    ...["hub/postinst", "hub/prerm", "hub/postrm"],
  ];

  it.each(scripts)("%s is a script of sh that stops at an error", (name) => {
    const path = join(root, ".ci", "package", name);
    expect(spawnSync("sh", ["-n", path]).status).toBe(0);
    expect(readFileSync(path, "utf8")).toMatch(/^#!\/bin\/sh\nset -e\n/);
  });

  it.each([
    ["postinst", "linkseal.service linkseal-peer.service"],
    ["hub/postinst", "linkseal-hub.service"],
  ])("an upgrade restarts what holds nothing, and no other service: %s", (name, expected) => {
    const text = readFileSync(join(root, ".ci", "package", name), "utf8");
    const restarts = text.match(/systemctl .*restart .*/g) ?? [];
    expect(restarts).toEqual([`systemctl try-restart ${expected} || true`]);
  });

  it.each([
    ["frrvty and himds", ["frrvty", "himds"]],
    ["himds alone", ["himds"]],
    ["neither", []],
  ])("the agent joins the groups of other packages that are there: %s", (_name, there) => {
    const [bin, log] = [join(folder, "bin"), join(folder, "joined")];
    mkdirSync(bin, { recursive: true });
    writeFileSync(log, "");
    const stub = (name: string, line: string): void => {
      writeFileSync(join(bin, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
    };
    const others = ["systemd-sysusers", "systemd-tmpfiles", "deb-systemd-helper"];
    for (const name of [...others, "systemctl", "deb-systemd-invoke"]) stub(name, "exit 0");
    stub("getent", `case " ${there.join(" ")} " in *" $2 "*) exit 0 ;; esac; exit 2`);
    stub("usermod", `echo "$@" >> ${log}`);
    const script = join(root, ".ci", "package", "postinst");
    const env = { PATH: `${bin}:/usr/bin:/bin` };
    expect(spawnSync("sh", [script, "configure", "0.1.0"], { env }).status).toBe(0);
    expect(readFileSync(log, "utf8").split("\n").filter(Boolean)).toEqual(
      there.map((group) => `--append --groups ${group} linkseal`),
    );
    const units = readFileSync(join(root, "systemd", "linkseal.service"), "utf8");
    expect(units).not.toMatch(/^SupplementaryGroups=/m);
  });

  it.each(scripts)("%s clears what would lead linkseal elsewhere, if it runs it", (name) => {
    const text = readFileSync(join(root, ".ci", "package", name), "utf8");
    const runs = /^[^#"]*\blinkseal (rotation|net) /m.exec(text)?.index ?? Number.POSITIVE_INFINITY;
    const clears = text.indexOf(
      "\nunset LINKSEAL_HOME XDG_RUNTIME_DIR XDG_STATE_HOME NODE_OPTIONS\n",
    );
    expect(Number.isFinite(runs) ? clears : 0).toBeGreaterThanOrEqual(0);
    expect(clears).toBeLessThan(runs);
  });

  it("a LINKSEAL_HOME of root does not hide from prerm what this host holds", () => {
    const [bin, net] = [join(folder, "prerm-bin"), join(folder, "linkseal-net")];
    for (const path of [bin, net]) mkdirSync(path, { recursive: true });
    const stub = (name: string, lines: readonly string[]): void => {
      writeFileSync(join(bin, name), ["#!/bin/sh", ...lines, ""].join("\n"), { mode: 0o755 });
    };
    // The real one looks in the state of LINKSEAL_HOME if that is set, and finds nothing there.
    stub("linkseal", ['[ -n "$LINKSEAL_HOME" ] || echo "prefix 10.0.0.0/8"']);
    stub("setpriv", ['while [ "${1#--}" != "$1" ]; do shift; done', 'exec "$@"']);
    const script = join(folder, "prerm");
    const text = readFileSync(join(root, ".ci", "package", "prerm"), "utf8");
    writeFileSync(
      script,
      text
        .replaceAll("/var/lib/linkseal-net", net)
        .replaceAll("/usr/bin/linkseal", join(bin, "linkseal"))
        .replaceAll("/run/systemd/system", join(folder, "no-systemd")),
    );
    const env = { PATH: `${bin}:/usr/bin:/bin`, LINKSEAL_HOME: "/elsewhere" };
    const { status, stderr } = spawnSync("sh", [script, "remove"], { env, encoding: "utf8" });
    expect([status, stderr]).toEqual([1, expect.stringContaining("prefix 10.0.0.0/8")]);
  });

  it("no script removes a whole file system", () => {
    const text = readFileSync(join(root, ".ci", "package", "postrm"), "utf8");
    const removed = [...text.matchAll(/rm -rf? (.*)/g)].flatMap(([, paths = ""]) =>
      paths.split(" "),
    );
    expect(removed.length).toBeGreaterThan(4);
    for (const path of removed)
      expect(path).toMatch(/^"?\/(run|etc|var\/lib)\/.*(linkseal|\$unit)/);
  });
});

describe("the parts inside, and their terms", () => {
  const parts = [npmPart(root, "node_modules/zod"), ...nodeParts(folder, process.versions)];

  it("the SBOM names each part once, by purl, and is the same for the same epoch", () => {
    const product = { name: "linkseal", version: "0.1.0", architecture: "amd64" };
    const text = sbom(product, parts, 1_700_000_000);
    expect(sbom(product, parts, 1_700_000_000)).toBe(text);
    const seen = JSON.parse(text) as {
      readonly bomFormat: string;
      readonly components: readonly { readonly purl: string; readonly licenses: unknown }[];
    };
    expect(seen.bomFormat).toBe("CycloneDX");
    const purls = seen.components.map(({ purl }) => purl);
    expect(new Set(purls).size).toBe(purls.length);
    expect(purls).toContain(`pkg:generic/node@${process.versions.node}`);
    expect(purls).toContain(`pkg:generic/openssl@${process.versions["openssl"]}`);
    expect(purls[0]).toMatch(/^pkg:npm\/zod@\d/);
    expect(seen.components[0]?.licenses).toEqual([{ license: { id: "MIT" } }]);
  });

  it("the copyright file has the whole text of each licence", () => {
    const zod = readFileSync(join(root, "node_modules/zod/LICENSE"), "utf8").trim();
    expect(copyright("ours", parts)).toContain(zod);
  });

  it("a part without readable terms is refused", () => {
    writeFileSync(join(folder, "package.json"), '{"name":"dark","version":"1.0.0"}');
    expect(() => npmPart(folder, ".")).toThrow("has no readable licence");
  });
});
