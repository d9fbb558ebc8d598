/* SPDX-License-Identifier: BSD-3-Clause */
/* A pipeline: the members of a group send each other large messages that no processor copies. Each writes its messages into buffers
 * that they are sent from, as many on their way at once as there are buffers; it reads what comes where it has arrived, and keeps the
 * last few messages readable, as a program does that compares a picture with those before it. At the end it prints what was copied.
 *
 *	cc pipeline.c -o pipeline $(pkg-config --cflags --libs libcpg)
 *	./pipeline [MESSAGES [BYTES]]
 *
 * Who is to send no messages listens until all the others have come and gone.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <coronet/cpg.h>

#define HELD_COUNT 3
/* A buffer does not come back while its message is held, and own messages are held as well. So there have to be more. */
#define BUFFER_COUNT (HELD_COUNT + 4)

struct held {
	const char *message; /* NULL: none */
	size_t size;
	uint64_t first; /* word of it */
};

struct pipeline {
	cpg_handle_t handle;
	uint32_t node, pid; /* ours */
	cs_error_t error;

	void *buffers[BUFFER_COUNT];
	void *idle[BUFFER_COUNT]; /* those that are ours now */
	unsigned int idle_count;
	void *written; /* one with the next message in it, or NULL */
	size_t size;
	uint64_t to_send, sent;
	bool refused;

	uint64_t received, returned, spoiled; /* returned: of our own */
	struct held held[HELD_COUNT];	      /* message n in place n modulo HELD_COUNT */
	bool met, alone;
};

static struct pipeline *pipeline_of(cpg_handle_t handle)
{
	void *context = NULL;

	cpg_context_get(handle, &context);
	return context;
}

/* --- What is in a message ------------------------------------------------------------------------- */

/* Words that count up from one that no other message begins with. */
static void write_message(const struct pipeline *pipeline, uint64_t *words)
{
	uint64_t first = (uint64_t)pipeline->pid << 48 | pipeline->sent << 24;

	for (size_t i = 0; i < pipeline->size / sizeof(*words); i++) {
		words[i] = first + i;
	}
}

/* In place, a message may begin at any address. */
static uint64_t word(const struct held *held, size_t index)
{
	uint64_t value = 0;

	if (index < held->size / sizeof(value)) {
		memcpy(&value, held->message + index * sizeof(value), sizeof(value));
	}
	return value;
}

static bool intact(const struct held *held)
{
	size_t i = 0;

	while (i < held->size / sizeof(uint64_t) && word(held, i) == held->first + i) {
		i++;
	}
	return i == held->size / sizeof(uint64_t);
}

/* --- Receiving ------------------------------------------------------------------------------------ */

static void let_go(struct pipeline *pipeline, struct held *held)
{
	if (held->message) {
		pipeline->spoiled += !intact(held);
		coronet_cpg_release(pipeline->handle, held->message);
		held->message = NULL;
	}
}

static void deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t nodeid,
		    uint32_t pid, void *message, size_t size)
{
	struct pipeline *pipeline = pipeline_of(handle);
	struct held *held = &pipeline->held[pipeline->received++ % HELD_COUNT];
	cs_error_t error;

	(void)group;
	let_go(pipeline, held);
	error = coronet_cpg_hold(handle, message);
	if (error != CS_OK) {
		pipeline->error = error;
	} else {
		*held = (struct held){.message = message, .size = size};
		held->first = word(held, 0);
		pipeline->spoiled += !intact(held);
	}
	pipeline->returned += nodeid == pipeline->node && pid == pipeline->pid;
}

static void changed(cpg_handle_t handle, const struct cpg_name *group,
		    const struct cpg_address *members, size_t member_count,
		    const struct cpg_address *left, size_t left_count,
		    const struct cpg_address *joined, size_t joined_count)
{
	struct pipeline *pipeline = pipeline_of(handle);

	(void)group;
	(void)members;
	(void)left;
	(void)left_count;
	(void)joined;
	(void)joined_count;
	pipeline->alone = member_count <= 1;
	pipeline->met = pipeline->met || !pipeline->alone;
}

/* --- Sending -------------------------------------------------------------------------------------- */

static void completed(cpg_handle_t handle, void *buffer)
{
	struct pipeline *pipeline = pipeline_of(handle);

	pipeline->idle[pipeline->idle_count++] = buffer;
}

static void sendable(cpg_handle_t handle)
{
	pipeline_of(handle)->refused = false;
}

static cs_error_t get_buffers(struct pipeline *pipeline)
{
	cs_error_t error = CS_OK;

	while (error == CS_OK && pipeline->to_send > 0 && pipeline->idle_count < BUFFER_COUNT) {
		void **buffer = &pipeline->buffers[pipeline->idle_count];

		error = coronet_cpg_zcb_alloc(pipeline->handle, pipeline->size, buffer);
		if (error == CS_OK) {
			pipeline->idle[pipeline->idle_count++] = *buffer;
		}
	}
	return error;
}

