/* The check of the resources against the database, before httpd starts. */
#include "config/startup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_user.h>
#include <http_config.h>
#include <http_log.h>
#include <unixd.h>

#include "store/inspect.h"

APLOG_USE_MODULE(batch);

/* How long the parent waits for the child, and the child for a lock of the database. */
#define PARENT_PATIENCE apr_time_from_sec(15)
#define CHILD_PATIENCE  apr_time_from_sec(5)

/* More than this is not read of what the child says. */
#define REPORT_BYTES (64 * 1024)

/* The child says one thing a line: a letter, and for people a sentence. */
#define SAYS_UNREACHABLE 'U'
#define SAYS_WRONG       'W'
#define SAYS_DOUBTFUL    'D'

/* ---- In the child ---------------------------------------------------------------------------- */

/* Where the child reports. */
struct report {
    int fd;
    apr_pool_t *ptemp;
};

static void say(const struct report *report, char what, const char *text)
{
    char *line = apr_psprintf(report->ptemp, "%c %s", what, text);
    apr_size_t length = strlen(line);
    apr_size_t done = 0;
    char *c;

    for (c = line; *c; c++) {
        if (apr_iscntrl(*c)) {
            *c = ' ';
        }
    }
    line[length++] = '\n'; /* in place of the NUL */
    while (done < length) {
        ssize_t written = write(report->fd, line + done, length - done);
        if (written < 0 && errno != EINTR) {
            return; /* the parent has lost its patience */
        }
        done += written > 0 ? (apr_size_t)written : 0;
    }
}

/* The name whose groups apply: as configured, since several names may share one id. */
static const char *child_user_name(apr_pool_t *ptemp)
{
    char *name;

    if (ap_unixd_config.user_name[0] != '#') {
        return ap_unixd_config.user_name;
    }
    return apr_uid_name_get(&name, ap_unixd_config.user_id, ptemp) == APR_SUCCESS ? name : NULL;
}

/* As mod_unixd does for httpd's children. 0, or errno. */
static int become_child_user(apr_pool_t *ptemp)
{
    const char *name;

    if (geteuid() != 0) {
        return 0;
    }
    name = child_user_name(ptemp);
    if (setgid(ap_unixd_config.group_id) || (name ? initgroups(name, ap_unixd_config.group_id)
                                                  : setgroups(1, &ap_unixd_config.group_id))) {
        return errno;
    }
    if (ap_unixd_config.chroot_dir &&
        (chdir(ap_unixd_config.chroot_dir) || chroot(ap_unixd_config.chroot_dir) || chdir("/"))) {
        return errno;
    }
    return setuid(ap_unixd_config.user_id) ? errno : 0;
}

/* The parent's handlers would take this process for httpd itself. */
static void reset_signals(void)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGWINCH, SIGCHLD, SIGALRM};
    size_t i;

    for (i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
        signal(signals[i], SIG_DFL);
    }
    /* Should the parent die first. */
    alarm((unsigned)apr_time_sec(PARENT_PATIENCE) + 1);
}

static void say_misfits(const struct report *report, const batch_resource_t *resource,
                        const apr_array_header_t *misfits)
{
    int i;

    for (i = 0; i < misfits->nelts; i++) {
        const batch_misfit_t *misfit = &APR_ARRAY_IDX(misfits, i, batch_misfit_t);
        const char *actions = misfit->actions == resource->actions
                                  ? ""
                                  : batch_action_names(misfit->actions, report->ptemp);

        say(report, misfit->actions ? SAYS_WRONG : SAYS_DOUBTFUL,
            apr_psprintf(report->ptemp, "%s:%d: <BatchResource %s>: %s%s%s: %s", resource->file,
                         resource->line, resource->name, misfit->directive, *actions ? ", " : "",
                         actions, misfit->message));
    }
}

/* The database of a server cannot be asked. */
static void say_unreachable(const struct report *report, const batch_settings_t *settings,
                            const char *reason)
{
    const char *file = settings->file;
    int line = settings->line;

    if (!file) { /* it is the default: then the first of those that need it */
        const batch_resource_t *resource =
            apr_hash_this_val(apr_hash_first(report->ptemp, settings->resources));

        file = resource->file;
        line = resource->line;
    }
    say(report, SAYS_UNREACHABLE,
        apr_psprintf(report->ptemp, "%s:%d: %s", file, line, reason ? reason : "unknown reason"));
}

static apr_status_t check_resources(const struct report *report, const batch_startup_t *server,
                                    batch_store_t *store, batch_error_t *err)
{
    apr_status_t rv = APR_SUCCESS;
    apr_hash_index_t *hi;

    if (server->fitness) {
        rv = batch_store_migrate(store, err, report->ptemp);
    }
    for (hi = apr_hash_first(report->ptemp, server->settings->resources); hi && rv == APR_SUCCESS;
         hi = apr_hash_next(hi)) {
        apr_array_header_t *misfits = batch_misfits_make(report->ptemp);
        const batch_resource_t *resource = apr_hash_this_val(hi);
        batch_table_known_t known;

        rv = batch_store_compare(store, misfits, &known, resource, err, report->ptemp);
        if (rv == APR_SUCCESS) {
            say_misfits(report, resource, misfits);
        }
        if (rv == APR_SUCCESS && server->fitness) {
            batch_fitness_note(server->fitness, resource, misfits, &known);
        }
    }
    return rv;
}

