import CLibSSH
import Foundation
import Logging
import PlueConfig

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// One client: its libssh session, how it logs in, and the commands and shells it opened. Lives on the loop's thread.
///
/// libssh calls back from within ``process()``, and from any call that writes. In a callback nothing is written and nothing is freed:
/// it notes what has happened, and ``advance()`` acts on it.
final class Connection {
    let id: UInt64
    /// The client's, without its port.
    let address: String
    unowned let loop: Loop
    private let session: ssh_session
    private let event: ssh_event
    private let callbacks: UnsafeMutablePointer<ssh_server_callbacks_struct>
    /// What went through the socket, and what libssh made of it.
    private let counters: UnsafeMutablePointer<ssh_counter_struct>
    private var channels: [UInt64: Channel] = [:]
    private var lastChannel: UInt64 = 0
    private var phase = Phase.login
    private let began = ContinuousClock.now
    /// When the client, or what it is sent, last moved.
    private(set) var lastActivity = ContinuousClock.now
    /// The key that opened the door; `nil` before the login.
    private(set) var identity: AuthorizedKey?
    private var attempts = Attempts()
    private var isGreeted = false
    /// What had been received when something was last sent.
    private var progress = Progress()

    private enum Phase {
        case login
        case open
        /// What is on its way is sent, then the connection is closed, with a reason for the client.
        case ending(reason: String?, by: ContinuousClock.Instant)
        /// Nothing is said any more.
        case dead(reason: String?)
    }

    private struct Attempts {
        var user = ""
        var count = 0
        var last: String?
    }

    private struct Progress {
        var sent: UInt64 = 0
        var packetsBefore: UInt64 = 0
    }

    /// A login takes some fifteen packets.
    private static let mostPacketsBeforeLogin = 200
    /// A client may be slow to read, but not send on and on meanwhile: each of its requests adds to what waits for it here.
    private static let mostPacketsWithoutProgress = 10_000
    private static let timeToEnd: Duration = .milliseconds(500)

    /// Takes the descriptor over, whatever happens. `nil` when libssh cannot serve it.
    init?(_ id: UInt64, _ descriptor: Int32, from address: String, on loop: Loop, _ configuration: Configuration) {
        self.id = id
        self.address = address.hasPrefix("::ffff:") && address.contains(".") ? String(address.dropFirst(7)) : address
        self.loop = loop
        guard let session = ssh_new() else {
            close(descriptor)
            return nil
        }
        let isAdmitted = configuration.hostKeys.admit(descriptor, to: session)
        if !isAdmitted, ssh_get_fd(session) != descriptor { close(descriptor) }
        guard isAdmitted, let event = ssh_event_new() else {
            ssh_free(session)
            return nil
        }
        self.session = session
        self.event = event
        callbacks = .allocate(capacity: 1)
        callbacks.initialize(to: ssh_server_callbacks_struct())
        counters = .allocate(capacity: 2)
        counters.initialize(repeating: ssh_counter_struct(), count: 2)
        begin()
    }

    deinit {
        callbacks.deallocate()
        counters.deallocate()
    }

    private func begin() {
        let this = Unmanaged.passUnretained(self).toOpaque()
        callbacks.pointee = .plue(this)
        ssh_set_server_callbacks(session, callbacks)
        ssh_set_message_callback(session, Callbacks.message, this)
        ssh_set_counters(session, counters, counters + 1)
        ssh_set_auth_methods(session, Int32(bitPattern: SSH_AUTH_METHOD_PUBLICKEY))
        ssh_set_blocking(session, 0)
        // Compressed, a small packet can become a large one.
        plue_ssh_set_string(session, SSH_OPTIONS_COMPRESSION, "no")
        guard ssh_handle_key_exchange(session) != SSH_ERROR, ssh_event_add_session(event, session) == SSH_OK else {
            phase = .dead(reason: nil)
            return
        }
    }

    // MARK: - What the loop asks

    var limits: SSHServerSettings.Limits { loop.configuration?.limits ?? .init() }

    var isDead: Bool { if case .dead = phase { true } else { false } }

    var isEnding: Bool {
        switch phase {
        case .ending, .dead: true
        case .login, .open: false
        }
    }

    /// Whether a command of it runs, or what one wrote is still being sent.
    var isUnfinished: Bool { channels.values.contains(where: \.isUnfinished) }

    /// How far a client has come that is not logged in. Each step costs it more than the one before.
    var progressOfLogin: Int {
        if counters[0].in_bytes == 0 { return 0 }
        let packets = counters[1].in_packets
        return packets == 0 ? 1 : packets < 3 ? 2 : 3
    }

