/* SPDX-License-Identifier: MIT */
/* sim_calls.c - memory, threads, time and chance of a simulated environment, and the table of all
 * members; see sim_env.h. */
#include "support/sim_calls.h"

#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POISONED 4096 /* bytes at the most */

struct peat_env_thread {
    peat_env_thread *real;
};

/* --- memory --------------------------------------------------------------------------------- */

/* relaxed throughout: see sim_admit */
void sim_count_up(_Atomic uint64_t *n, uint64_t by)
{
    atomic_fetch_add_explicit(n, by, memory_order_relaxed);
}

void sim_count_down(_Atomic uint64_t *n, uint64_t by)
{
    if (atomic_fetch_sub_explicit(n, by, memory_order_relaxed) < by) {
        (void)fprintf(stderr, "sim: something was given back that was not held\n");
        abort();
    }
}

static void bytes_up(sim_env *sim, uint64_t by)
{
    uint64_t now = atomic_fetch_add_explicit(&sim->bytes, by, memory_order_relaxed) + by;
    uint64_t peak = atomic_load_explicit(&sim->bytes_peak, memory_order_relaxed);
    while (now > peak &&
           !atomic_compare_exchange_weak_explicit(&sim->bytes_peak, &peak, now,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

static void forbid_zero(size_t size, const char *member)
{
    if (size == 0) {
        (void)fprintf(stderr, "sim: %s of 0 bytes\n", member);
        abort();
    }
}

static void *sim_alloc(void *ctx, size_t size)
{
    sim_env *sim = ctx;
    forbid_zero(size, "alloc");
    void *p = sim_admit(sim, SIM_ALLOC, NULL, NULL) == 0 ? malloc(size) : NULL;
    if (p == NULL)
        return NULL;
    memset(p, 0xa5, size < POISONED ? size : POISONED); /* whoever counts on zeroes fails */
    sim_count_up(&sim->allocations, 1);
    bytes_up(sim, malloc_usable_size(p));
    return p;
}

static void sim_release(void *ctx, void *p)
{
    sim_env *sim = ctx;
    if (p == NULL)
        return;
    sim_count_down(&sim->allocations, 1);
    sim_count_down(&sim->bytes, malloc_usable_size(p));
    free(p);
}

/* It always moves, and overwrites what it leaves behind. */
static void *sim_resize(void *ctx, void *p, size_t size)
{
    sim_env *sim = ctx;
    forbid_zero(size, "resize");
    if (sim_admit(sim, SIM_RESIZE, NULL, NULL) != 0)
        return NULL;
    void *q = malloc(size);
    if (q == NULL)
        return NULL;
    sim_count_up(&sim->allocations, 1);
    bytes_up(sim, malloc_usable_size(q));
    if (p == NULL)
        return q;
    size_t before = malloc_usable_size(p);
    memcpy(q, p, before < size ? before : size);
    memset(p, 0xdd, before < POISONED ? before : POISONED);
    sim_release(ctx, p);
    return q;
}

static void *heap_map(size_t size)
{
    void *p = NULL;
    if (posix_memalign(&p, 4096, size) != 0)
        return NULL;
    memset(p, 0, size);
    return p;
}

static void *sim_map(void *ctx, size_t size)
{
    sim_env *sim = ctx;
    const peat_env *real = peat_env_default();
    void *p = NULL;
    forbid_zero(size, "map");
    if (sim_admit(sim, SIM_MAP, NULL, NULL) == 0)
        p = sim->heap_maps ? heap_map(size) : real->map(real->ctx, size);
    if (p != NULL) {
        sim_count_up(&sim->maps, 1);
        bytes_up(sim, size);
    }
    return p;
}

static void sim_unneeded(void *ctx, void *p, size_t size)
{
    const sim_env *sim = ctx;
    const peat_env *real = peat_env_default();
    if (!sim->heap_maps)
        real->unneeded(real->ctx, p, size);
}

static void sim_needed(void *ctx, void *p, size_t size)
{
    sim_env *sim = ctx;
    const peat_env *real = peat_env_default();
    forbid_zero(size, "needed");
    sim_count_up(&sim->needed, size);
    if (!sim->heap_maps)
        real->needed(real->ctx, p, size);
}

static void sim_unmap(void *ctx, void *p, size_t size)
{
    sim_env *sim = ctx;
    const peat_env *real = peat_env_default();
    if (p == NULL)
        return;
    sim_count_down(&sim->maps, 1);
    sim_count_down(&sim->bytes, size);
    if (sim->heap_maps)
        free(p);
    else
        real->unmap(real->ctx, p, size);
}

/* --- what every disk call does first --------------------------------------------------------- */

/* Under mu. */
int sim_admit_change(sim_env *sim, sim_kind kind, const char *name, sim_keep *ret_keep)
{
    sim_boundary_pass(sim, kind, name);
    int e = sim_admit(sim, kind, name, ret_keep);
    return e == 0 && sim->read_only ? EROFS : e;
}

int sim_admit_handle(const sim_env *sim)
{
    uint64_t open = atomic_load(&sim->files) + atomic_load(&sim->dirs) + atomic_load(&sim->locks) +
                    atomic_load(&sim->events) + atomic_load(&sim->rings);
    return sim->file_limit != 0 && open >= sim->file_limit ? EMFILE : 0;
}

void *sim_new_handle(size_t size)
{
    void *p = calloc(1, size);
    if (p == NULL)
        abort();
    return p;
}

bool sim_is_plain_name(const char *name)
{
    return name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

/* --- threads, time, chance ------------------------------------------------------------------ */

static int sim_thread_start(void *ctx, void (*run)(void *arg), void *arg,
                            peat_env_thread **ret_thread)
{
    sim_env *sim = ctx;
    const peat_env *real = peat_env_default();
    int e = sim_admit(sim, SIM_THREAD_START, NULL, NULL);
    if (e != 0)
        return e;
    peat_env_thread *thread = sim_new_handle(sizeof *thread);
    e = real->thread_start(real->ctx, run, arg, &thread->real);
    if (e != 0) {
        free(thread);
        return e;
    }
    if (atomic_fetch_add(&sim->threads, 1) == 0)
        atomic_store(&sim->real_ns, 0);
    *ret_thread = thread;
    return 0;
}

static void sim_thread_join(void *ctx, peat_env_thread *thread)
{
    sim_env *sim = ctx;
    const peat_env *real = peat_env_default();
    if (thread == NULL)
        return;
    real->thread_join(real->ctx, thread->real);
    sim_count_down(&sim->threads, 1);
    free(thread);
}

/* What passed in reality since the last look. */
static uint64_t really_passed(sim_env *sim)
{
    const peat_env *real = peat_env_default();
    if (atomic_load_explicit(&sim->threads, memory_order_relaxed) == 0)
        return 0;
    uint64_t now = real->now_ns(real->ctx), last = atomic_exchange(&sim->real_ns, now);
    return last != 0 && now > last ? now - last : 0;
}

static uint64_t sim_now_ns(void *ctx)
{
    sim_env *sim = ctx;
    uint64_t step = 1000 + really_passed(sim);
    return atomic_fetch_add_explicit(&sim->now_ns, step, memory_order_relaxed) + step;
}

static uint64_t sim_wall_ms(void *ctx)
{
    sim_env *sim = ctx;
    return atomic_load_explicit(&sim->wall_ahead_ms, memory_order_relaxed) +
           sim_now_ns(ctx) / 1000000u;
}

static void sim_sleep_ns(void *ctx, uint64_t ns)
{
    sim_env *sim = ctx;
    sim_count_up(&sim->now_ns, ns);
    (void)sched_yield(); /* whoever waits for another thread lets it run */
}

static int sim_random(void *ctx, void *buf, size_t n)
{
    sim_env *sim = ctx;
    uint8_t *p = buf;
    sim_lock(sim);
    int e = sim_admit(sim, SIM_RANDOM, NULL, NULL);
    for (size_t i = 0; e == 0 && i < n; i++)
        p[i] = sim->fixed_random ? 0x5a : (uint8_t)(rng_next(&sim->random) >> 32);
    sim_unlock(sim);
    return e;
}

static int64_t sim_pid(void *ctx)
{
    const sim_env *sim = ctx;
    return sim->pid;
}

void sim_members(peat_env *ret_env)
{
    *ret_env = (peat_env){
        .size = sizeof *ret_env,
        .alloc = sim_alloc,
        .resize = sim_resize,
        .release = sim_release,
        .map = sim_map,
        .unmap = sim_unmap,
        .unneeded = sim_unneeded,
        .dir_open = sim_dir_open,
        .dir_close = sim_dir_close,
        .dir_sync = sim_dir_sync,
        .dir_list = sim_dir_list,
        .dir_remove = sim_dir_remove,
        .dir_delete = sim_dir_delete,
        .dir_lock = sim_dir_lock,
        .dir_unlock = sim_dir_unlock,
        .file_open = sim_file_open,
        .file_close = sim_file_close,
        .file_read = sim_file_read,
        .file_write = sim_file_write,
        .file_store = sim_file_store,
        .file_sync = sim_file_sync,
        .file_size = sim_file_size,
        .file_truncate = sim_file_truncate,
        .file_allocate = sim_file_allocate,
        .file_advise = sim_file_advise,
        .thread_start = sim_thread_start,
        .thread_join = sim_thread_join,
        .now_ns = sim_now_ns,
        .wall_ms = sim_wall_ms,
        .sleep_ns = sim_sleep_ns,
        .random = sim_random,
        .pid = sim_pid,
        .event_open = sim_event_open,
        .event_close = sim_event_close,
        .event_signal = sim_event_signal,
        .event_clear = sim_event_clear,
        .event_wait = sim_event_wait,
        .ring_open = sim_ring_open,
        .ring_close = sim_ring_close,
        .ring_read = sim_ring_read,
        .ring_submit = sim_ring_submit,
        .ring_reap = sim_ring_reap,
        .needed = sim_needed,
    };
}
