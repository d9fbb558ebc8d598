/* SPDX-License-Identifier: BSD-3-Clause */
/* Judges what witnesses (witness.c) were told, all stories of one run against each other, by what
 * extended virtual synchrony promises (docs/groups.md, docs/protocol.md):
 *
 *   judge STORY... [LEFT...]
 *
 * A story by itself: views follow from each other, rings rise, nothing comes twice, nothing altered, of no sender a gap
 * while it is in the view, every own message in the end. Two stories: from the moment they are in the view
 * together until they lose each other they are the same, messages, views and rings, at the same places; in the ring in
 * which they lose each other, what both have is in one order; who was killed has a beginning of what the others
 * have. All: a ring's name stands for one list of nodes and one view. A file NAME.left has lines
 *   left NODE RING-NODE RING-SEQUENCE TIME
 * when that node's daemon gave up that ring: a SAFE message that was delivered before is with all who survive.
 * Prints what is wrong, then one line of what was verified. Exit status: 0 all is well, 1 not, 2 cannot read. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAULTS_SHOWN 20
#define UNORDERED    0
#define SAFE	     3
#define NOWHERE	     SIZE_MAX

enum reason {
	REASON_JOIN = 1,
	REASON_NODEDOWN = 3,
	REASON_NODEUP = 4
};

enum kind {
	KIND_GOT,
	KIND_VIEW,
	KIND_RING
};

struct event {
	uint64_t key;
	uint64_t time_us;
	uint32_t line;
	enum kind kind;
	bool safe;
};

/* Why two are not together any more. */
enum parting {
	PARTING_END,  /* the story ends */
	PARTING_SELF, /* own leave */
	PARTING_LEFT, /* the other's leave or end, in its place */
	PARTING_DOWN  /* another ring without it */
};

struct period {
	uint32_t partner;
	uint64_t ring; /* the first in which they are together; 0: not known */
	size_t start, end;
	enum parting parting;
};

struct any {
	uint64_t key;
	size_t at; /* behind so many events */
	uint32_t line;
};

/* What a story's teller knows of another member. */
struct known {
	uint64_t last;
	size_t period; /* that is open, or NOWHERE */
	bool member, gap_allowed;
};

enum ending {
	ENDING_NONE,
	ENDING_LOST,
	ENDING_LEFT
};

struct story {
	const char *path;
	uint32_t self;
	uint32_t node;
	struct event *events;
	size_t event_count, event_room;
	struct any *anys;
	size_t any_count, any_room;
	struct period *periods;
	size_t period_count, period_room;
	struct known *known;
	size_t known_count;
	uint64_t ring, ring_seq;
	uint64_t sent, sent_any, own_any;
	uint32_t line;
	enum ending ending;
	bool in_view, initial_ring;
};

struct ring {
	uint64_t key;
	uint64_t nodes; /* digest of the list */
	uint64_t view;	/* digest of the group's members at its start; 0: nobody told */
};

struct left {
	uint32_t node;
	uint64_t ring;
	uint64_t time_us;
};

static struct story *stories;
static size_t story_count;
static uint64_t *people; /* node << 32 | pid */
static size_t people_count, people_room;
static struct ring *rings;
static size_t ring_count, ring_room;
static struct left *lefts;
static size_t left_count, left_room;
static uint64_t faults, delivered, compared, safe_compared, periods_compared;

static void fault(const struct story *story, uint32_t line, const char *format, ...)
{
	va_list args;

	faults++;
	if (faults > FAULTS_SHOWN) {
		return;
	}
	va_start(args, format);
	printf("%s:%u: ", story->path, line);
	vprintf(format, args);
	printf("\n");
	va_end(args);
}

static void *grown(void *array, size_t count, size_t *room, size_t size)
{
	void *larger;

	if (count < *room) {
		return array;
	}
	*room = *room > 0 ? 2 * *room : 64;
	larger = realloc(array, *room * size);
	if (!larger) {
		perror("judge");
		exit(2);
	}
	return larger;
}

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* One inside the other: equal numbers must not cancel each other out. */
static uint64_t message_key(uint32_t who, uint64_t number, uint64_t guarantee, uint64_t size)
{
	return mix(mix(mix(people[who]) + (number << 2 | guarantee)) + size);
}

