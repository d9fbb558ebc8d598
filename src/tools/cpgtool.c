/* SPDX-License-Identifier: BSD-3-Clause */
/* coronet-cpgtool: groups and members, as corosync-cpgtool prints them. */
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <corosync/cpg.h>

#include "tools/ask.h"

#define PROGRAM "coronet-cpgtool"

enum {
	OPTION_JSON = 256
};

struct options {
	bool names_only;
	bool raw; /* names as they are */
	bool json;
	char delimiter; /* 0: the table for people */
};

static const struct option long_options[] = {
	{"help", no_argument, NULL, 'h'}, {"json", no_argument, NULL, OPTION_JSON}, {0}};

static void help(void)
{
	fputs("usage: " PROGRAM " [OPTIONS]\n"
	      "Lists the process groups of the ring and their members.\n"
	      "\n"
	      "  -d CHARACTER  put CHARACTER between fields, one line for each member\n"
	      "  -e            print names as they are, without escaping\n"
	      "  -n            print names of groups only\n"
	      "      --json    print a JSON array\n"
	      "  -h, --help    show this and exit\n"
	      "\n"
	      "CORONET_RUN_DIR names the run directory of the daemon to ask.\n",
	      stdout);
}

/* --- Names ---------------------------------------------------------------------------------------- */

static void print_name(const struct cpg_name *name, const struct options *options)
{
	for (size_t i = 0; i < name->length && i < CPG_MAX_NAME_LENGTH; i++) {
		unsigned char c = (unsigned char)name->value[i];

		if (!options->raw && c == '\\') {
			fputs("\\\\", stdout);
		} else if (!options->raw && (c < 0x20 || c > 0x7e)) {
			printf("\\x%02X", c);
		} else {
			putchar(c);
		}
	}
}

static void print_json_name(const struct cpg_name *name)
{
	putchar('"');
	for (size_t i = 0; i < name->length && i < CPG_MAX_NAME_LENGTH; i++) {
		unsigned char c = (unsigned char)name->value[i];

		if (c == '"' || c == '\\') {
			printf("\\%c", c);
		} else if (c < 0x20 || c > 0x7e) {
			printf("\\u%04x", c);
		} else {
			putchar(c);
		}
	}
	putchar('"');
}

static bool same_group(const struct cpg_name *a, const struct cpg_name *b)
{
	return a->length == b->length && memcmp(a->value, b->value, a->length) == 0;
}

/* Without an address, as over shared memory, a node's name says more than nothing. */
static const char *node_address(const struct json_tree *status, uint32_t nodeid)
{
	const struct json_value *nodes = status ? json_get(json_tree_root(status), "nodes") : NULL;

	for (const struct json_value *node = nodes ? nodes->first : NULL; node; node = node->next) {
		if (json_number_of(node, "nodeid") == nodeid) {
			const char *address = json_text_of(node, "address");

			return address[0] ? address : json_text_of(node, "name");
		}
	}
	return "";
}

/* --- Forms ---------------------------------------------------------------------------------------- */

struct printer {
	const struct options *options;
	const struct json_tree *status;
	bool any;
	struct cpg_name group; /* of the last line */
};

static void begin(struct printer *printer)
{
	const struct options *options = printer->options;
	char delimiter = options->delimiter;

	if (options->json) {
		putchar('[');
	} else if (options->names_only) {
		return;
	} else if (delimiter) {
		printf("GRP_NAME%cPID%cNODEID\n", delimiter, delimiter);
	} else {
		printf("%s\t%10s\t%10s\n", "Group Name", "PID", "Node ID");
	}
}

static void print_json_item(struct printer *printer, const struct cpg_iteration_description_t *item,
			    bool new_group)
{
	if (new_group) {
		printf("%s{\"name\":",
		       printer->any ? (printer->options->names_only ? "}," : "]},") : "");
		print_json_name(&item->group);
	}
	if (!printer->options->names_only) {
		printf("%s{\"nodeid\":%" PRIu32 ",\"pid\":%" PRIu32 "}",
		       new_group ? ",\"members\":[" : ",", item->nodeid, item->pid);
	}
}

