/* The functions of the addon; native.ts has their types. */

#ifndef LINKSEAL_KERNEL_H
#define LINKSEAL_KERNEL_H

#include <node_api.h>

/* openNetlink(family, receiveBytes, onReadable): returns a handle. */
napi_value netlink_open_call(napi_env env, napi_callback_info info);
/* joinGroup(handle, group): subscribes to a multicast group. */
napi_value netlink_join_call(napi_env env, napi_callback_info info);
/* openFrames(interfaceIndex, etherType, group, onReadable): returns a handle. */
napi_value frames_open_call(napi_env env, napi_callback_info info);
/*
 * openClearCount(interfaceIndex): returns the descriptor of a counter of data frames in the clear.
 */
napi_value clear_count_open_call(napi_env env, napi_callback_info info);
/* takeClearCount(fd): returns how many came in since the last call. */
napi_value clear_count_take_call(napi_env env, napi_callback_info info);
/* peerCredentials(fd): returns {pid, uid, gid} of the other end of a Unix stream socket. */
napi_value peer_credentials_call(napi_env env, napi_callback_info info);
/* limitReceive(fd, octets): limits what the kernel keeps of a TCP socket until it is read. */
napi_value limit_receive_call(napi_env env, napi_callback_info info);
/* notify(address, text, fds): sends one datagram to the service manager. */
napi_value notify_call(napi_env env, napi_callback_info info);
/* openMemory(name, bytes): returns the descriptor of memory without a file, of a fixed size. */
napi_value memory_open_call(napi_env env, napi_callback_info info);
/* checkMemory(fd): throws unless it is such memory; sets close-on-exec on it. */
napi_value memory_check_call(napi_env env, napi_callback_info info);
/* refuseDumps(): prevents core files, and debuggers of the same user. */
napi_value refuse_dumps_call(napi_env env, napi_callback_info info);

#ifdef LINKSEAL_TEST_BUILD

napi_value enter_namespace_call(napi_env env, napi_callback_info info);
napi_value listen_notices_call(napi_env env, napi_callback_info info);
napi_value take_notice_call(napi_env env, napi_callback_info info);

#endif

#endif