static uint64_t text_key(const char *text)
{
	uint64_t sum = 0xcbf29ce484222325ull;

	for (; *text && *text != '\n'; text++) {
		sum = (sum ^ (uint8_t)*text) * 0x100000001b3ull;
	}
	return mix(sum) | 1;
}

static uint32_t person(uint64_t node, uint64_t pid)
{
	uint64_t address = node << 32 | pid;

	for (size_t i = 0; i < people_count; i++) {
		if (people[i] == address) {
			return (uint32_t)i;
		}
	}
	people = grown(people, people_count, &people_room, sizeof(*people));
	people[people_count] = address;
	return (uint32_t)people_count++;
}

static struct known *known(struct story *story, uint32_t who)
{
	if (who >= story->known_count) {
		size_t count = who + 64;

		story->known = realloc(story->known, count * sizeof(*story->known));
		if (!story->known) {
			perror("judge");
			exit(2);
		}
		for (size_t i = story->known_count; i < count; i++) {
			story->known[i] = (struct known){.period = NOWHERE};
		}
		story->known_count = count;
	}
	return &story->known[who];
}

/* --- One story ------------------------------------------------------------------------------ */

static void add_event(struct story *story, enum kind kind, uint64_t key, uint64_t time_us,
		      bool safe)
{
	story->events = grown(story->events, story->event_count, &story->event_room,
			      sizeof(*story->events));
	story->events[story->event_count++] = (struct event){
		.key = key, .time_us = time_us, .line = story->line, .kind = kind, .safe = safe};
}

static void period_open(struct story *story, uint32_t who, uint64_t ring)
{
	struct known *k = known(story, who);

	if (who == story->self || k->period != NOWHERE) {
		return;
	}
	story->periods = grown(story->periods, story->period_count, &story->period_room,
			       sizeof(*story->periods));
	k->period = story->period_count;
	/* The view that brings them together is not the same on both sides. */
	story->periods[story->period_count++] = (struct period){
		.partner = who, .ring = ring, .start = story->event_count, .end = NOWHERE};
}

static void period_close(struct story *story, uint32_t who, enum parting parting)
{
	struct known *k = known(story, who);

	if (k->period != NOWHERE) {
		story->periods[k->period].end = story->event_count;
		story->periods[k->period].parting = parting;
		k->period = NOWHERE;
	}
}

static void close_all(struct story *story, enum parting parting)
{
	for (uint32_t i = 0; i < story->known_count; i++) {
		period_close(story, i, parting);
	}
}

/* The next of a view's list: "1/200/3,2/300/3", or "1/200,...", or "-". */
static bool next_of(char **list, uint32_t *who, uint64_t *reason)
{
	uint64_t node, pid;

	if (**list < '0' || **list > '9') {
		return false;
	}
	node = strtoull(*list, list, 10);
	*list += **list == '/';
	pid = strtoull(*list, list, 10);
	*reason = 0;
	if (**list == '/') {
		*reason = strtoull(*list + 1, list, 10);
	}
	*list += **list == ',';
	*who = person(node, pid);
	return true;
}

static void members_left(struct story *story, char *list)
{
	uint32_t who;
	uint64_t reason;

	while (next_of(&list, &who, &reason)) {
		struct known *k = known(story, who);

		if (!k->member) {
			fault(story, story->line, "who was no member has left");
		}
		k->member = false;
		if (who == story->self) {
			close_all(story, PARTING_SELF);
			story->in_view = false;
		} else {
			period_close(story, who,
				     reason == REASON_NODEDOWN ? PARTING_DOWN : PARTING_LEFT);
		}
	}
}

static void members_joined(struct story *story, char *list)
{
	uint32_t who;
	uint64_t reason;

	while (next_of(&list, &who, &reason)) {
		struct known *k = known(story, who);

		if (k->member) {
			fault(story, story->line, "who was a member has joined");
		}
		k->member = true;
		k->gap_allowed = reason == REASON_NODEUP;
		if (who == story->self) {
			story->in_view = true;
		} else if (story->in_view) {
			period_open(story, who, reason == REASON_JOIN ? story->ring : 0);
		}
	}
}

