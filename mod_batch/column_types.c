#include "column_types.h"

#include <apr_strings.h>

#define ROW(symbol, name, form, stored, queried, options)                                          \
    [BATCH_TYPE_##symbol] = {#name, BATCH_FORM_##form, BATCH_STORED_##stored, options},

const batch_type_row_t batch_type_rows[BATCH_TYPE_COUNT] = {BATCH_TYPE_LIST(ROW)};

const char *batch_type_words(unsigned options, apr_pool_t *p)
{
    const char *before = "";
    const char *last = NULL;
    int type;

    for (type = 0; type < BATCH_TYPE_COUNT; type++) {
        if (options && !(batch_type_rows[type].options & options)) {
            continue;
        }
        if (last) {
            before = apr_pstrcat(p, before, *before ? ", " : "", last, NULL);
        }
        last = batch_type_rows[type].word;
    }
    return apr_pstrcat(p, before, *before ? " and " : "", last, NULL);
}
