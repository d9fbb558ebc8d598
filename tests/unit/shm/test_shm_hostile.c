/* SPDX-License-Identifier: BSD-3-Clause */
/* Peers that break rules: each loses its link, with the rule it broke in the log, and nobody
 * else notices. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/shm/impostor.h"

const struct rig *rig;

/* The victim is node 2; a well-behaved peer is node 3; the impostor plays node 1, which the
 * victim waits for. */
struct scene {
	struct end victim, good;
	struct impostor impostor;
};

static void test_fail(const char *text)
{
	fail_msg("%s", text);
}

static int scene_setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	if (!scene) {
		return -1;
	}
	scene->victim.node = 2;
	scene->good.node = 3;
	end_open(&scene->victim);
	end_open(&scene->good);
	ends_link(&scene->victim, &scene->good);
	scene->impostor = (struct impostor){.victim = &scene->victim, .node = 1};
	impostor_open(&scene->impostor);
	*state = scene;
	return end_peer_add(&scene->victim, 1);
}

static int scene_teardown(void **state)
{
	struct scene *scene = *state;

	impostor_close(&scene->impostor);
	end_close(&scene->victim);
	end_close(&scene->good);
	free(scene);
	return 0;
}

/* The link with the good peer has lived through it all, and works. */
static void nobody_noticed(struct scene *scene)
{
	struct transport_seg piece = end_seg(0, 3000);
	uint32_t frames = scene->good.frames.count;

	pattern_fill(end_area(&scene->victim, 0), 3000, frames);
	assert_int_equal(end_frame(&scene->victim, 3, &piece, 1, 1), 0);
	run_until(scene->good.frames.count == frames + 1 && scene->victim.sent > 0, &scene->victim,
		  &scene->good);
	assert_true(pattern_holds(scene->good.frames.items[frames].bytes, 3000, frames));
	assert_int_equal(scene->victim.links[3].downs + scene->good.links[2].downs, 0);
}

static void offender_is_cut(struct scene *scene)
{
	run_until(scene->victim.links[1].downs == 1, &scene->victim);
	assert_int_equal(scene->victim.links[1].gones, 0);
	assert_int_equal(impostor_hear_end(&scene->impostor, scene->impostor.control_fd),
			 -ENOTCONN);
	assert_int_equal(scene->victim.frames.count, 0);
	nobody_noticed(scene);
}

static void impostor__that_behaves_is_served(void **state)
{
	struct scene *scene = *state;
	struct impostor *impostor = &scene->impostor;
	struct shm_control_entry *entry;

	impostor_link(impostor);
	pattern_fill(impostor->region.base, 5000, 4);
	impostor_frame(impostor, 0, 5000);
	impostor_produce(&impostor->bulk_mail, 1);
	entry = impostor_control_entry(impostor, 0);
	entry->size_bytes = 3;
	memcpy(entry->bytes, "yes", 3);
	impostor_produce(&impostor->control_mail, 1);
	end_turn(&scene->victim);
	run_until(scene->victim.frames.count == 1, &scene->victim);
	assert_int_equal(scene->victim.controls.count, 1);
	assert_true(pattern_holds(scene->victim.frames.items[0].bytes, 5000, 4));
	assert_int_equal(scene->victim.links[1].incarnation, 666);
}

/* The victim is asleep and not rung: a turn is given to it, as any other event would. */
static void offend(struct scene *scene)
{
	end_turn(&scene->victim);
	offender_is_cut(scene);
}

static void control__more_than_the_ring_holds(void **state)
{
	struct scene *scene = *state;

	impostor_link(&scene->impostor);
	impostor_produce(&scene->impostor.control_mail, IMPOSTOR_ENTRIES + 1);
	offend(scene);
	assert_int_equal(scene->victim.controls.count, 0);
}

static void control__count_that_goes_back(void **state)
{
	struct scene *scene = *state;

	impostor_link(&scene->impostor);
	impostor_control_entry(&scene->impostor, 0)->size_bytes = 1;
	impostor_produce(&scene->impostor.control_mail, 1);
	end_turn(&scene->victim);
	run_until(scene->victim.controls.count == 1, &scene->victim);
	impostor_produce(&scene->impostor.control_mail, 0);
	offend(scene);
}

static void control_size(struct scene *scene, uint32_t size_bytes)
{
	impostor_link(&scene->impostor);
	impostor_control_entry(&scene->impostor, 0)->size_bytes = size_bytes;
	impostor_produce(&scene->impostor.control_mail, 1);
	offend(scene);
	assert_int_equal(scene->victim.controls.count, 0);
}

static void control__of_no_size(void **state)
{
	control_size(*state, 0);
}

static void control__larger_than_an_entry(void **state)
{
	control_size(*state, CHANNEL_SIZE_MAX + 1);
}

