/* SPDX-License-Identifier: BSD-3-Clause */
/* A small cluster of rings for the unit tests: virtual time, links that behave like reliable
 * connections (in order, nothing lost while up; a break loses an unknown tail), frames that are
 * counted, and checks that run with every action. One seed, one run. */
#ifndef CORONET_TESTS_TOTEM_CLUSTER_H
#define CORONET_TESTS_TOTEM_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "totem/totem.h"

#define CLUSTER_MAX 64

struct cluster;

struct cluster_options {
	uint32_t nodes;
	uint64_t seed;
	uint32_t slots;	       /* receive slots of each node; 0: 1024 */
	uint32_t delay_us_max; /* of a message on a link, besides 20; 0: 100 */
	uint32_t lag_us;       /* frames may wait so long between arrival and their event */
	bool verbose;
	bool no_checks; /* somebody lies: only crashes, leaks and standstill count */
};

/* What a node has delivered, in order: messages and, between them, configurations. */
struct cluster_event {
	enum totem_action_kind kind; /* DELIVER, DELIVER_EARLY, TRANSITIONAL, REGULAR */
	uint32_t message;
	uint32_t origin;
	uint64_t seq;
	struct ringid ring;
	struct nodeset members;
};

/* Node i (0...) has the id 10 * (i + 1). */
uint32_t cluster_id(uint32_t node);

struct cluster *cluster_new(const struct cluster_options *options);
/* All started, in one ring. */
struct cluster *cluster_new_formed(uint32_t nodes, uint64_t seed);
/* Checks that no frame is left over. */
void cluster_free(struct cluster **cluster);

/* Configuration of nodes that start from now on. */
struct totem_config *cluster_config(struct cluster *cluster);
uint64_t cluster_random(struct cluster *cluster, uint64_t below);
uint64_t cluster_now_ms(const struct cluster *cluster);

void cluster_start(struct cluster *cluster, uint32_t node);
void cluster_start_all(struct cluster *cluster);
void cluster_crash(struct cluster *cluster, uint32_t node);
/* Nobody is told: links go down without anybody knowing why (power loss). */
void cluster_vanish(struct cluster *cluster, uint32_t node);
void cluster_leave(struct cluster *cluster, uint32_t node);
void cluster_pause(struct cluster *cluster, uint32_t node);
void cluster_resume(struct cluster *cluster, uint32_t node);
bool cluster_alive(const struct cluster *cluster, uint32_t node);

/* Links that may exist. Cutting breaks it; mending lets it come up again. */
void cluster_cut(struct cluster *cluster, uint32_t a, uint32_t b);
void cluster_mend(struct cluster *cluster, uint32_t a, uint32_t b);
/* Breaks it; it comes back by itself. */
void cluster_flap(struct cluster *cluster, uint32_t a, uint32_t b);
/* Only the bulk channel loses its tail; nobody is told. */
void cluster_lose_bulk(struct cluster *cluster, uint32_t from, uint32_t to);
/* The next control messages on this way are lost (the driver had no room for them). */
void cluster_lose_control(struct cluster *cluster, uint32_t from, uint32_t to, uint32_t count);
/* group[i]: nodes with equal numbers stay linked. */
void cluster_partition(struct cluster *cluster, const uint32_t *group);
void cluster_heal(struct cluster *cluster);
/* Frames on this way arrive so much later. */
void cluster_slow_bulk(struct cluster *cluster, uint32_t from, uint32_t to, uint32_t us);

/* A new message of the node; returns its number, unique in the cluster, or 0 when the backlog is
 * full. pull_us > 0: announced, takes that long to pull. */
uint32_t cluster_submit(struct cluster *cluster, uint32_t node, enum frame_guarantee guarantee,
			uint32_t pull_us);
/* The next `count` pulls of the node fail. */
void cluster_fail_pulls(struct cluster *cluster, uint32_t node, uint32_t count);

/* Announcements reach the node no more, and nothing tells anybody. */
void cluster_mute_progress(struct cluster *cluster, uint32_t node);

void cluster_run_us(struct cluster *cluster, uint64_t us);
void cluster_run_ms(struct cluster *cluster, uint64_t ms);
/* Until `done` says so; false after limit_ms. */
bool cluster_run_until(struct cluster *cluster, bool (*done)(struct cluster *cluster),
		       uint64_t limit_ms);
/* All that are alive and may be linked are in one ring, operational. */
bool cluster_formed(struct cluster *cluster);
/* ...and all that were submitted have been delivered and released by all. */
bool cluster_settled(struct cluster *cluster);
bool cluster_in_state(const struct cluster *cluster, uint32_t node, enum totem_state state);

struct totem *cluster_totem(struct cluster *cluster, uint32_t node);
struct totem_status cluster_status(const struct cluster *cluster, uint32_t node);
/* Since the node's last start; valid until something runs. */
const struct cluster_event *cluster_log(const struct cluster *cluster, uint32_t node,
					uint32_t *count);
bool cluster_delivered(const struct cluster *cluster, uint32_t node, uint32_t message);
/* By each of the first `nodes`. */
bool cluster_delivered_by_all(const struct cluster *cluster, uint32_t nodes, uint32_t message);
/* Hands the ring a control message as if it came from there. */
void cluster_inject(struct cluster *cluster, uint32_t from, uint32_t to, const uint8_t *bytes,
		    size_t size);
/* Hands the ring `to` a frame of `from` under a number that is `beyond` its highest. */
void cluster_forge_frame(struct cluster *cluster, uint32_t from, uint32_t to, uint64_t beyond);
/* Receive slots of every node from now on. */
void cluster_set_slots(struct cluster *cluster, uint32_t slots);
/* The most frames that the node has sent after the token of one visit. */
uint32_t cluster_frames_after_token(const struct cluster *cluster, uint32_t node);
/* The last control message of this kind that the node sent; size 0: none. */
size_t cluster_last_control(const struct cluster *cluster, uint32_t node, int kind,
			    const uint8_t **bytes);
/* Counters of what went over the links, by kind of control message. */
uint64_t cluster_control_count(const struct cluster *cluster, int kind);
uint64_t cluster_steps(const struct cluster *cluster);
uint64_t cluster_state_entries(const struct cluster *cluster, uint32_t node,
			       enum totem_state state);

#endif
