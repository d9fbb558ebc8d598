/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory of the ring's that clients keep: counted, lent for reading in place, and taken back by
 * copying what stands in the way. Inside the clients room. */
#ifndef CORONET_CLIENTS_KEEP_H
#define CORONET_CLIENTS_KEEP_H

#include "clients/clients_int.h"

/* pin.c: what a program reads in place */
/* False: the record goes without, and its reader copies. */
bool client_pin_grant(struct client *client, struct event *event);
/* The program uses it now. */
bool client_pinned(const struct client *client, const struct event *event);
/* Its body goes, or has another place. */
void client_pin_uncount(struct client *client, const struct event *event);
void client_pin_free(struct client *client, struct event *event);
/* It was read and its pin is set. */
void client_keep(struct client *client, struct event *event);
/* Lets go of what is not pinned any more. True when there was some. */
bool client_kept_look(struct client *client);
/* The next pin that is cleared rings a bell. True when some were cleared before. */
bool client_kept_arm(struct client *client);

/* hold.c: bodies that clients keep, and how many they may */
void client_hold(struct client *client, struct event *event, struct body *body);
/* Lets go of the body, keeps a copy that was made. */
void client_let_go(struct client *client, struct event *event);
/* Where this process sees the payload of a message event that holds a body. */
const uint8_t *client_payload(const struct event *event);
uint32_t client_slots_share(const struct client *client); /* for those that lag */
/* False: a small payload has to be copied at once. */
bool client_may_hold(const struct client *client, const struct body *body);
/* Bytes of a send region that clients may keep. */
uint64_t clients_region_max(const struct clients *clients, const struct region *region);
/* Too much of the memory that this body lies in is kept. */
bool clients_pressed_by(const struct clients *clients, const struct body *body);
bool clients_pressed(const struct clients *clients);
/* It is time to know what was read: some message may be waiting for that memory. */
bool clients_short(const struct clients *clients);

/* relieve.c: copies what stands in the way of the ring */
/* A bounded amount at a time. True: there is more to copy now. */
bool clients_relieve(struct clients *clients);
/* The connection is ended by us: what stands in its ring is saved for a program that lives on. */
void client_move_all(struct client *client);

/* spill.c: memory of a client's own, and what is in it */
/* Copies a whole payload. False: there is no memory, and the client is doomed. */
bool client_spill(struct client *client, struct event *event, const void *payload);
/* Room for the payload of an event; its bytes are the caller's to copy. */
bool client_spill_begin(struct client *client, struct event *event);
void client_spill_done(struct client *client, struct event *event);
void client_unspill(struct client *client, struct event *event);
void client_chunks_close(struct client *client);

#endif
