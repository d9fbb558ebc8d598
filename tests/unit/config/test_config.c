/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys and their meaning: ranges, defaults, what is computed, and every refusal with the words that a person gets to read. */
#include <syslog.h>

#include "crypto/suite.h"
#include "config_fixture.h"
#include "ipc/ipc.h"
#include "pg/pg.h"
#include "wire/frame.h"

static void config_parse__fills_defaults(void **state)
{
	struct parsed parsed = parse_good(WHOLE(""));
	const struct config *config = parsed.config;

	(void)state;
	assert_int_equal(parsed.messages.count, 0);
	assert_string_equal(config->cluster_name, "coronet");
	assert_int_equal(config->transport, CONFIG_TRANSPORT_AUTO);
	assert_int_equal(config->port, 5405);
	assert_int_equal(config->totem.window_size, 50);
	assert_int_equal(config->totem.max_messages, 25);
	assert_int_equal(config->totem.accelerated_window, 25);
	assert_int_equal(config->totem.fail_recv_const, 2500);
	assert_int_equal(config->totem.seqno_unchanged_const, 30);
	assert_int_equal(config->totem.miss_count_const, 5);
	assert_int_equal(config->sched_rr, 0);
	assert_int_equal(config->syscall_filter, 1);
	assert_int_equal(config->poll, CONFIG_POLL_ADAPTIVE);
	assert_int_equal(config->logging.all.to_stderr, 1);
	assert_int_equal(config->logging.all.to_logfile, 0);
	assert_int_equal(config->logging.all.syslog_priority, LOG_INFO);
	assert_int_equal(config->logging.parts[LOG_PART_CPG].debug, -1);
	assert_int_equal(config->logging.timestamp, CONFIG_TIMESTAMP_HIRES);
	assert_true(config->eager_size_bytes < config->slot_size_bytes);
	assert_true(config->copy_size_bytes <= config->eager_size_bytes);
	assert_true(config->extents_bytes >= MESSAGE_SIZE_MAX);
	assert_int_equal(config->dissemination, CONFIG_DISSEMINATION_AUTO);
	parsed_free(&parsed);
}

static void config_parse__a_small_window_lowers_what_follows_it(void **state)
{
	struct parsed parsed = parse_good(WHOLE("window_size: 10\n"));

	(void)state;
	assert_int_equal(parsed.messages.count, 0);
	assert_int_equal(parsed.config->totem.max_messages, 10);
	assert_int_equal(parsed.config->totem.accelerated_window, 10);
	parsed_free(&parsed);
}

static void config_parse__a_user_has_three_quarters(void **state)
{
	struct parsed parsed = parse_good(WHOLE("") "clients {\nmax: 101\n}\n");

	(void)state;
	assert_int_equal(parsed.config->clients_user_max, 76);
	parsed_free(&parsed);
	assert_refused(WHOLE("") "clients {\nmax: 101\nuser_max: 102\n}\n", EXIT_CONFIG,
		       "f:16: user_max (102) is above max (101), of which it is a part");
}

static void config_parse__memory_of_a_user(void **state)
{
	struct parsed parsed = parse_good(WHOLE(""));

	(void)state;
	assert_int_equal(parsed.config->client_user_memory_max_bytes, 0);
	parsed_free(&parsed);
	parsed = parse_good(WHOLE("") "clients {\nuser_memory_max: 3g\n}\n");
	assert_int_equal(parsed.config->client_user_memory_max_bytes, UINT64_C(3) << 30);
	parsed_free(&parsed);
	assert_refused(
		WHOLE("") "clients {\nuser_memory_max: 100m\n}\n", EXIT_CONFIG,
		"f:15: user_memory_max: 100m is out of range: 134217728 to 17592186044416 is allowed");
}

/* The largest message has to fit beside the region that small ones share. */
static void config_parse__memory_for_sending(void **state)
{
	struct parsed parsed = parse_good(WHOLE("") "clients {\nsend_memory_max: 68m\n}\n");

	(void)state;
	assert_int_equal(parsed.config->client_send_memory_max_bytes,
			 MESSAGE_SIZE_MAX + IPC_COMMON_REGION_BYTES);
	parsed_free(&parsed);
	assert_refused(
		WHOLE("") "clients {\nsend_memory_max: 64m\n}\n", EXIT_CONFIG,
		"f:15: send_memory_max: 64m is out of range: 71303168 to 1099511627776 is allowed");
}

