#include "arguments.h"

#include <string.h>

bool arguments_take(napi_env env, napi_callback_info info, size_t count, struct arguments *taken)
{
	size_t given = ARGUMENTS_MAX;

	taken->env = env;
	if (napi_get_cb_info(env, info, &given, taken->values, NULL, NULL) != napi_ok)
		return false;
	if (given == count)
		return true;
	napi_throw_type_error(env, NULL, "wrong number of arguments");
	return false;
}

bool arguments_u32(const struct arguments *taken, size_t index, uint32_t *value)
{
	double number;

	/* napi_get_value_uint32 wraps silently; a wrapped family or group would be another one. */
	if (napi_get_value_double(taken->env, taken->values[index], &number) == napi_ok &&
	    number >= 0 && number <= UINT32_MAX && number == (double)(uint32_t)number) {
		*value = (uint32_t)number;
		return true;
	}
	napi_throw_type_error(taken->env, NULL, "expected an unsigned 32-bit number");
	return false;
}

bool arguments_bytes(const struct arguments *taken, size_t index, struct bytes *value)
{
	napi_typedarray_type type;
	void *data;
	size_t length;
	bool is_array = false;

	if (napi_is_typedarray(taken->env, taken->values[index], &is_array) == napi_ok &&
	    is_array &&
	    napi_get_typedarray_info(taken->env, taken->values[index], &type, &length, &data, NULL,
				     NULL) == napi_ok &&
	    type == napi_uint8_array) {
		value->data = data;
		value->length = length;
		return true;
	}
	napi_throw_type_error(taken->env, NULL, "expected a Uint8Array");
	return false;
}

bool arguments_text(const struct arguments *taken, size_t index, char *text, size_t room,
		    size_t *length)
{
	size_t needed;

	if (napi_get_value_string_utf8(taken->env, taken->values[index], NULL, 0, &needed) ==
		    napi_ok &&
	    needed < room &&
	    napi_get_value_string_utf8(taken->env, taken->values[index], text, room, length) ==
		    napi_ok &&
	    memchr(text, '\0', *length) == NULL)
		return true;
	napi_throw_type_error(taken->env, NULL, "expected a shorter text without NUL");
	return false;
}

bool arguments_unix_address(const struct arguments *taken, size_t index,
			    struct sockaddr_un *address, socklen_t *size)
{
	size_t length;

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (!arguments_text(taken, index, address->sun_path, sizeof(address->sun_path), &length))
		return false;
	if (length < 2 || (address->sun_path[0] != '/' && address->sun_path[0] != '@')) {
		napi_throw_type_error(taken->env, NULL, "expected the address of a Unix socket");
		return false;
	}
	if (address->sun_path[0] == '@')
		address->sun_path[0] = '\0';
	*size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	return true;
}

napi_value result_number(napi_env env, int64_t value)
{
	napi_value result = NULL;

	napi_create_int64(env, value, &result);
	return result;
}

napi_value result_undefined(napi_env env)
{
	napi_value result = NULL;

	napi_get_undefined(env, &result);
	return result;
}

napi_value throw_errno(napi_env env, const char *call, int number)
{
	napi_value code, message, error, value;

	if (napi_create_string_utf8(env, call, NAPI_AUTO_LENGTH, &code) == napi_ok &&
	    napi_create_string_utf8(env, strerror(number), NAPI_AUTO_LENGTH, &message) == napi_ok &&
	    napi_create_error(env, code, message, &error) == napi_ok &&
	    napi_create_int32(env, number, &value) == napi_ok &&
	    napi_set_named_property(env, error, "errno", value) == napi_ok)
		napi_throw(env, error);
	return NULL;
}
