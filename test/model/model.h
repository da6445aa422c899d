/* SPDX-License-Identifier: MIT */
/*
 * model.h - the model test: one table of operations, one oracle (a sorted array of versions), and
 * what goes between: random scripts by seed, text that replays, a child process that runs a script,
 * and a shrinker that makes a failing one small.
 *
 *     model_script script;
 *     model_generate(seed, 400, &script);       // the first operation is "open" with options
 *     if (!model_try(&script, &result))         // in a child: a crash is a result like others
 *         model_shrink(&script, &result, ...);  // leaves the smallest script that still fails
 *
 * A script is text, one operation a line: `put k12 v100.7 f1`. Keys are numbers into a set of keys
 * that the option keys= names, values are size.seed, so that scripts stay short. Slots that hold
 * nothing make an operation do nothing: any piece of a script is a script, which the shrinker
 * needs.
 */
#ifndef TEST_MODEL_MODEL_H
#define TEST_MODEL_MODEL_H

#include "peat_env.h"
#include "world/random.h"
#include "world/scan.h"
#include "world/settings.h"

#include <stdio.h>

/* --- keys and values --- */

/* Distinct keys in order; an id is what scripts say, a rank is the place in the order. Id 0 is the
 * empty key in every set. */
typedef struct model_keys {
    size_t ids, ranks;
    peat_slice *by_id, *by_rank;
    uint32_t *rank_of_id;
    uint8_t *bytes;
} model_keys;

#define MODEL_KEY_STYLES 7
const char *model_key_style_name(int64_t style);
void model_keys_init(model_keys *k, int64_t style);
void model_keys_done(model_keys *k);
/* The first rank whose key is >= key; ranks when there is none. */
size_t model_keys_seek(const model_keys *k, peat_slice key);

typedef struct model_value {
    uint32_t size, seed;
} model_value;

/* Values with an odd seed compress well, the others do not. */
void model_value_fill(model_value value, uint8_t *ret_bytes);
bool model_value_is(model_value value, peat_slice bytes);

/* --- options --- */

/* (name, the simplest value): a shrinker tries these. Zero is the store's default. */
#define MODEL_OPTION_LIST(X)                                                                       \
    X(keys, 0)        /* model_key_style_name; at open only */                                     \
    X(disk, 0)        /* 0 simulated, 1 real, 2 real in memory (/dev/shm); at open only */         \
    X(written, 1)     /* 1: the log is only written, never stored into a mapping */                \
    X(events, 0)      /* 1: each event reads the store */                                          \
    X(threads, -1)    /* */                                                                        \
    X(memory, 0)      /* bytes */                                                                  \
    X(compression, 1) /* peat_compression */                                                       \
    X(memtable, 0)    /* peat_test_options from here */                                            \
    X(block, 0)                                                                                    \
    X(partition, 0)                                                                                \
    X(table, 0)                                                                                    \
    X(segment, 0)                                                                                  \
    X(no_log, 0)                                                                                   \
    X(interval, 0) /* sync_interval_ms */                                                          \
    X(space, 0)    /* space_target in percent */

typedef enum model_option {
#define MODEL_OPTION_ENUM(name, simple) MODEL_OPTION_##name,
    MODEL_OPTION_LIST(MODEL_OPTION_ENUM)
#undef MODEL_OPTION_ENUM
        MODEL_OPTION_COUNT
} model_option;

typedef struct model_options {
    int64_t field[MODEL_OPTION_COUNT];
} model_options;

int64_t model_option_simplest(model_option option);
void model_options_random(rng *r, model_options *ret_options);
/* For a simulated disk that is cloned often; most without threads, where a seed says everything. */
void model_options_random_simulated(rng *r, model_options *ret_options);
/* What peat_open takes; the structs stay where they are while it is in use. */
typedef struct model_open {
    struct peat_env env;
    peat_options options;
    peat_host host;
    peat_test_options test;
} model_open;
void model_open_make(const model_options *o, const struct peat_env *env, model_open *ret_open);
void model_options_print(const model_options *o, FILE *out);
bool model_options_parse(char *words, model_options *ret_options);

