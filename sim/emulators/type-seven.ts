// The form in which a configuration hides a key from a casual reader: an exclusive or with a text
// that is public. It is not a protection, so a router must not be asked for it.

const pad = "dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87";

export function obscured(plain: string): string {
  const salt = 4;
  const digits = [...Buffer.from(plain)].map((octet, index) =>
    (octet ^ pad.charCodeAt((salt + index) % pad.length)).toString(16).padStart(2, "0"),
  );
  return `${String(salt).padStart(2, "0")}${digits.join("").toUpperCase()}`;
}

/** Returns the plain text; undefined if the input is not of this form. */
export function plainOf(text: string): string | undefined {
  if (!/^\d{2}(?:[0-9a-fA-F]{2})+$/.test(text)) return undefined;
  const salt = Number(text.slice(0, 2));
  const octets = Buffer.from(text.slice(2), "hex");
  return String.fromCharCode(
    ...octets.map((octet, index) => octet ^ pad.charCodeAt((salt + index) % pad.length)),
  );
}
