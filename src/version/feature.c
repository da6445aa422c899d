/* SPDX-License-Identifier: MIT */
/* feature.c - see feature.h. */
#include "version/feature.h"

static const char *const names[] = {"long-prefix"};

const char *pt_feature_name(unsigned i)
{
    return i < PT_COUNT_OF(names) ? names[i] : NULL;
}

uint32_t pt_feature_of_table(const pt_table_meta *meta)
{
    return meta->flags & PT_TABLE_LONG_PREFIX ? PT_FEATURE_LONG_PREFIX : 0;
}

void pt_feature_encode(uint32_t features, uint8_t *dst, size_t room)
{
    uint8_t *p = dst;
    for (unsigned i = 0; i < PT_COUNT_OF(names); i++) {
        size_t n = strlen(names[i]);
        if ((features >> i & 1) == 0)
            continue;
        PT_ASSERT(n <= PT_FEATURE_NAME_MAX && (size_t)(p - dst) + n + 2 <= room,
                  "there is room for all names");
        *p++ = (uint8_t)n;
        memcpy(p, names[i], n);
        p += n;
    }
    *p = 0;
}

static bool is_name(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t c = data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return size <= PT_FEATURE_NAME_MAX;
}

/* The bit of a name; 0: unknown. */
static uint32_t bit_of(const uint8_t *data, size_t size)
{
    for (unsigned i = 0; i < PT_COUNT_OF(names); i++)
        if (strlen(names[i]) == size && memcmp(names[i], data, size) == 0)
            return 1u << i;
    return 0;
}

bool pt_feature_decode(const uint8_t *data, size_t size, uint32_t *ret_features,
                       char ret_unknown[PT_FEATURE_NAME_MAX + 1])
{
    size_t at = 0;
    *ret_features = 0;
    ret_unknown[0] = '\0';
    while (at < size && data[at] != 0) {
        size_t n = data[at++];
        if (n > size - at || !is_name(data + at, n))
            return false;
        uint32_t bit = bit_of(data + at, n);
        if ((*ret_features & bit) != 0)
            return false;
        *ret_features |= bit;
        if (bit == 0 && ret_unknown[0] == '\0') {
            memcpy(ret_unknown, data + at, n);
            ret_unknown[n] = '\0';
        }
        at += n;
    }
    return at != 0 && at < size;
}
