/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the test cluster: nodes and links (cluster.c), what is checked of them (checker.c). */
#ifndef CORONET_TESTS_TOTEM_CLUSTER_INT_H
#define CORONET_TESTS_TOTEM_CLUSTER_INT_H

#include "base/limits.h"
#include "cluster.h"

#define RINGS_MAX    4096
#define MESSAGES_MAX 65536
#define LOG_MAX	     65536
#define CHANGES_MAX  16384

struct message {
	uint32_t number;
	uint32_t origin; /* node index */
	uint32_t incarnation;
	enum frame_guarantee guarantee;
	uint32_t pull_us;
	uint64_t promised; /* nodes that were said to have it when somebody delivered it as safe */
	uint32_t *promised_incarnation;
};

/* A node's reference to a message: what the ring calls a frame. */
struct frame {
	struct frame *next;
	struct frame *prev;
	uint32_t message;
	uint32_t refs;
	bool in_slot;
	bool early;	/* was delivered ahead of its place */
	bool delivered; /* as `info` says */
	struct frame_info info;
};

/* Everything that is known of one ring, from all nodes. */
struct ring_record {
	struct ringid id;
	struct nodeset members;
	bool installed;
	uint32_t capacity;
	uint32_t *message;  /* by number: what stands there; 0: nobody knows */
	uint64_t *received; /* by number: bit per node */
	uint64_t *depends;  /* by number: what its sender had delivered when it sent it */
	uint32_t incarnation[CLUSTER_MAX]; /* of the node that installed it; 0: none */
};

enum wire_channel {
	WIRE_CONTROL,
	WIRE_BULK
};

struct node {
	struct cluster *cluster;
	uint32_t index;
	struct totem *totem;
	bool alive;
	bool paused;
	bool left;
	uint32_t incarnation;
	uint64_t ring_seq;
	struct item *waiting; /* for a paused process */
	uint32_t waiting_count;
	uint32_t waiting_capacity;
	struct frame frames;	 /* list of all that the ring owns */
	struct frame **returned; /* by the ring: submitted again after the step */
	uint32_t returned_count;
	uint32_t slots_used;
	uint32_t queued; /* of these, not yet looked at */
	uint64_t queue_us;
	bool token_sent; /* in this step */
	uint32_t after_token;
	uint32_t after_token_max;
	uint32_t fail_pulls;
	bool mute;
	uint64_t pull_free_us;
	struct cluster_event *log;
	uint32_t log_count;
	uint32_t log_capacity;
	uint8_t *seen; /* by message number: delivered since the start */
	enum totem_state state;
	uint64_t entries[TOTEM_STATES];
	struct ringid ring;
	struct nodeset members;
	uint64_t fenced;     /* a bit for each node, since the last REGULAR */
	bool transitional;   /* between TRANSITIONAL and REGULAR */
	uint32_t regular_at; /* log index of the last REGULAR */
	uint32_t transitional_at;
	uint64_t last_seq;
	uint64_t gapless_seq; /* all up to here were delivered in this ring */
	uint8_t last[16][CONTROL_SIZE_MAX];
	size_t last_size[16];
	uint64_t same_step_us;
	uint32_t same_steps;
};

struct link_way {
	uint64_t last_due_us[2];
	uint32_t drop_control;
	uint32_t slow_us;
};

struct link {
	bool allowed;
	bool up;
	bool dialling;
	uint32_t generation;
	struct link_way way[2]; /* [0]: from the lower node to the higher */
};

/* ITEM_DIALLED: the link comes up; each side learns of it by an ITEM_UP of its own. */
enum item_kind {
	ITEM_CONTROL,
	ITEM_FRAME,
	ITEM_QUEUED, /* a frame in its slot, not yet looked at */
	ITEM_PULLED,
	ITEM_PROGRESS,
	ITEM_DIALLED,
	ITEM_UP,
	ITEM_DOWN
};

struct item {
	uint64_t due_us;
	uint64_t order;
	enum item_kind kind;
	uint32_t from;
	uint32_t to;
	uint32_t generation;  /* of the link */
	uint32_t incarnation; /* of the receiver */
	bool gone;
	bool lost; /* bulk: arrives never; told apart so that tails can be cut */
	uint32_t message;
	struct frame_info info;
	size_t size;
	uint8_t *bytes;
};

/* What nodes that went from one ring to another have delivered on the way: must be the same. */
struct change {
	struct ringid from;
	struct ringid to;
	struct nodeset trans;
	uint64_t regular;
	uint64_t transitional;
};

struct cluster {
	struct cluster_options options;
	struct totem_config config;
	uint64_t now_us;
	uint64_t order;
	uint64_t random;
	uint64_t steps;
	struct node nodes[CLUSTER_MAX];
	struct link links[CLUSTER_MAX][CLUSTER_MAX]; /* [lower][higher] */
	struct item *items;			     /* a heap */
	uint32_t item_count;
	uint32_t item_capacity;
	struct message *messages;
	uint32_t message_count;
	struct ring_record *rings;
	uint32_t ring_count;
	uint64_t control_count[16];
	struct change *changes;
	uint32_t change_count;
};

uint32_t index_of(uint32_t id);
struct link *link_of(struct cluster *cluster, uint32_t a, uint32_t b);

/* checker.c */
struct ring_record *ring_record(struct cluster *cluster, struct ringid id);
void check_numbered(struct node *node, const struct frame_info *info, uint32_t message);
void check_received(struct node *node, const struct frame_info *info, uint32_t message);
void check_delivery(struct node *node, const struct totem_action *action);
void check_configuration(struct node *node, const struct totem_action *action);
void check_release(struct node *node, const struct frame *frame);
bool check_all_delivered(struct cluster *cluster);
void checker_free(struct cluster *cluster);

#endif
