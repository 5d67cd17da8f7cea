/* struct ucred */
#define _GNU_SOURCE

#include "arguments.h"
#include "kernel.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 16
#define TEXT_MAX 4096

static bool set_number(napi_env env, napi_value object, const char *name, int64_t value)
{
	return napi_set_named_property(env, object, name, result_number(env, value)) == napi_ok;
}

/* SO_PEERCRED answers for other sockets too, and then with values that mean nothing. */
static int check_unix_stream(int fd)
{
	int domain, type;
	socklen_t length = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0)
		return errno;
	return domain == AF_UNIX && type == SOCK_STREAM ? 0 : EPROTOTYPE;
}

napi_value peer_credentials_call(napi_env env, napi_callback_info info)
{
	struct arguments taken;
	struct ucred peer;
	socklen_t length = sizeof(peer);
	uint32_t fd;
	int number;
	napi_value result;

	if (!arguments_take(env, info, 1, &taken) || !arguments_u32(&taken, 0, &fd))
		return NULL;
	number = check_unix_stream((int)fd);
	if (number != 0)
		return throw_errno(env, "SO_PEERCRED", number);
	if (getsockopt((int)fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
		return throw_errno(env, "SO_PEERCRED", errno);
	/* A socket without a peer answers with pid 0 and uid -1 instead of an error. */
	if (length != sizeof(peer) || peer.pid <= 0 || peer.uid == (uid_t)-1)
		return throw_errno(env, "SO_PEERCRED", ENOTCONN);
	if (napi_create_object(env, &result) != napi_ok ||
	    !set_number(env, result, "pid", peer.pid) ||
	    !set_number(env, result, "uid", peer.uid) || !set_number(env, result, "gid", peer.gid))
		return NULL;
	return result;
}

static bool is_internet_stream(int fd)
{
	int domain, type;
	socklen_t length = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 &&
	       (domain == AF_INET || domain == AF_INET6) && type == SOCK_STREAM;
}

napi_value limit_receive_call(napi_env env, napi_callback_info info)
{
	struct arguments taken;
	uint32_t fd, octets;
	int value;

	if (!arguments_take(env, info, 2, &taken) || !arguments_u32(&taken, 0, &fd) ||
	    !arguments_u32(&taken, 1, &octets))
		return NULL;
	if (!is_internet_stream((int)fd) || octets > INT_MAX)
		return throw_errno(env, "SO_RCVBUF", EINVAL);
	value = (int)octets;
	if (setsockopt((int)fd, SOL_SOCKET, SO_RCVBUF, &value, sizeof(value)) != 0)
		return throw_errno(env, "SO_RCVBUF", errno);
	return result_undefined(env);
}

static bool descriptors_of(const struct arguments *taken, size_t index, int *fds, uint32_t *count)
{
	napi_value list = taken->values[index];
	struct arguments item = {.env = taken->env};
	uint32_t at;

	if (napi_get_array_length(taken->env, list, count) != napi_ok ||
	    *count > DESCRIPTORS_MAX) {
		napi_throw_type_error(taken->env, NULL, "expected at most 16 descriptors");
		return false;
	}
	for (at = 0; at < *count; at++) {
		uint32_t fd;

		if (napi_get_element(taken->env, list, at, &item.values[0]) != napi_ok ||
		    !arguments_u32(&item, 0, &fd))
			return false;
		fds[at] = (int)fd;
	}
	return true;
}

static int send_notice(const struct sockaddr_un *address, socklen_t size, struct iovec text,
		       const int *fds, uint32_t count)
{
	union {
		char room[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
		struct cmsghdr align;
	} control = {{0}};
	struct msghdr message = {.msg_name = (void *)address,
				 .msg_namelen = size,
				 .msg_iov = &text,
				 .msg_iovlen = 1};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int number = 0;

	if (fd < 0)
		return errno;
	if (count > 0) {
		struct cmsghdr *header;

		message.msg_control = control.room;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
	}
	/* The call never waits: a service manager with a full queue must not stop the agent. */
	if (sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		number = errno;
	close(fd);
	return number;
}

napi_value notify_call(napi_env env, napi_callback_info info)
{
	struct arguments taken;
	struct sockaddr_un address;
	socklen_t size;
	char text[TEXT_MAX];
	size_t text_length;
	int fds[DESCRIPTORS_MAX];
	uint32_t count;
	int number;

	if (!arguments_take(env, info, 3, &taken) ||
	    !arguments_unix_address(&taken, 0, &address, &size) ||
	    !arguments_text(&taken, 1, text, sizeof(text), &text_length) ||
	    !descriptors_of(&taken, 2, fds, &count))
		return NULL;
	number = send_notice(&address, size,
			     (struct iovec){.iov_base = text, .iov_len = text_length}, fds, count);
	return number != 0 ? throw_errno(env, "notify", number) : result_undefined(env);
}
