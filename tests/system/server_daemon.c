/* SPDX-License-Identifier: BSD-3-Clause */
/* The server of the client library's unit tests as the real thing: coronetd, a ring of one node
 * over shared memory. It takes no commands but to end, so it serves those tests that give none. */
#include "tests/unit/lib/server.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <corosync/cpg.h>

struct server {
	pid_t pid;
	char dir[64];
};

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "the test server: %s\n", what);
	abort();
}

static void in_dir(const struct server *server, const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", server->dir, name);
}

static void write_config(const struct server *server)
{
	char path[96];
	FILE *config;

	in_dir(server, "conf", path, sizeof(path));
	config = fopen(path, "w");
	if (!config) {
		give_up("no configuration");
	}
	fprintf(config,
		"totem {\n\tversion: 2\n\tcluster_name: test-%d\n\ttransport: shm\n}\n"
		"logging {\n\tto_stderr: yes\n\tto_syslog: no\n}\n"
		"nodelist {\n\tnode {\n\t\tname: one\n\t\tnodeid: 1\n\t}\n}\n",
		(int)getpid());
	fclose(config);
}

static _Noreturn void run_daemon(const struct server *server)
{
	const char *build = getenv("top_builddir");
	char program[4096];
	char config[96];
	char log[96];

	snprintf(program, sizeof(program), "%s/coronetd", build ? build : ".");
	in_dir(server, "conf", config, sizeof(config));
	in_dir(server, "log", log, sizeof(log));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!freopen(log, "w", stderr)) {
		_exit(126);
	}
	execl(program, program, "-f", "-c", config, "--node", "one", "--run-dir", server->dir,
	      (char *)NULL);
	_exit(127);
}

static void wait_until_ready(void)
{
	cpg_handle_t handle;

	for (int i = 0; i < 1000; i++) {
		if (cpg_initialize(&handle, NULL) == CS_OK) {
			cpg_finalize(handle);
			return;
		}
		poll(NULL, 0, 20);
	}
	give_up("coronetd does not come up; is $top_builddir the build directory?");
}

struct server *server_start(const struct server_options *options)
{
	struct server *server = calloc(1, sizeof(*server));

	if (!server || options) {
		give_up("no memory, or options that it does not have");
	}
	snprintf(server->dir, sizeof(server->dir), "/tmp/coronet-test-XXXXXX");
	if (!mkdtemp(server->dir)) {
		give_up("no directory");
	}
	write_config(server);
	setenv("CORONET_RUN_DIR", server->dir, 1);
	server->pid = fork();
	if (server->pid == 0) {
		run_daemon(server);
	}
	wait_until_ready();
	return server;
}

void server_stop(struct server **server_ptr)
{
	struct server *server = *server_ptr;
	char command[128];
	int status = 0;

	if (!server) {
		return;
	}
	kill(server->pid, SIGTERM);
	waitpid(server->pid, &status, 0);
	if (status != 0) {
		fprintf(stderr, "see %s/log\n", server->dir);
		give_up("coronetd did not end as it should");
	}
	snprintf(command, sizeof(command), "rm -rf '%s'", server->dir);
	if (system(command) != 0) {
		give_up("its directory could not be removed");
	}
	free(server);
	*server_ptr = NULL;
}
