/* SPDX-License-Identifier: BSD-3-Clause */
/* coronet_cpg_stats_get(3). */
#include <coronet/cpg.h>

#include <string.h>

#include "lib/instance.h"

static void gather(struct instance *instance, struct coronet_cpg_stats *stats)
{
	struct sending *sending = &instance->sending;
	struct events *events = &instance->events;

	pthread_mutex_lock(&sending->lock);
	stats->messages_sent = sending->sent;
	stats->bytes_sent = sending->sent_bytes;
	stats->bytes_copied_sending = sending->copied_bytes;
	pthread_mutex_unlock(&sending->lock);
	pthread_mutex_lock(&events->lock);
	stats->messages_delivered = events->delivered;
	stats->bytes_delivered = events->delivered_bytes;
	stats->bytes_copied_delivering = events->copied_bytes;
	stats->messages_held = events->held;
	pthread_mutex_unlock(&events->lock);
}

cs_error_t coronet_cpg_stats_get(cpg_handle_t handle, struct coronet_cpg_stats *stats, size_t size)
{
	struct instance *instance = instance_get(handle);
	struct coronet_cpg_stats now = {0};

	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	if (stats) {
		gather(instance, &now);
		memset(stats, 0, size);
		memcpy(stats, &now, size < sizeof(now) ? size : sizeof(now));
	}
	instance_put(instance);
	return stats ? CS_OK : CS_ERR_INVALID_PARAM;
}