static void print_plain_item(struct printer *printer,
			     const struct cpg_iteration_description_t *item, bool new_group)
{
	const struct options *options = printer->options;

	if (options->names_only) {
		print_name(&item->group, options);
		putchar(options->delimiter ? options->delimiter : '\n');
	} else if (options->delimiter) {
		print_name(&item->group, options);
		printf("%c%" PRIu32 "%c%" PRIu32 "\n", options->delimiter, item->pid,
		       options->delimiter, item->nodeid);
	} else {
		if (new_group) {
			print_name(&item->group, options);
			putchar('\n');
		}
		printf("\t\t%10" PRIu32 "\t%10" PRIu32 " (%s)\n", item->pid, item->nodeid,
		       node_address(printer->status, item->nodeid));
	}
}

static void print_item(struct printer *printer, const struct cpg_iteration_description_t *item)
{
	bool new_group = !printer->any || !same_group(&printer->group, &item->group);

	if (printer->options->json) {
		print_json_item(printer, item, new_group);
	} else {
		print_plain_item(printer, item, new_group);
	}
	printer->group = item->group;
	printer->any = true;
}

static void end(struct printer *printer)
{
	const struct options *options = printer->options;

	if (options->json) {
		printf("%s]\n", !printer->any ? "" : options->names_only ? "}" : "]}");
	} else if (options->names_only && options->delimiter) {
		putchar('\n');
	}
}

/* --- Asking --------------------------------------------------------------------------------------- */

static int complain(const char *what, cs_error_t error)
{
	fprintf(stderr, PROGRAM ": %s: %s (%d)\n", what, cs_strerror(error), (int)error);
	return EXIT_FAILURE;
}

static int iterate(cpg_handle_t handle, struct printer *printer)
{
	struct cpg_iteration_description_t item;
	cpg_iteration_handle_t iteration;
	cs_error_t error = cpg_iteration_initialize(
		handle, printer->options->names_only ? CPG_ITERATION_NAME_ONLY : CPG_ITERATION_ALL,
		NULL, &iteration);

	if (error != CS_OK) {
		return complain("the groups cannot be listed", error);
	}
	begin(printer);
	while ((error = cpg_iteration_next(iteration, &item)) == CS_OK) {
		print_item(printer, &item);
	}
	end(printer);
	cpg_iteration_finalize(iteration);
	return error == CS_ERR_NO_SECTIONS ? EXIT_SUCCESS
					   : complain("the list of groups breaks off", error);
}

static bool wants_addresses(const struct options *options)
{
	return !options->json && !options->names_only && !options->delimiter;
}

static int list(const struct options *options)
{
	cpg_callbacks_t callbacks = {NULL, NULL};
	struct printer printer = {.options = options};
	struct json_tree *status = NULL;
	cpg_handle_t handle;
	cs_error_t error = cpg_initialize(&handle, &callbacks);
	int result;

	if (error != CS_OK) {
		return complain(error == CS_ERR_LIBRARY
					? "no daemon can be reached (is coronetd running? "
					  "CORONET_RUN_DIR names its run directory)"
					: "the daemon cannot be asked",
				error);
	}
	if (wants_addresses(options)) {
		status = ask_status(PROGRAM);
	}
	printer.status = status;
	result = iterate(handle, &printer);
	cpg_finalize(handle);
	json_tree_free(&status);
	if (fflush(stdout) || ferror(stdout)) {
		perror(PROGRAM);
		result = EXIT_FAILURE;
	}
	return result;
}

int main(int argc, char **argv)
{
	struct options options = {0};
	int option;

	while ((option = getopt_long(argc, argv, "d:ehn", long_options, NULL)) != -1) {
		switch (option) {
		case 'd':
			options.delimiter = optarg[0];
			break;
		case 'e':
			options.raw = true;
			break;
		case 'n':
			options.names_only = true;
			break;
		case OPTION_JSON:
			options.json = true;
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
	return list(&options);
}
