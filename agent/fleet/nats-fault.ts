// The fault after which a connection must end.

/** A server broke the protocol or a limit. Its message is of linkseal's own words. */
export class NatsFault extends Error {}
