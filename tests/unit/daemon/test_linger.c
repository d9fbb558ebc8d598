/* SPDX-License-Identifier: BSD-3-Clause */
/* When it looks again and when it sleeps, on a clock that the test turns. */
#include "daemon/linger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define US UINT64_C(1000)

static const struct linger_report calm = {.runnable = 2, .processors = 4};

/* Work, then a look in vain, then more work `gap_ns` after the first. */
static void paying(struct lingering *linger, uint64_t *now_ns, uint64_t gap_ns)
{
	*now_ns += gap_ns / 2;
	linger_next(linger, *now_ns, false);
	*now_ns += gap_ns - gap_ns / 2;
	linger_next(linger, *now_ns, true);
}

/* Work, and nothing more until the window is over. */
static void vain(struct lingering *linger, uint64_t *now_ns)
{
	linger_next(linger, *now_ns, true);
	linger_next(linger, *now_ns + 1, false);
	*now_ns += LINGER_WINDOW_NS;
	assert_false(linger_next(linger, *now_ns, false));
}

static void vain_trial(struct lingering *linger, uint64_t *now_ns)
{
	for (uint32_t i = 0; i < LINGER_TRIAL; i++) {
		vain(linger, now_ns);
	}
}

static void linger_next__event_never_looks_and_busy_always(void **state)
{
	struct lingering linger;

	(void)state;
	linger_init(&linger, CONFIG_POLL_EVENT, 8);
	assert_false(linger_next(&linger, 1 * MS, true));
	assert_false(linger_would_look(&linger, 1 * MS));
	linger_init(&linger, CONFIG_POLL_BUSY, 1);
	assert_true(linger_next(&linger, 1 * MS, false));
	linger_heard(&linger, 1 * MS, &(struct linger_report){.runnable = 9, .processors = 1});
	assert_true(linger_next(&linger, 900 * MS, false));
	assert_true(linger_would_look(&linger, 900 * MS));
	assert_int_equal(linger.pauses_ever, 0);
}

static void linger_next__looks_for_one_window_after_work(void **state)
{
	struct lingering linger;
	uint64_t at_ns = 5 * MS;

	(void)state;
	linger_init(&linger, CONFIG_POLL_ADAPTIVE, 2);
	assert_false(linger_next(&linger, at_ns - 1, false));
	assert_true(linger_next(&linger, at_ns, true));
	assert_true(linger_next(&linger, at_ns + LINGER_WINDOW_NS - 1, false));
	assert_false(linger_next(&linger, at_ns + LINGER_WINDOW_NS, false));
	assert_false(linger_next(&linger, at_ns + LINGER_WINDOW_NS + 1, false));
	assert_int_equal(linger.windows_ever, 1);
	assert_int_equal(linger.paid_ever, 0);
}

/* A window in which work came is over with it, and a new one begins. */
static void linger_next__goes_on_while_it_pays(void **state)
{
	struct lingering linger;
	uint64_t now_ns = 5 * MS;

	(void)state;
	linger_init(&linger, CONFIG_POLL_ADAPTIVE, 2);
	linger_next(&linger, now_ns, true);
	for (int i = 0; i < 1000; i++) {
		paying(&linger, &now_ns, 30 * US);
	}
	assert_int_equal(linger.windows_ever, 1000);
	assert_int_equal(linger.paid_ever, 1000);
	assert_int_equal(linger.pauses_ever, 0);
	assert_true(linger_would_look(&linger, now_ns));
}

static void linger_next__does_not_count_work_without_a_gap(void **state)
{
	struct lingering linger;

	(void)state;
	linger_init(&linger, CONFIG_POLL_ADAPTIVE, 2);
	for (uint64_t i = 0; i < 100; i++) {
		assert_true(linger_next(&linger, 5 * MS + i, true));
	}
	assert_int_equal(linger.windows_ever, 0);
}

/* Found by a look that came too late: a sleep would not have been longer. */
static void linger_next__late_work_does_not_pay(void **state)
{
	struct lingering linger;

	(void)state;
	linger_init(&linger, CONFIG_POLL_ADAPTIVE, 2);
	linger_next(&linger, 5 * MS, true);
	linger_next(&linger, 5 * MS + 1, false);
	assert_true(linger_next(&linger, 6 * MS, true));
	assert_int_equal(linger.windows_ever, 1);
	assert_int_equal(linger.paid_ever, 0);
}

static void linger_next__gives_up_for_ever_longer(void **state)
{
	struct lingering linger;
	uint64_t now_ns = 5 * MS;
	uint64_t pause_ns = LINGER_PAUSE_NS;

	(void)state;
	linger_init(&linger, CONFIG_POLL_ADAPTIVE, 2);
	for (int i = 0; i < 15; i++) {
		vain_trial(&linger, &now_ns);
		assert_int_equal(linger.pause_ns, pause_ns);
		assert_false(linger_next(&linger, now_ns + pause_ns - 1, true));
		assert_false(linger_would_look(&linger, now_ns + pause_ns - 1));
		now_ns += pause_ns;
		assert_true(linger_would_look(&linger, now_ns));
		pause_ns = pause_ns < LINGER_PAUSE_MAX_NS ? pause_ns * 2 : pause_ns;
	}
	assert_int_equal(linger.pauses_ever, 15);
}

