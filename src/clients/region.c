/* SPDX-License-Identifier: BSD-3-Clause */
/* Send memory: made for one client, which alone may write it; shown read-only to the clients that
 * its messages go to. */
#include "clients/region.h"
#include "clients/user.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <syslog.h>
#include <unistd.h>

#include "store/mark.h"

#define REGIONS_PER_CLIENT 64u
#define SHOWN_MAX	   4096u /* descriptors */
#define ANNOUNCED_MAX	   64u	 /* descriptors in one side socket */
#define ANNOUNCED_MORE	   16u	 /* for a client that has read all its events */
#define MEMORY_LINES	   10	 /* a minute */

/* An opening of another node's memory that a client has got. */
struct shown {
	struct list of_region;
	struct list of_client;
	int fd;
};

struct region *client_region(const struct client *client, uint64_t serial)
{
	list_for_each(it, &client->regions) {
		struct region *region = list_entry(it, struct region, link);

		if (region->serial == serial) {
			return region;
		}
	}
	return NULL;
}

static void set_known(struct client *client, uint32_t id, bool known)
{
	uint64_t bit = 1ull << (id % 64);

	if (known) {
		client->known[id / 64] |= bit;
	} else {
		client->known[id / 64] &= ~bit;
	}
}

static bool is_known(const struct client *client, uint32_t id)
{
	return client->known[id / 64] & (1ull << (id % 64));
}

/* No message of the client's lies there any more. If it sleeps it does not hear of that, and keeps the memory
 * mapped; its owner need not wait for it. */
static void show_no_more(struct clients *clients, struct shown *shown)
{
	mark_take_off(shown->fd);
	list_remove(&shown->of_region);
	list_remove(&shown->of_client);
	clients->shown--;
	free(shown);
}

static void show_nobody(struct clients *clients, struct region *region)
{
	list_for_each_safe(it, after, &region->shown)
	{
		show_no_more(clients, list_entry(it, struct shown, of_region));
	}
}

/* Beyond SHOWN_MAX a mark lasts until the client has unmapped the memory. */
static void remember_shown(struct client *client, struct region *region, int fd)
{
	struct clients *clients = client->clients;
	struct shown *shown = clients->shown < SHOWN_MAX ? calloc(1, sizeof(*shown)) : NULL;

	if (!shown) {
		close(fd);
		return;
	}
	shown->fd = fd;
	list_append(&region->shown, &shown->of_region);
	list_append(&client->shown, &shown->of_client);
	clients->shown++;
}

/* Clients that have mapped it are told to let go of it. */
static void tell_gone(struct clients *clients, uint32_t id, uint64_t serial)
{
	list_for_each(it, &clients->all) {
		struct client *client = list_entry(it, struct client, link);
		struct event *event;

		if (client->state == CLIENT_CLOSED || !is_known(client, id)) {
			continue;
		}
		set_known(client, id, false);
		event = client_event_new(client, IPC_EVENT_GONE, 0);
		if (event) {
			event->head.region = serial;
			client_event_queue(client, event);
		}
	}
}

/* From the engine, when the last message in the region is released. */
static void region_freed(void *arg, uint32_t id)
{
	struct region *region = arg;

	if (region->clients) {
		region->clients->regions[id] = NULL;
		region->clients->stats.send_bytes -= region->memory.size;
		user_region_gone(region->user, region->memory.size);
		tell_gone(region->clients, id, region->serial);
	}
	ipc_memory_free(&region->memory);
	close(region->shown_fd);
	free(region);
}

/* Known here from when the first message in it is shown to a client. */
struct region *clients_segment(struct clients *clients, uint32_t id)
{
	struct transport_region memory;
	struct region *region = clients->regions[id];

	if (region || !engine_segment(clients->engine, id, &memory)) {
		return region;
	}
	region = calloc(1, sizeof(*region));
	if (region) {
		list_init(&region->link);
		region->clients = clients;
		region->id = id;
		region->serial = ++clients->region_serial;
		region->memory.size = memory.size_bytes;
		region->shown_fd = memory.fd;
		clients->regions[id] = region;
	}
	return region;
}

