/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How members go from step to step. All of this is said in the group, in its order: so a step has begun everywhere when
 * its first message comes, and has ended when all ends are there and as many messages as they name.
 */
#include "bench/bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- The first member ----------------------------------------------------------------------------- */

static void finish_all(struct bench *bench)
{
	bench_say(bench, TALK_BYE, "", 0);
}

void steps_next(struct bench *bench)
{
	const struct options *options = bench->options;
	uint32_t done = bench->step_number;
	struct talk_step step = {.mode = options->mode,
				 .guarantee = options->guarantee,
				 .zcb = options->zcb,
				 .verify = options->verify,
				 .window = options->window,
				 .warmup_ns = options->warmup_ns,
				 .duration_ns = options->duration_ns,
				 .interval_ns = options->interval_ns,
				 .rate = options->rate};

	if (done == options->runs * options->sizes_count) {
		finish_all(bench);
		return;
	}
	step.run = (uint32_t)(done / options->sizes_count);
	step.size = options->sizes[done % options->sizes_count];
	bench_say(bench, TALK_STEP, &step, sizeof(step));
}

static void take_result(struct bench *bench, uint32_t from, const uint8_t *body, size_t size)
{
	struct member *member = &bench->members[from];
	struct times times;

	if (bench->self != 0) {
		return;
	}
	if (size < sizeof(member->result) || member->has_result) {
		bench_fail(bench, "node %" PRIu32 " tells nonsense", member->nodeid);
		return;
	}
	memcpy(&member->result, body, sizeof(member->result));
	member->has_result = true;
	if (size == sizeof(member->result) + sizeof(times)) {
		memcpy(&times, body + sizeof(member->result), sizeof(times));
		histogram_merge(&bench->sum.own, &times.own);
		histogram_merge(&bench->sum.echo, &times.echo);
	}
	for (uint32_t i = 0; i < bench->members_count; i++) {
		if (!bench->members[i].has_result) {
			return;
		}
	}
	bench->step_done(bench, &bench->sum);
	steps_next(bench);
}

/* --- All members ---------------------------------------------------------------------------------- */

static void take_hello(struct bench *bench, uint32_t from, const uint8_t *body, size_t size)
{
	struct talk_hello hello;
	uint32_t here = 0;

	if (size != sizeof(hello)) {
		bench_fail(bench, "node %" PRIu32 " tells nonsense", bench->members[from].nodeid);
		return;
	}
	memcpy(&hello, body, sizeof(hello));
	bench->members[from].here = true;
	bench->members[from].sends = hello.sends != 0;
	bench->senders = 0;
	for (uint32_t i = 0; i < bench->members_count; i++) {
		here += bench->members[i].here;
		bench->senders += bench->members[i].sends;
	}
	if (here < bench->members_count) {
		return;
	}
	if (bench->senders == 0) {
		bench_fail(bench, "nobody sends: at least one member must be without --receive");
	} else if (bench->self == 0) {
		steps_next(bench);
	}
}

static void fault(struct bench *bench, uint32_t from, const char *what)
{
	if (bench->faults++ == 0) {
		fprintf(stderr, "coronet-bench: message %" PRIu64 " of node %" PRIu32 ": %s\n",
			bench->members[from].received, bench->members[from].nodeid, what);
	}
}

static bool step_is_sane(const struct talk_step *step)
{
	return (step->mode == BENCH_THROUGHPUT || step->mode == BENCH_LATENCY) &&
	       step->guarantee <= CPG_TYPE_SAFE && step->size >= 1 &&
	       step->size <= OPTIONS_SIZE_MAX &&
	       (step->mode != BENCH_LATENCY || step->size >= OPTIONS_LATENCY_MIN) &&
	       step->rate <= 1000000000;
}

static void take_step(struct bench *bench, const struct talk_header *header, const uint8_t *body)
{
	uint64_t now = meter_now_ns();
	uint64_t from_ns;

	if (header->size == sizeof(bench->step)) {
		memcpy(&bench->step, body, sizeof(bench->step));
	}
	if (header->size != sizeof(bench->step) || !step_is_sane(&bench->step) || bench->stepping) {
		bench_fail(bench, "the first member asks for something that cannot be done");
		return;
	}
	bench->step_number = header->step + 1;
	bench->stepping = true;
	bench->order = bench->early_order;
	bench->early_order = 0;
	bench->total = 0;
	bench->faults = 0;
	memset(&bench->times, 0, sizeof(bench->times));
	memset(&bench->sum, 0, sizeof(bench->sum));
	for (uint32_t i = 0; i < bench->members_count; i++) {
		struct member *member = &bench->members[i];

		member->ended = false;
		member->has_result = false;
		member->received = member->early;
		member->early = 0;
		member->counted = 0;
		bench->total += member->received;
		if (member->received > 0 && bench->step.guarantee != CPG_TYPE_UNORDERED) {
			fault(bench, i, "it comes before its step has begun");
		}
	}
	from_ns = now + bench->step.warmup_ns;
	meter_start(&bench->meter, from_ns, bench->step.duration_ns, bench->options->daemon_pid);
	traffic_start(bench, now);
}

