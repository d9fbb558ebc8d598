/* SPDX-License-Identifier: BSD-3-Clause */
/* Two members, of which one sends; each prints what its library copied. Linked to libcpg only.
 *
 *   copies send|listen copied|handed stock|place MESSAGES BYTES
 *
 * copied: cpg_mcast_joined(3); handed: coronet_cpg_zcb_mcast_joined(3). The sender waits for each message to come back before
 * it sends the next, so nobody is ever slow.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include <coronet/cpg.h>

#define PATIENCE_MS 20000

static unsigned long received;
static unsigned long spoiled;
static size_t members;
static bool given_back;

static void deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t nodeid,
		    uint32_t pid, void *message, size_t size)
{
	const uint8_t *bytes = message;

	(void)handle;
	(void)group;
	(void)nodeid;
	(void)pid;
	for (size_t i = 0; i < size; i++) {
		spoiled += bytes[i] != (uint8_t)(received + i);
	}
	received++;
}

static void changed(cpg_handle_t handle, const struct cpg_name *group,
		    const struct cpg_address *now, size_t now_count, const struct cpg_address *left,
		    size_t left_count, const struct cpg_address *joined, size_t joined_count)
{
	(void)handle;
	(void)group;
	(void)now;
	(void)left;
	(void)left_count;
	(void)joined;
	(void)joined_count;
	/* The other may come, send all and go before we have looked. */
	members = now_count > members ? now_count : members;
}

static void completed(cpg_handle_t handle, void *buffer)
{
	(void)handle;
	(void)buffer;
	given_back = true;
}

static void fail(const char *what, cs_error_t error)
{
	fprintf(stderr, "%s: %s\n", what, cs_strerror(error));
	exit(1);
}

static void dispatch(cpg_handle_t handle)
{
	struct pollfd ready = {.events = POLLIN};
	cs_error_t error;

	cpg_fd_get(handle, &ready.fd);
	if (poll(&ready, 1, PATIENCE_MS) == 0) {
		fail("nothing comes", CS_ERR_TIMEOUT);
	}
	error = cpg_dispatch(handle, CS_DISPATCH_ALL);
	if (error != CS_OK) {
		fail("cpg_dispatch", error);
	}
}

/* The same bytes are expected by deliver(). */
static void fill(uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		bytes[i] = (uint8_t)(received + i);
	}
}

static cs_error_t send_one(cpg_handle_t handle, bool handed, void *bytes, size_t size)
{
	struct iovec whole = {bytes, size};

	fill(bytes, size);
	given_back = !handed;
	return handed ? coronet_cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, bytes, size)
		      : cpg_mcast_joined(handle, CPG_TYPE_AGREED, &whole, 1);
}

static void send_all(cpg_handle_t handle, bool handed, unsigned long count, size_t size)
{
	void *bytes = handed ? NULL : malloc(size);
	cs_error_t error = handed ? coronet_cpg_zcb_alloc(handle, size, &bytes) : CS_OK;

	if (error != CS_OK || !bytes) {
		fail("a buffer", error);
	}
	for (unsigned long i = 0; i < count; i++) {
		do {
			error = send_one(handle, handed, bytes, size);
		} while (error == CS_ERR_TRY_AGAIN && poll(NULL, 0, 10) == 0);
		if (error != CS_OK) {
			fail("sending", error);
		}
		while (received == i || !given_back) {
			dispatch(handle);
		}
	}
	if (!handed) {
		free(bytes);
	}
}

int main(int argc, char **argv)
{
	coronet_cpg_model_data_t model = {.model = CORONET_CPG_MODEL,
					  .cpg_deliver_fn = deliver,
					  .cpg_confchg_fn = changed,
					  .size = sizeof(model),
					  .completed_fn = completed};
	struct cpg_name group;
	struct coronet_cpg_stats stats;
	cpg_handle_t handle;
	unsigned long count;
	cs_error_t error;

	if (argc != 6) {
		fprintf(stderr,
			"usage: copies send|listen copied|handed stock|place MESSAGES BYTES\n");
		return 2;
	}
	/* A group of its own for each way: in a common one the members of the last may not have left. */
	group.length = (uint32_t)snprintf(group.value, sizeof(group.value), "%s %s %s", argv[2],
					  argv[3], argv[5]);
	count = strtoul(argv[4], NULL, 0);
	model.flags = strcmp(argv[3], "place") == 0 ? CORONET_CPG_DELIVER_IN_PLACE : 0;
	error = cpg_model_initialize(&handle, CORONET_CPG_MODEL, (cpg_model_data_t *)&model, NULL);
	error = error == CS_OK ? cpg_join(handle, &group) : error;
	if (error != CS_OK) {
		fail("cpg_join", error);
	}
	while (members < 2) {
		dispatch(handle);
	}
	if (strcmp(argv[1], "send") == 0) {
		send_all(handle, strcmp(argv[2], "handed") == 0, count, strtoul(argv[5], NULL, 0));
	}
	while (received < count) {
		dispatch(handle);
	}
	coronet_cpg_stats_get(handle, &stats, sizeof(stats));
	printf("%s %llu %llu\n", spoiled == 0 ? "intact" : "spoiled",
	       (unsigned long long)stats.bytes_copied_sending,
	       (unsigned long long)stats.bytes_copied_delivering);
	cpg_finalize(handle);
	return 0;
}
