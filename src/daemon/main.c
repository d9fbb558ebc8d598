/* SPDX-License-Identifier: BSD-3-Clause */
/* coronetd: the command line, the configuration, the process; the rest is the daemon's. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "config/exit_code.h"
#include "daemon/confine.h"
#include "daemon/log.h"
#include "daemon/options.h"
#include "daemon/process.h"

/* Before the configuration says where the log goes. */
static void complain(void *ctx, int priority, const char *text)
{
	(void)ctx;
	fprintf(stderr, "coronetd: %s: %s\n", log_priority_name(priority), text);
}

static void complain_to_syslog(void *ctx, int priority, const char *text)
{
	complain(ctx, priority, text);
	syslog(LOG_DAEMON | priority, "%s", text);
}

static void tell(void *ctx, int priority, const char *text)
{
	(void)ctx;
	log_say(LOG_PART_MAIN, priority, "%s", text);
}

static void print_summary(const struct config *config, const struct cluster_key *key)
{
	const struct config_node *node = config_local(config);

	printf("%s: in order. Cluster %s, %u nodes, transport %s; this is node %u%s%s%s\n",
	       config->path, config->cluster_name, config->node_count,
	       config_transport_name((enum config_transport)config->transport), node->id,
	       node->name[0] ? " (" : "", node->name, node->name[0] ? ")" : "");
	if (key) {
		char id[CLUSTER_KEY_TEXT_SIZE];

		cluster_key_text(key->id, id);
		printf("The ring is protected: crypto_cipher %s, crypto_hash %s, key %s from %s\n",
		       crypto_cipher_name(key_suite(config).cipher),
		       crypto_hash_name(key_suite(config).hash), id, config->keyfile);
	}
}

static int test(const struct config_source *source)
{
	struct messages messages = {0};
	struct config *config = NULL;
	struct cluster_key *key = NULL;
	int code;

	/* What root may read and the daemon, which gives that up, may not is not in order. */
	confine_begin();
	code = config_load(source, &messages, &config);
	code = code ? code : key_load(config, &messages, &key);
	messages_flush(&messages, complain, NULL);
	if (code == EXIT_OK) {
		print_summary(config, key);
	}
	key_free(&key);
	config_free(&config);
	return code;
}

static int serve(struct daemon *daemon, const char *run_dir)
{
	int code;

	process_raise_limits();
	process_raise_priority(daemon->config);
	code = daemon_open(daemon, run_dir);
	if (process_tell_parent(code) && code == EXIT_OK) {
		code = EXIT_DEV_NULL;
	}
	if (code == EXIT_OK) {
		code = daemon_run(daemon);
	}
	daemon_close(daemon);
	return code;
}

/* The daemon leaves its working directory; a path that was given must still mean the same when it reloads. It need not exist, and links
 * in it stay links. */
static const char *absolute(const char *path, char room[PATH_MAX])
{
	char here[PATH_MAX];

	if (path[0] == '/' || !getcwd(here, sizeof(here)) ||
	    snprintf(room, PATH_MAX, "%s/%s", here, path) >= PATH_MAX) {
		return path;
	}
	return room;
}

static int start(const struct options *options, struct daemon *daemon, struct messages *messages)
{
	static char run_dir_room[PATH_MAX];
	const char *run_dir = options->run_dir ? options->run_dir : CORONET_DEFAULT_RUN_DIR;

	run_dir = absolute(run_dir, run_dir_room);
	daemon->run_dir_given = options->run_dir != NULL;
	log_open(&daemon->config->logging);
	messages_flush(messages, tell, NULL);
	return serve(daemon, run_dir);
}

/* Before anything is loaded: a key's memory is wiped in a child, and what was locked is not locked there. */
static int go_into_background(struct messages *messages)
{
	int err = process_background();

	if (err) {
		messages_add(messages, LOG_ERR, "cannot go into the background: %s",
			     strerror(-err));
	}
	return err ? EXIT_FORK : EXIT_OK;
}

static int refuse(struct messages *messages, int code)
{
	openlog("coronetd", LOG_PID, LOG_DAEMON);
	messages_flush(messages, complain_to_syslog, NULL);
	process_tell_parent(code);
	return code;
}

static int run(const struct options *options)
{
	static char config_room[PATH_MAX];
	static struct daemon daemon;
	struct messages messages = {0};
	int code;

	confine_begin();
	/* Until it can be served: its default is to end the process. */
	signal(SIGHUP, SIG_IGN);
	code = options->foreground ? EXIT_OK : go_into_background(&messages);
	if (code) {
		return refuse(&messages, code);
	}
	daemon.source.path = absolute(options->config, config_room);
	daemon.source.node = options->node;
	code = config_load(&daemon.source, &messages, &daemon.config);
	code = code ? code : key_load(daemon.config, &messages, &daemon.key);
	if (code) {
		return refuse(&messages, code);
	}
	code = start(options, &daemon, &messages);
	key_free(&daemon.key);
	config_free(&daemon.config);
	log_close();
	return code;
}

int main(int argc, char **argv)
{
	struct options options = options_parse(argc, argv);
	struct config_source source = {.path = options.config, .node = options.node};

	switch (options.action) {
	case OPTIONS_HELP:
		options_help();
		return EXIT_OK;
	case OPTIONS_VERSION:
		printf("coronetd %s\n", PACKAGE_VERSION);
		return EXIT_OK;
	case OPTIONS_TEST:
		return test(&source);
	case OPTIONS_WRONG:
		return EXIT_USAGE;
	case OPTIONS_RUN:
		return run(&options);
	}
	return EXIT_USAGE;
}
