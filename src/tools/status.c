/* SPDX-License-Identifier: BSD-3-Clause */
/* coronet-status: how the ring does, for people; --json passes the daemon's answer on. */
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ask.h"

#define PROGRAM	    "coronet-status"
#define CHANGES_MAX 8 /* shown; --json has all that the daemon keeps */

enum {
	OPTION_JSON = 256
};

static const struct option long_options[] = {
	{"help", no_argument, NULL, 'h'}, {"json", no_argument, NULL, OPTION_JSON}, {0}};

static void help(void)
{
	fputs("usage: " PROGRAM " [OPTIONS]\n"
	      "Shows how the ring does, as the daemon of this node sees it.\n"
	      "\n"
	      "      --json  print everything as one JSON object\n"
	      "  -h, --help  show this and exit\n"
	      "\n"
	      "CORONET_RUN_DIR names the run directory of the daemon to ask.\n",
	      stdout);
}

#define BYTES_TEXT_MAX 16

static const char *bytes_text(uint64_t bytes, char text[BYTES_TEXT_MAX])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	snprintf(text, BYTES_TEXT_MAX, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return text;
}

static void print_bytes(uint64_t bytes)
{
	char text[BYTES_TEXT_MAX];

	fputs(bytes_text(bytes, text), stdout);
}

static void print_duration(uint64_t ms)
{
	uint64_t seconds = ms / 1000;

	if (seconds < 120) {
		printf("%" PRIu64 " s", seconds);
	} else if (seconds < 7200) {
		printf("%" PRIu64 " min", seconds / 60);
	} else if (seconds < 172800) {
		printf("%" PRIu64 " h", seconds / 3600);
	} else {
		printf("%" PRIu64 " days", seconds / 86400);
	}
}

static void print_ids(const struct json_value *list)
{
	const struct json_value *one = list ? list->first : NULL;

	if (!one) {
		printf(" -");
	}
	for (; one; one = one->next) {
		printf(" %" PRIu64,
		       one->kind == JSON_OBJECT ? json_number_of(one, "nodeid") : one->number);
	}
}

static void print_identity(const struct json_value *root)
{
	const char *name = json_text_of(root, "name");

	printf("node       %" PRIu64 "%s%s%s of cluster %s; coronetd %s, process %" PRIu64 ", up ",
	       json_number_of(root, "nodeid"), name[0] ? " (" : "", name, name[0] ? ")" : "",
	       json_text_of(root, "cluster"), json_text_of(root, "version"),
	       json_number_of(root, "pid"));
	print_duration(json_number_of(root, "uptime_ms"));
	putchar('\n');
}

static void print_confinement(const struct json_value *root)
{
	const struct json_value *confinement = json_get(root, "confinement");
	uint64_t refused = json_number_of(confinement, "refused");

	if (!confinement) {
		return;
	}
	printf("confined   user %" PRIu64 "; capabilities: %s; system calls: %s",
	       json_number_of(confinement, "uid"), json_text_of(confinement, "capabilities"),
	       json_text_of(confinement, "system_calls"));
	if (refused > 0) {
		printf("; %" PRIu64 " refused, the log has their names", refused);
	}
	putchar('\n');
}

static void print_pauses(const struct json_value *root)
{
	const struct json_value *pauses = json_get(root, "pauses");
	uint64_t count = json_number_of(pauses, "count");

	if (count > 0) {
		printf("pauses     %" PRIu64
		       " times the daemon did not run when it should have, for up to %" PRIu64
		       " ms\n",
		       count, json_number_of(pauses, "longest_ms"));
	}
}

static void print_polling(const struct json_value *root)
{
	const struct json_value *polling = json_get(root, "polling");

	printf("polling    %s", json_text_of(polling, "mode"));
	if (json_number_of(polling, "windows") > 0) {
		printf("; found more work %" PRIu64 " of %" PRIu64
		       " times that it looked again, gave up %" PRIu64 " times",
		       json_number_of(polling, "windows_paid"), json_number_of(polling, "windows"),
		       json_number_of(polling, "given_up"));
	}
	putchar('\n');
}

static void print_ring(const struct json_value *root)
{
	const struct json_value *transport = json_get(root, "transport");

	printf("ring       %s, %s (%s); members", json_text_of(root, "ring_id"),
	       json_text_of(root, "state"), json_text_of(root, "reason"));
	print_ids(json_get(root, "members"));
	printf("\ntransport  %s: %s\n           because: %s\n", json_text_of(transport, "name"),
	       json_text_of(transport, "device"), json_text_of(transport, "why"));
}

static void print_protection(const struct json_value *root)
{
	const struct json_value *protection = json_get(root, "protection");
	uint64_t refused = json_number_of(protection, "refused") +
			   json_number_of(protection, "forged") +
			   json_number_of(protection, "clear");

	if (!json_bool_of(protection, "on")) {
		printf("protection none\n");
		return;
	}
	printf("protection crypto_cipher %s, crypto_hash %s, key %s",
	       json_text_of(protection, "cipher"), json_text_of(protection, "hash"),
	       json_text_of(protection, "key"));
	if (*json_text_of(protection, "next_key")) {
		printf("; key %s is next, waits for", json_text_of(protection, "next_key"));
		print_ids(json_get(protection, "waiting_for"));
	}
	if (refused > 0) {
		printf("; %" PRIu64 " times somebody was not believed", refused);
	}
	putchar('\n');
}

