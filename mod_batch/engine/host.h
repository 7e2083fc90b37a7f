/*
 * This machine and its processes: who owns a job, and is that owner still alive?
 *
 * An owner is named by host, process and start time. The host is the boot id of the kernel and
 * the process namespace, so that a pid is only ever looked up where it means something: another
 * machine, another container and an earlier boot are different hosts.
 */
#ifndef BATCH_ENGINE_HOST_H
#define BATCH_ENGINE_HOST_H

#include "batch.h"
#include "store/store.h"

/** Who this process is; strings in p. Works on Linux; elsewhere start_time is 0. */
apr_status_t batch_host_self(batch_owner_t *self, apr_pool_t *p);

/**
 * 1 if owner is known to be gone: a process of this host (self) that does not exist any more, is a
 * zombie, or whose pid is another process by now. 0 where that cannot be known.
 */
int batch_host_owner_gone(const batch_owner_t *owner, const batch_owner_t *self);

/**
 * 1 if no living process has that pid and start time (0 = any). The low 32 bits of the start time
 * are compared: they repeat after 497 days of uptime.
 */
int batch_host_process_gone(apr_int64_t pid, apr_int64_t start_time);

#endif
