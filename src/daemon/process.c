/* SPDX-License-Identifier: BSD-3-Clause */
/* See process.h. */
#include "daemon/process.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "config/exit_code.h"
#include "daemon/log.h"

static int parent_pipe = -1;

/* The child's word, or how it ended without one. */
_Noreturn static void wait_for_child(int fd, pid_t child)
{
	unsigned char code;
	int status = 0;
	ssize_t got;

	do {
		got = read(fd, &code, 1);
	} while (got < 0 && errno == EINTR);
	if (got == 1) {
		_exit(code);
	}
	waitpid(child, &status, 0);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FATAL);
}

int process_background(void)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC)) {
		return -errno;
	}
	child = fork();
	if (child < 0) {
		int err = -errno;

		close(ends[0]);
		close(ends[1]);
		return err;
	}
	if (child > 0) {
		close(ends[1]);
		wait_for_child(ends[0], child);
	}
	close(ends[0]);
	parent_pipe = ends[1];
	setsid();
	return 0;
}

static int leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0) {
		return -errno;
	}
	log_detach_stderr();
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		dup2(null, fd);
	}
	close(null);
	return chdir("/") ? -errno : 0;
}

int process_tell_parent(int exit_code)
{
	unsigned char code = (unsigned char)exit_code;
	int err = 0;

	if (parent_pipe < 0) {
		return 0;
	}
	if (exit_code == EXIT_OK) {
		err = leave_terminal();
		code = err ? EXIT_DEV_NULL : EXIT_OK;
	}
	if (write(parent_pipe, &code, 1) != 1) {
		log_say(LOG_PART_MAIN, LOG_DEBUG, "who started the daemon is gone");
	}
	close(parent_pipe);
	parent_pipe = -1;
	return err;
}

void process_notify(const char *text)
{
	const char *path = secure_getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t size;
	int fd;

	if (!path || (path[0] != '/' && path[0] != '@') ||
	    strlen(path) >= sizeof(address.sun_path)) {
		return;
	}
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	memcpy(address.sun_path, path, strlen(path));
	if (path[0] == '@') {
		address.sun_path[0] = '\0';
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0) {
		sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&address,
		       size);
		close(fd);
	}
}

static void raise_limit(__rlimit_resource_t which, rlim_t wanted, const char *name)
{
	struct rlimit limit;

	if (getrlimit(which, &limit) || limit.rlim_cur >= wanted) {
		return;
	}
	/* Beyond the hard limit only root may go. */
	if (setrlimit(which, &(struct rlimit){wanted,
					      wanted > limit.rlim_max ? wanted : limit.rlim_max}) ==
	    0) {
		return;
	}
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(which, &limit)) {
		log_say(LOG_PART_MAIN, LOG_DEBUG, "the limit of %s stays: %s", name,
			strerror(errno));
	}
}

/* Each connection takes three, and may leave another 84 in its sockets, which count as well. */
#define DESCRIPTORS_WANTED 65536

void process_raise_limits(void)
{
	raise_limit(RLIMIT_NOFILE, DESCRIPTORS_WANTED, "descriptors");
	raise_limit(RLIMIT_MEMLOCK, RLIM_INFINITY, "locked memory");
}

static int nice_value(const struct config *config)
{
	if (strcmp(config->priority, "max") == 0) {
		return -20;
	}
	return strcmp(config->priority, "min") == 0 ? 19 : (int)strtol(config->priority, NULL, 10);
}

static void set_nice(int value)
{
	if (value != 0 && setpriority(PRIO_PROCESS, 0, value)) {
		log_say(LOG_PART_MAIN, LOG_INFO, "nice value %d is not permitted: %s", value,
			strerror(errno));
	}
}

/* Tables for as many groups and members as there may ever be are mostly empty: a huge page for each
 * part that is touched would be megabytes for a few bytes. Memory for messages has huge pages of its
 * own kind. */
static void keep_tables_sparse(void)
{
	if (prctl(PR_SET_THP_DISABLE, 1ul, 0ul, 0ul, 0ul)) {
		log_say(LOG_PART_MAIN, LOG_DEBUG, "transparent huge pages stay: %s",
			strerror(errno));
	}
}

/* A page that has to be fetched from swap holds the token. Only without a limit: with one, later allocations would fail at it. */
static void lock_memory(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur != RLIM_INFINITY) {
		log_say(LOG_PART_MAIN, LOG_INFO,
			"memory is not locked and may be swapped out: RLIMIT_MEMLOCK is a limit");
	} else if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) {
		log_say(LOG_PART_MAIN, LOG_INFO, "memory is not locked: %s", strerror(errno));
	}
}

/* Whoever wakes it goes on until it sleeps or its time is over, so that the daemon finds many messages at once (docs/decisions.md,
 * D16). */
static void run_in_batches(const struct config *config)
{
	struct sched_param none = {.sched_priority = 0};

	if (sched_setscheduler(0, SCHED_BATCH, &none)) {
		log_say(LOG_PART_MAIN, LOG_INFO, "cannot be scheduled in batches: %s",
			strerror(errno));
	}
	set_nice(nice_value(config));
}

void process_raise_priority(const struct config *config)
{
	struct sched_param highest = {.sched_priority = sched_get_priority_max(SCHED_RR)};

	if (!config->sched_rr) {
		run_in_batches(config);
	} else if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &highest)) {
		log_say(LOG_PART_MAIN, LOG_INFO,
			"runs without real-time priority: %s. On a busy host a slow daemon may be taken "
			"for a dead one",
			strerror(errno));
		if (geteuid() == 0) {
			set_nice(-20);
		}
	}
	keep_tables_sparse();
	lock_memory();
}
