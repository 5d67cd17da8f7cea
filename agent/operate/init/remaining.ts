// What an operator still has to do after `init`, in order, with the lines to type. Pure.

import { factsOf } from "#drivers/index.ts";
import { hostOfPeer } from "#hal/target.ts";
import { shellWord } from "../../model/text.ts";
import { version } from "../../model/version.ts";
import { type InitAnswers, type InitDevice, peerUser, unconfirmedKey } from "./config-text.ts";

/** One thing that remains. */
export interface Remaining {
  /** What it is for, as the beginning of a sentence. */
  readonly what: string;
  /** The lines to type, and where, in order. */
  readonly lines: readonly string[];
}

/** Returns what remains until links are protected; `file` = the path of the config. */
export function remainingOf(answers: InitAnswers, file: string): readonly Remaining[] {
  const { cloud, group, devices, links } = answers;
  const config = shellWord(file);
  const azure: Remaining[] = [
    {
      what: "Give Azure what it needs: vault, roles, the identity of the port",
      lines: [
        `linkseal azure setup ${config} --format az`,
        `linkseal azure setup ${config} --check`,
      ],
    },
  ];
  return [
    ...devices.flatMap((device) => {
      const ports = links.filter((link) => link.device === device.name).map(({ port }) => port);
      return routerWork(device, ports, file);
    }),
    ...(cloud === "sim" ? [] : azure),
    {
      what: "Put a first key pair for each link into the vault, with your own right",
      lines: [
        `linkseal keys generate ${group} --file ${config}` +
          (cloud === "sim" ? "" : " --credential azureCli"),
      ],
    },
    {
      what: "Show what the config would change, and accept it",
      lines: [`linkseal plan ${config}`, `linkseal apply ${config}`],
    },
    { what: "Check both ends", lines: ["linkseal doctor", "linkseal status"] },
  ];
}

function routerWork(
  { name, driver, address, login }: InitDevice,
  ports: readonly string[],
  file: string,
): readonly Remaining[] {
  if (login === undefined) return [];
  const host = hostOfPeer(address ?? "");
  const confirm: Remaining = {
    what: `Confirm the host key of ${name}: replace ${unconfirmedKey} by what its console shows`,
    lines: [`editor ${shellWord(file)}`, `linkseal validate ${shellWord(file)}`],
  };
  const keyType = factsOf(driver)?.login?.keyType ?? "ed25519";
  return [
    ...(host === undefined ? [] : [hostInstall(name, ports)]),
    ...(login.hostKey === undefined ? [confirm] : []),
    {
      what: `Make a login key for ${name}, and give it to the service as a credential`,
      lines: [
        `ssh-keygen -t ${keyType} -N "" -C linkseal -f ./${name}`,
        `systemd-creds encrypt --name=${name} ./${name} /etc/credstore.encrypted/${name}`,
        `systemctl edit linkseal      # [Service] LoadCredentialEncrypted=${name}`,
        `systemctl restart linkseal && shred -u ./${name}`,
      ],
    },
    host === undefined
      ? {
          what: `Create the user ${login.user} on ${name}`,
          lines: userLines(driver, login.user, name),
        }
      : hostKeyWork(name, login.user, host),
  ];
}

/** A host needs what its links need, and no agent. */
function hostInstall(name: string, ports: readonly string[]): Remaining {
  const units = ["linkseal-net", ...ports.map((port) => `linkseal-mka@${port}`), "linkseal-peer"];
  return {
    what: `On ${name}, as root: install linkseal ${version}, and run it without an agent`,
    lines: [
      `apt install ./linkseal_${version}_amd64.deb     # arm64, or dnf install: docs/install.md`,
      "systemctl disable --now linkseal",
      `systemctl enable --now ${units.join(" ")}`,
    ],
  };
}

/** Binds the key to one command, whatever the shell of the login is. */
function hostKeyWork(name: string, user: string, host: string): Remaining {
  const home = user === peerUser ? "/var/lib/linkseal-peer" : `~${user}`;
  const options = 'restrict,from="AGENT",command="/usr/bin/linkseal peer"';
  return {
    what: `On ${name}, as root: let the key run linkseal peer, and nothing else`,
    lines: [
      `echo '${options} KEY' >> ${home}/.ssh/authorized_keys`,
      `chmod 644 ${home}/.ssh/authorized_keys`,
      `# KEY is the text of ./${name}.pub on this host`,
      `# AGENT is the address behind src, here: ip route get ${host}`,
    ],
  };
}

/** Returns the router's own lines; the last one says what `KEY` stands for. */
function userLines(driver: string, user: string, name: string): readonly string[] {
  const file = `./${name}.pub`;
  const { userLines: lines, note } = factsOf(driver)?.login ?? {};
  return [
    ...(lines?.(user) ?? [`an SSH user ${user} that may read and configure`]),
    `# KEY is ${note?.(file) ?? `the text of ${file}`}`,
  ];
}