/* The numbers that corosync's own man page and runtime show. */
static void config_parse__computes_times(void **state)
{
	struct parsed parsed = parse_good(WHOLE(""));

	(void)state;
	assert_int_equal(parsed.config->totem.token_ms, 3000);
	assert_int_equal(parsed.config->totem.token_retransmit_ms, 714);
	assert_int_equal(parsed.config->totem.hold_ms, 561);
	assert_int_equal(parsed.config->totem.consensus_ms, 3600);
	assert_int_equal(parsed.config->totem.join_ms, 50);
	assert_int_equal(parsed.config->totem.merge_ms, 200);
	parsed_free(&parsed);

	parsed = parse_good(WHOLE("token: 1650\n"));
	assert_int_equal(parsed.config->totem.token_retransmit_ms, 392);
	assert_int_equal(parsed.config->totem.hold_ms, 303);
	parsed_free(&parsed);
}

static void config_parse__adds_coefficient_beyond_two_nodes(void **state)
{
	static const char text[] = HEAD "token: 1000\ntoken_coefficient: 100\n}\nnodelist {\n"
					"node {\nnodeid: 1\n}\nnode {\nnodeid: 2\n}\n"
					"node {\nnodeid: 3\n}\nnode {\nnodeid: 4\n}\n}\n";
	struct parsed parsed = parse_good(text);

	(void)state;
	assert_int_equal(parsed.config->totem.token_ms, 1200);
	assert_int_equal(parsed.config->totem.consensus_ms, 1440);
	parsed_free(&parsed);
}

static void config_parse__knows_three_ways_to_poll(void **state)
{
	static const enum config_poll polls[] = {CONFIG_POLL_EVENT, CONFIG_POLL_ADAPTIVE,
						 CONFIG_POLL_BUSY};

	(void)state;
	for (size_t i = 0; i < sizeof(polls) / sizeof(polls[0]); i++) {
		char text[512];
		struct parsed parsed;

		snprintf(text, sizeof(text), "%ssystem {\npoll: %s\n}\n", WHOLE(""),
			 config_poll_name(polls[i]));
		parsed = parse_good(text);
		assert_int_equal(parsed.messages.count, 0);
		assert_int_equal(parsed.config->poll, polls[i]);
		parsed_free(&parsed);
	}
	assert_refused(WHOLE("") "system {\npoll: often\n}\n", EXIT_CONFIG,
		       "f:15: poll: \"often\" is none of event, adaptive, busy");
}

static void config_parse__zero_means_default(void **state)
{
	struct parsed parsed =
		parse_good(WHOLE("token: 0\njoin: 0\nwindow_size: 0\ntoken_retransmit: 0\n"));

	(void)state;
	assert_int_equal(parsed.config->totem.token_ms, 3000);
	assert_int_equal(parsed.config->totem.join_ms, 50);
	assert_int_equal(parsed.config->totem.window_size, 50);
	assert_int_equal(parsed.config->totem.token_retransmit_ms, 714);
	parsed_free(&parsed);
}

static void config_parse__merges_sections_last_key_wins(void **state)
{
	struct parsed parsed = parse_good("totem {\nversion: 2\ntoken: 1000\n}\n" NODES
					  "totem {\ntoken: 2000\ncluster_name: x\n}\n");

	(void)state;
	assert_int_equal(parsed.config->times.token_ms, 2000);
	assert_string_equal(parsed.config->cluster_name, "x");
	parsed_free(&parsed);
}

static void config_parse__second_nodelist_adds(void **state)
{
	struct parsed parsed = parse_good(WHOLE("") "nodelist {\nnode {\nnodeid: 7\n}\n}\n");

	(void)state;
	assert_int_equal(parsed.config->node_count, 3);
	assert_int_equal(parsed.config->nodes[2].id, 7);
	assert_int_equal(told(&parsed, "a second nodelist: its nodes are added"), 1);
	parsed_free(&parsed);
}