static void print_token(const struct json_value *root)
{
	const struct json_value *token = json_get(root, "token");
	uint64_t rotation_us = json_number_of(token, "rotation_us");

	printf("token      %s, %" PRIu64 " visits",
	       json_bool_of(token, "resting") ? "rests, there is nothing to do" : "moves",
	       json_number_of(token, "rotations"));
	if (rotation_us > 0) {
		printf(", last rotation %.1f ms", (double)rotation_us / 1000);
	}
	printf(", sent again %" PRIu64 " times\n", json_number_of(token, "retransmits"));
}

static void print_messages(const struct json_value *root)
{
	const struct json_value *messages = json_get(root, "messages");
	const struct json_value *order = json_get(root, "order");

	printf("messages   %" PRIu64 " sent (", json_number_of(messages, "sent"));
	print_bytes(json_number_of(messages, "bytes_sent"));
	printf("), %" PRIu64 " delivered to programs here (",
	       json_number_of(messages, "delivered"));
	print_bytes(json_number_of(messages, "bytes_delivered"));
	printf("), %" PRIu64 " large ones pulled, %" PRIu64 " used where they were\n",
	       json_number_of(messages, "pulls"), json_number_of(messages, "borrows"));
	printf("frames     %" PRIu64 " sent, %" PRIu64 " in their place, %" PRIu64
	       " sent again, %" PRIu64 " asked for, %" PRIu64 " waiting\n",
	       json_number_of(messages, "frames_sent"),
	       json_number_of(messages, "frames_delivered"),
	       json_number_of(messages, "retransmitted"), json_number_of(messages, "requested"),
	       json_number_of(order, "backlog"));
}

static void print_failures(const struct json_value *memory)
{
	uint64_t failed = json_number_of(memory, "segments_failed");

	if (failed > 0) {
		printf("; more could not be had %" PRIu64 " times", failed);
	}
}

static void print_part(const char *what, const struct json_value *memory, const char *name)
{
	printf("%s", what);
	print_bytes(json_number_of(memory, name));
}

static void print_process(const struct json_value *memory)
{
	const struct json_value *adapter = json_get(memory, "adapter_node");
	const struct json_value *slots = json_get(memory, "slots_node");

	print_part("\n           besides: send memory of clients ", memory, "send_memory");
	print_part(", queues ", memory, "queues");
	print_part(", headers ", memory, "headers");
	if (json_number_of(memory, "sealed") > 0) {
		print_part(", sealed messages ", memory, "sealed");
	}
	print_part("\n           the process: resident ", memory, "resident");
	print_part(", locked ", memory, "locked");
	print_part(", registered with the adapter ", memory, "registered");
	print_part("; in huge pages ", memory, "huge");
	if (adapter) {
		printf("; the adapter is on NUMA node %" PRIu64, adapter->number);
	}
	if (slots) {
		printf("; slots are on NUMA node %" PRIu64, slots->number);
	}
}

static void print_large(const struct json_value *root)
{
	const struct json_value *messages = json_get(root, "messages");

	if (json_number_of(messages, "pulls") == 0) {
		return;
	}
	printf("large      ");
	print_bytes(json_number_of(messages, "pull_bytes"));
	printf(" pulled, of that ");
	print_bytes(json_number_of(messages, "chain_bytes"));
	printf(" in %" PRIu64 " messages from predecessors, %" PRIu64
	       " went on at the sender; own ones spread: %s\n",
	       json_number_of(messages, "chain_pulls"), json_number_of(messages, "chain_fallbacks"),
	       json_text_of(messages, "dissemination"));
}

static void print_memory(const struct json_value *root)
{
	const struct json_value *memory = json_get(root, "memory");
	const struct json_value *clients = json_get(root, "clients");

	printf("memory     %" PRIu64 " of %" PRIu64 " slots wait for frames, ",
	       json_number_of(memory, "slots_free"), json_number_of(memory, "slots"));
	print_bytes(json_number_of(memory, "slots") * json_number_of(memory, "slot_size"));
	printf("; large messages take ");
	print_bytes(json_number_of(memory, "extents_used"));
	printf(" of ");
	print_bytes(json_number_of(memory, "extents_ready"));
	printf(" that are ready, ");
	print_bytes(json_number_of(memory, "extents"));
	printf(" at most");
	print_failures(memory);
	print_process(memory);
	printf("\nclients    %" PRIu64 " connected, %" PRIu64
	       " disconnected by the daemon, %" PRIu64 " messages put aside for slow ones\n",
	       json_number_of(clients, "connected"), json_number_of(clients, "disconnected"),
	       json_number_of(clients, "spilled"));
}

