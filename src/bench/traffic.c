/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sending. libcpg has no event for "there is room again", so a sender that was told to try again waits for its next
 * delivery, which is what makes room, and for a tenth of a millisecond at most: little of a core is burnt, and the
 * service seldom waits for its sender.
 */
#include "bench/traffic.h"

#include <errno.h>
#include <stdlib.h>

#include "bench/bench.h"

#define SECOND_NS UINT64_C(1000000000)

enum {
	BLOCKED_NS = 100000,
	NOTHING_TO_DO_NS = 100000000,
	BURST_MESSAGES = 32,
	BURST_BYTES = 256 * 1024,
	ECHOES_PER_SECOND = 1000
};

static uint8_t step_byte(const struct bench *bench)
{
	return (uint8_t)bench->step_number;
}

static bool one_at_a_time(const struct bench *bench)
{
	return bench->step.mode == BENCH_LATENCY && bench->step.rate == 0;
}

/* Its place among those that send. */
static uint32_t sender_rank(const struct bench *bench)
{
	uint32_t rank = 0;

	for (uint32_t i = 0; i < bench->self; i++) {
		rank += bench->members[i].sends;
	}
	return rank;
}

/* --- One step ------------------------------------------------------------------------------------- */

static void refuse(struct bench *bench)
{
	struct talk_end end = {.refused = (uint32_t)bench->link.error};

	bench->traffic.active = false;
	if (bench->members[bench->self].sends) {
		bench_say(bench, TALK_END, &end, sizeof(end));
	}
}

static void make_message(struct bench *bench)
{
	struct traffic *traffic = &bench->traffic;
	void *memory = NULL;

	if (bench->options->in_place) {
		if (pool_open(&bench->pool, &bench->link, bench->step.size) != LINK_SENT) {
			refuse(bench);
		}
		return;
	}
	if (bench->step.zcb) {
		if (link_judge(&bench->link, cpg_zcb_alloc(bench->link.handle, bench->step.size,
							   &memory)) != LINK_SENT) {
			refuse(bench);
			return;
		}
		traffic->zcb = true;
	} else {
		memory = malloc(bench->step.size);
		if (!memory) {
			bench_fail(bench, "no memory for a message of %llu bytes",
				   (unsigned long long)bench->step.size);
			return;
		}
	}
	traffic->message = memory;
	message_fill(traffic->message, bench->step.size);
}

static void set_pace(struct bench *bench, uint64_t begin_ns)
{
	struct traffic *traffic = &bench->traffic;
	uint64_t rate = bench->step.rate;

	traffic->next_ns = begin_ns;
	traffic->every_ns = bench->step.interval_ns;
	traffic->echo_every = 1;
	if (rate > 0) {
		traffic->every_ns = bench->senders * SECOND_NS / rate;
		traffic->next_ns += sender_rank(bench) * SECOND_NS / rate;
		traffic->echo_every += rate / bench->senders / ECHOES_PER_SECOND;
	}
}

void traffic_start(struct bench *bench, uint64_t begin_ns)
{
	struct traffic *traffic = &bench->traffic;
	uint64_t fits = BURST_BYTES / bench->step.size;
	bool sends = bench->members[bench->self].sends;

	*traffic = (struct traffic){.record_ns = begin_ns + bench->step.warmup_ns};
	traffic->stop_ns = traffic->record_ns + bench->step.duration_ns;
	traffic->ask_ns = traffic->record_ns + bench->step.duration_ns / 2;
	traffic->burst = fits < 1 ? 1 : fits > BURST_MESSAGES ? BURST_MESSAGES : (uint32_t)fits;
	set_pace(bench, begin_ns);
	traffic->active = sends && !(one_at_a_time(bench) && sender_rank(bench) > 0);
	if (traffic->active || bench->step.mode == BENCH_LATENCY) {
		make_message(bench);
	}
	if (sends && !traffic->active && bench->talk_size == 0) {
		bench_say(bench, TALK_END, &(struct talk_end){0}, sizeof(struct talk_end));
	}
}

void traffic_stop(struct bench *bench)
{
	struct traffic *traffic = &bench->traffic;

	pool_close(&bench->pool, &bench->link);
	if (traffic->zcb) {
		cpg_zcb_free(bench->link.handle, traffic->message);
	} else {
		free(traffic->message);
	}
	traffic->message = NULL;
	traffic->zcb = false;
	traffic->active = false;
	traffic->echoes_count = 0;
}