/* A buffer with the next message in it; false when all buffers are on their way. */
static bool next_is_written(struct pipeline *pipeline)
{
	if (!pipeline->written && pipeline->idle_count > 0) {
		pipeline->written = pipeline->idle[--pipeline->idle_count];
		write_message(pipeline, pipeline->written);
	}
	return pipeline->written != NULL;
}

/* As much as there is room for. When there is none, sendable() will be called. */
static cs_error_t send_on(struct pipeline *pipeline)
{
	cs_error_t error = CS_OK;

	while (error == CS_OK && !pipeline->refused && pipeline->sent < pipeline->to_send &&
	       next_is_written(pipeline)) {
		error = coronet_cpg_zcb_mcast_joined(pipeline->handle, CPG_TYPE_AGREED,
						     pipeline->written, pipeline->size);
		if (error == CS_OK) {
			pipeline->written = NULL;
			pipeline->sent++;
		} else if (error == CS_ERR_TRY_AGAIN) {
			pipeline->refused = true;
		}
	}
	return error == CS_ERR_TRY_AGAIN ? CS_OK : error;
}

/* --- The whole ------------------------------------------------------------------------------------ */

static void wait_a_little(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
}

static cs_error_t enter(struct pipeline *pipeline)
{
	static const struct cpg_name group = {.length = 8, .value = "pipeline"};
	coronet_cpg_model_data_t model = {.model = CORONET_CPG_MODEL,
					  .cpg_deliver_fn = deliver,
					  .cpg_confchg_fn = changed,
					  .flags = CORONET_CPG_DELIVER_IN_PLACE,
					  .size = sizeof(model),
					  .completed_fn = completed,
					  .sendable_fn = sendable};
	cs_error_t error;

	while ((error = cpg_model_initialize(&pipeline->handle, CORONET_CPG_MODEL,
					     (cpg_model_data_t *)&model, pipeline)) ==
	       CS_ERR_TRY_AGAIN) {
		wait_a_little();
	}
	if (error == CS_OK) {
		error = cpg_local_get(pipeline->handle, &pipeline->node);
	}
	while (error == CS_OK && (error = cpg_join(pipeline->handle, &group)) == CS_ERR_TRY_AGAIN) {
		wait_a_little();
		error = CS_OK;
	}
	return error;
}

static bool done(const struct pipeline *pipeline)
{
	return pipeline->to_send > 0 ? pipeline->returned == pipeline->to_send
				     : pipeline->met && pipeline->alone;
}

static cs_error_t run(struct pipeline *pipeline)
{
	struct pollfd ready = {.events = POLLIN};
	cs_error_t error = get_buffers(pipeline);

	cpg_fd_get(pipeline->handle, &ready.fd);
	while (error == CS_OK && !done(pipeline)) {
		error = send_on(pipeline);
		if (error == CS_OK) {
			poll(&ready, 1, -1);
			error = cpg_dispatch(pipeline->handle, CS_DISPATCH_ALL);
		}
		error = error == CS_OK ? pipeline->error : error;
	}
	return error;
}

static cs_error_t report(struct pipeline *pipeline)
{
	struct coronet_cpg_stats stats;
	cs_error_t error = coronet_cpg_stats_get(pipeline->handle, &stats, sizeof(stats));

	if (error == CS_OK) {
		printf("sent %" PRIu64 " messages, %" PRIu64 " bytes, of which copied %" PRIu64
		       "\n",
		       stats.messages_sent, stats.bytes_sent, stats.bytes_copied_sending);
		printf("received %" PRIu64 " messages, %" PRIu64 " bytes, of which copied %" PRIu64
		       "; held %" PRIu64 "\n",
		       stats.messages_delivered, stats.bytes_delivered,
		       stats.bytes_copied_delivering, stats.messages_held);
	}
	return error;
}

/* Step by step; cpg_finalize() alone does the same. */
static void leave(struct pipeline *pipeline)
{
	for (unsigned int i = 0; i < HELD_COUNT; i++) {
		let_go(pipeline, &pipeline->held[i]);
	}
	for (unsigned int i = 0; i < BUFFER_COUNT; i++) {
		if (pipeline->buffers[i]) {
			coronet_cpg_zcb_free(pipeline->handle, pipeline->buffers[i]);
		}
	}
	cpg_finalize(pipeline->handle);
}

int main(int argc, char **argv)
{
	struct pipeline pipeline = {.pid = (uint32_t)getpid(), .error = CS_OK};
	cs_error_t error;

	pipeline.to_send = argc > 1 ? strtoull(argv[1], NULL, 10) : 100;
	pipeline.size = argc > 2 ? strtoull(argv[2], NULL, 10) : 2u << 20;
	error = enter(&pipeline);
	if (error == CS_OK) {
		error = run(&pipeline);
	}
	if (error == CS_OK) {
		error = report(&pipeline);
	}
	leave(&pipeline);
	if (error != CS_OK) {
		fprintf(stderr, "pipeline: %s\n", cs_strerror(error));
		return 1;
	}
	if (pipeline.spoiled > 0) {
		fprintf(stderr, "pipeline: %" PRIu64 " messages are not what was sent\n",
			pipeline.spoiled);
		return 1;
	}
	return 0;
}
