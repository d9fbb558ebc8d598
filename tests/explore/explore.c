/* SPDX-License-Identifier: BSD-3-Clause */
/* Searches the states that three nodes of the real ring can get into, within bounds: the code of src/totem is
 * the model. Without a choice the oldest letter is delivered, and time passes when there is none. A choice is
 *
 *   a delay   another channel's letter comes first, or a timer fires while letters are under way
 *   a fault   a node's process ends or starts, a link is cut, all links are healed, a message is lost, or a
 *             frame comes twice
 *
 * Every run with at most so many delays and so many faults, at every step, is tried: runs that reach a state
 * that was seen with as many choices left are not gone on with. (Bounding delays: Emmi, Qadeer, Rakamaric,
 * "Delay-bounded scheduling", POPL 2011.) */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/explore/world.h"

/* A run that is not calm by then never will be. */
#define STEPS_MAX   6000
#define CHOICES_MAX 16

enum choice_kind {
	CHOICE_LETTER,
	CHOICE_TIMER,
	CHOICE_EARLY, /* a timer, while letters are under way */
	CHOICE_CRASH,
	CHOICE_RESTART,
	CHOICE_CUT,
	CHOICE_ISOLATE,
	CHOICE_HEAL,
	CHOICE_LOSE,
	CHOICE_REPEAT,
	CHOICE_SPEAK
};
#define CHOICES (CHOICE_SPEAK + 1)

struct choice {
	enum choice_kind kind;
	uint32_t a, b;
};

/* How a run came about, for a replay. */
struct turn {
	uint32_t step;
	struct choice choice;
};

struct search {
	struct world *world;
	struct saved *saved[CHOICES_MAX];
	struct turn turns[CHOICES_MAX];
	uint32_t turn_count;
	uint64_t *seen; /* a table of digests; 0: free */
	uint64_t seen_size, seen_count;
	uint64_t steps, runs;
	bool when_formed; /* choices begin when a first ring has formed */
	time_t until;	  /* 0: no limit */
	bool out_of_time;
};

static const char *const choice_names[] = {"letter",  "timer", "early", "crash",  "restart", "cut",
					   "isolate", "heal",  "lose",	"repeat", "speak"};

static bool insert(uint64_t *table, uint64_t size, uint64_t digest)
{
	uint64_t at = digest % size;

	while (table[at] != 0 && table[at] != digest) {
		at = at + 1 < size ? at + 1 : 0;
	}
	if (table[at] == digest) {
		return false;
	}
	table[at] = digest;
	return true;
}

static void grow(struct search *search)
{
	uint64_t size = search->seen_size ? search->seen_size * 2 : 1u << 20;
	uint64_t *table = calloc(size, sizeof(*table));

	check(table);
	for (uint64_t i = 0; i < search->seen_size; i++) {
		if (search->seen[i]) {
			insert(table, size, search->seen[i]);
		}
	}
	free(search->seen);
	search->seen = table;
	search->seen_size = size;
}

/* False: this state was seen with these choices left. */
static bool is_new(struct search *search, uint32_t delays, uint32_t faults)
{
	uint64_t digest = world_digest(search->world) ^
			  ((uint64_t)delays << 8 | faults) * 0xd6e8feb86659fd93u;

	if (search->seen_count * 4 >= search->seen_size * 3) {
		grow(search);
	}
	if (!insert(search->seen, search->seen_size, digest ? digest : 1)) {
		return false;
	}
	search->seen_count++;
	return true;
}

