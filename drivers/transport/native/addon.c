/* setns */
#define _GNU_SOURCE

#include "kernel.h"
#include "socket.h"

#ifdef LINKSEAL_TEST_BUILD

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <unistd.h>

/* enterNamespace(path): sockets that this thread opens from now on belong to that network. */
static napi_value enter_namespace_call(napi_env env, napi_callback_info info)
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

#endif

#define FUNCTION(text, call)                                                                       \
	{                                                                                          \
		.utf8name = text, .method = call, .attributes = napi_enumerable                    \
	}

NAPI_MODULE_INIT()
{
	const napi_property_descriptor functions[] = {
		FUNCTION("openNetlink", netlink_open_call),
		FUNCTION("joinGroup", netlink_join_call),
		FUNCTION("openFrames", frames_open_call),
		FUNCTION("receive", socket_receive_call),
		FUNCTION("send", socket_send_call),
		FUNCTION("close", socket_close_call),
		FUNCTION("peerCredentials", peer_credentials_call),
		FUNCTION("notify", notify_call),
#ifdef LINKSEAL_TEST_BUILD
		FUNCTION("enterNamespace", enter_namespace_call),
#endif
	};

	if (napi_define_properties(env, exports, sizeof(functions) / sizeof(functions[0]),
				   functions) != napi_ok)
		return NULL;
	return exports;
}
