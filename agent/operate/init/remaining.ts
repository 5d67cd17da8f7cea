// What an operator still has to do after `init`, in order, with the lines to type. Pure.

import { shellWord } from "../../model/text.ts";
import { type InitAnswers, type InitDevice, unconfirmedKey } from "./config-text.ts";

/** One thing that remains. */
export interface Remaining {
  /** What it is for, as the beginning of a sentence. */
  readonly what: string;
  /** The lines to type, and where, in order. */
  readonly lines: readonly string[];
}

/** Returns what remains until links are protected; `file` = the path of the config. */
export function remainingOf(answers: InitAnswers, file: string): readonly Remaining[] {
  const { cloud, group, devices } = answers;
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
    ...devices.flatMap((device) => routerWork(device, file)),
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

function routerWork({ name, driver, login }: InitDevice, file: string): readonly Remaining[] {
  if (login === undefined) return [];
  const confirm: Remaining = {
    what: `Confirm the host key of ${name}: replace ${unconfirmedKey} by what its console shows`,
    lines: [`editor ${shellWord(file)}`, `linkseal validate ${shellWord(file)}`],
  };
  return [
    ...(login.hostKey === undefined ? [confirm] : []),
    {
      what: `Make a login key for ${name}, and give it to the service as a credential`,
      lines: [
        `ssh-keygen -t ${keyType(driver)} -N "" -C linkseal -f ./${name}`,
        `systemd-creds encrypt --name=${name} ./${name} /etc/credstore.encrypted/${name}`,
        `systemctl edit linkseal      # [Service] LoadCredentialEncrypted=${name}`,
        `systemctl restart linkseal && shred -u ./${name}`,
      ],
    },
    {
      what: `Create the user ${login.user} on ${name}`,
      lines: userLines(driver, login.user, name),
    },
  ];
}

/** The routers of Cisco know RSA keys of users in every release, and others in few. */
function keyType(driver: string): string {
  return driver === "iosxr" || driver === "iosxe" ? "rsa -b 4096" : "ed25519";
}

/** What a task group of IOS XR has to allow. */
const tasks = ["interface", "bgp", "crypto", "config-services", "basic-services"] as const;

/** Returns the router's own lines; `KEY` stands for the text of the public key file. */
function userLines(driver: string, user: string, name: string): readonly string[] {
  const key = `# KEY is the text of ./${name}.pub`;
  switch (driver) {
    case "junos":
      return [
        "set system services netconf ssh",
        `set system login user ${user} class super-user authentication ssh-ed25519 "KEY"`,
        key,
      ];
    case "eos":
      return [
        `username ${user} privilege 15 role network-admin nopassword`,
        `username ${user} ssh-key KEY`,
        key,
      ];
    case "iosxe":
      return [
        ...[`username ${user} privilege 15`, "ip ssh pubkey-chain", ` username ${user}`],
        ...["  key-string", "   KEY", "   exit"],
        `${key}, in lines of 200 characters (fold -w 200)`,
      ];
    case "iosxr":
      return [
        `taskgroup ${user}`,
        ...tasks.flatMap((task) => [` task read ${task}`, ` task write ${task}`]),
        ...[
          `usergroup ${user}`,
          ` taskgroup ${user}`,
          `username ${user}`,
          ` group ${user}`,
          "commit",
        ],
        ...[`crypto key import authentication rsa username ${user}`, "KEY"],
        `# KEY is what ssh-keygen -e -m PEM -f ./${name}.pub prints, and an empty line`,
      ];
    default:
      return [`an SSH user ${user} that may read and configure`, key];
  }
}
