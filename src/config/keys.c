/* SPDX-License-Identifier: BSD-3-Clause */
/* Every section and key that is known, with its range and what holds when it is not given. coronet.conf(5) says what they mean. */
#include "config/config_int.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "clients/clients.h"
#include "crypto/suite.h"

#define CONFIG(member)	  offsetof(struct config, member)
#define INTERFACE(member) offsetof(struct config_interface, member)
#define NODE(member)	  offsetof(struct config_node, member)
#define LOG_PART(member)  offsetof(struct config_log, member)
#define LOG_ALL(member)	  offsetof(struct config, logging.all.member)

#define TIME_MAX_MS	  3600000u
#define UNSET		  ((uint64_t)(int64_t)-1)

/* A number for which 0 stands for the default. */
#define NUMBER0(key, at, least, most, value)                                           \
	{                                                                              \
		.name = key, .type = KEY_U32, .offset = at, .min = least, .max = most, \
		.fallback = value, .zero_means_fallback = true,                        \
	}
#define NUMBER(key, at, least, most, value)                                            \
	{                                                                              \
		.name = key, .type = KEY_U32, .offset = at, .min = least, .max = most, \
		.fallback = value,                                                     \
	}
#define SIZE(kind, key, at, least, most, value)                                     \
	{                                                                           \
		.name = key, .type = kind, .offset = at, .min = least, .max = most, \
		.fallback = value,                                                  \
	}
#define WORD(key, at, list, value)                                          \
	{                                                                   \
		.name = key, .type = KEY_WORD, .offset = at, .words = list, \
		.fallback = (uint64_t)(value),                              \
	}
#define TEXT(key, at, most, value)                                                       \
	{                                                                                \
		.name = key, .type = KEY_TEXT, .offset = at, .max = most, .text = value, \
	}
#define HARMLESS(key, why)                                      \
	{                                                       \
		.name = key, .type = KEY_HARMLESS, .note = why, \
	}

static const struct config_word yes_no[] = {{"no", 0}, {"yes", 1}, {"off", 0}, {"on", 1}, {0}};
static const struct config_word digests[] = {
	{"auto", CONFIG_DIGEST_AUTO}, {"yes", CONFIG_DIGEST_YES}, {"no", CONFIG_DIGEST_NO}, {0}};
static const struct config_word polls[] = {{"event", CONFIG_POLL_EVENT},
					   {"adaptive", CONFIG_POLL_ADAPTIVE},
					   {"busy", CONFIG_POLL_BUSY},
					   {0}};
static const struct config_word disseminations[] = {{"auto", CONFIG_DISSEMINATION_AUTO},
						    {"direct", CONFIG_DISSEMINATION_DIRECT},
						    {"chain", CONFIG_DISSEMINATION_CHAIN},
						    {0}};
static const struct config_word transports[] = {{"auto", CONFIG_TRANSPORT_AUTO},
						{"rdma", CONFIG_TRANSPORT_RDMA},
						{"shm", CONFIG_TRANSPORT_SHM},
						{0}};
static const struct config_word ip_versions[] = {{"ipv4", CONFIG_IPV4},
						 {"ipv6", CONFIG_IPV6},
						 {"ipv4-6", CONFIG_IPV4_6},
						 {"ipv6-4", CONFIG_IPV6_4},
						 {0}};
static const struct config_word ciphers[] = {{"none", CRYPTO_CIPHER_NONE},
					     {"aes128", CRYPTO_AES128},
					     {"aes192", CRYPTO_AES192},
					     {"aes256", CRYPTO_AES256},
					     {0}};
static const struct config_word hashes[] = {{"none", CRYPTO_HASH_NONE},
					    {"sha256", CRYPTO_SHA256},
					    {"sha384", CRYPTO_SHA384},
					    {"sha512", CRYPTO_SHA512},
					    {"md5", CONFIG_HASH_BROKEN},
					    {"sha1", CONFIG_HASH_BROKEN},
					    {0}};
static const struct config_word priorities[] = {{"emerg", LOG_EMERG},
						{"alert", LOG_ALERT},
						{"crit", LOG_CRIT},
						{"err", LOG_ERR},
						{"error", LOG_ERR},
						{"warning", LOG_WARNING},
						{"warn", LOG_WARNING},
						{"notice", LOG_NOTICE},
						{"info", LOG_INFO},
						{"debug", LOG_DEBUG},
						{0}};
