// libssh, and what of it Swift cannot call as it is: options behind void*.
//
// Without feature macros of its own: with _GNU_SOURCE the system's headers would give fd_set other fields here than in Swift's
// Glibc, and a program that imports both does not compile.
#ifndef CLIBSSH_SHIM_H
#define CLIBSSH_SHIM_H

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// MARK: Options

static inline int plue_ssh_bind_set_string(ssh_bind bind, enum ssh_bind_options_e option, const char *_Nonnull value) {
    return ssh_bind_options_set(bind, option, value);
}

// Without this, libssh reads the machine's own server configuration at the first connection.
static inline int plue_ssh_bind_ignore_configuration(ssh_bind bind) {
    bool read = false;
    return ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &read);
}

static inline int plue_ssh_bind_set_rsa_minimum(ssh_bind bind, int bits) {
    return ssh_bind_options_set(bind, SSH_BIND_OPTIONS_RSA_MIN_SIZE, &bits);
}

// On success the key belongs to the bind.
static inline int plue_ssh_bind_take_key(ssh_bind bind, ssh_key key) {
    return ssh_bind_options_set(bind, SSH_BIND_OPTIONS_IMPORT_KEY, key);
}

static inline int plue_ssh_set_string(ssh_session session, enum ssh_options_e option, const char *_Nonnull value) {
    return ssh_options_set(session, option, value);
}

// MARK: The packet size that a client allows

// What libssh 0.10 has at the start of its struct ssh_channel_struct, which it keeps to itself.
struct plue_ssh_channel_head {
    ssh_session session;
    uint32_t local_channel, local_window;
    int local_eof;
    uint32_t local_maxpacket, remote_channel, remote_window;
    int remote_eof;
    uint32_t remote_maxpacket;
};

// The largest packet the client of an opened channel takes; UINT32_MAX when this libssh does not let us know.
//
// A client may say 10, of which libssh's own header uses up all: ssh_channel_write then sends empty packets for ever. libssh has no
// function that tells the size, so it is read where 0.10 keeps it, and believed only when three neighbours are what libssh itself
// says they are. The fields lie within the struct's first 48 bytes; no libssh has a smaller one.
static inline uint32_t plue_ssh_channel_packet_size(ssh_channel channel) {
    struct plue_ssh_channel_head head;
    memcpy(&head, (const void *)channel, sizeof head);
    if (head.session != ssh_channel_get_session(channel) || head.remote_window != ssh_channel_window_size(channel) ||
        head.local_maxpacket != 35000)
        return UINT32_MAX;
    return head.remote_maxpacket;
}

#endif
