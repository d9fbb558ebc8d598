/* SPDX-License-Identifier: BSD-3-Clause */
/* See daemon.h. */
#include "daemon/daemon.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon/closer.h"
#include "daemon/confine.h"
#include "daemon/engine_host.h"
#include "config/exit_code.h"
#include "crypto/aead.h"
#include "daemon/log.h"
#include "daemon/memory.h"
#include "daemon/process.h"

#define STATE_DIR_DEFAULT "/var/lib/coronet"
/* Headers, queues, and the send memory of a few clients. */
#define LOCKED_BESIDES_BYTES (32u * 1024 * 1024)

static void tell(void *ctx, int priority, const char *text)
{
	(void)ctx;
	log_say(LOG_PART_MAIN, priority, "%s", text);
}

static int fatal(const char *what, int err)
{
	log_say(LOG_PART_MAIN, LOG_ERR, "%s: %s", what, strerror(-err));
	return EXIT_FATAL;
}

/* --- Turns ---------------------------------------------------------------------------------------- */

static void finish_if_stopped(struct daemon *daemon)
{
	if (engine_failed(daemon->engine)) {
		daemon->exit_code = EXIT_RING_ID;
		loop_stop(daemon->loop);
	} else if (daemon->stopping && engine_stopped(daemon->engine)) {
		loop_stop(daemon->loop);
	} else if (daemon->stopping && loop_now_ms(daemon->loop) >= daemon->stop_by_ms) {
		log_say(LOG_PART_MAIN, LOG_WARNING,
			"the ring did not take leave within %d ms: stopping without",
			DAEMON_STOP_MS);
		loop_stop(daemon->loop);
	}
}

static void stop_if_lost(struct daemon *daemon)
{
	if (daemon->lost) {
		daemon_stop(daemon);
	}
}

static void tell_ready(struct daemon *daemon)
{
	if (!daemon->ready && engine_ready(daemon->engine)) {
		daemon->ready = true;
		log_say(LOG_PART_MAIN, LOG_NOTICE, "ready: clients may connect");
		process_notify("READY=1");
	}
}

/* A third of the token's time: whoever is late by more is close to being taken for dead. */
static void note_pause(struct daemon *daemon)
{
	uint64_t late_ms = pauses_note(&daemon->pauses, loop_now_ms(daemon->loop),
				       daemon->config->totem.token_ms / 3);

	if (late_ms > 0) {
		log_say(LOG_PART_MAIN, LOG_WARNING,
			"this daemon did not run for %llu ms when it should have: it was stopped, found no processor, "
			"or hung in a call. The ring takes a node for dead after %u ms (totem.token)",
			(unsigned long long)late_ms, daemon->config->totem.token_ms);
	}
}

static uint64_t next_deadline_ms(const struct daemon *daemon)
{
	uint64_t engine_ms = engine_next_deadline_ms(daemon->engine);
	uint64_t clients_ms = clients_next_deadline_ms(daemon->clients);
	uint64_t deadline_ms = engine_ms < clients_ms ? engine_ms : clients_ms;

	return daemon->stopping && daemon->stop_by_ms < deadline_ms ? daemon->stop_by_ms
								    : deadline_ms;
}

/* After every callback of the loop. */
static void settle(void *ctx)
{
	struct daemon *daemon = ctx;
	uint64_t deadline_ms;
	bool more;

	note_pause(daemon);
	confine_tell();
	more = clients_turn(daemon->clients) || polling_goes_on(daemon);
	engine_wake_peers(daemon->engine);
	stop_if_lost(daemon);
	deadline_ms = more ? 0 : next_deadline_ms(daemon);
	tell_ready(daemon);
	finish_if_stopped(daemon);
	loop_wake_at(daemon->loop, deadline_ms);
	pauses_expect(&daemon->pauses, loop_now_ms(daemon->loop), deadline_ms);
}

/* Several turns for one round of the clients, who are then woken once for all that came; but turns that seal or
 * open large messages take long. */
#define TURNS_MAX 8

