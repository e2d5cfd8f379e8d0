/*
 * In place of libsystemd, 1.2 MB with what that needs: procps asks it for
 * sessions, and there is no systemd in the machine. It answers so.
 */
#define NONE(name) int name(void); int name(void) { return -61; /* ENODATA */ }
NONE(sd_booted)
NONE(sd_get_sessions)
NONE(sd_pid_get_cgroup)
NONE(sd_pid_get_machine_name)
NONE(sd_pid_get_owner_uid)
NONE(sd_pid_get_session)
NONE(sd_pid_get_slice)
NONE(sd_pid_get_unit)
NONE(sd_pid_get_user_slice)
NONE(sd_pid_get_user_unit)
NONE(sd_session_get_class)
NONE(sd_session_get_leader)
NONE(sd_session_get_remote_host)
NONE(sd_session_get_seat)
NONE(sd_session_get_start_time)
NONE(sd_session_get_tty)
NONE(sd_session_get_uid)
NONE(sd_session_get_username)
NONE(sd_uid_get_seats)
NONE(sd_uid_get_sessions)
NONE(sd_journal_print)
NONE(sd_journal_send)
NONE(sd_journal_sendv)
NONE(sd_journal_stream_fd)
