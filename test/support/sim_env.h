/* SPDX-License-Identifier: MIT */
/*
 * sim_env.h - an environment in memory that loses power, fills up, fails and runs out of memory on
 * purpose, and does the same again for the same seed.
 *
 *     sim_env *sim = sim_new(sim_seed(7));          // PEAT_SEED in the environment overrides 7
 *     sim_hook_set(sim, each_boundary, &my_test);   // before every write, sync and name change
 *     host.env = sim_peat(sim);                     // open a store with it and use it
 *     ...
 *     static void each_boundary(void *arg, sim_env *sim, const sim_boundary *b)
 *     {
 *         sim_env *after = sim_clone_cut(sim, &(sim_cut){.mode = SIM_CUT_RANDOM, .seed =
 * b->index});
 *         ... open a second store on sim_peat(after), compare; on failure print sim_story(after)
 *         sim_free(after);
 *     }
 *     ...
 *     assert_true(sim_is_clean(sim));               // nothing left open or allocated
 *     sim_free(sim);
 *
 * Clones begin without handles, locks, faults and hook. A fault: the fifth sync from now on fails,
 * and all later ones:
 *
 *     sim_fault_add(sim, (sim_fault){.kinds = SIM_BIT(SIM_FILE_SYNC), .at = 5, .error = EIO,
 *                                    .sticky = true});
 *
 * To walk through all calls: for at = 1, 2, 3 … run, until sim_fault_hits() says 0.
 *
 * Threads are real; file calls are serialised by one mutex (held during the hook, which therefore
 * must not touch the store under test), memory calls are not, so that ThreadSanitizer still sees
 * the program's own races. Set faults, limits and the hook while no other thread runs.
 */
#ifndef TEST_SUPPORT_SIM_ENV_H
#define TEST_SUPPORT_SIM_ENV_H

#include "peat_env.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sim_env sim_env;

/* PEAT_SEED when it is set, else `otherwise`. */
uint64_t sim_seed(uint64_t otherwise);
sim_env *sim_new(uint64_t seed);
void sim_free(sim_env *sim); /* what a program left open is its own leak; see sim_is_clean */
const peat_env *sim_peat(sim_env *sim);
/* How this state came to be: seed, and cut after cut. For every failure message. */
const char *sim_story(const sim_env *sim);

/* --- calls ---------------------------------------------------------------------------------- */

typedef enum sim_kind {
    SIM_ALLOC,
    SIM_RESIZE,
    SIM_MAP,
    SIM_DIR_OPEN,
    SIM_DIR_SYNC,
    SIM_DIR_LIST,
    SIM_DIR_REMOVE,
    SIM_DIR_DELETE,
    SIM_DIR_LOCK,
    SIM_FILE_OPEN,
    SIM_FILE_CREATE, /* file_open with PEAT_ENV_FILE_CREATE */
    SIM_FILE_READ,
    SIM_FILE_WRITE,
    SIM_FILE_STORE, /* only those that were not refused */
    SIM_FILE_SYNC,
    SIM_FILE_SIZE,
    SIM_FILE_TRUNCATE,
    SIM_FILE_ALLOCATE,
    SIM_FILE_ADVISE,
    SIM_THREAD_START,
    SIM_RANDOM,
    SIM_EVENT_OPEN,
    SIM_RING_OPEN,
    SIM_RING_READ, /* taken by a ring; when it ends it is a SIM_FILE_READ as well */
    SIM_KIND_COUNT
} sim_kind;

