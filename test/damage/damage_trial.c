/* SPDX-License-Identifier: MIT */
/* damage_trial.c - see damage_trial.h. */
#include "damage_trial.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- all trials of a world, numbered ---- */

static size_t pairs(size_t size)
{
    size_t n = (size + PIECE - 1) / PIECE;
    return n * (n - 1) / 2;
}

uint64_t trial_count(const damage_world *w, trial_kind k)
{
    uint64_t n = 0;
    for (size_t i = 0; i < w->file_count; i++) {
        size_t size = w->files[i].size;
        n += k == TRIAL_FLIP       ? (uint64_t)size * 8
             : k == TRIAL_CUT      ? size
             : k == TRIAL_EXCHANGE ? pairs(size)
                                   : 1;
    }
    if (k == TRIAL_OLDER)
        n = w->old_count;
    if (k == TRIAL_OTHER)
        n = (uint64_t)w->file_count * w->file_count;
    return n;
}

static void pair_of(size_t index, size_t *ret_a, size_t *ret_b)
{
    size_t b = 1;
    while (index >= b) {
        index -= b;
        b++;
    }
    *ret_a = index * PIECE;
    *ret_b = b * PIECE;
}

trial trial_at(const damage_world *w, trial_kind k, uint64_t index)
{
    trial t = {.kind = k};
    if (k == TRIAL_OLDER) {
        t.second = (size_t)index;
        t.file = damage_find(w, w->old[index].name);
        return t;
    }
    if (k == TRIAL_OTHER) {
        t.file = &w->files[index / w->file_count];
        t.second = (size_t)(index % w->file_count);
        return t;
    }
    for (size_t i = 0; i < w->file_count; i++) {
        const damage_file *f = &w->files[i];
        uint64_t n = k == TRIAL_FLIP       ? (uint64_t)f->size * 8
                     : k == TRIAL_CUT      ? f->size
                     : k == TRIAL_EXCHANGE ? pairs(f->size)
                                           : 1;
        if (index >= n) {
            index -= n;
            continue;
        }
        t.file = f;
        t.second = i;
        t.at = k == TRIAL_FLIP ? (size_t)(index / 8) : (size_t)index;
        t.bit = (unsigned)(index % 8);
        if (k == TRIAL_EXCHANGE)
            pair_of((size_t)index, &t.at, &t.second);
        return t;
    }
    return t;
}

static void put(sim_env *sim, const char *name, const void *data, size_t size)
{
    sim_file_put(sim, DAMAGE_DIR, name, data, size);
}

/* Both pieces, the last of which may be short; false when they are equal. */
static bool exchange(const damage_file *f, size_t a, size_t b, uint8_t *ret_data)
{
    size_t n = f->size - b < PIECE ? f->size - b : PIECE;
    memcpy(ret_data, f->data, f->size);
    memcpy(ret_data + a, f->data + b, n);
    memcpy(ret_data + b, f->data + a, n);
    return memcmp(f->data + a, f->data + b, n) != 0;
}

/* A name that the store could make, and has not. */
static void extra_name(const damage_file *f, char ret_name[24])
{
    (void)snprintf(ret_name, 24, f->name[0] == 'P' ? "t-000077" : "%c-000077", f->name[0]);
}

/* False: it would change nothing. */
bool trial_apply(const damage_world *w, sim_env *sim, const trial *t)
{
    char name[24];
    uint8_t *data = NULL;
    bool changes = true;
    switch (t->kind) {
    case TRIAL_FLIP:
        return sim_file_flip(sim, DAMAGE_DIR, t->file->name, t->at, (uint8_t)(1 << t->bit));
    case TRIAL_CUT:
        put(sim, t->file->name, t->file->data, t->at);
        return true;
    case TRIAL_EXCHANGE:
        data = malloc(t->file->size);
        changes = data != NULL && exchange(t->file, t->at, t->second, data);
        if (changes)
            put(sim, t->file->name, data, t->file->size);
        free(data);
        return changes;
    case TRIAL_GONE:
        return sim_file_delete(sim, DAMAGE_DIR, t->file->name);
    case TRIAL_OLDER: {
        const damage_file *old = &w->old[t->second];
        if (t->file == NULL ||
            (t->file->size == old->size && memcmp(t->file->data, old->data, old->size) == 0))
            return false;
        put(sim, old->name, old->data, old->size);
        return true;
    }
    case TRIAL_OTHER: {
        const damage_file *other = &w->files[t->second];
        if (other == t->file)
            return false;
        put(sim, t->file->name, other->data, other->size);
        return true;
    }
    default:
        extra_name(t->file, name);
        put(sim, name, t->file->data, t->file->size);
        return true;
    }
}

