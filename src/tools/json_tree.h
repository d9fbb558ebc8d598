/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads JSON (RFC 8259) into a tree. Bytes above 0x7f are passed through; \u escapes above 00ff become '?'. Numbers are whole, from 0 on. */
#ifndef CORONET_TOOLS_JSON_TREE_H
#define CORONET_TOOLS_JSON_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_kind {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_TEXT,
	JSON_ARRAY,
	JSON_OBJECT
};

struct json_value {
	enum json_kind kind;
	const char *name; /* in an object; else NULL */
	const char *text; /* JSON_TEXT, ends with a NUL */
	size_t text_size;
	uint64_t number;	  /* JSON_NUMBER, JSON_BOOL */
	struct json_value *first; /* of an array or object */
	struct json_value *next;  /* in the same array or object */
};

struct json_tree;

/* 0, -ENOMEM or -EINVAL with the reason as a constant string. */
int json_tree_new(const char *text, size_t size, struct json_tree **out, const char **why);
void json_tree_free(struct json_tree **tree);
const struct json_value *json_tree_root(const struct json_tree *tree);

/* The member of that name, or NULL; NULL is no object either. */
const struct json_value *json_get(const struct json_value *object, const char *name);
/* What is missing, or of another kind, reads as "" and 0. */
const char *json_text_of(const struct json_value *object, const char *name);
uint64_t json_number_of(const struct json_value *object, const char *name);
bool json_bool_of(const struct json_value *object, const char *name);

#endif