    /// What its key is allowed to now. A key that was taken away keeps what it had.
    private var authorization: AuthorizedKey? { identity.map { loop.configuration?.authorizedKeys[$0.blob] ?? $0 } }

    var role: Role { authorization?.role ?? .viewer }

    var mayHaveTerminal: Bool { authorization?.mayHaveTerminal ?? false }

    var actor: String { identity?.actor ?? "" }

    /// Whether its key has been taken away, or has expired, since.
    var isRevoked: Bool {
        guard let identity, let keys = loop.configuration?.authorizedKeys else { return false }
        guard let key = keys[identity.blob] else { return true }
        return key.expiry.map { $0 <= Date() } ?? false
    }

    var pollEntry: pollfd {
        let wanted = ssh_get_poll_flags(session)
        let events = (wanted & SSH_READ_PENDING != 0 ? POLLIN : 0) | (wanted & SSH_WRITE_PENDING != 0 ? POLLOUT : 0)
        return pollfd(fd: ssh_get_fd(session), events: Int16(events), revents: 0)
    }

    /// When something has to happen though nothing arrives.
    var deadline: ContinuousClock.Instant? {
        switch phase {
        case .login: return min(began + limits.loginTimeout, lastActivity + limits.idleTimeout)
        case .open:
            let idle = isIdle ? lastActivity + limits.idleTimeout : nil
            return [idle, expiry].compactMap(\.self).min()
        case .ending(_, let by): return by
        case .dead: return .now
        }
    }

    /// Nothing is done for it that it does not hold up itself.
    private var isIdle: Bool { !channels.values.contains { $0.isWorking && !$0.isHeldUp } }

    /// When its key expires, if that ends it.
    private var expiry: ContinuousClock.Instant? {
        guard loop.configuration?.terminatesRevoked == true, let expiry = authorization?.expiry else { return nil }
        return .now + .seconds(min(expiry.timeIntervalSinceNow, 3600))
    }

    /// Acts when a time has come.
    func expire(at now: ContinuousClock.Instant) {
        let isSilent = lastActivity + limits.idleTimeout <= now
        switch phase {
        case .login where isSilent || began + limits.loginTimeout <= now: end("the login took too long")
        case .open where isIdle && isSilent: end("there was nothing to do for too long")
        case .open where expiry.map { $0 <= .now } == true: end("your key has expired")
        case .ending(let reason, let by) where by <= now: phase = .dead(reason: reason)
        case .login, .open, .ending, .dead: break
        }
    }

    // MARK: - Work

    /// Has libssh handle what has arrived and write what waits.
    func process() {
        let received = counters[0].in_bytes
        ssh_event_dopoll(event, 0)
        if identity == nil, counters[0].in_bytes != received { touch() }
        if counters[0].out_bytes != progress.sent {
            progress = Progress(sent: counters[0].out_bytes, packetsBefore: counters[1].in_packets)
        }
        let packets = counters[1].in_packets
        if isBroken
            || identity == nil && packets > Self.mostPacketsBeforeLogin
            || packets - progress.packetsBefore > Self.mostPacketsWithoutProgress
        {
            fail()
        }
    }

    /// Sends what commands have written, as far as it goes.
    /// - Returns: Whether more would go at once; the others get their turn first.
    func advance() -> Bool {
        if isDead { return false }
        if case .ending(let reason, _) = phase {
            if hasSentEverything { phase = .dead(reason: reason) }
            return false
        }
        var isBusy = false
        for channel in Array(channels.values) { if channel.advance() { isBusy = true } }
        for channel in Array(channels.values) where channel.isOver {
            channel.free()
            channels[channel.id] = nil
        }
        if isBroken { fail() }
        return isBusy && !isDead
    }

    /// The client has left, or libssh has given it up.
    private var isBroken: Bool { ssh_get_status(session) & (SSH_CLOSED | SSH_CLOSED_ERROR) != 0 || ssh_get_fd(session) < 0 }

    /// Whether nothing waits for the client to read on.
    var hasSentEverything: Bool { ssh_get_status(session) & SSH_WRITE_PENDING == 0 }

    /// Something moves: the connection is not idle.
    func touch() { lastActivity = .now }

    /// Closes the connection once what is on its way has been sent.
    /// - Parameter reason: For the client; `nil` says nothing.
    func end(_ reason: String?) {
        guard !isEnding else { return }
        for channel in channels.values { channel.abandon() }
        phase = .ending(reason: reason, by: .now + Self.timeToEnd)
        loop.hear(from: id)
    }

