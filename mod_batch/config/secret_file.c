/* BatchURLSecretFile: the secrets of signed URLs, read when the configuration is. */
#include "config/private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

/* Bytes of a secret: what HMAC-SHA-256 wants at least, and what nobody needs more of. */
#define LEAST_BYTES 32
#define MOST_BYTES  4096

/* NULL, or why a file that holds a secret must not be like that. */
static const char *check_owner(const struct stat *info)
{
    if (!S_ISREG(info->st_mode)) {
        return "it is no regular file";
    }
    if (info->st_uid != 0 && info->st_uid != geteuid()) {
        return "it belongs to another user than root or the one who starts httpd";
    }
    return info->st_mode & (S_IRWXG | S_IRWXO)
               ? "others than its owner have permissions for it: chmod 0600 it"
               : NULL;
}

/* The system's words for errno, in p. */
static const char *system_words(apr_pool_t *p)
{
    char words[120];

    return apr_pstrdup(p, apr_strerror(errno, words, sizeof(words)));
}

/* Reads all of a file that is not too long. -1 with errno, else the bytes. */
static ssize_t read_all(int fd, char *bytes, size_t size)
{
    size_t length = 0;

    while (length < size) {
        ssize_t got = read(fd, bytes + length, size - length);

        if (got == 0) {
            break;
        }
        if (got < 0 && errno != EINTR) {
            return -1;
        }
        length += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)length;
}

static const char *read_secret(batch_secret_t *secret, int fd, apr_pool_t *p)
{
    char *bytes = apr_palloc(p, MOST_BYTES + 1);
    struct stat info;
    const char *wrong;
    ssize_t length;

    if (fstat(fd, &info)) {
        return system_words(p);
    }
    wrong = check_owner(&info);
    if (wrong) {
        return wrong;
    }
    length = read_all(fd, bytes, MOST_BYTES + 1);
    if (length < 0) {
        return system_words(p);
    }
    if (length > MOST_BYTES) {
        return "it is longer than " APR_STRINGIFY(MOST_BYTES) " bytes";
    }
    while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r')) {
        length--;
    }
    if (length < LEAST_BYTES) {
        return "a secret has at least " APR_STRINGIFY(LEAST_BYTES) " bytes, its last line break "
                                                                   "not counted";
    }
    secret->bytes = bytes;
    secret->length = (apr_size_t)length;
    return NULL;
}

static const char *open_secret(batch_secret_t *secret, cmd_parms *cmd, const char *path)
{
    const char *full = *path ? ap_server_root_relative(cmd->pool, path) : NULL;
    const char *wrong = "is not the path of a file";
    int fd = full ? open(full, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;

    if (fd >= 0) {
        wrong = read_secret(secret, fd, cmd->pool);
        close(fd);
    } else if (full) {
        wrong = system_words(cmd->pool);
    }
    return wrong
               ? apr_psprintf(cmd->pool, "%s: '%s': %s", cmd->cmd->name, full ? full : path, wrong)
               : NULL;
}

const char *batch_secret_files(cmd_parms *cmd, void *directory, const char *path,
                               const char *older_path)
{
    batch_server_config_t *config = batch_server_config(cmd->server);
    batch_url_secrets_t *secrets = apr_pcalloc(cmd->pool, sizeof(*secrets));
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);

    (void)directory;
    if (!wrong) {
        wrong = open_secret(&secrets->signing, cmd, path);
    }
    if (!wrong && older_path) {
        wrong = open_secret(&secrets->accepted, cmd, older_path);
    }
    config->url_secrets = secrets;
    config->declared = 1;
    return wrong;
}
