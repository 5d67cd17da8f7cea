// The commands that give a credential to the service, encrypted for this host.

/** The word for the file with the secret, which a person replaces. */
const fileWord = "<FILE-WITH-THE-SECRET>";

/**
 * Returns the commands, as root, that put a credential under its name into the unit of the agent
 * and restart it: the encrypted file, the drop-in, and systemctl.
 */
export function credentialCommands(name: string): readonly string[] {
  const folder = "/etc/systemd/system/linkseal.service.d";
  return [
    `systemd-creds encrypt --name=${name} '${fileWord}' /etc/credstore.encrypted/${name}`,
    `mkdir -p ${folder}`,
    `printf '[Service]\\nLoadCredentialEncrypted=${name}\\n' >${folder}/${name}.conf`,
    "systemctl daemon-reload",
    "systemctl restart linkseal",
  ];
}
