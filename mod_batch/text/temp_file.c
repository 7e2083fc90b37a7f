#include "text/temp_file.h"

#include <apr_strings.h>

apr_status_t batch_temp_file_fail(batch_error_t *err, apr_status_t status, const char *what,
                                  apr_pool_t *p)
{
    char words[200];

    return batch_error_set(err, BATCH_EUNAVAILABLE, "MB0501", p,
                           "a temporary file for a request's items cannot be %s: %s", what,
                           apr_strerror(status, words, sizeof(words)));
}

apr_status_t batch_temp_file_make(apr_file_t **file, batch_error_t *err, apr_pool_t *p)
{
    const char *directory;
    char *path;
    apr_status_t status = apr_temp_dir_get(&directory, p);

    *file = NULL;
    if (status == APR_SUCCESS) {
        path = apr_pstrcat(p, directory, "/batch-XXXXXX", NULL);
        status = apr_file_mktemp(file, path,
                                 APR_FOPEN_CREATE | APR_FOPEN_READ | APR_FOPEN_WRITE |
                                     APR_FOPEN_EXCL | APR_FOPEN_BINARY,
                                 p);
        if (status == APR_SUCCESS) {
            status = apr_file_remove(path, p);
        }
    }
    return status == APR_SUCCESS ? APR_SUCCESS : batch_temp_file_fail(err, status, "made", p);
}
