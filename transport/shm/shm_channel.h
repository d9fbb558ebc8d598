/* SPDX-License-Identifier: BSD-3-Clause */
/* A channel: one socket, two mails, and the counts that are true because they are private. */
#ifndef CORONET_SHM_CHANNEL_H
#define CORONET_SHM_CHANNEL_H

#include <string.h>

#include "shm/shm_int.h"

/* Makes our mail; *fd is the caller's to send and close. */
int shm_channel_offer(struct shm_channel *channel, uint32_t entries, size_t entry_size, int *fd);
/* Maps the other side's mail; its ring has `entries` entries: a power of two, or -EPROTO. */
int shm_channel_attach(struct shm_channel *channel, int fd, uint32_t entries, size_t entry_size);
/* From now on the other side takes nothing through it. Unmaps, closes, forgets; harmless on a
 * closed channel. */
void shm_channel_close(struct shm_channel *channel);

/* Copies from memory that another process writes; the compiler may not look at the source again
 * afterwards. */
static inline void shm_copy_in(void *to, const void *from, size_t size_bytes)
{
	memcpy(to, from, size_bytes);
	atomic_signal_fence(memory_order_acq_rel);
}

/* True when the other side has taken back what it lent us through this channel. After a copy
 * from its memory: what was copied is worthless then. The fence keeps the copy's loads before
 * the load of the flag (the reader's half of a seqlock); the writer's half is in
 * shm_channel_close. */
static inline bool shm_channel_closed(const struct shm_channel *channel)
{
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&shm_mail_of(&channel->theirs)->closed, memory_order_relaxed);
}

/* Entries of theirs not taken yet. More than their ring has: they lie. Acquire: the entries are
 * as they were when counted. Sequentially consistent, with the bell: either we see the count, or
 * they see us asleep. */
static inline uint64_t shm_channel_ready(const struct shm_channel *channel)
{
	const struct shm_mail *mail = shm_mail_of(&channel->theirs);

	return atomic_load_explicit(&mail->produced, memory_order_seq_cst) - channel->taken;
}

/* Entries of ours that they took since `acked`. More than are out: they lie. Acquire: their
 * reading of the entries is over. */
static inline uint64_t shm_channel_taken(const struct shm_channel *channel)
{
	const struct shm_mail *mail = shm_mail_of(&channel->theirs);

	return atomic_load_explicit(&mail->consumed, memory_order_seq_cst) - channel->acked;
}

/* Shows the entries up to `produced`. */
static inline void shm_channel_publish(struct shm_channel *channel)
{
	atomic_store_explicit(&shm_mail_of(&channel->own)->produced, channel->produced,
			      memory_order_seq_cst);
}

/* Before we sleep. Sequentially consistent with taking and with the bell: either we see what was
 * taken, or they see what we wait for. */
static inline void shm_channel_wake_when(struct shm_channel *channel, uint64_t taken)
{
	atomic_store_explicit(&shm_mail_of(&channel->own)->wake_at, taken, memory_order_seq_cst);
}

static inline uint64_t shm_channel_wake_at(const struct shm_channel *channel)
{
	return atomic_load_explicit(&shm_mail_of(&channel->theirs)->wake_at, memory_order_seq_cst);
}

/* Gives the entries up to `taken` back. */
static inline void shm_channel_consume(struct shm_channel *channel)
{
	atomic_store_explicit(&shm_mail_of(&channel->own)->consumed, channel->taken,
			      memory_order_seq_cst);
}

static inline void *shm_channel_entry(const struct shm_map *map, uint64_t number, uint32_t entries,
				      size_t entry_size)
{
	return shm_mail_of(map)->entries + (size_t)(number & (entries - 1)) * entry_size;
}

#endif