static void control__of_enormous_size(void **state)
{
	control_size(*state, UINT32_MAX);
}

static void control__taken_before_it_was_sent(void **state)
{
	struct scene *scene = *state;
	int result = 0;

	impostor_link(&scene->impostor);
	impostor_consume(&scene->impostor.control_mail, 1000);
	for (int i = 0; i < 1000 && result == 0; i++) {
		result = end_control(&scene->victim, 1, "x", 1);
	}
	assert_int_equal(result, -ENOTCONN);
	offender_is_cut(scene);
}

static void bulk__more_than_the_ring_holds(void **state)
{
	struct scene *scene = *state;

	impostor_link(&scene->impostor);
	impostor_produce(&scene->impostor.bulk_mail, UINT64_MAX);
	offend(scene);
}

static void bulk__taken_before_it_was_sent(void **state)
{
	struct scene *scene = *state;
	struct transport_seg piece = end_seg(0, 10);

	impostor_link(&scene->impostor);
	assert_int_equal(end_frame(&scene->victim, 1, &piece, 1, 9), 0);
	impostor_consume(&scene->impostor.bulk_mail, 2);
	end_turn(&scene->victim);
	run_until(scene->victim.failed == 1, &scene->victim);
	offender_is_cut(scene);
}

static void bulk_pieces(struct scene *scene, uint64_t count)
{
	impostor_link(&scene->impostor);
	impostor_frame(&scene->impostor, 0, 100)->count = count;
	impostor_produce(&scene->impostor.bulk_mail, 1);
	offend(scene);
}

static void bulk__frame_of_no_pieces(void **state)
{
	bulk_pieces(*state, 0);
}

static void bulk__frame_of_too_many_pieces(void **state)
{
	bulk_pieces(*state, FRAME_SEGS_MAX + 1);
}

static void bulk__frame_of_countless_pieces(void **state)
{
	bulk_pieces(*state, UINT64_MAX);
}

static void bulk_piece(struct scene *scene, uint64_t key, uint64_t offset, uint64_t size_bytes)
{
	impostor_link(&scene->impostor);
	impostor_frame(&scene->impostor, 0, 100)->pieces[0] =
		(struct shm_piece){.key = key, .offset = offset, .size_bytes = size_bytes};
	impostor_produce(&scene->impostor.bulk_mail, 1);
	offend(scene);
}

static void bulk__frame_from_an_unknown_region(void **state)
{
	bulk_piece(*state, IMPOSTOR_KEY + 1, 0, 100);
}

static void bulk__frame_from_a_region_of_another_life(void **state)
{
	bulk_piece(*state, IMPOSTOR_KEY * 2, 0, 100);
}

static void bulk__frame_from_no_region(void **state)
{
	bulk_piece(*state, 0, 0, 100);
}

static void bulk__frame_of_no_bytes(void **state)
{
	bulk_piece(*state, IMPOSTOR_KEY, 0, 0);
}

static void bulk__frame_that_ends_outside(void **state)
{
	bulk_piece(*state, IMPOSTOR_KEY, IMPOSTOR_REGION_BYTES - 99, 100);
}

static void bulk__frame_that_lies_outside(void **state)
{
	bulk_piece(*state, IMPOSTOR_KEY, IMPOSTOR_REGION_BYTES + 1, 1);
}

static void bulk__frame_whose_end_wraps(void **state)
{
	bulk_piece(*state, IMPOSTOR_KEY, UINT64_MAX - 10, 100);
}

static void bulk__frame_whose_size_wraps(void **state)
{
	bulk_piece(*state, IMPOSTOR_KEY, 100, UINT64_MAX - 50);
}

static void bulk__frame_larger_than_a_slot(void **state)
{
	bulk_piece(*state, IMPOSTOR_KEY, 0, END_SLOT_BYTES + 1);
}

static void bulk__pieces_that_together_exceed_a_slot(void **state)
{
	struct scene *scene = *state;
	struct shm_bulk_entry *entry;

	impostor_link(&scene->impostor);
	entry = impostor_frame(&scene->impostor, 0, END_SLOT_BYTES);
	entry->count = 2;
	entry->pieces[1] = (struct shm_piece){.key = IMPOSTOR_KEY, .size_bytes = 1};
	impostor_produce(&scene->impostor.bulk_mail, 1);
	offend(scene);
}

static void socket_says(struct scene *scene, const void *bytes, size_t size_bytes)
{
	impostor_link(&scene->impostor);
	assert_true(send(scene->impostor.control_fd, bytes, size_bytes, 0) >= 0);
	offender_is_cut(scene);
}

static void socket__says_nonsense(void **state)
{
	socket_says(*state, "nonsense", 8);
}

static void socket__says_too_much(void **state)
{
	uint8_t bytes[10000] = {SHM_WAKE};

	socket_says(*state, bytes, sizeof(bytes));
}

