import Foundation
import PlueConfig
import PlueSSH
import Synchronization
import SystemPackage
import TestGround
import Testing

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// A directory of its own for one test, with keys in it, gone afterwards.
final class Scratch: Sendable {
    let path: FilePath

    init() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "plue-ssh-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(
            at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        path = FilePath(directory.path)
        try write("", to: "authorized_keys")
    }

    deinit { try? FileManager.default.removeItem(atPath: path.string) }

    /// Runs a test in a scratch, with one key of ada's that may log in.
    static func with<Value>(_ body: (Scratch) async throws -> Value) async throws -> Value {
        let scratch = try Scratch()
        try await scratch.makeKey("ada")
        try scratch.authorize("ada")
        return try await body(scratch)
    }

    func file(_ name: String) -> FilePath { path.appending(name) }

    func write(_ text: String, to name: String, mode: Int = 0o600) throws {
        try Data(text.utf8).write(to: URL(filePath: file(name).string))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file(name).string)
    }

    func read(_ name: String) throws -> String { try String(contentsOfFile: file(name).string, encoding: .utf8) }

    /// Makes a key pair with the real ssh-keygen.
    func makeKey(_ name: String, type: String = "ed25519", comment: String? = nil) async throws {
        let result = try await run("ssh-keygen", "-q", "-t", type, "-N", "", "-C", comment ?? "\(name)@test", "-f", file(name).string)
        try #require(result.status == 0, "\(result.errors)")
    }

    /// Adds a public key to those that may log in.
    func authorize(_ name: String, _ options: String = "") throws {
        let line = (options.isEmpty ? "" : options + " ") + (try read("\(name).pub"))
        try write(try read("authorized_keys") + line, to: "authorized_keys")
    }

    func settings(_ change: (inout SSHServerSettings) -> Void = { _ in }) -> SSHServerSettings {
        var settings = SSHServerSettings(
            endpoint: .init(host: "127.0.0.1", port: 0), stateDirectory: path, authorizedKeys: SSHKeyFile(file("authorized_keys")))
        change(&settings)
        return settings
    }

    // MARK: - Clients

    /// The real ssh, as somebody with one key and no configuration runs it.
    func arguments(_ port: Int, key: String, host: String = "127.0.0.1", _ more: [String] = []) -> [String] {
        // Of an option that is given twice, ssh takes the first.
        more + [
            "-F", "none", "-i", file(key).string, "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-p", "\(port)",
        ] + ["operator@\(host)"]
    }

    /// Runs a command through the real ssh to its end.
    func ssh(
        _ port: Int, _ command: String..., key: String = "ada", host: String = "127.0.0.1", options: [String] = [], input: String? = nil
    ) async throws -> Process.Result {
        let process = try Process("ssh", arguments(port, key: key, host: host, options) + command)
        if let input { process.send(input) }
        process.endInput()
        return try await process.result()
    }

    /// Starts a command through the real ssh.
    func start(_ port: Int, _ command: String..., key: String = "ada", options: [String] = []) throws -> Process {
        try Process("ssh", arguments(port, key: key, options) + command)
    }
}

/// A program to its end.
@discardableResult
func run(_ name: String, _ arguments: String...) async throws -> Process.Result {
    let process = try Process(name, arguments)
    process.endInput()
    return try await process.result()
}

/// A program that runs; what it says is there as it comes.
///
/// Not Foundation's: that one learns of an end through a socket which other programs, started meanwhile, inherit and hold open.
final class Process: Sendable {
    struct Result: Sendable {
        var status: Int32
        var bytes: [UInt8]
        var errors: String
        var output: String { String(decoding: bytes, as: UTF8.self) }
    }

    private struct State {
        var output: [UInt8] = []
        var errors: [UInt8] = []
        var open = 2
        var status: Int32?
    }

    private let id: pid_t
    private let input: Int32
    private let hasEndedInput = Atomic<Bool>(false)
    private let state = Mutex(State())
    /// A program that starts while another's pipes are made would inherit them, and hold them open.
    private static let launching = Mutex(())

    /// - Parameter pace: How long each reading of output waits, for a client that is slow.
    init(_ name: String, _ arguments: [String], pace: Duration = .zero) throws {
        let (id, input, output, errors) = try Self.launching.withLock { _ in
            let (input, output, errors) = (try Self.pipe(), try Self.pipe(), try Self.pipe())
            defer { for end in [input.reading, output.writing, errors.writing] { close(end) } }
            let id = try Self.spawn([name] + arguments, [input.reading, output.writing, errors.writing])
            return (id, input.writing, output.reading, errors.reading)
        }
        self.id = id
        self.input = input
        follow(output, pace) { $0.output += $1 }
        follow(errors, .zero) { $0.errors += $1 }
        Thread.detachNewThread { [self] in
            var status: Int32 = 0
            while waitpid(id, &status, 0) < 0, errno == EINTR {}
            // The exit status, or 256 and the signal.
            state.withLock { $0.status = status & 0x7F == 0 ? status >> 8 & 0xFF : 256 + status & 0x7F }
        }
    }

    deinit { endInput() }

    private static func pipe() throws -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { throw TestFailure("no pipe or no program") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    private static func spawn(_ words: [String], _ streams: [Int32]) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, stream) in streams.enumerated() { posix_spawn_file_actions_adddup2(&actions, stream, Int32(number)) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A program that does not read must not end this one, but what is ignored here would be ignored there.
        signal(SIGPIPE, SIG_IGN)
        var restored = sigset_t()
        sigemptyset(&restored)
        sigaddset(&restored, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &restored)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
        var arguments = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var id = pid_t()
        guard posix_spawnp(&id, words[0], &actions, &attributes, &arguments, environ) == 0 else {
            throw TestFailure("no pipe or no program")
        }
        return id
    }

    /// Reading blocks, which no shared thread may.
    private func follow(_ descriptor: Int32, _ pace: Duration, _ add: @escaping @Sendable (inout State, ArraySlice<UInt8>) -> Void) {
        Thread.detachNewThread { [self] in
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = Glibc.read(descriptor, &buffer, buffer.count)
                if count <= 0 { break }
                state.withLock { add(&$0, buffer[..<count]) }
                // In short sleeps, so that a program that was ended is not waited for.
                let until = ContinuousClock.now + pace
                while ContinuousClock.now < until, isRunning { usleep(5_000) }
            }
            state.withLock { $0.open -= 1 }
            close(descriptor)
        }
    }

    var output: String { state.withLock { String(decoding: $0.output, as: UTF8.self) } }
    var errors: String { state.withLock { String(decoding: $0.errors, as: UTF8.self) } }
    var isRunning: Bool { state.withLock { $0.status == nil } }

    /// A program that does not read any more is no error: the test looks at how it ended.
    func send(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(input, $0.baseAddress, $0.count) }
            if count <= 0 { break }
            bytes = bytes.dropFirst(count)
        }
    }

    func endInput() {
        if !hasEndedInput.exchange(true, ordering: .relaxed) { close(input) }
    }

    func kill() { if isRunning { _ = Glibc.kill(id, SIGKILL) } }

    /// Waits for the end of the program and of what it says.
    func result() async throws -> Result {
        do {
            try await eventually("the program ends", within: .seconds(60)) { state.withLock { $0.status != nil && $0.open == 0 } }
        } catch {
            Issue.record("it said '\(output)', and '\(errors)'")
            kill()
            throw error
        }
        return state.withLock {
            Result(status: $0.status ?? -1, bytes: $0.output, errors: String(decoding: $0.errors, as: UTF8.self))
        }
    }
}
