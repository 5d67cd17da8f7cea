// `npm run test:tools`: installs the programs that the tiers need from outside the clone; with
// names of packages it installs only those.

import { execFileSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { prepareLibreswan } from "./machine/libreswan.ts";
import { ansibleSign, isCommand, machineFolder } from "./machine/place.ts";
import { prepareMachine } from "./machine/prepare.ts";
import { prepareRoot } from "./machine/root.ts";
import { prepareSupplicant } from "./machine/supplicant.ts";
import { prepareUserModeKernel } from "./machine/user-mode-kernel.ts";
import { sdkFolder, sdkSign } from "./peers/place.ts";

interface Tool {
  /** Sign that its package is installed: a command, or a file by its path. */
  readonly sign: string;
  readonly package: string;
  readonly why: string;
  /** Present for what only a long run or a bench needs: it is installed if it is named. */
  readonly onlyNamed?: true;
}

/** apt would take a name that ends in "-" as a request to remove the package. */
const tools: readonly Tool[] = [
  { sign: "gcc", package: "gcc", why: "compiles the native addon" },
  { sign: "/usr/include/linux/netlink.h", package: "libc6-dev", why: "headers for it" },
  { sign: "make", package: "make", why: "builds the kernel of the kernel tier" },
  { sign: "flex", package: "flex", why: "reads its configuration" },
  { sign: "bison", package: "bison", why: "reads it too" },
  { sign: "bc", package: "bc", why: "computes its constants of time" },
  { sign: "qemu-system-x86_64", package: "qemu-system-x86", why: "the machine of Debian's kernel" },
  { sign: "/bin/busybox", package: "busybox-static", why: "its first process" },
  { sign: "depmod", package: "kmod", why: "indexes and loads its modules" },
  { sign: "xz", package: "xz-utils", why: "unpacks them" },
  { sign: "strace", package: "strace", why: "strikes a process at one system call" },
  { sign: "dmsetup", package: "dmsetup", why: "makes the disk below a file system fail" },
  { sign: "mkfs.ext4", package: "e2fsprogs", why: "makes that file system" },
  { sign: "ip", package: "iproute2", why: "the peer that the codecs are held against" },
  { sign: "nft", package: "nftables", why: "puts an end of a tunnel behind a NAT" },
  { sign: "vtysh", package: "frr", why: "the BGP of both ends of a link" },
  { sign: "wpa_supplicant", package: "wpasupplicant", why: "the MKA participant that ours meets" },
  { sign: "charon-systemd", package: "charon-systemd", why: "IKE of both ends of a tunnel" },
  { sign: "ssh", package: "openssh-client", why: "logs in to simulated routers" },
  { sign: "/usr/sbin/sshd", package: "openssh-server", why: "has `linkseal peer` behind a login" },
  {
    sign: "/usr/lib/python3/dist-packages/ncclient",
    package: "python3-ncclient",
    why: "configures them by a NETCONF that is not ours",
  },
  {
    sign: "/usr/lib/python3/dist-packages/netmiko",
    package: "python3-netmiko",
    why: "configures routers at their command line",
  },
  {
    sign: "/usr/include/nc_server.h",
    package: "libnetconf2-dev",
    why: "a NETCONF server that is not ours is built on it",
  },
  { sign: "/usr/include/libyang/libyang.h", package: "libyang-dev", why: "its trees" },
  { sign: "/usr/include/libssh/callbacks.h", package: "libssh-dev", why: "headers for it" },
  { sign: "snmpd", package: "snmpd", why: "the SNMP agent that our reader meets" },
  { sign: "snmpbulkwalk", package: "snmp", why: "reads simulated routers by SNMPv3" },
  { sign: "ansible-playbook", package: "ansible-core", why: "runs the role of our examples" },
  {
    ...{ sign: ansibleSign, package: "ansible", onlyNamed: true },
    why: "its NETCONF module, with which a bench compares ours",
  },
  { sign: "man", package: "man-db", why: "renders our manual pages" },
  { sign: "journalctl", package: "systemd", why: "compiles the catalogue of our codes" },
  { sign: "mandoc", package: "mandoc", why: "checks them" },
  {
    // 26,000 files of Python, which Debian compiles for minutes.
    ...{ sign: "az", package: "azure-cli", onlyNamed: true },
    why: "Microsoft's command at the simulated cloud",
  },
  { sign: "jq", package: "jq", why: "changes the document of a LAG for an operator" },
  { sign: "promtool", package: "prometheus", why: "reads our metrics and runs our alert rules" },
  {
    sign: "prometheus-node-exporter",
    package: "prometheus-node-exporter",
    why: "the exporter beside which a scrape is measured",
  },
  {
    sign: "nats-server",
    package: "nats-server",
    why: "the engine of many sites, whose rights and answers are tried",
  },
  { sign: "chromium", package: "chromium", why: "the browser that the status page is seen in" },
  { sign: "dpkg-deb", package: "dpkg", why: "builds the package" },
  { sign: "readelf", package: "binutils", why: "tells what the package depends on" },
  {
    sign: "aarch64-linux-gnu-gcc",
    package: "gcc-aarch64-linux-gnu",
    why: "compiles the addon of the package for arm64",
  },
  {
    sign: "/usr/aarch64-linux-gnu/include/stdio.h",
    package: "libc6-dev-arm64-cross",
    why: "headers for it",
  },
  { sign: "mmdebstrap", package: "mmdebstrap", why: "the fresh host that it is installed on" },
  { sign: "zsh", package: "zsh", why: "loads our completion" },
  { sign: "fish", package: "fish", why: "loads our completion" },
  { sign: "stress-ng", package: "stress-ng", why: "takes the processors from tests beside it" },
  { sign: "ping", package: "iputils-ping", why: "proves a link that nothing else uses" },
];

const isThere = ({ sign }: Tool): boolean =>
  sign.startsWith("/") ? existsSync(sign) : isCommand(sign);

function apt(...argv: string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  execFileSync("apt-get", ["-q", ...argv], { env, stdio: ["ignore", "inherit", "inherit"] });
}

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !tools.some((tool) => tool.package === name));
if (unknown.length > 0) throw new Error(`no tier needs ${unknown.join(", ")}`);
const isAsked = (tool: Tool): boolean =>
  asked.length === 0 ? tool.onlyNamed === undefined : asked.includes(tool.package);
