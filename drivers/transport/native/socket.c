#include "socket.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

static const napi_type_tag socket_tag = {0x6c696e6b7365616cULL, 0x736f636b65743031ULL};

struct socket {
	uv_poll_t poll;
	napi_env env;
	napi_ref on_readable;
	napi_async_context context;
	napi_async_cleanup_hook_handle cleanup;
	socket_receive receive;
	int fd;
	/* The JavaScript handle and the poll of libuv; the last one frees the socket. */
	int owners;
	bool closing;
};

static void socket_release(struct socket *self)
{
	self->owners -= 1;
	if (self->owners == 0)
		free(self);
}

static void on_closed(uv_handle_t *handle)
{
	struct socket *self = handle->data;

	close(self->fd);
	self->fd = -1;
	if (self->cleanup != NULL)
		napi_remove_async_cleanup_hook(self->cleanup);
	socket_release(self);
}

static void socket_close(struct socket *self)
{
	if (self->closing)
		return;
	self->closing = true;
	napi_delete_reference(self->env, self->on_readable);
	napi_async_destroy(self->env, self->context);
	uv_poll_stop(&self->poll);
	uv_close((uv_handle_t *)&self->poll, on_closed);
}

static void on_environment_end(napi_async_cleanup_hook_handle handle, void *data)
{
	(void)handle;
	socket_close(data);
}

static void on_collected(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	socket_release(data);
}

static void on_poll(uv_poll_t *poll, int status, int events);

/* libuv stops the poll when the descriptor reports an error, such as an overrun. */
static void rearm(struct socket *self)
{
	if (!self->closing)
		uv_poll_start(&self->poll, UV_READABLE, on_poll);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct socket *self = poll->data;
	napi_handle_scope scope;
	napi_value callback, receiver, error;

	(void)events;
	if (napi_open_handle_scope(self->env, &scope) != napi_ok)
		return;
	if (napi_get_reference_value(self->env, self->on_readable, &callback) == napi_ok &&
	    napi_get_global(self->env, &receiver) == napi_ok &&
	    napi_make_callback(self->env, self->context, receiver, callback, 0, NULL, NULL) ==
		    napi_pending_exception &&
	    napi_get_and_clear_last_exception(self->env, &error) == napi_ok)
		napi_fatal_exception(self->env, error);
	napi_close_handle_scope(self->env, scope);
	/* The callback cleared the error by its receive; without that this would spin. */
	if (status != 0)
		rearm(self);
}

static bool socket_start(struct socket *self, napi_value on_readable)
{
	napi_env env = self->env;
	napi_value name;
	uv_loop_t *loop;

	if (napi_get_uv_event_loop(env, &loop) != napi_ok ||
	    napi_create_string_utf8(env, "linkseal.socket", NAPI_AUTO_LENGTH, &name) != napi_ok ||
	    napi_create_reference(env, on_readable, 1, &self->on_readable) != napi_ok)
		return false;
	if (napi_async_init(env, NULL, name, &self->context) != napi_ok) {
		napi_delete_reference(env, self->on_readable);
		return false;
	}
	if (uv_poll_init(loop, &self->poll, self->fd) != 0) {
		napi_async_destroy(env, self->context);
		napi_delete_reference(env, self->on_readable);
		return false;
	}
	self->poll.data = self;
	return true;
}

napi_value socket_wrap(napi_env env, int fd, socket_receive receive, napi_value on_readable)
{
	struct socket *self = calloc(1, sizeof(*self));
	napi_value handle;

	if (self == NULL) {
		close(fd);
		return throw_errno(env, "malloc", ENOMEM);
	}
	self->env = env;
	self->fd = fd;
	self->receive = receive;
	self->owners = 1;
	if (!socket_start(self, on_readable)) {
		close(fd);
		free(self);
		return throw_errno(env, "uv_poll_init", EINVAL);
	}
	if (napi_create_external(env, self, on_collected, NULL, &handle) != napi_ok) {
		socket_close(self);
		return throw_errno(env, "napi_create_external", ENOMEM);
	}
	self->owners += 1;
	if (napi_type_tag_object(env, handle, &socket_tag) != napi_ok ||
	    napi_add_async_cleanup_hook(env, on_environment_end, self, &self->cleanup) != napi_ok ||
	    uv_poll_start(&self->poll, UV_READABLE, on_poll) != 0) {
		socket_close(self);
		return throw_errno(env, "uv_poll_start", EINVAL);
	}
	return handle;
}

static struct socket *socket_of(const struct arguments *taken, size_t index)
{
	bool tagged = false;
	void *self;

	if (napi_check_object_type_tag(taken->env, taken->values[index], &socket_tag, &tagged) ==
		    napi_ok &&
	    tagged &&
	    napi_get_value_external(taken->env, taken->values[index], &self) == napi_ok)
		return self;
	napi_throw_type_error(taken->env, NULL, "expected the handle of a socket");
	return NULL;
}

int socket_fd(const struct arguments *taken, size_t index)
{
	struct socket *self = socket_of(taken, index);

	if (self == NULL)
		return -1;
	if (!self->closing)
		return self->fd;
	throw_errno(taken->env, "socket", EBADF);
	return -1;
}

napi_value socket_receive_call(napi_env env, napi_callback_info info)
{
	struct arguments taken;
	struct socket *self;
	struct bytes room;

	if (!arguments_take(env, info, 2, &taken) || !arguments_bytes(&taken, 1, &room))
		return NULL;
	self = socket_of(&taken, 0);
	if (self == NULL)
		return NULL;
	return result_number(env, self->closing ? -EBADF : self->receive(self->fd, room));
}

napi_value socket_send_call(napi_env env, napi_callback_info info)
{
	struct arguments taken;
	struct socket *self;
	struct bytes message;
	ssize_t sent;

	if (!arguments_take(env, info, 2, &taken) || !arguments_bytes(&taken, 1, &message))
		return NULL;
	self = socket_of(&taken, 0);
	if (self == NULL)
		return NULL;
	if (self->closing)
		return result_number(env, -EBADF);
	do
		sent = send(self->fd, message.data, message.length, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return result_number(env, sent < 0 ? -errno : sent);
}

napi_value socket_close_call(napi_env env, napi_callback_info info)
{
	struct arguments taken;
	struct socket *self;

	if (!arguments_take(env, info, 1, &taken))
		return NULL;
	self = socket_of(&taken, 0);
	if (self == NULL)
		return NULL;
	socket_close(self);
	return result_undefined(env);
}
