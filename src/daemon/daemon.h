/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemon as a whole: everything that runs, built in order and taken down in reverse. */
#ifndef CORONET_DAEMON_DAEMON_H
#define CORONET_DAEMON_DAEMON_H

#include "daemon/carrier.h"
#include "clients/clients.h"
#include "config/config.h"
#include "daemon/history.h"
#include "daemon/key.h"
#include "daemon/loop.h"
#include "daemon/pauses.h"
#include "daemon/polling.h"
#include "daemon/ring_id_file.h"
#include "daemon/run_dir.h"
#include "engine/engine.h"
#include "store/slab.h"

/* How long an orderly stop may take. */
#define DAEMON_STOP_MS 3000

struct daemon {
	struct config_source source; /* for reloads */
	struct config *config;
	struct cluster_key *key; /* NULL: the ring is not protected */
	bool run_dir_given;
	struct run_dir *run_dir;
	struct ring_id_file *ring_id;
	struct loop *loop;
	struct carrier carrier;
	int numa_node; /* the adapter's; -1: not known */
	struct slab *slab;
	struct engine *engine;
	struct clients *clients;
	struct history history;
	struct pauses pauses;
	struct polling polling;
	uint64_t started_ms;
	uint64_t incarnation;
	bool ready; /* the first ring is there and was told */
	bool lost;  /* the adapter */
	bool stopping;
	uint64_t stop_by_ms;
	int exit_code;
};

/* Builds all of it; `run_dir` is where it lives. 0, or the exit code with the reason in the log. On error what was built stays for daemon_close. */
int daemon_open(struct daemon *daemon, const char *run_dir);
/* Until it is told to stop, or cannot go on. Returns the exit code. */
int daemon_run(struct daemon *daemon);
void daemon_close(struct daemon *daemon);

/* Begins an orderly stop. */
void daemon_stop(struct daemon *daemon);

/* What the configuration means with the transport there is. */
enum engine_dissemination daemon_dissemination(const struct daemon *daemon,
					       const struct config *config);

/* reload.c: reads the configuration again and takes over what can change. */
void daemon_reload(struct daemon *daemon);

/* status.c: the answer for coronet-status, as JSON, freed by the caller; NULL: no memory. */
char *daemon_status(const struct daemon *daemon);
/* The same in a few lines of the log, and the flight recorder to its file. */
void daemon_dump(const struct daemon *daemon);

#endif