static void config_parse__numbers(void **state)
{
	struct parsed parsed = parse_good(WHOLE("config_version: 18446744073709551615\n"
						"token: +5000\n") "rdma {\nslot_size: 64k\n"
								  "extents: 1G\n}\n");

	(void)state;
	assert_true(parsed.config->config_version == UINT64_MAX);
	assert_int_equal(parsed.config->times.token_ms, 5000);
	assert_int_equal(parsed.config->slot_size_bytes, 65536);
	assert_true(parsed.config->extents_bytes == UINT64_C(1) << 30);
	parsed_free(&parsed);
}

/* As many as the window needs, and not few. */
static void config_parse__slots_that_are_not_given(void **state)
{
	static const struct {
		const char *text;
		uint32_t slots;
	} cases[] = {{WHOLE(""), 512},
		     {WHOLE("window_size: 80\n"), 512},
		     {WHOLE("window_size: 81\n"), 519},
		     {WHOLE("window_size: 1024\n"), 6554},
		     {WHOLE("") "rdma {\nslots: 0\n}\n", 512}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct parsed parsed = parse_good(cases[i].text);

		assert_int_equal(parsed.config->slots, cases[i].slots);
		parsed_free(&parsed);
	}
}

static void config_parse__refuses_bad_numbers(void **state)
{
	(void)state;
	assert_refused(WHOLE("token: fast\n"), EXIT_CONFIG, "f:3: token: \"fast\" is not a number");
	assert_refused(WHOLE("token: \n"), EXIT_CONFIG, "f:3: token: \"\" is not a number");
	assert_refused(WHOLE("token: 1000ms\n"), EXIT_CONFIG,
		       "f:3: token: \"1000ms\" is not a number");
	assert_refused(
		WHOLE("token: 1000 # quick\n"), EXIT_CONFIG,
		"f:3: token: \"1000 # quick\" is not a number; a comment needs a line of its "
		"own");
	assert_refused(WHOLE("token: 29\n"), EXIT_CONFIG,
		       "f:3: token: 29 is out of range: 30 to 3600000 is allowed");
	assert_refused(WHOLE("token: -1\n"), EXIT_CONFIG,
		       "f:3: token: -1 is out of range: 30 to 3600000 is allowed");
	assert_refused(WHOLE("config_version: 18446744073709551616\n"), EXIT_CONFIG,
		       "f:3: config_version: 18446744073709551616 is out of range: 0 to "
		       "18446744073709551615 is allowed");
	assert_refused(
		WHOLE("token: 18446744073709551646\n"), EXIT_CONFIG,
		"f:3: token: 18446744073709551646 is out of range: 30 to 3600000 is allowed");
	assert_refused(
		WHOLE("") "rdma {\nextents: 16777216t\n}\n", EXIT_CONFIG,
		"f:15: extents: \"16777216t\" is not a number (k, m or g may follow a number)");
	assert_refused(WHOLE("") "rdma {\nextents: 99999999999g\n}\n", EXIT_CONFIG,
		       "f:15: extents: 99999999999g is out of range: 67108864 to 1099511627776 is "
		       "allowed");
	assert_refused(WHOLE("version: 3\n"), EXIT_CONFIG,
		       "f:3: version: 3 is out of range: 2 to 2 is allowed");
}

static void config_parse__transport(void **state)
{
	struct parsed parsed = parse_good(WHOLE("transport: shm\n"));

	(void)state;
	assert_int_equal(parsed.config->transport, CONFIG_TRANSPORT_SHM);
	parsed_free(&parsed);
	assert_refused(
		WHOLE("transport: knet\n"), EXIT_CONFIG,
		"f:3: transport: knet is a transport of corosync's; write rdma (an RDMA "
		"adapter, or soft-RoCE, owns the ring address), shm (all nodes are daemons on "
		"this host), or auto");
	assert_refused(WHOLE("transport: rmda\n"), EXIT_CONFIG,
		       "f:3: transport: \"rmda\" is none of auto, rdma, shm");
	assert_refused(WHOLE("transport: rdma\n"), EXIT_CONFIG,
		       "f:6: node 1 has no ring0_addr, the address of its RDMA adapter; only "
		       "transport: shm can do without");
}