/* The members are those before, without who left, with who joined. The first view tells who they were. */
static void members_checked(struct story *story, char *list, bool first)
{
	uint32_t who, count = 0;
	uint64_t reason;

	while (next_of(&list, &who, &reason)) {
		struct known *k = known(story, who);

		count++;
		if (first && !k->member) {
			k->member = true;
			k->gap_allowed = true;
			period_open(story, who, 0);
		} else if (!k->member) {
			fault(story, story->line,
			      "a member that never joined: %" PRIu64 "/%" PRIu64, people[who] >> 32,
			      people[who] & UINT32_MAX);
		}
	}
	for (size_t i = 0; i < story->known_count; i++) {
		count -= story->known[i].member;
	}
	if (count != 0) {
		fault(story, story->line,
		      "the members are not those before, without who left, "
		      "with who joined");
	}
}

static bool lists_reason(char *list, uint64_t wanted)
{
	uint32_t who;
	uint64_t reason;

	while (next_of(&list, &who, &reason)) {
		if (reason == wanted) {
			return true;
		}
	}
	return false;
}

/* TIME MEMBERS LEFT JOINED */
static void view(struct story *story, char *rest)
{
	uint64_t time_us = strtoull(rest, &rest, 10);
	bool first = !story->in_view && story->event_count == 0;
	uint64_t key = text_key(rest);
	char *save = NULL;
	char *members = strtok_r(rest, " \n", &save), *left = strtok_r(NULL, " \n", &save);
	char *joined = strtok_r(NULL, " \n", &save);

	if (!joined) {
		fault(story, story->line, "not a view");
		return;
	}
	/* Who parts here is told otherwise on the other side; a leave is the same for all. */
	if (lists_reason(left, REASON_NODEDOWN)) {
		members_left(story, left);
		add_event(story, KIND_VIEW, key, time_us, false);
	} else {
		add_event(story, KIND_VIEW, key, time_us, false);
		members_left(story, left);
	}
	members_joined(story, joined);
	members_checked(story, members, first);
	story->initial_ring = first;
}

static uint64_t ring_key(uint64_t node, uint64_t seq)
{
	return mix(node << 48 ^ seq) | 1;
}

/* Sums do not depend on the order. */
static uint64_t view_digest(const struct story *story)
{
	uint64_t sum = 1;

	for (size_t i = 0; i < story->known_count; i++) {
		sum += story->known[i].member ? mix(people[i]) : 0;
	}
	return sum | 1;
}

static struct ring *ring_of(uint64_t key)
{
	for (size_t i = ring_count; i > 0; i--) {
		if (rings[i - 1].key == key) {
			return &rings[i - 1];
		}
	}
	rings = grown(rings, ring_count, &ring_room, sizeof(*rings));
	rings[ring_count] = (struct ring){.key = key};
	return &rings[ring_count++];
}

static void ring_is_one(struct story *story, uint64_t key, uint64_t nodes)
{
	struct ring *ring = ring_of(key);

	if (ring->nodes != 0 && ring->nodes != nodes) {
		fault(story, story->line, "this ring had other nodes elsewhere");
	}
	ring->nodes = nodes;
	/* Who has just joined is told of the ring in the middle of it. */
	if (!story->in_view || story->initial_ring) {
		return;
	}
	if (ring->view != 0 && ring->view != view_digest(story)) {
		fault(story, story->line,
		      "the view at the start of this ring was another one elsewhere");
	}
	ring->view = view_digest(story);
}