/* --- operations --- */

/*
 * (name, fields, weight, class). Fields are letters of a script's words:
 *   k key   K second key (-1: none)   p key whose first n bytes are a prefix (-1: none)
 *   v value   n count   s slot   @ snapshot slot (-1: none)   f flag   b batch items   o options
 * The flag is sync for writes, no_cache_fill for reads, keys_only for iterators; for settle it asks
 * only, for busy it comes as a reader, a copy goes through a file, and a reopen is refused once
 * before.
 */
#define MODEL_OP_LIST(X)                                                                           \
    X(open, "o", 0, OTHER)                                                                         \
    X(put, "kvf", 60, WRITE)                                                                       \
    X(del, "kf", 25, WRITE)                                                                        \
    X(batch, "bf", 20, WRITE)                                                                      \
    X(again, "f", 4, WRITE)  /* the last batch as it is */                                         \
    X(load, "knv", 8, WRITE) /* n keys upwards from k, one write each */                           \
    X(wipe, "kn", 3, WRITE)  /* deletes them */                                                    \
    X(get, "k@f", 60, READ)                                                                        \
    X(reads, "kn@f", 6, READ) /* gets of n keys upwards from k */                                  \
    X(exists, "k@f", 15, READ)                                                                     \
    X(pin, "sk@f", 10, READ)                                                                       \
    X(unpin, "s", 8, READ)                                                                         \
    X(snapshot, "s", 6, READ)                                                                      \
    X(release, "s", 5, READ)                                                                       \
    X(iter, "skKpn@f", 16, SCAN)                                                                   \
    X(first, "s", 10, SCAN)                                                                        \
    X(last, "s", 10, SCAN)                                                                         \
    X(next, "sn", 40, SCAN)                                                                        \
    X(prev, "sn", 40, SCAN)                                                                        \
    X(seek, "sk", 25, SCAN)                                                                        \
    X(seek_for_prev, "sk", 25, SCAN)                                                               \
    X(fill, "sn", 15, SCAN)                                                                        \
    X(fill_back, "sn", 15, SCAN)                                                                   \
    X(end, "s", 6, SCAN)                                                                           \
    X(sync, "", 4, UPKEEP)                                                                         \
    X(flush, "", 8, UPKEEP)                                                                        \
    X(compact, "kK", 4, RARE)                                                                      \
    X(settle, "f", 3, UPKEEP)                                                                      \
    X(work, "n", 12, UPKEEP)                                                                       \
    X(check, "", 2, RARE)                                                                          \
    X(size, "kK", 3, UPKEEP)                                                                       \
    X(stats, "", 3, UPKEEP)                                                                        \
    X(shape, "", 2, UPKEEP)                                                                        \
    X(cancel, "n", 2, UPKEEP) /* compact, check or export, stopped at the n-th report */           \
    X(busy, "f", 1, UPKEEP)   /* opened a second time */                                           \
    X(scan, "@", 3, RARE)     /* all of it, both ways */                                           \
    X(copy, "of", 1, RARE)                                                                         \
    X(reopen, "of", 4, RARE)                                                                       \
    X(read_only, "o", 2, RARE)                                                                     \
    X(kill, "o", 3, RARE)      /* the process dies; everything that returned is there again */     \
    X(refresh, "s", 10, SCAN)  /* at the end: numbers of kinds are in the corpus of test/fuzz */   \
    X(async, "knsf", 0, OTHER) /* n operations of a queue; see model_async.c */

typedef enum model_kind {
#define MODEL_OP_ENUM(name, fields, weight, class) MODEL_##name,
    MODEL_OP_LIST(MODEL_OP_ENUM)
#undef MODEL_OP_ENUM
        MODEL_KIND_COUNT
} model_kind;

typedef enum model_class {
    MODEL_WRITE,
    MODEL_READ,
    MODEL_SCAN,
    MODEL_UPKEEP,
    MODEL_RARE,
    MODEL_OTHER,
    MODEL_CLASS_COUNT
} model_class;

#define MODEL_SLOTS     4
#define MODEL_BATCH_MAX 24