static void end(struct bench *bench)
{
	struct talk_end end = {.sent = bench->traffic.sent, .try_again = bench->traffic.try_again};

	bench->traffic.active = false;
	bench_say(bench, TALK_END, &end, sizeof(end));
}

/* --- Messages ------------------------------------------------------------------------------------- */

static enum link_sent send_stamped(struct bench *bench, const struct data_header *header)
{
	struct traffic *traffic = &bench->traffic;
	const struct talk_step *step = &bench->step;
	cpg_guarantee_t guarantee = (cpg_guarantee_t)step->guarantee;
	bool pooled = bench->pool.size > 0;
	void *message = pooled ? pool_next(&bench->pool) : traffic->message;
	enum link_sent sent;

	if (!message) {
		return LINK_AGAIN;
	}
	message_stamp(message, step->size, header, step->verify);
	if (pooled) {
		sent = pool_send(&bench->pool, &bench->link, guarantee);
	} else {
		sent = traffic->zcb ? link_send_zcb(&bench->link, guarantee, message, step->size)
				    : link_send(&bench->link, guarantee, message, step->size);
	}
	traffic->try_again += sent == LINK_AGAIN;
	if (sent == LINK_BROKEN) {
		bench_fail(bench, "sending fails: %s", cs_strerror(bench->link.error));
	}
	return sent;
}

/* One message of this member's own; false when the sender has to wait, or is done. */
static bool send_data(struct bench *bench, uint64_t intended_ns, bool wants_echo)
{
	struct traffic *traffic = &bench->traffic;
	struct data_header header = {.kind = MESSAGE_DATA,
				     .step = step_byte(bench),
				     .wants_echo = wants_echo,
				     .number = traffic->sent,
				     .intended_ns = intended_ns};
	enum link_sent sent = send_stamped(bench, &header);

	if (sent == LINK_REFUSED) {
		if (traffic->sent == 0) {
			refuse(bench);
		} else {
			bench_fail(bench, "refused after %llu messages of the same size: %s",
				   (unsigned long long)traffic->sent,
				   cs_strerror(bench->link.error));
		}
	}
	if (sent != LINK_SENT) {
		return false;
	}
	traffic->sent++;
	traffic->asked += wants_echo;
	return true;
}

static bool send_echoes(struct bench *bench)
{
	struct traffic *traffic = &bench->traffic;

	while (traffic->echoes_count > 0) {
		enum link_sent sent = send_stamped(bench, &traffic->echoes[traffic->echoes_first]);

		if (sent == LINK_REFUSED) {
			bench_fail(bench, "an answer is refused: %s",
				   cs_strerror(bench->link.error));
		}
		if (sent != LINK_SENT) {
			return false;
		}
		traffic->echoes_first = (traffic->echoes_first + 1) % ECHOES_MAX;
		traffic->echoes_count--;
	}
	return true;
}

/* --- The three ways to send ----------------------------------------------------------------------- */

static uint64_t pump_flood(struct bench *bench)
{
	struct traffic *traffic = &bench->traffic;
	uint32_t window = bench->step.window;

	/* With few large messages the window opens late, and has to be filled all the same. */
	if (meter_now_ns() >= traffic->stop_ns && bench->meter.state == METER_CLOSED) {
		end(bench);
		return 0;
	}
	for (uint32_t i = 0; i < traffic->burst; i++) {
		if (window > 0 && traffic->sent - traffic->own >= window) {
			return NOTHING_TO_DO_NS;
		}
		if (!send_data(bench, 0, false)) {
			return BLOCKED_NS;
		}
	}
	return 0;
}

static bool all_back(const struct traffic *traffic)
{
	return traffic->own == traffic->sent && traffic->echoed == traffic->asked;
}