static void check_server(const struct report *report, const batch_startup_t *server)
{
    const batch_settings_t *settings = server->settings;
    batch_store_config_t config = {0};
    batch_error_t err = {0};
    batch_store_t *store;
    apr_status_t rv;

    config.driver = settings->driver;
    config.params = settings->params;
    config.max_connections = 1;
    config.patience = CHILD_PATIENCE;
    config.may_create = server->fitness != NULL;
    rv = batch_store_create(&store, &config, &err, report->ptemp);
    if (rv == APR_SUCCESS) {
        rv = check_resources(report, server, store, &err);
        batch_store_destroy(store);
    }
    if (rv != APR_SUCCESS) {
        say_unreachable(report, settings, err.message);
    }
}

/* All that the child does; it leaves no trace but its lines in the pipe, and what it notes. */
static void child_main(int fd, const batch_startup_t *servers, int count, apr_pool_t *ptemp)
{
    const struct report report = {fd, ptemp};
    const char *words = NULL;
    char reason[120];
    int wrong, i;

    reset_signals();
    wrong = become_child_user(ptemp);
    if (wrong) {
        words = apr_pstrcat(ptemp, "cannot become the user that httpd's children run as: ",
                            apr_strerror(wrong, reason, sizeof(reason)), NULL);
    }
    for (i = 0; i < count; i++) {
        if (apr_hash_count(servers[i].settings->resources) && wrong) {
            say_unreachable(&report, servers[i].settings, words);
        } else if (apr_hash_count(servers[i].settings->resources)) {
            check_server(&report, &servers[i]);
        }
    }
}

/* ---- In the parent --------------------------------------------------------------------------- */

/* Reads until the child closes its end, or until deadline; in ptemp. */
static char *read_report(int fd, apr_time_t deadline, apr_pool_t *ptemp)
{
    char *text = apr_palloc(ptemp, REPORT_BYTES + 1);
    apr_size_t length = 0;

    while (length < REPORT_BYTES) {
        apr_interval_time_t left = deadline - apr_time_now();
        struct pollfd wait = {fd, POLLIN, 0};
        ssize_t got;

        if (left <= 0 || poll(&wait, 1, (int)apr_time_as_msec(left) + 1) == 0) {
            break;
        }
        got = read(fd, text + length, REPORT_BYTES - length);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            break;
        }
        length += got > 0 ? (apr_size_t)got : 0;
    }
    text[length] = '\0';
    return text;
}

static void log_line(const char *line, server_rec *s)
{
    if (line[0] == SAYS_WRONG) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                     "MB0205: out of service until it fits the database: %s", line + 2);
    } else if (line[0] == SAYS_DOUBTFUL) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "MB0209: %s", line + 2);
    } else if (line[0] == SAYS_UNREACHABLE) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                     "MB0206: the database cannot be asked about the resources, batches are "
                     "refused with 503 until it can: %s",
                     line + 2);
    }
}

static void log_report(char *text, server_rec *s)
{
    char *line;
    char *end;

    for (line = text; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        log_line(line, s);
    }
}

/* Ends the child where it has not ended by itself; 1 if it did all that it should. */
static int reap(pid_t child)
{
    int status = 0;
    pid_t got;

    kill(child, SIGKILL); /* without effect on one that has ended: it waits to be reaped */
    do {
        got = waitpid(child, &status, 0);
    } while (got < 0 && errno == EINTR);
    return got == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void batch_startup_check(const batch_startup_t *servers, int count, server_rec *s,
                         apr_pool_t *ptemp)
{
    unsigned resources = 0;
    char *text;
    pid_t child;
    int ends[2];
    int i;

    for (i = 0; i < count; i++) {
        resources += apr_hash_count(servers[i].settings->resources);
    }
    if (!resources) {
        return;
    }
    if (pipe2(ends, O_CLOEXEC)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, errno, s,
                     "MB0207: the resources cannot be checked: no pipe");
        return;
    }
    child = fork();
    if (child == 0) {
        close(ends[0]);
        child_main(ends[1], servers, count, ptemp);
        _exit(0);
    }
    close(ends[1]);
    if (child < 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, errno, s,
                     "MB0212: the resources cannot be checked: no process");
        close(ends[0]);
        return;
    }
    text = read_report(ends[0], apr_time_now() + PARENT_PATIENCE, ptemp);
    close(ends[0]);
    if (!reap(child)) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, s,
            "MB0208: the check of the resources did not end within %d seconds, or crashed: "
            "those that it left out are checked when they are first used",
            (int)apr_time_sec(PARENT_PATIENCE));
    }
    log_report(text, s);
}
