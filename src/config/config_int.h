/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the configuration reader: the table of sections and keys, and the state of one reading. */
#ifndef CORONET_CONFIG_INT_H
#define CORONET_CONFIG_INT_H

#include "config/config.h"
#include "config/text.h"

enum config_type {
	KEY_U32,
	KEY_U64,
	KEY_SIZE32, /* as KEY_U32, with k, m or g behind the number */
	KEY_SIZE64,
	KEY_WORD, /* one of `words`; int32_t */
	KEY_TEXT, /* char[CONFIG_TEXT_MAX], at most `max` bytes */
	KEY_UID,
	KEY_GID,
	KEY_HARMLESS, /* corosync knows it, here it has no meaning: the note says why */
};

struct config_word {
	const char *word;
	int32_t value;
};

struct config_key {
	const char *name;
	enum config_type type;
	size_t offset; /* in the section's object */
	uint64_t min, max;
	uint64_t fallback; /* what holds when the key is not given */
	bool zero_means_fallback;
	const char *text; /* KEY_TEXT: what holds when the key is not given; NULL for "" */
	const struct config_word *words; /* ends with a NULL word */
	const char *note;
};

#define CONFIG_NOT_GIVEN   (-1)
#define CONFIG_HASH_BROKEN (-2)

/* Where the values of a section go. */
enum config_object {
	OBJECT_CONFIG,	  /* struct config */
	OBJECT_INTERFACE, /* struct config_interface, then to the configuration when it is link 0 */
	OBJECT_NODE,	  /* a new node */
	OBJECT_SUBSYS,	  /* struct config_log, then to its part */
	OBJECT_LOG_DAEMON, /* struct config_log, then to all or to a part */
	OBJECT_UIDGID,
	OBJECT_NOTHING, /* corosync knows the section, here it has no meaning: the note says why */
};

struct config_section {
	const char *path;
	enum config_object object;
	const struct config_key *keys; /* ends with a NULL name */
	const char *note;
};

struct config_interface {
	uint32_t linknumber;
	uint32_t port;
};

struct config_seen {
	const struct config_key *key;
	uint32_t line;
};

#define CONFIG_SEEN_MAX 192 /* more than there are keys in the configuration's own object */

struct config_parser {
	const char *path;
	struct messages *messages;
	struct config *config;
	bool uidgid_only; /* a file of uidgid.d */

	/* The open sections: their names joined, and for each the length of the path before it and its line. */
	char section_path[CONFIG_PATH_MAX + 1];
	uint32_t depth;
	uint8_t path_before[CONFIG_PATH_MAX];
	uint32_t opened[CONFIG_PATH_MAX];
	uint32_t skipped; /* this many of them, the innermost, mean nothing here */

	struct config_interface interface;
	struct config_node node;
	struct config_log log;
	uint32_t nodelists;
	struct config_seen seen[CONFIG_SEEN_MAX];
	uint32_t seen_count;
	bool logging_fault; /* the error is one of the logging section */
};

extern const struct config_section config_sections[]; /* ends with a NULL path */

const struct config_section *config_section_find(const char *path);
const struct config_key *config_key_find(const struct config_section *section, const char *name);
/* Fills an object with what holds when nothing is given. */
void config_fallbacks(const struct config_section *section, void *object);

/* Both write " (...)" with the nearest known name into `hint`, or "". */
void config_hint_key(const struct config_section *section, const char *name, char *hint,
		     size_t size);
void config_hint_section(const char *path, char *hint, size_t size);
/* The nearest of words by edit distance, or NULL when none is near. */
const char *config_nearest(const char *wrong, const char *const *words, size_t count);

/* Says why, at a line of the parser's file; returns -EINVAL. */
__attribute__((format(printf, 3, 4))) int config_fail(struct config_parser *parser, uint32_t line,
						      const char *format, ...);

/* values.c: gives a key its value. 0 or -EINVAL, said; -EAGAIN when the host could not be asked who a name is. */
int config_set(struct config_parser *parser, const struct config_key *key, void *object,
	       const struct config_item *item);

/* parser.c: reads a text into parser->config. Errors as config_set. */
int config_parse_text(struct config_parser *parser, const char *text, size_t size);

/* check.c: what keys mean together; computes what is in force. 0 or -EINVAL, said. */
int config_check(struct config_parser *parser);

/* file.c: the whole content, NUL-terminated, of a file of at most 1 MiB. Negative errno; -EFBIG; -EISDIR. */
int config_file_read(const char *path, char **text, size_t *size);
/* The files of uidgid.d next to the configuration. 0 or -EINVAL, said. */
int config_read_uidgid_d(struct config *config, struct messages *messages);

/* nodes.c: looks up the ring addresses. 0 or -EINVAL, said; -EAGAIN when that may be another time. */
int config_resolve(struct config *config, const struct config_source *source,
		   struct messages *messages);

/* local.c: finds the local node. 0 or -EINVAL, said. */
int config_find_local(struct config *config, const struct config_source *source,
		      struct messages *messages);

#endif