static void carry_out(struct world *world, struct choice choice)
{
	if (choice.kind >= CHOICE_EARLY && choice.kind <= CHOICE_HEAL) {
		world_disturbed(world);
	}
	switch (choice.kind) {
	case CHOICE_LETTER:
		world_deliver(world, choice.a);
		return;
	case CHOICE_TIMER:
	case CHOICE_EARLY:
		world_tick(world);
		return;
	case CHOICE_CRASH:
		world_crash(world, choice.a);
		return;
	case CHOICE_RESTART:
		world_restart(world, choice.a);
		return;
	case CHOICE_CUT:
		world_cut(world, choice.a, choice.b);
		return;
	case CHOICE_ISOLATE:
		world_cut(world, choice.a, (choice.a + 1) % WORLD_NODES);
		world_cut(world, choice.a, (choice.a + 2) % WORLD_NODES);
		return;
	case CHOICE_HEAL:
		world_heal(world);
		return;
	case CHOICE_LOSE:
		world_lose(world, choice.a);
		return;
	case CHOICE_REPEAT:
		world_repeat(world, choice.a);
		return;
	case CHOICE_SPEAK:
		world_speak(world);
		return;
	}
}

static struct choice usual(const struct world *world)
{
	uint32_t at[LETTERS_MAX];

	if (world_next(world, at) > 0) {
		return (struct choice){.kind = CHOICE_LETTER};
	}
	return (struct choice){.kind = world_calm(world) && world_has_more(world) ? CHOICE_SPEAK
										  : CHOICE_TIMER};
}

static uint32_t delays_of(const struct world *world, struct choice *out)
{
	uint32_t at[LETTERS_MAX];
	uint32_t count = world_next(world, at);
	uint32_t made = 0;

	for (uint32_t i = 1; i < count; i++) {
		out[made++] = (struct choice){.kind = CHOICE_LETTER, .a = at[i]};
	}
	if (count > 0) {
		out[made++] = (struct choice){.kind = CHOICE_EARLY};
	}
	return made;
}

static uint32_t letter_faults_of(const struct world *world, struct choice *out)
{
	uint32_t at[LETTERS_MAX];
	uint32_t count = world_next(world, at);
	uint32_t made = 0;

	for (uint32_t i = 0; i < count; i++) {
		enum letter_kind kind = (enum letter_kind)world->face.letter[at[i]].kind;

		if (kind <= LETTER_FRAME) {
			out[made++] = (struct choice){.kind = CHOICE_LOSE, .a = at[i]};
		}
		if (kind == LETTER_FRAME) {
			out[made++] = (struct choice){.kind = CHOICE_REPEAT, .a = at[i]};
		}
	}
	return made;
}

static uint32_t faults_of(const struct world *world, struct choice *out)
{
	uint32_t made = 0;

	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		uint32_t next = (i + 1) % WORLD_NODES;

		out[made++] = (struct choice){
			.kind = world->face.node[i].alive ? CHOICE_CRASH : CHOICE_RESTART, .a = i};
		if (!(world->face.cut[i] & (1u << next))) {
			out[made++] = (struct choice){.kind = CHOICE_CUT, .a = i, .b = next};
		}
		if (world->face.cut[i] == 0) {
			out[made++] = (struct choice){.kind = CHOICE_ISOLATE, .a = i};
		}
	}
	if (world_is_cut(world)) {
		out[made++] = (struct choice){.kind = CHOICE_HEAL};
	}
	return made + letter_faults_of(world, out + made);
}

static void print_run(const struct search *search)
{
	printf("  --replay '");
	for (uint32_t i = 0; i < search->turn_count; i++) {
		const struct turn *turn = &search->turns[i];

		printf("%s%u:%s:%u:%u", i ? " " : "", turn->step, choice_names[turn->choice.kind],
		       turn->choice.a, turn->choice.b);
	}
	printf("'\n");
}

static bool fail(const struct search *search, const char *what)
{
	printf("FAILED: %s\nThe run again:\n", what);
	print_run(search);
	world_print(search->world);
	return false;
}

static bool run(struct search *search, uint32_t step, uint32_t delays, uint32_t faults);

/* The run goes on from here in another way as well. */
static bool branch(struct search *search, uint32_t step, uint32_t delays, uint32_t faults,
		   const struct choice *choices, uint32_t count)
{
	struct saved *saved = search->saved[search->turn_count];

	if (count == 0) {
		return true;
	}
	world_save(search->world, saved);
	for (uint32_t i = 0; i < count; i++) {
		search->turns[search->turn_count++] =
			(struct turn){.step = step, .choice = choices[i]};
		carry_out(search->world, choices[i]);
		search->steps++;
		if (!run(search, step + 1, delays, faults)) {
			return false;
		}
		search->turn_count--;
		world_restore(search->world, saved);
	}
	return true;
}