static void tell_result(struct bench *bench)
{
	uint8_t body[sizeof(struct talk_result) + sizeof(struct times)];
	bool times = bench->step.mode == BENCH_LATENCY && bench->members[bench->self].sends;
	struct talk_result result;

	meter_finish(&bench->meter);
	result = (struct talk_result){.messages = bench->meter.messages,
				      .elapsed_ns = meter_elapsed_ns(&bench->meter),
				      .cpu_ns = bench->meter.cpu_ns,
				      .daemon_cpu_ns = bench->meter.daemon_cpu_ns,
				      .faults = bench->faults,
				      .order = bench->order,
				      .total = bench->total};
	memcpy(body, &result, sizeof(result));
	memcpy(body + sizeof(result), &bench->times, sizeof(bench->times));
	bench->stepping = false;
	traffic_stop(bench);
	bench_say(bench, TALK_RESULT, body, times ? sizeof(body) : sizeof(result));
}

/* All have ended, and all they sent is here. */
static void check_complete(struct bench *bench)
{
	for (uint32_t i = 0; i < bench->members_count; i++) {
		const struct member *member = &bench->members[i];

		if (member->sends && (!member->ended || member->received < member->end.sent)) {
			return;
		}
	}
	tell_result(bench);
}

static void take_end(struct bench *bench, uint32_t from, const struct talk_header *header,
		     const uint8_t *body)
{
	struct member *member = &bench->members[from];

	if (!bench->stepping || header->size != sizeof(member->end) || member->ended) {
		bench_fail(bench, "node %" PRIu32 " ends what has not begun", member->nodeid);
		return;
	}
	memcpy(&member->end, body, sizeof(member->end));
	member->ended = true;
	/* Without an order, messages may come later. */
	if (bench->step.guarantee != CPG_TYPE_UNORDERED && member->received != member->end.sent) {
		fault(bench, from, "its sender has sent another number of messages than came");
		member->received = member->end.sent;
	}
	check_complete(bench);
}

void steps_talk(struct bench *bench, uint32_t from, const struct talk_header *header,
		const uint8_t *body)
{
	if (from != 0 && (header->talk == TALK_STEP || header->talk == TALK_BYE)) {
		bench_fail(bench, "node %" PRIu32 " leads, and is not the first member",
			   bench->members[from].nodeid);
		return;
	}
	switch (header->talk) {
	case TALK_HELLO:
		take_hello(bench, from, body, header->size);
		return;
	case TALK_STEP:
		take_step(bench, header, body);
		return;
	case TALK_END:
		take_end(bench, from, header, body);
		return;
	case TALK_RESULT:
		take_result(bench, from, body, header->size);
		return;
	case TALK_BYE:
		bench->over = true;
		return;
	}
	bench_fail(bench, "node %" PRIu32 " says what nobody understands",
		   bench->members[from].nodeid);
}

/* A message that is too short to have one has 0. */
static uint64_t number_of(const uint8_t *message, size_t size)
{
	struct data_header header;

	message_header(message, size, &header);
	return size < sizeof(header) ? 0 : header.number;
}

static void verify(struct bench *bench, uint32_t from, const uint8_t *message, size_t size)
{
	struct member *member = &bench->members[from];
	struct data_header expected = {.kind = MESSAGE_DATA,
				       .step = (uint8_t)bench->step_number,
				       .number = member->received};
	bool any_order = bench->step.guarantee == CPG_TYPE_UNORDERED;

	if (any_order) {
		expected.number = number_of(message, size);
	}
	/* A shorter one has too little of its number to tell which it is, when any may come. */
	if (size != bench->step.size) {
		fault(bench, from, "its size is wrong");
	} else if ((!any_order || size >= sizeof(expected)) &&
		   !message_intact(message, size, &expected)) {
		fault(bench, from, "its bytes are not those that were sent, or it is not the next");
	}
	bench->order = message_order(bench->order, from, expected.number, any_order);
	bench->total++;
}

void steps_data(struct bench *bench, uint32_t from, const uint8_t *message, size_t size)
{
	struct member *member = &bench->members[from];
	struct data_header header;

	if (!bench->stepping) {
		/* Without an order a message may overtake what begins its step. */
		member->early++;
		bench->early_order += message_order(0, from, number_of(message, size), true);
		return;
	}
	message_header(message, size, &header);
	if (header.kind == MESSAGE_ECHO) {
		traffic_echo(bench, &header);
		return;
	}
	if (bench->step.verify) {
		verify(bench, from, message, size);
	}
	member->counted += meter_count(&bench->meter);
	member->received++;
	if (from == bench->self) {
		traffic_own(bench, &header);
	} else {
		traffic_other(bench, from, &header);
	}
	if (member->ended) {
		check_complete(bench);
	}
}