static void turn(struct daemon *daemon)
{
	bool more = polling_look(daemon);

	for (int i = 1; i < TURNS_MAX && more && !loop_is_late(daemon->loop); i++) {
		more = engine_turn(daemon->engine, loop_now_ms(daemon->loop));
	}
	if (more) {
		loop_wake_at(daemon->loop, 0);
	}
}

static void engine_is_ready(void *ctx, short revents)
{
	(void)revents;
	turn(ctx);
}

static void timer_is_due(void *ctx)
{
	turn(ctx);
}

/* --- Signals -------------------------------------------------------------------------------------- */

void daemon_stop(struct daemon *daemon)
{
	if (daemon->stopping) {
		return;
	}
	daemon->stopping = true;
	daemon->stop_by_ms = loop_now_ms(daemon->loop) + DAEMON_STOP_MS;
	process_notify("STOPPING=1");
	engine_stop(daemon->engine, loop_now_ms(daemon->loop));
}

static void signal_came(void *ctx, int number)
{
	struct daemon *daemon = ctx;

	switch (number) {
	case SIGHUP:
		daemon_reload(daemon);
		return;
	case SIGUSR2:
		daemon_dump(daemon);
		return;
	default:
		log_say(LOG_PART_MAIN, LOG_NOTICE, "signal %s: leaving the ring",
			sigabbrev_np(number));
		daemon_stop(daemon);
		return;
	}
}

static const int served_signals[] = {SIGHUP, SIGUSR2, SIGTERM, SIGINT, SIGQUIT};
#define SERVED_SIGNALS (sizeof(served_signals) / sizeof(served_signals[0]))

/* From the first line of the log until the loop has them, and again when it has ended: who was told to stop twice has
 * stopped all the same. */
static void hold_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < SERVED_SIGNALS; i++) {
		sigaddset(&set, served_signals[i]);
	}
	sigprocmask(how, &set, NULL);
}

static int watch_signals(struct daemon *daemon)
{
	int err = 0;

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < SERVED_SIGNALS; i++) {
		err = err ? err : loop_signal(daemon->loop, served_signals[i], signal_came, daemon);
	}
	hold_signals(SIG_UNBLOCK);
	return err;
}

/* --- Building ------------------------------------------------------------------------------------- */

/* Explicitly named, or next to the sockets when the run directory was, else where a reboot does not reach. */
static const char *state_directory(const struct daemon *daemon)
{
	if (daemon->config->state_dir[0]) {
		return daemon->config->state_dir;
	}
	return daemon->run_dir_given ? run_dir_path(daemon->run_dir) : STATE_DIR_DEFAULT;
}

static int open_files(struct daemon *daemon, const char *run_dir)
{
	struct messages messages = {0};
	char recorder[PATH_MAX + 16];
	int code = run_dir_new(run_dir, &messages, &daemon->run_dir);

	if (code == EXIT_OK) {
		code = ring_id_file_new(state_directory(daemon), config_local(daemon->config)->id,
					&messages, &daemon->ring_id);
	}
	messages_flush(&messages, tell, NULL);
	if (code == EXIT_OK && daemon->config->logging.blackbox) {
		snprintf(recorder, sizeof(recorder), "%s/blackbox", run_dir);
		log_recorder_start(recorder);
	}
	return code;
}

static struct slab_config slab_config(const struct daemon *daemon)
{
	const struct config *config = daemon->config;
	/* An adapter pins what it is shown; shared memory is filled as it is used. */
	bool pinned = strcmp(daemon->carrier.ops->name, "rdma") == 0;

	return (struct slab_config){.slot_size_bytes = config->slot_size_bytes,
				    .slot_count = config->slots,
				    .extent_bytes = config->extents_bytes,
				    .huge_pages = pinned && config->huge_pages,
				    .numa_node = daemon->numa_node,
				    .prefault = pinned};
}