typedef enum model_item_kind {
    MODEL_ITEM_PUT,
    MODEL_ITEM_DELETE,
    MODEL_ITEM_RESERVE
} model_item_kind;

typedef struct model_item {
    model_item_kind kind;
    uint32_t key;
    model_value value;
} model_item;

typedef struct model_op {
    model_kind kind;
    int64_t key, key2, prefix, n, slot, snapshot, flag;
    model_value value;
    size_t item_count;
    model_item *items;      /* owned by the script */
    model_options *options; /* likewise */
} model_op;

typedef struct model_script {
    uint64_t seed; /* 0: from a file */
    size_t count, capacity;
    model_op *ops;
} model_script;

const char *model_kind_name(model_kind kind);
void model_op_print(const model_op *op, FILE *out);
void model_script_print(const model_script *s, FILE *out);
/* False, with a line on stderr, for text that is no script. */
bool model_script_parse(FILE *in, model_script *ret_script);
void model_script_done(model_script *s);
void model_script_add(model_script *s, const model_op *op); /* takes over items and options */
/* The operations with keep[i] set; items and options are copied. */
void model_script_pick(const model_script *s, const bool *keep, model_script *ret_script);
void model_generate(uint64_t seed, size_t count, model_script *ret_script);
/* Gives every opening of the script other random options; keys and disk stay. */
void model_vary(uint64_t seed, model_script *io_script);

/* --- the oracle --- */

typedef struct model_version {
    uint64_t seq;
    model_value value;
    bool deleted;
} model_version;

typedef struct model_history {
    size_t count, capacity;
    model_version *versions; /* ascending seq */
} model_history;

typedef struct model_oracle {
    size_t ranks;
    uint64_t seq;           /* of the last commit */
    model_history *of_rank; /* the sorted array */
} model_oracle;

void model_oracle_init(model_oracle *o, size_t ranks);
void model_oracle_done(model_oracle *o);
void model_oracle_set(model_oracle *o, size_t rank, const model_value *value); /* NULL: deleted */
/* NULL when the key is not there at that moment. */
const model_version *model_oracle_get(const model_oracle *o, size_t rank, uint64_t seq);
/* The nearest rank within [lower, upper) at or above `from` (or at or below) that is there at
 * `seq`; -1 when there is none. */
int64_t model_oracle_up(const model_oracle *o, uint64_t seq, int64_t from, int64_t upper);
int64_t model_oracle_down(const model_oracle *o, uint64_t seq, int64_t from, int64_t lower);

/* --- running --- */

typedef struct model_result {
    bool ok;
    uint64_t operations; /* public calls; a load counts each of its writes, a walk its steps */
    uint64_t option_sets;
    char report[2048];
} model_result;

/* Runs a script in this process. The report goes to `report`; ends the process on a mismatch. */
#define MODEL_EXIT_MISMATCH 3
void model_run(const model_script *s, FILE *report, uint64_t *ret_operations,
               uint64_t *ret_option_sets);
/* Runs something in a child process: a crash and a hang are reports like others. True when it
 * returned; it ends with MODEL_EXIT_MISMATCH otherwise. Not while threads run. */
typedef void (*model_child_fn)(void *arg, FILE *report);
bool model_in_child(model_child_fn run, void *arg, bool quiet, char *ret_report, size_t capacity);
/* Where the child `pid` keeps its stores: all names begin so. */
void model_dir_name(bool in_memory, int pid, char *ret_name, size_t capacity);
/* Folders without folders in them. */
bool model_dir_copy(const char *from, const char *to);
void model_dir_remove(const char *dir);
/* Removes what a child that failed has left behind. */
void model_dir_sweep(int pid);
/* A script in a child process. `quiet` silences what the child says otherwise. */
bool model_try(const model_script *s, bool quiet, model_result *ret_result);
/* Makes a failing script smaller as long as it fails, with at most `tries` runs. */
void model_shrink(model_script *io_script, model_result *io_result, unsigned tries);

/* For the test of the test: the oracle forgets this kind of operation from the n-th on. */
extern int model_lie_kind;

#endif
