/* The functions that the addon exports to JavaScript; see native.ts for the types. */

#ifndef LINKSEAL_KERNEL_H
#define LINKSEAL_KERNEL_H

#include <node_api.h>

/* openNetlink(family, receiveBytes, onReadable): a handle. */
napi_value netlink_open_call(napi_env env, napi_callback_info info);
/* joinGroup(handle, group) */
napi_value netlink_join_call(napi_env env, napi_callback_info info);
/* openFrames(interfaceIndex, etherType, group, onReadable): a handle. */
napi_value frames_open_call(napi_env env, napi_callback_info info);
/* openClearCount(interfaceIndex): the descriptor of a count of data frames in the clear. */
napi_value clear_count_open_call(napi_env env, napi_callback_info info);
/* takeClearCount(fd): how many arrived since the last call. */
napi_value clear_count_take_call(napi_env env, napi_callback_info info);
/* peerCredentials(fd): {pid, uid, gid} of the other end of a Unix stream socket. */
napi_value peer_credentials_call(napi_env env, napi_callback_info info);
/* notify(address, text, fds): one datagram to the service manager. */
napi_value notify_call(napi_env env, napi_callback_info info);
/* openMemory(name, bytes): the descriptor of memory without a file, of a size that stays. */
napi_value memory_open_call(napi_env env, napi_callback_info info);
/*
 * checkMemory(fd): throws unless it is such memory; programs that the process starts do not inherit
 * it.
 */
napi_value memory_check_call(napi_env env, napi_callback_info info);
/* refuseDumps(): no core file and no debugger of the same user. */
napi_value refuse_dumps_call(napi_env env, napi_callback_info info);

#ifdef LINKSEAL_TEST_BUILD

napi_value enter_namespace_call(napi_env env, napi_callback_info info);
napi_value listen_notices_call(napi_env env, napi_callback_info info);
napi_value take_notice_call(napi_env env, napi_callback_info info);

#endif

#endif
