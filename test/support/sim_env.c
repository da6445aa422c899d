/* SPDX-License-Identifier: MIT */
/* sim_env.c - making, cloning and controlling a simulated environment; see sim_env.h. */
#include "support/sim_state.h"
#include "world/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_WALL_MS 1700000000000u /* November 2023 */

uint64_t sim_seed(uint64_t otherwise)
{
    return test_number("PEAT_SEED", otherwise);
}

void sim_lock(sim_env *sim)
{
    if (pthread_mutex_lock(&sim->mu) != 0)
        abort();
}

void sim_unlock(sim_env *sim)
{
    if (pthread_mutex_unlock(&sim->mu) != 0)
        abort();
}

/* Everything but the disk. */
static sim_env *new_bare(uint64_t seed)
{
    sim_env *sim = calloc(1, sizeof *sim);
    pthread_mutexattr_t attr;
    if (sim == NULL || pthread_mutexattr_init(&attr) != 0 ||
        pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE) != 0 ||
        pthread_mutex_init(&sim->mu, &attr) != 0)
        abort();
    (void)pthread_mutexattr_destroy(&attr); /* fails for a bad argument only */
    sim_members(&sim->env);
    sim->env.ctx = sim;
    sim->pid = 1000;
    sim->random = (rng){seed};
    sim->ring_random = (rng){rng_hash(seed)};
    atomic_store(&sim->now_ns, 1000000000u);
    atomic_store(&sim->wall_ahead_ms, FIRST_WALL_MS);
    return sim;
}

sim_env *sim_new(uint64_t seed)
{
    sim_env *sim = new_bare(seed);
    sim_disk_init(&sim->disk, seed);
    sim->stores = seed % 2 != 0;
    sim->rings_on = seed % 3 != 0;
    (void)snprintf(sim->story, sizeof sim->story, "PEAT_SEED=%" PRIu64, seed);
    return sim;
}

void sim_free(sim_env *sim)
{
    if (sim == NULL)
        return;
    sim_disk_done(&sim->disk);
    (void)pthread_mutex_destroy(&sim->mu); /* a busy one is the test's fault: TSan says so */
    free(sim);
}

const peat_env *sim_peat(sim_env *sim)
{
    return &sim->env;
}

const char *sim_story(const sim_env *sim)
{
    return sim->story;
}

/* --- calls and faults ----------------------------------------------------------------------- */

const char *sim_kind_name(sim_kind kind)
{
    static const char *const names[SIM_KIND_COUNT] = {
        [SIM_ALLOC] = "alloc",
        [SIM_RESIZE] = "resize",
        [SIM_MAP] = "map",
        [SIM_DIR_OPEN] = "dir_open",
        [SIM_DIR_SYNC] = "dir_sync",
        [SIM_DIR_LIST] = "dir_list",
        [SIM_DIR_REMOVE] = "dir_remove",
        [SIM_DIR_DELETE] = "dir_delete",
        [SIM_DIR_LOCK] = "dir_lock",
        [SIM_FILE_OPEN] = "file_open",
        [SIM_FILE_CREATE] = "file_create",
        [SIM_FILE_READ] = "file_read",
        [SIM_FILE_WRITE] = "file_write",
        [SIM_FILE_STORE] = "file_store",
        [SIM_FILE_SYNC] = "file_sync",
        [SIM_FILE_SIZE] = "file_size",
        [SIM_FILE_TRUNCATE] = "file_truncate",
        [SIM_FILE_ALLOCATE] = "file_allocate",
        [SIM_FILE_ADVISE] = "file_advise",
        [SIM_THREAD_START] = "thread_start",
        [SIM_RANDOM] = "random",
        [SIM_EVENT_OPEN] = "event_open",
        [SIM_RING_OPEN] = "ring_open",
        [SIM_RING_READ] = "ring_read",
    };
    return kind < SIM_KIND_COUNT ? names[kind] : "?";
}

uint64_t sim_count(sim_env *sim, uint32_t kinds)
{
    uint64_t n = 0;
    for (unsigned k = 0; k < SIM_KIND_COUNT; k++)
        if (kinds & SIM_BIT(k))
            n += atomic_load(&sim->calls[k]);
    return n;
}