/* Large messages have memory registered for them while the ring runs: better to hear of it now. */
static void warn_of_lock_limit(const struct slab_config *config)
{
	uint64_t slots = (uint64_t)config->slot_count * config->slot_size_bytes;
	uint64_t need = slots + config->extent_bytes + LOCKED_BESIDES_BYTES;
	uint64_t limit;

	if (config->prefault && memory_lock_limit(&limit) && limit < need) {
		log_say(LOG_PART_MAIN, LOG_WARNING,
			"RLIMIT_MEMLOCK is %llu MiB; large messages may have to wait for memory that "
			"cannot be locked. Slots, extents and a few clients take up to %llu MiB: raise "
			"it (LimitMEMLOCK in the unit file, limits.conf(5), CAP_IPC_LOCK) or lower "
			"rdma.extents",
			(unsigned long long)(limit >> 20), (unsigned long long)(need >> 20));
	}
}

static void say_where(const struct daemon *daemon)
{
	const struct sealed *memory = slab_memory(daemon->slab);

	if (daemon->config->huge_pages && daemon->numa_node >= 0) {
		log_say(LOG_PART_MAIN, LOG_INFO,
			"the adapter is on NUMA node %d, the slots on node %d, %s huge pages",
			daemon->numa_node, memory->node, memory->huge ? "in" : "without");
	}
}

static int open_slab(struct daemon *daemon)
{
	struct transport_memory transport;
	struct slab_config config;
	int err;

	daemon->carrier.ops->memory(daemon->carrier.transport, &transport);
	daemon->numa_node = transport.numa_node;
	config = slab_config(daemon);
	err = slab_new(&config, &daemon->slab);
	if (err) {
		log_say(LOG_PART_MAIN, LOG_ERR,
			"no memory for messages (%llu MiB): %s. Lower rdma.slots",
			(unsigned long long)(((uint64_t)config.slot_count *
					      config.slot_size_bytes) >>
					     20),
			strerror(-err));
		return EXIT_FATAL;
	}
	warn_of_lock_limit(&config);
	say_where(daemon);
	return EXIT_OK;
}

static bool wants_digest(const struct daemon *daemon)
{
	const struct carrier *carrier = &daemon->carrier;

	return daemon->config->digest == CONFIG_DIGEST_AUTO
		       ? !carrier->ops->reads_exact(carrier->transport)
		       : daemon->config->digest == CONFIG_DIGEST_YES;
}

/* On one host it makes no difference whose memory a message is copied from. */
enum engine_dissemination daemon_dissemination(const struct daemon *daemon,
					       const struct config *config)
{
	switch ((enum config_dissemination)config->dissemination) {
	case CONFIG_DISSEMINATION_DIRECT:
		return ENGINE_DIRECT;
	case CONFIG_DISSEMINATION_CHAIN:
		return ENGINE_CHAIN;
	case CONFIG_DISSEMINATION_AUTO:
		break;
	}
	return strcmp(daemon->carrier.ops->name, "rdma") == 0 ? ENGINE_AUTO : ENGINE_DIRECT;
}

/* Once, and where it is seen. Shared memory is between processes of one user. */
static void say_how_protected(const struct daemon *daemon)
{
	char id[CLUSTER_KEY_TEXT_SIZE];

	if (daemon->key) {
		cluster_key_text(daemon->key->id, id);
		log_say(LOG_PART_MAIN, LOG_NOTICE,
			"the ring is protected: crypto_cipher %s, crypto_hash %s, key %s, sealed by %s",
			crypto_cipher_name(key_suite(daemon->config).cipher),
			crypto_hash_name(key_suite(daemon->config).hash), id, aead_library());
	} else if (strcmp(daemon->carrier.ops->name, "rdma") == 0) {
		log_say(LOG_PART_MAIN, LOG_WARNING,
			"the ring is NOT protected: whoever reaches its network can read and forge "
			"messages; crypto_cipher, crypto_hash and a key file would prevent that");
	}
}