static bool branches(struct search *search, uint32_t step, uint32_t delays, uint32_t faults)
{
	struct choice choices[2 * LETTERS_MAX + CHOICES_MAX];

	return (delays == 0 || branch(search, step, delays - 1, faults, choices,
				      delays_of(search->world, choices))) &&
	       (faults == 0 || branch(search, step, delays, faults - 1, choices,
				      faults_of(search->world, choices)));
}

static bool too_late(struct search *search)
{
	search->out_of_time = search->out_of_time || (search->until && time(NULL) >= search->until);
	return search->out_of_time;
}

/* From here to the end, and all other ways to the end that the choices left allow. True: all is well. */
static bool run(struct search *search, uint32_t step, uint32_t delays, uint32_t faults)
{
	struct world *world = search->world;

	for (;; step++) {
		bool calm = world_calm(world);

		if (calm && !world->broken) {
			rules_calm(world);
		}
		if (world->broken) {
			return fail(search, world->broken);
		}
		if (too_late(search) || !is_new(search, delays, faults)) {
			return true;
		}
		if (!branches(search, step, delays, faults)) {
			return false;
		}
		if (calm && !world_has_more(world)) {
			search->runs++;
			return true;
		}
		if (step == STEPS_MAX) {
			return fail(search, "liveness: the nodes have not come to rest");
		}
		carry_out(world, usual(world));
		search->steps++;
	}
}

static bool formed(const struct world *world)
{
	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		const struct totem *t = world->totem[i];

		if (t->state != TOTEM_OPERATIONAL || t->ring->members.count != WORLD_NODES) {
			return false;
		}
	}
	return true;
}

/* Without choices until all are in one ring and begin to send. */
static bool form_first(struct search *search)
{
	for (uint32_t step = 0; step < STEPS_MAX && !search->world->broken; step++) {
		if (formed(search->world)) {
			world_formed(search->world);
			return true;
		}
		carry_out(search->world, usual(search->world));
	}
	return fail(search, "the first ring does not form");
}

/* --- The same run again --- */

static bool parse_turn(char *text, struct turn *turn)
{
	char name[16];
	unsigned kind = 0;

	if (sscanf(text, "%u:%15[a-z]:%u:%u", &turn->step, name, &turn->choice.a,
		   &turn->choice.b) != 4) {
		return false;
	}
	while (kind < CHOICES && strcmp(name, choice_names[kind]) != 0) {
		kind++;
	}
	turn->choice.kind = (enum choice_kind)kind;
	return kind < CHOICES && turn->choice.a < LETTERS_MAX && turn->choice.b < WORLD_NODES;
}

static void tell_step(const struct world *world, uint32_t step, struct choice choice)
{
	const struct letter *letter = &world->face.letter[choice.a];

	printf("%5u  %8" PRIu64 " ms  %s", step, world->face.now_ms, choice_names[choice.kind]);
	if (choice.kind == CHOICE_LETTER || choice.kind == CHOICE_LOSE ||
	    choice.kind == CHOICE_REPEAT) {
		printf(" %u -> %u %s", letter->from + 1, letter->to + 1,
		       letter->kind == LETTER_CONTROL
			       ? wire_control_name(wire_control_kind(letter->bytes, letter->size))
		       : letter->kind == LETTER_FRAME ? "frame"
		       : letter->kind == LETTER_UP    ? "up"
						      : "down");
	} else if (choice.kind != CHOICE_TIMER && choice.kind != CHOICE_EARLY &&
		   choice.kind != CHOICE_SPEAK) {
		printf(" %u %u", choice.a + 1, choice.b + 1);
	}
	printf("\n");
}