static void assert_crypto(const char *text, enum crypto_cipher cipher, enum crypto_hash hash)
{
	struct parsed parsed = parse_good(text);

	assert_int_equal(parsed.config->crypto_cipher, cipher);
	assert_int_equal(parsed.config->crypto_hash, hash);
	parsed_free(&parsed);
}

static void config_parse__protection(void **state)
{
	(void)state;
	assert_crypto(WHOLE(""), CRYPTO_CIPHER_NONE, CRYPTO_HASH_NONE);
	assert_crypto(WHOLE("crypto_cipher: none\ncrypto_hash: none\nsecauth: off\n"),
		      CRYPTO_CIPHER_NONE, CRYPTO_HASH_NONE);
	assert_crypto(WHOLE("secauth: on\n"), CRYPTO_AES256, CRYPTO_SHA256);
	assert_crypto(WHOLE("secauth: on\ncrypto_cipher: none\n"), CRYPTO_CIPHER_NONE,
		      CRYPTO_SHA256);
	assert_crypto(WHOLE("secauth: on\ncrypto_hash: sha384\n"), CRYPTO_AES256, CRYPTO_SHA384);
	assert_crypto(WHOLE("crypto_cipher: aes192\ncrypto_hash: sha512\n"), CRYPTO_AES192,
		      CRYPTO_SHA512);
	assert_crypto(WHOLE("crypto_hash: sha256\n"), CRYPTO_CIPHER_NONE, CRYPTO_SHA256);
}

static void config_parse__refuses_weak_protection(void **state)
{
	(void)state;
	assert_refused(WHOLE("crypto_cipher: aes256\ncrypto_hash: sha1\n"), EXIT_CONFIG,
		       "f:4: crypto_hash: md5 and sha1 are broken and not used here; write "
		       "sha256, sha384 or sha512 on all nodes");
	assert_refused(
		WHOLE("crypto_cipher: aes128\n"), EXIT_CONFIG,
		"f:3: crypto_cipher: aes128 needs a crypto_hash too: sha256, sha384 or sha512");
	assert_refused(
		WHOLE("secauth: on\ncrypto_hash: none\n"), EXIT_CONFIG,
		"f: crypto_cipher: aes256 needs a crypto_hash too: sha256, sha384 or sha512");
	assert_refused(WHOLE("crypto_cipher: 3des\n"), EXIT_CONFIG,
		       "f:3: crypto_cipher: \"3des\" is none of none, aes128, aes192, aes256");
	assert_refused(WHOLE("secauth: on\nkeyfile: key\n"), EXIT_CONFIG,
		       "f:4: keyfile: key is not an absolute path");
}

static void config_parse__names_unknown_keys(void **state)
{
	(void)state;
	assert_told(WHOLE("tokn: 1000\n"),
		    "f:3: unknown key totem.tokn, passed over (do you mean token?)");
	assert_told(WHOLE("zzzzzzzzz: 1\n"), "f:3: unknown key totem.zzzzzzzzz, passed over");
	assert_told(WHOLE("logfile: /x\n"),
		    "f:3: unknown key totem.logfile, passed over (it belongs into the section "
		    "logging)");
	assert_told("version: 2\n" WHOLE(""),
		    "f:1: unknown key version, passed over (it belongs into the section totem)");
	assert_told("totem: 2\n" WHOLE(""),
		    "f:1: unknown key totem, passed over (a section is opened by \"totem {\")");
	assert_told(WHOLE("") "loging {\nx {\ndebug: on\n}\n}\n",
		    "f:14: unknown section loging, passed over with all that is in it (do you mean "
		    "logging?)");
	assert_told(
		WHOLE("") "nodelist {\nnod {\n}\n}\n",
		"f:15: unknown section nodelist.nod, passed over with all that is in it (do you "
		"mean nodelist.node?)");
}

