// Messages of syslog, which a terminal with `terminal monitor` gets between the lines of an answer.

/** The time of a message, as in RFC 3164 or RFC 3339 (`logging format timestamp`). */
const times = [
  String.raw`[A-Z][a-z]{2} [ \d]\d (?:\d{4} )?\d\d:\d\d:\d\d`,
  String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`,
];

/** The facility, the severity and the name of an event, behind the host and the process. */
const event = String.raw`%[A-Z][A-Z0-9_]{1,40}-\d-[A-Z0-9_]{2,60}: `;

/** A line that is a message; no answer has such a line. */
export const messageOfSyslog = new RegExp(`^(?:${times.join("|")})\\S{0,16} .{0,200}${event}`);