static int open_engine(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	struct engine_config wanted = {
		.totem = config->totem,
		.pg = {.clients_max = config->clients_max, .members_max = PG_MEMBERS_MAX},
		.slab = slab_config(daemon),
		.eager_size_bytes = config->eager_size_bytes,
		.copy_size_bytes = config->copy_size_bytes,
		.digest = wants_digest(daemon),
		.protection = {.key = daemon->key,
			       .suite = key_suite(config),
			       .cluster_name = config->cluster_name},
		.dissemination = daemon_dissemination(daemon, config),
		.ring_seq = ring_id_file_last(daemon->ring_id),
		.incarnation = daemon->incarnation,
	};
	struct engine_host host = engine_host(daemon);
	struct transport *transport = daemon->carrier.transport;
	int err;

	say_how_protected(daemon);
	daemon->carrier.transport = NULL;
	err = engine_new(&wanted, &host, daemon->carrier.ops, transport, daemon->slab,
			 &daemon->engine);
	return err ? fatal("the ring cannot be set up", err) : EXIT_OK;
}

static int add_peers(struct daemon *daemon)
{
	const struct config *config = daemon->config;

	for (uint32_t i = 0; i < config->node_count; i++) {
		struct transport_peer peer = {.node = config->nodes[i].id,
					      .addr = config->nodes[i].addr};
		int err = i == config->local ? 0 : engine_peer_add(daemon->engine, &peer);

		if (err) {
			log_say(LOG_PART_MAIN, LOG_ERR, "node %u cannot be added: %s", peer.node,
				strerror(-err));
			return EXIT_FATAL;
		}
	}
	return EXIT_OK;
}

static bool client_allowed(void *ctx, uid_t uid, const gid_t *groups, size_t count)
{
	const struct config_uidgid *list = &((struct daemon *)ctx)->config->uidgid;

	for (uint32_t i = 0; i < list->uid_count; i++) {
		if (list->uids[i] == uid) {
			return true;
		}
	}
	for (uint32_t i = 0; i < list->gid_count; i++) {
		for (size_t j = 0; j < count; j++) {
			if (list->gids[i] == groups[j]) {
				return true;
			}
		}
	}
	return false;
}

static void clients_say(void *ctx, int priority, const char *text)
{
	(void)ctx;
	log_say(LOG_PART_CPG, priority, "%s", text);
}

static char *clients_status(void *ctx)
{
	return daemon_status(ctx);
}

static uint64_t clients_clock(void *ctx)
{
	return loop_now_ms(ctx);
}

static int clients_add(void *ctx, int fd, short events, clients_ready_fn *ready, void *arg)
{
	return loop_add(ctx, fd, events, ready, arg);
}

static int clients_mod(void *ctx, int fd, short events, clients_ready_fn *ready, void *arg)
{
	return loop_mod(ctx, fd, events, ready, arg);
}

static void clients_del(void *ctx, int fd)
{
	loop_del(ctx, fd);
}

/* Half of the machine is for others; but one program must be able to have all that one may have. */
static uint64_t user_memory_max(const struct config *config)
{
	uint64_t half = memory_of_machine() / 2;
	uint64_t least =
		2 * (config->client_queue_max_bytes + config->client_send_memory_max_bytes);

	if (config->client_user_memory_max_bytes > 0) {
		return config->client_user_memory_max_bytes;
	}
	return half > least ? half : least;
}

static int open_clients(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	struct clients_loop loop = {.ctx = daemon->loop,
				    .add = clients_add,
				    .mod = clients_mod,
				    .del = clients_del,
				    .now_ms = clients_clock};
	struct clients_config wanted = {
		.run_dir = run_dir_path(daemon->run_dir),
		.node = config_local(config)->id,
		.nodes = config->node_count,
		.slab = daemon->slab,
		.slab_config = slab_config(daemon),
		.connections_max = config->clients_max,
		.user_connections_max = config->clients_user_max,
		.queue_max_bytes = config->client_queue_max_bytes,
		.send_max_bytes = config->client_send_memory_max_bytes,
		.user_memory_max_bytes = user_memory_max(config),
		.inline_max_bytes = config->client_inline_max_bytes,
		.ctx = daemon,
		.allow = client_allowed,
		.log = clients_say,
		.status = clients_status,
		.discard = closer_close,
	};
	int err = clients_new(&wanted, &loop, daemon->engine, &daemon->clients);

	/* The reason is in the log. */
	return err ? EXIT_FATAL : EXIT_OK;
}

