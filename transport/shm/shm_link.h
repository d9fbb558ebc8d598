/* SPDX-License-Identifier: BSD-3-Clause */
/* The life of a link to one peer: dialling, losing, finding out whether the peer's process
 * ended. */
#ifndef CORONET_SHM_LINK_H
#define CORONET_SHM_LINK_H

#include "shm/shm_int.h"
#include "shm/shm_sock.h"

/* About us, for this peer; `kind` HELLO, WELCOME or REJECT. */
struct shm_msg shm_link_hello(const struct transport *t, enum shm_msg_kind kind,
			      enum shm_purpose purpose, uint32_t to);

/* Takes what waits in the control socket. Cuts nothing: sets `hung` and `broken`. False: there may be more. */
bool shm_link_listen(struct shm_peer *peer);
/* A socket of the peer's has something. */
void shm_link_socket(struct shm_peer *peer, enum shm_socket which);
/* Whatever is due now: time-outs, dialling, cutting what hung up or broke a rule. */
void shm_link_tick(struct shm_peer *peer);
/* SHM_NEVER when only the other side can change something. */
uint64_t shm_link_deadline_ms(const struct shm_peer *peer);
/* Whether a link that hung up or broke a rule waits for shm_link_tick. */
bool shm_link_dying(const struct shm_peer *peer);

/* Returns everything lent, unmaps everything; no report. */
void shm_link_cut(struct shm_peer *peer);
/* Cut, with PEER_DOWN to follow if the owner knew the link. */
void shm_link_lost(struct shm_peer *peer);
/* It is known whether the process behind the lost link ended. */
void shm_link_verdict(struct shm_peer *peer, bool gone);
/* Both channels work. */
void shm_link_bulk_up(struct shm_peer *peer);
void shm_link_bulk_lost(struct shm_peer *peer);

/* Whether there may be a new link now; if not, *wait_ms is for how long not (may be NULL). */
bool shm_link_allowed(const struct shm_peer *peer, uint64_t *wait_ms);
/* Both mails of the control channel are there. */
void shm_link_join(struct shm_peer *peer);

/* Whether the owner may send and read: the link works, and the owner has heard of it, not only
 * of one before. */
bool shm_link_usable(const struct shm_peer *peer);

#endif