const missing = tools.filter((tool) => isAsked(tool) && !isThere(tool));
// The list of packages may be older than the kernel that is served now.
if (missing.length > 0 || asked.length === 0) apt("update");
if (missing.length > 0) {
  for (const tool of missing) console.log(`installs ${tool.package}: ${tool.why}`);
  const names = missing.map((tool) => tool.package);
  apt("install", "-y", "--no-remove", "--no-install-recommends", ...names);
}
if (asked.length === 0) prepareTiers();

/** They are 200 MB, which `npm ci` in the clone must not cost. */
function prepareSdk(): void {
  const lock = join(sdkFolder, "package-lock.json");
  if (existsSync(sdkSign) && statSync(sdkSign).mtimeMs >= statSync(lock).mtimeMs) return;
  execFileSync("npm", ["ci", "--ignore-scripts"], {
    cwd: sdkFolder,
    stdio: ["ignore", "inherit", "inherit"],
  });
}

function prepareTiers(): void {
  prepareSdk();
  // This comes first: a machine that is made anew removes everything else in the folder.
  const debian = prepareMachine(machineFolder);
  console.log(`the kernel tier runs on ${prepareUserModeKernel(machineFolder)}`);
  console.log(`and in its long form on ${debian}`);
  console.log(`and against wpa_supplicant ${prepareSupplicant(machineFolder)} too`);
  console.log(`and against libreswan ${prepareLibreswan(machineFolder)}`);
  console.log(`the package is installed on a fresh ${prepareRoot(machineFolder)}`);
}