static void socket__greets_again(void **state)
{
	struct scene *scene = *state;
	struct shm_msg hello;

	impostor_link(&scene->impostor);
	hello = impostor_hello(&scene->impostor, SHM_CONTROL);
	assert_int_equal(shm_sock_send(scene->impostor.control_fd, &hello, NULL, 0), 0);
	offender_is_cut(scene);
}

static void socket__speaks_on_bulk(void **state)
{
	struct scene *scene = *state;
	struct shm_msg wake = {.kind = SHM_WAKE};

	impostor_link(&scene->impostor);
	assert_int_equal(shm_sock_send(scene->impostor.bulk_fd, &wake, NULL, 0), 0);
	offender_is_cut(scene);
}

static void region__announced_twice(void **state)
{
	struct scene *scene = *state;
	struct impostor *impostor = &scene->impostor;

	impostor_link(impostor);
	impostor_announce(impostor, impostor->region.fd, IMPOSTOR_KEY, 4096);
	offender_is_cut(scene);
}

static void region__without_memory(void **state)
{
	struct scene *scene = *state;

	impostor_link(&scene->impostor);
	impostor_announce(&scene->impostor, -1, IMPOSTOR_KEY + 1, 4096);
	offender_is_cut(scene);
}

static void region__smaller_than_it_says(void **state)
{
	struct scene *scene = *state;
	struct impostor *impostor = &scene->impostor;

	impostor_link(impostor);
	impostor_announce(impostor, impostor->region.fd, IMPOSTOR_KEY + 1,
			  IMPOSTOR_REGION_BYTES + 1);
	offender_is_cut(scene);
}

static void region__that_may_shrink(void **state)
{
	struct scene *scene = *state;
	int fd = memfd_create("shrinks", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, 65536), 0);
	impostor_link(&scene->impostor);
	impostor_announce(&scene->impostor, fd, IMPOSTOR_KEY + 1, 65536);
	offender_is_cut(scene);
	close(fd);
}

/* Files with nothing in them cost their maker nothing; one of half the limit is taken. */
static void regions__of_more_than_any_node_has(void **state)
{
	struct scene *scene = *state;
	const uint64_t half = UINT64_C(1) << 39;
	int fd = memfd_create("empty", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, (off_t)half), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	impostor_link(&scene->impostor);
	impostor_announce(&scene->impostor, fd, IMPOSTOR_KEY + 1, half);
	for (int i = 0; i < 20; i++) {
		end_turn(&scene->victim);
	}
	assert_int_equal(scene->victim.links[1].downs, 0);
	impostor_announce(&scene->impostor, fd, IMPOSTOR_KEY + 2, half);
	offender_is_cut(scene);
	close(fd);
}

static void region__that_is_no_memory(void **state)
{
	struct scene *scene = *state;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	impostor_link(&scene->impostor);
	impostor_announce(&scene->impostor, fd, IMPOSTOR_KEY + 1, 65536);
	offender_is_cut(scene);
	close(fd);
}

static void region__withdrawn_without_being_there(void **state)
{
	struct scene *scene = *state;
	struct shm_msg msg = {.kind = SHM_REGION_REMOVE, .key = IMPOSTOR_KEY + 7};

	impostor_link(&scene->impostor);
	assert_int_equal(shm_sock_send(scene->impostor.control_fd, &msg, NULL, 0), 0);
	offender_is_cut(scene);
}

/* A READ that was accepted for a region which the peer says lives but never announces waits, and
 * ends with the link. */
/* In the child, until it is killed: as fast as they are taken. */
static void announce_for_ever(const struct impostor *impostor)
{
	struct shm_msg add = {.kind = SHM_REGION_ADD,
			      .key = IMPOSTOR_KEY + 1,
			      .size_bytes = IMPOSTOR_REGION_BYTES};
	struct shm_msg gone = {.kind = SHM_REGION_REMOVE, .key = add.key};
	bool added = false;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int result =
			added ? shm_sock_send(impostor->control_fd, &gone, NULL, 0)
			      : shm_sock_send(impostor->control_fd, &add, &impostor->region.fd, 1);

		added = result ? added : !added;
		if (result && result != -EAGAIN) {
			_exit(1);
		}
	}
}

