import CLibSSH
import CPlueSystem
import PlueConfig
import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// A look from outside: connects like a client and waits for an SSH server's greeting.
enum Probe {
    private static let patience: Duration = .seconds(3)

    /// Blocks, for three seconds at most.
    static func askForGreeting(at endpoint: SSHServerSettings.Endpoint) throws(ServiceRefusal) {
        let deadline = ContinuousClock.now + patience
        try Resolved.with(endpoint, isPassive: false) { address throws(ServiceRefusal) in
            let descriptor = plue_stream_socket(address.ai_family)
            guard descriptor >= 0 else { throw ServiceRefusal("\(endpoint) cannot be looked at: \(Errno(rawValue: errno))") }
            defer { close(descriptor) }
            if connect(descriptor, address.ai_addr, address.ai_addrlen) != 0 {
                guard errno == EINPROGRESS, wait(for: Int16(POLLOUT), of: descriptor, until: deadline), failure(of: descriptor) == 0
                else { throw ServiceRefusal("\(endpoint) does not take connections") }
            }
            var greeting: [UInt8] = []
            let expected = Array("SSH-2.0-".utf8)
            while greeting.count < expected.count {
                guard wait(for: Int16(POLLIN), of: descriptor, until: deadline) else {
                    throw ServiceRefusal("\(endpoint) takes connections and does not answer")
                }
                var buffer = [UInt8](repeating: 0, count: 256)
                let count = recv(descriptor, &buffer, buffer.count, 0)
                guard count > 0 else { throw ServiceRefusal("\(endpoint) takes connections and closes them without an answer") }
                greeting += buffer.prefix(count)
            }
            guard greeting.starts(with: expected) else { throw ServiceRefusal("\(endpoint) does not answer in SSH") }
        }
    }

    private static func wait(for events: Int16, of descriptor: Int32, until deadline: ContinuousClock.Instant) -> Bool {
        var entry = pollfd(fd: descriptor, events: events, revents: 0)
        while true {
            let count = poll(&entry, 1, ContinuousClock.now.duration(to: deadline).pollTimeout)
            if count < 0, errno == EINTR { continue }
            return count > 0
        }
    }

    private static func failure(of descriptor: Int32) -> Int32 {
        var error: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno
    }
}

extension Duration {
    /// For poll(2): whole milliseconds, rounded up, so that who waits does not wake too early; 0 for what has passed.
    var pollTimeout: Int32 {
        if self <= .zero { return 0 }
        if self >= .seconds(60) { return 60_000 }
        let (seconds, attoseconds) = components
        return Int32(clamping: seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
