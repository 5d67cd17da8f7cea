#include "kernel.h"
#include "socket.h"

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
		FUNCTION("openClearCount", clear_count_open_call),
		FUNCTION("takeClearCount", clear_count_take_call),
		FUNCTION("receive", socket_receive_call),
		FUNCTION("send", socket_send_call),
		FUNCTION("close", socket_close_call),
		FUNCTION("peerCredentials", peer_credentials_call),
		FUNCTION("limitReceive", limit_receive_call),
		FUNCTION("notify", notify_call),
		FUNCTION("openMemory", memory_open_call),
		FUNCTION("checkMemory", memory_check_call),
		FUNCTION("refuseDumps", refuse_dumps_call),
#ifdef LINKSEAL_TEST_BUILD
		FUNCTION("enterNamespace", enter_namespace_call),
		FUNCTION("listenNotices", listen_notices_call),
		FUNCTION("takeNotice", take_notice_call),
#endif
	};

	if (napi_define_properties(env, exports, sizeof(functions) / sizeof(functions[0]),
				   functions) != napi_ok)
		return NULL;
	return exports;
}