/* The descriptor is the engine's. */
void clients_region_gone(struct clients *clients, uint32_t id)
{
	struct region *region = clients ? clients->regions[id] : NULL;

	if (region) {
		if (region->foreign) {
			show_nobody(clients, region);
		}
		clients->regions[id] = NULL;
		tell_gone(clients, id, region->serial);
		free(region);
	}
}

int clients_memory_new(const char *name, uint64_t size, struct ipc_memory *memory, int *shown_fd)
{
	int err = ipc_memory_new(name, size, memory);

	if (err) {
		return err;
	}
	*shown_fd = ipc_memory_open_readonly(memory);
	if (*shown_fd < 0) {
		ipc_memory_free(memory);
		return *shown_fd;
	}
	return 0;
}

static uint32_t free_id(struct clients *clients)
{
	for (uint32_t i = 1; i < ENGINE_REGIONS_MAX; i++) {
		uint32_t id = 1 + (clients->region_hint + i) % (ENGINE_REGIONS_MAX - 1);

		if (!clients->regions[id]) {
			clients->region_hint = id;
			return id;
		}
	}
	return 0;
}

static int add_to_engine(struct clients *clients, struct region *region)
{
	/* Peers on this host get what other clients get. */
	struct transport_region memory = {.base = region->memory.base,
					  .size_bytes = region->memory.size,
					  .fd = region->shown_fd,
					  .remote_read = true};

	region->id = free_id(clients);
	return region->id == 0 ? -ENOSPC : engine_region_add(clients->engine, region->id, &memory);
}

static int region_new(struct client *client, uint64_t size, struct region **out)
{
	struct clients *clients = client->clients;
	struct region *region = calloc(1, sizeof(*region));
	int err;

	if (!region) {
		return -ENOMEM;
	}
	err = clients_memory_new("coronet-send", size, &region->memory, &region->shown_fd);
	if (err) {
		free(region);
		return err;
	}
	err = add_to_engine(clients, region);
	if (err) {
		ipc_memory_free(&region->memory);
		close(region->shown_fd);
		free(region);
		return err;
	}
	region->clients = clients;
	region->client = client;
	region->user = client->user;
	user_region_added(region->user, region->memory.size);
	region->serial = ++clients->region_serial;
	clients->regions[region->id] = region;
	clients->stats.send_bytes += region->memory.size;
	list_append(&client->regions, &region->link);
	client->regions_size += region->memory.size;
	client->regions_count++;
	*out = region;
	return 0;
}

int clients_foreign(struct clients *clients, const struct engine_foreign *foreign, uint32_t *out)
{
	struct region *region;

	if (!clients) {
		return -ENOENT;
	}
	region = calloc(1, sizeof(*region));
	if (!region) {
		return -ENOMEM;
	}
	list_init(&region->link);
	region->id = free_id(clients);
	if (region->id == 0) {
		free(region);
		return -ENOSPC;
	}
	region->clients = clients;
	region->foreign = true;
	list_init(&region->shown);
	region->mark = foreign->mark;
	region->memory = (struct ipc_memory){.base = (void *)(uintptr_t)foreign->map.base,
					     .size = foreign->map.size_bytes,
					     .fd = -1};
	region->shown_fd = foreign->map.fd;
	region->serial = ++clients->region_serial;
	clients->regions[region->id] = region;
	*out = region->id;
	return 0;
}

void clients_forget_region(struct clients *clients, uint32_t id)
{
	struct region *region = clients->regions[id];

	if (region && region->foreign) {
		show_nobody(clients, region);
	}
	if (region && (region->foreign || id >= ENGINE_REGIONS_MAX)) {
		free(region);
	} else if (region) {
		region->clients = NULL;
		region->user = NULL;
	}
	clients->regions[id] = NULL;
}

static void log_no_memory(const struct client *client, uint64_t size, const char *why)
{
	struct clients *clients = client->clients;
	uint32_t unlogged;

	if (seldom_due(&clients->logged.memory, MEMORY_LINES, clients_now(clients), &unlogged)) {
		clients_log(clients, LOG_WARNING,
			    "no send memory of %llu bytes for client pid %d uid %u: %s" SELDOM_MORE,
			    (unsigned long long)size, client->cred.pid, client->cred.uid, why,
			    unlogged);
	}
}

