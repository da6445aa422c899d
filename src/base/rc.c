/* SPDX-License-Identifier: MIT */
/* rc.c - names and texts of codes and events, and the version. */
#include "base/base.h"

const char *peat_version(void)
{
    return PEAT_VERSION_STRING;
}

const char *peat_rc_name(peat_rc rc)
{
    switch (rc) {
#define CASE(name, number, text)                                                                   \
    case name:                                                                                     \
        return #name;
        PEAT_RC_LIST(CASE)
#undef CASE
    }
    return "PEAT_UNKNOWN";
}

const char *peat_rc_text(peat_rc rc)
{
    switch (rc) {
#define CASE(name, number, text)                                                                   \
    case name:                                                                                     \
        return text;
        PEAT_RC_LIST(CASE)
#undef CASE
    }
    return "a result code this library does not know";
}

const char *peat_event_name(peat_event_kind kind)
{
    switch (kind) {
#define CASE(name, number, text)                                                                   \
    case name:                                                                                     \
        return text;
        PEAT_EVENT_LIST(CASE)
#undef CASE
    }
    return "unknown";
}
