/* SPDX-License-Identifier: BSD-3-Clause */
/* The sockets: one epoll set, and connections that have not said hello yet. */
#ifndef CORONET_SHM_IO_H
#define CORONET_SHM_IO_H

#include "shm/shm_int.h"

int shm_io_watch(struct transport *t, int fd, enum shm_socket which, uint32_t index);
/* Closes a stranger's connection. */
void shm_io_discard(struct transport *t, int fd);
/* Handles what is ready, without waiting. */
void shm_io_poll(struct transport *t);
/* Drops guests that stay silent. */
void shm_io_tick(struct transport *t);
uint64_t shm_io_deadline_ms(const struct transport *t);
void shm_io_close(struct transport *t);

#endif
