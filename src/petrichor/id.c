/* SPDX-License-Identifier: MIT
 * id.c - ids of requests, and the secret of the tables that peers fill. Any thread. */
#include "petrichor/id.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "petrichor/petrichor.h"

/* Where the system call is missing or forbidden. */
static size_t
read_device(char *to, size_t n)
{
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	size_t done = 0;
	if (fd < 0)
		return 0;
	while (done < n) {
		ssize_t k = read(fd, to + done, n - done);
		if (k > 0)
			done += (size_t)k;
		else if (k == 0 || errno != EINTR)
			break;
	}
	close(fd);
	return done;
}

/* A machine without either: ids still differ, though who tries can guess them. */
static void
make_up(char *to, size_t n)
{
	struct timespec t = { 0, 0 };
	clock_gettime(CLOCK_REALTIME, &t);
	uint64_t z = ((uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec) ^ (uint64_t)getpid() << 40 ^ (uintptr_t)&t;
	for (size_t i = 0; i < n; i++) {
		z = z * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		to[i] = (char)(z >> 56);
	}
}

void
id_random(void *to, size_t n)
{
	char *at = to;
	int saved = errno;
	while (n != 0) {
		ssize_t k = getrandom(at, n, 0);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			break;
		at += k;
		n -= (size_t)k;
	}
	if (n != 0) {
		size_t k = read_device(at, n);
		make_up(at + k, n - k);
	}
	errno = saved;
}

void
pt_id(char id[PT_ID_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[PT_ID_TEXT / 2];
	id_random(bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++) {
		id[2 * i] = digits[bytes[i] >> 4];
		id[2 * i + 1] = digits[bytes[i] & 15];
	}
	id[PT_ID_TEXT - 1] = '\0';
}
