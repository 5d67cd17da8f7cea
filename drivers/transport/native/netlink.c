#include "kernel.h"
#include "socket.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <unistd.h>

/* The kernel never sends a larger datagram to a socket that offers this much. */
#define DATAGRAM_MAX 65536

_Static_assert(DATAGRAM_MAX % NLMSG_ALIGNTO == 0, "a datagram that fits leaves an aligned rest");

static bool set_flag(int fd, int option)
{
	int on = 1;

	return setsockopt(fd, SOL_NETLINK, option, &on, sizeof(on)) == 0;
}

/*
 * Without CAP_ACK a refused request is returned whole, with its key; without the others the reason
 * of a refusal is lost and unknown filters are ignored.
 */
static int open_netlink(int family, int receive_bytes)
{
	struct sockaddr_nl self = {.nl_family = AF_NETLINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, family);
	int number;

	if (fd < 0)
		return -errno;
	/* A size above rmem_max needs CAP_NET_ADMIN; a smaller buffer costs a resync. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes, sizeof(receive_bytes)) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
	if (set_flag(fd, NETLINK_CAP_ACK) && set_flag(fd, NETLINK_EXT_ACK) &&
	    set_flag(fd, NETLINK_GET_STRICT_CHK) &&
	    bind(fd, (struct sockaddr *)&self, sizeof(self)) == 0)
		return fd;
	number = errno;
	close(fd);
	return -number;
}

/* Receives one datagram; returns 0 for one that was dropped because the kernel did not send it. */
static int64_t receive_one(int fd, struct bytes room)
{
	struct sockaddr_nl from = {0};
	struct iovec part = {.iov_base = room.data, .iov_len = room.length};
	struct msghdr message = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1};
	ssize_t length;

	do
		length = recvmsg(fd, &message, MSG_DONTWAIT);
	while (length < 0 && errno == EINTR);
	if (length < 0)
		return -errno;
	/* Another process may send to our port; only the kernel has port 0. */
	if (message.msg_namelen != sizeof(from) || from.nl_pid != 0) {
		explicit_bzero(room.data, (size_t)length);
		return 0;
	}
	/* A truncated message counts as lost. */
	return (message.msg_flags & MSG_TRUNC) != 0 ? -ENOBUFS : length;
}

/*
 * Receives as many datagrams as surely fit, one behind the other: each is a row of aligned
 * messages, so the rows join without a separator. An error is reported after what came before it
 * was taken. The room is aligned too, so that rounding up a length never passes its end.
 */
static int64_t receive_netlink(int fd, struct bytes room)
{
	size_t used = 0;

	if (room.length < DATAGRAM_MAX || room.length % NLMSG_ALIGNTO != 0)
		return -EINVAL;
	while (room.length - used >= DATAGRAM_MAX) {
		struct bytes rest = {.data = room.data + used, .length = room.length - used};
		int64_t length = receive_one(fd, rest);

		if (length == -EAGAIN && used > 0)
			break;
		if (length < 0) {
			/* The overrun came after these datagrams: a resync makes them worthless. */
			explicit_bzero(room.data, used);
			return length;
		}
		used += NLMSG_ALIGN((size_t)length);
	}
	return (int64_t)used;
}

napi_value netlink_open_call(napi_env env, napi_callback_info info)
{
	struct arguments taken;
	uint32_t family, receive_bytes;
	int fd;

	if (!arguments_take(env, info, 3, &taken) || !arguments_u32(&taken, 0, &family) ||
	    !arguments_u32(&taken, 1, &receive_bytes))
		return NULL;
	fd = open_netlink((int)family, (int)receive_bytes);
	return fd < 0 ? throw_errno(env, "netlink", -fd)
		      : socket_wrap(env, fd, receive_netlink, taken.values[2]);
}

napi_value netlink_join_call(napi_env env, napi_callback_info info)
{
	struct arguments taken;
	uint32_t group;
	int fd;

	if (!arguments_take(env, info, 2, &taken) || !arguments_u32(&taken, 1, &group))
		return NULL;
	fd = socket_fd(&taken, 0);
	if (fd < 0)
		return NULL;
	if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) != 0)
		return throw_errno(env, "join", errno);
	return result_undefined(env);
}