static bool replay(struct search *search, char *text)
{
	struct world *world = search->world;
	struct turn turn = {0};
	char *word = strsep(&text, " ");

	for (uint32_t step = 0; step < STEPS_MAX; step++) {
		struct choice choice = usual(world);

		if (word && !parse_turn(word, &turn)) {
			printf("%s: no step of a run\n", word);
			return false;
		}
		if (word && turn.step == step) {
			choice = turn.choice;
			word = strsep(&text, " ");
		} else if (!word && world_calm(world) && !world_has_more(world)) {
			break;
		}
		tell_step(world, step, choice);
		carry_out(world, choice);
		if (world->broken) {
			return fail(search, world->broken);
		}
	}
	rules_calm(world);
	world_print(world);
	return world_calm(world) && !world->broken;
}

/* --- The program --- */

static void usage(FILE *file)
{
	fputs("usage: coronet-explore [OPTIONS]\n"
	      "Tries every run of three nodes of the real ring, within bounds.\n"
	      "\n"
	      "  --delays N       at most so many delays in one run (0)\n"
	      "  --faults N       at most so many faults (1)\n"
	      "  --forming        choices begin at the first step, not when a first ring has formed\n"
	      "  --seconds T      stop after T seconds, and say that not all was tried\n"
	      "  --replay 'TURNS' one run, step by step, as a failure prints it\n"
	      "  --help           show this and exit\n"
	      "\n"
	      "Exit status: 0 all was tried and holds, 1 something does not hold, 2 wrong usage, 3 out of time.\n",
	      file);
}

static bool number(const char *text, uint32_t max, uint32_t *out)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*out = (uint32_t)value;
	return *text != '\0' && *end == '\0' && value <= max;
}

static int report(const struct search *search, bool good, uint32_t delays, uint32_t faults,
		  time_t began)
{
	printf("%s: %u delays, %u faults%s: %" PRIu64 " states, %" PRIu64
	       " runs to their end, %" PRIu64 " steps, %lld s\n",
	       !good		     ? "failed"
	       : search->out_of_time ? "out of time"
				     : "all tried",
	       delays, faults, search->when_formed ? "" : ", while forming", search->seen_count,
	       search->runs, search->steps, (long long)(time(NULL) - began));
	return !good ? 1 : search->out_of_time ? 3 : 0;
}

static void search_end(struct search *search)
{
	for (uint32_t i = 0; i < CHOICES_MAX; i++) {
		free(search->saved[i]);
	}
	free(search->seen);
	world_free(search->world);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"delays", required_argument, NULL, 'd'},
						{"faults", required_argument, NULL, 'f'},
						{"forming", no_argument, NULL, 'o'},
						{"seconds", required_argument, NULL, 't'},
						{"replay", required_argument, NULL, 'r'},
						{"help", no_argument, NULL, 'h'},
						{0}};
	struct search search = {.world = world_new(), .when_formed = true};
	uint32_t delays = 0, faults = 1, seconds = 0;
	char *again = NULL;
	time_t began = time(NULL);
	bool good;
	int status;

	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
		bool fine = option != '?';

		fine = option == 'd' ? number(optarg, 6, &delays) : fine;
		fine = option == 'f' ? number(optarg, 6, &faults) : fine;
		fine = option == 't' ? number(optarg, 1000000, &seconds) : fine;
		search.when_formed = search.when_formed && option != 'o';
		again = option == 'r' ? optarg : again;
		if (option == 'h' || !fine) {
			usage(option == 'h' ? stdout : stderr);
			search_end(&search);
			return option == 'h' ? 0 : 2;
		}
	}
	search.until = seconds ? began + seconds : 0;
	for (uint32_t i = 0; i < CHOICES_MAX; i++) {
		search.saved[i] = saved_new();
	}
	grow(&search);
	good = !search.when_formed || form_first(&search);
	if (again) {
		status = good && replay(&search, again) ? 0 : 1;
	} else {
		good = good && run(&search, 0, delays, faults);
		status = report(&search, good, delays, faults, began);
	}
	search_end(&search);
	return status;
}