/* Less than a thousandth of a processor for work that comes just too late, again and again. */
static void linger_next__vain_looking_costs_next_to_nothing(void **state)
{
	struct lingering linger;
	uint64_t looked_ns = 0;

	(void)state;
	linger_init(&linger, CONFIG_POLL_ADAPTIVE, 2);
	for (uint64_t now_ns = 5 * MS; now_ns < 60000 * MS; now_ns += LINGER_WINDOW_NS + 10 * US) {
		looked_ns += linger_next(&linger, now_ns, true) ? LINGER_WINDOW_NS : 0;
		linger_next(&linger, now_ns + 1, false);
		linger_next(&linger, now_ns + LINGER_WINDOW_NS, false);
	}
	assert_true(looked_ns < 60 * MS);
}

static void linger_next__half_of_the_windows_suffice(void **state)
{
	struct lingering linger;
	uint64_t now_ns = 5 * MS;

	(void)state;
	linger_init(&linger, CONFIG_POLL_ADAPTIVE, 2);
	for (int i = 0; i < 100; i++) {
		linger_next(&linger, now_ns, true);
		paying(&linger, &now_ns, 30 * US);
		vain(&linger, &now_ns);
	}
	assert_int_equal(linger.pauses_ever, 0);
	assert_int_equal(linger.paid_ever * 2, linger.windows_ever);
}

static void pause__is_short_again_after_it_went_well(void **state)
{
	struct lingering linger;
	uint64_t now_ns = 5 * MS;

	(void)state;
	linger_init(&linger, CONFIG_POLL_ADAPTIVE, 2);
	for (int i = 0; i < 3; i++) {
		vain_trial(&linger, &now_ns);
		now_ns += linger.pause_ns;
	}
	assert_int_equal(linger.pause_ns, 4 * LINGER_PAUSE_NS);
	now_ns += LINGER_WELL * 4 * LINGER_PAUSE_NS;
	vain_trial(&linger, &now_ns);
	assert_int_equal(linger.pause_ns, LINGER_PAUSE_NS);
}

static void linger_next__with_one_processor_sleeps(void **state)
{
	struct lingering linger;

	(void)state;
	linger_init(&linger, CONFIG_POLL_ADAPTIVE, 1);
	assert_false(linger_next(&linger, 5 * MS, true));
}

static bool pauses_after(struct linger_report report)
{
	struct lingering linger;

	linger_init(&linger, CONFIG_POLL_ADAPTIVE, 4);
	linger_next(&linger, 5 * MS, true);
	linger_heard(&linger, 5 * MS, &calm);
	linger_heard(&linger, 6 * MS, &report);
	assert_int_equal(linger_next(&linger, 6 * MS, true), linger.pauses_ever == 0);
	return linger.pauses_ever == 1;
}

static void linger_heard__pauses_when_others_want_the_processors(void **state)
{
	(void)state;
	assert_false(pauses_after(calm));
	assert_false(pauses_after((struct linger_report){.runnable = 4, .processors = 4}));
	assert_true(pauses_after((struct linger_report){.runnable = 5, .processors = 4}));
	assert_true(pauses_after((struct linger_report){.involuntary = 1, .processors = 4}));
	assert_false(pauses_after((struct linger_report){.waited_ns = 100 * US, .processors = 4}));
	assert_true(pauses_after((struct linger_report){.waited_ns = 300 * US, .processors = 4}));
}

/* The counts are from the thread's beginning, and what happens in a pause is not our fault. */
static void linger_heard__takes_the_first_report_as_the_beginning(void **state)
{
	struct linger_report report = {
		.involuntary = 77, .waited_ns = 500 * MS, .runnable = 1, .processors = 4};
	struct lingering linger;
	uint64_t now_ns = 5 * MS;

	(void)state;
	linger_init(&linger, CONFIG_POLL_ADAPTIVE, 4);
	linger_heard(&linger, now_ns, &report);
	assert_int_equal(linger.pauses_ever, 0);
	report.involuntary++;
	linger_heard(&linger, now_ns + MS, &report);
	assert_int_equal(linger.pauses_ever, 1);
	report.involuntary += 10;
	now_ns = linger.pause_until_ns + 1;
	linger_heard(&linger, now_ns, &report);
	assert_int_equal(linger.pauses_ever, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linger_next__event_never_looks_and_busy_always),
		cmocka_unit_test(linger_next__looks_for_one_window_after_work),
		cmocka_unit_test(linger_next__goes_on_while_it_pays),
		cmocka_unit_test(linger_next__does_not_count_work_without_a_gap),
		cmocka_unit_test(linger_next__late_work_does_not_pay),
		cmocka_unit_test(linger_next__gives_up_for_ever_longer),
		cmocka_unit_test(linger_next__vain_looking_costs_next_to_nothing),
		cmocka_unit_test(linger_next__half_of_the_windows_suffice),
		cmocka_unit_test(pause__is_short_again_after_it_went_well),
		cmocka_unit_test(linger_next__with_one_processor_sleeps),
		cmocka_unit_test(linger_heard__pauses_when_others_want_the_processors),
		cmocka_unit_test(linger_heard__takes_the_first_report_as_the_beginning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
