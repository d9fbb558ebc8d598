/* SPDX-License-Identifier: BSD-3-Clause */
/* Changes of the ring with their first reason, and JSON that stays valid whatever names hold. */
#include "daemon/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/json.h"

static struct nodeset set(uint32_t a, uint32_t b, uint32_t c)
{
	struct nodeset set = {0};

	nodeset_add(&set, a);
	nodeset_add(&set, b);
	nodeset_add(&set, c);
	return set;
}

static void history_ring__knows_who_came_and_went_and_why(void **state)
{
	static struct history history;
	struct nodeset first = set(1, 2, 3);
	struct nodeset second = set(1, 3, 4);
	const struct history_change *change;
	char text[NODE_LIST_TEXT_MAX];

	(void)state;
	history_state(&history, TOTEM_GATHER, TOTEM_REASON_START, 1000);
	change = history_ring(&history, (struct ringid){1, 4}, &first, 1060);
	assert_int_equal(change->reason, TOTEM_REASON_START);
	assert_int_equal(change->took_ms, 60);
	assert_int_equal(change->joined.count, 3);

	history_state(&history, TOTEM_OPERATIONAL, TOTEM_REASON_RECOVERED, 1060);
	history_state(&history, TOTEM_GATHER, TOTEM_REASON_TOKEN_LOST, 5000);
	history_state(&history, TOTEM_GATHER, TOTEM_REASON_JOIN_RECEIVED, 5010);
	history_state(&history, TOTEM_COMMIT, TOTEM_REASON_CONSENSUS, 5050);
	change = history_ring(&history, (struct ringid){1, 0x1c}, &second, 5100);
	assert_int_equal(change->reason, TOTEM_REASON_TOKEN_LOST);
	assert_int_equal(change->took_ms, 100);
	node_list_text(&change->joined, text);
	assert_string_equal(text, "4");
	node_list_text(&change->left, text);
	assert_string_equal(text, "2");
	ring_id_text(change->ring, text);
	assert_string_equal(text, "1.1c");
}

static void history_at__keeps_the_last(void **state)
{
	static struct history history;
	struct nodeset members = set(1, 2, 3);

	(void)state;
	assert_null(history_at(&history, 0));
	for (uint64_t i = 1; i <= 3 * HISTORY_MAX; i++) {
		history_ring(&history, (struct ringid){1, i}, &members, i);
	}
	assert_int_equal(history_at(&history, 0)->ring.seq, 3 * HISTORY_MAX);
	assert_int_equal(history_at(&history, HISTORY_MAX - 1)->ring.seq, 2 * HISTORY_MAX + 1);
	assert_null(history_at(&history, HISTORY_MAX));
}

static void node_list_text__has_room_for_the_largest_ring(void **state)
{
	struct nodeset all = {0};
	char text[NODE_LIST_TEXT_MAX];

	(void)state;
	node_list_text(&all, text);
	assert_string_equal(text, "none");
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		assert_true(nodeset_add(&all, UINT32_MAX - i));
	}
	node_list_text(&all, text);
	assert_int_equal(strlen(text), NODES_MAX * 11 - 1);
}

static void json__commas_and_escapes(void **state)
{
	struct json json = {0};
	char *text;

	(void)state;
	json_open(&json, NULL, '{');
	json_text(&json, "a\"", "\\ \n \xe4 \x7f");
	json_open(&json, "list", '[');
	json_number(&json, NULL, UINT64_MAX);
	json_number(&json, NULL, 0);
	json_open(&json, NULL, '{');
	json_close(&json, '}');
	json_close(&json, ']');
	json_bool(&json, "yes", true);
	json_close(&json, '}');
	text = json_take(&json);
	assert_string_equal(text, "{\"a\\\"\":\"\\\\ \\u000a \\u00e4 \\u007f\",\"list\":"
				  "[18446744073709551615,0,{}],\"yes\":true}");
	free(text);
}

static void json__passes_utf8_and_nothing_that_only_looks_like_it(void **state)
{
	static const struct {
		const char *value, *written;
	} cases[] = {
		{"\xc3\xa4", "\"\xc3\xa4\""},
		{"\xe2\x82\xac", "\"\xe2\x82\xac\""},
		{"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""},
		{"\xc3", "\"\\u00c3\""},
		{"\xc3(", "\"\\u00c3(\""},
		{"\xc0\xaf", "\"\\u00c0\\u00af\""},
		{"\xe0\x80\xaf", "\"\\u00e0\\u0080\\u00af\""},
		{"\xed\xa0\x80", "\"\\u00ed\\u00a0\\u0080\""},
		{"\xf4\x90\x80\x80", "\"\\u00f4\\u0090\\u0080\\u0080\""},
		{"\xe2\x82", "\"\\u00e2\\u0082\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct json json = {0};
		char *text;

		json_text(&json, NULL, cases[i].value);
		text = json_take(&json);
		assert_string_equal(text, cases[i].written);
		free(text);
	}
}

static void json__grows(void **state)
{
	struct json json = {0};
	char *text;

	(void)state;
	json_open(&json, NULL, '[');
	for (int i = 0; i < 20000; i++) {
		json_text(&json, NULL, "0123456789");
	}
	json_close(&json, ']');
	text = json_take(&json);
	assert_int_equal(strlen(text), 20000 * 13 + 1);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(history_ring__knows_who_came_and_went_and_why),
		cmocka_unit_test(history_at__keeps_the_last),
		cmocka_unit_test(node_list_text__has_room_for_the_largest_ring),
		cmocka_unit_test(json__commas_and_escapes),
		cmocka_unit_test(json__passes_utf8_and_nothing_that_only_looks_like_it),
		cmocka_unit_test(json__grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
