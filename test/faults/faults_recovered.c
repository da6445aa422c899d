/* SPDX-License-Identifier: MIT */
/* faults_recovered.c - a store after its faults: opened, compared with the book, cut, and opened
 * again; see faults.h. */
#include "faults/faults.h"

#include <inttypes.h>
#include <string.h>

/* Per key the write that is there, as its number + 1, or 0. */
typedef struct found_state {
    uint32_t source[FAULTS_KEYS];
} found_state;

static uint64_t no_hits(const faults_world *w)
{
    (void)w;
    return 0;
}

/* The same book on another disk, where nothing fails. What was acknowledged after commit `sure` may
 * be missing. */
static void world_after(const faults_world *w, sim_env *sim, uint32_t sure, const char *how,
                        char *story, faults_world *ret_after)
{
    *ret_after = *w;
    for (uint32_t i = sure; i < w->book.commits; i++)
        ret_after->book.acked[i + 1] = false;
    (void)snprintf(story, 600, "%.400s, then %s", w->story, how);
    ret_after->story = story;
    ret_after->sim = sim;
    ret_after->db = NULL;
    ret_after->snapshot = NULL;
    ret_after->hits = no_hits;
    ret_after->must_refuse = false;
    ret_after->struck_sync = false; /* atomic: no chain of assignments */
    ret_after->struck_vital = false;
}

static uint32_t commit_of(const faults_world *w, uint32_t source)
{
    return source != 0 ? w->book.write[source - 1].commit : 0;
}

/* Batches that failed are there whole or not at all. A key that is not there tells nothing: a later
 * delete may have taken it. */
static void expect_whole(const faults_world *w, const found_state *f)
{
    static bool seen[FAULTS_WRITES_MAX + 1];
    memset(seen, 0, sizeof seen);
    for (unsigned k = 0; k < FAULTS_KEYS; k++)
        if (f->source[k] != 0 && !w->book.write[f->source[k] - 1].deleted)
            seen[commit_of(w, f->source[k])] = true;
    for (uint32_t n = 0; n < w->book.writes; n++) {
        const faults_write *write = &w->book.write[n];
        if (seen[write->commit] && !write->deleted &&
            commit_of(w, f->source[write->key]) < write->commit)
            faults_wrong(w, "commit %" PRIu32 " is there in part: key %u is not", write->commit,
                         write->key);
    }
}

static void read_sure(const faults_world *w, uint32_t limit, found_state *ret_state)
{
    peat_buf buf = PEAT_BUF_INIT;
    for (unsigned k = 0; k < FAULTS_KEYS; k++) {
        peat_rc rc = peat_get(w->db, NULL, faults_key(w, k), &buf);
        if (rc < 0)
            faults_wrong(w, "peat_get of key %u: %s", k, peat_rc_name(rc));
        peat_slice value = peat_bytes(buf.data, rc == PEAT_OK ? buf.size : 0);
        ret_state->source[k] = faults_source(w, k, rc == PEAT_OK ? &value : NULL, limit);
    }
    peat_buf_free(&buf);
    expect_whole(w, ret_state);
}

static void expect_same(const faults_world *w, const found_state *before, const found_state *now)
{
    for (unsigned k = 0; k < FAULTS_KEYS; k++)
        if (before->source[k] != now->source[k])
            faults_wrong(w, "key %u came from write %" PRIu32 " and then from %" PRIu32, k,
                         before->source[k], now->source[k]);
}

/* What a closed store holds is durable. */
static void expect_durable(const faults_world *w, sim_env *sim, const found_state *before)
{
    faults_world after;
    found_state now;
    char story[600];
    sim_env *cut = sim_clone_cut(sim, &(sim_cut){.mode = SIM_CUT_LOST});
    world_after(w, cut, 0, "closed and cut", story, &after);
    faults_open(&after);
    read_sure(&after, UINT32_MAX, &now);
    expect_same(&after, before, &now);
    faults_close(&after);
    sim_free(cut);
}

static void expect_clean(const faults_world *w)
{
    if (w->sim != NULL && !sim_is_clean(w->sim))
        faults_wrong(w, "something was left open or allocated");
}

void faults_expect_recovered(const faults_world *w, sim_env *sim, uint32_t sure, const char *how)
{
    faults_world after;
    found_state first, second;
    char story[600];
    world_after(w, sim, sure, how, story, &after);
    faults_open(&after);
    read_sure(&after, UINT32_MAX, &first);
    faults_read(&after);
    faults_check(&after);
    faults_close(&after);
    if (sim != NULL)
        expect_durable(&after, sim, &first);
    faults_open(&after);
    read_sure(&after, UINT32_MAX, &second);
    expect_same(&after, &first, &second);
    faults_put(&after, 1, 50, true);
    faults_close(&after);
    expect_clean(&after);
}

void faults_expect_copy(const faults_world *w, sim_env *sim)
{
    faults_world after;
    found_state state;
    char story[600];
    sim_env *cut = sim != NULL ? sim_clone_cut(sim, &(sim_cut){.mode = SIM_CUT_LOST}) : NULL;
    world_after(w, cut, w->copy_commits, "the copy opened", story, &after);
    after.dir = w->copy_dir;
    model_open_make(&after.options, cut ? sim_peat(cut) : NULL, &after.open);
    after.open.options.create = PEAT_CREATE_NEVER;
    peat_rc rc = peat_open(after.dir, &after.open.options, &after.db, NULL);
    if (rc != PEAT_OK && (w->copy_made || (rc != PEAT_NOT_FOUND && rc != PEAT_NOT_STORE)))
        faults_wrong(&after, "the copy does not open: %s", peat_rc_name(rc));
    if (rc == PEAT_OK) {
        read_sure(&after, after.copy_commits, &state);
        faults_check(&after);
        faults_close(&after);
    }
    expect_clean(&after);
    sim_free(cut);
}