static void config_parse__explains_keys_without_meaning(void **state)
{
	(void)state;
	assert_told(WHOLE("netmtu: 9000\n"),
		    "f:3: netmtu has no effect here: frames are as large as rdma.slot_size says");
	assert_told(
		WHOLE("keyfile: /etc/key\n"),
		"f:3: keyfile has no effect here: neither crypto_cipher, crypto_hash nor secauth "
		"asks for protection, so no key is read");
	assert_told(WHOLE("") "quorum {\nprovider: corosync_votequorum\ndevice {\nx: y\n}\n}\n",
		    "f:14: section quorum has no effect here: there is no quorum: each part of a "
		    "cluster that is cut in two goes on");
	assert_told(HEAD "interface {\nlinknumber: 1\nmcastport: 5500\n}\n}\n" NODES,
		    "f:3: the interface section of link 1 has no effect here: there is one link, "
		    "number 0");
}

static void config_parse__interface_sets_the_port(void **state)
{
	struct parsed parsed = parse_good(HEAD "interface {\nlinknumber: 0\nmcastport: 5500\n}\n"
					       "interface {\nlinknumber: 3\n}\n}\n" NODES);

	(void)state;
	assert_int_equal(parsed.config->port, 5500);
	parsed_free(&parsed);
}

static void config_parse__refuses_bad_nodes(void **state)
{
	(void)state;
	assert_refused(
		HEAD "}\n", EXIT_CONFIG,
		"f: no node: a nodelist section with a node section for each node is needed");
	assert_refused(
		HEAD "}\nnodelist {\nnode {\nname: a\n}\n}\n", EXIT_CONFIG,
		"f:5: a node without nodeid: add \"nodeid: N\", a number of its own from 1 on "
		"for each node");
	assert_refused(HEAD "}\nnodelist {\nnode {\nnodeid: 0\n}\n}\n", EXIT_CONFIG,
		       "f:6: nodeid: 0 is out of range: 1 to 4294967295 is allowed");
	assert_refused(HEAD "}\nnodelist {\nnode {\nnodeid: 4\n}\nnode {\nnodeid: 4\n}\n}\n",
		       EXIT_CONFIG, "f:8: nodeid 4 is also that of the node of line 5");
	assert_refused(HEAD "}\nnodelist {\nnode {\nnodeid: 4\nname: x\n}\n"
			    "node {\nnodeid: 5\nname: x\n}\n}\n",
		       EXIT_CONFIG, "f:9: the name x is also that of the node of line 5");
	assert_refused("totem {\n}\n" NODES, EXIT_CONFIG, "f: no \"version: 2\" in section totem");
}

static void config_parse__limits_the_number_of_nodes(void **state)
{
	char text[16384];
	size_t used = (size_t)snprintf(text, sizeof(text), HEAD "}\nnodelist {\n");
	struct parsed parsed;

	(void)state;
	for (uint32_t i = 1; i <= NODES_MAX; i++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "node {\nnodeid: %u\n}\n", i);
	}
	snprintf(text + used, sizeof(text) - used, "}\n");
	parsed = parse_good(text);
	assert_int_equal(parsed.config->node_count, NODES_MAX);
	parsed_free(&parsed);
	snprintf(text + used, sizeof(text) - used, "node {\nnodeid: 1000\n}\n}\n");
	assert_refused(text, EXIT_CONFIG, "f:197: more than 64 nodes");
}

