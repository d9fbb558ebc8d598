/* SPDX-License-Identifier: BSD-3-Clause */
/* See json_tree.h. Texts are unescaped in place, in a copy of the input that the tree owns. */
#include "tools/json_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32

struct json_tree {
	char *copy;
	struct json_value *root;
};

struct reader {
	char *at, *end;
	int depth;
	const char *why;
};

static struct json_value *read_value(struct reader *reader);

static void value_free(struct json_value *value)
{
	while (value) {
		struct json_value *next = value->next;

		/* As deep as the reader allows. */
		value_free(value->first);
		free(value);
		value = next;
	}
}

static void *fail(struct reader *reader, const char *why)
{
	if (!reader->why) {
		reader->why = why;
	}
	return NULL;
}

static char peek(struct reader *reader)
{
	while (reader->at < reader->end && strchr(" \t\r\n", *reader->at) && *reader->at) {
		reader->at++;
	}
	if (reader->at == reader->end) {
		return '\0';
	}
	return *reader->at;
}

static bool take(struct reader *reader, char wanted)
{
	if (peek(reader) != wanted || reader->at == reader->end) {
		return false;
	}
	reader->at++;
	return true;
}

static struct json_value *value_new(struct reader *reader, enum json_kind kind)
{
	struct json_value *value = calloc(1, sizeof(*value));

	if (!value) {
		return fail(reader, "no memory");
	}
	value->kind = kind;
	return value;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

	return found ? (int)(found - digits) : -1;
}

/* Four hexadecimal digits; -1 when they are none. */
static int read_code(struct reader *reader)
{
	int code = 0;

	for (int i = 0; i < 4; i++, reader->at++) {
		int digit = reader->at < reader->end ? hex_digit(*reader->at) : -1;

		if (digit < 0) {
			return -1;
		}
		code = code * 16 + digit;
	}
	return code;
}

static int read_escape(struct reader *reader)
{
	static const char names[] = "\"\\/bfnrt";
	static const char values[] = "\"\\/\b\f\n\r\t";
	const char *found;
	char c;
	int code;

	if (reader->at == reader->end) {
		return -1;
	}
	c = *reader->at++;
	found = c ? strchr(names, c) : NULL;
	if (found) {
		return (unsigned char)values[found - names];
	}
	code = c == 'u' ? read_code(reader) : -1;
	return code > 0xff ? '?' : code;
}

/* After the opening quote. NULL: said why. */
static const char *read_text(struct reader *reader, size_t *size)
{
	char *start = reader->at;
	char *out = reader->at;

	while (reader->at < reader->end && *reader->at != '"') {
		int c = (unsigned char)*reader->at++;

		if (c < ' ') {
			return fail(reader, "a control character in a text");
		}
		if (c == '\\') {
			c = read_escape(reader);
		}
		if (c < 0) {
			return fail(reader, "an unknown escape in a text");
		}
		*out++ = (char)c;
	}
	if (reader->at == reader->end) {
		return fail(reader, "a text without its closing quote");
	}
	reader->at++;
	*out = '\0';
	*size = (size_t)(out - start);
	return start;
}

static struct json_value *read_text_value(struct reader *reader)
{
	struct json_value *value = value_new(reader, JSON_TEXT);

	reader->at++;
	if (value) {
		value->text = read_text(reader, &value->text_size);
	}
	if (value && !value->text) {
		free(value);
		return NULL;
	}
	return value;
}

static struct json_value *read_number(struct reader *reader)
{
	struct json_value *value = value_new(reader, JSON_NUMBER);

	while (value && reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9') {
		uint64_t digit = (uint64_t)(*reader->at++ - '0');

		if (value->number > (UINT64_MAX - digit) / 10) {
			free(value);
			return fail(reader, "a number above 64 bits");
		}
		value->number = value->number * 10 + digit;
	}
	return value;
}

