/* What only tests may do: change the network of a thread, and act as the service manager. */

#ifdef LINKSEAL_TEST_BUILD

/* setns */
#define _GNU_SOURCE

#include "kernel.h"
#include "arguments.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 16
#define PATIENCE_SECONDS 10

/* enterNamespace(path): sockets that this thread opens from now on belong to that network. */
napi_value enter_namespace_call(napi_env env, napi_callback_info info)
{
	struct arguments taken;
	char path[PATH_MAX];
	size_t length;
	int fd, number;

	if (!arguments_take(env, info, 1, &taken) ||
	    !arguments_text(&taken, 0, path, sizeof(path), &length))
		return NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return throw_errno(env, "open", errno);
	number = setns(fd, CLONE_NEWNET) == 0 ? 0 : errno;
	close(fd);
	return number != 0 ? throw_errno(env, "setns", number) : result_undefined(env);
}

/* listenNotices(address): the descriptor of a datagram socket at that address. */
napi_value listen_notices_call(napi_env env, napi_callback_info info)
{
	struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
	struct arguments taken;
	struct sockaddr_un address;
	socklen_t size;
	int fd, number;

	if (!arguments_take(env, info, 1, &taken) ||
	    !arguments_unix_address(&taken, 0, &address, &size))
		return NULL;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return throw_errno(env, "socket", errno);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
	    bind(fd, (struct sockaddr *)&address, size) == 0)
		return result_number(env, fd);
	number = errno;
	close(fd);
	return throw_errno(env, "bind", number);
}

static bool set_descriptors(napi_env env, napi_value result, struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	size_t count = header == NULL ? 0 : (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	napi_value list;
	size_t at;

	if (napi_create_array(env, &list) != napi_ok)
		return false;
	for (at = 0; at < count; at++) {
		int fd;

		memcpy(&fd, CMSG_DATA(header) + at * sizeof(int), sizeof(int));
		if (napi_set_element(env, list, (uint32_t)at, result_number(env, fd)) != napi_ok)
			return false;
	}
	return napi_set_named_property(env, result, "descriptors", list) == napi_ok;
}

/* takeNotice(fd): {text, descriptors} of the next datagram. */
napi_value take_notice_call(napi_env env, napi_callback_info info)
{
	struct arguments taken;
	uint32_t fd;
	char text[4096];
	union {
		char room[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec part = {.iov_base = text, .iov_len = sizeof(text)};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room)};
	napi_value result, value;
	ssize_t length;

	if (!arguments_take(env, info, 1, &taken) || !arguments_u32(&taken, 0, &fd))
		return NULL;
	length = recvmsg((int)fd, &message, MSG_CMSG_CLOEXEC);
	if (length < 0)
		return throw_errno(env, "recvmsg", errno);
	if (napi_create_object(env, &result) != napi_ok ||
	    napi_create_string_utf8(env, text, (size_t)length, &value) != napi_ok ||
	    napi_set_named_property(env, result, "text", value) != napi_ok ||
	    !set_descriptors(env, result, &message))
		return NULL;
	return result;
}

#endif
