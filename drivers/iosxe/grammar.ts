// Words in the replies of IOS XE that its readers know, beside the words of the queries. Only these
// stay in a bundle that is made to be shown outside.

/** In either case; the order has no meaning. */
export const grammar = `
  administratively up down is line protocol deleted connected notconnect suspended disabled
  Hardware address MTU bytes BW Kbit sec DLY usec reliability txload rxload Encapsulation ARPA
  loopback not set Full Duplex link type media minute second input output rate bits packets
  buffer no GigabitEthernet TenGigabitEthernet TwentyFiveGigE FortyGigabitEthernet FiftyGigE
  HundredGigE FourHundredGigE Gi Te Twe Fo Fi Hu FH Tunnel Vlan Cisco IOS XE Software Version
  RELEASE uptime weeks days hours minutes week day hour System restarted returned at by reload
  UTC GMT EST Mon Tue Wed Thu Fri Sat Sun Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec
  processor with memory of The maximum archive configurations allowed There are currently saved
  next file will be named bootflash stby flash harddisk disk usb ftp https http rcp scp sftp tftp
  Name Most Recent feature enabled Time configured reconfigured Timer
  value absolute idle min User Rollback Confirmed Change pending Parser Configure Lock Owner PID
  TTY State Class Count Requests EXCLUSIVE LOCKED FREE Config Session unknown EXPOSED MKA
  Detailed Status for SECURED INITIALIZING ACTIVE Searching Peer Waiting to receive first MKPDU
  MACsec Local Tx Rx SCI Interface MAC Port Identifier Audit ID CAK CKN Member MI Message Number
  MN EAP Role NA Key Server YES Cipher Suite AES CMAC Latest Old SAK AN KI KN RETIRED Transmit
  Wait Retire Rekey On Live Loss Peers List Potential Dormant Policy Priority Delay Protection
  Confidentiality Offset Algorithm Agility Send Secure Announcement Capability Desired SSCI
  Based Computation GCM XPN NULL Capable Responded KS RxSA Installed and any respond has
  Statistics Reauthentication Attempts CA Pairwise CAKs Derived Rekeys SA SAKs Generated Rekeyed
  Received Responses MKPDUs Validated Transmitted Distributed Failures SecY Counters Ingress
  Egress Untag Tag Bad Overrun Too Long Pkts Controlled IF In Out SC Protected Encrypted
  Unchecked Delayed OK Invalid Valid using Unused Late Capabilities ICV length Data supported
  Ciphers Replay Window Protect Enable Access Control must should Include TRUE FALSE
  Transmitting PN LowestPN CurrentAN PreviousAN BGP neighbor remote AS external internal vrf
  router Established OpenSent OpenConfirm Connect Admin shutdown Last read reset due
  Notification sent hold expired keepalive interval seconds never family Unicast VPNv table
  codes suppressed damped history best Stale multipath backup path Origin IGP EGP incomplete
  RPKI validation Found Network Hop Metric LocPrf Weight Total prefixes Route Distinguisher
  default nexthop attached via recursive drop Success percent Sending ICMP Echos timeout IPv
  BFD configured peer Up fall Fall over detect fast fallover single hop
  Crypto IKEv fvrf ivrf none READY NEG DELETE map addr ident mask prot current PERMIT encaps
  encrypt digest decaps decrypt verify compressed decompressed recv errors endpt plaintext ip
  idb outbound inbound spi PFS Y N DH group esp ah pcp sas transform des sha hmac use settings
  conn flow timing remaining lifetime k size IV detection support Transport L C S R M B Ni Nd
  network advantage essentials Smart License Subscription Technology package Current Type dna
  reboot subnetted variably subnets masks directly Gateway resort d h i f x a t e V
`;