/* The others have their turn. */
static void region__announced_and_withdrawn_for_ever(void **state)
{
	struct scene *scene = *state;
	pid_t child;

	impostor_link(&scene->impostor);
	child = fork();
	if (child == 0) {
		announce_for_ever(&scene->impostor);
	}
	for (int i = 0; i < 20; i++) {
		nobody_noticed(scene);
	}
	assert_int_equal(scene->victim.links[1].downs, 0);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void region__promised_and_never_announced(void **state)
{
	struct scene *scene = *state;
	struct shm_board *board;

	impostor_link(&scene->impostor);
	board = scene->impostor.board.base;
	atomic_store(&board->keys[5], UINT64_C(4096) * 9 + 5);
	assert_int_equal(end_read(&scene->victim, 1, UINT64_C(4096) * 9 + 5, 0, end_seg(0, 100), 3),
			 0);
	run_for(100, &scene->victim);
	assert_int_equal(scene->victim.read_count, 0);
	assert_int_equal(scene->victim.links[1].downs, 0);
	/* It changes its mind: nothing will come. */
	atomic_store(&board->keys[5], 0);
	run_until(scene->victim.read_count == 1, &scene->victim);
	assert_true(scene->victim.reads[0].status < 0);
	nobody_noticed(scene);
}

/* No offence, but as hard to see: the impostor has taken back what it lent, and says so while
 * the victim copies. */
static void take_back(struct impostor *impostor)
{
	atomic_store(&((struct shm_mail *)impostor->bulk_mail.base)->closed, 1);
}

static void bulk__frame_taken_back_is_not_delivered(void **state)
{
	struct scene *scene = *state;

	impostor_link(&scene->impostor);
	impostor_frame(&scene->impostor, 0, 100);
	take_back(&scene->impostor);
	impostor_produce(&scene->impostor.bulk_mail, 1);
	end_turn(&scene->victim);
	run_for(50, &scene->victim);
	assert_int_equal(scene->victim.frames.count, 0);
	assert_int_equal(scene->victim.links[1].downs, 0);
}

static uint64_t read_region(struct scene *scene, uint64_t live_key)
{
	struct shm_board *board;

	impostor_link(&scene->impostor);
	board = scene->impostor.board.base;
	pattern_fill(scene->impostor.region.base, 1000, 8);
	atomic_store(&board->keys[0], live_key);
	return IMPOSTOR_KEY;
}

static void read__of_a_live_region_is_done(void **state)
{
	struct scene *scene = *state;
	uint64_t key = read_region(scene, IMPOSTOR_KEY);

	assert_int_equal(end_read(&scene->victim, 1, key, 0, end_seg(0, 1000), 1), 0);
	run_until(scene->victim.read_count == 1, &scene->victim);
	assert_int_equal(scene->victim.reads[0].status, 0);
	assert_true(pattern_holds(end_area(&scene->victim, 0), 1000, 8));
}

/* The region is mapped here still, but its owner has withdrawn the key. */
static void read__of_a_region_just_withdrawn_fails(void **state)
{
	struct scene *scene = *state;
	uint64_t key = read_region(scene, 0);

	assert_int_equal(end_read(&scene->victim, 1, key, 0, end_seg(0, 1000), 1), 0);
	run_until(scene->victim.read_count == 1, &scene->victim);
	assert_true(scene->victim.reads[0].status < 0);
	assert_int_equal(scene->victim.links[1].downs, 0);
}

static void read__of_memory_taken_back_is_not_done(void **state)
{
	struct scene *scene = *state;
	uint64_t key = read_region(scene, IMPOSTOR_KEY);

	take_back(&scene->impostor);
	assert_int_equal(end_read(&scene->victim, 1, key, 0, end_seg(0, 1000), 1), 0);
	run_for(50, &scene->victim);
	assert_int_equal(scene->victim.read_count, 0);
	impostor_close(&scene->impostor);
	run_until(scene->victim.read_count == 1, &scene->victim);
	assert_true(scene->victim.reads[0].status < 0);
}

static void child_is_content(struct scene *scene, pid_t child)
{
	int status = -1;

	while (waitpid(child, &status, WNOHANG) == 0) {
		run_for(10, &scene->victim, &scene->good);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Greetings that get no link. Each tells what reject it expects; 0: hung up without an answer. */
static void greeting(struct scene *scene, const struct shm_msg *hello, const int *fds, int fd_count,
		     enum shm_reason reason)
{
	int fd = impostor_dial(&scene->impostor);
	struct shm_packet packet;

	assert_int_equal(shm_sock_send(fd, hello, fds, fd_count), 0);
	assert_int_equal(impostor_hear(&scene->impostor, fd, &packet), 0);
	assert_int_equal(packet.msg.kind, SHM_REJECT);
	assert_int_equal(packet.msg.reason, reason);
	assert_int_equal(packet.fd_count, 0);
	shm_packet_drop(&packet);
	assert_int_equal(impostor_hear(&scene->impostor, fd, &packet), -ENOTCONN);
	close(fd);
	assert_int_equal(scene->victim.links[1].ups, 0);
}

static void greeting__that_does_not_fit_is_rejected(void **state)
{
	struct scene *scene = *state;
	const struct shm_msg good = impostor_hello(&scene->impostor, SHM_CONTROL);
	struct shm_msg hello = good;

	hello.version = SHM_VERSION + 1;
	greeting(scene, &hello, NULL, 0, SHM_REASON_VERSION);
	hello = good;
	snprintf(hello.cluster, sizeof(hello.cluster), "elsewhere");
	greeting(scene, &hello, NULL, 0, SHM_REASON_CLUSTER);
	hello = good;
	hello.to = 9;
	greeting(scene, &hello, NULL, 0, SHM_REASON_OTHER_NODE);
	hello = good;
	hello.from = 44;
	greeting(scene, &hello, NULL, 0, SHM_REASON_NOT_CONFIGURED);
	hello = good;
	hello.from = 3;
	greeting(scene, &hello, NULL, 0, SHM_REASON_ROLE);
	hello = good;
	hello.slot_size_bytes = 4096;
	greeting(scene, &hello, NULL, 0, SHM_REASON_SLOT_SIZE);
	hello = good;
	hello.purpose = SHM_BULK;
	greeting(scene, &hello, NULL, 0, SHM_REASON_NO_LINK);
	nobody_noticed(scene);
}

static void greeting__with_unusable_memory_is_rejected(void **state)
{
	struct scene *scene = *state;
	const struct shm_msg good = impostor_hello(&scene->impostor, SHM_CONTROL);
	struct shm_msg hello = good;
	struct end_memory large = end_memory_new(1 << 20), small = end_memory_new(4096);
	int fds[3] = {large.fd, large.fd, large.fd};

	greeting(scene, &hello, NULL, 0, SHM_REASON_MEMORY);
	greeting(scene, &hello, fds, 1, SHM_REASON_MEMORY);
	greeting(scene, &hello, fds, 3, SHM_REASON_MEMORY);
	for (uint32_t entries = 0; entries < 64; entries += 21) {
		hello.entries = entries;
		greeting(scene, &hello, fds, 2, SHM_REASON_MEMORY);
	}
	hello.entries = UINT32_MAX;
	greeting(scene, &hello, fds, 2, SHM_REASON_MEMORY);
	hello.entries = 1u << 31;
	greeting(scene, &hello, fds, 2, SHM_REASON_MEMORY);
	hello = good;
	fds[0] = small.fd;
	greeting(scene, &hello, fds, 2, SHM_REASON_MEMORY);
	fds[0] = large.fd;
	fds[1] = small.fd;
	greeting(scene, &hello, fds, 2, SHM_REASON_MEMORY);
	fds[1] = STDERR_FILENO;
	greeting(scene, &hello, fds, 2, SHM_REASON_MEMORY);
	end_memory_free(&large);
	end_memory_free(&small);
	nobody_noticed(scene);
	/* And then it behaves. */
	impostor_link(&scene->impostor);
	assert_int_equal(scene->victim.links[1].ups, 1);
}

static void greeting__to_another_link_is_rejected(void **state)
{
	struct scene *scene = *state;
	struct shm_msg hello;

	impostor_greet_control(&scene->impostor);
	hello = impostor_hello(&scene->impostor, SHM_BULK);
	hello.link++;
	greeting(scene, &hello, NULL, 0, SHM_REASON_NO_LINK);
	/* The right one still works. */
	impostor_greet_bulk(&scene->impostor);
	run_until(scene->victim.links[1].is_up, &scene->victim);
}

/* A whole greeting, as of a peer that dials anew, but it has not hung up. */
static void greeting__in_a_linked_peers_name_is_refused(void **state)
{
	struct scene *scene = *state;
	struct shm_packet packet;
	struct shm_map mail = {0}, board = {0};
	struct shm_msg hello;
	int fds[2];
	int fd;

	impostor_link(&scene->impostor);
	hello = impostor_hello(&scene->impostor, SHM_CONTROL);
	hello.incarnation = 667;
	assert_int_equal(shm_share_new("other", 1 << 20, &mail, &fds[0]), 0);
	assert_int_equal(shm_share_new("other", 1 << 16, &board, &fds[1]), 0);
	fd = impostor_dial(&scene->impostor);
	assert_int_equal(shm_sock_send(fd, &hello, fds, 2), 0);
	assert_int_equal(impostor_hear(&scene->impostor, fd, &packet), -ENOTCONN);
	assert_int_equal(scene->victim.links[1].downs, 0);
	/* When it has, it is welcome. */
	close(scene->impostor.control_fd);
	scene->impostor.control_fd = -1;
	close(fd);
	fd = impostor_dial(&scene->impostor);
	assert_int_equal(shm_sock_send(fd, &hello, fds, 2), 0);
	assert_int_equal(impostor_hear(&scene->impostor, fd, &packet), 0);
	assert_int_equal(packet.msg.kind, SHM_WELCOME);
	shm_packet_drop(&packet);
	close(fd);
	close(fds[0]);
	close(fds[1]);
	shm_share_drop(&mail);
	shm_share_drop(&board);
	nobody_noticed(scene);
}

/* In the child: 0 when it was hung up on without a word. */
static int bulk_of_another(struct scene *scene, const struct shm_msg *hello)
{
	struct shm_map mail = {0};
	struct shm_packet packet;
	int fd = impostor_dial(&scene->impostor);
	int result = -EAGAIN;
	int memory;

	if (shm_share_new("other", 1 << 20, &mail, &memory) ||
	    shm_sock_send(fd, hello, &memory, 1)) {
		return 1;
	}
	for (int i = 0; i < 300 && result == -EAGAIN; i++) {
		result = shm_sock_recv(fd, &packet);
		usleep(10000);
	}
	return result == -ENOTCONN ? 0 : 2;
}

/* The link's name may be known, or guessed. */
static void greeting__of_bulk_by_another_process_is_refused(void **state)
{
	struct scene *scene = *state;
	struct shm_msg hello;
	pid_t child;

	impostor_link(&scene->impostor);
	hello = impostor_hello(&scene->impostor, SHM_BULK);
	child = fork();
	if (child == 0) {
		_exit(bulk_of_another(scene, &hello));
	}
	child_is_content(scene, child);
	assert_int_equal(scene->victim.links[1].bulk_downs, 0);
	nobody_noticed(scene);
}

/* As often as it likes at first, and then once in a while. */
static void link__that_always_breaks_is_put_off(void **state)
{
	struct scene *scene = *state;
	struct impostor *impostor = &scene->impostor;
	struct shm_msg hello = impostor_hello(impostor, SHM_CONTROL);
	struct shm_packet packet;
	int linked = 0;
	int result;

	do {
		struct shm_map mail = {0}, board = {0};
		int fds[2];
		int fd = impostor_dial(impostor);

		assert_int_equal(shm_share_new("other", 1 << 20, &mail, &fds[0]), 0);
		assert_int_equal(shm_share_new("other", 1 << 16, &board, &fds[1]), 0);
		assert_int_equal(shm_sock_send(fd, &hello, fds, 2), 0);
		result = impostor_hear(impostor, fd, &packet);
		if (result == 0) {
			assert_int_equal(packet.msg.kind, SHM_WELCOME);
			shm_packet_drop(&packet);
		}
		linked += result == 0;
		close(fd);
		close(fds[0]);
		close(fds[1]);
		shm_share_drop(&mail);
		shm_share_drop(&board);
	} while (result == 0 && linked < 100);
	assert_int_equal(result, -ENOTCONN);
	assert_in_range(linked, 20, 40);
	nobody_noticed(scene);
	run_for(2100, &scene->victim, &scene->good);
	impostor_link(impostor);
	nobody_noticed(scene);
}

static void greeting__without_bulk_ends(void **state)
{
	struct scene *scene = *state;

	impostor_greet_control(&scene->impostor);
	assert_int_equal(impostor_hear_end(&scene->impostor, scene->impostor.control_fd),
			 -ENOTCONN);
	assert_int_equal(scene->victim.links[1].ups, 0);
	nobody_noticed(scene);
}

static void guest__that_says_nonsense_is_dropped(void **state)
{
	struct scene *scene = *state;
	const char *texts[] = {"GET / HTTP/1.1\r\n\r\n", "\1", "\6"};
	struct shm_packet packet;

	for (int i = 0; i < 3; i++) {
		int fd = impostor_dial(&scene->impostor);

		assert_true(send(fd, texts[i], strlen(texts[i]), 0) > 0);
		assert_int_equal(impostor_hear(&scene->impostor, fd, &packet), -ENOTCONN);
		close(fd);
	}
	nobody_noticed(scene);
}

/* More of them than there is room for, all silent: they are dropped in time, and a peer gets in
 * again. */
static void guests__that_stay_silent_are_dropped(void **state)
{
	struct scene *scene = *state;
	struct shm_packet packet;
	int fds[SHM_GUESTS_MAX + 10];
	int count = (int)(sizeof(fds) / sizeof(fds[0]));

	for (int i = 0; i < count; i++) {
		fds[i] = impostor_dial(&scene->impostor);
	}
	for (int i = 0; i < count; i++) {
		assert_int_equal(impostor_hear(&scene->impostor, fds[i], &packet), -ENOTCONN);
		close(fds[i]);
	}
	impostor_link(&scene->impostor);
	nobody_noticed(scene);
}

/* However many of them are silent. */
static void guests__that_stay_silent_keep_no_peer_out(void **state)
{
	struct scene *scene = *state;
	int fds[SHM_GUESTS_MAX + 10];
	int count = (int)(sizeof(fds) / sizeof(fds[0]));

	for (int i = 0; i < count; i++) {
		fds[i] = impostor_dial(&scene->impostor);
	}
	impostor_link(&scene->impostor);
	nobody_noticed(scene);
	for (int i = 0; i < count; i++) {
		close(fds[i]);
	}
}

/* No descriptor is left to let a guest in: the victim waits, without spinning, and goes on when
 * there is one. */
static void guest__without_a_descriptor_for_it_waits(void **state)
{
	struct scene *scene = *state;
	struct rlimit limit, none;
	struct shm_packet packet;
	int fd = impostor_dial(&scene->impostor);
	uint64_t until_ms = end_now_ms() + 500;
	uint32_t turns = 0;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	while (ends_step(RUN_ENDS(&scene->victim), 1, until_ms)) {
		turns++;
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(turns >= 2 && turns <= 20);
	assert_int_equal(impostor_hear(&scene->impostor, fd, &packet), -ENOTCONN);
	close(fd);
	impostor_link(&scene->impostor);
	nobody_noticed(scene);
}

/* A hello whose sender has given up meanwhile must not cost the link that there is. */
static void guest__that_gave_up_replaces_nothing(void **state)
{
	struct scene *scene = *state;
	struct shm_msg hello;
	int fd;

	impostor_link(&scene->impostor);
	hello = impostor_hello(&scene->impostor, SHM_CONTROL);
	fd = impostor_dial(&scene->impostor);
	assert_int_equal(shm_sock_send(fd, &hello, NULL, 0), 0);
	close(fd);
	run_for(100, &scene->victim);
	assert_int_equal(scene->victim.links[1].downs, 0);
	assert_int_equal(scene->victim.links[1].ups, 1);
}

/* In the child: as an ordinary user, straight to the victim's socket. 0 when it was turned away
 * without a word. */
static int stranger(const struct sockaddr_un *address, socklen_t length,
		    const struct shm_msg *hello)
{
	struct shm_packet packet;
	int result = -EAGAIN;
	int fd;

	if (setuid(65534)) {
		return 1;
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	if (connect(fd, (const struct sockaddr *)address, length)) {
		return 2;
	}
	/* The hello may find the door shut already. */
	shm_sock_send(fd, hello, NULL, 0);
	for (int i = 0; i < 300 && result == -EAGAIN; i++) {
		result = shm_sock_recv(fd, &packet);
		usleep(10000);
	}
	return result == -ENOTCONN ? 0 : 3;
}

static void guest__of_another_user_is_turned_away(void **state)
{
	struct scene *scene = *state;
	struct shm_msg hello = impostor_hello(&scene->impostor, SHM_PROBE);
	struct sockaddr_un address;
	socklen_t length = sizeof(address);
	pid_t child;
	int fd;

	if (geteuid() != 0) {
		skip();
	}
	fd = impostor_dial(&scene->impostor);
	assert_int_equal(getpeername(fd, (struct sockaddr *)&address, &length), 0);
	close(fd);
	child = fork();
	if (child == 0) {
		_exit(stranger(&address, length, &hello));
	}
	child_is_content(scene, child);
	nobody_noticed(scene);
}

/* Now the victim is the one who dials: node 9 is the impostor's. */
static int impostor_accept(struct scene *scene)
{
	int fd = -1;

	run_until((fd = accept4(scene->impostor.listen_fd, NULL, NULL,
				SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0,
		  &scene->victim);
	return fd;
}

static void impostor_listen(struct scene *scene)
{
	scene->impostor.node = 9;
	assert_int_equal(shm_sock_listen(geteuid(), end_cluster(), 9, &scene->impostor.listen_fd),
			 0);
	assert_int_equal(end_peer_add(&scene->victim, 9), 0);
}

static void answer__is_awaited_no_longer_than_allowed(void **state)
{
	struct scene *scene = *state;
	uint64_t began_ms = end_now_ms();
	int first, second;

	impostor_listen(scene);
	first = impostor_accept(scene);
	/* It never answers: the victim gives up and dials again. */
	second = impostor_accept(scene);
	assert_true(end_now_ms() - began_ms >= 300);
	close(first);
	close(second);
	assert_int_equal(scene->victim.links[9].ups, 0);
	nobody_noticed(scene);
}

/* Dials that are hung up, or answered by nonsense, are repeated ever more rarely. */
static void answers(struct scene *scene, const struct shm_msg *msg, const int *fds, int fd_count)
{
	uint64_t began_ms;

	impostor_listen(scene);
	began_ms = end_now_ms();
	for (int dials = 0; dials < 4; dials++) {
		int fd = impostor_accept(scene);

		if (msg) {
			shm_sock_send(fd, msg, fds, fd_count);
			run_for(2, &scene->victim);
		}
		close(fd);
	}
	/* 50, 100 and 200 ms lay between them, at least. */
	assert_true(end_now_ms() - began_ms >= 340);
	assert_int_equal(scene->victim.links[9].ups, 0);
	nobody_noticed(scene);
}

static void answer__none_at_all(void **state)
{
	answers(*state, NULL, NULL, 0);
}

static void answer__of_the_wrong_kind(void **state)
{
	struct scene *scene = *state;
	struct shm_msg msg = {.kind = SHM_WAKE};

	answers(scene, &msg, NULL, 0);
}

static void answer__from_another_node(void **state)
{
	struct scene *scene = *state;
	struct shm_msg msg = impostor_hello(&scene->impostor, SHM_CONTROL);
	int fds[2] = {scene->victim.slab.fd, scene->victim.slab.fd};

	msg.kind = SHM_WELCOME;
	msg.from = 8;
	answers(scene, &msg, fds, 2);
}

static void answer__without_memory(void **state)
{
	struct scene *scene = *state;
	struct shm_msg msg = impostor_hello(&scene->impostor, SHM_CONTROL);

	msg.kind = SHM_WELCOME;
	msg.from = 9;
	answers(scene, &msg, NULL, 0);
}

static void answer__reject(void **state)
{
	struct scene *scene = *state;
	struct shm_msg msg = impostor_hello(&scene->impostor, SHM_CONTROL);

	msg.kind = SHM_REJECT;
	msg.reason = SHM_REASON_NOT_CONFIGURED;
	answers(scene, &msg, NULL, 0);
}

static const struct CMUnitTest tests[] = {
#define scene_test(function) cmocka_unit_test_setup_teardown(function, scene_setup, scene_teardown)
	scene_test(impostor__that_behaves_is_served),
	scene_test(control__more_than_the_ring_holds),
	scene_test(control__count_that_goes_back),
	scene_test(control__of_no_size),
	scene_test(control__larger_than_an_entry),
	scene_test(control__of_enormous_size),
	scene_test(control__taken_before_it_was_sent),
	scene_test(bulk__more_than_the_ring_holds),
	scene_test(bulk__taken_before_it_was_sent),
	scene_test(bulk__frame_of_no_pieces),
	scene_test(bulk__frame_of_too_many_pieces),
	scene_test(bulk__frame_of_countless_pieces),
	scene_test(bulk__frame_from_an_unknown_region),
	scene_test(bulk__frame_from_a_region_of_another_life),
	scene_test(bulk__frame_from_no_region),
	scene_test(bulk__frame_of_no_bytes),
	scene_test(bulk__frame_that_ends_outside),
	scene_test(bulk__frame_that_lies_outside),
	scene_test(bulk__frame_whose_end_wraps),
	scene_test(bulk__frame_whose_size_wraps),
	scene_test(bulk__frame_larger_than_a_slot),
	scene_test(bulk__pieces_that_together_exceed_a_slot),
	scene_test(socket__says_nonsense),
	scene_test(socket__says_too_much),
	scene_test(socket__greets_again),
	scene_test(socket__speaks_on_bulk),
	scene_test(region__announced_twice),
	scene_test(region__without_memory),
	scene_test(region__smaller_than_it_says),
	scene_test(region__that_may_shrink),
	scene_test(region__that_is_no_memory),
	scene_test(regions__of_more_than_any_node_has),
	scene_test(region__withdrawn_without_being_there),
	scene_test(region__announced_and_withdrawn_for_ever),
	scene_test(region__promised_and_never_announced),
	scene_test(bulk__frame_taken_back_is_not_delivered),
	scene_test(read__of_a_live_region_is_done),
	scene_test(read__of_a_region_just_withdrawn_fails),
	scene_test(read__of_memory_taken_back_is_not_done),
	scene_test(greeting__that_does_not_fit_is_rejected),
	scene_test(greeting__with_unusable_memory_is_rejected),
	scene_test(greeting__to_another_link_is_rejected),
	scene_test(greeting__in_a_linked_peers_name_is_refused),
	scene_test(greeting__of_bulk_by_another_process_is_refused),
	scene_test(link__that_always_breaks_is_put_off),
	scene_test(greeting__without_bulk_ends),
	scene_test(guest__that_says_nonsense_is_dropped),
	scene_test(guests__that_stay_silent_are_dropped),
	scene_test(guests__that_stay_silent_keep_no_peer_out),
	scene_test(guest__without_a_descriptor_for_it_waits),
	scene_test(guest__that_gave_up_replaces_nothing),
	scene_test(guest__of_another_user_is_turned_away),
	scene_test(answer__is_awaited_no_longer_than_allowed),
	scene_test(answer__none_at_all),
	scene_test(answer__of_the_wrong_kind),
	scene_test(answer__from_another_node),
	scene_test(answer__without_memory),
	scene_test(answer__reject),
};

int main(void)
{
	const struct rig shm = {.ops = transport_find("shm"), .patience_ms = 5000};
	char name[32];

	rig = &shm;
	end_fail = test_fail;
	snprintf(name, sizeof(name), "hostile-%d", (int)getpid());
	end_cluster_set(name);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
