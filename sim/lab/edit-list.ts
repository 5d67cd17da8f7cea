// The shape of what `linkseal driver edits` prints.

/** A platform as its operator names it. */
export interface EditPlatform {
  /** The driver's name in the config. */
  readonly driver: string;
  /** The model, as the device prints it. */
  readonly model: string;
  /** The release, as the device prints it. */
  readonly release: string;
}

/** One text that a driver sends to a device, and the change that it is sent for. */
export interface Edit {
  /** The contract's word for the change, the state that it starts from, and how it is committed. */
  readonly change: string;
  /** The protocol that carries the text. */
  readonly channel: "cli" | "netconf";
  /**
   * The text as it is sent: all lines of a change, or one operation of NETCONF. In the place of
   * each key there is a word that no device takes as hexadecimal.
   */
  readonly text: string;
}

/** What a driver sends for each change of the contract; schema linkseal.edits/1. */
export interface EditList {
  /** Name and version of the schema. */
  readonly schema: "linkseal.edits/1";
  /** The platform that the texts are for. */
  readonly platform: EditPlatform;
  /** In the order of the contract. */
  readonly edits: readonly Edit[];
}
