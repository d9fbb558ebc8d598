/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory registration and its limits; see region.h. */
#include "verbs/region.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <syslog.h>
#include <unistd.h>

#include "verbs/log.h"

static void explain_memlock(const struct transport *t, size_t size_bytes, const char *what)
{
	struct rlimit limit;
	unsigned long long need = (unsigned long long)t->pinned_bytes + size_bytes;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
	    need <= limit.rlim_cur) {
		verbs_log(t, LOG_ERR,
			  "cannot register %zu bytes (%s) with the adapter: out of memory",
			  size_bytes, what);
		return;
	}
	verbs_log(
		t, LOG_ERR,
		"cannot register %zu bytes (%s) with the adapter: RLIMIT_MEMLOCK is %llu bytes and "
		"at least %llu are needed; raise it with \"ulimit -l %llu\", LimitMEMLOCK=%llu in "
		"the unit file or limits.conf(5), or give the daemon CAP_IPC_LOCK",
		size_bytes, what, (unsigned long long)limit.rlim_cur, need, (need + 1023) / 1024,
		need);
}

struct ibv_mr *verbs_region_register(struct transport *t, void *base, size_t size_bytes,
				     uint64_t iova, int remote, const char *what)
{
	struct ibv_mr *mr;
	int error;

	mr = ibv_reg_mr_iova(t->pd, base, size_bytes, iova, REGION_ACCESS | remote);
	if (mr) {
		t->pinned_bytes += size_bytes;
		return mr;
	}
	error = errno;
	if (error == ENOMEM) {
		explain_memlock(t, size_bytes, what);
	} else {
		verbs_log(t, LOG_ERR, "cannot register %zu bytes (%s) with the adapter: %s",
			  size_bytes, what, strerror(error));
	}
	errno = error;
	return NULL;
}

void verbs_region_release(struct transport *t, struct ibv_mr *mr, size_t size_bytes)
{
	int error = ibv_dereg_mr(mr);

	if (error != 0) {
		verbs_log(t, LOG_ERR, "cannot deregister memory: %s", strerror(error));
	}
	t->pinned_bytes -= size_bytes;
}

static bool region_valid(const struct transport *t, uint32_t id,
			 const struct transport_region *region)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t slots = (uint64_t)t->config.slot_count * t->config.slot_size_bytes;

	return id < TRANSPORT_REGIONS_MAX && region->base && region->size_bytes > 0 &&
	       region->size_bytes % page == 0 &&
	       (id != TRANSPORT_REGION_SLAB || region->size_bytes >= slots);
}

int verbs_region_add(struct transport *t, uint32_t id, const struct transport_region *region,
		     uint64_t *key)
{
	struct ibv_mr *mr;

	if (id < TRANSPORT_REGIONS_MAX && t->regions[id].mr) {
		return -EEXIST;
	}
	if (!region_valid(t, id, region)) {
		return -EINVAL;
	}
	if (t->dead) {
		return -ENODEV;
	}
	mr = verbs_region_register(t, region->base, region->size_bytes, 0,
				   region->remote_read ? IBV_ACCESS_REMOTE_READ : 0,
				   region->use ? region->use : "send memory");
	if (!mr) {
		return errno > 0 ? -errno : -ENOMEM;
	}
	t->regions[id] = (struct verbs_region){.mr = mr, .size_bytes = region->size_bytes};
	*key = verbs_key_pack((struct verbs_key){mr->rkey, region->size_bytes});
	return 0;
}

void verbs_region_remove(struct transport *t, uint32_t id)
{
	if (id >= TRANSPORT_REGIONS_MAX || !t->regions[id].mr) {
		return;
	}
	verbs_region_release(t, t->regions[id].mr, t->regions[id].size_bytes);
	t->regions[id] = (struct verbs_region){0};
}

int verbs_region_sge(const struct transport *t, const struct transport_seg *seg,
		     struct ibv_sge *out)
{
	const struct verbs_region *region;

	if (seg->region >= TRANSPORT_REGIONS_MAX) {
		return -EINVAL;
	}
	region = &t->regions[seg->region];
	if (!region->mr || seg->offset > region->size_bytes ||
	    seg->size_bytes > region->size_bytes - seg->offset) {
		return -EINVAL;
	}
	*out = (struct ibv_sge){
		.addr = seg->offset,
		.length = seg->size_bytes,
		.lkey = region->mr->lkey,
	};
	return 0;
}

#define KEY_UNIT       4096u
#define KEY_UNITS_MANY 0xffffffu

static uint64_t key_check(uint64_t low)
{
	return ((low ^ 0x636f726f6e6574u) * 0x9e3779b97f4a7c15ull) >> 56;
}

uint64_t verbs_key_pack(struct verbs_key key)
{
	uint64_t units = key.size_bytes / KEY_UNIT;
	uint64_t low;

	units = units < KEY_UNITS_MANY ? units : KEY_UNITS_MANY;
	low = units << 32 | key.rkey;
	return key_check(low) << 56 | low;
}

bool verbs_key_unpack(uint64_t packed, struct verbs_key *out)
{
	uint64_t low = packed & 0xffffffffffffffull;
	uint64_t units = low >> 32;

	if (key_check(low) != packed >> 56) {
		return false;
	}
	out->rkey = (uint32_t)low;
	out->size_bytes = units == KEY_UNITS_MANY ? UINT64_MAX : units * KEY_UNIT;
	return true;
}