/* NODE SEQUENCE TIME NODE... */
static void ring_change(struct story *story, char *rest)
{
	uint64_t node = strtoull(rest, &rest, 10);
	uint64_t seq = strtoull(rest, &rest, 10);
	uint64_t time_us = strtoull(rest, &rest, 10);
	uint64_t key = ring_key(node, seq);

	if (seq < story->ring_seq || (seq == story->ring_seq && !story->initial_ring)) {
		fault(story, story->line, "the ring's number has not risen");
	}
	ring_is_one(story, key, text_key(rest));
	if (story->in_view && !story->initial_ring) {
		add_event(story, KIND_RING, key, time_us, false);
	}
	for (size_t i = 0; i < story->period_count; i++) {
		if (story->periods[i].ring == 0) {
			story->periods[i].ring = key;
		}
	}
	story->ring = key;
	story->ring_seq = seq;
	story->initial_ring = false;
}

/* NODE PID NUMBER GUARANTEE SIZE TIME */
static void got(struct story *story, char *rest)
{
	uint64_t node = strtoull(rest, &rest, 10), pid = strtoull(rest, &rest, 10);
	uint64_t number = strtoull(rest, &rest, 10), guarantee = strtoull(rest, &rest, 10);
	uint64_t size = strtoull(rest, &rest, 10), time_us = strtoull(rest, &rest, 10);
	uint32_t who = person(node, pid);
	struct known *k = known(story, who);

	if (!k->member) {
		fault(story, story->line, "from who is no member");
	}
	if (number <= k->last) {
		fault(story, story->line, "number %" PRIu64 " again, or late: %" PRIu64 " has come",
		      number, k->last);
	} else if (number != k->last + 1 && !k->gap_allowed) {
		fault(story, story->line, "a gap: %" PRIu64 " after %" PRIu64, number, k->last);
	}
	k->last = number;
	k->gap_allowed = false;
	delivered++;
	add_event(story, KIND_GOT, message_key(who, number, guarantee, size), time_us,
		  guarantee == SAFE);
}

/* NODE PID NUMBER SIZE TIME */
static void any(struct story *story, char *rest)
{
	uint64_t node = strtoull(rest, &rest, 10), pid = strtoull(rest, &rest, 10);
	uint64_t number = strtoull(rest, &rest, 10), size = strtoull(rest, &rest, 10);
	uint32_t who = person(node, pid);

	if (!known(story, who)->member) {
		fault(story, story->line, "from who is no member");
	}
	story->own_any += who == story->self;
	delivered++;
	story->anys = grown(story->anys, story->any_count, &story->any_room, sizeof(*story->anys));
	story->anys[story->any_count++] =
		(struct any){.key = message_key(who, number, UNORDERED, size),
			     .at = story->event_count,
			     .line = story->line};
}

static void tell_line(struct story *story, char *line)
{
	char *rest = strchr(line, ' ');

	rest = rest ? rest + 1 : line;
	if (strncmp(line, "got ", 4) == 0) {
		got(story, rest);
	} else if (strncmp(line, "any ", 4) == 0) {
		any(story, rest);
	} else if (strncmp(line, "view ", 5) == 0) {
		view(story, rest);
	} else if (strncmp(line, "ring ", 5) == 0) {
		ring_change(story, rest);
	} else if (strncmp(line, "sent ", 5) == 0) {
		story->sent = strtoull(rest, &rest, 10);
		story->sent_any = strtoull(rest, NULL, 10);
	} else if (strcmp(line, "end left\n") == 0) {
		story->ending = ENDING_LEFT;
	} else if (strcmp(line, "end lost\n") == 0) {
		story->ending = ENDING_LOST;
	} else if (strncmp(line, "me ", 3) == 0) {
		story->node = (uint32_t)strtoul(rest, &rest, 10);
		story->self = person(story->node, strtoull(rest, NULL, 10));
	} else if (strcmp(line, "end quit\n") != 0) {
		fault(story, story->line, "%.*s", (int)strcspn(line, "\n"), line);
	}
}

