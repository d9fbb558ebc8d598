/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs the cases, each in a child, and says how those ended that did not end well. */
#include "compare.h"

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Far more than any case takes where nothing hangs. */
static unsigned int limit_s = 60;
static unsigned int patience_s = 60;
static const char *current = "main";

/* Whole lines, whichever thread says them. */
void say(const char *what, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	flockfile(stdout);
	printf("%s %s: ", current, what);
	vprintf(format, arguments);
	printf("\n");
	fflush(stdout);
	funlockfile(stdout);
	va_end(arguments);
}

void say_error(const char *what, cs_error_t error)
{
	say(what, "%s", error_name(error));
}

const char *error_name(cs_error_t error)
{
	const char *name = cs_strerror(error);

	if (error == CS_OK) {
		return "OK";
	}
	return strncmp(name, "CS_ERR_", 7) == 0 ? name + 7 : name;
}

const char *case_name(void)
{
	return current;
}

struct cpg_name case_group(void)
{
	return group_of(current, strlen(current));
}

struct cpg_name group_of(const char *bytes, size_t length)
{
	struct cpg_name group = {.length = (uint32_t)length};

	memcpy(group.value, bytes, length < sizeof(group.value) ? length : sizeof(group.value));
	return group;
}

void pause_ms(unsigned int milliseconds)
{
	struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000l};

	while (nanosleep(&left, &left) != 0) {
	}
}

/* False when the time is up. */
static bool wait_for(pid_t pid, unsigned int seconds, int *status)
{
	for (unsigned int tick = 0; tick < seconds * 100; tick++) {
		if (waitpid(pid, status, WNOHANG) == pid) {
			return true;
		}
		pause_ms(10);
	}
	return false;
}

void run_case(const struct test *test)
{
	int status;
	pid_t pid;

	current = test->name;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		/* All that the case starts ends with it. */
		setpgid(0, 0);
		name_process(getpid(), "me");
		test->run();
		fflush(stdout);
		_exit(0);
	}
	setpgid(pid, pid);
	if (!wait_for(pid, test->stuck ? patience_s : limit_s, &status)) {
		kill(-pid, SIGKILL);
		waitpid(pid, &status, 0);
		say("end", "hangs");
	} else if (WIFSIGNALED(status)) {
		say("end", "signal %s", sigabbrev_np(WTERMSIG(status)));
	} else if (WEXITSTATUS(status) != 0) {
		say("end", "exit %d", WEXITSTATUS(status));
	}
	kill(-pid, SIGKILL);
}

static void run_all(const struct test *tests, const char *only)
{
	for (; tests->name; tests++) {
		if (!only || strcmp(only, tests->name) == 0) {
			run_case(tests);
		}
	}
}

static int run_clean(const char *only)
{
	run_all(handle_tests, only);
	run_all(argument_tests, only);
	run_all(group_tests, only);
	run_all(message_tests, only);
	run_all(zcb_tests, only);
	run_all(dispatch_tests, only);
	run_all(iteration_tests, only);
	run_all(process_tests, only);
	return 0;
}

static int run_phase(const char *phase, const char *argument)
{
	current = phase;
	name_process(getpid(), "me");
	if (strcmp(phase, "calls") == 0) {
		return run_clean(argument);
	}
	if (strcmp(phase, "dirty") == 0) {
		run_all(dirty_tests, argument);
		return 0;
	}
	if (strcmp(phase, "no-daemon") == 0) {
		return run_without_daemon();
	}
	if (strcmp(phase, "daemon-ends") == 0) {
		return run_daemon_ends();
	}
	if (strcmp(phase, "daemon-stops") == 0) {
		return run_daemon_stops();
	}
	if (strcmp(phase, "access") == 0) {
		return run_access();
	}
	if (strcmp(phase, "member") == 0 && argument) {
		return run_member(argument, false);
	}
	if (strcmp(phase, "totem-member") == 0 && argument) {
		return run_member(argument, true);
	}
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"patience", required_argument, NULL, 'p'},
						{NULL, 0, NULL, 0}};
	int option, status = 2;

	while ((option = getopt_long(argc, argv, "", options, NULL)) == 'p') {
		patience_s = (unsigned int)strtoul(optarg, NULL, 10);
	}
	if (option == -1 && optind < argc) {
		status = run_phase(argv[optind], argv[optind + 1]);
	}
	if (status == 2) {
		fprintf(stderr,
			"usage: compare [--patience SECONDS] PHASE [CASE]\n"
			"phases: calls, dirty, no-daemon, daemon-ends, daemon-stops, access,\n"
			"        member GROUP, totem-member GROUP\n");
	}
	return status;
}