#define SIM_BIT(kind) (1u << (kind))
#define SIM_ANY       ((1u << SIM_KIND_COUNT) - 1)
#define SIM_MEMORY    (SIM_BIT(SIM_ALLOC) | SIM_BIT(SIM_RESIZE) | SIM_BIT(SIM_MAP))
#define SIM_DISK      (SIM_ANY & ~(SIM_MEMORY | SIM_BIT(SIM_THREAD_START) | SIM_BIT(SIM_RANDOM)))
/* Those that change what is on disk: a read-only open makes none of them. */
#define SIM_CHANGES                                                                                \
    (SIM_BIT(SIM_DIR_SYNC) | SIM_BIT(SIM_DIR_REMOVE) | SIM_BIT(SIM_DIR_DELETE) |                   \
     SIM_BIT(SIM_FILE_CREATE) | SIM_BIT(SIM_FILE_WRITE) | SIM_BIT(SIM_FILE_STORE) |                \
     SIM_BIT(SIM_FILE_SYNC) | SIM_BIT(SIM_FILE_TRUNCATE) | SIM_BIT(SIM_FILE_ALLOCATE))

const char *sim_kind_name(sim_kind kind);
uint64_t sim_count(sim_env *sim, uint32_t kinds); /* calls so far, failed ones included */

/* What a failing write or sync leaves behind. */
typedef enum sim_keep { SIM_KEEP_SOME, SIM_KEEP_NONE, SIM_KEEP_ALL } sim_keep;

typedef struct sim_fault {
    uint32_t kinds;          /* SIM_BIT(...) | ..., SIM_DISK, SIM_MEMORY, SIM_ANY */
    uint64_t at;             /* the at-th matching call from now on; 0 and 1: the next */
    int error;               /* errno; memory calls answer NULL */
    bool sticky;             /* all later matching calls too */
    sim_keep keep;           /* SIM_KEEP_SOME: a random prefix of a write, any sectors of a sync */
    const char *name_prefix; /* only files whose name begins with it; NULL: all */
} sim_fault;

#define SIM_FAULTS_MAX 8
unsigned sim_fault_add(sim_env *sim, sim_fault fault); /* returns its number */
#define sim_fail(sim, ...) sim_fault_add((sim), (sim_fault){__VA_ARGS__})
uint64_t sim_fault_hits(sim_env *sim, unsigned fault); /* calls that it has failed */
void sim_faults_clear(sim_env *sim);

/* --- limits --------------------------------------------------------------------------------- */

void sim_limit_disk(sim_env *sim, uint64_t bytes);  /* ENOSPC beyond; 0: none */
void sim_limit_files(sim_env *sim, uint64_t count); /* EMFILE beyond; 0: none */
void sim_read_only(sim_env *sim, bool on);          /* EROFS for every change */
/* Long writes go in pieces of this many bytes, with a boundary before each; 0: whole. */
void sim_split_writes(sim_env *sim, size_t bytes);
/* file_store: refused always, or one time in four; what it stores may be cut at any byte. At first
 * on for odd seeds. */
void sim_stores(sim_env *sim, bool on);
/* ring_open: ENOSYS when off. Reads of a ring end in any order, at any later reap, some of which
 * return nothing although the event says otherwise. At first on for two seeds of three. */
void sim_rings(sim_env *sim, bool on);
/* Under AddressSanitizer mappings come from the heap, so that their ends are watched. */
void sim_heap_maps(sim_env *sim);
/* `random` gives the same bytes for ever, in the clones too. */
void sim_fix_random(sim_env *sim);
uint64_t sim_disk_bytes(sim_env *sim);

/* --- time ----------------------------------------------------------------------------------- */

/* Every look at the clock advances it by a microsecond; a sleep by its length,
 * without waiting. While there are threads it also goes with the real one, by which they wait for
 * each other: else a wait of 50 ms would be a microsecond, and a back-off never over. */
void sim_clock_advance(sim_env *sim, uint64_t ns); /* both clocks */
void sim_wall_set(sim_env *sim, uint64_t ms);      /* the wall clock jumps */

/* --- power cuts and kills ------------------------------------------------------------------- */

typedef struct sim_boundary {
    sim_kind kind;    /* what is about to happen */
    const char *name; /* of the file or directory */
    uint64_t index;   /* counted from 0 over the life of the sim */
} sim_boundary;

typedef void (*sim_hook_fn)(void *arg, sim_env *sim, const sim_boundary *boundary);
void sim_hook_set(sim_env *sim, sim_hook_fn hook, void *arg); /* NULL: none */
uint64_t sim_boundaries(sim_env *sim);

