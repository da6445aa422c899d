/* SPDX-License-Identifier: MIT */
/*
 * damage_trial.h - all that may be done to the files of a world, numbered, and what may come of it.
 */
#ifndef TEST_DAMAGE_DAMAGE_TRIAL_H
#define TEST_DAMAGE_DAMAGE_TRIAL_H

#include "damage.h"

#define PIECE 512u /* what is exchanged */

typedef enum trial_kind {
    TRIAL_FLIP,     /* one bit */
    TRIAL_CUT,      /* to any shorter length */
    TRIAL_EXCHANGE, /* two pieces of a file */
    TRIAL_GONE,
    TRIAL_OLDER, /* the file as it was at an earlier time */
    TRIAL_OTHER, /* another file's contents under this name */
    TRIAL_EXTRA, /* a copy under a name that the store could make */
    TRIAL_KINDS
} trial_kind;

/* One damage: what is done to which file, and where. */
typedef struct trial {
    trial_kind kind;
    const damage_file *file; /* NULL: none that is there now */
    size_t at;               /* FLIP, CUT, EXCHANGE: offset */
    unsigned bit;            /* FLIP */
    size_t second;           /* EXCHANGE: the other offset; OLDER, OTHER: index of the file */
} trial;

uint64_t trial_count(const damage_world *w, trial_kind kind);
trial trial_at(const damage_world *w, trial_kind kind, uint64_t index);
void trial_print(const damage_world *w, const trial *t, char *ret_text, size_t capacity);

/* False: it would change nothing. */
bool trial_apply(const damage_world *w, sim_env *sim, const trial *t);
void trial_undo(sim_env *sim, const trial *t);
/* A flip is still in its file, which is none that a merge has made under the same name. */
bool trial_is_there(sim_env *sim, const trial *t);

/* How many of the log's commits must be shown after it. */
size_t trial_promised(const damage_world *w, const trial *t);
/* It takes away the newest segment of the log as a whole. */
bool trial_loses_newest(const damage_world *w, const trial *t);
/* What is wrong with this outcome, or NULL. */
const char *trial_judge(const damage_world *w, const trial *t, const damage_result *r);

#endif
