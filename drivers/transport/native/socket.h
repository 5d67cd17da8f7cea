/*
 * A datagram socket in the event loop: it calls back when it is readable, and the caller receives
 * what is there.
 */

#ifndef LINKSEAL_SOCKET_H
#define LINKSEAL_SOCKET_H

#include "arguments.h"

#include <sys/socket.h>

/*
 * Copies one or more datagrams of `fd` into `room`. Returns the octets written, or minus errno;
 * -EAGAIN when there is nothing.
 */
typedef int64_t (*socket_receive)(int fd, struct bytes room);

/* Takes ownership of `fd` also when it fails. The result is an opaque handle for socket_of. */
napi_value socket_wrap(napi_env env, int fd, socket_receive receive, napi_value on_readable);

/* receive(handle, bytes): octets written, or minus errno. */
napi_value socket_receive_call(napi_env env, napi_callback_info info);
/* send(handle, bytes): octets sent, or minus errno. */
napi_value socket_send_call(napi_env env, napi_callback_info info);
/* close(handle): a second close does nothing. */
napi_value socket_close_call(napi_env env, napi_callback_info info);

/* Returns the descriptor of an open handle; -1, with an exception pending, for anything else. */
int socket_fd(const struct arguments *taken, size_t index);

#endif
