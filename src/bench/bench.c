/* SPDX-License-Identifier: BSD-3-Clause */
/* A member's life: it joins, waits for the others, and then sends and receives until the last step is over. */
#include "bench/bench.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)

enum {
	LOOK_EVERY_NS = 100000000
};

void bench_fail(struct bench *bench, const char *format, ...)
{
	va_list arguments;

	if (bench->failed) {
		return;
	}
	bench->failed = true;
	fputs("coronet-bench: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

void bench_say(struct bench *bench, enum talk_kind kind, const void *body, size_t size)
{
	struct talk_header header = {.kind = MESSAGE_TALK,
				     .talk = (uint8_t)kind,
				     .magic = TALK_MAGIC,
				     .step = bench->step_number,
				     .size = (uint32_t)size};

	if (bench->talk_size > 0 || size > sizeof(bench->talk) - sizeof(header)) {
		bench_fail(bench, "a member has two things to say at once");
		return;
	}
	memcpy(bench->talk, &header, sizeof(header));
	memcpy(bench->talk + sizeof(header), body, size);
	bench->talk_size = sizeof(header) + size;
}

/* --- Members -------------------------------------------------------------------------------------- */

static int compare_addresses(const void *left, const void *right)
{
	const struct member *a = left;
	const struct member *b = right;

	if (a->nodeid != b->nodeid) {
		return a->nodeid < b->nodeid ? -1 : 1;
	}
	return a->pid < b->pid ? -1 : a->pid > b->pid;
}

/* The members' places are by node and process: whoever is at place 0 leads. */
static void form(struct bench *bench, const struct cpg_address *list, size_t count)
{
	unsigned int nodeid = 0;

	for (size_t i = 0; i < count; i++) {
		bench->members[i] = (struct member){.nodeid = list[i].nodeid, .pid = list[i].pid};
	}
	qsort(bench->members, count, sizeof(bench->members[0]), compare_addresses);
	if (cpg_local_get(bench->link.handle, &nodeid) != CS_OK) {
		bench_fail(bench, "the service does not tell this node's id");
		return;
	}
	bench->members_count = (uint32_t)count;
	for (uint32_t i = 0; i < count; i++) {
		if (bench->members[i].nodeid == nodeid &&
		    bench->members[i].pid == (uint32_t)getpid()) {
			bench->self = i;
			bench_say(bench, TALK_HELLO,
				  &(struct talk_hello){.sends = !bench->options->receive_only},
				  sizeof(struct talk_hello));
			return;
		}
	}
	bench_fail(bench, "this process is not among the members of its group");
}

/* A member's place, or -1. */
static int find(struct bench *bench, uint32_t nodeid, uint32_t pid)
{
	const struct member *last = &bench->members[bench->last];

	if (bench->last < bench->members_count && last->nodeid == nodeid && last->pid == pid) {
		return (int)bench->last;
	}
	for (uint32_t i = 0; i < bench->members_count; i++) {
		if (bench->members[i].nodeid == nodeid && bench->members[i].pid == pid) {
			bench->last = i;
			return (int)i;
		}
	}
	return -1;
}

static struct bench *bench_of(cpg_handle_t handle)
{
	void *context = NULL;

	cpg_context_get(handle, &context);
	return context;
}

static void changed(cpg_handle_t handle, const struct cpg_name *group,
		    const struct cpg_address *members, size_t members_count,
		    const struct cpg_address *left, size_t left_count,
		    const struct cpg_address *joined, size_t joined_count)
{
	struct bench *bench = bench_of(handle);

	(void)group;
	(void)joined;
	(void)joined_count;
	bench->last_event_ns = meter_about_now_ns();
	for (size_t i = 0; i < left_count && !bench->over; i++) {
		if (find(bench, left[i].nodeid, left[i].pid) >= 0) {
			bench_fail(bench,
				   "the member on node %" PRIu32 ", process %" PRIu32 ", is lost",
				   left[i].nodeid, left[i].pid);
		}
	}
	if (bench->members_count > 0) {
		return;
	}
	if (members_count > bench->options->members) {
		bench_fail(bench, "the group has %zu members, and %" PRIu32 " are expected",
			   members_count, bench->options->members);
	} else if (members_count == bench->options->members) {
		form(bench, members, members_count);
	}
}

/* --- Messages ------------------------------------------------------------------------------------- */

static void hear(struct bench *bench, uint32_t from, const uint8_t *message, size_t size)
{
	struct talk_header header;

	if (size < sizeof(header)) {
		bench_fail(bench, "a message of %zu bytes is none of ours", size);
		return;
	}
	memcpy(&header, message, sizeof(header));
	if (header.magic != TALK_MAGIC || header.size != size - sizeof(header)) {
		bench_fail(bench, "node %" PRIu32 " has another version or byte order",
			   bench->members[from].nodeid);
		return;
	}
	steps_talk(bench, from, &header, message + sizeof(header));
}

static void deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t nodeid,
		    uint32_t pid, void *message, size_t size)
{
	struct bench *bench = bench_of(handle);
	int from = find(bench, nodeid, pid);

	(void)group;
	if (from < 0 || size == 0 || bench->failed) {
		return;
	}
	if (((const uint8_t *)message)[0] == MESSAGE_TALK) {
		hear(bench, (uint32_t)from, message, size);
	} else {
		steps_data(bench, (uint32_t)from, message, size);
	}
	bench->last_event_ns = meter_about_now_ns();
}

/* --- The loop ------------------------------------------------------------------------------------- */

static void show_progress(struct bench *bench, uint64_t now)
{
	const struct talk_step *step = &bench->step;

	if (bench->options->quiet || bench->self != 0 || !bench->stepping ||
	    now < bench->last_shown_ns + SECOND_NS || !isatty(STDERR_FILENO)) {
		return;
	}
	bench->last_shown_ns = now;
	fprintf(stderr, "\r%" PRIu64 " bytes, run %" PRIu32 ": %" PRIu64 " messages\033[K",
		step->size, step->run + 1, bench->meter.messages);
}

static void look_around(struct bench *bench)
{
	uint64_t now = meter_about_now_ns();

	show_progress(bench, now);
	if (now < bench->last_event_ns + bench->options->patience_ns) {
		return;
	}
	if (bench->members_count == 0) {
		bench_fail(bench, "%" PRIu32 " members are expected, and they do not come",
			   bench->options->members);
	} else {
		bench_fail(bench,
			   "nothing is delivered any more (messages of %" PRIu64
			   " bytes, run %" PRIu32 ")",
			   bench->step.size, bench->step.run + 1);
	}
}

static void take_part(struct bench *bench)
{
	while (!bench->over && !bench->failed) {
		uint64_t wait_ns = traffic_pump(bench);

		if (bench->failed) {
			break;
		}
		if (wait_ns > 0) {
			link_wait(&bench->link, wait_ns < LOOK_EVERY_NS ? wait_ns : LOOK_EVERY_NS);
		}
		if (link_dispatch(&bench->link) < 0) {
			bench_fail(bench, "the service is gone: %s",
				   cs_strerror(bench->link.error));
		}
		look_around(bench);
	}
}

static void completed(cpg_handle_t handle, void *buffer)
{
	pool_back(&bench_of(handle)->pool, buffer);
}

/* Only to be woken: the pump looks by itself. */
static void sendable(cpg_handle_t handle)
{
	(void)handle;
}

static int join(struct bench *bench)
{
	const struct options *options = bench->options;
	cpg_callbacks_t callbacks = {.cpg_deliver_fn = deliver, .cpg_confchg_fn = changed};
	coronet_cpg_model_data_t model = {.cpg_deliver_fn = deliver,
					  .cpg_confchg_fn = changed,
					  .flags = CORONET_CPG_DELIVER_IN_PLACE,
					  .size = sizeof(model),
					  .completed_fn = completed,
					  .sendable_fn = sendable};

	return options->in_place ? link_open_in_place(&bench->link, options->group, &model, bench,
						      options->patience_ns)
				 : link_open(&bench->link, options->group, &callbacks, bench,
					     options->patience_ns);
}

int bench_run(struct bench *bench, const struct options *options, bench_step_fn_t step_done,
	      void *context)
{
	memset(bench, 0, sizeof(*bench));
	bench->options = options;
	bench->step_done = step_done;
	bench->context = context;
	/* Timers of the schedule to the microsecond, not to the 50 that are usual. */
	prctl(PR_SET_TIMERSLACK, 1);
	bench->last_event_ns = meter_about_now_ns();
	if (join(bench) < 0) {
		bench_fail(bench, "no group can be joined (%s): %s", link_library(),
			   cs_strerror(bench->link.error));
	} else {
		take_part(bench);
	}
	traffic_stop(bench);
	link_close(&bench->link);
	return bench->failed ? -EIO : 0;
}
