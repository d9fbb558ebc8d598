/* SPDX-License-Identifier: BSD-3-Clause */
/* See polling.h. While the daemon is awake nobody rings for it. Before it sleeps, one turn of the engine and one of the clients tells everybody
 * to ring. It stays told for the sleep only: the first turn after it is one of a daemon that is awake. */
#include "daemon/polling.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "daemon/daemon.h"

/* Between two looks at what only the system tells: descriptors of programs, signals. */
#define LOOK_NS	      UINT64_C(20000)
#define PROC_TEXT_MAX 96

static uint64_t clock_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

static uint32_t processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? UINT32_MAX : (uint32_t)CPU_COUNT(&set);
}

void polling_start(struct polling *polling, enum config_poll mode)
{
	*polling = (struct polling){.schedstat_fd = open("/proc/thread-self/schedstat",
							 O_RDONLY | O_CLOEXEC),
				    .loadavg_fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC)};
	polling_change(polling, mode);
}

static void close_file(int *fd)
{
	if (*fd > 0) {
		close(*fd);
	}
	*fd = -1;
}

void polling_end(struct polling *polling)
{
	close_file(&polling->schedstat_fd);
	close_file(&polling->loadavg_fd);
}

void polling_change(struct polling *polling, enum config_poll mode)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	polling->online = online > 0 ? (uint32_t)online : UINT32_MAX;
	linger_init(&polling->linger, mode, processors());
}

static bool read_text(int fd, char text[PROC_TEXT_MAX])
{
	ssize_t size = pread(fd, text, PROC_TEXT_MAX - 1, 0);

	if (size <= 0) {
		return false;
	}
	text[size] = '\0';
	return true;
}

/* The number behind so many blanks; 0: there is none. */
static uint64_t number_after(const char *text, int blanks)
{
	for (; text && blanks > 0; blanks--) {
		text = strchr(text, ' ');
		text = text ? text + 1 : NULL;
	}
	return text ? strtoull(text, NULL, 10) : 0;
}

/* "CPU-time waited slices", in nanoseconds. */
static uint64_t waited_ns(const struct polling *polling)
{
	char text[PROC_TEXT_MAX];

	return read_text(polling->schedstat_fd, text) ? number_after(text, 1) : 0;
}

/* "load load load runnable/tasks newest". */
static uint32_t runnable(const struct polling *polling)
{
	char text[PROC_TEXT_MAX];

	return read_text(polling->loadavg_fd, text) ? (uint32_t)number_after(text, 3) : 0;
}

static void hear(struct polling *polling, uint64_t now_ns, uint64_t now_ms)
{
	struct linger_report report = {.waited_ns = waited_ns(polling),
				       .runnable = runnable(polling),
				       .processors = polling->online};
	struct rusage usage;

	if (getrusage(RUSAGE_THREAD, &usage) == 0) {
		report.involuntary = (uint64_t)usage.ru_nivcsw;
	}
	polling->heard_ms = now_ms;
	linger_heard(&polling->linger, now_ns, &report);
}

static void stay_awake(struct daemon *daemon, bool on)
{
	if (daemon->polling.awake != on) {
		daemon->polling.awake = on;
		engine_stay_awake(daemon->engine, on);
		clients_stay_awake(daemon->clients, on);
	}
}

static bool look_longer(struct daemon *daemon, uint64_t now_ms)
{
	uint64_t now_ns = clock_ns();
	uint64_t until_ns = now_ns + LOOK_NS;
	bool found = false;

	if (!linger_next(&daemon->polling.linger, now_ns, false)) {
		return false;
	}
	while (!found && now_ns < until_ns) {
		found = clients_waiting(daemon->clients) || engine_turn(daemon->engine, now_ms);
		now_ns = clock_ns();
	}
	return found;
}

bool polling_look(struct daemon *daemon)
{
	uint64_t now_ms = loop_now_ms(daemon->loop);
	bool found = engine_turn(daemon->engine, now_ms);

	if (!found && daemon->polling.awake) {
		found = look_longer(daemon, now_ms);
	}
	daemon->polling.found = daemon->polling.found || found;
	return found;
}

/* Whoever had something before he was told to ring did not. */
static bool fall_asleep(struct daemon *daemon, uint64_t now_ns)
{
	bool more;

	stay_awake(daemon, false);
	more = engine_turn(daemon->engine, loop_now_ms(daemon->loop));
	daemon->polling.found = more;
	more = clients_turn(daemon->clients) || more;
	stay_awake(daemon, linger_would_look(&daemon->polling.linger, now_ns));
	return more;
}

bool polling_goes_on(struct daemon *daemon)
{
	struct polling *polling = &daemon->polling;
	uint64_t taken = clients_taken(daemon->clients);
	uint64_t now_ms = loop_now_ms(daemon->loop);
	uint64_t now_ns = clock_ns();
	bool found = polling->found || taken != polling->taken;

	polling->found = false;
	polling->taken = taken;
	if (now_ms != polling->heard_ms && polling->linger.until_ns > 0) {
		hear(polling, now_ns, now_ms);
	}
	if (linger_next(&polling->linger, now_ns, found)) {
		stay_awake(daemon, true);
		return true;
	}
	return polling->awake && fall_asleep(daemon, now_ns);
}
