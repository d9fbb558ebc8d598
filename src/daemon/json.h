/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes JSON (RFC 8259) into memory that grows. Lack of memory is remembered and shows at the end. */
#ifndef CORONET_DAEMON_JSON_H
#define CORONET_DAEMON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json {
	char *text;
	size_t size, room;
	bool comma; /* something stands before in the same object or array */
	bool failed;
};

/* Begins as all zeros. `name` is NULL inside arrays and for the whole. */
void json_open(struct json *json, const char *name, char bracket); /* '{' or '[' */
void json_close(struct json *json, char bracket);		   /* '}' or ']' */
void json_text(struct json *json, const char *name, const char *value);
/* Each byte as one character (Latin-1), as coronet-cpgtool writes names of groups. */
void json_bytes(struct json *json, const char *name, const char *bytes, size_t size);
void json_number(struct json *json, const char *name, uint64_t value);
void json_bool(struct json *json, const char *name, bool value);

/* The text, NUL-terminated, to be freed by the caller; NULL when memory ran out. */
char *json_take(struct json *json);

#endif
