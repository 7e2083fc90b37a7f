/*
 * The body as it came, before anything inflates it: what its digests are about, and whether it is
 * made of several gzip members. Looked at by an input filter of our own below mod_deflate's, which
 * is there only where somebody asks for it.
 */
#include "http/exchange.h"

#include <http_core.h>
#include <http_protocol.h>
#include <util_filter.h>

#include "payload/body_digest.h"

/* Behind what changes the content (mod_deflate), before what takes it out of HTTP. */
#define FILTER_TYPE ((ap_filter_type)(AP_FTYPE_CONTENT_SET + 5))

/* RFC 1952, section 2.3: the first bytes of a member; the next one has its flags. */
static const char gzip_head[] = {'\x1f', '\x8b', '\x08'};

struct batch_raw_body {
    batch_digests_t *digests; /* NULL: none */
    size_t matched;           /* bytes of gzip_head that were just read */
    int members;              /* that seem to begin */
};

static ap_filter_rec_t *filter;

/* Counts the beginnings of gzip members. One may come about by chance: good enough for a message.
 */
static void count_members(batch_raw_body_t *raw, const char *bytes, apr_size_t length)
{
    apr_size_t i;

    for (i = 0; i < length; i++) {
        if (raw->matched == sizeof(gzip_head)) {
            raw->members += (unsigned char)bytes[i] < 0x20;
            raw->matched = 0;
        } else if (bytes[i] == gzip_head[raw->matched]) {
            raw->matched++;
            continue;
        }
        raw->matched = bytes[i] == gzip_head[0];
    }
}

static apr_status_t look(ap_filter_t *f, apr_bucket_brigade *brigade, ap_input_mode_t mode,
                         apr_read_type_e block, apr_off_t wanted)
{
    batch_raw_body_t *raw = f->ctx;
    apr_bucket *bucket;
    apr_status_t rv = ap_get_brigade(f->next, brigade, mode, block, wanted);

    if (rv != APR_SUCCESS || mode == AP_MODE_SPECULATIVE) {
        return rv;
    }
    for (bucket = APR_BRIGADE_FIRST(brigade); bucket != APR_BRIGADE_SENTINEL(brigade);
         bucket = APR_BUCKET_NEXT(bucket)) {
        const char *bytes;
        apr_size_t length;

        if (APR_BUCKET_IS_METADATA(bucket)) {
            continue;
        }
        rv = apr_bucket_read(bucket, &bytes, &length, APR_BLOCK_READ);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (raw->digests) {
            batch_digests_update(raw->digests, bytes, length);
        }
        count_members(raw, bytes, length);
    }
    return APR_SUCCESS;
}

int batch_raw_body_watch(batch_raw_body_t **raw, batch_exchange_t *x, int *code)
{
    request_rec *r = x->r;
    batch_digest_headers_t headers = {apr_table_get(r->headers_in, "Content-MD5"),
                                      apr_table_get(r->headers_in, "Content-Digest"),
                                      apr_table_get(r->headers_in, "Repr-Digest")};
    batch_digests_t *digests;
    const char *wrong = batch_digests_read(&digests, &headers, r->pool);

    *raw = NULL;
    if (wrong) {
        *code = batch_reply_error(x, HTTP_BAD_REQUEST, wrong);
        return 0;
    }
    if (digests || apr_table_get(r->headers_in, "Content-Encoding")) {
        *raw = apr_pcalloc(r->pool, sizeof(**raw));
        (*raw)->digests = digests;
        ap_add_input_filter_handle(filter, *raw, r, r->connection);
    }
    return 1;
}

int batch_raw_body_has_digest(const batch_raw_body_t *raw)
{
    return raw && raw->digests;
}

const char *batch_raw_body_check(batch_raw_body_t *raw, apr_pool_t *p)
{
    return batch_raw_body_has_digest(raw) ? batch_digests_check(raw->digests, p) : NULL;
}

int batch_raw_body_has_members(const batch_raw_body_t *raw)
{
    return raw && raw->members > 1;
}

void batch_raw_body_register_filter(void)
{
    filter = ap_register_input_filter("BATCH_RAW_BODY", look, NULL, FILTER_TYPE);
}