static void config_parse__checks_what_keys_mean_together(void **state)
{
	(void)state;
	assert_refused(WHOLE("token: 100\n"), EXIT_CONFIG,
		       "f:3: token_retransmit would be 23 ms, from token 100 and the keys that go "
		       "with it; 30 to 3600000 is allowed. Change token, or set token_retransmit");
	assert_refused(WHOLE("join: 5000\n"), EXIT_CONFIG,
		       "f:3: consensus (3600 ms) is below join (5000 ms): nodes would be given up "
		       "before they were asked twice. Lower join or raise consensus");
	assert_refused(WHOLE("max_messages: 51\n"), EXIT_CONFIG,
		       "f:3: max_messages (51) is above window_size (50): one visit of the token "
		       "cannot send more than a whole rotation");
	assert_refused(WHOLE("accelerated_window: 26\n"), EXIT_CONFIG,
		       "f:3: accelerated_window (26) is above max_messages (25), of which it is a "
		       "part");
	assert_refused(WHOLE("token: 3600000\n") "nodelist {\nnode {\nnodeid: 3\n}\n}\n",
		       EXIT_CONFIG,
		       "f: token and token_coefficient make 3600650 ms for 3 nodes; an hour is "
		       "allowed");
	assert_refused(
		WHOLE("") "rdma {\nslots: 319\n}\n", EXIT_CONFIG,
		"f:15: slots (319) are too few for window_size 50: 320 are needed. Raise slots or "
		"lower window_size");
	assert_refused(
		WHOLE("window_size: 1024\n") "rdma {\nslots: 1024\n}\n", EXIT_CONFIG,
		"f:16: slots (1024) are too few for window_size 1024: 6554 are needed. Raise slots "
		"or lower window_size");
	assert_refused(WHOLE("") "rdma {\nslot_size: 5000\n}\n", EXIT_CONFIG,
		       "f:15: slot_size is not a multiple of 4096, the size of a page");
	assert_refused(WHOLE("") "rdma {\neager_size: 1k\ncopy_size: 2k\n}\n", EXIT_CONFIG,
		       "f:16: copy_size (2048) is above eager_size (1024): larger messages are not "
		       "sent in frames");
	assert_refused(WHOLE("") "system {\npriority: high\n}\n", EXIT_CONFIG,
		       "f:15: priority: \"high\" is neither max, min nor a number from -20 to 19");
	assert_refused(WHOLE("") "system {\nstate_dir: here\n}\n", EXIT_CONFIG,
		       "f:15: state_dir: here is not an absolute path");
	assert_refused(WHOLE("cluster_name:\n"), EXIT_CONFIG,
		       "f:3: cluster_name is empty: daemons know each other by it");
}

/* As much as fits a slot with the longest group name, and not a word less. */
static void assert_fills_slot(const struct config *config)
{
	size_t whole = FRAME_HEADER_SIZE + frame_entry_size(PG_META_MAX, config->eager_size_bytes);

	assert_in_range(whole, config->slot_size_bytes - 7, config->slot_size_bytes);
}

static void config_parse__eager_size_is_what_fits_a_slot(void **state)
{
	struct parsed parsed = parse_good(WHOLE("") "rdma {\nslot_size: 4096\ncopy_size: 1k\n}\n");

	(void)state;
	assert_fills_slot(parsed.config);
	assert_int_equal(parsed.config->copy_size_bytes, 1024);
	parsed_free(&parsed);
	parsed = parse_good(WHOLE(""));
	assert_fills_slot(parsed.config);
	parsed_free(&parsed);
	parsed = parse(WHOLE("") "rdma {\neager_size: 32768\n}\n");
	assert_int_equal(parsed.code, EXIT_CONFIG);
	assert_int_equal(told(&parsed,
			      "f:15: eager_size (32768) does not fit a slot: with slot_size "
			      "32768, "),
			 1);
	parsed_free(&parsed);
}

static void config_parse__dissemination(void **state)
{
	static const char *const texts[] = {
		[CONFIG_DISSEMINATION_DIRECT] = WHOLE("") "rdma {\ndissemination: direct\n}\n",
		[CONFIG_DISSEMINATION_CHAIN] = WHOLE("") "rdma {\ndissemination: chain\n}\n",
		[CONFIG_DISSEMINATION_AUTO] = WHOLE("") "rdma {\ndissemination: auto\n}\n"};

	(void)state;
	for (int i = CONFIG_DISSEMINATION_DIRECT; i <= CONFIG_DISSEMINATION_AUTO; i++) {
		struct parsed parsed = parse_good(texts[i]);

		assert_int_equal(parsed.config->dissemination, i);
		assert_non_null(
			strstr(texts[i], config_dissemination_name((enum config_dissemination)i)));
		parsed_free(&parsed);
	}
	assert_refused(WHOLE("") "rdma {\ndissemination: tree\n}\n", EXIT_CONFIG,
		       "f:15: dissemination: \"tree\" is none of auto, direct, chain");
}