unsigned sim_fault_add(sim_env *sim, sim_fault fault)
{
    unsigned n = atomic_load(&sim->fault_count);
    if (n == SIM_FAULTS_MAX || fault.kinds == 0 || fault.error == 0) {
        (void)fprintf(stderr, "sim_fault_add: too many faults, or one that could never strike\n");
        abort();
    }
    fault.at += fault.at == 0;
    sim->faults[n].plan = fault;
    atomic_store(&sim->faults[n].seen, 0);
    atomic_store(&sim->faults[n].hits, 0);
    atomic_store(&sim->fault_count, n + 1);
    return n;
}

uint64_t sim_fault_hits(sim_env *sim, unsigned fault)
{
    return atomic_load(&sim->faults[fault].hits);
}

void sim_faults_clear(sim_env *sim)
{
    atomic_store(&sim->fault_count, 0);
}

static bool strikes(sim_fault_state *f, sim_kind kind, const char *name)
{
    const char *prefix = f->plan.name_prefix;
    if (!(f->plan.kinds & SIM_BIT(kind)))
        return false;
    if (prefix != NULL && (name == NULL || strncmp(name, prefix, strlen(prefix)) != 0))
        return false;
    uint64_t nth = atomic_fetch_add(&f->seen, 1) + 1;
    if (nth != f->plan.at && !(f->plan.sticky && nth > f->plan.at))
        return false;
    atomic_fetch_add(&f->hits, 1);
    return true;
}

int sim_admit(sim_env *sim, sim_kind kind, const char *name, sim_keep *ret_keep)
{
    /* relaxed: a count orders nothing, and must not hide the program's races */
    atomic_fetch_add_explicit(&sim->calls[kind], 1, memory_order_relaxed);
    /* pairs with sim_fault_add, while threads run: orders nothing that comes after it */
    unsigned n = atomic_load_explicit(&sim->fault_count, memory_order_acquire);
    int error = 0;
    for (unsigned i = 0; i < n; i++)
        if (strikes(&sim->faults[i], kind, name) && error == 0) {
            error = sim->faults[i].plan.error;
            if (ret_keep != NULL)
                *ret_keep = sim->faults[i].plan.keep;
        }
    return error;
}

/* --- limits and time ------------------------------------------------------------------------ */

void sim_limit_disk(sim_env *sim, uint64_t bytes)
{
    sim->disk_limit = bytes;
}

void sim_limit_files(sim_env *sim, uint64_t count)
{
    sim->file_limit = count;
}

void sim_read_only(sim_env *sim, bool on)
{
    sim->read_only = on;
}

void sim_split_writes(sim_env *sim, size_t bytes)
{
    sim->split_bytes = bytes;
}

void sim_stores(sim_env *sim, bool on)
{
    sim->stores = on;
}

void sim_rings(sim_env *sim, bool on)
{
    sim->rings_on = on;
}

void sim_fix_random(sim_env *sim)
{
    sim->fixed_random = true;
}

void sim_heap_maps(sim_env *sim)
{
    sim->heap_maps = SIM_ADDRESSES_WATCHED;
}

uint64_t sim_disk_bytes(sim_env *sim)
{
    sim_lock(sim);
    uint64_t used = sim_disk_used(&sim->disk);
    sim_unlock(sim);
    return used;
}

void sim_clock_advance(sim_env *sim, uint64_t ns)
{
    atomic_fetch_add(&sim->now_ns, ns);
}

void sim_wall_set(sim_env *sim, uint64_t ms)
{
    atomic_store(&sim->wall_ahead_ms, ms - atomic_load(&sim->now_ns) / 1000000u);
}

/* --- boundaries and clones ------------------------------------------------------------------ */

void sim_hook_set(sim_env *sim, sim_hook_fn hook, void *arg)
{
    sim_lock(sim); /* a thread may be at a boundary */
    sim->hook = hook;
    sim->hook_arg = arg;
    sim_unlock(sim);
}

