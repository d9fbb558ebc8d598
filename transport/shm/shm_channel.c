/* SPDX-License-Identifier: BSD-3-Clause */
/* Making, attaching and closing channels. */
#include "shm/shm_channel.h"

#include <errno.h>
#include <unistd.h>

static size_t mail_size(uint32_t entries, size_t entry_size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (sizeof(struct shm_mail) + entries * entry_size + page - 1) / page * page;
}

int shm_channel_offer(struct shm_channel *channel, uint32_t entries, size_t entry_size, int *fd)
{
	channel->own_entries = entries;
	return shm_share_new("coronet-shm-mail", mail_size(entries, entry_size), &channel->own, fd);
}

int shm_channel_attach(struct shm_channel *channel, int fd, uint32_t entries, size_t entry_size)
{
	if (entries == 0 || entries > SHM_BULK_ENTRIES_MAX || (entries & (entries - 1)) != 0) {
		return -EPROTO;
	}
	channel->their_entries = entries;
	return shm_share_attach(fd, mail_size(entries, entry_size), &channel->theirs);
}

void shm_channel_close(struct shm_channel *channel)
{
	if (channel->own.base) {
		/* Before anything that happens to lent memory from here on. */
		atomic_store_explicit(&shm_mail_of(&channel->own)->closed, 1, memory_order_relaxed);
		atomic_thread_fence(memory_order_release);
	}
	shm_share_drop(&channel->own);
	shm_share_drop(&channel->theirs);
	if (channel->fd >= 0) {
		close(channel->fd);
	}
	*channel = (struct shm_channel){.fd = -1};
}
