/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that messages lie in beside the slab: whose it is, and which clients know it. */
#ifndef CORONET_CLIENTS_REGION_H
#define CORONET_CLIENTS_REGION_H

#include "clients/clients_int.h"

void client_region_new(struct client *client, const struct ipc_request *request);
void client_region_free(struct client *client, const struct ipc_request *request);
/* A segment of large messages, as memory to be announced; NULL: no memory to know it by. */
struct region *clients_segment(struct clients *clients, uint32_t id);
struct region *client_region(const struct client *client, uint64_t serial);
/* The client is going: its regions stay until the ring has let go of them. */
void client_regions_close(struct client *client);
/* The clients end before the engine, which frees what it needs longer. */
void clients_forget_region(struct clients *clients, uint32_t id);
/* Tells the client of memory that events will name, if it was not told before. 0; -EAGAIN: when the
 * side socket has room; -ETOOMANYREFS: later; else it cannot be told. */
int client_announce_chunk(struct client *client, struct chunk *chunk);
int client_announce_region(struct client *client, struct region *region);
/* Sealed memory, and a second descriptor for those who may only read it. */
int clients_memory_new(const char *name, uint64_t size, struct ipc_memory *memory, int *shown_fd);

#endif
