/* SPDX-License-Identifier: BSD-3-Clause */
/* Users without any right who come to every door of a daemon and leave descriptors there whose closing waits. */
#include "tests/system/hostile/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shm/shm_sock.h"
#include "tests/system/hostile/give.h"

#define OPEN_MAX_AT_ONCE 64
#define AT_ONCE		 4

static const char *cluster;
static uid_t owner;
static uint32_t node;

/* The other ends stay open for a while. */
static int others[OPEN_MAX_AT_ONCE];
static uint32_t opened;
static uint32_t given, refused;

static int make_one(void)
{
	int *other = &others[opened++ % OPEN_MAX_AT_ONCE];

	if (*other > 0) {
		close(*other);
		*other = 0;
	}
	return given_linger(other);
}

static int dial_client(void)
{
	return raw_connect();
}

static int dial_daemon(void)
{
	int fd = -1;

	shm_sock_dial(owner, cluster, node, &fd);
	return fd;
}

/* Quickly: nobody waits for it there. */
static void leave_some(int (*dial)(void))
{
	int fds[AT_ONCE];
	int over;

	for (int i = 0; i < AT_ONCE; i++) {
		fds[i] = make_one();
	}
	over = dial();
	for (int i = 0; i < AT_ONCE; i++) {
		if (fds[i] >= 0 && give(over, fds[i])) {
			given++;
		} else {
			refused++;
		}
	}
	hostile_pause_ms((int)hostile_below(3));
	if (over >= 0) {
		close(over);
	}
}

static void as_client(void)
{
	leave_some(dial_client);
}

static void as_daemon(void)
{
	leave_some(dial_daemon);
}

/* arguments: the run directory, the cluster, the daemons' user, the node */
int hostile_givers(uint64_t ms, int count, char **args)
{
	struct hostile_way ways[] = {{"as client", as_client, 0}, {"as daemon", as_daemon, 0}};

	if (count < 4) {
		return 2;
	}
	cluster = args[1];
	owner = (uid_t)strtoul(args[2], NULL, 10);
	node = (uint32_t)strtoul(args[3], NULL, 10);
	hostile_all_ways(ways, 2, ms);
	printf("%u left there, %u not taken\n", given, refused);
	return given + refused > 0 ? 0 : 1;
}