    /// The client is gone, or does what it must not.
    func fail(_ reason: String? = nil) {
        guard !isDead else { return }
        for channel in channels.values { channel.abandon() }
        if case .ending(let first, _) = phase { phase = .dead(reason: first) } else { phase = .dead(reason: reason) }
        loop.hear(from: id)
    }

    func commandEnded(_ status: UInt8, on channel: UInt64) {
        touch()
        channels[channel]?.commandEnded(status)
    }

    /// Frees everything; the connection is not to be used any more.
    func drop() {
        for channel in channels.values { channel.abandon() }
        ssh_event_remove_session(event, session)
        if case .dead(let reason?) = phase, ssh_get_fd(session) >= 0 {
            ssh_session_set_disconnect_message(session, reason)
            // Otherwise libssh would leave the message for the next round, which there is none of.
            if hasSentEverything { ssh_set_fd_towrite(session) }
            ssh_disconnect(session)
        } else {
            ssh_silent_disconnect(session)
        }
        ssh_free(session)
        ssh_event_free(event)
        tell()
    }

    private func tell() {
        if let identity {
            var reason: String?
            if case .dead(let why) = phase { reason = why }
            loop.logger.info(
                "ssh: logged out",
                metadata: ["actor": "\(identity.actor)", "address": "\(address)", "reason": "\(reason ?? "client left")"])
            loop.surroundings.onEvent(.loggedOut(actor: identity.actor, address: address, reason: reason))
        } else if let last = attempts.last {
            loop.logger.notice("ssh: login refused", metadata: ["address": "\(address)", "user": "\(attempts.user)", "reason": "\(last)"])
            loop.surroundings.onEvent(.loginRefused(user: attempts.user, address: address, reason: last))
        }
    }

    // MARK: - What libssh says, in callbacks

    /// Something of the login begins; the first thing that the client is shown is the banner.
    private func loginBegins(as user: UnsafePointer<CChar>?) {
        if let user {
            let name = String(cString: user).unicodeScalars.prefix(64).map { $0.isVisible ? String($0) : "?" }
            attempts.user = name.joined()
        }
        guard !isGreeted else { return }
        isGreeted = true
        guard let banner = loop.configuration?.banner, !banner.isEmpty else { return }
        let text = banner.hasSuffix("\n") ? banner : banner + "\n"
        guard let string = ssh_string_from_char(text.replacing("\r\n", with: "\n").replacing("\n", with: "\r\n")) else { return }
        ssh_send_issue_banner(session, string)
        ssh_string_free(string)
    }

    /// - Parameter what: What the client tried to prove itself with; `nil` when it only asked how it could.
    func refuseLogin(as user: UnsafePointer<CChar>?, with what: String?) {
        loginBegins(as: user)
        guard let what, case .login = phase else { return }
        attempts.count += 1
        attempts.last = what
        if attempts.count >= limits.maxLoginAttempts { end("too many authentication failures") }
    }

    /// A key, first only shown and then with a signature that proves that the client has it.
    /// - Returns: Whether the key would do, or, when it is signed, does.
    func accepts(_ key: ssh_key, signed state: CChar, user: UnsafePointer<CChar>?) -> Bool {
        guard case .login = phase, let description = KeyDescription(key) else { return false }
        let name = "public key \(description.fingerprint)"
        guard let known = loop.configuration?.authorizedKeys[description.blob], known.admits(from: IPAddress(address), at: Date()) else {
            refuseLogin(as: user, with: name)
            return false
        }
        loginBegins(as: user)
        switch Int32(state) {
        case SSH_PUBLICKEY_STATE_NONE.rawValue: return true
        case SSH_PUBLICKEY_STATE_VALID.rawValue:
            guard loop.hasRoom else {
                attempts.last = "\(known.actor): there are \(limits.maxConnections) connections already"
                // Let in and shown out at once: who is told that the key would not do leaves before hearing why.
                end("too many connections: \(limits.maxConnections) clients are logged in")
                return true
            }
            identity = known
            phase = .open
            touch()
            loop.logger.info("ssh: logged in", metadata: ["actor": "\(known.actor)", "address": "\(address)", "role": "\(role)"])
            loop.surroundings.onEvent(.loggedIn(actor: known.actor, role: role, address: address))
            return true
        default:
            refuseLogin(as: user, with: name)
            return false
        }
    }

    /// A session for a command or a shell, if the client may have one more.
    func openChannel() -> ssh_channel? {
        guard case .open = phase, channels.count < limits.maxSessions, !loop.isDraining, let pointer = ssh_channel_new(session) else {
            return nil
        }
        touch()
        lastChannel += 1
        channels[lastChannel] = Channel(lastChannel, pointer, of: self)
        return pointer
    }
}