static int compare_anys(const void *a, const void *b)
{
	const struct any *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static void anys_once(const struct story *story)
{
	struct any *sorted = malloc((story->any_count + 1) * sizeof(*sorted));

	if (!sorted) {
		perror("judge");
		exit(2);
	}
	for (size_t i = 0; i < story->any_count; i++) {
		sorted[i] = story->anys[i];
	}
	qsort(sorted, story->any_count, sizeof(*sorted), compare_anys);
	for (size_t i = 1; i < story->any_count; i++) {
		if (sorted[i].key == sorted[i - 1].key) {
			fault(story, sorted[i].line, "an UNORDERED message twice");
		}
	}
	free(sorted);
}

static void read_story(struct story *story)
{
	FILE *file = fopen(story->path, "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t size;

	if (!file) {
		perror(story->path);
		exit(2);
	}
	while ((size = getline(&line, &room, file)) > 0) {
		story->line++;
		/* Who was killed may not have come to the end of a line. */
		if (line[size - 1] == '\n') {
			tell_line(story, line);
		}
	}
	free(line);
	fclose(file);
	close_all(story, PARTING_END);
	anys_once(story);
	if (story->ending == ENDING_LEFT) {
		uint64_t own = known(story, story->self)->last;

		if (own != story->sent || story->own_any != story->sent_any) {
			fault(story, story->line,
			      "own messages: %" PRIu64 " of %" PRIu64 " came, and "
			      "%" PRIu64 " of %" PRIu64 " UNORDERED",
			      own, story->sent, story->own_any, story->sent_any);
		}
	}
}

/* --- Two stories ---------------------------------------------------------------------------- */

/* A part of a story: what was told in a time together with another. */
struct part {
	const struct story *story;
	const struct period *period;
	size_t rings; /* told of in it */
};

static const struct event *event_of(const struct part *part, size_t i)
{
	return &part->story->events[i];
}

static uint32_t line_of(const struct part *part, size_t i)
{
	return i < part->story->event_count ? event_of(part, i)->line : part->story->line;
}

static bool killed(const struct part *part)
{
	return part->period->parting == PARTING_END;
}

static struct part part_of(const struct story *story, const struct period *period)
{
	struct part part = {.story = story, .period = period};

	for (size_t i = period->start; i < period->end; i++) {
		part.rings += story->events[i].kind == KIND_RING;
	}
	return part;
}

/* Where the n-th ring of a part begins: behind its event; its end if it has not so many. */
static size_t behind_ring(const struct part *part, size_t n)
{
	size_t i = part->period->start;

	for (; i < part->period->end && n > 0; i++) {
		n -= event_of(part, i)->kind == KIND_RING;
	}
	return n > 0 ? part->period->end : i;
}

/* Up to these places both must have been told the same. */
static bool same(const struct part *a, size_t a_end, const struct part *b, size_t b_end)
{
	size_t i = a->period->start, j = b->period->start;

	for (; i < a_end && j < b_end; i++, j++) {
		const struct event *x = event_of(a, i), *y = event_of(b, j);

		if (x->key != y->key || x->kind != y->kind) {
			fault(a->story, x->line, "here %s:%u was told something else",
			      b->story->path, y->line);
			return false;
		}
	}
	if (i != a_end || j != b_end) {
		const struct part *longer = i != a_end ? a : b;

		fault(longer->story, line_of(longer, i != a_end ? i : j), "%s was not told this",
		      longer == a ? b->story->path : a->story->path);
		return false;
	}
	compared += i - a->period->start;
	return true;
}

/* Between two rings both have been delivered the same UNORDERED messages. */
static size_t anys_behind(const struct story *story, size_t event)
{
	size_t low = 0, high = story->any_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (story->anys[middle].at <= event) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static void same_anys(const struct part *a, const struct part *b, size_t ring)
{
	const struct part *parts[2] = {a, b};
	uint64_t sums[2] = {0, 0}, counts[2];

	for (int i = 0; i < 2; i++) {
		const struct story *story = parts[i]->story;
		size_t from = anys_behind(story, behind_ring(parts[i], ring) - 1);
		size_t to = anys_behind(story, behind_ring(parts[i], ring + 1) - 1);

		counts[i] = to - from;
		for (size_t j = from; j < to; j++) {
			sums[i] += story->anys[j].key;
		}
	}
	if (sums[0] != sums[1]) {
		fault(a->story, line_of(a, behind_ring(a, ring) - 1),
		      "in this ring %" PRIu64 " UNORDERED messages, at %s %" PRIu64, counts[0],
		      b->story->path, counts[1]);
	}
	compared += counts[0];
}

struct place {
	uint64_t key;
	size_t at;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static size_t place_of(const struct place *places, size_t count, uint64_t key)
{
	struct place wanted = {.key = key};
	const struct place *found =
		bsearch(&wanted, places, count, sizeof(*places), compare_places);

	return found ? found->at : NOWHERE;
}

static uint64_t left_at(uint32_t node, uint64_t ring)
{
	for (size_t i = 0; i < left_count; i++) {
		if (lefts[i].node == node && lefts[i].ring == ring) {
			return lefts[i].time_us;
		}
	}
	return 0;
}

/* The ring in which a part's place lies. */
static uint64_t ring_at(const struct part *part, size_t place)
{
	while (place > part->period->start) {
		if (event_of(part, --place)->kind == KIND_RING) {
			return event_of(part, place)->key;
		}
	}
	return part->period->ring;
}

/* What one was delivered as SAFE before its daemon gave up the ring, the other, who went on, was delivered too. */
static void safe_is_safe(const struct part *a, size_t from, size_t to, const struct part *b,
			 const struct place *places, size_t count)
{
	uint64_t until = left_at(a->story->node, ring_at(a, from));

	for (size_t i = from; i < to; i++) {
		const struct event *e = event_of(a, i);

		if (e->kind != KIND_GOT || !e->safe || e->time_us >= until) {
			continue;
		}
		safe_compared++;
		if (place_of(places, count, e->key) == NOWHERE) {
			fault(a->story, e->line, "was SAFE, and %s has not got it", b->story->path);
		}
	}
}

/* In the ring in which they part, or one of them dies. */
static void one_order(const struct part *a, size_t a_from, size_t a_to, const struct part *b,
		      size_t b_from, size_t b_to)
{
	struct place *places = malloc((b_to - b_from + 1) * sizeof(*places));
	size_t last = 0, count = b_to - b_from;

	if (!places) {
		perror("judge");
		exit(2);
	}
	for (size_t i = 0; i < count; i++) {
		places[i] = (struct place){.key = event_of(b, b_from + i)->key, .at = b_from + i};
	}
	qsort(places, count, sizeof(*places), compare_places);
	for (size_t i = a_from; i < a_to; i++) {
		size_t at = place_of(places, count, event_of(a, i)->key);

		if (at == NOWHERE) {
			continue;
		}
		if (at < last) {
			fault(a->story, line_of(a, i), "in another order at %s:%u", b->story->path,
			      line_of(b, at));
			break;
		}
		last = at;
		compared++;
	}
	if (b->period->parting == PARTING_DOWN) {
		safe_is_safe(a, a_from, a_to, b, places, count);
	}
	free(places);
}

/* One of them left, or ended, at a place that the other was told. */
static void left_in_its_place(const struct part *stays, const struct part *leaves)
{
	size_t end = stays->period->end;

	if (leaves->period->parting == PARTING_SELF) {
		same(stays, end, leaves, leaves->period->end);
	} else if (killed(leaves)) {
		/* What it was delivered before it was killed. */
		size_t told = leaves->period->end - leaves->period->start;
		size_t most = end - stays->period->start;

		same(stays, stays->period->start + (told < most ? told : most), leaves,
		     leaves->period->end);
	} else {
		fault(stays->story, line_of(stays, end),
		      "it left here, and was told of another ring itself: %s", leaves->story->path);
	}
}

static void parted(const struct part *a, const struct part *b)
{
	size_t rings_both = a->rings < b->rings ? a->rings : b->rings;

	if (a->rings != b->rings && !killed(a->rings < b->rings ? a : b)) {
		fault(a->story, line_of(a, a->period->start),
		      "%zu rings together with %s, which was told of %zu", a->rings, b->story->path,
		      b->rings);
		return;
	}
	if (same(a, behind_ring(a, rings_both), b, behind_ring(b, rings_both))) {
		size_t a_from = behind_ring(a, rings_both), b_from = behind_ring(b, rings_both);
		size_t a_to =
			a->rings > rings_both ? behind_ring(a, rings_both + 1) - 1 : a->period->end;
		size_t b_to =
			b->rings > rings_both ? behind_ring(b, rings_both + 1) - 1 : b->period->end;

		one_order(a, a_from, a_to, b, b_from, b_to);
		one_order(b, b_from, b_to, a, a_from, a_to);
	}
}

static void compare_parts(const struct part *a, const struct part *b)
{
	size_t rings_both = a->rings < b->rings ? a->rings : b->rings;

	periods_compared++;
	if (a->period->parting == PARTING_LEFT && b->story->ending != ENDING_LOST) {
		left_in_its_place(a, b);
	} else if (b->period->parting == PARTING_LEFT && a->story->ending != ENDING_LOST) {
		left_in_its_place(b, a);
	} else {
		parted(a, b);
	}
	for (size_t i = 1; i < rings_both; i++) {
		same_anys(a, b, i);
	}
}

/* Who is not told of the time together must have died, or the ring ended before it was complete there. */
static void unmatched(const struct story *story, const struct period *period,
		      const struct story *partner)
{
	struct part part = part_of(story, period);

	if (partner->ending != ENDING_LEFT ||
	    (part.rings <= 1 && (period->parting == PARTING_DOWN || killed(&part)))) {
		return;
	}
	fault(story, line_of(&part, period->start), "%s knows nothing of this time together",
	      partner->path);
}

static const struct story *story_of(uint32_t who)
{
	for (size_t i = 0; i < story_count; i++) {
		if (stories[i].self == who) {
			return &stories[i];
		}
	}
	return NULL;
}

static void compare_period(const struct story *story, const struct period *period)
{
	const struct story *partner = story_of(period->partner);

	for (size_t i = 0; partner && i < partner->period_count; i++) {
		const struct period *other = &partner->periods[i];

		if (other->partner == story->self && other->ring == period->ring) {
			if (story < partner) {
				struct part a = part_of(story, period);
				struct part b = part_of(partner, other);

				compare_parts(&a, &b);
			}
			return;
		}
	}
	if (partner && period->ring != 0) {
		unmatched(story, period, partner);
	}
}

/* --- All ------------------------------------------------------------------------------------ */

static void read_lefts(const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned int node;
	uint64_t ring_node, seq, time_us;

	if (!file) {
		perror(path);
		exit(2);
	}
	while (fscanf(file, " left %u %" SCNu64 " %" SCNu64 " %" SCNu64, &node, &ring_node, &seq,
		      &time_us) == 4) {
		lefts = grown(lefts, left_count, &left_room, sizeof(*lefts));
		lefts[left_count++] = (struct left){
			.node = node, .ring = ring_key(ring_node, seq), .time_us = time_us};
	}
	fclose(file);
}

static bool ends_with(const char *text, const char *end)
{
	size_t size = strlen(text), wanted = strlen(end);

	return size >= wanted && strcmp(text + size - wanted, end) == 0;
}

int main(int argc, char **argv)
{
	stories = calloc((size_t)argc, sizeof(*stories));
	if (argc < 2 || !stories) {
		fprintf(stderr, "usage: judge STORY... [LEFT...]\n");
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		if (ends_with(argv[i], ".left")) {
			read_lefts(argv[i]);
		} else {
			stories[story_count] = (struct story){.path = argv[i], .self = UINT32_MAX};
			read_story(&stories[story_count++]);
		}
	}
	for (size_t i = 0; i < story_count; i++) {
		for (size_t j = 0; j < stories[i].period_count; j++) {
			compare_period(&stories[i], &stories[i].periods[j]);
		}
	}
	printf("%zu members, %" PRIu64 " messages delivered, %zu rings, %" PRIu64
	       " times together, %" PRIu64 " events compared, %" PRIu64
	       " of them SAFE before a separation: %" PRIu64 " faults\n",
	       story_count, delivered, ring_count, periods_compared, compared, safe_compared,
	       faults);
	return faults > 0 || story_count == 0 || delivered == 0;
}