static void print_node(const struct json_value *node)
{
	const struct json_value *link = json_get(node, "link");
	const char *address = json_text_of(node, "address");
	const char *name = json_text_of(node, "name");

	printf("  %10" PRIu64 "  %-12s %-20s %-4s ", json_number_of(node, "nodeid"),
	       name[0] ? name : "-", address[0] ? address : "-",
	       json_bool_of(node, "in_ring") ? "yes" : "no");
	if (!link) {
		printf("%s\n", json_bool_of(node, "local") ? "self" : "-");
		return;
	}
	printf("%-5s %10" PRIu64 " %10" PRIu64 " %7" PRIu64 "  ",
	       json_bool_of(link, "up") ? "up" : "down", json_number_of(link, "frames_sent"),
	       json_number_of(link, "frames_received"), json_number_of(link, "redials"));
	print_bytes(json_number_of(link, "bytes_sent"));
	printf(" / ");
	print_bytes(json_number_of(link, "bytes_received") + json_number_of(link, "read_bytes"));
	putchar('\n');
}

static void print_nodes(const struct json_value *root)
{
	const struct json_value *nodes = json_get(root, "nodes");

	printf("\n  %10s  %-12s %-20s %-4s %-5s %10s %10s %7s  %s\n", "node", "name", "address",
	       "ring", "link", "frames out", "frames in", "redials", "bytes out / in");
	for (const struct json_value *node = nodes ? nodes->first : NULL; node; node = node->next) {
		print_node(node);
	}
}

/* As coronet-cpgtool prints it: a name is any bytes. */
static void print_group(const struct json_value *group)
{
	for (size_t i = 0; group && i < group->text_size; i++) {
		unsigned char c = (unsigned char)group->text[i];

		if (c == '\\') {
			fputs("\\\\", stdout);
		} else if (c < 0x20 || c > 0x7e) {
			printf("\\x%02X", c);
		} else {
			putchar(c);
		}
	}
}

static void print_handle(const struct json_value *handle)
{
	char unread[BYTES_TEXT_MAX];
	char held[BYTES_TEXT_MAX];
	char queue[BYTES_TEXT_MAX];
	const char *slowed_by = json_text_of(handle, "slowed_by");

	printf("  %10" PRIu64 " %10" PRIu64 "  %12s %12s %12s  ", json_number_of(handle, "pid"),
	       json_number_of(handle, "uid"),
	       bytes_text(json_number_of(handle, "unread_bytes"), unread),
	       bytes_text(json_number_of(handle, "held_bytes"), held),
	       bytes_text(json_number_of(handle, "queue_bytes"), queue));
	if (json_bool_of(handle, "joined")) {
		print_group(json_get(handle, "group"));
	} else {
		putchar('-');
	}
	printf("%s%s\n", slowed_by[0] ? "; its sends wait: " : "", slowed_by);
}

static void print_handles(const struct json_value *root)
{
	const struct json_value *handles = json_get(json_get(root, "clients"), "handles");
	const struct json_value *handle = handles ? handles->first : NULL;

	if (handle) {
		printf("\n  %10s %10s  %12s %12s %12s  %s\n", "process", "user", "unread", "held",
		       "queued", "group");
	}
	for (; handle; handle = handle->next) {
		print_handle(handle);
	}
}

static void print_changes(const struct json_value *root)
{
	const struct json_value *changes = json_get(root, "changes");
	const struct json_value *change = changes ? changes->first : NULL;

	printf("\nlast changes, the newest first\n");
	for (int i = 0; change && i < CHANGES_MAX; change = change->next, i++) {
		printf("  %s  ring %s, members", json_text_of(change, "time"),
		       json_text_of(change, "ring_id"));
		print_ids(json_get(change, "members"));
		printf("; joined");
		print_ids(json_get(change, "joined"));
		printf("; left");
		print_ids(json_get(change, "left"));
		printf("\n      because: %s; the change took %" PRIu64 " ms\n",
		       json_text_of(change, "reason"), json_number_of(change, "took_ms"));
	}
}

static int show(void)
{
	struct json_tree *status = ask_status(PROGRAM);
	const struct json_value *root;

	if (!status) {
		return EXIT_FAILURE;
	}
	root = json_tree_root(status);
	print_identity(root);
	print_confinement(root);
	print_pauses(root);
	print_polling(root);
	print_ring(root);
	print_protection(root);
	print_token(root);
	print_messages(root);
	print_large(root);
	print_memory(root);
	print_nodes(root);
	print_handles(root);
	print_changes(root);
	json_tree_free(&status);
	return EXIT_SUCCESS;
}

static int show_json(void)
{
	char *text = ask_status_text(PROGRAM);

	if (!text) {
		return EXIT_FAILURE;
	}
	puts(text);
	free(text);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	bool json = false;
	int option;
	int result;

	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		switch (option) {
		case OPTION_JSON:
			json = true;
			break;
		case 'h':
			help();
			return EXIT_SUCCESS;
		default:
			return EXIT_FAILURE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, PROGRAM ": what does this argument mean: %s\n", argv[optind]);
		return EXIT_FAILURE;
	}
	result = json ? show_json() : show();
	if (fflush(stdout) || ferror(stdout)) {
		perror(PROGRAM);
		result = EXIT_FAILURE;
	}
	return result;
}