static const struct config_word facilities[] = {
	{"daemon", LOG_DAEMON}, {"user", LOG_USER},	{"local0", LOG_LOCAL0},
	{"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3},
	{"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6},
	{"local7", LOG_LOCAL7}, {"auth", LOG_AUTH},	{"authpriv", LOG_AUTHPRIV},
	{"cron", LOG_CRON},	{"ftp", LOG_FTP},	{"kern", LOG_KERN},
	{"lpr", LOG_LPR},	{"mail", LOG_MAIL},	{"news", LOG_NEWS},
	{"syslog", LOG_SYSLOG}, {"uucp", LOG_UUCP},	{0}};
static const struct config_word debug_words[] = {
	{"off", CONFIG_DEBUG_OFF}, {"on", CONFIG_DEBUG_ON}, {"trace", CONFIG_DEBUG_TRACE}, {0}};
static const struct config_word timestamps[] = {{"off", CONFIG_TIMESTAMP_OFF},
						{"on", CONFIG_TIMESTAMP_ON},
						{"hires", CONFIG_TIMESTAMP_HIRES},
						{0}};

#define NO_KNET	     "it belongs to knet, corosync's transport"
#define NO_MULTICAST "the ring has no multicast; every node has a connection to every other"
#define LEGACY	     "corosync does not use it any more either"
#define ONE_LINK                                                                                   \
	"there is one link; let the network below it be redundant (bonding, several paths of the " \
	"fabric)"

static const struct config_key totem_keys[] = {
	NUMBER("version", CONFIG(version), 2, 2, 0),
	TEXT("cluster_name", CONFIG(cluster_name), 255, "coronet"),
	{.name = "config_version",
	 .type = KEY_U64,
	 .offset = CONFIG(config_version),
	 .max = UINT64_MAX},
	WORD("transport", CONFIG(transport), transports, CONFIG_TRANSPORT_AUTO),
	WORD("ip_version", CONFIG(ip_version), ip_versions, CONFIG_IPV6_4),
	NUMBER0("token", CONFIG(times.token_ms), 30, TIME_MAX_MS, 3000),
	NUMBER("token_coefficient", CONFIG(times.token_coefficient_ms), 0, TIME_MAX_MS, 650),
	NUMBER0("token_retransmits_before_loss_const", CONFIG(times.token_retransmits), 1, 1000, 4),
	NUMBER0("token_retransmit", CONFIG(times.token_retransmit_ms), 30, TIME_MAX_MS, 0),
	NUMBER0("hold", CONFIG(times.hold_ms), 14, TIME_MAX_MS, 0),
	NUMBER0("join", CONFIG(times.join_ms), 30, TIME_MAX_MS, 50),
	NUMBER0("consensus", CONFIG(times.consensus_ms), 30, TIME_MAX_MS, 0),
	NUMBER0("merge", CONFIG(times.merge_ms), 30, TIME_MAX_MS, 200),
	NUMBER0("fail_recv_const", CONFIG(totem.fail_recv_const), 1, UINT32_MAX, 2500),
	NUMBER0("seqno_unchanged_const", CONFIG(totem.seqno_unchanged_const), 1, UINT32_MAX, 30),
	NUMBER0("window_size", CONFIG(totem.window_size), 1, TOTEM_WINDOW_MAX / 4, 50),
	NUMBER0("max_messages", CONFIG(totem.max_messages), 1, TOTEM_WINDOW_MAX / 4, 25),
	NUMBER("accelerated_window", CONFIG(totem.accelerated_window), 0, TOTEM_WINDOW_MAX / 4,
	       UINT32_MAX),
	NUMBER0("miss_count_const", CONFIG(totem.miss_count_const), 1, UINT8_MAX - 1, 5),
	WORD("crypto_cipher", CONFIG(crypto_cipher), ciphers, CONFIG_NOT_GIVEN),
	WORD("crypto_hash", CONFIG(crypto_hash), hashes, CONFIG_NOT_GIVEN),
	WORD("secauth", CONFIG(secauth), yes_no, 0),
	TEXT("keyfile", CONFIG(keyfile), CONFIG_TEXT_MAX - 1, CORONET_DEFAULT_KEYFILE),
	HARMLESS("crypto_model", "it is OpenSSL that encrypts"),
	HARMLESS("key", "whoever may read this file would have it: put it into a file of its own, "
			"and name that with keyfile"),
	HARMLESS("nodeid", "a node's id stands in its node section"),
	HARMLESS("clear_node_high_bit", "node ids are never made from addresses"),
	HARMLESS("link_mode", ONE_LINK),
	HARMLESS("netmtu", "frames are as large as rdma.slot_size says"),
	HARMLESS("token_warning", "coronet-status(8) shows how long the token takes"),
	HARMLESS("send_join",
		 "a join message goes to each node on its own, so no storm needs spreading"),
	HARMLESS("downcheck", "a connection tells when its interface is down"),
	HARMLESS("heartbeat_failures_allowed", "the connections themselves notice a dead node"),
	HARMLESS("max_network_delay", "it belongs to the heartbeat, which is not used"),
	HARMLESS("block_unlisted_ips", "nodes that are not in the nodelist are always refused"),
	HARMLESS("cancel_token_hold_on_retransmit",
		 "a node that lacks a message always wakes the token"),
	HARMLESS("knet_pmtud_interval", NO_KNET),
	HARMLESS("knet_mtu", NO_KNET),
	HARMLESS("knet_compression_model", NO_KNET),
	HARMLESS("knet_compression_threshold", NO_KNET),
	HARMLESS("knet_compression_level", NO_KNET),
	HARMLESS("threads", LEGACY),
	HARMLESS("rrp_mode", LEGACY),
	HARMLESS("rrp_token_expired_timeout", LEGACY),
	HARMLESS("rrp_problem_count_timeout", LEGACY),
	HARMLESS("rrp_problem_count_threshold", LEGACY),
	HARMLESS("rrp_problem_count_mcast_threshold", LEGACY),
	HARMLESS("rrp_autorecovery_check_timeout", LEGACY),
	{0}};

static const struct config_key interface_keys[] = {
	NUMBER("linknumber", INTERFACE(linknumber), 0, 7, 0),
	NUMBER0("mcastport", INTERFACE(port), 1, 65535, 5405),
	HARMLESS("ringnumber", "the key is called linknumber"),
	HARMLESS("bindnetaddr", "the node's ring0_addr says where it listens"),
	HARMLESS("mcastaddr", NO_MULTICAST),
	HARMLESS("broadcast", NO_MULTICAST),
	HARMLESS("ttl", NO_MULTICAST),
	HARMLESS("knet_link_priority", NO_KNET),
	HARMLESS("knet_ping_interval", NO_KNET),
	HARMLESS("knet_ping_timeout", NO_KNET),
	HARMLESS("knet_ping_precision", NO_KNET),
	HARMLESS("knet_pong_count", NO_KNET),
	HARMLESS("knet_transport", NO_KNET),
	{0}};

static const struct config_key nodelist_keys[] = {{0}};

static const struct config_key node_keys[] = {NUMBER("nodeid", NODE(id), 1, UINT32_MAX, 0),
					      TEXT("name", NODE(name), 255, NULL),
					      TEXT("ring0_addr", NODE(ring_addr), 255, NULL),
					      NUMBER0("ring0_port", NODE(port), 1, 65535, 0),
					      HARMLESS("ring1_addr", ONE_LINK),
					      HARMLESS("ring2_addr", ONE_LINK),
					      HARMLESS("ring3_addr", ONE_LINK),
					      HARMLESS("ring4_addr", ONE_LINK),
					      HARMLESS("ring5_addr", ONE_LINK),
					      HARMLESS("ring6_addr", ONE_LINK),
					      HARMLESS("ring7_addr", ONE_LINK),
					      HARMLESS("quorum_votes", "there is no quorum"),
					      {0}};

/* What logging, logger_subsys and logging_daemon have in common. */
#define LOG_KEYS(in, yes, no, info, daemon, off)                                  \
	WORD("to_stderr", in(to_stderr), yes_no, yes),                            \
		WORD("to_syslog", in(to_syslog), yes_no, yes),                    \
		WORD("to_logfile", in(to_logfile), yes_no, no),                   \
		WORD("to_file", in(to_logfile), yes_no, no),                      \
		TEXT("logfile", in(logfile), 500, NULL),                          \
		WORD("logfile_priority", in(logfile_priority), priorities, info), \
		WORD("syslog_priority", in(syslog_priority), priorities, info),   \
		WORD("syslog_level", in(syslog_priority), priorities, info),      \
		WORD("syslog_facility", in(syslog_facility), facilities, daemon), \
		WORD("debug", in(debug), debug_words, off)

static const struct config_key logging_keys[] = {
	LOG_KEYS(LOG_ALL, 1, 0, LOG_INFO, LOG_DAEMON, CONFIG_DEBUG_OFF),
	WORD("timestamp", CONFIG(logging.timestamp), timestamps, CONFIG_TIMESTAMP_HIRES),
	WORD("fileline", CONFIG(logging.fileline), yes_no, 0),
	WORD("function_name", CONFIG(logging.function_name), yes_no, 0),
	WORD("blackbox", CONFIG(logging.blackbox), yes_no, 1),
	{0}};

static const struct config_key subsys_keys[] = {TEXT("subsys", LOG_PART(subsys), 255, NULL),
						LOG_KEYS(LOG_PART, UNSET, UNSET, UNSET, UNSET,
							 UNSET),
						{0}};

static const struct config_key log_daemon_keys[] = {TEXT("name", LOG_PART(name), 255, NULL),
						    TEXT("subsys", LOG_PART(subsys), 255, NULL),
						    LOG_KEYS(LOG_PART, UNSET, UNSET, UNSET, UNSET,
							     UNSET),
						    {0}};

static const struct config_key uidgid_keys[] = {
	{.name = "uid", .type = KEY_UID}, {.name = "gid", .type = KEY_GID}, {0}};

static const struct config_key system_keys[] = {
	WORD("sched_rr", CONFIG(sched_rr), yes_no, 0),
	TEXT("priority", CONFIG(priority), 16, "0"),
	WORD("poll", CONFIG(poll), polls, CONFIG_POLL_ADAPTIVE),
	WORD("syscall_filter", CONFIG(syscall_filter), yes_no, 1),
	TEXT("state_dir", CONFIG(state_dir), 500, NULL),
	HARMLESS("qb_ipc_type", "clients have memory and sockets of Coronet's own kind"),
	HARMLESS("move_to_root_cgroup", "the daemon stays where its starter puts it"),
	HARMLESS("allow_knet_handle_fallback", NO_KNET),
	{0}};

static const struct config_key rdma_keys[] = {
	TEXT("device", CONFIG(device), 63, NULL),
	WORD("softroce", CONFIG(softroce), yes_no, 0),
	WORD("huge_pages", CONFIG(huge_pages), yes_no, 1),
	WORD("digest", CONFIG(digest), digests, CONFIG_DIGEST_AUTO),
	WORD("dissemination", CONFIG(dissemination), disseminations, CONFIG_DISSEMINATION_AUTO),
	SIZE(KEY_SIZE32, "slot_size", CONFIG(slot_size_bytes), 4096, 1 << 20, 32768),
	NUMBER0("slots", CONFIG(slots), 256, 65536, 0),
	SIZE(KEY_SIZE64, "extents", CONFIG(extents_bytes), MESSAGE_SIZE_MAX, UINT64_C(1) << 40,
	     UINT64_C(3) * MESSAGE_SIZE_MAX),
	SIZE(KEY_SIZE32, "eager_size", CONFIG(eager_size_bytes), 0, 1 << 20, UINT32_MAX),
	SIZE(KEY_SIZE32, "copy_size", CONFIG(copy_size_bytes), 0, 1 << 20, 2048),
	NUMBER("connect_timeout", CONFIG(connect_timeout_ms), 10, 60000, 300),
	NUMBER("ack_timeout", CONFIG(ack_timeout_ms), 10, 60000, 1000),
	{0}};

static const struct config_key clients_keys[] = {
	NUMBER("max", CONFIG(clients_max), 1, PG_CLIENTS_MAX, PG_CLIENTS_MAX),
	NUMBER0("user_max", CONFIG(clients_user_max), 1, PG_CLIENTS_MAX, 0),
	/* A client that dispatches may lag by a burst: several of the largest messages at once. */
	SIZE(KEY_SIZE64, "queue_max", CONFIG(client_queue_max_bytes), 1 << 20, UINT64_C(1) << 40,
	     UINT64_C(8) * MESSAGE_SIZE_MAX),
	SIZE(KEY_SIZE64, "send_memory_max", CONFIG(client_send_memory_max_bytes),
	     CLIENTS_SEND_MIN_BYTES, UINT64_C(1) << 40, CLIENTS_SEND_MAX_BYTES),
	SIZE(KEY_SIZE64, "user_memory_max", CONFIG(client_user_memory_max_bytes),
	     UINT64_C(2) * MESSAGE_SIZE_MAX, UINT64_C(1) << 44, 0),
	SIZE(KEY_SIZE32, "inline_max", CONFIG(client_inline_max_bytes), 0, 8192,
	     CLIENTS_INLINE_MAX_BYTES),
	{0}};

const struct config_section config_sections[] = {
	{"totem", OBJECT_CONFIG, totem_keys, NULL},
	{"totem.interface", OBJECT_INTERFACE, interface_keys, NULL},
	{"totem.interface.member", OBJECT_NOTHING, NULL, "the nodelist says which nodes there are"},
	{"nodelist", OBJECT_CONFIG, nodelist_keys, NULL},
	{"nodelist.node", OBJECT_NODE, node_keys, NULL},
	{"logging", OBJECT_CONFIG, logging_keys, NULL},
	{"logging.logger_subsys", OBJECT_SUBSYS, subsys_keys, NULL},
	{"logging.logging_daemon", OBJECT_LOG_DAEMON, log_daemon_keys, NULL},
	{"uidgid", OBJECT_UIDGID, uidgid_keys, NULL},
	{"system", OBJECT_CONFIG, system_keys, NULL},
	{"rdma", OBJECT_CONFIG, rdma_keys, NULL},
	{"clients", OBJECT_CONFIG, clients_keys, NULL},
	{"quorum", OBJECT_NOTHING, NULL,
	 "there is no quorum: each part of a cluster that is cut in two goes on"},
	{"resources", OBJECT_NOTHING, NULL, "there is no watchdog and no monitoring of resources"},
	{"nozzle", OBJECT_NOTHING, NULL, "there is no network device for the ring's members"},
	{"pload", OBJECT_NOTHING, NULL, "the load generator is corosync's"},
	{"service", OBJECT_NOTHING, NULL, LEGACY},
	{"aisexec", OBJECT_NOTHING, NULL, LEGACY},
	{"amf", OBJECT_NOTHING, NULL, LEGACY},
	{0}};

const struct config_section *config_section_find(const char *path)
{
	for (const struct config_section *section = config_sections; section->path; section++) {
		if (strcmp(section->path, path) == 0) {
			return section;
		}
	}
	return NULL;
}

const struct config_key *config_key_find(const struct config_section *section, const char *name)
{
	for (const struct config_key *key = section->keys; key->name; key++) {
		if (strcmp(key->name, name) == 0) {
			return key;
		}
	}
	return NULL;
}

static void fallback(const struct config_key *key, char *at)
{
	switch (key->type) {
	case KEY_U32:
	case KEY_SIZE32:
		*(uint32_t *)(void *)at = (uint32_t)key->fallback;
		return;
	case KEY_U64:
	case KEY_SIZE64:
		*(uint64_t *)(void *)at = key->fallback;
		return;
	case KEY_WORD:
		*(int32_t *)(void *)at = (int32_t)key->fallback;
		return;
	case KEY_TEXT:
		snprintf(at, CONFIG_TEXT_MAX, "%s", key->text ? key->text : "");
		return;
	case KEY_UID:
	case KEY_GID:
	case KEY_HARMLESS:
		return;
	}
}

void config_fallbacks(const struct config_section *section, void *object)
{
	for (const struct config_key *key = section->keys; key && key->name; key++) {
		fallback(key, (char *)object + key->offset);
	}
}
