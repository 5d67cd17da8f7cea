// Words in the replies of IOS XE that its readers know, beside the words of the queries. Only these
// stay in a bundle that is made to be shown outside.

import { ciscoWords } from "../platform/cisco-words.ts";

/** In either case; the order has no meaning. */
export const grammar = `${ciscoWords}
  deleted notconnect disabled DLY usec media buffer TenGigabitEthernet FortyGigabitEthernet Twe
  Tunnel Vlan XE RELEASE restarted returned at by EST processor memory maximum archive
  configurations allowed currently saved file will named bootflash stby flash harddisk disk usb ftp
  https http rcp scp sftp tftp Most feature reconfigured Timer value absolute min Confirmed Change
  Parser Configure Owner PID TTY Class Count Requests EXCLUSIVE LOCKED FREE Config unknown EXPOSED
  Audit EAP NA Rekey Loss Dormant Send Secure Announcement Based Computation SecY Counters Ingress
  Egress Untag Tag Overrun Too Long Pkts Controlled IF Out Protected Encrypted Unchecked Delayed OK
  using Unused Late Capabilities supported Ciphers Protect Enable Access Control must should TRUE
  FALSE Transmitting PN LowestPN CurrentAN PreviousAN Admin shutdown sent never family Unicast VPNv
  multipath backup RPKI Found attached recursive IPv fall over detect fast fallover single Crypto
  IKEv fvrf ivrf READY NEG DELETE map addr ident mask prot PERMIT encaps encrypt digest decaps
  decrypt verify compressed decompressed recv errors endpt plaintext ip outbound inbound spi PFS Y
  DH esp ah pcp sas transform des sha hmac use settings conn flow timing remaining lifetime k IV
  detection support Transport L C M B Ni Nd advantage essentials Smart License Subscription
  Technology package dna reboot subnetted variably subnets masks Gateway resort f t V
`;
