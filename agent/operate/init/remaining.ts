// What an operator still has to do after `init`, in order, with the lines to type. Pure.

import { factsOf } from "#drivers/index.ts";
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
  const keyType = factsOf(driver)?.login?.keyType ?? "ed25519";
  return [
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
    {
      what: `Create the user ${login.user} on ${name}`,
      lines: userLines(driver, login.user, name),
    },
  ];
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
