/* SPDX-License-Identifier: MIT */
/*
 * damage.h - small stores with a file of every kind, on a simulated disk, whose every byte may be
 * damaged, and the judge of what the store then answers.
 *
 * A world is a history that ends in one of several ways. Its last commits are in the log only, and
 * each of them counts itself (key "count"), so that a store that lost some of them is known to show
 * exactly a prefix of the commits, or to be wrong.
 */
#ifndef TEST_DAMAGE_DAMAGE_H
#define TEST_DAMAGE_DAMAGE_H

#include "model/model.h"
#include "support/sim_env.h"

#define DAMAGE_DIR     "store"
#define DAMAGE_KEYS    130 /* so many keys, the last ones never written */
#define DAMAGE_COMMITS 90  /* in the log */
#define DAMAGE_SYNCED  80  /* of them; the last sync */

typedef enum damage_end {
    DAMAGE_CLOSED, /* cleanly */
    DAMAGE_CUT,    /* killed; the last ten commits are not synced */
    DAMAGE_LATEST, /* killed behind a synced write: nothing later promises it */
    DAMAGE_IDLE,   /* killed after the log has been idle: all is promised */
    DAMAGE_MERGE,  /* killed in the middle of a merge */
    DAMAGE_ENDS
} damage_end;

typedef struct damage_file {
    char name[24];
    size_t size;
    uint8_t *data; /* undamaged */
} damage_file;

typedef struct damage_world {
    damage_end end;
    peat_compression compression;
    uint64_t seed;
    sim_env *sim; /* the disk; whoever changes it changes it back */
    damage_file *files;
    size_t file_count;
    damage_file *old; /* what files of these names held at earlier times */
    size_t old_count;
    uint8_t base[DAMAGE_KEYS]; /* version of each key before the log's commits, 0: absent */
    struct {
        uint8_t key, version; /* 0: deleted */
    } commits[DAMAGE_COMMITS];
    size_t commit_count;  /* in the log */
    size_t promised;      /* of them; a store that shows fewer is wrong */
    size_t before_newest; /* of them, in older segments */
    const char *newest;   /* the segment in which the log ends */
    size_t window_at;     /* in it: behind the last sync */
    size_t promised_less; /* the same when the newest segment is lost as a whole */
} damage_world;

const char *damage_end_name(damage_end end);
void damage_world_make(damage_world *w, damage_end end, peat_compression compression,
                       uint64_t seed);
void damage_world_done(damage_world *w);
/* A disk of its own with the same files, durable; sim_free. */
sim_env *damage_world_copy(const damage_world *w, const char *dir);
/* What its store is opened with, on this disk. */
void damage_options(const damage_world *w, sim_env *sim, model_open *ret_open);
/* The first file whose name begins so. */
const damage_file *damage_find(const damage_world *w, const char *begin);

/* Version of a key after so many of the log's commits. */
uint8_t damage_version(const damage_world *w, size_t key, size_t commits);
size_t damage_key(size_t key, char ret_text[32]);
size_t damage_value(size_t key, uint8_t version, char ret_text[128]);

/* What a damaged store did. */
typedef enum damage_verdict {
    DAMAGE_WRONG,   /* a violation: `why` says which */
    DAMAGE_REFUSED, /* did not open */
    DAMAGE_NOTICED, /* opened, and told some reader */
    DAMAGE_SAME,    /* all answers as if nothing had happened */
    DAMAGE_SHORTER, /* a prefix that lacks commits without a promise */
} damage_verdict;

typedef struct damage_result {
    damage_verdict verdict;
    peat_rc rc;          /* of the refusal, or of the first failed read */
    size_t commits;      /* shown */
    peat_error error;    /* of the refusal, or of the first failed read */
    char why[400];       /* of a violation */
    uint64_t damages;    /* that peat_check found, when it was asked */
    bool checked;        /* it was */
    char place_file[32]; /* of the first */
    uint64_t place_at;
} damage_result;

/* Opens the store in sim, reads everything, closes it; fewer than `promised` commits are wrong.
 * `check`: runs peat_check as well. */
void damage_judge(const damage_world *w, sim_env *sim, size_t promised, bool read_only, bool check,
                  damage_result *ret_result);
/* File and offset that a text names ("... t-000003 ... @4096 ..."); false when it names none. */
bool damage_place(const char *text, char ret_file[32], uint64_t *ret_offset);

#endif