void trial_undo(sim_env *sim, const trial *t)
{
    char name[24];
    if (t->kind == TRIAL_FLIP) {
        (void)sim_file_flip(sim, DAMAGE_DIR, t->file->name, t->at, (uint8_t)(1 << t->bit));
    } else if (t->kind == TRIAL_EXTRA) {
        extra_name(t->file, name);
        (void)sim_file_delete(sim, DAMAGE_DIR, name);
    } else if (t->file != NULL) {
        put(sim, t->file->name, t->file->data, t->file->size);
    }
}

/* The newest segment is not there any more, or is another one. */
bool trial_loses_newest(const damage_world *w, const trial *t)
{
    size_t last = t->file != NULL ? (t->file->size - 1) / PIECE * PIECE : 0;
    if (t->file == NULL || t->kind == TRIAL_FLIP || t->kind == TRIAL_EXTRA ||
        strcmp(t->file->name, w->newest) != 0)
        return false;
    return (t->kind != TRIAL_CUT || t->at < 128) &&
           (t->kind != TRIAL_EXCHANGE || (t->at == 0 && t->second == last));
}

size_t trial_promised(const damage_world *w, const trial *t)
{
    return trial_loses_newest(w, t) ? w->promised_less : w->promised;
}

void trial_print(const damage_world *w, const trial *t, char *ret_text, size_t capacity)
{
    static const char *const names[TRIAL_KINDS] = {"flip",  "cut",   "exchange", "missing",
                                                   "older", "other", "extra"};
    (void)snprintf(ret_text, capacity,
                   "%s of %s @%zu bit %u second %zu (world %s, compression %d, seed %" PRIu64 ")",
                   names[t->kind], t->file != NULL ? t->file->name : "?", t->at, t->bit, t->second,
                   damage_end_name(w->end), (int)w->compression, w->seed);
}

/* ---- what may come of it ---- */

/* The place that was told is the file, and not behind the damage. */
static const char *judge_place(const trial *t, const char *file, uint64_t at)
{
    static char text[160];
    if (t->kind == TRIAL_GONE || t->kind == TRIAL_OLDER || t->kind == TRIAL_OTHER ||
        t->kind == TRIAL_EXTRA)
        return NULL; /* what shows may be in another file: what it names is not what it was */
    if (strcmp(file, t->file->name) == 0 &&
        at <= (t->kind == TRIAL_EXCHANGE ? t->second + PIECE : t->at))
        return NULL;
    if (t->kind != TRIAL_FLIP && file[0] == 'w' && t->file->name[0] == 'w')
        return NULL; /* without its headers a segment has no name: the one that misses it tells */
    (void)snprintf(text, sizeof text, "the place told is %s @%" PRIu64, file, at);
    return text;
}

const char *trial_judge(const damage_world *w, const trial *t, const damage_result *r)
{
    char file[32];
    uint64_t at = 0;
    if (r->verdict == DAMAGE_WRONG)
        return r->why;
    if (r->verdict == DAMAGE_REFUSED || r->verdict == DAMAGE_NOTICED) {
        if (r->rc != PEAT_CORRUPT)
            return "the code is not PEAT_CORRUPT";
        if (!damage_place(r->error.message, file, &at))
            return "no file and offset are told";
        const char *bad = judge_place(t, file, at);
        if (bad != NULL)
            return bad;
    }
    /* a log without its last bytes is a shorter log: the bytes that no promise speaks of */
    if (r->verdict == DAMAGE_SHORTER && (t->file == NULL || strcmp(t->file->name, w->newest) != 0))
        return "commits are missing";
    if (t->kind == TRIAL_FLIP && w->end == DAMAGE_CUT && strcmp(t->file->name, w->newest) == 0 &&
        t->at >= w->window_at && r->verdict == DAMAGE_REFUSED)
        return "a torn tail is taken for damage";
    if (r->checked && r->verdict == DAMAGE_NOTICED && r->damages == 0)
        return "readers met it, check found nothing";
    if (r->checked && r->damages != 0)
        return judge_place(t, r->place_file, r->place_at);
    if (r->checked && t->kind <= TRIAL_CUT && t->file->name[0] == 't' && w->end != DAMAGE_MERGE)
        return "check overlooked it";
    return NULL;
}

/* The flip is still in its file, which is none that a merge has made under the same name. */
bool trial_is_there(sim_env *sim, const trial *t)
{
    size_t size = 0;
    bool same = false;
    uint8_t *data = sim_file_get(sim, DAMAGE_DIR, t->file->name, &size);
    if (data != NULL && size == t->file->size) {
        data[t->at] ^= (uint8_t)(1 << t->bit);
        same = memcmp(data, t->file->data, size) == 0;
    }
    free(data);
    return same;
}
