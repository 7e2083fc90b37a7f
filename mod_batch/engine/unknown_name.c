#include "engine/unknown_name.h"

#include <string.h>

#include <apr_strings.h>

#include "text/invisible.h"
#include "text/nearest_word.h"

/** The names that a batch can set, NULL behind them. */
static const char *const *names_of(const batch_resource_t *resource, apr_pool_t *p)
{
    apr_array_header_t *names = apr_array_make(p, resource->columns->nelts + 2, sizeof(char *));

    APR_ARRAY_PUSH(names, const char *) = resource->key;
    for (int i = 0; i < resource->columns->nelts; i++) {
        const batch_column_t *column = &APR_ARRAY_IDX(resource->columns, i, batch_column_t);

        if (!column->readonly) {
            APR_ARRAY_PUSH(names, const char *) = column->name;
        }
    }
    APR_ARRAY_PUSH(names, const char *) = NULL;
    return (const char *const *)names->elts;
}

/** The name that was meant by another one. */
static const char *meant_words(const char *const *names, const char *name, apr_size_t length,
                               apr_pool_t *p)
{
    const char *meant = batch_word_meant(name, length, names);

    return meant ? apr_psprintf(p, "; did you mean \"%s\"?", meant) : "";
}

const char *batch_unknown_name_words(const batch_resource_t *resource, const char *name,
                                     apr_size_t length, apr_pool_t *p)
{
    const char *const *names = names_of(resource, p);
    const char *invisible = batch_invisible_words(name, length, p);
    const char *visible;

    if (!invisible) {
        return meant_words(names, name, length, p);
    }
    visible = batch_visible_text(name, length, p);
    return apr_psprintf(p, ": it has %s%s", invisible,
                        batch_word_is_known(visible, strlen(visible), names)
                            ? apr_psprintf(p, "; without that it is %s", visible)
                            : meant_words(names, visible, strlen(visible), p));
}