/* In the first half nobody else says anything; in the second each message is answered. */
static uint64_t pump_alone(struct bench *bench)
{
	struct traffic *traffic = &bench->traffic;
	uint64_t now = meter_now_ns();

	if (!all_back(traffic)) {
		return NOTHING_TO_DO_NS;
	}
	if (traffic->in_flight) {
		traffic->in_flight = false;
		traffic->next_ns = now + traffic->every_ns;
	}
	if (now >= traffic->stop_ns) {
		end(bench);
		return 0;
	}
	if (now < traffic->next_ns) {
		return traffic->next_ns - now;
	}
	/* The timer's lateness is not the service's; having to try again is. */
	if (traffic->intended_ns == 0) {
		traffic->intended_ns = now;
	}
	if (!send_data(bench, traffic->intended_ns,
		       bench->members_count > 1 && now >= traffic->ask_ns)) {
		return BLOCKED_NS;
	}
	traffic->intended_ns = 0;
	traffic->in_flight = true;
	return NOTHING_TO_DO_NS;
}

/* The schedule does not wait for the service: a message that goes late counts from when it was meant to go. */
static uint64_t pump_schedule(struct bench *bench)
{
	struct traffic *traffic = &bench->traffic;
	uint64_t now = meter_now_ns();

	for (uint32_t i = 0; i < traffic->burst && traffic->next_ns < traffic->stop_ns; i++) {
		bool wants_echo =
			bench->members_count > 1 && traffic->sent % traffic->echo_every == 0;

		if (traffic->next_ns > now) {
			return traffic->next_ns - now;
		}
		if (!send_data(bench, traffic->next_ns, wants_echo)) {
			return BLOCKED_NS;
		}
		traffic->next_ns += traffic->every_ns;
	}
	if (traffic->next_ns < traffic->stop_ns) {
		return 0;
	}
	if (!all_back(traffic)) {
		return NOTHING_TO_DO_NS;
	}
	end(bench);
	return 0;
}

static bool say(struct bench *bench)
{
	enum link_sent sent =
		link_send(&bench->link, CPG_TYPE_AGREED, bench->talk, bench->talk_size);

	if (sent == LINK_SENT) {
		bench->talk_size = 0;
	} else if (sent != LINK_AGAIN) {
		bench_fail(bench, "the members cannot agree: %s", cs_strerror(bench->link.error));
	}
	return sent == LINK_SENT;
}

uint64_t traffic_pump(struct bench *bench)
{
	if (bench->talk_size > 0 && !say(bench)) {
		return BLOCKED_NS;
	}
	if (bench->stepping && !send_echoes(bench)) {
		return BLOCKED_NS;
	}
	if (!bench->traffic.active) {
		return NOTHING_TO_DO_NS;
	}
	if (bench->step.mode == BENCH_THROUGHPUT) {
		return pump_flood(bench);
	}
	return one_at_a_time(bench) ? pump_alone(bench) : pump_schedule(bench);
}

/* --- Deliveries ----------------------------------------------------------------------------------- */

static void record(const struct traffic *traffic, struct histogram *histogram,
		   const struct data_header *header)
{
	uint64_t now = meter_now_ns();

	if (header->intended_ns >= traffic->record_ns && now >= header->intended_ns) {
		histogram_add(histogram, now - header->intended_ns);
	}
}

void traffic_own(struct bench *bench, const struct data_header *header)
{
	bool counts = !one_at_a_time(bench) || bench->members_count == 1 || !header->wants_echo;

	bench->traffic.own++;
	if (bench->step.mode == BENCH_LATENCY && counts) {
		record(&bench->traffic, &bench->times.own, header);
	}
}

void traffic_other(struct bench *bench, uint32_t from, const struct data_header *header)
{
	struct traffic *traffic = &bench->traffic;
	struct data_header *echo;

	if (!header->wants_echo || (!traffic->message && bench->pool.size == 0) ||
	    (from + 1) % bench->members_count != bench->self) {
		return;
	}
	if (traffic->echoes_count == ECHOES_MAX) {
		bench_fail(bench,
			   "%d answers wait for the service to take them: the rate is too high",
			   ECHOES_MAX);
		return;
	}
	echo = &traffic->echoes[(traffic->echoes_first + traffic->echoes_count++) % ECHOES_MAX];
	*echo = *header;
	echo->kind = MESSAGE_ECHO;
	echo->of = (uint8_t)from;
}

void traffic_echo(struct bench *bench, const struct data_header *header)
{
	if (header->of == bench->self && bench->traffic.echoed < bench->traffic.asked) {
		bench->traffic.echoed++;
		record(&bench->traffic, &bench->times.echo, header);
	}
}