uint64_t sim_boundaries(sim_env *sim)
{
    sim_lock(sim);
    uint64_t n = sim->boundaries;
    sim_unlock(sim);
    return n;
}

void sim_boundary_pass(sim_env *sim, sim_kind kind, const char *name)
{
    sim_boundary b = {.kind = kind, .name = name, .index = sim->boundaries++};
    if (sim->hook != NULL)
        sim->hook(sim->hook_arg, sim, &b);
}

/* Under mu. */
static sim_env *clone_bare(sim_env *sim, uint64_t seed)
{
    sim_env *to = new_bare(seed);
    to->disk_limit = sim->disk_limit;
    to->file_limit = sim->file_limit;
    to->split_bytes = sim->split_bytes;
    to->stores = sim->stores;
    to->rings_on = sim->rings_on;
    to->fixed_random = sim->fixed_random;
    to->read_only = sim->read_only;
    to->pid = sim->pid + 1;
    atomic_store(&to->now_ns, atomic_load(&sim->now_ns));
    atomic_store(&to->wall_ahead_ms, atomic_load(&sim->wall_ahead_ms));
    return to;
}

/* What the clone draws from `random` depends on what came before alone, so that two clones with the
 * same files go on in the same way. */
sim_env *sim_clone_cut(sim_env *sim, const sim_cut *cut)
{
    sim_lock(sim);
    sim_env *to = clone_bare(sim, sim->random.state + 1);
    sim_disk_cut(&sim->disk, cut, &to->disk);
    (void)snprintf(
        to->story, sizeof to->story,
        "%.300s, power cut before boundary %" PRIu64 " (%s, seed %" PRIu64 ", sectors of %u)",
        sim->story, sim->boundaries ? sim->boundaries - 1 : 0, sim_cut_mode_name(cut->mode),
        cut->seed, cut->sector_bytes ? cut->sector_bytes : 512);
    sim_unlock(sim);
    return to;
}

sim_env *sim_clone_killed(sim_env *sim)
{
    sim_lock(sim);
    sim_env *to = clone_bare(sim, sim->random.state);
    sim_disk_copy(&sim->disk, &to->disk);
    (void)snprintf(to->story, sizeof to->story, "%.300s, killed before boundary %" PRIu64,
                   sim->story, sim->boundaries ? sim->boundaries - 1 : 0);
    sim_unlock(sim);
    return to;
}

/* --- what is held --------------------------------------------------------------------------- */

sim_held sim_get_held(sim_env *sim)
{
    return (sim_held){.allocations = atomic_load(&sim->allocations),
                      .maps = atomic_load(&sim->maps),
                      .dirs = atomic_load(&sim->dirs),
                      .files = atomic_load(&sim->files),
                      .locks = atomic_load(&sim->locks),
                      .threads = atomic_load(&sim->threads),
                      .events = atomic_load(&sim->events),
                      .rings = atomic_load(&sim->rings),
                      .bytes = atomic_load(&sim->bytes),
                      .bytes_peak = atomic_load(&sim->bytes_peak),
                      .needed = atomic_load(&sim->needed)};
}

uint64_t sim_memory_held(sim_env *sim)
{
    return atomic_load(&sim->allocations) + atomic_load(&sim->maps);
}

void sim_peak_reset(sim_env *sim)
{
    atomic_store(&sim->bytes_peak, atomic_load(&sim->bytes));
}

bool sim_is_clean(sim_env *sim)
{
    sim_held h = sim_get_held(sim);
    if (h.allocations + h.maps + h.dirs + h.files + h.locks + h.threads + h.events + h.rings == 0)
        return true;
    (void)fprintf(stderr,
                  "sim: still held: %" PRIu64 " allocations, %" PRIu64 " maps, %" PRIu64
                  " directories, %" PRIu64 " files, %" PRIu64 " locks, %" PRIu64
                  " threads, %" PRIu64 " events, %" PRIu64 " rings; %s\n",
                  h.allocations, h.maps, h.dirs, h.files, h.locks, h.threads, h.events, h.rings,
                  sim->story);
    return false;
}