static struct json_value *read_word(struct reader *reader)
{
	static const struct {
		const char *word;
		enum json_kind kind;
		uint64_t number;
	} words[] = {{"true", JSON_BOOL, 1}, {"false", JSON_BOOL, 0}, {"null", JSON_NULL, 0}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t size = strlen(words[i].word);

		if ((size_t)(reader->end - reader->at) >= size &&
		    memcmp(reader->at, words[i].word, size) == 0) {
			struct json_value *value = value_new(reader, words[i].kind);

			reader->at += size;
			if (value) {
				value->number = words[i].number;
			}
			return value;
		}
	}
	return fail(reader, "neither object, array, text, whole number, true, false nor null");
}

/* One element; in an object with its name. */
static struct json_value *read_element(struct reader *reader, bool named)
{
	const char *name = NULL;
	struct json_value *value;
	size_t size;

	if (named) {
		if (!take(reader, '"')) {
			return fail(reader, "an object's member without a name");
		}
		name = read_text(reader, &size);
		if (!name || !take(reader, ':')) {
			return fail(reader, "a name without a colon");
		}
	}
	value = read_value(reader);
	if (value) {
		value->name = name;
	}
	return value;
}

static struct json_value *read_list(struct reader *reader, enum json_kind kind, char close)
{
	struct json_value *list = value_new(reader, kind);
	struct json_value **last = list ? &list->first : NULL;

	reader->at++;
	if (!list || take(reader, close)) {
		return list;
	}
	do {
		*last = read_element(reader, kind == JSON_OBJECT);
		if (!*last) {
			value_free(list);
			return NULL;
		}
		last = &(*last)->next;
	} while (take(reader, ','));
	if (!take(reader, close)) {
		value_free(list);
		return fail(reader, "an object or array is not closed");
	}
	return list;
}

static struct json_value *read_kind(struct reader *reader, char first)
{
	if (first == '{') {
		return read_list(reader, JSON_OBJECT, '}');
	}
	if (first == '[') {
		return read_list(reader, JSON_ARRAY, ']');
	}
	if (first == '"') {
		return read_text_value(reader);
	}
	return first >= '0' && first <= '9' ? read_number(reader) : read_word(reader);
}

static struct json_value *read_value(struct reader *reader)
{
	struct json_value *value;

	if (reader->depth == DEPTH_MAX) {
		return fail(reader, "nested too deep");
	}
	reader->depth++;
	value = read_kind(reader, peek(reader));
	reader->depth--;
	return value;
}

int json_tree_new(const char *text, size_t size, struct json_tree **out, const char **why)
{
	struct json_tree *tree = calloc(1, sizeof(*tree));
	struct reader reader = {0};

	*why = "no memory";
	if (tree) {
		tree->copy = malloc(size + 1);
	}
	if (!tree || !tree->copy) {
		json_tree_free(&tree);
		return -ENOMEM;
	}
	memcpy(tree->copy, text, size);
	reader = (struct reader){.at = tree->copy, .end = tree->copy + size};
	tree->root = read_value(&reader);
	peek(&reader);
	if (tree->root && reader.at != reader.end) {
		fail(&reader, "something follows the end");
	}
	if (reader.why) {
		*why = reader.why;
		json_tree_free(&tree);
		return -EINVAL;
	}
	*out = tree;
	return 0;
}

void json_tree_free(struct json_tree **tree)
{
	if (*tree) {
		value_free((*tree)->root);
		free((*tree)->copy);
		free(*tree);
		*tree = NULL;
	}
}

const struct json_value *json_tree_root(const struct json_tree *tree)
{
	return tree->root;
}

const struct json_value *json_get(const struct json_value *object, const char *name)
{
	const struct json_value *member =
		object && object->kind == JSON_OBJECT ? object->first : NULL;

	while (member && strcmp(member->name, name) != 0) {
		member = member->next;
	}
	return member;
}

const char *json_text_of(const struct json_value *object, const char *name)
{
	const struct json_value *member = json_get(object, name);

	return member && member->kind == JSON_TEXT ? member->text : "";
}

uint64_t json_number_of(const struct json_value *object, const char *name)
{
	const struct json_value *member = json_get(object, name);

	return member && member->kind == JSON_NUMBER ? member->number : 0;
}

bool json_bool_of(const struct json_value *object, const char *name)
{
	const struct json_value *member = json_get(object, name);

	return member && member->kind == JSON_BOOL && member->number;
}
