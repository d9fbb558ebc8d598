/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulated network: transport.h between nodes of one process. Faults are asked for by node
 * ids. */
#ifndef CORONET_SIM_NET_H
#define CORONET_SIM_NET_H

#include "tests/sim/sim.h"
#include "transport.h"

extern const struct transport_ops transport_simulated;

int sim_net_new(struct sim *sim, struct sim_net **out);
void sim_net_free(struct sim_net **net);

/* The run whose network the next `open` joins: the contract has no room for it. */
void sim_net_opening(struct sim *sim);

/* The bulk channel breaks; frames delivered but not acknowledged will come again. */
void sim_net_break_bulk(struct sim *sim, uint32_t a, uint32_t b);
/* Both channels break: a random part of what was under way arrives, the rest is lost. Redialled
 * within that time unless cut. */
void sim_net_break(struct sim *sim, uint32_t a, uint32_t b, uint64_t redial_max_ms);
/* Silence in one direction: what is sent stays under way, what came the other way is not
 * acknowledged. Noticed at each end after the ack time-out, if it lasts; then both channels have
 * broken. Cuts are counted: a path is whole again when each has been healed. */
void sim_net_cut(struct sim *sim, uint32_t from, uint32_t to);
void sim_net_heal(struct sim *sim, uint32_t from, uint32_t to);
/* Both directions, whatever lies on them. */
void sim_net_heal_all(struct sim *sim, uint32_t a, uint32_t b);
bool sim_net_linked(struct sim *sim, uint32_t a, uint32_t b);
/* The daemon's process ends now. Call before its engine is freed. */
void sim_net_crash(struct sim *sim, uint32_t node);
/* Whether memory for large messages can now and then not be registered. */
void sim_net_memory_short(struct sim *sim, bool is_short);
/* Frames that found no slot posted, on links that had not stalled: the ring promised too much. */
uint64_t sim_net_not_ready(const struct sim_net *net);

#endif
