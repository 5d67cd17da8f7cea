/* memfd_create */
#define _GNU_SOURCE

#include "arguments.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define NAME_MAX_BYTES 64
#define BYTES_MAX (1024 * 1024)
/* The seals of memory that openMemory makes; other files have none or not all of them. */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/*
 * The size is sealed, so that no process with the descriptor can make a reader run past its end.
 */
static int open_memory(const char *name, off_t bytes)
{
	int number;
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, bytes) == 0 &&
	    fcntl(fd, F_ADD_SEALS, SEALS) == 0)
		return fd;
	number = errno;
	close(fd);
	return -number;
}

napi_value memory_open_call(napi_env env, napi_callback_info info)
{
	struct arguments taken;
	char name[NAME_MAX_BYTES];
	size_t length;
	uint32_t bytes;
	int fd;

	if (!arguments_take(env, info, 2, &taken) ||
	    !arguments_text(&taken, 0, name, sizeof(name), &length) ||
	    !arguments_u32(&taken, 1, &bytes))
		return NULL;
	if (bytes == 0 || bytes > BYTES_MAX)
		return throw_errno(env, "memory", EINVAL);
	fd = open_memory(name, (off_t)bytes);
	return fd < 0 ? throw_errno(env, "memory", -fd) : result_number(env, fd);
}

/* Checks the seals of a descriptor of another process; one that is not such memory is refused. */
napi_value memory_check_call(napi_env env, napi_callback_info info)
{
	struct arguments taken;
	uint32_t fd;
	int seals;

	if (!arguments_take(env, info, 1, &taken) || !arguments_u32(&taken, 0, &fd))
		return NULL;
	seals = fcntl((int)fd, F_GET_SEALS);
	if (seals < 0)
		return throw_errno(env, "memory", errno);
	/* The kernel may add F_SEAL_EXEC; a seal against writes would be a stranger's. */
	if ((seals & SEALS) != SEALS || (seals & F_SEAL_WRITE) != 0)
		return throw_errno(env, "memory", EPERM);
	if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0)
		return throw_errno(env, "memory", errno);
	return result_undefined(env);
}

napi_value refuse_dumps_call(napi_env env, napi_callback_info info)
{
	struct arguments taken;

	if (!arguments_take(env, info, 0, &taken))
		return NULL;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return throw_errno(env, "dumpable", errno);
	return result_undefined(env);
}
