/* SPDX-License-Identifier: MIT */
/*
 * sim_calls.h - the disk's members of peat_env (sim_dirs.c, sim_files.c, sim_rings.c), gathered
 * into one table by sim_calls.c, and what they share.
 */
#ifndef TEST_SUPPORT_SIM_CALLS_H
#define TEST_SUPPORT_SIM_CALLS_H

#include "support/sim_state.h"

struct peat_env_dir {
    sim_folder *folder;
};

/* Under mu: the boundary, then the fault plan, then EROFS. */
int sim_admit_change(sim_env *sim, sim_kind kind, const char *name, sim_keep *ret_keep);
int sim_admit_handle(const sim_env *sim); /* EMFILE at the limit */
void *sim_new_handle(size_t size);        /* zeroed, never NULL */
bool sim_is_plain_name(const char *name);
/* Relaxed, see sim_admit. */
void sim_count_up(_Atomic uint64_t *n, uint64_t by);
void sim_count_down(_Atomic uint64_t *n, uint64_t by); /* aborts below 0 */

int sim_dir_open(void *ctx, const char *path, unsigned flags, peat_env_dir **ret_dir);
void sim_dir_close(void *ctx, peat_env_dir *dir);
int sim_dir_sync(void *ctx, peat_env_dir *dir);
int sim_dir_list(void *ctx, peat_env_dir *dir, peat_env_list_fn each, void *arg);
int sim_dir_remove(void *ctx, peat_env_dir *dir, const char *name);
int sim_dir_delete(void *ctx, const char *path);
int sim_dir_lock(void *ctx, peat_env_dir *dir, const char *name, bool shared,
                 peat_env_lock **ret_lock, int64_t *ret_holder_pid);
void sim_dir_unlock(void *ctx, peat_env_lock *lock);

int sim_file_open(void *ctx, peat_env_dir *dir, const char *name, unsigned flags,
                  peat_env_file **ret_file);
void sim_file_close(void *ctx, peat_env_file *file);
int sim_file_read(void *ctx, peat_env_file *file, uint64_t offset, void *buf, size_t n,
                  size_t *ret_n);
int sim_file_write(void *ctx, peat_env_file *file, uint64_t offset, const void *buf, size_t n);
int sim_file_store(void *ctx, peat_env_file *file, uint64_t offset, const void *buf, size_t n);
int sim_file_sync(void *ctx, peat_env_file *file);
int sim_file_size(void *ctx, peat_env_file *file, uint64_t *ret_size);
int sim_file_truncate(void *ctx, peat_env_file *file, uint64_t size);
int sim_file_allocate(void *ctx, peat_env_file *file, uint64_t offset, uint64_t n);
int sim_file_advise(void *ctx, peat_env_file *file, uint64_t offset, uint64_t n, int advice);
/* While a ring reads it; who closes it then is stopped. */
void sim_file_hold(peat_env_file *file);
void sim_file_let_go(peat_env_file *file);

int sim_event_open(void *ctx, int *ret_event);
void sim_event_close(void *ctx, int event);
void sim_event_signal(void *ctx, int event);
void sim_event_clear(void *ctx, int event);
int sim_event_wait(void *ctx, int event, uint64_t timeout_ns);
int sim_ring_open(void *ctx, unsigned depth, int event, peat_env_ring **ret_ring);
void sim_ring_close(void *ctx, peat_env_ring *ring);
int sim_ring_read(void *ctx, peat_env_ring *ring, peat_env_file *file, uint64_t offset, void *buf,
                  size_t n, void *tag);
void sim_ring_submit(void *ctx, peat_env_ring *ring);
size_t sim_ring_reap(void *ctx, peat_env_ring *ring, bool wait, peat_env_completion *ret_ended,
                     size_t max);

#endif
