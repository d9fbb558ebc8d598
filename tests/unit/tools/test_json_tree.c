/* SPDX-License-Identifier: BSD-3-Clause */
/* The tools' reader of JSON: what it reads, and that it refuses the rest with a reason. */
#include "tools/json_tree.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct json_tree *read_good(const char *text)
{
	struct json_tree *tree = NULL;
	const char *why = NULL;

	if (json_tree_new(text, strlen(text), &tree, &why)) {
		fail_msg("%s: %s", text, why);
	}
	return tree;
}

static void assert_refused(const char *text, const char *reason)
{
	struct json_tree *tree = NULL;
	const char *why = NULL;
	/* Of its exact size, so that reading beyond it is seen. */
	size_t size = strlen(text);
	char *copy = malloc(size ? size : 1);

	assert_non_null(copy);
	memcpy(copy, text, size);
	assert_int_equal(json_tree_new(copy, size, &tree, &why), -EINVAL);
	assert_null(tree);
	assert_string_equal(why, reason);
	free(copy);
}

static void json_tree_new__reads_every_kind(void **state)
{
	struct json_tree *tree =
		read_good(" { \"n\" : 18446744073709551615 , \"t\":\"a\\n\\u00e4\\\"b\","
			  "\"yes\":true,\"no\":false,\"null\":null,"
			  "\"list\":[1,[],{\"x\":2}],\"empty\":{} } ");
	const struct json_value *root = json_tree_root(tree);
	const struct json_value *list = json_get(root, "list");

	(void)state;
	assert_true(json_number_of(root, "n") == UINT64_MAX);
	assert_string_equal(json_text_of(root, "t"), "a\n\xe4\"b");
	assert_true(json_bool_of(root, "yes"));
	assert_false(json_bool_of(root, "no"));
	assert_int_equal(json_get(root, "null")->kind, JSON_NULL);
	assert_int_equal(list->first->number, 1);
	assert_int_equal(json_number_of(list->first->next->next, "x"), 2);
	assert_null(list->first->next->next->next);
	assert_null(json_get(root, "empty")->first);
	json_tree_free(&tree);
	json_tree_free(&tree);
}

static void json_get__what_is_missing_reads_as_nothing(void **state)
{
	struct json_tree *tree = read_good("{\"a\":[1]}");
	const struct json_value *root = json_tree_root(tree);

	(void)state;
	assert_null(json_get(root, "b"));
	assert_null(json_get(NULL, "a"));
	assert_null(json_get(json_get(root, "a"), "a"));
	assert_string_equal(json_text_of(root, "a"), "");
	assert_int_equal(json_number_of(root, "a"), 0);
	assert_false(json_bool_of(root, "a"));
	json_tree_free(&tree);
}

static void json_tree_new__refuses_the_rest(void **state)
{
	(void)state;
	assert_refused("", "neither object, array, text, whole number, true, false nor null");
	assert_refused("-1", "neither object, array, text, whole number, true, false nor null");
	assert_refused("tru", "neither object, array, text, whole number, true, false nor null");
	assert_refused("{", "an object's member without a name");
	assert_refused("{\"a\"", "a name without a colon");
	assert_refused("{\"a\":",
		       "neither object, array, text, whole number, true, false nor null");
	assert_refused("{\"a\":1", "an object or array is not closed");
	assert_refused("{\"a\":1,}", "an object's member without a name");
	assert_refused("[1,2", "an object or array is not closed");
	assert_refused("[1 2]", "an object or array is not closed");
	assert_refused("\"abc", "a text without its closing quote");
	assert_refused("\"\\", "an unknown escape in a text");
	assert_refused("\"\\x\"", "an unknown escape in a text");
	assert_refused("\"\\u12", "an unknown escape in a text");
	assert_refused("\"\n\"", "a control character in a text");
	assert_refused("18446744073709551616", "a number above 64 bits");
	assert_refused("1.5", "something follows the end");
	assert_refused("{} x", "something follows the end");
}

static void json_tree_new__limits_depth(void **state)
{
	char text[128];

	(void)state;
	memset(text, '[', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_refused(text, "nested too deep");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_tree_new__reads_every_kind),
		cmocka_unit_test(json_get__what_is_missing_reads_as_nothing),
		cmocka_unit_test(json_tree_new__refuses_the_rest),
		cmocka_unit_test(json_tree_new__limits_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