static int open_loop(struct daemon *daemon)
{
	int err = loop_new(&daemon->loop);

	err = err ? err : watch_signals(daemon);
	if (!err && getrandom(&daemon->incarnation, sizeof(daemon->incarnation), 0) !=
			    sizeof(daemon->incarnation)) {
		err = -errno;
	}
	return err ? fatal("the event loop cannot be set up", err) : EXIT_OK;
}

static int start(struct daemon *daemon)
{
	int err =
		loop_add(daemon->loop, engine_fd(daemon->engine), POLLIN, engine_is_ready, daemon);

	if (err) {
		return fatal("the event loop does not take the transport", err);
	}
	loop_timer(daemon->loop, timer_is_due, daemon);
	loop_settle(daemon->loop, settle, daemon);
	daemon->started_ms = loop_now_ms(daemon->loop);
	polling_start(&daemon->polling, (enum config_poll)daemon->config->poll);
	engine_start(daemon->engine, daemon->started_ms);
	loop_wake_at(daemon->loop, 0);
	return EXIT_OK;
}

/* The ports that only the system's own services have. */
#define LOW_PORTS 1024

static void confine(const struct config *config)
{
	const struct config_node *node = config_local(config);
	bool adapter = config->transport != CONFIG_TRANSPORT_SHM;

	confine_capabilities(&(struct confine_needs){
		.memory = adapter,
		.softroce = adapter && config->softroce,
		.low_port = adapter && (node->port ? node->port : config->port) < LOW_PORTS});
}

/* After the capabilities went and before system calls are filtered: a thread has the rights of whoever made it. */
static void start_closer(void)
{
	int err = closer_start();

	if (err) {
		log_say(LOG_PART_MAIN, LOG_WARNING,
			"there is no thread to close sockets of strangers: %s. Any user of this host could delay the ring",
			strerror(-err));
	}
}

int daemon_open(struct daemon *daemon, const char *run_dir)
{
	const struct config *config = daemon->config;
	int code;

	hold_signals(SIG_BLOCK);
	log_say(LOG_PART_MAIN, LOG_NOTICE,
		"coronetd %s starts: node %u of cluster %s, version %llu of %s", PACKAGE_VERSION,
		config_local(config)->id, config->cluster_name,
		(unsigned long long)config->config_version, config->path);
	code = open_files(daemon, run_dir);
	if (code == EXIT_OK) {
		confine(config);
		start_closer();
		code = open_loop(daemon);
	}
	code = code ? code : carrier_open(config, daemon->incarnation, &daemon->carrier);
	code = code ? code : open_slab(daemon);
	code = code ? code : open_engine(daemon);
	code = code ? code : add_peers(daemon);
	code = code ? code : open_clients(daemon);
	code = code ? code : start(daemon);
	if (code == EXIT_OK) {
		confine_calls(config->syscall_filter, daemon->carrier.softroce[0] != '\0');
	}
	return code;
}

int daemon_run(struct daemon *daemon)
{
	loop_run(daemon->loop);
	hold_signals(SIG_BLOCK);
	log_say(LOG_PART_MAIN, LOG_NOTICE, "stopped");
	return daemon->exit_code;
}

/* The clients hold messages of the engine, the engine's memory is the slab's, and the run directory's lock outlives all. */
void daemon_close(struct daemon *daemon)
{
	if (daemon->loop) {
		loop_settle(daemon->loop, NULL, NULL);
	}
	if (daemon->engine && daemon->loop) {
		loop_del(daemon->loop, engine_fd(daemon->engine));
	}
	clients_free(&daemon->clients);
	engine_free(&daemon->engine);
	slab_free(&daemon->slab);
	carrier_close(&daemon->carrier);
	loop_free(&daemon->loop);
	ring_id_file_free(&daemon->ring_id);
	run_dir_free(&daemon->run_dir);
	polling_end(&daemon->polling);
	closer_stop();
	confine_tell();
	config_free(&daemon->config);
}
