import CLibSSH

/// From libssh's callbacks to ``Connection`` and ``Channel``.
///
/// The pointers are unretained: the objects live until their session or channel was freed, or stopped calling back.
enum Callbacks {
    static func connection(_ pointer: UnsafeMutableRawPointer?) -> Connection? {
        pointer.map { Unmanaged<Connection>.fromOpaque($0).takeUnretainedValue() }
    }

    static func channel(_ pointer: UnsafeMutableRawPointer?) -> Channel? {
        pointer.map { Unmanaged<Channel>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Whatever has no callback of its own; 1 has libssh refuse it.
    static let message: @convention(c) (ssh_session?, ssh_message?, UnsafeMutableRawPointer?) -> Int32 = { _, message, this in
        guard ssh_message_type(message) == Int32(SSH_REQUEST_AUTH.rawValue) else { return 1 }
        let what =
            switch UInt32(bitPattern: ssh_message_subtype(message)) {
            case SSH_AUTH_METHOD_PASSWORD: "password"
            case SSH_AUTH_METHOD_INTERACTIVE: "keyboard-interactive"
            default: "an unknown method"
            }
        connection(this)?.refuseLogin(as: ssh_message_auth_user(message), with: what)
        return 1
    }
}

extension ssh_server_callbacks_struct {
    /// What a session may ask of a connection.
    ///
    /// No callback for passwords, so that libssh refuses them; nor for services, of which it takes a refusal by freeing itself in the
    /// midst of its work. The one for GSSAPI is there because without it libssh looks into the machine's key tables.
    static func plue(_ this: UnsafeMutableRawPointer) -> ssh_server_callbacks_struct {
        var callbacks = ssh_server_callbacks_struct()
        callbacks.size = MemoryLayout<ssh_server_callbacks_struct>.size
        callbacks.userdata = this
        callbacks.auth_none_function = { _, user, this in
            Callbacks.connection(this)?.refuseLogin(as: user, with: nil)
            return Int32(SSH_AUTH_DENIED.rawValue)
        }
        callbacks.auth_pubkey_function = { _, user, key, state, this in
            guard let key, Callbacks.connection(this)?.accepts(key, signed: state, user: user) == true else {
                return Int32(SSH_AUTH_DENIED.rawValue)
            }
            return Int32(SSH_AUTH_SUCCESS.rawValue)
        }
        callbacks.gssapi_select_oid_function = { _, user, _, _, this in
            Callbacks.connection(this)?.refuseLogin(as: user, with: "gssapi")
            return nil
        }
        callbacks.channel_open_request_session_function = { _, this in Callbacks.connection(this)?.openChannel() }
        return callbacks
    }
}

extension ssh_channel_callbacks_struct {
    /// What a client may ask of a session: a terminal, a shell, a command. Agents, X11, variables and subsystems have no callback and
    /// are refused by libssh.
    static func plue(_ this: UnsafeMutableRawPointer) -> ssh_channel_callbacks_struct {
        var callbacks = ssh_channel_callbacks_struct()
        callbacks.size = MemoryLayout<ssh_channel_callbacks_struct>.size
        callbacks.userdata = this
        callbacks.channel_pty_request_function = { _, _, _, _, _, _, _, this in
            Callbacks.channel(this)?.takeTerminal() == true ? 0 : -1
        }
        callbacks.channel_pty_window_change_function = { _, _, _, _, _, _, _ in 0 }
        callbacks.channel_shell_request_function = { _, _, this in Callbacks.channel(this)?.startShell() == true ? 0 : -1 }
        callbacks.channel_exec_request_function = { _, _, line, this in
            guard let line, Callbacks.channel(this)?.startCommand(line) == true else { return -1 }
            return 0
        }
        callbacks.channel_data_function = { _, _, bytes, count, isError, this in
            guard let bytes, isError == 0, let channel = Callbacks.channel(this) else { return Int32(clamping: count) }
            return Int32(clamping: channel.receive(UnsafeRawBufferPointer(start: bytes, count: Int(count))))
        }
        callbacks.channel_eof_function = { _, _, this in Callbacks.channel(this)?.receiveEnd() }
        callbacks.channel_close_function = { _, _, this in Callbacks.channel(this)?.receiveClose() }
        callbacks.channel_signal_function = { _, _, _, this in Callbacks.channel(this)?.interrupt() }
        return callbacks
    }
}
