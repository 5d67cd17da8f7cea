#include "kernel.h"
#include "socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <unistd.h>

/* Receives frames of one type on one port, also those to the group, but not our own. */
static int open_frames(int port, uint16_t ether_type, const uint8_t *group)
{
	struct sockaddr_ll self = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ether_type), .sll_ifindex = port};
	struct packet_mreq member = {
		.mr_ifindex = port, .mr_type = PACKET_MR_MULTICAST, .mr_alen = ETH_ALEN};
	int on = 1;
	int number;
	/* Protocol 0 until it is bound: otherwise frames of all ports would arrive in between. */
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
	/* With MSG_TRUNC the length is the frame's own, also if the room was too small. */
	return (size_t)length > room.length ? -EMSGSIZE : length;
}

static bool is_type(uint32_t ether_type)
{
#ifdef LINKSEAL_TEST_BUILD
	/* Only a test reads everything that arrives. */
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

/* Accepts all but EAPOL and MACsec; for a frame in a VLAN the type behind its tag counts. */
static struct sock_filter clear_code[] = {
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_PAE, 1, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_MACSEC, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, 0),
	BPF_STMT(BPF_RET | BPF_K, 1),
};

/*
 * The kernel counts each frame that passes the filter, also while the buffer is full, and this one
 * is full after the first frames because no call reads them.
 */
static int open_clear_count(int port)
{
	struct sockaddr_ll self = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = port};
	struct sock_fprog filter = {
		.len = sizeof(clear_code) / sizeof(clear_code[0]), .filter = clear_code};
	int on = 1, least = 0;
	int number;
	/* Protocol 0 until it is bound: nothing is counted before the filter is there. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0 &&
	    bind(fd, (struct sockaddr *)&self, sizeof(self)) == 0)
		return fd;
	number = errno;
	close(fd);
	return -number;
}

napi_value clear_count_open_call(napi_env env, napi_callback_info info)
{
	struct arguments taken;
	uint32_t port;
	int fd;

	if (!arguments_take(env, info, 1, &taken) || !arguments_u32(&taken, 0, &port))
		return NULL;
	if (port == 0 || port > INT32_MAX)
		return throw_errno(env, "frames", EINVAL);
	fd = open_clear_count((int)port);
	return fd < 0 ? throw_errno(env, "frames", -fd) : result_number(env, fd);
}

napi_value clear_count_take_call(napi_env env, napi_callback_info info)
{
	struct arguments taken;
	struct tpacket_stats statistics = {0};
	socklen_t size = sizeof(statistics);
	uint32_t fd;

	if (!arguments_take(env, info, 1, &taken) || !arguments_u32(&taken, 0, &fd))
		return NULL;
	/* Reading the counter resets it; dropped frames are counted among the packets. */
	if (getsockopt((int)fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) != 0)
		return throw_errno(env, "frames", errno);
	return result_number(env, statistics.tp_packets);
}
