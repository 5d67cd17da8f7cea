// Words in the replies of Junos that its readers know, beside the words of the queries. Only these
// stay in a bundle that is made to be shown outside.

/** In either case; the order has no meaning. */
export const grammar = `
  rpc reply data software information product model junos version name host mx ptx acx qfx ex
  srx vsrx vmx EVO system uptime current time booted date seconds commit history sequence number
  user client log comment confirmed rollback in linkseal confirms undoes interface physical
  logical admin status oper up down speed auto Unspecified gbps mbps traffic statistics input
  output pps bps packets et xe ge st fxp em lo irb mka session live state Secured Unsecured
  Primary Preceding Fallback Suspended Init cak type active progress transmit interval key
  server yes no priority latest previous sak an identifier peer list member hold received sent
  error integrity check value mismatch duplicate message old macsec connection common cipher
  suite GCM AES XPN encryption on off offset include sci replay protect outbound inbound secure
  channel association outgoing packet inuse standby encrypted protected toolong ok untagged
  control notag badtag unknown notusing sa unused late notvalid invalid bgp address as local
  group cfg fwd rti master default Established Idle Connect OpenSent OpenConfirm last None Timer
  Expired Cease route table inet destination count total holddown hidden rt entry tag protocol
  nh to via selected next hop Static Direct preference ike security associations block remote
  index gw role initiator responder MATURE exchange IKEv ipsec tunnel virtual root vpn gateway
  pfs DH N A direction spi aux port hard soft lifetime Expires Unlimited mode dynamic installed
  ESP authentication algorithm hmac sha md cbc des bits anti service counter based enabled
  disabled window size encapsulation ping results target probe summary probes responses loss
  success failure response route engine slot mastership backup OK Present RE
  bfd configuration operational active holdtime enabled disabled keepalive interval
`;
