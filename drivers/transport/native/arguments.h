/* Arguments and results of the addon's functions; every failure is a pending exception. */

#ifndef LINKSEAL_ARGUMENTS_H
#define LINKSEAL_ARGUMENTS_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ARGUMENTS_MAX 4

struct arguments {
	napi_env env;
	napi_value values[ARGUMENTS_MAX];
};

struct bytes {
	uint8_t *data;
	size_t length;
};

/* Returns false, with an exception pending, unless the call has exactly `count` arguments. */
bool arguments_take(napi_env env, napi_callback_info info, size_t count, struct arguments *taken);
bool arguments_u32(const struct arguments *taken, size_t index, uint32_t *value);
bool arguments_bytes(const struct arguments *taken, size_t index, struct bytes *value);
/* `length` excludes the final NUL; a longer text or one with a NUL inside is refused. */
bool arguments_text(const struct arguments *taken, size_t index, char *text, size_t room,
		    size_t *length);

/* Reads a path, or a name that begins with "@" in the abstract namespace. */
bool arguments_unix_address(const struct arguments *taken, size_t index,
			    struct sockaddr_un *address, socklen_t *size);

/* Returns a number to the caller: bytes moved, or minus errno. */
napi_value result_number(napi_env env, int64_t value);
napi_value result_undefined(napi_env env);
/* Throws an Error whose `code` is the name of the system call and `errno` its number. */
napi_value throw_errno(napi_env env, const char *call, int number);

#endif