typedef enum sim_cut_mode {
    SIM_CUT_RANDOM,  /* any version of each sector, each name on its own */
    SIM_CUT_LOST,    /* nothing but what was synced */
    SIM_CUT_KEPT,    /* everything */
    SIM_CUT_PREFIX,  /* everything up to a moment, torn within a write */
    SIM_CUT_GARBAGE, /* as RANDOM; sectors with unsynced writes may also hold noise */
    /* Item by item; an item is an unsynced name, size or group of sectors, see sim_cut_items. */
    SIM_CUT_SUBSET,   /* item i survives when bit i of the seed is set (i modulo 64) */
    SIM_CUT_BUT_ONE,  /* everything but item `seed` */
    SIM_CUT_ONLY_ONE, /* nothing but item `seed` */
    SIM_CUT_BUT_NAME, /* everything but the `seed`-th of the unsynced names */
    SIM_CUT_MODE_COUNT
} sim_cut_mode;

typedef struct sim_cut {
    sim_cut_mode mode;
    uint64_t seed;
    uint32_t sector_bytes; /* what goes together: 512 (also 0) or a multiple, as 4096 */
} sim_cut;

const char *sim_cut_mode_name(sim_cut_mode mode);
/* The disk after a power cut at this moment. */
sim_env *sim_clone_cut(sim_env *sim, const sim_cut *cut);
/* How many things are unsynced now, and how many of them are names. */
size_t sim_cut_items(sim_env *sim, uint32_t sector_bytes, size_t *ret_names);
/* Of all files, by name and content; but the lock, whose content is of the process. */
uint64_t sim_image_hash(sim_env *sim);
/* The machine after the process was killed at this moment: all that was written is there, and still
 * unsynced. */
sim_env *sim_clone_killed(sim_env *sim);

/* --- what is held --------------------------------------------------------------------------- */

typedef struct sim_held {
    uint64_t allocations, maps, dirs, files, locks, threads, events, rings;
    uint64_t bytes;      /* allocated and mapped */
    uint64_t bytes_peak; /* since the start or sim_peak_reset */
    uint64_t needed;     /* bytes of mappings asked for before they were touched, altogether */
} sim_held;

sim_held sim_get_held(sim_env *sim);
uint64_t sim_memory_held(sim_env *sim); /* allocations and mappings */
void sim_peak_reset(sim_env *sim);
/* Nothing is held. Otherwise says on stderr what is, with the story. */
bool sim_is_clean(sim_env *sim);

/* --- files from outside: durable at once, not counted, no faults ---------------------------- */

bool sim_file_exists(sim_env *sim, const char *dir, const char *name);
uint8_t *sim_file_get(sim_env *sim, const char *dir, const char *name,
                      size_t *ret_size); /* free() it; NULL when missing */
void sim_file_put(sim_env *sim, const char *dir, const char *name, const void *data, size_t size);
/* The bytes that reads see, which may be changed in place until the next write; NULL when missing.
 */
uint8_t *sim_file_bytes(sim_env *sim, const char *dir, const char *name, size_t *ret_size);
/* False when there is no such file, or no such byte in it. */
bool sim_file_flip(sim_env *sim, const char *dir, const char *name, uint64_t offset, uint8_t mask);
bool sim_file_cut(sim_env *sim, const char *dir, const char *name, uint64_t size);
bool sim_file_delete(sim_env *sim, const char *dir, const char *name);
/* A name that is no regular file. */
void sim_plant_link(sim_env *sim, const char *dir, const char *name);
/* All names in byte order. A nonzero answer ends it and is returned; ENOENT without the directory.
 */
int sim_file_list(sim_env *sim, const char *dir, peat_env_list_fn each, void *arg);
/* Writes all files of `dir` to a directory of the real file system, for looking at a failure. */
int sim_save(sim_env *sim, const char *dir, const char *real_path);

#endif
