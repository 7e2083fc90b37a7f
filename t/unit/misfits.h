/* What a resource and the real tables say of each other, as one text. */
#ifndef BATCH_MISFITS_H
#define BATCH_MISFITS_H

#include <apr_strings.h>

#include "store/inspect.h"

/* What rules actions out, or what may surprise: "Directive: message; …"; or why neither is known.
 */
static const char *misfits_text(batch_store_t *store, const batch_resource_t *resource, int doubts,
                                apr_pool_t *p)
{
    apr_array_header_t *misfits = batch_misfits_make(p);
    batch_error_t err = {0};
    const char *text = "";
    int i;

    if (batch_store_compare(store, misfits, NULL, resource, &err, p) != APR_SUCCESS) {
        return err.message;
    }
    for (i = 0; i < misfits->nelts; i++) {
        const batch_misfit_t *misfit = &APR_ARRAY_IDX(misfits, i, batch_misfit_t);

        if ((misfit->actions == 0) == doubts) {
            text = apr_pstrcat(p, text, *text ? "; " : "", misfit->directive, ": ", misfit->message,
                               NULL);
        }
    }
    return text;
}

#endif
