#include "kernel.h"
#include "socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <unistd.h>

/* Frames of one type on one port, those of the group included, without our own. */
static int open_frames(int port, uint16_t ether_type, const uint8_t *group)
{
	struct sockaddr_ll self = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ether_type), .sll_ifindex = port};
	struct packet_mreq member = {
		.mr_ifindex = port, .mr_type = PACKET_MR_MULTICAST, .mr_alen = ETH_ALEN};
	int on = 1;
	int number;
	/* Protocol 0 until it is bound: else frames of all ports would arrive in between. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	memcpy(member.mr_address, group, ETH_ALEN);
	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) == 0 &&
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &member, sizeof(member)) == 0 &&
	    bind(fd, (struct sockaddr *)&self, sizeof(self)) == 0)
		return fd;
	number = errno;
	close(fd);
	return -number;
}

static int64_t receive_frame(int fd, struct bytes room)
{
	ssize_t length;

	do
		length = recv(fd, room.data, room.length, MSG_DONTWAIT | MSG_TRUNC);
	while (length < 0 && errno == EINTR);
	if (length < 0)
		return -errno;
	/* With MSG_TRUNC the length is the frame's own, also where the room was too small. */
	return (size_t)length > room.length ? -EMSGSIZE : length;
}

static bool is_type(uint32_t ether_type)
{
#ifdef LINKSEAL_TEST_BUILD
	/* Only a test looks at everything that comes in. */
	if (ether_type == ETH_P_ALL)
		return true;
#endif
	return ether_type >= ETH_P_802_3_MIN;
}

napi_value frames_open_call(napi_env env, napi_callback_info info)
{
	struct arguments taken;
	struct bytes group;
	uint32_t port, ether_type;
	int fd;

	if (!arguments_take(env, info, 4, &taken) || !arguments_u32(&taken, 0, &port) ||
	    !arguments_u32(&taken, 1, &ether_type) || !arguments_bytes(&taken, 2, &group))
		return NULL;
	/* Port 0 would mean every port, and a small type is a length. */
	if (port == 0 || port > INT32_MAX || !is_type(ether_type) ||
	    ether_type > UINT16_MAX || group.length != ETH_ALEN)
		return throw_errno(env, "frames", EINVAL);
	fd = open_frames((int)port, (uint16_t)ether_type, group.data);
	return fd < 0 ? throw_errno(env, "frames", -fd)
		      : socket_wrap(env, fd, receive_frame, taken.values[3]);
}
