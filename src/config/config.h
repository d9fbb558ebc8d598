/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration: read once, checked whole, then not changed any more. A reload makes a new one. coronet.conf(5). */
#ifndef CORONET_CONFIG_H
#define CORONET_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/limits.h"
#include "config/messages.h"
#include "totem/totem.h"

#define CONFIG_TEXT_MAX	  512 /* bytes of a value with its end; lines have fewer */
#define CONFIG_UIDGID_MAX 256 /* users, and groups */

enum config_transport {
	CONFIG_TRANSPORT_AUTO,
	CONFIG_TRANSPORT_RDMA,
	CONFIG_TRANSPORT_SHM
};

/* Whether large messages are announced with a digest. */
enum config_digest {
	CONFIG_DIGEST_NO,
	CONFIG_DIGEST_YES,
	CONFIG_DIGEST_AUTO /* when the transport's READs cannot be believed */
};

/* What the daemon does when there is nothing to do. */
enum config_poll {
	CONFIG_POLL_EVENT,    /* sleeps at once */
	CONFIG_POLL_ADAPTIVE, /* looks again for a moment while that pays */
	CONFIG_POLL_BUSY      /* never sleeps */
};

/* How large messages spread. */
enum config_dissemination {
	CONFIG_DISSEMINATION_DIRECT,
	CONFIG_DISSEMINATION_CHAIN,
	CONFIG_DISSEMINATION_AUTO /* a chain where it gains, if the transport is an adapter's */
};

enum config_ip_version {
	CONFIG_IPV4,
	CONFIG_IPV6,
	CONFIG_IPV4_6,
	CONFIG_IPV6_4
};

struct config_node {
	uint32_t id;
	uint32_t line; /* where its section begins */
	char name[CONFIG_TEXT_MAX];
	char ring_addr[CONFIG_TEXT_MAX]; /* as it was written; "" when it is not given */
	uint32_t port;			 /* 0: that of all nodes */
	struct sockaddr_storage addr;	 /* with the port; ss_family 0 when it was not looked up */
};

/* Parts of the daemon whose log can be set on its own (logger_subsys). */
enum log_part {
	LOG_PART_MAIN,
	LOG_PART_TOTEM,
	LOG_PART_TRANSPORT,
	LOG_PART_CPG,
};
#define LOG_PARTS 4

enum config_timestamp {
	CONFIG_TIMESTAMP_OFF,
	CONFIG_TIMESTAMP_ON,
	CONFIG_TIMESTAMP_HIRES
};

enum config_debug {
	CONFIG_DEBUG_OFF,
	CONFIG_DEBUG_ON,
	CONFIG_DEBUG_TRACE
};

/* The keys that exist once for all and once for each part; there -1 means as for all. */
struct config_log {
	int32_t to_stderr, to_syslog, to_logfile; /* 0 or 1 */
	int32_t logfile_priority, syslog_priority;
	int32_t syslog_facility;
	int32_t debug;
	char logfile[CONFIG_TEXT_MAX];
	char subsys[CONFIG_TEXT_MAX];
	char name[CONFIG_TEXT_MAX]; /* of a logging_daemon */
};

struct config_logging {
	struct config_log all;
	struct config_log parts[LOG_PARTS];
	int32_t timestamp;
	int32_t fileline, function_name, blackbox;
};

struct config_uidgid {
	uid_t uids[CONFIG_UIDGID_MAX];
	gid_t gids[CONFIG_UIDGID_MAX];
	uint32_t uid_count, gid_count;
};

/* Times as they were written; 0: to be computed. struct totem_config has what is in force. */
struct config_times {
	uint32_t token_ms, token_coefficient_ms;
	uint32_t token_retransmit_ms, token_retransmits;
	uint32_t hold_ms, join_ms, consensus_ms, merge_ms;
};

struct config {
	char path[PATH_MAX]; /* as it was given */
	uint32_t version;
	char cluster_name[CONFIG_TEXT_MAX];
	uint64_t config_version;
	int32_t transport;  /* enum config_transport */
	int32_t ip_version; /* enum config_ip_version */
	uint32_t port;

	/* What is in force: no hash, nothing is protected. */
	int32_t crypto_cipher; /* enum crypto_cipher */
	int32_t crypto_hash;   /* enum crypto_hash */
	int32_t secauth;       /* 0 or 1, as it was written */
	char keyfile[CONFIG_TEXT_MAX];

	struct config_times times;
	struct totem_config totem;

	struct config_node nodes[NODES_MAX];
	uint32_t node_count;
	uint32_t local; /* index */

	struct config_logging logging;
	struct config_uidgid uidgid;

	int32_t sched_rr; /* 0 or 1 */
	int32_t syscall_filter;
	int32_t poll; /* enum config_poll */
	char priority[CONFIG_TEXT_MAX];
	char state_dir[CONFIG_TEXT_MAX]; /* "" when it is not given */

	char device[CONFIG_TEXT_MAX]; /* "" when any will do */
	int32_t softroce, huge_pages; /* 0 or 1 */
	int32_t digest;		      /* enum config_digest */
	int32_t dissemination;	      /* enum config_dissemination */
	uint32_t slot_size_bytes, slots;
	uint64_t extents_bytes;
	uint32_t eager_size_bytes, copy_size_bytes;
	uint32_t connect_timeout_ms, ack_timeout_ms;

	uint32_t clients_max;
	uint32_t clients_user_max; /* connections of one user; not root's nor the daemon's own */
	uint64_t client_queue_max_bytes;
	uint64_t client_send_memory_max_bytes;
	uint64_t client_user_memory_max_bytes; /* of one user together; 0: by the host's memory */
	uint32_t client_inline_max_bytes;
};

struct config_source {
	const char *path;
	/* Which of the nodes this daemon is: a name, a ring address or an id; NULL asks the host's names and addresses. */
	const char *node;
	/* For a reload, what holds now: this node stays who it is, and addresses that are known are not looked up again. Else NULL. */
	const struct config *known;
};

/* Reads, checks, looks up names, finds the local node. 0, or the exit code (exit_code.h) with the reason as the last message. Warnings
 * are among the messages in any case. *out is the caller's: config_free. May ask name servers, so it may block. */
int config_load(const struct config_source *source, struct messages *messages, struct config **out);
void config_free(struct config **config);

/* The same without other files, name servers and the local node: for text from anywhere. `path` appears in messages. */
int config_parse(const char *path, const char *text, size_t size, struct messages *messages,
		 struct config **out);

const struct config_node *config_local(const struct config *config);
/* NULL when no node has this id. */
const struct config_node *config_node(const struct config *config, uint32_t id);

/* Receive slots that a window needs. */
uint32_t config_slots_needed(uint32_t window_size);

const char *config_dissemination_name(enum config_dissemination dissemination);
const char *config_transport_name(enum config_transport transport);
const char *config_poll_name(enum config_poll poll);

/* A message about a line of the file; line 0 stands for the whole file. */
__attribute__((format(printf, 5, 6))) void config_say(struct messages *messages, int priority,
						      const char *path, uint32_t line,
						      const char *format, ...);

#endif