static cs_error_t check_limits(const struct client *client, uint64_t size)
{
	uint64_t max = client->clients->config.send_max_bytes;

	if (size == 0 || size > max) {
		return CS_ERR_TOO_BIG;
	}
	if (!user_may_send_from(client->clients, client->user, ipc_round_to_pages(size))) {
		log_no_memory(client, size,
			      "its user has all that one may have (clients.user_memory_max)");
		return CS_ERR_TRY_AGAIN;
	}
	return size > max - client->regions_size || client->regions_count >= REGIONS_PER_CLIENT
		       ? CS_ERR_TRY_AGAIN
		       : CS_OK;
}

void client_region_new(struct client *client, const struct ipc_request *request)
{
	uint64_t size = request->value;
	cs_error_t status = check_limits(client, size);
	struct region *region = NULL;
	struct ipc_fds fds = {.count = 1};
	int err;

	if (status == CS_OK) {
		err = region_new(client, size, &region);
		if (err) {
			log_no_memory(client, size, strerror(-err));
			status = CS_ERR_NO_MEMORY;
		}
	}
	if (status != CS_OK) {
		client_reply(client, IPC_REGION_NEW, status, 0, NULL, 0, NULL);
		return;
	}
	fds.fd[0] = region->memory.fd;
	client_reply(client, IPC_REGION_NEW, CS_OK, region->serial, NULL, 0, &fds);
}

static void let_go(struct region *region)
{
	struct client *client = region->client;

	list_remove(&region->link);
	client->regions_size -= region->memory.size;
	client->regions_count--;
	region->client = NULL;
	engine_region_remove(client->clients->engine, region->id, region_freed, region);
}

void client_region_free(struct client *client, const struct ipc_request *request)
{
	struct region *region = client_region(client, request->value);

	if (region) {
		let_go(region);
	} else {
		client_doom(client, "it gives back memory that is not its own");
	}
}

void client_regions_close(struct client *client)
{
	list_for_each_safe(it, after, &client->shown)
	{
		show_no_more(client->clients, list_entry(it, struct shown, of_client));
	}
	while (!list_empty(&client->regions)) {
		let_go(list_entry(client->regions.next, struct region, link));
	}
}

/* The system lets an unprivileged daemon have so many descriptors in sockets altogether: who takes none out
 * of his must not use them up. An honest program that has read all its events may still find some there, but
 * takes them with the next event. */
static bool takes_descriptors(struct client *client)
{
	bool read_all = client->writer.consumed == client->writer.shown;
	int unread = 0;

	if (client->announced > 0 && ioctl(client->side_fd, SIOCOUTQ, &unread) == 0 &&
	    unread == 0) {
		client->announced = 0;
	}
	return client->announced < ANNOUNCED_MAX + (read_all ? ANNOUNCED_MORE : 0);
}

static int announce(struct client *client, uint64_t serial, uint64_t size, int fd)
{
	struct ipc_side announced = {.region = serial, .size = size};
	struct ipc_fds fds = {.count = 1, .fd = {fd}};
	int err;

	if (!takes_descriptors(client)) {
		return -ETOOMANYREFS;
	}
	err = ipc_send_packet(client->side_fd, &announced, sizeof(announced), NULL, 0, &fds,
			      MSG_DONTWAIT);
	client->announced += err == 0;
	return err;
}

/* Each client has an opening of its own: no other can take its mark away. */
static int announce_foreign(struct client *client, struct region *region)
{
	int fd;
	int err = mark_open(region->shown_fd, region->mark, &fd);

	if (!err) {
		err = announce(client, region->serial, region->memory.size, fd);
		if (err) {
			close(fd);
		} else {
			remember_shown(client, region, fd);
		}
	}
	return err;
}

int client_announce_region(struct client *client, struct region *region)
{
	int err = 0;

	if (!is_known(client, region->id)) {
		err = region->foreign ? announce_foreign(client, region)
				      : announce(client, region->serial, region->memory.size,
						 region->shown_fd);
		if (!err) {
			set_known(client, region->id, true);
		}
	}
	return err;
}

int client_announce_chunk(struct client *client, struct chunk *chunk)
{
	int err = 0;

	if (!chunk->announced) {
		err = announce(client, chunk->serial, chunk->memory.size, chunk->shown_fd);
		chunk->announced = err == 0;
	}
	return err;
}
