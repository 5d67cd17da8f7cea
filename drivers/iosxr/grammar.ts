// Words in the replies of IOS XR that its readers know, beside the words of the queries. Only these
// stay in a bundle that is made to be shown outside.

import { ciscoWords } from "../platform/cisco-words.ts";

/** In either case; the order has no meaning. */
export const grammar = `${ciscoWords}
  transitions Max Mb force drops TenGigE FortyGigE TwoHundredGigE EightHundredGigE TF TH EH MgmtEth
  Mg RP CPU Bundle Ether XR LNT Build Information Cause Code String command issued CommitId Label
  UserId Client Comment CLI configuration sessions Date con vty Init Marked generation distribution
  Authentication Mode PRIMARY FALLBACK PSK Keychain Authenticator Indicator Integrity Fail Pkt Error
  Non Peerlist SAKUSE Mismatch Packet Stats TxSC RxSC TxSA InPktsUntagged InPktsNoTag InPktsBadTag
  InPktsUnknownSCI InPktsNoSCI InPktsOverrun InOctetsValidated InOctetsDecrypted OutPktsUntagged
  OutPktsTooLong OutOctetsProtected OutOctetsEncrypted OutPktsProtected OutPktsEncrypted
  InPktsUnchecked InPktsDelayed InPktsLate InPktsOK InPktsInvalid InPktsNotValid InPktsNotUsingSA
  InPktsUnusedSA NextPN shut requested families instance generic scan secs stop routing RD main RIB
  failure discard Processed paths entry Known static distance candidate Descriptor Blocks
  advertising protos from mininterval multiplier created Session Line Lock None Reserved User
  Process PID Node Elapsed Time sec config commit confirm
`;
