#include "kernel.h"
#include "socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <unistd.h>

/* Receives frames of one type on one port, including those to the group, without our own. */
static int open_frames(int port, uint16_t ether_type, const uint8_t *group)
{
	struct sockaddr_ll self = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ether_type), .sll_ifindex = port};
	struct packet_mreq member = {
		.mr_ifindex = port, .mr_type = PACKET_MR_MULTICAST, .mr_alen = ETH_ALEN};
	int on = 1;
	int number;
	/* Protocol 0 until it is bound; otherwise frames of all ports would arrive before. */
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
	/* With MSG_TRUNC the length is that of the frame, also if the room was too small. */
	return (size_t)length > room.length ? -EMSGSIZE : length;
}

static bool is_type(uint32_t ether_type)
{
#ifdef LINKSEAL_TEST_BUILD
	/* Only a test receives frames of every type. */
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

#define LOAD(size, at) BPF_STMT(BPF_LD | (size) | BPF_ABS, (uint32_t)(at))
#define JUMP(here, test, value, yes, no) \
	BPF_JUMP(BPF_JMP | (test) | BPF_K, value, (yes) - (here) - 1, (no) - (here) - 1)

/* Where the parts of the filter begin. */
enum { LLC = 7, GROUP = 12, LINK_LOCAL = 13, CONTROL = 16, DATA = 17 };

/*
 * Selects data: all but EAPOL, MACsec, and control of the link itself. Control is what goes to the
 * addresses 01-80-C2-00-00-00 to -0F, which no bridge forwards, and frames of LLC to the addresses
 * of CDP and PVST+. IP and ARP are data whatever their address. For a frame in a VLAN the type
 * behind its tag counts.
 */
static struct sock_filter clear_code[] = {
	LOAD(BPF_H, SKF_AD_OFF + SKF_AD_PROTOCOL),
	JUMP(1, BPF_JEQ, ETH_P_PAE, CONTROL, 2),
	JUMP(2, BPF_JEQ, ETH_P_MACSEC, CONTROL, 3),
	JUMP(3, BPF_JEQ, ETH_P_IP, DATA, 4),
	JUMP(4, BPF_JEQ, ETH_P_ARP, DATA, 5),
	JUMP(5, BPF_JEQ, ETH_P_IPV6, DATA, 6),
	JUMP(6, BPF_JEQ, ETH_P_802_2, LLC, GROUP),
	/* LLC: the destination is in octets 0 to 5. */
	LOAD(BPF_W, 0),
	JUMP(8, BPF_JEQ, 0x01000ccc, 9, LINK_LOCAL),
	LOAD(BPF_H, 4),
	JUMP(10, BPF_JEQ, 0xcccc, CONTROL, 11),
	JUMP(11, BPF_JEQ, 0xcccd, CONTROL, DATA),
	/* GROUP */
	LOAD(BPF_W, 0),
	JUMP(13, BPF_JEQ, 0x0180c200, 14, DATA),
	LOAD(BPF_H, 4),
	JUMP(15, BPF_JGE, 0x10, DATA, CONTROL),
	/* CONTROL, and DATA */
	BPF_STMT(BPF_RET | BPF_K, 0),
	BPF_STMT(BPF_RET | BPF_K, 1),
};

/*
 * The kernel counts each frame that passes the filter, also if the buffer is full. This buffer is
 * full after the first frames, because no call takes them out.
 */
static int open_clear_count(int port)
{
	struct sockaddr_ll self = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = port};
	struct sock_fprog filter = {
		.len = sizeof(clear_code) / sizeof(clear_code[0]), .filter = clear_code};
	int on = 1, least = 0;
	int number;
	/* Protocol 0 until it is bound: nothing is counted before the filter is attached. */
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
	/* Reading resets the counters; dropped frames are among the packets. */
	if (getsockopt((int)fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) != 0)
		return throw_errno(env, "frames", errno);
	return result_number(env, statistics.tp_packets);
}
