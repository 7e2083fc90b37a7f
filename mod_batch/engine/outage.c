#include "engine/outage.h"

#include <apr_atomic.h>
#include <apr_strings.h>
#include <apr_time.h>

#define INTERVAL_SECONDS 60

/* FNV-1a */
static apr_uint32_t digest_text(apr_uint32_t digest, const char *text)
{
    for (; *text; text++) {
        digest = (digest ^ (unsigned char)*text) * 16777619U;
    }
    return digest;
}

int batch_outage_due(batch_outages_t *outages, const char **suffix, const char *tag,
                     const char *message, apr_pool_t *p)
{
    apr_uint32_t digest = digest_text(digest_text(2166136261U, tag), message);
    apr_uint32_t now = (apr_uint32_t)apr_time_sec(apr_time_now());
    apr_uint32_t kind = digest % BATCH_OUTAGE_KINDS;
    apr_uint32_t left_out;
    apr_uint64_t line;
    int same;

    *suffix = "";
    if (!outages) {
        return 1;
    }
    line = apr_atomic_read64(&outages->lines[kind]);
    same = (apr_uint32_t)(line >> 32) == digest;
    /* A clock that was set back makes the difference large. */
    if ((same && now - (apr_uint32_t)line < INTERVAL_SECONDS) ||
        apr_atomic_cas64(&outages->lines[kind], ((apr_uint64_t)digest << 32) | now, line) != line) {
        apr_atomic_inc32(&outages->left_out[kind]);
        return 0;
    }
    left_out = apr_atomic_xchg32(&outages->left_out[kind], 0);
    if (same && left_out) {
        *suffix = apr_psprintf(p, " (and %u times since the last such line)", (unsigned)left_out);
    }
    return 1;
}