static void config_parse__logging(void **state)
{
	struct parsed parsed = parse_good(
		WHOLE("") "logging {\nto_stderr: off\nlogfile: /l\nto_logfile: yes\n"
			  "syslog_facility: local3\ndebug: on\ntimestamp: off\n"
			  "logger_subsys {\nsubsys: totem\ndebug: trace\n}\n"
			  "logger_subsys {\nsubsys: CPG\nto_syslog: no\n}\n"
			  "logging_daemon {\nname: corosync\nlogfile_priority: WARNING\n}\n}\n");
	const struct config_logging *logging = &parsed.config->logging;

	(void)state;
	assert_int_equal(logging->all.to_stderr, 0);
	assert_int_equal(logging->all.to_logfile, 1);
	assert_string_equal(logging->all.logfile, "/l");
	assert_int_equal(logging->all.syslog_facility, LOG_LOCAL3);
	assert_int_equal(logging->all.debug, CONFIG_DEBUG_ON);
	assert_int_equal(logging->all.logfile_priority, LOG_WARNING);
	assert_int_equal(logging->parts[LOG_PART_TOTEM].debug, CONFIG_DEBUG_TRACE);
	assert_int_equal(logging->parts[LOG_PART_TOTEM].to_syslog, -1);
	assert_int_equal(logging->parts[LOG_PART_CPG].to_syslog, 0);
	assert_int_equal(logging->parts[LOG_PART_CPG].debug, -1);
	parsed_free(&parsed);
}

static void config_parse__logging_faults_have_their_own_code(void **state)
{
	(void)state;
	assert_refused(WHOLE("") "logging {\ndebug: maybe\n}\n", EXIT_LOGGING,
		       "f:15: debug: \"maybe\" is none of off, on, trace");
	assert_refused(
		WHOLE("") "logging {\nlogger_subsys {\ndebug: on\n}\n}\n", EXIT_LOGGING,
		"f:15: a logger_subsys section without the key subsys, which says what part of "
		"the log is meant");
	assert_refused(WHOLE("") "logging {\nlogfile: l\nto_logfile: yes\n}\n", EXIT_LOGGING,
		       "f:15: logfile: l is not an absolute path");
	assert_refused(
		WHOLE("") "logging {\nlogger_subsys {\nsubsys: MAIN\nto_logfile: yes\n}\n}\n",
		EXIT_LOGGING, "f: to_logfile is on, but logfile does not say which file");
	assert_refused(WHOLE("") "logging {\nto_logfile: yes\n}\n", EXIT_LOGGING,
		       "f:15: to_logfile is on, but logfile does not say which file");
	assert_refused(WHOLE("") "logging {\nlogging_daemon {\n}\n}\n", EXIT_LOGGING,
		       "f:15: a logging_daemon section without the key name");
	assert_told(WHOLE("") "logging {\nlogger_subsys {\nsubsys: VOTEQ\n}\n}\n",
		    "f:15: there is no part VOTEQ of the log, its settings are passed over");
	assert_told(WHOLE("") "logging {\nlogging_daemon {\nname: other\n}\n}\n",
		    "f:15: the logging_daemon section of other has no effect here");
	assert_told(WHOLE("") "logging {\nlogfile: /var/log/x # here\n}\n",
		    "f:15: logfile: the # and what follows are part of the value");
}

static void config_parse__uidgid(void **state)
{
	struct parsed parsed = parse_good(
		WHOLE("") "uidgid {\nuid: 500\nuid: root\ngid: root\n}\nuidgid {\ngid: 7\n}\n");
	const struct config_uidgid *list = &parsed.config->uidgid;

	(void)state;
	assert_int_equal(list->uid_count, 2);
	assert_int_equal(list->uids[0], 500);
	assert_int_equal(list->uids[1], 0);
	assert_int_equal(list->gid_count, 2);
	assert_int_equal(list->gids[1], 7);
	parsed_free(&parsed);
	assert_refused(WHOLE("") "uidgid {\nuid: no-such-user\n}\n", EXIT_CONFIG,
		       "f:15: uid: there is no user \"no-such-user\" on this host");
	assert_refused(WHOLE("") "uidgid {\ngid: -1\n}\n", EXIT_CONFIG,
		       "f:15: gid: -1 is out of range: 0 to 4294967294 is allowed");
	assert_refused(WHOLE("") "uidgid {\nuser: root\n}\n", EXIT_CONFIG,
		       "f:15: unknown key uidgid.user: uid and gid are known");
}

