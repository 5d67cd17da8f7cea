// Words in the replies of NX-OS that its readers know, beside the words of the queries. Only these
// stay in a bundle that is made to be shown outside.

import { ciscoWords } from "../platform/cisco-words.ts";

/** In either case; the order has no meaning. */
export const grammar = `${ciscoWords}
  TABLE_interface ROW_interface admin_state state_rsn_desc Authorization eth_bw eth_inrate1_bits
  eth_inrate1_pkts eth_outrate1_bits eth_outrate1_pkts Ethernet Nexus Operating NXOS Chassis at
  usecs after Reason Kernel Created by Checkpoint Summary Description Authentication Mode PRIMARY
  FALLBACK PSK Operational CONF Count Eapol dest Ether RxSCI Match Applicable
  TABLE_mka_session_details ROW_mka_session_details ifname ca_auth_mode ks_prio keyserver
  cipher_operational sak_status sak_an sak_ki sak_kn peer_count TABLE_mka_peer_status
  ROW_mka_peer_status peer_mi icv_status TABLE_mka_fallback ROW_mka_fallback fallback_ckn
  TABLE_mka_fallback_peer ROW_mka_fallback_peer fallback_peer_mi fallback_icv_status
  TABLE_mka_intf_stats ROW_mka_intf_stats TABLE_idb_stats ROW_idb_stats mkpdu_stat_mkpdu_tx
  mkpdu_stat_mkpdu_rx idb_stat_mkpdu_failure_rx_integrity_check_error
  idb_stat_mkpdu_rx_ca_notfound idb_stat_mkpdu_failure_invalid_peer_mn_error TABLE_statistics
  ROW_statistics in_pkts_untagged in_pkts_badtag in_pkts_no_sci in_pkts_unknown_sci supported
  TABLE_rx_sa_an ROW_rx_sa_an in_pkts_ok in_pkts_invalid in_pkts_not_valid in_pkts_late
  in_pkts_not_using_sa in_pkts_unused_sa TABLE_tx_sa_an ROW_tx_sa_an out_pkts_encrypted_protected
  out_pkts_too_long TABLE_neighbor ROW_neighbor ipv6neighbor Shut Admin holdtime true false
  peerresetreason resetreason TABLE_vrf ROW_vrf TABLE_afi ROW_afi TABLE_safi ROW_safi TABLE_rd
  ROW_rd TABLE_prefix ROW_prefix TABLE_path ROW_path ipprefix ipv6prefix statuscode bestcode
  ipnexthop TABLE_addrf ROW_addrf packet loss found
`;
