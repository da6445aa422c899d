/* SPDX-License-Identifier: MIT */
/* model_options.c - random options; none of them may change an answer. */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[MODEL_OPTION_COUNT] = {
#define MODEL_OPTION_NAME(name, simple) #name,
    MODEL_OPTION_LIST(MODEL_OPTION_NAME)
#undef MODEL_OPTION_NAME
};

int64_t model_option_simplest(model_option option)
{
    static const int64_t simplest[MODEL_OPTION_COUNT] = {
#define MODEL_OPTION_SIMPLE(name, simple) simple,
        MODEL_OPTION_LIST(MODEL_OPTION_SIMPLE)
#undef MODEL_OPTION_SIMPLE
    };
    return simplest[option];
}

/* One of a power of two between 2^low and 2^high, or the derived size. */
static int64_t some_size(rng *r, unsigned low, unsigned high)
{
    if (rng_below(r, 4) == 0)
        return 0;
    return (int64_t)1 << (low + rng_below(r, high - low + 1));
}

void model_options_random(rng *r, model_options *ret_options)
{
    static const int64_t threads[] = {-1, -1, -1, 0, 1, 2, 3, 4};
    int64_t *f = ret_options->field;
    f[MODEL_OPTION_keys] = (int64_t)rng_below(r, MODEL_KEY_STYLES);
    uint64_t disk = rng_below(r, 16);
    f[MODEL_OPTION_disk] = disk == 0 ? 1 : disk < 6 ? 2 : 0;
    f[MODEL_OPTION_written] = (int64_t)rng_below(r, 2);
    f[MODEL_OPTION_events] = rng_below(r, 4) == 0;
    f[MODEL_OPTION_threads] = threads[rng_below(r, 8)];
    f[MODEL_OPTION_memory] = rng_below(r, 3) == 0 ? 0 : (int64_t)1 << (20 + rng_below(r, 5));
    f[MODEL_OPTION_compression] = (int64_t)rng_below(r, 4);
    f[MODEL_OPTION_memtable] = some_size(r, 10, 17);
    f[MODEL_OPTION_block] = some_size(r, 8, 14);
    f[MODEL_OPTION_partition] = some_size(r, 12, 18);
    f[MODEL_OPTION_table] = some_size(r, 11, 17);
    f[MODEL_OPTION_segment] = some_size(r, 12, 18);
    f[MODEL_OPTION_no_log] = rng_below(r, 8) == 0;
    f[MODEL_OPTION_interval] = rng_below(r, 2) ? 0 : 1 + (int64_t)rng_below(r, 50);
    f[MODEL_OPTION_space] = rng_below(r, 2) ? 0 : 105 + (int64_t)rng_below(r, 300);
}

void model_options_random_simulated(rng *r, model_options *ret_options)
{
    int64_t *f = ret_options->field;
    model_options_random(r, ret_options);
    f[MODEL_OPTION_disk] = 0;
    if (rng_below(r, 4) != 0)
        f[MODEL_OPTION_threads] = -1;
    if (rng_below(r, 8) != 0)
        f[MODEL_OPTION_no_log] = 0;
    if (rng_below(r, 4) != 0)
        f[MODEL_OPTION_memtable] = (int64_t)1 << (11 + rng_below(r, 5));
    if (f[MODEL_OPTION_keys] == 5) /* the huge keys: a few kilobytes each is enough for a disk */
        f[MODEL_OPTION_keys] = 0;
}

void model_open_make(const model_options *o, const struct peat_env *env, model_open *ret_open)
{
    const int64_t *f = o->field;
    *ret_open =
        (model_open){.host = {.size = sizeof(peat_host), .env = env},
                     .test = {.size = sizeof(peat_test_options),
                              .memtable_bytes = (size_t)f[MODEL_OPTION_memtable],
                              .block_bytes = (size_t)f[MODEL_OPTION_block],
                              .partition_bytes = (size_t)f[MODEL_OPTION_partition],
                              .table_bytes = (size_t)f[MODEL_OPTION_table],
                              .segment_bytes = (size_t)f[MODEL_OPTION_segment]},
                     .options = {.size = sizeof(peat_options),
                                 .threads = (int)f[MODEL_OPTION_threads],
                                 .memory_bytes = (size_t)f[MODEL_OPTION_memory],
                                 .compression = (peat_compression)f[MODEL_OPTION_compression],
                                 .no_log = f[MODEL_OPTION_no_log] != 0,
                                 .sync_interval_ms = (uint32_t)f[MODEL_OPTION_interval],
                                 .space_target = (double)f[MODEL_OPTION_space] / 100}};
    const peat_env *base = env ? env : peat_env_default();
    if (base->file_store != NULL) {
        ret_open->env = *base; /* also when nothing changes: handles of the last open point here */
        if (f[MODEL_OPTION_written] != 0)
            ret_open->env.file_store = NULL;
        ret_open->host.env = &ret_open->env;
    }
    ret_open->options.host = &ret_open->host;
    ret_open->options.test = &ret_open->test;
}

void model_options_print(const model_options *o, FILE *out)
{
    for (int i = 0; i < MODEL_OPTION_COUNT; i++)
        (void)fprintf(out, " %s=%lld", names[i], (long long)o->field[i]);
}

bool model_options_parse(char *words, model_options *ret_options)
{
    memset(ret_options, 0, sizeof *ret_options);
    char *save = NULL;
    for (char *word = strtok_r(words, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
        char *equals = strchr(word, '=');
        if (equals == NULL)
            return false;
        *equals = '\0';
        int i = 0;
        while (i < MODEL_OPTION_COUNT && strcmp(names[i], word) != 0)
            i++;
        if (i == MODEL_OPTION_COUNT)
            return false;
        ret_options->field[i] = strtoll(equals + 1, NULL, 10);
    }
    return true;
}