static void config_parse__refuses_open_and_superfluous_braces(void **state)
{
	(void)state;
	assert_refused("totem {\nversion: 2\n", EXIT_CONFIG,
		       "f:2: the file ends inside section totem, which begins in line 1: a closing "
		       "brace is missing");
	assert_refused(WHOLE("") "}\n", EXIT_CONFIG,
		       "f:14: a closing brace too many: no section is open");
	assert_refused(
		"x {\ny {\n}\n", EXIT_CONFIG,
		"f:3: the file ends inside section x, which begins in line 1: a closing brace "
		"is missing");
	assert_refused("totem {\nnonsense\n", EXIT_CONFIG,
		       "f:2: neither \"key: value\" nor \"section {\" nor \"}\"");
}

static void config_parse__limits_paths(void **state)
{
	char text[8192] = "";
	size_t used = 0;

	(void)state;
	for (int i = 0; i < 128; i++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used, "a {\n");
	}
	assert_refused(
		text, EXIT_CONFIG,
		"f:128: sections are nested too deep: the names of all open ones together have "
		"more than 254 characters");
	snprintf(text, sizeof(text), "%0200d {\n%060d: x\n", 1, 1);
	assert_refused(text, EXIT_CONFIG,
		       "f:2: the key's name, with those of its sections, has more than 254 "
		       "characters");
}

static void config_parse__limits_texts(void **state)
{
	char text[1024];

	(void)state;
	snprintf(text, sizeof(text), WHOLE("cluster_name: %0256d\n"), 0);
	assert_refused(text, EXIT_CONFIG,
		       "f:3: cluster_name: the value has 256 characters, 255 are allowed");
}

static void messages_add__counts_what_is_too_much(void **state)
{
	char text[32768] = "";
	size_t used = 0;
	struct parsed parsed;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used, "key%d: x\n", i);
	}
	snprintf(text + used, sizeof(text) - used, "%s", WHOLE(""));
	parsed = parse_good(text);
	assert_int_equal(parsed.messages.count, 256);
	assert_int_equal(parsed.messages.dropped, 744);
	parsed_free(&parsed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_parse__fills_defaults),
		cmocka_unit_test(config_parse__a_small_window_lowers_what_follows_it),
		cmocka_unit_test(config_parse__a_user_has_three_quarters),
		cmocka_unit_test(config_parse__memory_of_a_user),
		cmocka_unit_test(config_parse__memory_for_sending),
		cmocka_unit_test(config_parse__computes_times),
		cmocka_unit_test(config_parse__adds_coefficient_beyond_two_nodes),
		cmocka_unit_test(config_parse__knows_three_ways_to_poll),
		cmocka_unit_test(config_parse__zero_means_default),
		cmocka_unit_test(config_parse__merges_sections_last_key_wins),
		cmocka_unit_test(config_parse__second_nodelist_adds),
		cmocka_unit_test(config_parse__numbers),
		cmocka_unit_test(config_parse__slots_that_are_not_given),
		cmocka_unit_test(config_parse__refuses_bad_numbers),
		cmocka_unit_test(config_parse__transport),
		cmocka_unit_test(config_parse__protection),
		cmocka_unit_test(config_parse__refuses_weak_protection),
		cmocka_unit_test(config_parse__names_unknown_keys),
		cmocka_unit_test(config_parse__explains_keys_without_meaning),
		cmocka_unit_test(config_parse__interface_sets_the_port),
		cmocka_unit_test(config_parse__refuses_bad_nodes),
		cmocka_unit_test(config_parse__limits_the_number_of_nodes),
		cmocka_unit_test(config_parse__checks_what_keys_mean_together),
		cmocka_unit_test(config_parse__eager_size_is_what_fits_a_slot),
		cmocka_unit_test(config_parse__dissemination),
		cmocka_unit_test(config_parse__logging),
		cmocka_unit_test(config_parse__logging_faults_have_their_own_code),
		cmocka_unit_test(config_parse__uidgid),
		cmocka_unit_test(config_parse__refuses_open_and_superfluous_braces),
		cmocka_unit_test(config_parse__limits_paths),
		cmocka_unit_test(config_parse__limits_texts),
		cmocka_unit_test(messages_add__counts_what_is_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
